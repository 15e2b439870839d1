//! Events from a topic of Apache Kafka.
//!
//! Every hub reads all partitions of the topic into its own store, so it assigns them to itself. Its group only holds its
//! offsets, which are committed after the store. All hubs of a topic are also members of another group, through
//! which they read nothing: the member to which the broker assigns the first partition is the active hub. A killed
//! member loses it after [`LASTS`]; one that ends gives it back.

use super::state::State;
use super::{HubError, KafkaSettings};
use crate::pipeline::{stopwatch, wall_clock};
use crate::remote::{Credentials, KafkaReports, explain_kafka, kafka_client, locate};
use crate::time::Timestamp;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _, Timestamp as Stamp};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Messages of a batch at most, and their bytes.
const MAX_BATCH: usize = 4_096;
const MAX_BATCH_BYTES: usize = 32 << 20;
/// Longest message that is read, bytes. Events of phitap are far shorter; longer messages count as garbage.
const MAX_MESSAGE: usize = 16 << 20;
/// Most messages that wait in the library, kibibytes.
const MAX_QUEUED: &str = "32768";
/// Time for which a batch waits for further messages.
const BATCH_WAITS: Duration = Duration::from_millis(250);
/// Longest wait for an answer of the broker.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// The same while it is away.
const LOOK_WITHIN: Duration = Duration::from_secs(1);
/// Interval at which the library reports the ends of the partitions, milliseconds.
const REPORT_EVERY: &str = "1000";
/// Time without a sign of life after which a hub is no longer active, milliseconds.
const LASTS: &str = "10000";
/// Most events of the group of all hubs that are handled at once.
const MAX_EVENTS: usize = 64;
/// Most partitions of a topic.
const MAX_PARTITIONS: usize = 10_000;

/// Settings with their files read. No `Debug`, because it holds secrets.
pub(super) struct Access {
    config: ClientConfig,
    settings: KafkaSettings,
}

impl Access {
    /// Reads credentials and the files for TLS.
    ///
    /// # Errors
    /// A file cannot be used, or phitap was built without TLS for Kafka.
    pub fn open(settings: &KafkaSettings, name: &str) -> Result<Self, HubError> {
        let file = settings.credentials.as_deref().map(locate);
        let credentials = file.as_deref().map(Credentials::load).transpose()?;
        let KafkaSettings { brokers, tls, sasl, .. } = settings;
        let mut config = kafka_client(brokers, tls.as_ref(), credentials, *sasl)?;
        config
            .set("client.id", format!("phitap hub {name}"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("session.timeout.ms", LASTS);
        Ok(Self { config, settings: settings.clone() })
    }

    /// The consumer that reads.
    fn reader(&self, group: &str, reports: &KafkaReports) -> Result<Reader, String> {
        let mut config = self.config.clone();
        config
            .set("group.id", group)
            // If the messages after its offset are gone, the hub starts again and counts what is missing.
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("statistics.interval.ms", REPORT_EVERY)
            .set("queued.max.messages.kbytes", MAX_QUEUED)
            .set_log_level(RDKafkaLogLevel::Info);
        config.create_with_context(reports.clone()).map_err(|error| error.to_string())
    }

    /// The member of the group of all hubs.
    fn member(&self) -> Result<BaseConsumer<Member>, String> {
        let mut config = self.config.clone();
        config
            .set("group.id", format!("phitap-hub-active-{}", self.settings.topic))
            // The holder of the first partition keeps it when another hub joins.
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("auto.offset.reset", "latest");
        config.create_with_context(Member).map_err(|error| error.to_string())
    }
}

type Reader = BaseConsumer<KafkaReports>;

/// A member that reads nothing from its partitions.
struct Member;

impl ClientContext for Member {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    // The reader has the same brokers and reports the same.
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Member {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, change: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = change {
            let _ = consumer.pause(partitions);
        }
    }
}

/// A connection to a topic.
pub(super) struct Topic {
    reader: Reader,
    member: BaseConsumer<Member>,
    reports: KafkaReports,
    brokers: String,
    name: String,
    connected: bool,
    /// The first reason why it is not.
    away: Option<String>,
    /// A fault that ends this connection.
    fault: Option<String>,
    /// For each partition, the offset after the last applied message.
    places: BTreeMap<i32, i64>,
    /// For each partition, the offset after its last message.
    ends: BTreeMap<i32, i64>,
    /// Whether the ends must be requested, because the broker was away.
    ends_unknown: bool,
    /// Partitions that were read to their end since the broker was last away.
    read: BTreeSet<i32>,
    /// Partitions with applied messages that are not acknowledged.
    unacknowledged: BTreeSet<i32>,
    /// Messages that were deleted before they were read.
    missed: u64,
}

impl Topic {
    /// Starts to read after the committed offsets, or from the beginning.
    ///
    /// # Errors
    /// The outer error does not pass by itself; the inner one may.
    pub fn open(
        access: &Access,
        group: &str,
        again: bool,
    ) -> Result<Result<Self, String>, HubError> {
        let reports = KafkaReports::default();
        let fault = match Self::with(access, group, again, &reports) {
            Ok(topic) => return Ok(Ok(topic)),
            Err(fault) => format!("{}: {fault}", access.settings.brokers),
        };
        if reports.is_refused() { Err(HubError::System(fault)) } else { Ok(Err(fault)) }
    }

    fn with(
        access: &Access,
        group: &str,
        again: bool,
        reports: &KafkaReports,
    ) -> Result<Self, String> {
        let KafkaSettings { brokers, topic, .. } = &access.settings;
        let reader = access.reader(group, reports)?;
        let partitions = match partitions(&reader, topic, ANSWER_WITHIN) {
            Ok(partitions) => partitions,
            Err(Unknown::Refused(fault)) => return Err(fault),
            Err(Unknown::Away(fault)) => {
                // The library reports the reason through callbacks.
                for _ in 0..MAX_EVENTS {
                    let _ = reader.poll(Duration::ZERO);
                }
                return Err(reports.fault().unwrap_or(fault));
            }
        };
        let member = access.member()?;
        let mut topic = Self {
            reader,
            member,
            reports: reports.clone(),
            brokers: brokers.clone(),
            name: topic.clone(),
            connected: true,
            away: None,
            fault: None,
            places: BTreeMap::new(),
            ends: BTreeMap::new(),
            ends_unknown: false,
            read: BTreeSet::new(),
            unacknowledged: BTreeSet::new(),
            missed: 0,
        };
        topic.begin(&partitions, again)?;
        topic.member.subscribe(&[&topic.name]).map_err(|error| text(&error))?;
        Ok(topic)
    }

    /// Assigns the partitions, each from the offset where reading continues.
    fn begin(&mut self, partitions: &[i32], again: bool) -> Result<(), String> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.name, *partition);
        }
        let committed = self.reader.committed_offsets(list, ANSWER_WITHIN);
        let committed = committed.map_err(|error| text(&error))?;
        let mut from = TopicPartitionList::new();
        let mut missing = 0;
        for of in committed.elements() {
            let partition = of.partition();
            let found = self.reader.fetch_watermarks(&self.name, partition, ANSWER_WITHIN);
            let (first, end) = found.map_err(|error| text(&error))?;
            let place = match of.offset() {
                Offset::Offset(at) if !again && (first..=end).contains(&at) => at,
                Offset::Offset(at) if !again && at < first => {
                    missing = first.saturating_sub(at).saturating_add(missing);
                    first
                }
                // Nothing was read yet, or the topic was created again.
                _ => first,
            };
            let added = from.add_partition_offset(&self.name, partition, Offset::Offset(place));
            added.map_err(|error| text(&error))?;
            self.places.insert(partition, place);
            self.reaches(partition, end);
        }
        self.missed = u64::try_from(missing).unwrap_or(0);
        self.reader.assign(&from).map_err(|error| text(&error))
    }

    /// Checks connection and topic. Returns whether this hub is the active one.
    pub fn renew(&mut self) -> bool {
        let within = if self.connected { ANSWER_WITHIN } else { LOOK_WITHIN };
        match partitions(&self.reader, &self.name, within) {
            Ok(found) if found.iter().eq(self.places.keys()) => self.found(),
            Ok(_) => self.fault = Some(format!("{}: its partitions have changed", self.name)),
            Err(Unknown::Refused(fault)) => self.fault = Some(fault),
            Err(Unknown::Away(fault)) => self.lost(&fault),
        }
        self.attend();
        let first = self.places.keys().next();
        let given = self
            .member
            .assignment()
            .is_ok_and(|given| given.elements().iter().any(|of| Some(&of.partition()) == first));
        self.connected && given && !self.member.assignment_lost()
    }

    /// Handles the events of the group of all hubs.
    fn attend(&self) {
        for _ in 0..MAX_EVENTS {
            if self.member.poll(Duration::ZERO).is_none() {
                return;
            }
        }
    }

    fn found(&mut self) {
        if self.ends_unknown {
            self.ends_unknown = !self.look();
        }
        (self.connected, self.away) = (true, None);
        self.reports.clear();
    }

    /// Requests the ends of the partitions, and returns whether all were answered. The library's own reports may be
    /// from before the broker was away.
    fn look(&mut self) -> bool {
        let partitions: Vec<i32> = self.places.keys().copied().collect();
        for partition in partitions {
            match self.reader.fetch_watermarks(&self.name, partition, LOOK_WITHIN) {
                Ok((_, end)) => self.reaches(partition, end),
                Err(_) => return false,
            }
        }
        true
    }

    /// Notes the end of a partition, and whether it was read to there.
    fn reaches(&mut self, partition: i32, end: i64) {
        self.ends.insert(partition, end);
        if self.places.get(&partition).is_some_and(|place| *place >= end) {
            self.read.insert(partition);
        }
    }

    fn lost(&mut self, fault: &str) {
        (self.connected, self.ends_unknown) = (false, true);
        self.read.clear();
        self.ends.clear();
        // Later attempts may fail in other ways; the first reason stays.
        if self.away.is_none() {
            let fault = self.reports.fault().unwrap_or_else(|| fault.to_owned());
            self.away = Some(format!("{}: {fault}", self.brokers));
        }
    }

    /// Applies a batch of messages to the state. They are not acknowledged yet.
    ///
    /// # Errors
    /// The broker's error; the messages before it were applied.
    pub fn take(&mut self, state: &mut State) -> Result<usize, String> {
        if let Some(fault) = self.fault.take() {
            return Err(format!("{}: {fault}", self.brokers));
        }
        self.attend();
        let (begun, mut taken, mut bytes, mut away) = (stopwatch(), 0, 0, false);
        while taken < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            let wait = BATCH_WAITS.saturating_sub(begun.elapsed());
            match self.reader.poll(wait) {
                Some(Ok(message)) => {
                    bytes += message.payload_len();
                    state.take(event(message.payload()), stored(&message, &self.read));
                    let (partition, place) =
                        (message.partition(), message.offset().saturating_add(1));
                    self.places.insert(partition, place);
                    self.unacknowledged.insert(partition);
                    if self.ends.get(&partition).is_some_and(|end| place >= *end) {
                        self.read.insert(partition);
                    }
                    taken += 1;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.read.insert(partition);
                }
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AllBrokersDown) => {
                        away = true;
                        break;
                    }
                    Some(code) if ends_reading(code) => {
                        self.fault = Some(explain_kafka(code));
                        break;
                    }
                    // One of several brokers, or an error after which the library tries again.
                    _ => {}
                },
                None => {}
            }
            if wait.is_zero() {
                break;
            }
        }
        if away {
            self.lost("the broker is away");
        }
        Ok(taken)
    }

    /// Commits the offsets of all applied messages, which are on disk. If this is lost, they come again and change
    /// nothing.
    pub fn acknowledge(&mut self) {
        let mut offsets = TopicPartitionList::new();
        for partition in std::mem::take(&mut self.unacknowledged) {
            let Some(place) = self.places.get(&partition) else { continue };
            let _ = offsets.add_partition_offset(&self.name, partition, Offset::Offset(*place));
        }
        if offsets.count() > 0 {
            let _ = self.reader.commit(&offsets, CommitMode::Async);
        }
    }

    /// Messages that were deleted from the topic before they were read, since the last call.
    pub fn missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Known number of messages that were not read yet.
    pub fn pending(&mut self) -> u64 {
        for (partition, end) in self.reports.ends() {
            self.ends.insert(partition, end);
        }
        let behind = self.places.iter().map(|(partition, place)| {
            let left = self.ends.get(partition).map_or(0, |end| end.saturating_sub(*place));
            u64::try_from(left).unwrap_or(0)
        });
        behind.fold(0, u64::saturating_add)
    }

    /// Whether the broker is connected.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// The message while it is not.
    pub fn away(&self) -> String {
        self.away.clone().unwrap_or_default()
    }

    /// Leaves both groups. Does not wait long for a broker that is away.
    pub fn close(self) {
        let (done, closed) = crossbeam_channel::bounded(1);
        let leaves = move || {
            drop(self);
            let _ = done.send(());
        };
        let leaving = std::thread::Builder::new().name("kafka-leaves".to_owned()).spawn(leaves);
        if leaving.is_ok() {
            let _ = closed.recv_timeout(ANSWER_WITHIN);
        }
    }
}

/// The payload of a message; empty if it is too long, so that it counts as garbage.
fn event(payload: Option<&[u8]>) -> &[u8] {
    payload.filter(|payload| payload.len() <= MAX_MESSAGE).unwrap_or_default()
}

/// When the topic stored a message: by the broker's clock if the topic is set to it
/// (`message.timestamp.type=LogAppendTime`). Otherwise the message has the time of the sensor's clock, which cannot
/// check itself: it is used only for messages that have waited, and our own clock for those read as they are sent.
fn stored(message: &BorrowedMessage<'_>, read: &BTreeSet<i32>) -> Timestamp {
    let now = wall_clock();
    let at = |millis: i64| Timestamp(millis.saturating_mul(1_000_000));
    match message.timestamp() {
        Stamp::LogAppendTime(millis) => at(millis),
        Stamp::CreateTime(millis) if !read.contains(&message.partition()) => at(millis).min(now),
        _ => now,
    }
}

/// Whether no message comes after this error.
const fn ends_reading(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::OffsetOutOfRange
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::Fatal
    )
}

fn text(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), explain_kafka)
}

fn missing(topic: &str) -> String {
    format!(
        "there is no topic {topic}; create it, or start a sensor if the broker creates topics automatically"
    )
}

/// Why the partitions of a topic are not known.
enum Unknown {
    /// The broker has no such topic, or does not allow this hub to read it.
    Refused(String),
    /// The broker does not answer, or has no answer yet.
    Away(String),
}

impl Unknown {
    fn of(code: RDKafkaErrorCode, topic: &str) -> Self {
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                Self::Refused(missing(topic))
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed => Self::Refused(explain_kafka(code)),
            code => Self::Away(explain_kafka(code)),
        }
    }
}

/// The partitions of a topic, in order.
fn partitions(reader: &Reader, topic: &str, within: Duration) -> Result<Vec<i32>, Unknown> {
    let found = reader.fetch_metadata(Some(topic), within).map_err(|error| {
        let code = error.rdkafka_error_code();
        code.map_or_else(|| Unknown::Away(error.to_string()), |code| Unknown::of(code, topic))
    })?;
    let of = found.topics().iter().find(|of| of.name() == topic);
    let Some(of) = of else { return Err(Unknown::Refused(missing(topic))) };
    if let Some(code) = of.error().map(RDKafkaErrorCode::from) {
        return Err(Unknown::of(code, topic));
    }
    let mut all: Vec<i32> = of.partitions().iter().map(|of| of.id()).collect();
    all.sort_unstable();
    match all.len() {
        0 => Err(Unknown::Refused(missing(topic))),
        1..=MAX_PARTITIONS => Ok(all),
        more => Err(Unknown::Refused(format!(
            "{topic} has {more} partitions, more than {MAX_PARTITIONS}"
        ))),
    }
}

#[cfg(test)]
mod tests;
