//! What the tests of formats share: a sink that writes records down, and a document that keeps the bytes it
//! gets.

use super::{
    ContentCounters, ContentId, Contents, Direction, Document, Ending, Env, Field, FieldSink, Mark,
    Media, RecordHead, Scope, ServiceFacts, Want,
};
use crate::protocol::Hint;
use crate::rules::RuleSet;
use std::sync::{Arc, Mutex, OnceLock};

/// The shipped rules, loaded once.
pub fn rules() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| RuleSet::shipped().expect("shipped rules are sound"))
}

/// Writes records down, one line each: `json name=... birth_date=... [PatientContext]`.
#[derive(Default)]
pub struct Lines {
    open: Vec<String>,
    /// Complete records.
    pub lines: Vec<String>,
}

impl FieldSink for Lines {
    fn begin(&mut self, _at: ContentId, head: RecordHead<'_>) {
        let kind = if head.structured { "" } else { "~" };
        self.open.push(format!("{}:{kind}{}", head.carrier.join(">"), head.content));
    }
    fn field(&mut self, _at: ContentId, field: Field<'_>) {
        let line = self.open.last_mut().expect("a field stands in a record");
        line.push_str(&format!(" {}={}", field.kind.as_str(), field.value.expose()));
    }
    fn mark(&mut self, _at: ContentId, mark: Mark) {
        let line = self.open.last_mut().expect("a mark stands in a record");
        line.push_str(&format!(" [{mark:?}]"));
    }
    fn end(&mut self, _at: ContentId, _: &ServiceFacts) {
        let line = self.open.pop().expect("a record was open");
        self.lines.push(line);
    }
}

/// Reads `bytes`, declared as `media` under `codings`, in pieces of `piece` bytes; the records.
pub fn records_of(media: Media<'_>, codings: &[&str], bytes: &[u8], piece: usize) -> Vec<String> {
    read_as(media, codings, bytes, piece).0
}

/// The same with what was counted.
pub fn read_as(
    media: Media<'_>,
    codings: &[&str],
    bytes: &[u8],
    piece: usize,
) -> (Vec<String>, ContentCounters) {
    let (mut contents, mut sink) = (Contents::default(), Lines::default());
    let (mut facts, mut tally) = (ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: rules(), sink: &mut sink, facts: &mut facts, tally: &mut tally };
    let id = contents.open(&Hint {
        direction: Direction::ServerToClient,
        media,
        operation: "GET",
        codings,
        layer: "http",
    });
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + piece.max(1));
        contents.bring(end - at);
        let want = contents.data(id, &bytes[at..end], &mut env);
        at = usize::try_from(want.skip).unwrap_or(usize::MAX).saturating_add(end);
    }
    contents.close(id, Ending::Complete, &mut env);
    assert!(sink.open.is_empty(), "every record is complete");
    (sink.lines, tally)
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
pub fn with_hole(media: Media<'_>, before: &[u8], len: u64, after: &[u8]) -> Vec<String> {
    let mut contents = Contents::default();
    let (mut sink, mut facts, mut tally) =
        (Lines::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: rules(), sink: &mut sink, facts: &mut facts, tally: &mut tally };
    let id = contents.open(&Hint {
        direction: Direction::ServerToClient,
        media,
        operation: "GET",
        codings: &[],
        layer: "http",
    });
    contents.data(id, before, &mut env);
    contents.gap(id, len, &mut env);
    contents.data(id, after, &mut env);
    contents.close(id, Ending::Complete, &mut env);
    assert!(sink.open.is_empty(), "every record is complete");
    sink.lines
}

/// Keeps what its document gets.
#[derive(Clone, Default)]
pub struct Probe(Arc<Mutex<(Vec<u8>, Option<Ending>)>>);

impl Probe {
    /// A document that writes here.
    pub fn document(&self) -> impl Document + use<> {
        self.clone()
    }
    /// The bytes, and whether the end came and was complete.
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

/// The records of `before` and `after` with a gap between them.
pub fn with_gap(document: &mut dyn Document, before: &[u8], after: &[u8]) -> Vec<String> {
    with_scope(|scope| {
        document.data(before, scope);
        if document.gap(10, scope) == Want::ALL {
            document.data(after, scope);
        }
        document.end(Ending::Complete, scope);
    })
}

/// Feeds `pieces` to `document` and ends it.
pub fn read<'a>(document: &mut dyn Document, mut pieces: impl Iterator<Item = &'a [u8]>) {
    with_scope(|scope| {
        pieces.find(|piece| document.data(piece, scope) == Want::NOTHING);
        document.end(Ending::Complete, scope);
    });
}

/// The records that `act` hands on.
pub fn with_scope(act: impl FnOnce(&mut Scope<'_>)) -> Vec<String> {
    let (mut sink, mut facts, mut tally) =
        (Lines::default(), ServiceFacts::default(), ContentCounters::default());
    let (mut operation, mut layers) = (String::new(), vec!["test"]);
    let mut scope = Scope {
        id: ContentId(0),
        direction: Direction::ServerToClient,
        operation: &mut operation,
        layers: &mut layers,
        rules: rules(),
        sink: &mut sink,
        facts: &mut facts,
        tally: &mut tally,
    };
    act(&mut scope);
    sink.lines
}
