//! The parts of a message that the hub needs. Anyone who may publish may have written it: a missing or wrong part
//! makes it garbage, never a panic.

use crate::merge::{Pair, Part, ProtocolName};
use crate::output::text::is_unsafe;
use crate::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `observer.product` of events.
const PRODUCT: &str = "phitap";
/// Longest name of a sensor, a key, an id, bytes.
const MAX_NAME: usize = 64;
/// Most problems kept of a sensor.
const MAX_PROBLEMS: usize = 16;

/// The content of a message.
pub(super) enum Message {
    /// An exposure as one sensor sees it.
    Exposure(Exposure),
    /// A service or a host.
    Listed { kind: Listing, id: String },
    /// A part of a summary.
    Summary { key_id: String, part: Part },
    /// A part of a summary in a version that this phitap does not know.
    OtherVersion,
    /// Status of a sensor.
    Status(Box<Status>),
    /// Not needed here: findings, the end of a run.
    Other,
}

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Listing {
    Service,
    Asset,
}

impl Listing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Asset => "asset",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Service, Self::Asset].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An exposure.
pub(super) struct Exposure {
    pub id: String,
    pub pair: Pair,
    pub order: Order,
    pub severity: u8,
    pub patients: u64,
}

/// Order of the events of one exposure: the greatest is the latest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Order {
    pub time: i64,
    pub records: u64,
    pub state: u8,
}

/// Status of a sensor.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub ready: bool,
    pub problems: Vec<String>,
    pub uptime: u64,
    pub rules: String,
    /// Packets lost so far.
    pub lost: u64,
    pub packets: u64,
    /// Id of the reporting process: each start has another.
    pub instance: String,
}

/// A message and its sender.
pub(super) struct Received {
    pub sensor: String,
    /// The key of its pseudonyms; empty if not given.
    pub key_id: String,
    pub version: String,
    pub time: Timestamp,
    pub message: Message,
}

/// Why a message is skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// It is no JSON, or an event of phitap without what such an event has.
    Garbage,
    /// JSON of another program.
    Foreign,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "@timestamp", borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    event: Meta<'a>,
    #[serde(default, borrow)]
    observer: Observer<'a>,
    #[serde(default)]
    client: Option<End>,
    #[serde(default)]
    server: Option<End>,
    #[serde(default, borrow)]
    network: Network<'a>,
    #[serde(default, borrow)]
    phi: Phi<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(default, borrow)]
    id: Cow<'a, str>,
    #[serde(default)]
    severity: u8,
}

#[derive(Deserialize, Default)]
struct Observer<'a> {
    #[serde(default, borrow)]
    product: Cow<'a, str>,
    #[serde(default, borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    version: Cow<'a, str>,
}

#[derive(Deserialize, Clone, Copy)]
struct End {
    ip: IpAddr,
    #[serde(default)]
    port: Option<u16>,
}

#[derive(Deserialize, Default)]
struct Network<'a> {
    #[serde(default, borrow)]
    transport: Cow<'a, str>,
    #[serde(default, borrow)]
    protocol: Cow<'a, str>,
}

/// Large parts stay unparsed.
#[derive(Deserialize, Default)]
struct Phi<'a> {
    #[serde(default, borrow)]
    key_id: Cow<'a, str>,
    #[serde(default, borrow)]
    exposure: Option<Numbers<'a>>,
    #[serde(default, borrow)]
    summary: Option<&'a RawValue>,
    #[serde(default, borrow)]
    sensor: Option<&'a RawValue>,
    #[serde(default, borrow)]
    run: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Numbers<'a> {
    #[serde(default, borrow)]
    state: Cow<'a, str>,
    #[serde(default)]
    patients: u64,
    #[serde(default)]
    records: u64,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize)]
struct Sensor {
    ready: bool,
    #[serde(default)]
    problems: Vec<Problem>,
    #[serde(default)]
    uptime_seconds: u64,
    #[serde(default)]
    rules: String,
    #[serde(default)]
    instance: String,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    check: String,
}

#[derive(Deserialize)]
struct Run {
    packets: Packets,
}

#[derive(Deserialize)]
struct Packets {
    #[serde(default)]
    read: u64,
    #[serde(default)]
    dropped: BTreeMap<String, u64>,
    #[serde(default)]
    lost: BTreeMap<String, u64>,
}

/// RFC 3339.
fn time(text: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos()).ok().map(Timestamp)
}

/// A name that may be shown.
pub(super) fn name(text: &str) -> Option<String> {
    let good = text.len() <= MAX_NAME && !text.chars().any(|c| c.is_control() || is_unsafe(c));
    good.then(|| text.to_owned())
}

/// Reads a message.
pub(super) fn read(text: &[u8]) -> Result<Received, Refused> {
    match serde_json::from_slice::<Envelope<'_>>(text) {
        Ok(envelope) if envelope.observer.product == PRODUCT => {
            received(&envelope).ok_or(Refused::Garbage)
        }
        Ok(_) => Err(Refused::Foreign),
        Err(_) if is_foreign(text) => Err(Refused::Foreign),
        Err(_) => Err(Refused::Garbage),
    }
}

/// Whether it is JSON that does not say that phitap wrote it.
fn is_foreign(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Origin<'a> {
        #[serde(borrow, default)]
        observer: Option<&'a RawValue>,
    }
    let Ok(origin) = serde_json::from_slice::<Origin<'_>>(text) else {
        return serde_json::from_slice::<IgnoredAny>(text).is_ok();
    };
    let ours = |of: &RawValue| {
        serde_json::from_str::<Observer<'_>>(of.get()).is_ok_and(|of| of.product == PRODUCT)
    };
    !origin.observer.is_some_and(ours)
}

fn received(envelope: &Envelope<'_>) -> Option<Received> {
    let id = || name(&envelope.event.id).filter(|id| !id.is_empty());
    let time = time(&envelope.timestamp)?;
    let message = match &*envelope.event.action {
        "phi-exposure" => Message::Exposure(exposure(envelope, id()?, time)?),
        "service-seen" => Message::Listed { kind: Listing::Service, id: id()? },
        "asset-seen" => Message::Listed { kind: Listing::Asset, id: id()? },
        "phi-summary" => summary(envelope)?,
        "sensor-status" => Message::Status(Box::new(status(envelope)?)),
        _ => Message::Other,
    };
    Some(Received {
        sensor: name(&envelope.observer.name)?,
        key_id: name(&envelope.phi.key_id).unwrap_or_default(),
        version: name(&envelope.observer.version)?,
        time,
        message,
    })
}

fn exposure(envelope: &Envelope<'_>, id: String, time: Timestamp) -> Option<Exposure> {
    let (client, server) = (envelope.client?, envelope.server?);
    let numbers = envelope.phi.exposure.as_ref()?;
    let states = ["open", "update", "returned", "idle", "ended"];
    let state = states.iter().position(|state| *state == numbers.state)?;
    Some(Exposure {
        id,
        pair: Pair {
            client: client.ip,
            server: SocketAddr::new(server.ip, server.port?),
            transport: match &*envelope.network.transport {
                "tcp" => 6,
                "udp" => 17,
                _ => return None,
            },
            protocol: ProtocolName::new(&envelope.network.protocol)?,
        },
        order: Order { time: time.0, records: numbers.records, state: state as u8 },
        severity: envelope.event.severity.min(100),
        patients: numbers.patients,
    })
}

fn summary(envelope: &Envelope<'_>) -> Option<Message> {
    let text = envelope.phi.summary?.get();
    let Version { version } = serde_json::from_str(text).ok()?;
    if version != u64::from(crate::merge::VERSION) {
        return Some(Message::OtherVersion);
    }
    let part = serde_json::from_str(text).ok()?;
    Some(Message::Summary { key_id: name(&envelope.phi.key_id)?, part })
}

fn status(envelope: &Envelope<'_>) -> Option<Status> {
    let sensor: Sensor = serde_json::from_str(envelope.phi.sensor?.get()).ok()?;
    let run: Run = serde_json::from_str(envelope.phi.run?.get()).ok()?;
    let packets = run.packets;
    let lost = packets.dropped.values().chain(packets.lost.values());
    Some(Status {
        ready: sensor.ready,
        problems: sensor
            .problems
            .iter()
            .take(MAX_PROBLEMS)
            .filter_map(|problem| name(&problem.check))
            .collect(),
        uptime: sensor.uptime_seconds,
        rules: name(&sensor.rules)?,
        lost: lost.fold(0, |all, n| all.saturating_add(*n)),
        packets: packets.read,
        instance: name(&sensor.instance)?,
    })
}
