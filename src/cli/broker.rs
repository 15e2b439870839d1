//! Connection to the broker: arguments that the commands for many machines share.

use crate::broker;
use crate::remote::TlsFiles;
use clap::Args;
use std::path::PathBuf;

/// Connection to the broker.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct NatsArgs {
    /// Servers of one NATS cluster, such as nats://broker:4222 or tls://broker:4222
    #[arg(
        long,
        value_name = "ADDR",
        value_delimiter = ',',
        required = true,
        help_heading = "Broker"
    )]
    pub nats: Vec<String>,
    /// What a NATS server asks for.
    #[command(flatten)]
    pub files: NatsFiles,
}

/// What a NATS server asks for.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct NatsFiles {
    /// File with the broker's credentials: a .creds file, an NKEY seed, a token, or a user name and
    /// a password on two lines
    ///
    /// Without it, the systemd credential phitap.nats is used if there is one.
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_credentials: Option<PathBuf>,
    /// Trust this CA (PEM) instead of the platform's; implies TLS
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub nats_ca: Option<PathBuf>,
    /// Present this certificate chain to the broker, PEM
    #[arg(long, value_name = "FILE", help_heading = "Broker", requires = "nats_key")]
    pub nats_cert: Option<PathBuf>,
    /// The private key of --nats-cert, PEM
    #[arg(long, value_name = "FILE", help_heading = "Broker", requires = "nats_cert")]
    pub nats_key: Option<PathBuf>,
}

impl NatsArgs {
    pub(super) fn settings(self, name: String) -> broker::Settings {
        self.files.settings(self.nats, name)
    }
}

impl NatsFiles {
    pub(super) fn settings(self, servers: Vec<String>, name: String) -> broker::Settings {
        broker::Settings {
            servers,
            credentials: self.nats_credentials,
            tls: TlsFiles { ca: self.nats_ca, certificate: self.nats_cert.zip(self.nats_key) },
            name,
        }
    }
}
