//! Outputs that deliver events: one file for each kind of receiver, and their shared parts.
//!
//! An event passes through here as a [`Record`]. [`Tagged`] gives it its id and its level, the [`Spool`] keeps it,
//! and a thread ([`deliver`]) hands it to a [`Sink`] until that took it. Delivery is at least once: whoever
//! receives the same id twice has the same event twice.

mod bulk;
mod connection;
mod deliver;
mod http;
mod pause;
mod syslog;
mod tagged;
mod unix;

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;

#[cfg(test)]
mod tests;

pub use deliver::{Delivery, DeliveryError, Started};
pub use tagged::Tagged;

use super::spool::Record;
use crate::destination::{Remote, Service, Target};
use crate::remote::{Credentials, CredentialsError, TlsError, locate};

/// Result for one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The receiver accepted it.
    Taken,
    /// The receiver will never accept it.
    Refused,
    /// It must be sent again.
    Again,
}

/// Result for a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each record.
    pub fates: Vec<Fate>,
    /// Why not all were accepted, in one line without secrets.
    pub fault: Option<String>,
    /// Why some are refused, if that is another reason than `fault`.
    pub refusal: Option<String>,
}

impl Outcome {
    /// The same result for all `records`.
    pub fn all(fate: Fate, records: usize) -> Self {
        Self { fates: vec![fate; records], ..Self::default() }
    }

    /// The first `taken` of them were accepted; the others must be sent again.
    pub fn broke_off(taken: usize, records: usize, fault: impl Into<String>) -> Self {
        let mut fates = vec![Fate::Taken; taken.min(records)];
        fates.resize(records, Fate::Again);
        Self { fates, fault: Some(fault.into()), refusal: None }
    }

    /// Records that are refused for good, with the reason.
    pub fn refused(records: usize, why: impl Into<String>) -> Self {
        Self { refusal: Some(why.into()), ..Self::all(Fate::Refused, records) }
    }

    /// Adds the result for the records that follow. The first refusal and the last fault are kept.
    pub fn append(&mut self, further: Self) {
        self.fates.extend(further.fates);
        self.fault = further.fault.or(self.fault.take());
        self.refusal = self.refusal.take().or(further.refusal);
    }
}

/// A receiver.
pub trait Sink: Send {
    /// Delivers records in order, and waits until the receiver has them, as far as it can confirm that. It ends
    /// within some ten seconds whatever the receiver does.
    fn deliver(&mut self, records: &[Record]) -> Outcome;

    /// No record came for a second.
    fn idle(&mut self) {}

    /// Most records of one batch.
    fn most(&self) -> usize {
        MAX_BATCH
    }
}

/// Most records of one batch, unless the receiver accepts fewer.
const MAX_BATCH: usize = 512;

/// Why an output cannot be started. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file of credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The settings of the broker are wrong.
    #[cfg(feature = "nats")]
    #[error(transparent)]
    Broker(#[from] crate::broker::BrokerError),
    /// The credentials are of a kind that this receiver does not accept.
    #[error("these credentials are not for {0}: write user and password in two lines, or a token")]
    WrongCredentials(&'static str),
    /// A client of Kafka cannot be set up.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] crate::remote::KafkaSetupError),
    /// The library reported an error.
    #[error("{0}")]
    Library(String),
    /// This program was built without it.
    #[error("this phitap was built without the feature {0}")]
    Feature(&'static str),
}

/// Creates the sink of a target: reads its credentials and sets up TLS, but does not connect yet. It must be called
/// before privileges are dropped. `None` for files and standard output.
///
/// # Errors
/// If a file cannot be used, or this program was built without the kind of receiver.
pub fn prepare(target: &Target, sensor: Option<&str>) -> Result<Option<Box<dyn Sink>>, SinkError> {
    Ok(match target {
        Target::Stdout | Target::File { .. } => None,
        Target::Unix { path } => Some(Box::new(unix::Unix::new(path.clone()))),
        Target::Remote(remote) => Some(prepare_remote(remote, sensor)?),
    })
}

fn prepare_remote(remote: &Remote, sensor: Option<&str>) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match &remote.service {
        Service::Syslog { transport, address, facility } => {
            Box::new(syslog::Syslog::new(*transport, address, *facility, sensor, &remote.tls)?)
        }
        #[cfg(feature = "nats")]
        Service::Nats { servers, subject } => {
            Box::new(nats::Nats::new(servers, subject, sensor, remote)?)
        }
        #[cfg(not(feature = "nats"))]
        Service::Nats { .. } => return Err(SinkError::Feature("nats")),
        #[cfg(feature = "kafka")]
        Service::Kafka { .. } => Box::new(kafka::Kafka::new(remote)?),
        #[cfg(not(feature = "kafka"))]
        Service::Kafka { .. } => return Err(SinkError::Feature("kafka")),
        Service::Http { .. } => Box::new(http::Http::new(remote, sensor)?),
    })
}

/// The credentials of a target, if a file is given.
fn credentials(remote: &Remote) -> Result<Option<Credentials>, SinkError> {
    let file = remote.credentials.as_deref().map(locate);
    Ok(file.as_deref().map(Credentials::load).transpose()?)
}

/// A runtime for one connection, in the delivering thread: it has no other thread until it looks up a name.
fn runtime() -> Result<tokio::runtime::Runtime, SinkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| SinkError::Library(error.to_string()))
}
