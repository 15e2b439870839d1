//! A payload whose format is recognised from its first bytes: the outermost one of a protocol's
//! message, and each one that a document opens inside itself.

use super::OPENING;
use super::charset::Charset;
use crate::content::extract::web_service;
use crate::content::{
    Document, Ending, Extent, FORMATS, Format, MAX_DEPTH, Media, PROBE_BYTES, Reason, Scope, Want,
};
use std::sync::LazyLock;

/// Longest media type, transfer syntax or name kept while a format is being recognised, bytes.
const MAX_HINT: usize = 512;

/// Shorter payloads identify no person, bytes. Blanks around them do not count.
const MIN_CONTENT: usize = 5;

/// One content, from its first byte to its end. A document that carries others (a coding, an
/// archive, a multipart body) holds one `Nested` for the part that is open and hands it the bytes.
pub struct Nested {
    state: State,
}

enum State {
    /// Its first bytes, until a format is recognised.
    Probing { media: MediaBuf, head: Vec<u8> },
    /// Being read.
    /// Each of its bytes costs `cost`.
    Reading { layer: &'static str, cost: u64, document: Box<dyn Document> },
    /// The rest is unwanted.
    Passed,
}

impl Nested {
    /// A payload declared as `media`.
    pub fn new(media: &Media<'_>) -> Self {
        Self { state: State::Probing { media: MediaBuf::new(media), head: Vec::new() } }
    }

    /// A payload of known format.
    pub fn reading(layer: &'static str, document: Box<dyn Document>) -> Self {
        Self { state: State::Reading { layer, cost: 1, document } }
    }

    /// A payload that is not read.
    pub const fn passed() -> Self {
        Self { state: State::Passed }
    }

    /// The next bytes.
    pub fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        match &mut self.state {
            State::Passed => Want::NOTHING,
            State::Reading { .. } => self.feed(bytes, scope),
            State::Probing { media, head } => {
                if head.is_empty() && bytes.len() >= PROBE_BYTES {
                    // As much as there would be if it came in smaller pieces.
                    let front = bytes.get(..PROBE_BYTES).unwrap_or(bytes);
                    self.state = recognise(&media.borrow(), front, Extent::Beginning, scope);
                    return self.feed(bytes, scope);
                }
                // No more than the probe needs is copied, whatever the protocol delivers at once.
                let (first, rest) = bytes.split_at(bytes.len().min(PROBE_BYTES - head.len()));
                head.extend_from_slice(first);
                if head.len() < PROBE_BYTES && at_once(&media.borrow(), head).is_none() {
                    return Want::ALL;
                }
                let head = std::mem::take(head);
                self.state = recognise(&media.borrow(), &head, Extent::Beginning, scope);
                let want = self.feed(&head, scope);
                self.pass(want, rest, scope)
            }
        }
    }

    /// `len` bytes are missing here.
    pub fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        self.decide(scope);
        let State::Reading { layer, document, .. } = &mut self.state else {
            return Want::NOTHING;
        };
        let want = scope.within(layer, |scope| document.gap(len, scope));
        self.settle(want, scope)
    }

    /// The end of the content.
    pub fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.decide(scope);
        if let State::Reading { layer, document, .. } = &mut self.state {
            scope.within(layer, |scope| document.end(ending, scope));
        }
        self.state = State::Passed;
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        match &self.state {
            State::Passed => 0,
            State::Probing { media, head } => media.len() + head.capacity(),
            State::Reading { document, .. } => document.memory(),
        }
    }

    /// Recognises the format from what is there, as no more will come.
    fn decide(&mut self, scope: &mut Scope<'_>) {
        if let State::Probing { media, head } = &mut self.state {
            let head = std::mem::take(head);
            self.state = recognise(&media.borrow(), &head, Extent::Whole, scope);
            self.feed(&head, scope);
        }
    }

    /// Feeds `bytes` to the document as long as it wants them.
    fn feed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let State::Reading { layer, cost, document } = &mut self.state else {
            return Want::NOTHING;
        };
        if bytes.is_empty() {
            return Want::ALL;
        }
        if !scope.spend(bytes.len() as u64 * *cost) {
            scope.leave(bytes.len() as u64);
            self.end(Ending::Cut, scope);
            return Want::NOTHING;
        }
        let want = scope.within(layer, |scope| document.data(bytes, scope));
        self.settle(want, scope)
    }

    /// Feeds what `want` leaves of `rest`, which is there already.
    fn pass(&mut self, mut want: Want, mut rest: &[u8], scope: &mut Scope<'_>) -> Want {
        while want != Want::NOTHING && !rest.is_empty() {
            let skip = want.skip.min(rest.len() as u64);
            scope.skipped(skip);
            want.skip -= skip;
            rest = rest.get(skip as usize..).unwrap_or_default();
            if want == Want::ALL && !rest.is_empty() {
                want = self.feed(rest, scope);
                rest = &[];
            }
        }
        want
    }

    /// Ends a document that wants nothing more immediately: its records need not wait for bytes that are
    /// skipped.
    fn settle(&mut self, want: Want, scope: &mut Scope<'_>) -> Want {
        if want == Want::NOTHING {
            self.end(Ending::Complete, scope);
        }
        want
    }
}

/// Which formats to ask about a payload, by its first byte that is not blank: there are many, and most are
/// known by it not to fit.
struct Beginnings {
    /// By the byte: a bit for each format, by its place in [`FORMATS`].
    by: [u128; 256],
    /// Those that are made of characters.
    texts: u128,
    /// Those that may be sure of any beginning.
    hasty: Vec<&'static dyn Format>,
}

static BEGINNINGS: LazyLock<Beginnings> = LazyLock::new(|| {
    assert!(FORMATS.len() <= 128, "a bit for each format");
    let bits = |is: &dyn Fn(&dyn Format) -> bool| {
        FORMATS.iter().enumerate().filter(|(_, f)| is(**f)).fold(0, |all, (i, _)| all | 1 << i)
    };
    let may = |byte: u8| {
        bits(&|f| !byte.is_ascii_graphic() || f.first().is_empty() || f.first().contains(&byte))
    };
    Beginnings {
        by: std::array::from_fn(|byte| may(byte as u8)),
        texts: bits(&|f| f.is_text()),
        hasty: FORMATS.iter().copied().filter(|f| f.is_hasty()).collect(),
    }
});

impl Beginnings {
    /// The formats that `head`, or `text`, which is the same as characters, may be in.
    fn of(&self, media: &Media<'_>, head: &[u8], text: &[u8]) -> u128 {
        // Blanks may precede what a format begins with.
        let may = |bytes: &[u8]| match (media, bytes.trim_ascii_start().first()) {
            (Media::Type { .. } | Media::Unknown, Some(&byte)) => self.by[usize::from(byte)],
            _ => u128::MAX,
        };
        may(head) & !self.texts | may(text) & self.texts
    }
}

/// The format that needs no more than `head` to be sure.
fn at_once(media: &Media<'_>, head: &[u8]) -> Option<&'static dyn Format> {
    BEGINNINGS.hasty.iter().copied().find(|f| f.at_once(media, head))
}

/// The formats whose bits are set, in their order.
fn those(mut bits: u128) -> impl Iterator<Item = &'static &'static dyn Format> {
    std::iter::from_fn(move || {
        let next = FORMATS.get(bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(next)
    })
}

/// The first format that says `head` is its own.
fn recognise(media: &Media<'_>, head: &[u8], extent: Extent, scope: &mut Scope<'_>) -> State {
    if head.is_empty() || extent == Extent::Whole && head.trim_ascii().len() < MIN_CONTENT {
        return State::Passed;
    }
    web_service::look(media, head, scope);
    if !scope.spend(OPENING + head.len() as u64) {
        scope.leave(head.len() as u64);
        return State::Passed;
    }
    let at_once = at_once(media, head);
    // What is read at once is not judged by what comes later.
    let charset = Charset::of(media, if at_once.is_some() { &[] } else { head });
    let text = charset.readable(head);
    let probe = |f: &&&dyn Format| f.probe(media, if f.is_text() { &text } else { head }, extent);
    let asked = BEGINNINGS.of(media, head, &text);
    let Some(format) = at_once.or_else(|| those(asked).find(probe).copied()) else {
        return State::Passed;
    };
    if scope.layers.len() >= MAX_DEPTH {
        scope.give_up(Reason::Limit);
        return State::Passed;
    }
    let document = format.open(media);
    let document = if format.is_text() { charset.decoding(document) } else { document };
    State::Reading { layer: format.name(), cost: format.cost(), document }
}

impl Scope<'_> {
    /// Runs `act` inside one more layer of `phi.carrier` (`gzip`, `base64`).
    pub fn within<R>(&mut self, layer: &'static str, act: impl FnOnce(&mut Scope<'_>) -> R) -> R {
        self.counters.spoil();
        self.layers.push(layer);
        let depth = self.layers.len();
        let result = act(&mut Scope {
            id: self.id,
            direction: self.direction,
            operation: self.operation,
            layers: self.layers,
            rules: self.rules,
            sink: self.sink,
            facts: self.facts,
            counters: self.counters,
        });
        self.layers.truncate(depth - 1);
        result
    }

    /// Reads a complete payload inside this one: a decoded OBX-5, an encapsulated PDF, a member of an
    /// archive. What arrives in pieces goes through a [`Nested`] instead.
    pub fn whole(&mut self, media: &Media<'_>, bytes: &[u8]) {
        self.counters.spoil();
        let head = bytes.get(..MAX_WHOLE_HEAD).unwrap_or(bytes);
        let extent = if head.len() == bytes.len() { Extent::Whole } else { Extent::Beginning };
        let state = recognise(media, head, extent, self);
        let mut nested = Nested { state };
        nested.feed(bytes, self);
        nested.end(Ending::Complete, self);
    }
}

/// How much of a complete content a probe may look at.
const MAX_WHOLE_HEAD: usize = 64 << 10;

/// [`Media`] that outlives the protocol's buffer.
enum MediaBuf {
    DicomDataSet { transfer_syntax: String, query: bool },
    Hl7v2,
    Type { content_type: String, name: String },
    Target,
    Unknown,
}

impl MediaBuf {
    fn new(media: &Media<'_>) -> Self {
        match *media {
            Media::DicomDataSet { transfer_syntax, query } => {
                Self::DicomDataSet { transfer_syntax: cut(transfer_syntax), query }
            }
            Media::Hl7v2 => Self::Hl7v2,
            Media::Type { content_type, name } => {
                Self::Type { content_type: cut(content_type), name: cut(name) }
            }
            Media::Target => Self::Target,
            Media::Unknown => Self::Unknown,
        }
    }

    fn borrow(&self) -> Media<'_> {
        match self {
            Self::DicomDataSet { transfer_syntax, query } => {
                Media::DicomDataSet { transfer_syntax, query: *query }
            }
            Self::Hl7v2 => Media::Hl7v2,
            Self::Type { content_type, name } => Media::Type { content_type, name },
            Self::Target => Media::Target,
            Self::Unknown => Media::Unknown,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::DicomDataSet { transfer_syntax, .. } => transfer_syntax.capacity(),
            Self::Type { content_type, name } => content_type.capacity() + name.capacity(),
            Self::Hl7v2 | Self::Target | Self::Unknown => 0,
        }
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_HINT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
