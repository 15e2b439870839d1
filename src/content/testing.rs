//! Reads payloads in memory and writes down the records: for tests and fuzz targets.

use super::{
    ContentCounters, ContentId, Contents, Direction, Document, Ending, Env, Evidence, Field,
    FieldSink, Mark, Media, RecordHead, Scope, ServiceFacts, Want,
};
use crate::protocol::Hint;
use crate::rules::RuleSet;
use std::sync::{Arc, Mutex, OnceLock};

/// The shipped rules, loaded once.
pub fn rules() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| RuleSet::shipped().expect("shipped rules are sound"))
}

/// Writes records down. A field is `NAME kind value`, then `@ISSUER` if it has one and `?` if no standard defines the
/// field.
#[derive(Default)]
pub struct Records {
    open: Vec<(usize, String)>,
    /// One line for each complete record: `http>json name=... birth_date=... [PatientContext]`. A `~` before the
    /// format marks a loose record.
    pub lines: Vec<String>,
    /// In order: `record FORMAT OPERATION`, fields, `mark MARK`, `end`.
    pub log: Vec<String>,
    /// The fields of each record, in the order in which records began.
    pub records: Vec<Vec<String>>,
    /// All marks.
    pub marks: Vec<Mark>,
}

impl Records {
    fn innermost(&mut self) -> &mut (usize, String) {
        self.open.last_mut().expect("fields and marks belong to a record")
    }
}

impl FieldSink for Records {
    fn begin(&mut self, _at: ContentId, head: RecordHead<'_>) {
        let kind = if head.structured { "" } else { "~" };
        let line = format!("{}:{kind}{}", head.carrier.join(">"), head.content);
        self.open.push((self.records.len(), line));
        self.records.push(Vec::new());
        self.log.push(format!("record {} {}", head.content, head.operation));
    }
    fn field(&mut self, _at: ContentId, field: Field<'_>) {
        let (kind, value) = (field.kind.as_str(), field.value.expose());
        let (record, line) = self.innermost();
        line.push_str(&format!(" {kind}={value}"));
        let record = *record;
        let mut text = format!("{} {kind} {value}", field.name);
        if !field.issuer.is_empty() {
            text += &format!(" @{}", field.issuer);
        }
        if field.evidence != Evidence::Declared {
            text += " ?";
        }
        self.log.push(text.clone());
        self.records[record].push(text);
    }
    fn mark(&mut self, _at: ContentId, mark: Mark) {
        self.innermost().1.push_str(&format!(" [{mark:?}]"));
        self.log.push(format!("mark {mark:?}"));
        self.marks.push(mark);
    }
    fn end(&mut self, _at: ContentId, _: &ServiceFacts) {
        let (_, line) = self.open.pop().expect("a record that ends was open");
        self.lines.push(line);
        self.log.push("end".to_owned());
    }
}

/// A piece of a payload.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// This many bytes are missing.
    Gap(u64),
}

/// Result of reading a payload.
pub struct Reading {
    /// Its records.
    pub records: Records,
    /// Facts about the service.
    pub facts: ServiceFacts,
    /// Counters.
    pub counters: ContentCounters,
    /// Highest number of bytes of heap held, approximately.
    pub memory: usize,
}

/// Passes `parts` on in pieces of at most `size` bytes, without skipped ones.
fn feed(parts: &[Part<'_>], size: usize, mut give: impl FnMut(Part<'_>, u64) -> Want) {
    let mut skip = 0;
    for part in parts {
        match *part {
            Part::Bytes(bytes) => {
                for piece in bytes.chunks(size.max(1)) {
                    let wanted = Want::behind(&mut skip, piece);
                    if !wanted.is_empty() {
                        skip = give(Part::Bytes(wanted), piece.len() as u64).skip;
                    }
                }
            }
            Part::Gap(len) => {
                let hidden = len.min(skip);
                if skip != Want::NOTHING.skip {
                    skip -= hidden;
                }
                if len > hidden {
                    skip = give(Part::Gap(len - hidden), 0).skip;
                }
            }
        }
    }
}

/// Reads a payload that a protocol opens with `hint`, in pieces of at most `size` bytes.
pub fn read_payload(hint: &Hint<'_>, parts: &[Part<'_>], size: usize, ending: Ending) -> Reading {
    let mut contents = Contents::default();
    let (mut records, mut facts, mut counters) =
        (Records::default(), ServiceFacts::default(), ContentCounters::default());
    let mut memory = 0;
    let mut env =
        Env { rules: rules(), sink: &mut records, facts: &mut facts, counters: &mut counters };
    let id = contents.open(hint);
    feed(parts, size, |part, came| {
        let want = match part {
            Part::Bytes(bytes) => {
                contents.bring(usize::try_from(came).unwrap_or(usize::MAX));
                contents.data(id, bytes, &mut env)
            }
            Part::Gap(len) => contents.gap(id, len, &mut env),
        };
        memory = memory.max(contents.memory());
        want
    });
    contents.close(id, ending, &mut env);
    assert!(records.open.is_empty(), "every record is complete");
    Reading { records, facts, counters, memory }
}

/// Reads `parts` with `document`, in pieces of at most `size` bytes.
pub fn read_document(
    document: &mut dyn Document,
    operation: &str,
    parts: &[Part<'_>],
    size: usize,
) -> Reading {
    let mut memory = 0;
    let mut reading = with_operation(Direction::ClientToServer, operation, |scope| {
        feed(parts, size, |part, came| {
            let want = match part {
                Part::Bytes(bytes) => {
                    scope.counters.budget.bring(came);
                    document.data(bytes, scope)
                }
                Part::Gap(len) => document.gap(len, scope),
            };
            memory = memory.max(document.memory());
            want
        });
        document.end(Ending::Complete, scope);
    });
    reading.memory = memory;
    reading
}

/// The results of `act`.
fn with_operation(
    direction: Direction,
    operation: &str,
    act: impl FnOnce(&mut Scope<'_>),
) -> Reading {
    let (mut records, mut facts, mut counters) =
        (Records::default(), ServiceFacts::default(), ContentCounters::default());
    let (mut operation, mut layers) = (operation.to_owned(), vec!["test"]);
    act(&mut Scope {
        id: ContentId(0),
        direction,
        operation: &mut operation,
        layers: &mut layers,
        rules: rules(),
        sink: &mut records,
        facts: &mut facts,
        counters: &mut counters,
    });
    assert!(records.open.is_empty(), "every record is complete");
    Reading { records, facts, counters, memory: 0 }
}

/// The hint of a response to a GET.
fn answer<'a>(media: Media<'a>, codings: &'a [&'a str]) -> Hint<'a> {
    let direction = Direction::ServerToClient;
    Hint { direction, media, operation: "GET", codings, layer: "http" }
}

/// Reads `bytes`, declared as `media` under `codings`, in pieces of `piece` bytes. Returns the records.
pub fn records_of(media: Media<'_>, codings: &[&str], bytes: &[u8], piece: usize) -> Vec<String> {
    read_as(media, codings, bytes, piece).0
}

/// The same with counters.
pub fn read_as(
    media: Media<'_>,
    codings: &[&str],
    bytes: &[u8],
    piece: usize,
) -> (Vec<String>, ContentCounters) {
    let hint = answer(media, codings);
    let reading = read_payload(&hint, &[Part::Bytes(bytes)], piece, Ending::Complete);
    (reading.records.lines, reading.counters)
}

/// The records of a payload of this media type; checks that splitting it into pieces does not matter.
pub fn records(content_type: &str, bytes: &[u8]) -> Vec<String> {
    let media = Media::Type { content_type, name: "" };
    let whole = records_of(media, &[], bytes, bytes.len());
    for piece in [1, 2, 3, 5, 17, 64, 511, 513] {
        assert_eq!(records_of(media, &[], bytes, piece), whole, "in pieces of {piece}");
    }
    whole
}

/// The records of a payload with `len` bytes missing between two pieces.
pub fn with_gap_of(media: Media<'_>, before: &[u8], len: u64, after: &[u8]) -> Vec<String> {
    let parts = [Part::Bytes(before), Part::Gap(len), Part::Bytes(after)];
    let reading = read_payload(&answer(media, &[]), &parts, usize::MAX, Ending::Complete);
    reading.records.lines
}

/// The records of `before` and `after` with a gap between them.
pub fn with_gap(document: &mut dyn Document, before: &[u8], after: &[u8]) -> Vec<String> {
    let parts = [Part::Bytes(before), Part::Gap(10), Part::Bytes(after)];
    read_document(document, "", &parts, usize::MAX).records.lines
}

/// Feeds `pieces` to `document` and ends it.
pub fn read<'a>(document: &mut dyn Document, mut pieces: impl Iterator<Item = &'a [u8]>) {
    with_scope(|scope| {
        pieces.find(|piece| document.data(piece, scope) == Want::NOTHING);
        document.end(Ending::Complete, scope);
    });
}

/// The records that `act` passes on.
pub fn with_scope(act: impl FnOnce(&mut Scope<'_>)) -> Vec<String> {
    with_operation(Direction::ServerToClient, "", act).records.lines
}

/// Collects the bytes that its document gets.
#[derive(Clone, Default)]
pub struct Probe(Arc<Mutex<(Vec<u8>, Option<Ending>)>>);

impl Probe {
    /// A document that writes here.
    pub fn document(&self) -> impl Document + use<> {
        self.clone()
    }
    /// The bytes, and their ending, if they have ended.
    pub fn result(&self) -> (Vec<u8>, Option<Ending>) {
        self.0.lock().expect("one thread").clone()
    }
}

impl Document for Probe {
    fn data(&mut self, bytes: &[u8], _scope: &mut Scope<'_>) -> Want {
        self.0.lock().expect("one thread").0.extend_from_slice(bytes);
        Want::ALL
    }
    fn end(&mut self, ending: Ending, _scope: &mut Scope<'_>) {
        self.0.lock().expect("one thread").1.get_or_insert(ending);
    }
    fn memory(&self) -> usize {
        0
    }
}
