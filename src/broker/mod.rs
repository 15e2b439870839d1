//! Connections to NATS servers: settings, credentials, TLS, and one-line errors that say what to
//! change.
//!
//! [`Access::open`] reads the files, and must run before privileges are dropped.
//! [`Access::connect`] connects, inside a tokio runtime and any number of times. The client
//! reconnects by itself after a server went away. [`answer`] limits how long a request waits.

mod bucket;
mod error;

#[cfg(test)]
mod tests;

pub use bucket::bucket;
pub use error::{BrokerError, request_failed};

use crate::remote::{Credentials, TlsFiles, locate};
use async_nats::{Client, ConnectOptions, ServerAddr};
use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest time to connect to a server.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longest time for the answer to a request.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Time after which a request is given up. It is longer than the limits of the library, whose
/// errors are more specific; but some of its requests have no limit while the connection is down.
const GIVE_UP_AFTER: Duration = Duration::from_secs(45);
/// Longest pause between attempts to reconnect, milliseconds.
const MAX_PAUSE: u64 = 10_000;
/// Interval between checks whether the program was stopped.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The error if no answer arrives in time.
const NO_ANSWER: &str = "no answer from a NATS server";
/// Name of the systemd credential used if none is given.
const CREDENTIAL: &str = "phitap.nats";

/// Servers, and the credentials for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Addresses of one cluster: `nats://HOST:PORT`, `tls://HOST:PORT` or `HOST:PORT`; 4222 without a port.
    pub servers: Vec<String>,
    /// File with credentials; by default the systemd credential `phitap.nats`, if there is one.
    pub credentials: Option<PathBuf>,
    /// CA and client certificate. If any is given, TLS is required.
    pub tls: TlsFiles,
    /// Name of this connection at the server, such as `phitap ward-3`.
    pub name: String,
}

/// Settings with their files read. No `Debug`, because it holds secrets.
pub struct Access {
    servers: Vec<ServerAddr>,
    credentials: Option<Credentials>,
    tls: rustls::ClientConfig,
    tls_required: bool,
    name: String,
    /// The file of the credentials, for messages.
    file: Option<PathBuf>,
}

impl Access {
    /// Checks addresses and reads the files.
    ///
    /// # Errors
    /// An address is invalid or holds a password, or a file cannot be used.
    pub fn open(settings: &Settings) -> Result<Self, BrokerError> {
        let servers: Vec<ServerAddr> =
            settings.servers.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(BrokerError::Address(String::new()));
        }
        let default = locate(CREDENTIAL.as_ref());
        let file = match &settings.credentials {
            Some(given) => Some(locate(given)),
            None => default.is_absolute().then_some(default),
        };
        let credentials = file.as_deref().map(Credentials::load).transpose()?;
        // A password must not cross the network in cleartext.
        let secret = credentials.as_ref().is_some_and(Credentials::shows_secret);
        let tls_required = settings.tls.is_given() || (secret && !servers.iter().all(is_loopback));
        let tls = match tls_required || servers.iter().any(ServerAddr::tls_required) {
            true => settings.tls.client()?,
            // The server may require TLS; without roots, its certificate is then refused.
            false => settings.tls.client().or_else(|_| without_roots())?,
        };
        Ok(Self { servers, credentials, tls, tls_required, name: settings.name.clone(), file })
    }

    /// Connects to one of the servers.
    ///
    /// # Errors
    /// Why none of them accepted the connection.
    pub async fn connect(&self) -> Result<Client, BrokerError> {
        let connecting = self.options()?.connect(self.servers.as_slice());
        match tokio::time::timeout(GIVE_UP_AFTER, connecting).await {
            Ok(connected) => connected.map_err(|error| self.explain(&error)),
            Err(_) => Err(BrokerError::Away { servers: self.servers(), reason: NO_ANSWER.into() }),
        }
    }

    /// The servers, for messages.
    pub fn servers(&self) -> String {
        let names: Vec<String> = self.servers.iter().map(name_of).collect();
        names.join(",")
    }

    fn options(&self) -> Result<ConnectOptions, BrokerError> {
        let options = ConnectOptions::new()
            .name(&self.name)
            .require_tls(self.tls_required)
            .tls_client_config(self.tls.clone())
            .connection_timeout(CONNECT_WITHIN)
            .request_timeout(Some(ANSWER_WITHIN))
            .reconnect_delay_callback(pause);
        Ok(match &self.credentials {
            None => options,
            Some(Credentials::Password { user, password }) => {
                options.user_and_password(user.clone(), password.to_string())
            }
            Some(Credentials::Token(token)) => options.token(token.to_string()),
            Some(Credentials::Seed(seed)) => options.nkey(seed.to_string()),
            Some(Credentials::Nats(text)) => options
                .credentials(text)
                .map_err(|_| BrokerError::Creds(self.file.clone().unwrap_or_default()))?,
        })
    }
}

/// Waits for the answer of a server for at most [`GIVE_UP_AFTER`].
///
/// # Errors
/// The server's error, or that it did not answer.
pub async fn answer<T, E: Display>(
    asked: impl IntoFuture<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(GIVE_UP_AFTER, asked.into_future()).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(NO_ANSWER.to_owned()),
    }
}

/// Awaits `of`, for at most `grace` after `stop` was set: an unreachable server must not delay the end of a program.
/// Returns `None` if it gave up.
pub async fn unless_stopped<T>(
    stop: &AtomicBool,
    grace: Duration,
    of: impl Future<Output = T>,
) -> Option<T> {
    let mut of = std::pin::pin!(of);
    let mut left = grace;
    loop {
        if let Ok(value) = tokio::time::timeout(LOOK_EVERY, &mut of).await {
            return Some(value);
        }
        if stop.load(Ordering::Relaxed) {
            if left.is_zero() {
                return None;
            }
            left = left.saturating_sub(LOOK_EVERY);
        }
    }
}

/// Parses the address of a server; refuses one with a user name or password.
fn address(text: &str) -> Result<ServerAddr, BrokerError> {
    let fault = || BrokerError::Address(text.rsplit('@').next().unwrap_or_default().to_owned());
    let server: ServerAddr = text.trim().parse().map_err(|_| fault())?;
    if server.has_user_pass() || server.password().is_some() {
        return Err(BrokerError::SecretInAddress(name_of(&server)));
    }
    match server.scheme() {
        "nats" | "tls" if !server.host().is_empty() => Ok(server),
        _ => Err(fault()),
    }
}

/// The name of a server in messages.
fn name_of(server: &ServerAddr) -> String {
    let host = server.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("{}://{host}:{}", server.scheme(), server.port())
}

fn is_loopback(server: &ServerAddr) -> bool {
    let host = server.host();
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_roots() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// The pause before an attempt to connect: none before the first, then increasing and random, so
/// that sensors do not all reconnect at once.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let doubled = 50_u64 << attempt.min(10);
    let mut byte = [0; 2];
    // Without random numbers, wait the longest time.
    let share = match getrandom::fill(&mut byte) {
        Ok(()) => u64::from(u16::from_le_bytes(byte)),
        Err(_) => u64::from(u16::MAX),
    };
    let most = doubled.min(MAX_PAUSE);
    Duration::from_millis(most / 2 + most / 2 * share / u64::from(u16::MAX))
}
