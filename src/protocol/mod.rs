//! The protocols of streams. They are recognised by content in both directions, never by port alone.
//!
//! A protocol is a folder plus one line in [`PROTOCOLS`]. It gets in-order bytes (`data`), gaps (`gap`) and
//! the end (`close`) of each direction, parses the framing, and hands its payloads to a [`ContentSink`]. It
//! does not interpret them.

mod activity;
pub mod bomb;
mod content_writer;
pub mod datagrams;
mod dotted;
pub mod driver;
pub mod encrypted;
pub mod expected;
mod files;
pub mod fluent;
mod forwarding;
mod line;
#[cfg(test)]
pub mod recorder;
pub mod service;

pub mod amqp;
pub mod amqp1;
pub mod astm;
pub mod cassandra;
pub mod dhcp;
pub mod dicom;
pub mod dns;
mod framed_message;
pub mod ftp;
pub mod gelf;
pub mod http;
pub mod http2;
pub mod imap;
pub mod intellivue;
mod jetdirect;
mod json;
pub mod kafka;
pub mod ldap;
pub mod lpd;
pub mod memcached;
pub mod mllp;
pub mod mongodb;
pub mod mqtt;
pub mod mysql;
pub mod nats;
pub mod ncpdp;
pub mod nfs;
pub mod oracle;
pub mod poct1a;
pub mod pop3;
pub mod postgresql;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod rlogin;
pub mod rsync;
mod sized_body;
pub mod smb;
pub mod smtp;
pub mod snpp;
pub mod sql;
pub mod stomp;
mod stored_key;
pub mod syslog;
pub mod tds;
pub mod telnet;
pub mod tftp;
pub mod tls;
mod tls_upgrade;
mod unframed;
pub mod unknown;
mod unpack;
pub mod vista;
pub mod websocket;
pub mod x12;
pub mod xmpp;

pub use crate::flow::{Direction, End};
pub use activity::{Activity, FlowLosses, Move, Object, OutcomeCounts};
pub use dicom::{Association, DicomFacts, Outcome};
pub use driver::{Driver, DriverEvent, DriverLimits};
pub use ftp::FileFacts;
pub use http::WebFacts;
pub use mllp::MessageFacts;
pub use service::{Authentication, Interface, Role, Roles, ServiceFacts, TextKind};
pub use tls::TlsFacts;

use crate::closed_set::closed_set;
use crate::flow::Side;
use crate::time::Timestamp;
use std::net::IpAddr;

/// Every protocol phitap reads, in the order in which they are probed.
pub static PROTOCOLS: &[&dyn Protocol] = &[
    &proxy::Proxy,
    &dicom::Dicom,
    &mllp::Mllp,
    &astm::Astm,
    &x12::X12,
    &poct1a::Poct1a,
    &ncpdp::Ncpdp,
    &http2::Http2,
    &http::Http,
    &smb::Smb,
    &snpp::Snpp,
    &nfs::Nfs,
    &rsync::Rsync,
    &cassandra::Cassandra,
    &smtp::Smtp,
    &ftp::Ftp,
    &pop3::Pop3,
    &imap::Imap,
    &xmpp::Xmpp,
    &redis::Redis,
    &memcached::Memcached,
    &syslog::Syslog,
    &gelf::Gelf,
    &fluent::Fluent,
    &tftp::Tftp,
    &dns::Dns,
    &dhcp::Dhcp,
    &intellivue::IntelliVue,
    &ldap::Ldap,
    &mongodb::Mongodb,
    &kafka::Kafka,
    &mqtt::Mqtt,
    &amqp::Amqp,
    &amqp1::Amqp1,
    &nats::Nats,
    &stomp::Stomp,
    &mysql::Mysql,
    &tds::Tds,
    &oracle::Oracle,
    &postgresql::Postgresql,
    &websocket::MidstreamWebSocket,
    &vista::Vista,
    &telnet::Telnet,
    &rlogin::Rlogin,
    &lpd::Lpd,
    &jetdirect::JetDirect,
    &raw::Raw,
];

/// The roles of the ends of a flow that speaks the protocol called `name`.
pub fn roles(name: &str, facts: &ServiceFacts, content: &str) -> Roles {
    let protocol = PROTOCOLS.iter().find(|protocol| protocol.name() == name);
    protocol.map_or(Roles::server(Role::Server), |protocol| protocol.roles(facts, content))
}

/// Whether flows of the protocol called `name` announce others at ports of their own.
pub fn announces_flows(name: &str) -> bool {
    PROTOCOLS.iter().any(|protocol| protocol.name() == name && protocol.announces_flows())
}

/// Whether the answering end in the protocol called `name` is a service of its host.
pub fn is_service(name: &str) -> bool {
    PROTOCOLS.iter().find(|protocol| protocol.name() == name).is_none_or(|p| p.is_service())
}

/// A protocol: how to recognise it and how to start reading it.
pub trait Protocol: Sync {
    /// As in `network.protocol` and metric labels: `dicom`, `hl7`, `http`.
    fn name(&self) -> &'static str;

    /// Whether `data`, the first readable bytes of one direction, speak this protocol.
    fn probe(&self, data: &[u8], at: Position) -> Probe;

    /// Whether it is probed only at the start of a flow that was seen from its beginning: its pattern also occurs
    /// inside other protocols.
    fn needs_begin(&self) -> bool {
        false
    }

    /// Whether it is probed only in flows whose beginning was not seen: its beginning is that of another protocol.
    fn needs_middle(&self) -> bool {
        false
    }

    /// Whether `data`, a complete UDP datagram, speaks this protocol. If so, it is written to `frame` as it would
    /// come in a stream, so that the same parser reads both.
    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let _ = (data, frame);
        false
    }

    /// Whether it keeps state across the datagrams of a flow: once the flow is recognised, its parser gets each
    /// datagram in a frame by [`datagrams::frame_datagram`], and [`Protocol::datagram`] is no longer called.
    fn owns_datagrams(&self) -> bool {
        false
    }

    /// The roles of the ends of a flow with these `facts`, whose innermost content is
    /// `content` (`fhir`; empty if there was none).
    fn roles(&self, facts: &ServiceFacts, content: &str) -> Roles {
        let _ = (facts, content);
        Roles::server(Role::Server)
    }

    /// Whether its flows announce others between the same hosts at ports of their own ([`expected`]).
    fn announces_flows(&self) -> bool {
        false
    }

    /// Whether the answering end is a service of its host. An answer to a broadcast for a name or an address is not.
    fn is_service(&self) -> bool {
        true
    }

    /// A parser for one flow.
    fn open(&self) -> Box<dyn Parser>;
}

/// Position of the first available bytes of a direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// They are its first bytes.
    Start,
    /// The capture began, or lost something, before them.
    Midstream,
}

/// Result of probing the first bytes of a direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    /// It is this protocol.
    Yes {
        /// The side that sends such bytes, if they show it.
        speaker: Speaker,
        /// Bytes to skip before the first one that the parser understands (mid-stream only).
        offset: usize,
    },
    /// It cannot be this protocol.
    No,
    /// Not enough bytes to decide.
    More,
}

impl Probe {
    /// `Yes`, from the first byte.
    pub const fn yes(speaker: Speaker) -> Self {
        Self::Yes { speaker, offset: 0 }
    }
}

impl From<crate::syntax::Match> for Probe {
    fn from(found: crate::syntax::Match) -> Self {
        match found {
            crate::syntax::Match::Yes(()) => Self::yes(Speaker::Any),
            crate::syntax::Match::No => Self::No,
            crate::syntax::Match::More => Self::More,
        }
    }
}

/// Which end of a conversation sends such bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    /// Only the end that opened the flow.
    Client,
    /// Only the end that answered.
    Server,
    /// Either.
    Any,
}

/// Reads one flow. Owned by that flow; both directions go to the same parser.
pub trait Parser: Send {
    /// Reads `data`, the unread bytes of `direction`, and returns its progress.
    ///
    /// The driver calls again with the rest and what follows. Bytes not consumed are copied and kept, so consume as
    /// much as possible. Never called with less than the last call asked for, except that a gap or the end may come
    /// first.
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError>;

    /// The flow began before the first byte that was seen, perhaps with a login. Called before any data. Parsers of
    /// protocols whose sessions begin with a login note here that it was not seen.
    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        let _ = sink;
    }

    /// `len` bytes of `direction` are missing at this point (outside any skip), and bytes not consumed before the gap
    /// are dropped. The parser either searches the following bytes for its next boundary ([`Resync::Search`], by
    /// [`Parser::resync`]) or knows its position ([`Resync::Known`]).
    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync;

    /// Searches `data` for the next boundary after a gap. Returns the offset of its first byte.
    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize>;

    /// The direction has ended. `rest` are the bytes that were never consumed.
    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink);

    /// Bytes of heap this parser holds, roughly.
    fn memory(&self) -> usize;
}

/// How far a parser came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Bytes read from the front of `data`.
    pub consumed: usize,
    /// How many bytes, counted from the first not consumed, must be available before the next call makes sense. 0:
    /// any.
    pub need: usize,
    /// How many bytes after the consumed ones to skip. They are neither buffered nor touched, and a gap inside them
    /// costs nothing. [`Progress::REST`]: the rest of the direction.
    pub skip: u64,
    /// The rest of the flow speaks another protocol (CONNECT, STARTTLS): probe again.
    pub switch: bool,
}

impl Progress {
    /// As `skip`: the rest of the direction.
    pub const REST: u64 = u64::MAX;

    /// `consumed` bytes read; any number of further bytes is welcome.
    pub const fn consumed(consumed: usize) -> Self {
        Self { consumed, need: 0, skip: 0, switch: false }
    }
    /// `consumed` bytes read; the next step needs `need` more.
    pub const fn need(consumed: usize, need: usize) -> Self {
        Self { consumed, need, skip: 0, switch: false }
    }
    /// `consumed` bytes read; skip the next `skip`.
    pub const fn skip(consumed: usize, skip: u64) -> Self {
        Self { consumed, need: 0, skip, switch: false }
    }
    /// `consumed` bytes read; what follows is another protocol.
    pub const fn switch(consumed: usize) -> Self {
        Self { consumed, need: 0, skip: 0, switch: true }
    }

    /// Whether the parser can continue with the bytes it has.
    pub const fn continues(&self) -> bool {
        self.need == 0 && self.skip == 0 && !self.switch
    }
    /// The same for a step that began `before` bytes into the data.
    pub const fn after(self, before: usize) -> Self {
        Self { consumed: before + self.consumed, ..self }
    }
}

/// How a parser continues after a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resync {
    /// It must find a boundary first.
    Search,
    /// It knows its position: the gap lay inside a part of known length.
    Known {
        /// Further bytes to skip after the gap.
        skip: u64,
    },
    /// It cannot continue in this direction.
    Lost,
}

/// Why a direction became opaque. A kind and an offset, never payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} at byte {offset} of the unread data")]
pub struct ParseError {
    /// A member of a closed set: it is a metric label.
    pub reason: Reason,
    /// Offset into the `data` of the failing call.
    pub offset: usize,
}

impl ParseError {
    /// An error of kind `reason` at `offset`.
    pub const fn new(reason: Reason, offset: usize) -> Self {
        Self { reason, offset }
    }
}

closed_set! {
    /// The closed set of reasons for which a stream is opaque (`phitap_streams_abandoned_total`).
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[non_exhaustive]
    pub enum Reason {
        /// Encrypted: TLS, SSH, DTLS, QUIC, encrypted SMB...
        Encrypted = "encrypted",
        /// No protocol recognised it.
        Unrecognised = "unrecognised",
        /// The bytes break the protocol's own rules.
        Malformed = "malformed",
        /// A length, depth or count beyond the parser's named limit.
        Limit = "limit",
        /// A gap after which no boundary was found.
        Gap = "gap",
        /// A version or feature that is not supported.
        Unsupported = "unsupported",
        /// A parser panicked: a defect, confined to the flow.
        Panic = "panic",
        /// Given up for the memory ceiling.
        Memory = "memory",
        /// Reading on would cost more work than the bytes on the wire allow.
        Budget = "budget",
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Receives the payloads that a parser finds. The pipeline implements it with [`crate::content`], tests with a
/// recorder.
pub trait ContentSink {
    /// Opens a payload. Its bytes follow through [`ContentSink::data`] until [`ContentSink::close`].
    fn open(&mut self, hint: &Hint<'_>) -> ContentId;

    /// The next bytes of a payload, without the protocol's framing.
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want;

    /// `len` bytes of a payload were lost.
    fn gap(&mut self, id: ContentId, len: u64) -> Want;

    /// The payload has ended.
    fn close(&mut self, id: ContentId, ending: Ending);

    /// The facts about the service; a protocol adds to them as it learns.
    fn facts(&mut self) -> &mut ServiceFacts;

    /// The activity of the flow: counters that grow as the flow goes on.
    fn activity(&mut self) -> &mut Activity;

    /// A name of a host, from DNS, DHCP or NetBIOS.
    fn host_name(&mut self, _host: IpAddr, _name: &str) {}

    /// An object was named; distinct ones are counted. Its `uid` is not kept.
    fn object(&mut self, object: Object, uid: &str);

    /// A protocol-level unit was read (message, object, response): counted per protocol and kind.
    /// `kind` comes from a closed set, it becomes a metric label (`dimse`, `message`, `request`).
    fn unit(&mut self, kind: &'static str);

    /// Takes `work` from the budget that the flow's bytes on the wire fill, for parts that a protocol unpacks itself.
    /// False if the budget does not suffice: the protocol must stop unpacking.
    fn spend(&mut self, work: u64) -> bool;

    /// The same for what a few bytes have the protocol read once more: the statement that was prepared, the columns of its
    /// result. Records that come of it were on the wire as they are.
    fn reread(&mut self, work: u64) -> bool {
        self.spend(work)
    }

    /// An irregularity that did not stop the parser (a bad length, an unknown context): counted.
    fn anomaly(&mut self, reason: Reason);

    /// Announces another flow between the same hosts.
    fn expect(&mut self, flow: expected::ExpectedFlow);

    /// The parser is about to read `bytes`, which end with the latest bytes of `side`; the first of them may have
    /// come in earlier packets.
    fn reading(&mut self, _side: Side, _bytes: &[u8]) {}

    /// Packet time of the bytes being read.
    fn now(&self) -> Timestamp;

    /// Levels of protocols that this connection is nested in.
    fn depth(&self) -> usize {
        0
    }
}

/// Identifies an open payload of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContentId(pub u32);

/// How a payload ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Its end was seen: nothing is missing behind the bytes passed on.
    Complete,
    /// It was cut off: its end was lost, given up or never came.
    Cut,
}

impl From<End> for Ending {
    /// `Complete` for FIN: a payload that lasts as long as its direction is then complete.
    fn from(end: End) -> Self {
        Self::complete_if(end == End::Fin)
    }
}

impl Ending {
    /// `Complete` if `seen`.
    pub const fn complete_if(seen: bool) -> Self {
        if seen { Self::Complete } else { Self::Cut }
    }
    /// The same ending, but `Cut` unless `seen`.
    #[must_use]
    pub const fn and(self, seen: bool) -> Self {
        if seen { self } else { Self::Cut }
    }
}

/// Which of the following bytes the reader of a payload wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// The next `skip` bytes of this payload are not delivered, but the bytes behind them are ([`Want::NOTHING`]:
    /// nothing more). The protocol still closes the payload at its end.
    pub skip: u64,
}

impl Want {
    /// Everything.
    pub const ALL: Self = Self { skip: 0 };
    /// Nothing more of this payload.
    pub const NOTHING: Self = Self { skip: u64::MAX };

    /// The wanted part of the next `bytes`, given that `skip` bytes are not wanted; reduces `skip` by the bytes
    /// passed over.
    pub fn behind<'a>(skip: &mut u64, bytes: &'a [u8]) -> &'a [u8] {
        let hidden = usize::try_from(*skip).unwrap_or(usize::MAX).min(bytes.len());
        if *skip != Self::NOTHING.skip {
            *skip -= hidden as u64;
        }
        bytes.get(hidden..).unwrap_or_default()
    }
}

/// What a protocol knows of a payload that it opens.
#[derive(Clone, Debug)]
pub struct Hint<'a> {
    /// Its direction.
    pub direction: Direction,
    /// Its type, as far as the protocol declares it.
    pub media: Media<'a>,
    /// `phi.operation`: `C-FIND`, `ADT^A01`, `GET`... Empty: the content names it (HL7 does).
    pub operation: &'a str,
    /// Content codings in the order they were applied (`gzip`, `br`); decoded from the last.
    pub codings: &'a [&'a str],
    /// The protocol's own layer name for `phi.carrier`: `http`, `mllp`. Empty where the content's own name suffices
    /// (a DICOM data set); several outside in: `http/websocket`.
    pub layer: &'static str,
}

/// The media type of a payload, as the protocol declares it. Formats still check the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Media<'a> {
    /// A DICOM data set without file meta information.
    DicomDataSet {
        /// Transfer syntax UID; empty where the negotiation was not seen.
        transfer_syntax: &'a str,
        /// The keys of a query (the identifier of a C-FIND, C-MOVE or C-GET request), not a record of a person.
        query: bool,
    },
    /// HL7 v2 in ER7 (pipes), one or more messages.
    Hl7v2,
    /// A media type as in RFC 9110 `Content-Type`, with its parameters; may be empty.
    Type {
        /// The header's value, e.g. `application/fhir+json; charset=utf-8`.
        content_type: &'a str,
        /// A file name from `Content-Disposition`, or the requested path without the query; may be empty.
        name: &'a str,
    },
    /// The target of an HTTP request: path and query.
    Target,
    /// Nothing is known.
    Unknown,
}
