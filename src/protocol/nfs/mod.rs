//! NFS 2, 3 and 4 over ONC RPC, on TCP (record marking, RFC 5531 11) and UDP. Written and read data is reassembled
//! file by file, by handle and offset; names come from look-ups. NFS 2 and 3 never close a file, so a committed file
//! is complete when the client turns to another one.

mod compound;
mod message;
mod rpc;
mod xdr;

#[cfg(test)]
mod tests;

use super::datagrams::{frame_datagram, framed_datagram};
use super::files::{Files, Piece};
use super::{
    Authentication, ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use crate::syntax::ElementError;
use message::{DataOf, Message, PendingCall, Step};
use rpc::Protection;
use std::collections::BTreeMap;

/// Longest file handle, bytes (RFC 7530 4.2.1).
const MAX_HANDLE: usize = 128;
/// Longest record and fragment, bytes: servers offer transfers of 1 MiB, some of 16.
const MAX_RECORD: usize = (16 << 20) + (64 << 10);
/// Most bytes of a record in front of the file bytes.
const MAX_HEAD: usize = 64 << 10;
/// Calls without a reply that are remembered.
const MAX_ASKED: usize = 1024;
/// Length of a record mark.
const MARK: usize = 4;
/// Bytes of a call that show its program.
const CALL: usize = 20;
/// Length of a reply that shows success, without credentials (RFC 5531 9).
const REPLY: &[u8] = b"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// NFS.
pub struct Nfs;

impl Protocol for Nfs {
    fn name(&self) -> &'static str {
        "nfs"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            return front(data);
        }
        match boundary(data) {
            Some((offset, speaker)) => Probe::Yes { speaker, offset },
            None => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let found = matches!(call(data), Probe::Yes { .. });
        if found {
            frame_datagram(data, frame);
        }
        found
    }

    fn owns_datagrams(&self) -> bool {
        true
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::FileServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(NfsParser {
            framing: None,
            sides: Default::default(),
            files: Files::new("nfs"),
            asked: BTreeMap::new(),
            closed: false,
        })
    }
}

/// Whether a call of NFS or MOUNT begins at the front of `data`, without a record mark.
fn call(data: &[u8]) -> Probe {
    let head = data.get(..CALL).unwrap_or(data);
    let word =
        |at: usize| -> Option<u32> { Some(u32::from_be_bytes(*head.get(at..)?.first_chunk()?)) };
    let begins = |at: usize, with: &[u8]| {
        let have = head.get(at..).unwrap_or_default();
        let len = have.len().min(with.len());
        have.get(..len) == with.get(..len)
    };
    if !begins(4, b"\0\0\0\0\0\0\0\x02\0\x01\x86") {
        return Probe::No;
    }
    match (word(12), word(16)) {
        (Some(rpc::NFS), Some(2..=4)) | (Some(rpc::MOUNT), Some(1..=3)) => {
            Probe::yes(Speaker::Client)
        }
        (Some(rpc::NFS | rpc::MOUNT) | None, None) => Probe::More,
        _ => Probe::No,
    }
}

/// Whether a record begins at the front of `data`, and which end sends it.
fn front(data: &[u8]) -> Probe {
    // The last fragment, with a length below 32 MiB; or a datagram in its frame.
    let Some(first) = data.first() else { return Probe::More };
    if !matches!(first, 0x80 | 0x81) {
        return match framed_datagram(data) {
            Some((datagram, _)) if datagram.len() >= CALL => call(datagram),
            _ => Probe::No,
        };
    }
    let Some((mark, record)) = data.split_first_chunk::<MARK>() else { return Probe::More };
    let len = (u32::from_be_bytes(*mark) & 0x7fff_ffff) as usize;
    if !(CALL..=MAX_RECORD).contains(&len) {
        return Probe::No;
    }
    match call(record) {
        Probe::No => reply(record, len),
        answer => answer,
    }
}

/// Whether a record of `len` bytes is a reply with the bytes of a file.
fn reply(record: &[u8], len: usize) -> Probe {
    let head = record.get(4..).unwrap_or_default();
    let head = head.get(..REPLY.len()).unwrap_or(head);
    if !REPLY.starts_with(head) {
        return Probe::No;
    }
    match Message::is_read_reply(record.get(..len).unwrap_or(record), len) {
        Ok(true) => Probe::yes(Speaker::Server),
        Err(ElementError::Need(need)) if need <= len && need <= MAX_HEAD => Probe::More,
        Ok(false) | Err(_) => Probe::No,
    }
}

/// The first unmistakable record in `data`, and which end sends it.
fn boundary(data: &[u8]) -> Option<(usize, Speaker)> {
    // Bytes of a call and of a reply behind the transaction id.
    const CALLS: &[u8] = b"\0\0\0\0\0\0\0\x02\0\x01\x86";
    let of = |needle: &'static [u8]| {
        memchr::memmem::find_iter(data, needle).filter_map(|at| at.checked_sub(MARK + 4)).find_map(
            |at| match front(data.get(at..)?) {
                Probe::Yes { speaker, .. } => Some((at, speaker)),
                _ => None,
            },
        )
    };
    match (of(CALLS), of(REPLY)) {
        (Some(call), Some(reply)) => Some(if call.0 <= reply.0 { call } else { reply }),
        (call, reply) => call.or(reply),
    }
}

/// Framing of records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// By marks, in a stream.
    Marks,
    /// Each is a datagram, in a frame of the driver.
    Datagrams,
}

/// Position of a direction in a record.
enum Place {
    /// At the front; the bytes of earlier fragments, and how many are needed.
    Head(Vec<u8>, usize),
    /// In the bytes of a file.
    Data(Piece),
    /// In bytes to skip.
    Rest,
}

struct DirectionState {
    /// Remaining bytes of the fragment.
    fragment: usize,
    /// It is the last of its record.
    last: bool,
    place: Place,
    ended: bool,
}

impl Default for DirectionState {
    fn default() -> Self {
        Self { fragment: 0, last: true, place: Place::Head(Vec::new(), 0), ended: false }
    }
}

/// One flow.
struct NfsParser {
    framing: Option<Framing>,
    sides: [DirectionState; 2],
    files: Files,
    /// Calls by their numbers.
    asked: BTreeMap<u32, PendingCall>,
    /// Encrypted calls were reported.
    closed: bool,
}

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::ClientToServer => 0,
        Direction::ServerToClient => 1,
    }
}

impl NfsParser {
    /// Processes a message. Returns the file bytes that follow.
    fn apply(&mut self, message: Message, sink: &mut dyn ContentSink) -> Option<(usize, Piece)> {
        let xid = u64::from(message.xid);
        if let Some(protection) = message.protection {
            self.protected(protection, sink);
        }
        if let Some(asked) = message.asked {
            if self.asked.len() >= MAX_ASKED {
                self.asked.pop_first();
            }
            self.asked.insert(message.xid, asked);
        }
        if message.call {
            self.files.asked = true;
            let serial = self.turns_to(&message, sink);
            self.files.turn_to(serial, sink);
        }
        let answered = match message.call {
            true => None,
            false => self.asked.remove(&message.xid),
        };
        let answers = answered.is_some();
        // AUTH_SYS only claims who asks (RFC 5531 section 14), and what is mounted without Kerberos is read by anybody.
        let reads = message
            .data
            .as_ref()
            .is_some_and(|data| matches!(data.of, DataOf::Read { .. }) && data.len > 0);
        if reads && answered.is_some_and(|call| call.protection == Protection::None) {
            sink.facts().served();
        }
        let (mut commit, mut found) = (None, false);
        for step in message.steps {
            match step {
                Step::Lookup(name) => self.files.lookup(xid, name, sink),
                Step::Found(handle) => {
                    found = true;
                    self.files.found(xid, handle, sink);
                }
                Step::Read(handle, at) => {
                    let serial = self.files.find(handle, 0, sink);
                    self.files.read(xid, serial, at, sink);
                }
                Step::Commit(handle) => commit = Some(self.files.find(handle, 0, sink)),
                Step::Close(handle) => {
                    let serial = self.files.find(handle, 0, sink);
                    self.files.settle(serial);
                    self.files.turn_to(0, sink);
                }
                Step::Mount(path) => {
                    let path = super::http::mask_path(&path);
                    ServiceFacts::set(&mut sink.facts().files().path, &path);
                }
            }
        }
        if let Some(serial) = commit {
            self.files.settle(serial);
        }
        match message.data {
            Some(data) => {
                let len = data.len as u64;
                let piece = match data.of {
                    DataOf::Write(handle, at) => {
                        let serial = self.files.find(handle, 0, sink);
                        self.files.write(serial, at, len, sink)
                    }
                    DataOf::Read { end } => {
                        if end {
                            self.files.ends(xid, len, sink);
                        }
                        self.files.answer(xid, len)
                    }
                };
                (data.len > 0).then_some((data.at, piece))
            }
            None => {
                if answers && !found {
                    self.files.refused(xid);
                }
                None
            }
        }
    }

    /// The file that a call continues with; 0 if none.
    fn turns_to(&mut self, message: &Message, sink: &mut dyn ContentSink) -> u32 {
        let handle = match (&message.data, message.steps.first()) {
            (Some(message::Data { of: DataOf::Write(handle, _), .. }), _) => *handle,
            (_, Some(Step::Commit(handle) | Step::Close(handle) | Step::Read(handle, _))) => {
                *handle
            }
            _ => return 0,
        };
        self.files.find(handle, 0, sink)
    }

    fn protected(&mut self, protection: Protection, sink: &mut dyn ContentSink) {
        match protection {
            Protection::None => {}
            Protection::Proven | Protection::Integrity => {
                sink.facts().shown(Authentication::UserIdentity);
            }
            Protection::Closed(data) => {
                if data && !std::mem::replace(&mut self.closed, true) {
                    sink.facts().shown(Authentication::UserIdentity);
                    sink.anomaly(Reason::Encrypted);
                }
            }
        }
    }

    fn read(&self, record: &[u8], size: Option<usize>) -> Result<Message, ElementError> {
        Message::read(record, size, |xid| self.asked.get(&xid).copied())
    }

    // --- streams -----------------------------------------------------------------------------

    fn stream(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let side = &mut self.sides[index(direction)];
        if side.fragment == 0 {
            let Some((mark, _)) = data.split_first_chunk::<MARK>() else {
                return Ok(Progress::need(0, MARK));
            };
            let mark = u32::from_be_bytes(*mark);
            let len = (mark & 0x7fff_ffff) as usize;
            if len > MAX_RECORD {
                self.end(direction, sink);
                return Err(ParseError::new(Reason::Malformed, 0));
            }
            if side.last {
                // Announced bytes that did not arrive count as missing.
                if let Place::Data(piece) = &mut side.place {
                    self.files.lose(piece, u64::MAX, sink);
                }
                side.place = Place::Head(Vec::new(), 0);
            }
            (side.fragment, side.last) = (len, mark >> 31 == 1);
            return Ok(Progress::consumed(MARK));
        }
        match &mut side.place {
            Place::Rest => {
                let left = std::mem::take(&mut side.fragment);
                Ok(Progress::skip(0, left as u64))
            }
            Place::Data(_) => Ok(self.piece(direction, data, sink)),
            Place::Head(before, _) => {
                let whole = before.is_empty() && side.last;
                Ok(if whole {
                    self.head(direction, data, sink)
                } else {
                    self.fragments(direction, data, sink)
                })
            }
        }
    }

    /// The front of a record that is all in one fragment.
    fn head(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) -> Progress {
        let fragment = self.sides[index(direction)].fragment;
        let record = data.get(..fragment).unwrap_or(data);
        let found = match self.read(record, Some(fragment)) {
            Ok(message) => self.apply(message, sink),
            Err(ElementError::Need(need)) if need <= fragment.min(MAX_HEAD) => {
                return Progress::need(0, need);
            }
            Err(_) => {
                sink.anomaly(Reason::Malformed);
                None
            }
        };
        let side = &mut self.sides[index(direction)];
        match found {
            Some((at, piece)) => {
                side.fragment -= at;
                side.place = Place::Data(piece);
                Progress::consumed(at)
            }
            None => {
                side.fragment = 0;
                Progress::skip(0, fragment as u64)
            }
        }
    }

    /// The front of a record that is spread over fragments.
    fn fragments(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Progress {
        let side = &mut self.sides[index(direction)];
        let Place::Head(before, need) = &mut side.place else { return Progress::default() };
        let wanted = (*need).max(1).saturating_sub(before.len()).max(1);
        let len = wanted.min(side.fragment).min(data.len());
        before.extend_from_slice(data.get(..len).unwrap_or_default());
        side.fragment -= len;
        if before.len() < *need {
            return Progress::consumed(len);
        }
        let record = std::mem::take(before);
        let place = match self.read(&record, None) {
            Ok(message) => match self.apply(message, sink) {
                Some((_, piece)) => Place::Data(piece),
                None => Place::Rest,
            },
            Err(ElementError::Need(need)) if need <= MAX_HEAD => Place::Head(record, need),
            Err(_) => {
                sink.anomaly(Reason::Malformed);
                Place::Rest
            }
        };
        self.sides[index(direction)].place = place;
        Progress::consumed(len)
    }

    /// Bytes of a file.
    fn piece(&mut self, direction: Direction, data: &[u8], sink: &mut dyn ContentSink) -> Progress {
        let side = &mut self.sides[index(direction)];
        let Place::Data(piece) = &mut side.place else { return Progress::default() };
        let left = usize::try_from(piece.left).unwrap_or(usize::MAX);
        let len = left.min(side.fragment).min(data.len());
        let unwanted = self.files.data(piece, data.get(..len).unwrap_or(data), sink);
        side.fragment -= len;
        let skip = unwanted.min(side.fragment as u64);
        if skip > 0 {
            self.files.pass(piece, skip, sink);
            side.fragment -= usize::try_from(skip).unwrap_or(side.fragment);
        }
        if piece.left == 0 {
            side.place = Place::Rest;
        }
        Progress::skip(len, skip)
    }

    // --- datagrams ---------------------------------------------------------------------------

    fn datagram(&mut self, record: &[u8], sink: &mut dyn ContentSink) {
        match self.read(record, Some(record.len())) {
            Ok(message) => {
                if let Some((at, mut piece)) = self.apply(message, sink) {
                    let bytes = record.get(at..).unwrap_or_default();
                    let len = usize::try_from(piece.left).unwrap_or(usize::MAX).min(bytes.len());
                    self.files.data(&mut piece, bytes.get(..len).unwrap_or(bytes), sink);
                }
            }
            Err(_) => sink.anomaly(Reason::Malformed),
        }
    }

    /// Nothing more is read of a direction.
    fn end(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        self.sides[index(direction)] = DirectionState { ended: true, ..DirectionState::default() };
        // The other direction may show where held bytes belong.
        if self.sides.iter().all(|side| side.ended) {
            self.files.turn_to(0, sink);
            self.files.finish(sink);
        }
    }
}

impl Parser for NfsParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let framing = match self.framing {
            Some(framing) => framing,
            None if data.len() < 2 + CALL => return Ok(Progress::need(0, 2 + CALL)),
            None => {
                let datagram = matches!(data.get(2..).map(call), Some(Probe::Yes { .. }));
                let framing = if datagram { Framing::Datagrams } else { Framing::Marks };
                *self.framing.insert(framing)
            }
        };
        if framing == Framing::Marks {
            return self.stream(direction, data, sink);
        }
        let mut at = 0;
        while let Some((record, len)) = data.get(at..).and_then(framed_datagram) {
            self.datagram(record, sink);
            at += len;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if self.framing == Some(Framing::Datagrams) {
            // Datagrams are either complete or missing.
            return Resync::Known { skip: 0 };
        }
        let side = &mut self.sides[index(direction)];
        let lost = usize::try_from(len).unwrap_or(usize::MAX);
        if let Place::Data(piece) = &mut side.place {
            let inside = len <= piece.left && lost <= side.fragment;
            self.files.lose(piece, len, sink);
            if inside {
                side.fragment -= lost;
                if piece.left == 0 {
                    side.place = Place::Rest;
                }
                return Resync::Known { skip: 0 };
            }
        }
        *side = DirectionState::default();
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        match direction {
            Direction::ClientToServer => boundary(data).map(|(at, _)| at),
            // Any reply counts, since the calls are known.
            Direction::ServerToClient => memchr::memmem::find_iter(data, REPLY)
                .filter_map(|at| at.checked_sub(MARK + 4))
                .find(|at| match data.get(*at..).and_then(|d| d.first_chunk::<MARK>()) {
                    Some(mark @ [0x80 | 0x81, ..]) => {
                        let len = (u32::from_be_bytes(*mark) & 0x7fff_ffff) as usize;
                        (CALL..=MAX_RECORD).contains(&len)
                    }
                    _ => false,
                }),
        }
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.end(direction, sink);
    }

    fn memory(&self) -> usize {
        let head = |side: &DirectionState| match &side.place {
            Place::Head(before, _) => before.capacity(),
            _ => 0,
        };
        self.files.memory()
            + self.asked.len() * (size_of::<(u32, PendingCall)>() + 16)
            + self.sides.iter().map(head).sum::<usize>()
    }
}
