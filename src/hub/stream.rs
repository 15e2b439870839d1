//! The stream of events and the hub's consumer of it.

use super::lease::Lease;
use super::state::State;
use super::{HubError, Settings};
use crate::broker::{Access, request_failed};
use crate::distribution::{PublicKey, latest};
use crate::output::text::{bytes, count};
use crate::pipeline::stopwatch;
use crate::time::Timestamp;
use async_nats::jetstream::consumer::pull::{BatchConfig, Config as PullConfig};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::stream::{
    Config as StreamConfig, DiscardPolicy, Info, RetentionPolicy, Stream,
};
use async_nats::jetstream::{self, Context, Message};
use async_nats::{Client, StatusCode, Subscriber};
use futures_core::Stream as _;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Messages of a batch at most, and their bytes.
const MAX_BATCH: usize = 4_096;
const MAX_BATCH_BYTES: usize = 32 << 20;
/// Time for which a batch waits for further messages.
const BATCH_WAITS: Duration = Duration::from_millis(250);
/// Longest wait for an answer of the broker.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// Longest time to set up a connection.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A message that is not acknowledged within this time is delivered again. It is long, so that nothing is sent twice
/// because of a slow disk: a batch waits for the disk twice, once for the batch before it. A hub that starts does not
/// wait for it (see `Link::with`).
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(600);
/// Most messages that wait for acknowledgement.
const MAX_PENDING: i64 = 4 * MAX_BATCH as i64;
/// The broker removes a consumer that is not used for this long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 86_400);
/// Within this time the broker stores only one message of an id.
const DEDUPLICATED: Duration = Duration::from_secs(120);

/// How a server says that it is stopped (status 409).
const SHUTS_DOWN: &str = "Server Shutdown";
/// Interval between checks of the stream's limits.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Share of its limit from which a stream that discards nothing counts as full, percent.
const FULL: u64 = 99;

/// A connection to a stream.
pub(super) struct Link {
    client: Client,
    context: Context,
    consumer: PullConsumer,
    /// Number of messages that the consumer has delivered and this hub has read.
    taken: u64,
    /// The next batch, requested before the last one was on disk.
    coming: Option<Coming>,
    /// Sequence number of the next message; none before the first message of a new consumer.
    following: Option<u64>,
    stream: Stream,
    /// Time of the last check of the stream, and why it is full.
    looked: Option<Instant>,
    full: Option<String>,
    pub lease: Lease,
}

/// A batch that is not acknowledged yet.
#[derive(Default)]
pub(super) struct Unacknowledged {
    /// Its last message, whose acknowledgement includes all before it.
    last: Option<Message>,
    /// Messages after it.
    pub pending: u64,
    pub redelivered: u64,
    /// Messages that the broker removed before they were read.
    pub missed: u64,
    /// Why the stream takes no events.
    pub full: Option<String>,
    /// A fault, although messages come.
    pub fault: Option<String>,
}

/// The error of a failed request.
pub(super) fn failed(what: &str, error: impl std::fmt::Display) -> String {
    format!("{what}: {}", request_failed(error))
}

impl Link {
    /// Connects, and creates stream, consumer and lease if needed.
    ///
    /// # Errors
    /// The outer error does not pass by itself; the inner one may.
    pub async fn open(
        access: &Access,
        settings: &Settings,
        durable: &str,
        holder: &str,
        again: bool,
    ) -> Result<Result<Self, String>, HubError> {
        let client = match access.connect().await {
            Ok(client) => client,
            Err(error) if error.is_passing() => return Ok(Err(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let context = jetstream::new(client.clone());
        let ready = Self::with(client, context, settings, durable, holder, again);
        let ready = tokio::time::timeout(READY_WITHIN, ready).await;
        Ok(ready.unwrap_or_else(|_| Err("the broker does not answer".to_owned())))
    }

    async fn with(
        client: Client,
        context: Context,
        settings: &Settings,
        durable: &str,
        holder: &str,
        again: bool,
    ) -> Result<Self, String> {
        let stream = stream(&context, settings).await?;
        // Messages that were delivered to a killed hub come again only after ACKNOWLEDGE_WITHIN. A new consumer that
        // begins after the last acknowledged message delivers them at once.
        let known = stream.consumer_info(durable).await.ok();
        let deliver_policy = match known.as_ref().filter(|_| !again) {
            Some(info) => DeliverPolicy::ByStartSequence {
                start_sequence: info.ack_floor.stream_sequence + 1,
            },
            None => DeliverPolicy::All,
        };
        if known.is_some() {
            let gone = stream.delete_consumer(durable).await;
            gone.map_err(|error| failed("the consumer of the hub", error))?;
        }
        let config = PullConfig {
            durable_name: Some(durable.to_owned()),
            deliver_policy,
            // One acknowledgement for a batch; `take` makes sure that it covers no message that did not arrive.
            ack_policy: AckPolicy::All,
            ack_wait: ACKNOWLEDGE_WITHIN,
            max_ack_pending: MAX_PENDING,
            inactive_threshold: FORGOTTEN_AFTER,
            ..PullConfig::default()
        };
        let consumer = stream.get_or_create_consumer(durable, config).await;
        let consumer = consumer.map_err(|error| failed("the consumer of the hub", error))?;
        let lease = Lease::open(&context, holder.to_owned()).await?;
        let following = match deliver_policy {
            DeliverPolicy::ByStartSequence { start_sequence } => Some(start_sequence),
            _ => None,
        };
        Ok(Self {
            client,
            context,
            consumer,
            taken: 0,
            coming: None,
            following,
            stream,
            looked: None,
            full: None,
            lease,
        })
    }

    /// Checks that the consumer still exists. A broker that has lost its data does not answer requests to it.
    async fn check(&self) -> Result<(), String> {
        match tokio::time::timeout(ANSWER_WITHIN, self.consumer.get_info()).await {
            Ok(Err(error)) => Err(failed("the consumer of the hub", error)),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// Why the stream refuses events, if it does.
    async fn look(&mut self) -> Option<String> {
        if self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            self.looked = Some(stopwatch());
            if let Ok(Ok(info)) = tokio::time::timeout(ANSWER_WITHIN, self.stream.get_info()).await
            {
                self.full = full(&info);
            }
        }
        self.full.clone()
    }

    /// Fingerprint of the rules that were published last.
    pub async fn rules(&self, key: &PublicKey) -> Option<String> {
        tokio::time::timeout(ANSWER_WITHIN, latest(&self.context, key)).await.ok().flatten()
    }

    /// Requests a batch, which arrives while the one before it is written. None if the broker is away.
    async fn ask(&self) -> Result<Option<Coming>, String> {
        let asked = tokio::time::timeout(ANSWER_WITHIN, Coming::ask(&self.client, &self.consumer));
        let Ok(coming) = asked.await else { return Ok(None) };
        coming.map(Some).map_err(|error| failed("a batch of messages", error))
    }

    /// Applies a batch of messages to the state, and requests the next. They are not acknowledged yet.
    ///
    /// An acknowledgement covers all messages before it, so each message must follow the one delivered before it.
    ///
    /// # Errors
    /// The broker's error, or that a message did not arrive. The messages before it were applied.
    pub async fn take(
        &mut self,
        state: &mut State,
        batch: &mut Unacknowledged,
    ) -> Result<usize, String> {
        if let Some(lost) = self.lease.lost.take().filter(|_| self.is_connected()) {
            return Err(lost);
        }
        batch.fault.clone_from(&self.lease.refused);
        batch.full = self.look().await;
        let asked = match self.coming.take() {
            Some(asked) => Some(asked),
            None => self.ask().await?,
        };
        let Some(mut messages) = asked else { return Ok(0) };
        let mut taken = 0;
        while let Some(message) = messages.next().await {
            let message = match message {
                Ok(message) => message,
                // The next message does not fit into the batch. Any other error occurs again with the next batch.
                Err(_) if taken > 0 => break,
                Err(error) => return Err(failed("a batch of messages", error)),
            };
            let message = Message { message, context: self.context.clone() };
            let Ok(info) = message.info() else { continue };
            if info.consumer_sequence != self.taken + 1 {
                return Err("a message was lost on its way from the broker".to_owned());
            }
            self.taken += 1;
            let following = self.following.get_or_insert(info.stream_sequence);
            batch.missed += info.stream_sequence.saturating_sub(*following);
            *following = (*following).max(info.stream_sequence + 1);
            let nanos = info.published.unix_timestamp_nanos();
            let stored = Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX));
            batch.pending = info.pending;
            batch.redelivered += u64::from(info.delivered > 1);
            state.take(&message.payload, stored);
            batch.last = Some(message);
            taken += 1;
        }
        if messages.silent && self.is_connected() {
            self.check().await?;
        }
        if taken > 0 {
            self.coming = self.ask().await?;
            // Send the request before waiting for the disk.
            let _ = tokio::time::timeout(ANSWER_WITHIN, self.client.flush()).await;
        }
        Ok(taken)
    }

    /// Whether the broker is there.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Acknowledges a batch that is on disk.
    pub async fn acknowledge(&self, batch: &mut Unacknowledged) {
        let Some(message) = batch.last.take() else { return };
        // If this is lost, the batch comes again and changes nothing. A broker that is away must not block the hub.
        let sent = async {
            let _ = message.ack().await;
            let _ = self.client.flush().await;
        };
        let _ = tokio::time::timeout(ANSWER_WITHIN, sent).await;
    }
}

/// A requested batch.
///
/// The batch of the library must be read within a time, and discards what is ready after that. With a slower disk, the
/// discarded messages would be delivered again and again. Here only the wait for a message that has not arrived ends.
struct Coming {
    subscriber: Subscriber,
    /// Messages that may still come.
    left: usize,
    /// The broker did not answer, not even that there are none.
    silent: bool,
}

impl Coming {
    async fn ask(client: &Client, consumer: &PullConsumer) -> Result<Self, async_nats::Error> {
        let inbox = async_nats::Subject::from(client.new_inbox());
        let subscriber = client.subscribe(inbox.clone()).await?;
        let batch = BatchConfig {
            batch: MAX_BATCH,
            max_bytes: MAX_BATCH_BYTES,
            expires: Some(BATCH_WAITS),
            ..BatchConfig::default()
        };
        consumer.request_batch(batch, inbox).await?;
        Ok(Self { subscriber, left: MAX_BATCH, silent: false })
    }

    /// The next message, or None after the last one. An error if the broker refuses the request.
    async fn next(&mut self) -> Option<Result<async_nats::Message, String>> {
        if self.left == 0 {
            return None;
        }
        let subscriber = &mut self.subscriber;
        let next = std::future::poll_fn(|context| Pin::new(&mut *subscriber).poll_next(context));
        let Ok(message) = tokio::time::timeout(BATCH_WAITS + ANSWER_WITHIN, next).await else {
            self.silent = true;
            return None;
        };
        let message = message?;
        match message.status {
            None | Some(StatusCode::OK) => {
                self.left -= 1;
                return Some(Ok(message));
            }
            _ => self.left = 0,
        }
        match message.status? {
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => None,
            status => Some(Err(match message.description.unwrap_or_default() {
                text if text == SHUTS_DOWN => "the broker is shutting down".to_owned(),
                text => format!("{status} {text}"),
            })),
        }
    }
}

/// Why a stream refuses events, if it does.
fn full(info: &Info) -> Option<String> {
    let (config, state) = (&info.config, &info.state);
    // Other streams discard their oldest messages.
    if config.discard != DiscardPolicy::New {
        return None;
    }
    let reached = |has: u64, limit: i64| {
        let limit = u64::try_from(limit).unwrap_or(0);
        limit > 0 && has.saturating_mul(100) >= limit.saturating_mul(FULL)
    };
    let name = &config.name;
    let text = if reached(state.bytes, config.max_bytes) {
        format!("{} of {}", bytes(state.bytes), bytes(config.max_bytes.unsigned_abs()))
    } else if reached(state.messages, config.max_messages) {
        format!("{} of {}", count(state.messages, "message"), config.max_messages)
    } else {
        return None;
    };
    Some(format!(
        "stream {name} is full ({text}) and refuses what sensors send; they keep it as long as they have room: raise its \
         limits with nats stream edit {name}, or let it discard old messages"
    ))
}

/// The stream that sensors publish to: of that name, or of that subject; created if there is none.
async fn stream(context: &Context, settings: &Settings) -> Result<Stream, String> {
    if let Ok(stream) = context.get_stream(&settings.stream).await {
        return Ok(stream);
    }
    // Created by hand under another name.
    if let Ok(name) = context.stream_by_subject(settings.subject.as_str()).await {
        let found = context.get_stream(&name).await;
        return found.map_err(|error| failed(&format!("stream {name}"), error));
    }
    let config = StreamConfig {
        name: settings.stream.clone(),
        subjects: vec![settings.subject.clone()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        duplicate_window: DEDUPLICATED,
        ..StreamConfig::default()
    };
    let made = context.create_stream(config).await;
    made.map_err(|error| failed(&format!("stream {}", settings.stream), error))
}
