//! One protocol alone, with the real driver. In pieces of any size, with bytes lost or not, it must
//! give the same contents, units, objects and facts. After a gap or an error, while the parser
//! searches for its next boundary, it must only not fail, because the bytes to search depend on the
//! pieces.

use super::turns::{self, Turn};
use phitap::flow::{Orientation, Side};
use phitap::protocol::driver::{Driver, DriverLimits};
use phitap::protocol::expected::{AnnouncedFlow, ExpectedFlow};
use phitap::protocol::{
    Activity, ContentId, ContentSink, Direction, End, Ending, Hint, Object, PROTOCOLS, ParseError,
    Parser, Progress, Protocol, Reason, Resync, ServiceFacts, Want,
};
use phitap::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most memory of a parser: twice what the driver lets it leave unread, and its state.
const MAX_MEMORY: usize = 64 << 20;
const LIMITS: DriverLimits = DriverLimits { buffer: 4 << 20, recognise: 64 << 10 };
/// Work that each input byte pays for, and the fixed allowance.
const PAID: u64 = 256;
const RESERVE: u64 = 1 << 20;

/// Every protocol with the name of its target: three of them are called `http`, and two `amqp`.
pub fn all() -> impl Iterator<Item = (&'static dyn Protocol, &'static str)> {
    let mut http = ["websocket", "http1", "http2"].to_vec();
    let mut amqp = ["amqp1", "amqp"].to_vec();
    PROTOCOLS.iter().map(move |&protocol| match protocol.name() {
        "http" => (protocol, http.pop().unwrap_or("http")),
        "amqp" => (protocol, amqp.pop().unwrap_or("amqp")),
        name => (protocol, name),
    })
}

#[derive(Debug, PartialEq)]
struct Payload {
    hint: String,
    /// `None` if the bytes were not wanted; how much of them is seen depends on the pieces.
    bytes: Option<Vec<u8>>,
    /// Places and lengths of gaps.
    gaps: Vec<(usize, u64)>,
    ending: Option<Ending>,
}

/// The output of a parser.
struct Log {
    payloads: Vec<Payload>,
    objects: Vec<String>,
    units: Vec<&'static str>,
    expected: usize,
    facts: ServiceFacts,
    activity: Activity,
    work: u64,
    /// Whether every second payload is refused.
    picky: bool,
    searched: bool,
}

impl ContentSink for Log {
    fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        let unwanted = self.picky && self.payloads.len() % 2 == 1;
        self.payloads.push(Payload {
            hint: format!("{hint:?}"),
            bytes: (!unwanted).then(Vec::new),
            gaps: Vec::new(),
            ending: None,
        });
        ContentId(self.payloads.len() as u32 - 1)
    }
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        let payload = &mut self.payloads[id.0 as usize];
        assert!(payload.ending.is_none(), "data after the end of a payload");
        match &mut payload.bytes {
            Some(all) => {
                all.extend_from_slice(bytes);
                Want::ALL
            }
            None => Want::NOTHING,
        }
    }
    fn gap(&mut self, id: ContentId, len: u64) -> Want {
        let payload = &mut self.payloads[id.0 as usize];
        assert!(payload.ending.is_none(), "a gap after the end of a payload");
        let Some(bytes) = &payload.bytes else { return Want::NOTHING };
        match payload.gaps.last_mut() {
            Some((at, lost)) if *at == bytes.len() => *lost += len,
            _ => payload.gaps.push((bytes.len(), len)),
        }
        Want::ALL
    }
    fn close(&mut self, id: ContentId, ending: Ending) {
        let payload = &mut self.payloads[id.0 as usize];
        assert!(payload.ending.is_none(), "a payload was closed twice");
        payload.ending = Some(ending);
    }
    fn facts(&mut self) -> &mut ServiceFacts {
        &mut self.facts
    }
    fn activity(&mut self) -> &mut Activity {
        &mut self.activity
    }
    fn object(&mut self, object: Object, uid: &str) {
        self.objects.push(format!("{object:?} {uid}"));
    }
    fn unit(&mut self, kind: &'static str) {
        self.units.push(kind);
    }
    fn spend(&mut self, work: u64) -> bool {
        let paid = work <= self.work;
        self.work = self.work.saturating_sub(work);
        paid
    }
    fn anomaly(&mut self, _reason: Reason) {
        self.searched = true;
    }
    fn expect(&mut self, _flow: ExpectedFlow) {
        self.expected += 1;
    }
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

/// Records whether its parser had to search, or the flow switched to another protocol.
struct Watched {
    parser: Box<dyn Parser>,
    searched: Arc<AtomicBool>,
}

impl Parser for Watched {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let result = self.parser.data(direction, data, sink);
        if let Ok(progress) = &result {
            assert!(progress.consumed <= data.len(), "more consumed than there is");
        }
        let stays = matches!(&result, Ok(progress) if !progress.switch);
        self.searched.fetch_or(!stays, Ordering::Relaxed);
        result
    }
    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let resync = self.parser.gap(direction, len, sink);
        self.searched.fetch_or(!matches!(resync, Resync::Known { .. }), Ordering::Relaxed);
        resync
    }
    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        let found = self.parser.resync(direction, data);
        assert!(found.is_none_or(|at| at <= data.len()), "a boundary beyond the bytes");
        found
    }
    fn close(&mut self, direction: Direction, rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        self.parser.close(direction, rest, end, sink);
    }
    fn memory(&self) -> usize {
        self.parser.memory()
    }
}

/// Plays `turns` in pieces of at most `size` bytes.
fn play(protocol: &'static dyn Protocol, turns: &[Turn], size: usize, picky: bool) -> Log {
    let total: usize = turns.iter().map(|turn| turn.bytes.len()).sum();
    let mut log = Log {
        payloads: Vec::new(),
        objects: Vec::new(),
        units: Vec::new(),
        expected: 0,
        facts: ServiceFacts::default(),
        activity: Activity::default(),
        work: PAID * total as u64 + RESERVE,
        picky,
        searched: false,
    };
    let searched = Arc::new(AtomicBool::new(false));
    let parser = Box::new(Watched { parser: protocol.open(), searched: Arc::clone(&searched) });
    let mut driver = Driver::new(LIMITS, Orientation { client: Side::Low, sure: true });
    let service = (Side::High, 21);
    driver.announced(AnnouncedFlow { service, client: Side::Low, protocol, parser });
    let mut skip = [0u64; 2];
    for turn in turns {
        let side = if turn.server { Side::High } else { Side::Low };
        let skip = &mut skip[side.index()];
        if turn.lost > 0 {
            let hidden = turn.lost.min(*skip);
            if *skip != u64::MAX {
                *skip -= hidden;
            }
            if turn.lost > hidden {
                *skip = driver.gap(side, turn.lost - hidden, &mut log);
            }
        }
        for piece in turn.bytes.chunks(size.max(1)) {
            let wanted = Want::behind(skip, piece);
            if !wanted.is_empty() {
                *skip = driver.data(side, wanted, &mut log);
            }
        }
        assert!(driver.memory() < MAX_MEMORY, "{} bytes held", driver.memory());
    }
    driver.finish(End::Fin, &mut log);
    log.searched |= searched.load(Ordering::Relaxed);
    log
}

/// The first byte sets the size of pieces for the second run, and whether payloads are refused.
pub fn run(protocol: &'static dyn Protocol, input: &[u8]) {
    let [how, rest @ ..] = input else { return };
    let turns = turns::parse(rest);
    let picky = how & 0x80 != 0;
    let size = usize::from(how & 0x7f) + 1;
    let whole = play(protocol, &turns, usize::MAX, picky);
    let pieces = play(protocol, &turns, size, picky);
    if whole.searched || pieces.searched {
        return;
    }
    let at = format!("in pieces of {size}");
    assert_eq!(whole.payloads, pieces.payloads, "payloads {at}");
    assert_eq!(whole.units, pieces.units, "units {at}");
    assert_eq!(whole.objects, pieces.objects, "objects {at}");
    assert_eq!(whole.expected, pieces.expected, "announced flows {at}");
    assert_eq!(whole.facts, pieces.facts, "facts {at}");
    assert_eq!(whole.activity, pieces.activity, "activity {at}");
}
