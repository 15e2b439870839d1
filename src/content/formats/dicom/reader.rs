//! Reads a data set or a Part 10 file in pieces.

use super::element::UNDEFINED;
use super::record::{Record, Recording};
use super::seek::Seek;
use super::syntax::{Certainty, Syntax, Transfer, fits, infer};
use super::walker::{Element, Interest, Visitor, Walk, Walker};
use crate::content::{Document, Ending, Reason, Scope, ServiceFacts, Want};
use crate::syntax::Match;
use flate2::{Decompress, FlushDecompress, Status};
use zeroize::Zeroizing;

/// Bytes of the preamble before the prefix (PS3.10 7.1).
const PREAMBLE: usize = 128;
/// Bytes examined before the encoding is decided.
const HEAD: usize = 256;
/// Most decompressed bytes of one data set. Identifiers precede the pixels, near its start.
const MAX_INFLATED: u64 = 64 << 20;
/// Bytes decompressed at a time.
const INFLATE_STEP: usize = 8 << 10;

/// Whether `head` starts a Part 10 file.
pub(super) fn has_preamble(head: &[u8]) -> bool {
    head.get(PREAMBLE..PREAMBLE + 4) == Some(b"DICM")
}

/// The file meta information behind the prefix, in a file that lost its preamble.
pub(super) fn without_preamble(head: &[u8]) -> Option<&[u8]> {
    head.strip_prefix(b"DICM").filter(|meta| meta.starts_with(&[2, 0]))
}

/// Reads one data set.
pub(super) struct Reader {
    declared: Option<Transfer>,
    before: Certainty,
    record: Record,
    phase: Phase,
}

enum Phase {
    /// Its first bytes.
    Opening(Zeroizing<Vec<u8>>),
    /// File meta information.
    Meta(Box<Walker>, Meta),
    /// The data set.
    Body(Box<Walker>),
    /// The data set, deflated.
    Deflated(Box<Walker>, Box<Inflater>),
    /// The data set behind a loss that took headers with it.
    Seeking(Box<Seek>),
    /// The rest is of no interest.
    Done,
}

impl Reader {
    /// For a data set, in `declared` if that is known.
    pub fn data_set(declared: Option<Transfer>, query: bool) -> Self {
        Self { declared, before: Certainty::Begins, ..Self::file(query) }
    }

    /// For a possible file, or a data set.
    pub fn file(query: bool) -> Self {
        Self {
            declared: None,
            before: Certainty::Nothing,
            record: Record::new(query),
            phase: Phase::Opening(Zeroizing::new(Vec::new())),
        }
    }

    /// Decides by the first bytes.
    fn start(&mut self, head: &[u8], scope: &mut Scope<'_>) -> Want {
        if has_preamble(head) {
            self.phase = Phase::Meta(Box::new(Walker::meta()), Meta::default());
            return self.read(&head[PREAMBLE + 4..], scope);
        }
        if let Some(meta) = without_preamble(head) {
            self.phase = Phase::Meta(Box::new(Walker::meta()), Meta::default());
            return self.read(meta, scope);
        }
        if head.starts_with(&[2, 0]) && fits(Syntax::ExplicitLe, head, Certainty::Nothing) {
            self.phase = Phase::Meta(Box::new(Walker::meta()), Meta::default());
            return self.read(head, scope);
        }
        self.start_body(head, scope)
    }

    fn start_body(&mut self, head: &[u8], scope: &mut Scope<'_>) -> Want {
        let declared = self.declared;
        let plain = declared.filter(|d| !d.deflated).map(|d| d.syntax);
        if declared.is_none_or(|d| !d.deflated)
            && let Some(syntax) = infer(plain, head, self.before)
        {
            self.phase = Phase::Body(Box::new(Walker::new(syntax)));
        } else if let Some(syntax) = Inflater::looks_deflated(head) {
            self.phase = Phase::Deflated(Box::new(Walker::new(syntax)), Box::default());
        } else if let Some(syntax) = infer(None, head, self.before) {
            // Declared as deflated, sent uncompressed.
            self.phase = Phase::Body(Box::new(Walker::new(syntax)));
        } else {
            // The middle of a data set whose beginning was not seen, or no data set at all.
            if declared.is_some() && !head.is_empty() {
                scope.give_up(Reason::Malformed);
            }
            self.phase = Phase::Done;
            return Want::NOTHING;
        }
        self.record.begin(scope);
        self.read(head, scope)
    }

    /// Reads the next bytes.
    fn read(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        match &mut self.phase {
            Phase::Opening(_) | Phase::Done => Want::NOTHING,
            Phase::Meta(walker, meta) => match walker.feed(bytes, meta) {
                Walk::On => Want::ALL,
                Walk::Body(offset) => {
                    let mut head = walker.take_held();
                    self.before = Certainty::Begins;
                    if let Some(transfer) = Transfer::of_uid(&meta.transfer_syntax) {
                        ServiceFacts::add(
                            &mut scope.facts().dicom().transfer_syntaxes,
                            &meta.transfer_syntax,
                        );
                        self.declared = Some(transfer);
                    }
                    head.extend_from_slice(bytes.get(offset..).unwrap_or(&[]));
                    self.open(&head, scope)
                }
                Walk::Stopped => Want::NOTHING,
                Walk::Failed(reason) => self.fail(reason, scope),
            },
            Phase::Body(walker) => {
                let walk = walker.feed(bytes, &mut Recording::new(&mut self.record, scope));
                match walk {
                    Walk::On => Want { skip: walker.take_pass() },
                    end => self.ended(end, scope),
                }
            }
            Phase::Seeking(seek) => match seek.feed(bytes, false) {
                Match::More => Want::ALL,
                Match::No => self.fail(Reason::Gap, scope),
                Match::Yes(rest) => {
                    self.phase = Phase::Body(Box::new(Walker::new(seek.syntax())));
                    self.read(&rest, scope)
                }
            },
            Phase::Deflated(walker, inflater) => {
                let (before, room) = (inflater.given(), scope.work_left());
                let mut recording = Recording::new(&mut self.record, scope);
                let walk = inflater.feed(bytes, room, walker, &mut recording);
                if !scope.spend(inflater.given() - before) {
                    scope.leave(bytes.len() as u64);
                }
                match walk {
                    Walk::On => Want::ALL,
                    end => self.ended(end, scope),
                }
            }
        }
    }

    /// Collects the first bytes, then decides. The rest of the piece is read on.
    fn open(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let in_meta = !matches!(self.phase, Phase::Opening(_));
        if in_meta {
            self.phase = Phase::Opening(Zeroizing::new(Vec::with_capacity(HEAD)));
        }
        let Phase::Opening(head) = &mut self.phase else {
            return Want::NOTHING;
        };
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD - head.len().min(HEAD)));
        head.extend_from_slice(first);
        if head.len() < HEAD {
            return Want::ALL;
        }
        let head = std::mem::take(head);
        let want = self.start(&head, scope);
        self.go_on(want, rest, scope)
    }

    /// Reads `rest` behind bytes that were answered with `want`.
    fn go_on(&mut self, want: Want, rest: &[u8], scope: &mut Scope<'_>) -> Want {
        if rest.is_empty() || want == Want::NOTHING {
            return want;
        }
        match usize::try_from(want.skip).ok().and_then(|skip| rest.get(skip..)) {
            Some(rest) if !rest.is_empty() => self.data(rest, scope),
            _ => Want { skip: want.skip - rest.len() as u64 },
        }
    }

    /// Decides by the available bytes, as the next ones will not come.
    fn decide(&mut self, scope: &mut Scope<'_>) {
        if let Phase::Opening(head) = &mut self.phase {
            let head = std::mem::take(head);
            self.start(&head, scope);
        }
        // Few bytes may also follow the file meta information.
        if let Phase::Opening(head) = &mut self.phase {
            let head = std::mem::take(head);
            self.start_body(&head, scope);
        }
    }

    fn ended(&mut self, walk: Walk, scope: &mut Scope<'_>) -> Want {
        if let Walk::Failed(reason) = walk {
            return self.fail(reason, scope);
        }
        self.record.finish(scope);
        self.phase = Phase::Done;
        Want::NOTHING
    }

    fn fail(&mut self, reason: Reason, scope: &mut Scope<'_>) -> Want {
        scope.give_up(reason);
        self.record.finish(scope);
        self.phase = Phase::Done;
        Want::NOTHING
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        match self.phase {
            Phase::Opening(_) => self.open(bytes, scope),
            _ => self.read(bytes, scope),
        }
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        self.decide(scope);
        match &mut self.phase {
            Phase::Done => Want::NOTHING,
            Phase::Body(walker) => {
                self.record.tear_document(scope);
                if walker.gap(len) {
                    return self.read(&[], scope);
                }
                let seek = Seek::new(walker.syntax(), walker.last_tag());
                self.record.gap(scope);
                self.phase = Phase::Seeking(Box::new(seek));
                Want::ALL
            }
            Phase::Seeking(seek) => {
                seek.gap();
                Want::ALL
            }
            // The start is lost, or the deflated stream is broken.
            Phase::Opening(_) | Phase::Meta(..) | Phase::Deflated(..) => {
                self.fail(Reason::Gap, scope)
            }
        }
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.decide(scope);
        if let Phase::Seeking(seek) = &mut self.phase {
            match seek.feed(&[], true) {
                Match::Yes(rest) => {
                    self.phase = Phase::Body(Box::new(Walker::new(seek.syntax())));
                    self.read(&rest, scope);
                }
                Match::More | Match::No => scope.give_up(Reason::Gap),
            }
        }
        self.record.finish(scope);
        self.phase = Phase::Done;
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.record.memory()
            + match &self.phase {
                Phase::Opening(head) => head.capacity(),
                Phase::Meta(walker, _) | Phase::Body(walker) => {
                    size_of::<Walker>() + walker.memory()
                }
                Phase::Deflated(walker, _) => {
                    size_of::<Walker>() + walker.memory() + Inflater::MEMORY
                }
                Phase::Seeking(seek) => size_of::<Seek>() + seek.memory(),
                Phase::Done => 0,
            }
    }
}

/// Takes the transfer syntax from file meta information.
#[derive(Default)]
struct Meta {
    transfer_syntax: String,
}

impl Visitor for Meta {
    fn element(&mut self, element: &Element) -> Interest {
        match element.tag {
            0x0002_0010 => Interest::Keep(64),
            _ => Interest::Pass,
        }
    }
    fn value(&mut self, element: &Element, bytes: &[u8]) {
        if element.tag == 0x0002_0010 && element.len != UNDEFINED {
            let uid = bytes.iter().filter(|b| b.is_ascii_digit() || **b == b'.');
            self.transfer_syntax = uid.map(|&b| b as char).collect();
        }
    }
    fn part(&mut self, _bytes: &[u8], _last: bool) -> bool {
        false
    }
    fn item_end(&mut self, _depth: usize) {}
    fn limit(&mut self) {}
}

/// Decompresses a data set (RFC 1951, without the zlib wrapper).
struct Inflater {
    state: Decompress,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { state: Decompress::new(false) }
    }
}

impl Inflater {
    /// Window and tables, roughly.
    const MEMORY: usize = 64 << 10;

    /// The syntax of the decompressed `head`, if it begins like a data set.
    fn looks_deflated(head: &[u8]) -> Option<Syntax> {
        let mut out = Zeroizing::new([0u8; HEAD]);
        let mut state = Decompress::new(false);
        // An error behind good bytes is reported when it is reached.
        let _ = state.decompress(head, &mut out[..], FlushDecompress::None);
        let got = usize::try_from(state.total_out()).unwrap_or(0).min(HEAD);
        infer(None, out.get(..got).filter(|o| !o.is_empty())?, Certainty::Nothing)
    }

    /// Decompressed bytes so far.
    fn given(&self) -> u64 {
        self.state.total_out()
    }

    /// Decompresses `bytes`, to little more than `room`.
    fn feed<V: Visitor>(
        &mut self,
        bytes: &[u8],
        room: u64,
        walker: &mut Walker,
        visitor: &mut V,
    ) -> Walk {
        let room = self.given().saturating_add(room);
        let mut rest = bytes;
        let mut out = Zeroizing::new([0u8; INFLATE_STEP]);
        loop {
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(rest, &mut out[..], FlushDecompress::None);
            let taken = (self.state.total_in() - before_in) as usize;
            let made = (self.state.total_out() - before_out) as usize;
            rest = rest.get(taken..).unwrap_or(&[]);
            match walker.feed(out.get(..made).unwrap_or(&[]), visitor) {
                Walk::On => {}
                end => return end,
            }
            if self.given() > MAX_INFLATED {
                return Walk::Failed(Reason::Limit);
            }
            if self.given() > room {
                return Walk::Stopped;
            }
            match status {
                Err(_) => return Walk::Failed(Reason::Malformed),
                Ok(Status::StreamEnd) => return Walk::Stopped,
                // Less than a full buffer: all input is used up.
                Ok(_) if taken == 0 && made == 0 || rest.is_empty() && made < INFLATE_STEP => {
                    return Walk::On;
                }
                Ok(_) => {}
            }
        }
    }
}
