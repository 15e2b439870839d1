//! A [`ContentSink`] for tests that records payloads, and a function that feeds a parser through the real driver in
//! pieces of any size.

use super::driver::{Driver, DriverEvent, DriverLimits};
use super::expected::ExpectedFlow;
use super::{
    Activity, ContentId, ContentSink, Direction, End, Ending, Hint, Media, Object, Reason,
    ServiceFacts, Want,
};
use crate::flow::{Orientation, Side};
use crate::time::Timestamp;

/// A payload as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its direction.
    pub direction: Direction,
    /// Its media, as `Debug` shows it.
    pub media: String,
    /// Its name or path.
    pub name: String,
    /// Operation of the hint.
    pub operation: String,
    /// Codings of the hint.
    pub codings: Vec<String>,
    /// Layer of the hint.
    pub layer: &'static str,
    /// The bytes delivered.
    pub bytes: Vec<u8>,
    /// Bytes lost.
    pub gaps: u64,
    /// How it ended; `None` while it is open.
    pub ending: Option<Ending>,
}

/// [`Recorded::ending`] of a payload whose end was seen.
pub const COMPLETE: Option<Ending> = Some(Ending::Complete);
/// [`Recorded::ending`] of a payload that was cut off.
pub const CUT: Option<Ending> = Some(Ending::Cut);

/// Records everything.
#[derive(Default)]
pub struct Recorder {
    /// In the order of opening.
    pub contents: Vec<Recorded>,
    /// Facts of the service.
    pub facts: ServiceFacts,
    /// Activity of the flow.
    pub activity: Activity,
    /// Objects named.
    pub objects: Vec<(Object, String)>,
    /// Names of hosts.
    pub hosts: Vec<(std::net::IpAddr, String)>,
    /// Units read.
    pub units: Vec<&'static str>,
    /// Irregularities.
    pub anomalies: Vec<Reason>,
    /// Announced flows.
    pub expected: Vec<ExpectedFlow>,
    /// Remaining budget for work; unlimited if `None`.
    pub work: Option<u64>,
    /// How many bytes to skip, given the bytes received of the payload so far.
    pub want: Option<fn(&Recorded) -> Want>,
}

impl ContentSink for Recorder {
    fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        let media = match hint.media {
            Media::DicomDataSet { transfer_syntax, query: false } => {
                format!("dicom {transfer_syntax}")
            }
            Media::DicomDataSet { transfer_syntax, query: true } => {
                format!("dicom {transfer_syntax} query")
            }
            Media::Hl7v2 => "hl7v2".to_owned(),
            Media::Type { content_type, .. } => content_type.to_owned(),
            Media::Target => "target".to_owned(),
            Media::Unknown => String::new(),
        };
        let name = match hint.media {
            Media::Type { name, .. } => name.to_owned(),
            _ => String::new(),
        };
        self.contents.push(Recorded {
            direction: hint.direction,
            media,
            name,
            operation: hint.operation.to_owned(),
            codings: hint.codings.iter().map(|&c| c.to_owned()).collect(),
            layer: hint.layer,
            bytes: Vec::new(),
            gaps: 0,
            ending: None,
        });
        ContentId(self.contents.len() as u32 - 1)
    }
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        let content = &mut self.contents[id.0 as usize];
        assert!(content.ending.is_none(), "data after close");
        content.bytes.extend_from_slice(bytes);
        self.want.map_or(Want::ALL, |f| f(content))
    }
    fn gap(&mut self, id: ContentId, len: u64) -> Want {
        let content = &mut self.contents[id.0 as usize];
        assert!(content.ending.is_none(), "gap after close");
        content.gaps += len;
        Want::ALL
    }
    fn close(&mut self, id: ContentId, ending: Ending) {
        let content = &mut self.contents[id.0 as usize];
        assert!(content.ending.is_none(), "closed twice");
        content.ending = Some(ending);
    }
    fn facts(&mut self) -> &mut ServiceFacts {
        &mut self.facts
    }
    fn activity(&mut self) -> &mut Activity {
        &mut self.activity
    }
    fn host_name(&mut self, host: std::net::IpAddr, name: &str) {
        self.hosts.push((host, name.to_owned()));
    }
    fn object(&mut self, object: Object, uid: &str) {
        self.objects.push((object, uid.to_owned()));
    }
    fn unit(&mut self, kind: &'static str) {
        self.units.push(kind);
    }
    fn spend(&mut self, work: u64) -> bool {
        let Some(left) = &mut self.work else { return true };
        let paid = work <= *left;
        *left = left.saturating_sub(work);
        paid
    }
    fn anomaly(&mut self, reason: Reason) {
        self.anomalies.push(reason);
    }
    fn expect(&mut self, flow: ExpectedFlow) {
        self.expected.push(flow);
    }
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

/// A piece of a conversation.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Bytes from the client.
    Client(&'a [u8]),
    /// Bytes from the server.
    Server(&'a [u8]),
    /// Bytes lost from the client.
    ClientGap(u64),
    /// Bytes lost from the server.
    ServerGap(u64),
}

/// The payloads of a conversation as text, and how each ended; checks that splitting it into pieces does not
/// matter.
pub fn texts(pieces: &[Piece<'_>]) -> Vec<(String, Option<Ending>)> {
    let of = |size| {
        let (sink, _) = play(pieces, size);
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).expect("text");
        sink.contents.iter().map(|c| (text(&c.bytes), c.ending)).collect::<Vec<_>>()
    };
    let whole = of(usize::MAX);
    for size in 1..30 {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

/// A payload: its operation, its bytes, how many were lost, and how it ended.
pub type Seen = (String, Vec<u8>, u64, Option<Ending>);

/// A [`Seen`] for comparison.
pub fn seen(operation: &str, bytes: &[u8], gaps: u64, ending: Option<Ending>) -> Seen {
    (operation.into(), bytes.into(), gaps, ending)
}

/// The payloads of a conversation in which nothing is opaque; checks that splitting it into pieces does not matter.
pub fn contents(pieces: &[Piece<'_>]) -> (Vec<Seen>, Recorder) {
    let of = |size| {
        let (sink, events) = play(pieces, size);
        assert!(!events.iter().any(|n| matches!(n, DriverEvent::Opaque(..))), "{events:?}");
        let payload = |c: &Recorded| (c.operation.clone(), c.bytes.clone(), c.gaps, c.ending);
        (sink.contents.iter().map(payload).collect::<Vec<Seen>>(), sink)
    };
    let (whole, sink) = of(usize::MAX);
    for size in 1..140 {
        assert_eq!(of(size).0, whole, "in pieces of {size}");
    }
    (whole, sink)
}

/// Plays a conversation through the driver, cut into segments of at most `size` bytes, and closes both directions by
/// FIN. Skips are honoured as the flow stage would. Returns the recording and the counters.
pub fn play(pieces: &[Piece<'_>], size: usize) -> (Recorder, Vec<DriverEvent>) {
    play_with(pieces, size, Recorder::default())
}

/// As [`play`], with a prepared recorder.
pub fn play_with(
    pieces: &[Piece<'_>],
    size: usize,
    sink: Recorder,
) -> (Recorder, Vec<DriverEvent>) {
    play_as(Orientation { client: Side::Low, sure: true }, pieces, size, sink)
}

/// As [`play`], of a flow whose beginning was not seen; who the client is was guessed wrong.
pub fn play_joined(pieces: &[Piece<'_>], size: usize) -> (Recorder, Vec<DriverEvent>) {
    let guess = Orientation { client: Side::High, sure: false };
    play_as(guess, pieces, size, Recorder::default())
}

fn play_as(
    orientation: Orientation,
    pieces: &[Piece<'_>],
    size: usize,
    mut sink: Recorder,
) -> (Recorder, Vec<DriverEvent>) {
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    let mut driver = Driver::new(limits, orientation);
    let mut skip = [0u64; 2];
    for piece in pieces {
        let (side, bytes, gap) = match *piece {
            Piece::Client(b) => (Side::Low, b, 0),
            Piece::Server(b) => (Side::High, b, 0),
            Piece::ClientGap(n) => (Side::Low, &[][..], n),
            Piece::ServerGap(n) => (Side::High, &[][..], n),
        };
        let skip = &mut skip[side.index()];
        if gap > 0 {
            let hidden = gap.min(*skip);
            *skip -= hidden;
            if gap > hidden {
                *skip = driver.gap(side, gap - hidden, &mut sink);
            }
        }
        for chunk in bytes.chunks(size.max(1)) {
            let hidden = (chunk.len() as u64).min(*skip) as usize;
            if *skip != u64::MAX {
                *skip -= hidden as u64;
            }
            if hidden < chunk.len() {
                *skip = driver.data(side, &chunk[hidden..], &mut sink);
            }
        }
    }
    driver.close(Side::Low, End::Fin, &mut sink);
    driver.close(Side::High, End::Fin, &mut sink);
    driver.finish(End::Fin, &mut sink);
    let events = driver.events().collect();
    (sink, events)
}
