//! `phitap hub`: one result of many sensors.
//!
//! It reads what sensors publish: a stream of NATS JetStream (`--output nats:`, [`stream`]) with a durable consumer of its
//! own, or a topic of Apache Kafka (`--output kafka:`, `kafka`) with a group of its own. [`connection`] is what both
//! have in common. It acknowledges a message once what it says is on the disk ([`store`]). What it knows is a function of the set of
//! messages ([`state`]): what comes twice, late or in another order changes no number. Exposures of one client and
//! service are one, and their numbers are those of [`crate::merge`].
//!
//! Several hubs each read everything and keep a store of their own. One holds a [`lease`], or the first partition in the
//! group of all hubs, and is active; the others say at `/readyz` that they stand by.

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
use crate::remote::CredentialsError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Name of the stream where none is given.
pub const STREAM: &str = "PHITAP";
/// Subject of a stream that the hub makes.
pub const SUBJECT: &str = "phitap.events";

/// What a hub goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the events come from.
    pub source: Source,
    /// The stream of events; it is made if it is not there.
    pub stream: String,
    /// The subject of a stream that is made.
    pub subject: String,
    /// The file in which it keeps what it knows.
    pub store: PathBuf,
    /// Where page, metrics and API are served.
    pub listen: Option<SocketAddr>,
    /// Who may ask there.
    pub access: MetricsAccess,
    /// Its name, which no other hub has.
    pub name: String,
    /// A sensor that says nothing for so long is silent.
    pub silent_after: Duration,
    /// The public key of published rules, PEM.
    pub rules_key: Option<PathBuf>,
    /// Read the stream from its beginning again.
    pub again: bool,
    /// No messages but errors.
    pub quiet: bool,
}

/// Where events come from.
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
}

impl Settings {
    /// Where the events are, for messages.
    fn events(&self) -> String {
        match &self.source {
            Source::Nats(_) => format!("stream {}", self.stream),
            Source::Kafka(settings) => format!("topic {}", settings.topic),
        }
    }
}

/// Why a hub cannot go on. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The broker refuses, and will again.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The credentials for Kafka cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Page and metrics cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The key of published rules cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Something of the system is missing.
    #[error("{0}")]
    System(String),
}
