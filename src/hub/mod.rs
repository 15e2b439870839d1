//! `phitap hub`: one result of many sensors.
//!
//! It reads what sensors publish: a stream of NATS JetStream (`--output nats:`, [`stream`]) with a durable consumer of its
//! own, or a topic of Apache Kafka (`--output kafka:`, `kafka`) with a group of its own. [`connection`] is what both
//! have in common. It acknowledges a message when its content is on disk ([`store`]). Its [`state`] is a function of the
//! set of messages: a message that comes twice, late or in another order changes no number. All sensors' exposures of one
//! client and service are one exposure, with the numbers of [`crate::merge`].
//!
//! Several hubs each read everything into their own store. One holds a [`lease`], or the first partition in the group of
//! all hubs, and is active; the others answer at `/readyz` that they stand by.

mod connection;
mod event;
mod facts;
#[cfg(feature = "kafka")]
mod kafka;
mod lease;
mod notices;
mod running;
mod sensors;
mod state;
mod store;
mod stream;
pub mod test_harness;
mod view;

#[cfg(test)]
mod tests;

pub use running::run;
pub use sensors::SensorProblem;

use crate::broker::{self, BrokerError};
use crate::config::MetricsAccess;
use crate::distribution::KeyFileError;
use crate::output::ServeError;
use crate::output::store::StoreError;
use crate::remote::{CredentialsError, SaslMechanism, TlsFiles};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Name of the stream where none is given.
pub const STREAM: &str = "PHITAP";
/// Subject of a stream that the hub makes.
pub const SUBJECT: &str = "phitap.events";

/// Settings of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the events come from.
    pub source: Source,
    /// The stream of events; created if there is none.
    pub stream: String,
    /// The subject of a created stream.
    pub subject: String,
    /// The file of its store.
    pub store: PathBuf,
    /// Address of page, metrics and API.
    pub listen: Option<SocketAddr>,
    /// Who may read them.
    pub access: MetricsAccess,
    /// Its name, unique among the hubs.
    pub name: String,
    /// Time without messages after which a sensor counts as silent.
    pub silent_after: Duration,
    /// The public key of published rules, PEM.
    pub rules_key: Option<PathBuf>,
    /// Read the stream from its beginning again.
    pub again: bool,
    /// Write only errors.
    pub quiet: bool,
}

/// The broker that holds the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A stream of NATS JetStream.
    Nats(broker::Settings),
    /// A topic of Apache Kafka, with the feature `kafka`.
    Kafka(KafkaSettings),
}

/// A topic of Apache Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Brokers of one cluster: `HOST:PORT`, commas between.
    pub brokers: String,
    /// Its name.
    pub topic: String,
    /// File with user and password in two lines.
    pub credentials: Option<PathBuf>,
    /// How they are shown.
    pub sasl: SaslMechanism,
    /// The files for TLS; without TLS none.
    pub tls: Option<TlsFiles>,
}

impl Settings {
    /// Name of the stream or topic, for messages.
    fn events(&self) -> String {
        match &self.source {
            Source::Nats(_) => format!("stream {}", self.stream),
            Source::Kafka(settings) => format!("topic {}", settings.topic),
        }
    }
}

/// Why a hub ends. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The broker refuses the hub; trying again does not help.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The credentials for Kafka cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A client of Kafka cannot be set up.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] crate::remote::KafkaSetupError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Page and metrics cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The key of published rules cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// An error of the system.
    #[error("{0}")]
    System(String),
}
