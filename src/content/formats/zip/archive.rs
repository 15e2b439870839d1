//! Reads an archive from the front, member by member, as its bytes arrive. The central directory is at the end, too
//! late to be used.

use super::header::{self, Header, Method, Parsed};
use super::member::Member;
use super::office::Office;
use crate::content::stack::{INFLATER, OPENING};
use crate::content::{Document, Ending, Reason, Scope, Want};
use crate::protocol::bomb::is_bomb;
use crate::protocol::encrypted::Encryption;
use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;

/// Members that are read.
const MAX_MEMBERS: usize = 20_000;

/// Bytes decompressed at a time; on the stack.
const PIECE: usize = 16 << 10;

/// The signature of a local file header (4.3.7).
const HEADER: &[u8] = b"PK\x03\x04";

/// Bytes of a data descriptor that are compared (4.3.9): signature, CRC, size.
const DESCRIPTOR: usize = 12;

/// An archive.
pub(super) struct Archive {
    state: State,
    /// The incomplete beginning of a header or of a signature.
    held: Vec<u8>,
    members: usize,
    taken: u64,
    given: u64,
    office: Office,
}

enum State {
    /// Between members: searching for the next header.
    Seek,
    /// In an unwanted member: this many bytes of it are left.
    Pass(u64),
    Stored(Member, DataEnd),
    Deflated(Member, Box<Decompress>, Option<u64>),
    Done,
}

/// End of a stored member.
enum DataEnd {
    /// Bytes left.
    Left(u64),
    /// Bytes so far; the size follows them.
    Described(u64),
}

impl Archive {
    /// `layer`: name of the archive itself in `phi.carrier`.
    pub(super) fn new(layer: &'static str, path: Option<Box<str>>) -> Self {
        Self {
            state: State::Seek,
            held: Vec::new(),
            members: 0,
            taken: 0,
            given: 0,
            office: Office::new(layer, path),
        }
    }

    fn is_bomb(&self) -> bool {
        is_bomb(self.taken, self.given)
    }

    /// Reads `data` as far as possible. Returns how much of it is done.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> usize {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let (used, go_on) = self.step(rest, scope);
            at += used;
            if !go_on {
                return at;
            }
        }
    }

    /// One step. Returns how much of `data` it used, and whether another one may follow.
    fn step(&mut self, data: &[u8], scope: &mut Scope<'_>) -> (usize, bool) {
        match std::mem::replace(&mut self.state, State::Seek) {
            State::Seek => match header::parse(data) {
                Parsed::Header(header, len) => {
                    self.open(&header, scope);
                    (len, true)
                }
                Parsed::End => {
                    self.state = State::Done;
                    (data.len(), false)
                }
                Parsed::Short => (0, false),
                Parsed::Nothing => {
                    let behind = data.get(1..).unwrap_or_default();
                    let next = memmem::find(behind, b"PK");
                    (1 + next.unwrap_or(behind.len().saturating_sub(1)), true)
                }
            },
            State::Done => {
                self.state = State::Done;
                (data.len(), false)
            }
            State::Pass(left) => self.pass(data, left, scope),
            State::Stored(mut member, DataEnd::Left(left)) => {
                let here = left.min(data.len() as u64);
                let mine = data.get(..here as usize).unwrap_or_default();
                member.data(mine, &mut self.office, scope);
                if here == left {
                    member.end(Ending::Complete, &mut self.office, scope);
                } else if member.is_passed() {
                    self.state = State::Pass(left - here);
                } else {
                    self.state = State::Stored(member, DataEnd::Left(left - here));
                }
                (here as usize, here == left)
            }
            State::Stored(member, DataEnd::Described(so_far)) => {
                self.described(data, member, so_far, scope)
            }
            State::Deflated(member, inflater, size) => {
                self.inflate(data, member, inflater, size, scope)
            }
        }
    }

    /// Skips a member with `left` bytes to come. Programs that unpack an archive use its central directory: a header
    /// in between shows that the size was too large.
    fn pass(&mut self, data: &[u8], left: u64, scope: &mut Scope<'_>) -> (usize, bool) {
        let here = left.min(data.len() as u64) as usize;
        // A signature may begin in the last bytes of the member and go beyond them.
        let most = (here + HEADER.len() - 1).min(data.len());
        let mine = data.get(..most).unwrap_or_default();
        if let Some(at) = memmem::find(mine, HEADER) {
            scope.skipped(at as u64);
            return (at, true);
        }
        let begins = |len: &usize| mine.ends_with(HEADER.get(..*len).unwrap_or(HEADER));
        let begun = (1..HEADER.len()).rev().find(begins).unwrap_or(0);
        let sure = (mine.len() - begun).min(here);
        scope.skipped(sure as u64);
        match left - sure as u64 {
            0 => (sure, true),
            left => {
                self.state = State::Pass(left);
                (sure, false)
            }
        }
    }

    /// Opens the member behind a header.
    fn open(&mut self, header: &Header, scope: &mut Scope<'_>) {
        self.members += 1;
        if self.members > MAX_MEMBERS {
            scope.give_up(Reason::Limit);
            self.state = State::Done;
            return;
        }
        let size = header.size;
        let reason = match header.method {
            _ if header.encryption == Encryption::Encrypted => Some(Reason::Encrypted),
            Method::Other if size != Some(0) => Some(Reason::Unsupported),
            // Only its decoder could find its end.
            Method::Coded(_) if size.is_none() => Some(Reason::Unsupported),
            _ => None,
        };
        // A deflated member costs as much to set up, however short it is.
        let costs = if matches!(header.method, Method::Deflated) { INFLATER } else { OPENING };
        let reason = reason.or_else(|| (!scope.spend(costs)).then_some(Reason::Budget));
        if let Some(reason) = reason {
            scope.give_up(reason);
        }
        let member = match (reason, header.method) {
            (None, Method::Coded(coding)) => self.office.coded(&header.name, coding, scope),
            (None, _) => self.office.member(&header.name, scope),
            (Some(_), _) => Member::Passed,
        };
        // Without a known length, it ends where the next header is found.
        let passed = size.map_or(State::Seek, State::Pass);
        self.state = match header.method {
            _ if size == Some(0) || member.is_passed() => passed,
            Method::Stored => {
                State::Stored(member, size.map_or(DataEnd::Described(0), DataEnd::Left))
            }
            Method::Deflated => State::Deflated(member, Box::new(Decompress::new(false)), size),
            Method::Coded(_) => {
                size.map_or(passed, |size| State::Stored(member, DataEnd::Left(size)))
            }
            Method::Other => passed,
        };
    }

    /// A stored member whose size follows it: its descriptor has that very size.
    fn described(
        &mut self,
        data: &[u8],
        mut member: Member,
        mut so_far: u64,
        scope: &mut Scope<'_>,
    ) -> (usize, bool) {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let hit = memmem::find(rest, b"PK\x07\x08");
            let sure = hit.unwrap_or(rest.len().saturating_sub(3));
            member.data(rest.get(..sure).unwrap_or_default(), &mut self.office, scope);
            so_far += sure as u64;
            at += sure;
            let rest = rest.get(sure..).unwrap_or_default();
            match rest.get(8..DESCRIPTOR) {
                Some(size) if hit.is_some() => {
                    if size == (so_far as u32).to_le_bytes() {
                        member.end(Ending::Complete, &mut self.office, scope);
                        return (at + DESCRIPTOR, true);
                    }
                    member.data(rest.get(..1).unwrap_or_default(), &mut self.office, scope);
                    so_far += 1;
                    at += 1;
                }
                _ => {
                    self.state = State::Stored(member, DataEnd::Described(so_far));
                    return (at, false);
                }
            }
        }
    }

    fn inflate(
        &mut self,
        data: &[u8],
        mut member: Member,
        mut inflater: Box<Decompress>,
        size: Option<u64>,
        scope: &mut Scope<'_>,
    ) -> (usize, bool) {
        let mut piece = [0; PIECE];
        let mut at = 0;
        loop {
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let rest = data.get(at..).unwrap_or_default();
            let status = inflater.decompress(rest, &mut piece, FlushDecompress::None);
            let used = (inflater.total_in() - before_in) as usize;
            let made = (inflater.total_out() - before_out) as usize;
            at += used;
            self.given += made as u64;
            let paid = scope.spend(made as u64);
            scope.unpacked(|scope| {
                member.data(piece.get(..made).unwrap_or_default(), &mut self.office, scope);
            });
            let left = size.map(|size| size.saturating_sub(inflater.total_in()));
            let passed = left.map_or(State::Seek, State::Pass);
            match status {
                // Bytes beyond its end that the header counts to the member do not belong to it.
                Ok(Status::StreamEnd) => member.end(Ending::Complete, &mut self.office, scope),
                Err(_) => {
                    scope.give_up(Reason::Malformed);
                    member.end(Ending::Cut, &mut self.office, scope);
                    self.state = passed;
                }
                Ok(_) if self.is_bomb() || !paid => {
                    if paid {
                        scope.give_up(Reason::Limit);
                    } else {
                        scope.leave(rest.len() as u64);
                    }
                    member.end(Ending::Cut, &mut self.office, scope);
                    self.state = State::Done;
                }
                Ok(_) if member.is_passed() => self.state = passed,
                Ok(_) if used == 0 && made == 0 => {
                    self.state = State::Deflated(member, inflater, size);
                    return (at, false);
                }
                Ok(_) => continue,
            }
            return (at, true);
        }
    }
}

impl Document for Archive {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.taken += bytes.len() as u64;
        if self.held.is_empty() {
            let used = self.read(bytes, scope);
            self.held.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(bytes);
            let used = self.read(&joined, scope);
            joined.drain(..used.min(joined.len()));
            self.held = joined;
        }
        match &self.state {
            State::Done => Want::NOTHING,
            _ => Want::ALL,
        }
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.held.clear();
        match std::mem::replace(&mut self.state, State::Seek) {
            State::Stored(mut member, _) | State::Deflated(mut member, ..) => {
                member.end(Ending::Cut, &mut self.office, scope);
            }
            State::Done => return Want::NOTHING,
            State::Seek | State::Pass(_) => {}
        }
        // The next header is found behind it.
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let State::Stored(mut member, _) | State::Deflated(mut member, ..) =
            std::mem::replace(&mut self.state, State::Done)
        {
            member.end(Ending::Cut, &mut self.office, scope);
        }
        scope.unpacked(|scope| self.office.end(ending, scope));
    }

    fn memory(&self) -> usize {
        let member = match &self.state {
            State::Stored(member, _) => member.memory(),
            State::Deflated(member, ..) => member.memory() + (48 << 10),
            State::Seek | State::Pass(_) | State::Done => 0,
        };
        self.held.capacity() + member + self.office.memory()
    }
}
