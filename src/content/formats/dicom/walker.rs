//! Walks through the elements of a data set in pieces of any size (PS3.5 section 7).
//!
//! Only values that the visitor asks for are kept, up to a length that it chooses; everything else is skipped
//! untouched.

use super::element::{
    Header, ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION, UNDEFINED, decode, vr_of,
};
use super::syntax::Syntax;
use crate::content::Reason;
use crate::syntax::{ElementError, Match};
use dicom_core::VR;
use smallvec::SmallVec;
use zeroize::Zeroizing;

/// Levels of sequences and items. Structured reports, the deepest in use, stay below twenty
/// sequences.
pub(super) const MAX_DEPTH: usize = 64;
/// Bytes of an item's tag.
const ITEM_TAG: usize = 4;
/// Bytes of an item's header.
const ITEM_HEADER: u32 = 8;
/// A buffer of at most this many bytes is kept for the next header or value, and wiped only once.
const SMALL_HOLD: usize = 16 << 10;

/// An element, and its position.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub tag: u32,
    pub vr: Option<VR>,
    /// Length of its value, [`UNDEFINED`] or bytes.
    pub len: u32,
    /// Number of enclosing items.
    pub depth: usize,
    /// The innermost sequence around it; 0 at the top level.
    pub sequence: u32,
}

/// What to do with a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    Pass,
    /// Keep at most this many bytes of it.
    Keep(usize),
    /// Pass it on as it arrives.
    Stream,
    /// Nothing from here on is wanted.
    Stop,
}

/// Receives the elements that the walker reads.
pub(super) trait Visitor {
    /// An element; for a sequence only `Stop` counts, all are entered.
    fn element(&mut self, element: &Element) -> Interest;
    /// The value of an element that was to be kept.
    fn value(&mut self, element: &Element, bytes: &[u8]);
    /// The next bytes of a value that is passed on as it arrives; `last`: it ends. False if the rest is not wanted.
    fn part(&mut self, bytes: &[u8], last: bool) -> bool;
    /// An item has ended; `depth` enclosing items are left.
    fn item_end(&mut self, depth: usize);
    /// Something was skipped because of a limit.
    fn limit(&mut self);
}

/// Result of walking through a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Walk {
    /// To its end.
    On,
    /// The visitor wants no more.
    Stopped,
    /// The rest cannot be read.
    Failed(Reason),
    /// The file meta information ends: the held bytes, and the piece from this offset, are the body.
    Body(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sequence(u32),
    Item,
    /// Of encapsulated pixel data (PS3.5 A.4).
    Fragments,
}

#[derive(Clone, Copy)]
struct Level {
    kind: Kind,
    /// Offset behind its last byte; `None` if a delimiter ends it.
    end: Option<u64>,
    syntax: Syntax,
    /// Written by a sender that did not know the sequence (UN): its first element shows its syntax.
    infer: bool,
}

#[derive(Clone, Copy)]
enum State {
    Header,
    /// The first bytes of a value of unknown VR: it may be a sequence.
    Peek {
        element: Element,
        keep: usize,
    },
    /// Collecting a value: bytes to keep, then bytes to pass.
    Value {
        element: Element,
        keep: usize,
        pass: u64,
    },
    /// Remaining bytes of a value that is passed on as it arrives.
    Stream(u64),
    Pass(u64),
}

/// The walker.
pub(super) struct Walker {
    syntax: Syntax,
    /// Only elements of group 0002 belong to it (PS3.10 7.1).
    meta: bool,
    state: State,
    levels: SmallVec<[Level; 8]>,
    /// Items among them.
    items: usize,
    /// The last tag at the top level.
    last: u32,
    /// Bytes consumed so far.
    position: u64,
    /// An incomplete header, or a value being collected. May hold identifiers.
    held: Zeroizing<Vec<u8>>,
}

impl Walker {
    pub fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            meta: false,
            state: State::Header,
            levels: SmallVec::new(),
            items: 0,
            last: 0,
            position: 0,
            held: Zeroizing::new(Vec::new()),
        }
    }
    /// A walker for file meta information: always explicit little endian.
    pub fn meta() -> Self {
        Self { meta: true, ..Self::new(Syntax::ExplicitLe) }
    }

    /// The syntax at the top level.
    pub const fn syntax(&self) -> Syntax {
        self.syntax
    }
    /// The last tag at the top level.
    pub const fn last_tag(&self) -> u32 {
        self.last
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.held.capacity()
            + if self.levels.spilled() { self.levels.capacity() * size_of::<Level>() } else { 0 }
    }

    /// How many of the following bytes to skip. They must not be passed in.
    pub fn take_pass(&mut self) -> u64 {
        let State::Pass(n) = self.state else {
            return 0;
        };
        self.state = State::Header;
        self.position = self.position.saturating_add(n);
        n
    }

    /// `len` bytes are missing. False if the walker cannot continue behind them.
    pub fn gap(&mut self, len: u64) -> bool {
        let left = match self.state {
            State::Pass(left) => left,
            State::Value { keep, pass, .. } => pass + (keep - self.held.len()) as u64,
            State::Peek { element, .. } => u64::from(element.len) - self.held.len() as u64,
            State::Stream(left) => left,
            State::Header => 0,
        };
        if len > left {
            return false;
        }
        self.held.clear();
        self.position = self.position.saturating_add(len);
        self.state = State::Pass(left - len);
        true
    }

    /// The bytes of an incomplete header.
    pub fn take_held(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.held)
    }

    /// Walks through the next bytes.
    pub fn feed<V: Visitor>(&mut self, bytes: &[u8], visitor: &mut V) -> Walk {
        let mut rest = bytes;
        loop {
            match self.state {
                State::Header => {
                    if self.held.is_empty() {
                        self.leave(visitor);
                    }
                    match self.header(&mut rest) {
                        Match::Yes(Some(header)) => match self.enter(header, visitor) {
                            Walk::On => {}
                            end => return end,
                        },
                        Match::More => return Walk::On,
                        Match::Yes(None) => return Walk::Body(bytes.len() - rest.len()),
                        Match::No => return Walk::Failed(Reason::Malformed),
                    }
                }
                State::Peek { element, keep } => {
                    self.hold(&mut rest, ITEM_TAG);
                    if self.held.len() < ITEM_TAG {
                        return Walk::On;
                    }
                    self.peeked(element, keep, visitor);
                }
                State::Value { element, keep, pass } => {
                    if self.held.is_empty() && rest.len() >= keep {
                        let (value, behind) = rest.split_at(keep);
                        rest = behind;
                        self.advance(keep as u64);
                        visitor.value(&element, value);
                    } else {
                        self.hold(&mut rest, keep);
                        if self.held.len() < keep {
                            return Walk::On;
                        }
                        visitor.value(&element, &self.held);
                        self.release();
                    }
                    self.state = State::Pass(pass);
                }
                State::Stream(left) => {
                    let (part, behind) = rest.split_at(left.min(rest.len() as u64) as usize);
                    let left = left - part.len() as u64;
                    rest = behind;
                    self.advance(part.len() as u64);
                    let wanted = (part.is_empty() && left > 0) || visitor.part(part, left == 0);
                    match (wanted, left) {
                        (_, 0) => self.state = State::Header,
                        (true, left) => {
                            self.state = State::Stream(left);
                            return Walk::On;
                        }
                        (false, left) => self.state = State::Pass(left),
                    }
                }
                State::Pass(left) => {
                    let n = (rest.len() as u64).min(left);
                    rest = &rest[n as usize..];
                    self.advance(n);
                    if n < left {
                        self.state = State::Pass(left - n);
                        return Walk::On;
                    }
                    self.state = State::Header;
                }
            }
        }
    }

    fn advance(&mut self, n: u64) {
        self.position = self.position.saturating_add(n);
    }

    /// Moves bytes into the buffer until it has `want`.
    fn hold(&mut self, rest: &mut &[u8], want: usize) {
        let n = want.saturating_sub(self.held.len()).min(rest.len());
        let (taken, behind) = rest.split_at(n);
        self.held.extend_from_slice(taken);
        self.advance(n as u64);
        *rest = behind;
    }

    /// Empties the buffer; a large one is freed.
    fn release(&mut self) {
        if self.held.capacity() > SMALL_HOLD {
            self.held = Zeroizing::new(Vec::new());
        } else {
            self.held.clear();
        }
    }

    /// Reads a header. `Yes` without one: the file meta information has ended.
    fn header(&mut self, rest: &mut &[u8]) -> Match<Option<Header>> {
        let syntax = self.levels.last().map_or(self.syntax, |l| l.syntax);
        let infer = self.levels.last().is_some_and(|l| l.infer);
        loop {
            let held = !self.held.is_empty();
            let lead: &[u8] = if held { &self.held } else { rest };
            if self.meta && lead.first_chunk::<2>().is_some_and(|group| *group != [2, 0]) {
                return Match::Yes(None);
            }
            match if infer { decode_inferred(lead) } else { decode(lead, syntax) } {
                Ok(header) if held => {
                    self.held.clear();
                    return Match::Yes(Some(header));
                }
                Ok(header) => {
                    *rest = rest.get(header.size..).unwrap_or(&[]);
                    self.advance(header.size as u64);
                    return Match::Yes(Some(header));
                }
                Err(ElementError::Need(want)) => {
                    self.hold(rest, want);
                    if self.held.len() < want {
                        return Match::More;
                    }
                }
                Err(ElementError::Malformed) => return Match::No,
            }
        }
    }

    /// Enters or passes the element whose header was read.
    fn enter<V: Visitor>(&mut self, header: Header, visitor: &mut V) -> Walk {
        let kind = self.levels.last().map(|l| l.kind);
        let defined = header.len != UNDEFINED;
        match header.tag {
            ITEM => match kind {
                Some(Kind::Sequence(_)) => return self.push(Kind::Item, header.len, None, visitor),
                _ if defined => self.state = State::Pass(u64::from(header.len)),
                _ => return Walk::Failed(Reason::Malformed),
            },
            // An unexpected delimiter is ignored: levels of known length end by it.
            ITEM_DELIMITATION => {
                if matches!(self.levels.last(), Some(l) if l.kind == Kind::Item && l.end.is_none())
                {
                    self.pop(visitor);
                }
            }
            SEQUENCE_DELIMITATION => {
                // An item of undefined length whose own delimiter is missing ends here too.
                let around = self.levels.iter().rev().nth(1);
                if matches!(self.levels.last(), Some(l) if l.kind == Kind::Item && l.end.is_none())
                    && around.is_some_and(|l| l.end.is_none())
                {
                    self.pop(visitor);
                }
                if matches!(self.levels.last(), Some(l) if l.kind != Kind::Item && l.end.is_none())
                {
                    self.pop(visitor);
                }
            }
            _ if matches!(kind, Some(Kind::Sequence(_) | Kind::Fragments)) => {
                // What is no item: the rest of a sequence whose length is known is passed over.
                let end = self.levels.last().and_then(|l| l.end);
                let Some(rest) = end.and_then(|end| end.checked_sub(self.position)) else {
                    return Walk::Failed(Reason::Malformed);
                };
                self.state = State::Pass(rest);
            }
            tag => {
                if self.levels.is_empty() {
                    self.last = tag;
                }
                let element = Element {
                    tag,
                    vr: header.vr,
                    len: header.len,
                    depth: self.items,
                    sequence: self.sequence(),
                };
                let keep = match visitor.element(&element) {
                    Interest::Stop => return Walk::Stopped,
                    Interest::Stream if defined && header.vr != Some(VR::SQ) => {
                        self.state = State::Stream(u64::from(header.len));
                        return Walk::On;
                    }
                    Interest::Pass | Interest::Stream => 0,
                    Interest::Keep(most) => most.min(header.len as usize),
                };
                let unknown = matches!(header.vr, None | Some(VR::UN));
                if header.vr == Some(VR::SQ) || (unknown && !defined) {
                    // Undefined length with UN: implicit little endian inside (PS3.5 6.2.2).
                    let infer = unknown.then_some(Syntax::ImplicitLe);
                    return self.push(Kind::Sequence(tag), header.len, infer, visitor);
                }
                if !defined {
                    return self.push(Kind::Fragments, header.len, None, visitor);
                }
                self.state = if unknown && header.len >= ITEM_HEADER {
                    State::Peek { element, keep }
                } else {
                    State::Value { element, keep, pass: u64::from(header.len) - keep as u64 }
                };
                if keep == 0 && !matches!(self.state, State::Peek { .. }) && header.len > 0 {
                    self.state = State::Pass(u64::from(header.len));
                }
            }
        }
        Walk::On
    }

    /// The first bytes of a value of unknown VR are held: whether it is a sequence.
    fn peeked<V: Visitor>(&mut self, element: Element, keep: usize, visitor: &mut V) {
        let len = u64::from(element.len);
        if self.held[..] == [0xFE, 0xFF, 0x00, 0xE0] {
            let level = Level {
                kind: Kind::Sequence(element.tag),
                end: Some(self.position.saturating_add(len - ITEM_TAG as u64)),
                syntax: Syntax::ImplicitLe,
                infer: true,
            };
            if self.levels.len() < MAX_DEPTH {
                // The buffer holds the beginning of the item's header.
                self.levels.push(level);
                self.state = State::Header;
                return;
            }
            visitor.limit();
        } else if keep > 0 {
            let keep = keep.max(ITEM_TAG);
            self.state = State::Value { element, keep, pass: len - keep as u64 };
            return;
        }
        self.held.clear();
        self.state = State::Pass(len - ITEM_TAG as u64);
    }

    /// The innermost sequence.
    fn sequence(&self) -> u32 {
        let found = self.levels.iter().rev().find_map(|l| match l.kind {
            Kind::Sequence(tag) => Some(tag),
            _ => None,
        });
        found.unwrap_or(0)
    }

    fn push<V: Visitor>(
        &mut self,
        kind: Kind,
        len: u32,
        infer: Option<Syntax>,
        visitor: &mut V,
    ) -> Walk {
        let end = (len != UNDEFINED).then(|| self.position.saturating_add(u64::from(len)));
        if self.levels.len() >= MAX_DEPTH {
            if end.is_none() {
                return Walk::Failed(Reason::Limit);
            }
            visitor.limit();
            self.state = State::Pass(u64::from(len));
            return Walk::On;
        }
        let (syntax, inferred) =
            self.levels.last().map_or((self.syntax, false), |l| (l.syntax, l.infer));
        self.levels.push(Level {
            kind,
            end,
            syntax: infer.unwrap_or(syntax),
            infer: inferred || infer.is_some(),
        });
        if kind == Kind::Item {
            self.items += 1;
        }
        Walk::On
    }

    fn pop<V: Visitor>(&mut self, visitor: &mut V) {
        if let Some(level) = self.levels.pop()
            && level.kind == Kind::Item
        {
            self.items = self.items.saturating_sub(1);
            visitor.item_end(self.items);
        }
    }

    /// Leaves the levels that end here.
    fn leave<V: Visitor>(&mut self, visitor: &mut V) {
        while self.levels.last().is_some_and(|l| l.end.is_some_and(|end| end <= self.position)) {
            self.pop(visitor);
        }
    }
}

/// Reads a header inside a sequence that its writer did not know. A length whose lower half spells
/// a VR would be above 16 KiB, which no value in a real one has.
fn decode_inferred(data: &[u8]) -> Result<Header, ElementError> {
    match data.get(4..6).and_then(|b| vr_of([b[0], b[1]])) {
        Some(_) => decode(data, Syntax::ExplicitLe),
        None => decode(data, Syntax::ImplicitLe),
    }
}
