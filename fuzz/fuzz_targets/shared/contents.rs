//! One content alone, in pieces of a size, with a hole in it or not.

use phitap::content::{
    ContentId, Contents, Env, Field, FieldSink, Mark, Media, RecordHead, ServiceFacts, ContentCounters, Want,
};
use phitap::flow::Direction;
use phitap::protocol::Hint;
use phitap::rules::RuleSet;
use std::sync::LazyLock;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

/// Largest state of one data set: an encapsulated document is read whole (16 MiB), all else is small.
const MAX_MEMORY: usize = 64 << 20;

/// What a content hands on, as text.
#[derive(Default, PartialEq, Debug)]
pub struct Log {
    open: usize,
    lines: Vec<String>,
}

impl FieldSink for Log {
    fn begin(&mut self, _at: ContentId, head: RecordHead<'_>) {
        self.open += 1;
        self.lines.push(format!("begin {}", head.content));
    }
    fn field(&mut self, _at: ContentId, field: Field<'_>) {
        assert!(self.open > 0, "a field outside a record");
        self.lines.push(format!("{} {} {}", field.name, field.kind.as_str(), field.value.expose()));
    }
    fn mark(&mut self, _at: ContentId, mark: Mark) {
        assert!(self.open > 0, "a mark outside a record");
        self.lines.push(format!("{mark:?}"));
    }
    fn end(&mut self, _at: ContentId, _: &ServiceFacts) {
        self.open -= 1;
    }
}

/// Reads `bytes` in pieces; `lost` bytes from `gap` on are missing.
pub fn read(
    operation: &str,
    media: Media<'_>,
    bytes: &[u8],
    piece: usize,
    gap: Option<usize>,
) -> Log {
    let (mut contents, mut log) = (Contents::default(), Log::default());
    let (mut facts, mut tally) = (ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: &RULES, sink: &mut log, facts: &mut facts, tally: &mut tally };
    let id = contents.open(&Hint {
        direction: Direction::ClientToServer,
        media,
        operation,
        codings: &[],
        layer: "",
    });
    let (mut skip, mut at) = (0u64, 0usize);
    let hole = gap.map(|gap| gap..(gap + 11).min(bytes.len()));
    while at < bytes.len() {
        let in_hole = hole.as_ref().is_some_and(|hole| hole.contains(&at));
        let next = match &hole {
            Some(hole) if in_hole => hole.end,
            Some(hole) if at < hole.start => hole.start.min(at + piece),
            _ => at + piece,
        };
        let end = next.min(bytes.len());
        let hidden = skip.min((end - at) as u64);
        if skip != Want::NOTHING.skip {
            skip -= hidden;
        }
        let seen = at + hidden as usize;
        if seen < end {
            skip = if in_hole {
                contents.gap(id, (end - seen) as u64, &mut env).skip
            } else {
                contents.data(id, &bytes[seen..end], &mut env).skip
            };
        }
        assert!(contents.memory() < MAX_MEMORY, "{} bytes held", contents.memory());
        at = end;
    }
    contents.close(id, gap.is_none(), &mut env);
    assert_eq!(log.open, 0, "a record was left open");
    log
}
