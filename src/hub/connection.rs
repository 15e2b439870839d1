//! What the hub needs from either broker: batches of messages, acknowledgement of messages that are on disk, and
//! the choice of the active hub.

#[cfg(feature = "kafka")]
use super::kafka;
use super::state::State;
use super::stream::{Link, Unacknowledged};
use super::{HubError, Settings, Source};
use crate::broker;
use crate::distribution::PublicKey;

/// A source with its files read. No `Debug`, because it holds secrets.
pub(super) enum Access {
    Nats(Box<broker::Access>),
    #[cfg(feature = "kafka")]
    Kafka(kafka::Access),
}

impl Access {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be used, or phitap was built without this broker.
    pub fn open(settings: &Settings) -> Result<Self, HubError> {
        match &settings.source {
            Source::Nats(broker) => Ok(Self::Nats(Box::new(broker::Access::open(broker)?))),
            #[cfg(feature = "kafka")]
            Source::Kafka(topic) => Ok(Self::Kafka(kafka::Access::open(topic, &settings.name)?)),
            #[cfg(not(feature = "kafka"))]
            Source::Kafka(_) => {
                let text = "this phitap was built without Kafka: build it with --features kafka";
                Err(HubError::System(text.to_owned()))
            }
        }
    }

    /// Connects. `durable`: name under which the broker stores how far this hub has read. `holder`: who asks to be
    /// active. `again`: read from the beginning.
    ///
    /// # Errors
    /// The outer error does not pass by itself; the inner one may.
    pub async fn connect(
        &self,
        settings: &Settings,
        durable: &str,
        holder: &str,
        again: bool,
    ) -> Result<Result<Connection, String>, HubError> {
        match self {
            Self::Nats(access) => {
                let link = Link::open(access, settings, durable, holder, again).await?;
                Ok(link.map(|link| Connection::Nats(Box::new(link))))
            }
            #[cfg(feature = "kafka")]
            Self::Kafka(access) => {
                let topic = kafka::Topic::open(access, durable, again)?;
                Ok(topic.map(|topic| Connection::Kafka(Box::new(topic))))
            }
        }
    }
}

/// A connection to the broker.
pub(super) enum Connection {
    Nats(Box<Link>),
    #[cfg(feature = "kafka")]
    Kafka(Box<kafka::Topic>),
}

impl Connection {
    /// Asks to become or remain the active hub. Returns whether it is.
    pub async fn renew(&mut self) -> bool {
        match self {
            Self::Nats(link) => link.lease.renew().await,
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.renew(),
        }
    }

    /// Fingerprint of the rules that were published last; none over Kafka.
    pub async fn rules(&self, key: &PublicKey) -> Option<String> {
        match self {
            Self::Nats(link) => link.rules(key).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => None,
        }
    }

    /// Applies a batch of messages to the state and returns their number. They are not acknowledged yet.
    ///
    /// # Errors
    /// The broker's error; the messages before it were applied.
    pub async fn take(
        &mut self,
        state: &mut State,
        batch: &mut Unacknowledged,
    ) -> Result<usize, String> {
        match self {
            Self::Nats(link) => link.take(state, batch).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => {
                let taken = topic.take(state);
                batch.pending = topic.pending();
                batch.missed = topic.missed();
                taken
            }
        }
    }

    /// Acknowledges all applied messages, which are on disk.
    pub async fn acknowledge(&mut self, batch: &mut Unacknowledged) {
        match self {
            Self::Nats(link) => link.acknowledge(batch).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.acknowledge(),
        }
    }

    /// Whether the broker is connected.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Nats(link) => link.is_connected(),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.is_connected(),
        }
    }

    /// The message while it is not.
    pub fn away(&self) -> String {
        match self {
            Self::Nats(_) => {
                "the broker is away: is nats-server running? Sensors keep their events until it is back"
                    .to_owned()
            }
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.away(),
        }
    }

    /// Lets another hub become active at once.
    pub async fn release(self) {
        match self {
            Self::Nats(link) => link.lease.release().await,
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.close(),
        }
    }
}
