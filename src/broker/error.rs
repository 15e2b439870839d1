//! Errors of connections to a broker, each with its remedy.

use super::{Access, NO_ANSWER, name_of};
use crate::remote::{CredentialsError, TlsError, explain_tls};
use async_nats::{ConnectError, ConnectErrorKind};
use std::error::Error;
use std::io;
use std::path::PathBuf;

/// Codes of JetStream for storage that is used up: "insufficient resources", and that of memory and of files.
const NO_ROOM: [&str; 3] = ["error code 10023", "error code 10028", "error code 10047"];

/// What the error of a request says; in plain words if the broker has no room left.
pub fn request_failed(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    match NO_ROOM.iter().any(|code| text.contains(code)) {
        true => "the broker has no room left: free its disk, or raise its limits (max_file_store, max_memory_store)"
            .to_owned(),
        false => text,
    }
}

/// Why there is no connection. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// An invalid server address.
    #[error("{0:?} is no address of a NATS server; write nats://HOST:PORT or tls://HOST:PORT")]
    Address(String),
    /// Every user of the machine could read the password.
    #[error("{0}: put user and password into a file of credentials, not into the address")]
    SecretInAddress(String),
    /// The file of credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The file looks like a NATS `.creds` file, but is invalid.
    #[error("credentials {path} are no whole .creds file of NATS", path = .0.display())]
    Creds(PathBuf),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server requires authentication, and no credentials were given.
    #[error(
        "{servers}: the server asks for credentials; give a file with them (--nats-credentials FILE; of an output, credentials=FILE)"
    )]
    Anonymous {
        /// The servers.
        servers: String,
    },
    /// The server does not accept the credentials.
    #[error("{servers}: the server refused the credentials {file}", file = .file.display())]
    Refused {
        /// The servers.
        servers: String,
        /// The file of the credentials.
        file: PathBuf,
    },
    /// The TLS handshake failed.
    #[error("{servers}: TLS failed: {reason}")]
    Handshake {
        /// The servers.
        servers: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Nothing answers.
    #[error("{servers}: {reason}; see that a NATS server runs there")]
    Away {
        /// The servers.
        servers: String,
        /// The system's error.
        reason: String,
    },
}

impl From<rustls::Error> for BrokerError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.into())
    }
}

impl BrokerError {
    /// Whether trying again may help, because nothing needs to be changed here.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

impl Access {
    /// Explains an error of the client.
    pub(super) fn explain(&self, error: &ConnectError) -> BrokerError {
        let names: Vec<String> = self.servers.iter().map(name_of).collect();
        let servers = names.join(",");
        let tls = chain(error).find_map(|error| error.downcast_ref::<rustls::Error>());
        if let Some(reason) = tls.map(explain_tls) {
            return BrokerError::Handshake { servers, reason };
        }
        match (error.kind(), &self.file) {
            (ConnectErrorKind::AuthorizationViolation, None) => BrokerError::Anonymous { servers },
            (
                ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication,
                Some(file),
            ) => BrokerError::Refused { servers, file: file.clone() },
            (ConnectErrorKind::TimedOut, _) => {
                BrokerError::Away { servers, reason: NO_ANSWER.to_owned() }
            }
            (ConnectErrorKind::Tls, _) => {
                BrokerError::Handshake { servers, reason: last(error).to_string() }
            }
            _ if is_foreign(error) => {
                let reason = "what answers there is no NATS server".to_owned();
                BrokerError::Away { servers, reason }
            }
            _ => BrokerError::Away { servers, reason: last(error).to_string() },
        }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |of| {
        let error: &'a (dyn Error + 'static) = *of;
        match error.downcast_ref::<io::Error>() {
            // The source of an I/O error is that of its inner error, not the inner error itself.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// Whether the answer was not a NATS message.
fn is_foreign(error: &ConnectError) -> bool {
    let kinds = chain(error).filter_map(|of| of.downcast_ref::<io::Error>());
    kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::InvalidInput)
}

fn last<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}
