//! SMB 1 (MS-CIFS), 2 and 3 (MS-SMB2) over TCP, with or without NetBIOS sessions (RFC 1002 4.3). Written and read
//! data is passed on file by file, reassembled by handle and offset; encrypted messages are only counted.

mod header;
mod smb1;

#[cfg(test)]
mod tests;

use super::files::{Files, MAX_NAME, Piece, Share};
use super::{
    Authentication, ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use header::{HEADER, Header, handle_at, u16_at, u32_at, u64_at};

/// Longest file name read, bytes of UTF-16.
const MAX_NAME_READ: usize = 4096;
/// Length of the header of a NetBIOS session message.
const FRAME: usize = 4;

/// SMB.
pub struct Smb;

impl Protocol for Smb {
    fn name(&self) -> &'static str {
        "smb"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            return front(data);
        }
        memchr::memmem::find_iter(data, b"SMB")
            .filter_map(|at| at.checked_sub(FRAME + 1))
            .find_map(|offset| match front(data.get(offset..)?) {
                Probe::Yes { speaker, .. } => Some(Probe::Yes { speaker, offset }),
                _ => None,
            })
            .unwrap_or(Probe::No)
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::FileServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<SmbParser>::default()
    }
}

/// Whether a message begins at the front of `data`, and which end sends it.
fn front(data: &[u8]) -> Probe {
    // SESSION REQUEST for two encoded names of 34 bytes (RFC 1002 4.3.2).
    const SESSION_REQUEST: &[u8] = b"\x81\0\0\x44\x20";
    let head = data.get(..SESSION_REQUEST.len()).unwrap_or(data);
    if SESSION_REQUEST.starts_with(head) {
        return if head.len() < SESSION_REQUEST.len() {
            Probe::More
        } else {
            Probe::yes(Speaker::Client)
        };
    }
    if !matches!(data.first(), None | Some(0)) {
        return Probe::No;
    }
    let name = data.get(FRAME + 1..).unwrap_or_default();
    if !b"SMB".starts_with(name.get(..3).unwrap_or(name)) {
        return Probe::No;
    }
    match (data.get(FRAME), data.get(FRAME..)) {
        (Some(0xfe), Some(message)) if message.len() >= HEADER => match Header::parse(message) {
            Some(header) if header.is_response() => Probe::yes(Speaker::Server),
            Some(_) => Probe::yes(Speaker::Client),
            None => Probe::No,
        },
        (None | Some(0xfe), _) => Probe::More,
        (Some(0xff), Some(message)) if message.len() >= 10 => match message.get(9) {
            Some(flags) if flags & 0x80 != 0 => Probe::yes(Speaker::Server),
            _ => Probe::yes(Speaker::Client),
        },
        (Some(0xfd | 0xfc), _) if name.len() >= 3 => Probe::yes(Speaker::Any),
        (Some(0xff | 0xfd | 0xfc), _) => Probe::More,
        _ => Probe::No,
    }
}

/// One direction.
#[derive(Default)]
struct DirectionState {
    /// Bytes of the session message that are not read yet.
    left: usize,
    /// Bytes in front of the piece.
    before: u64,
    piece: Option<Piece>,
    /// Bytes of the SMB message behind the piece.
    behind: u64,
    /// The file of the previous request in a compound.
    related: u32,
    ended: bool,
    /// Encryption or compression was reported.
    odd: bool,
}

/// One connection.
struct SmbParser {
    sides: [DirectionState; 2],
    files: Files,
    /// A share was connected to without encryption.
    clear: bool,
    /// SMB 1 is used.
    old: bool,
    /// The server asks for plaintext passwords (SMB 1).
    plain: bool,
    /// The client named a user (SMB 1).
    named: bool,
    /// The last session is that of a guest, or has no user.
    guest: bool,
}

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::ClientToServer => 0,
        Direction::ServerToClient => 1,
    }
}

impl Default for SmbParser {
    fn default() -> Self {
        Self {
            sides: Default::default(),
            files: Files::new("smb"),
            clear: false,
            old: false,
            plain: false,
            named: false,
            guest: false,
        }
    }
}

impl SmbParser {
    /// Reads the beginning of an SMB message of `size` bytes. Returns where its data is, if it has data of interest.
    /// `file`: the file of the previous request.
    fn message(
        &mut self,
        header: &Header,
        data: &[u8],
        size: usize,
        file: &mut u32,
        sink: &mut dyn ContentSink,
    ) -> Option<(usize, Piece)> {
        let body = data.get(HEADER..)?;
        let tree = (header.session, header.tree);
        let message = header.message;
        let done = header.status == 0;
        if !header.is_response() {
            self.files.asked = true;
        }
        match (header.command, header.is_response()) {
            // SMB2_SESSION_FLAG_IS_GUEST and ..._IS_NULL (2.2.6): any client is accepted.
            (header::SESSION_SETUP, true) if done => {
                self.guest = u16_at(body, 2)? & 3 != 0;
                if !self.guest {
                    sink.facts().shown(Authentication::UserIdentity);
                }
            }
            (header::TREE_CONNECT, false) => {
                self.clear = true;
                let (at, len) = (u16_at(body, 4)?, u16_at(body, 6)?);
                let path = data.get(usize::from(at)..)?.get(..usize::from(len))?;
                let share = Share::new(&header::text(path, MAX_NAME));
                if !share.pipes {
                    ServiceFacts::set(&mut sink.facts().files().path, &share.path(""));
                }
                self.files.tree(message, share);
            }
            // SMB2_SHARE_TYPE_PIPE (2.2.10)
            (header::TREE_CONNECT, true) if done => {
                // Pipes are open to any client; folders need not be (SMB2_SHARE_TYPE_DISK).
                sink.facts().anonymous |= self.guest && body.get(2) == Some(&1);
                self.files.connected(message, header.session, header.tree, body.get(2) == Some(&2));
            }
            (header::CREATE, false) => {
                let (at, len) = (u16_at(body, 44)?, u16_at(body, 46)?);
                let name = data.get(usize::from(at)..).and_then(|n| n.get(..usize::from(len)));
                let name = header::text(name.unwrap_or_default(), MAX_NAME);
                *file = self.files.create(message, tree, name, sink);
            }
            (header::CREATE, true) if header.is_final() => {
                let handle = handle_at(body, 64).filter(|_| done);
                self.files.created(message, handle.map(|h| (header.session, h)), sink);
            }
            (header::CLOSE, false) => {
                let serial = self.file(header, handle_at(body, 8)?, *file, sink);
                self.files.close(message, serial, sink);
            }
            (header::CLOSE, true) if header.is_final() => self.files.closed(message, sink),
            (header::READ, false) => {
                let serial = self.file(header, handle_at(body, 16)?, *file, sink);
                *file = serial;
                self.files.read(message, serial, u64_at(body, 8)?, sink);
            }
            (header::READ, true) if header.is_final() => {
                let (at, len) = (usize::from(*body.get(2)?), u32_at(body, 4)?);
                let filled = done || header.status == header::OVERFLOW;
                let len = if filled { len as usize } else { 0 };
                let piece = self.files.answer(message, len as u64);
                let fits = at >= HEADER + 16 && at.checked_add(len)? <= size;
                return (fits && len > 0).then_some((at, piece));
            }
            (header::WRITE, false) => {
                let serial = self.file(header, handle_at(body, 16)?, *file, sink);
                *file = serial;
                let (at, len) = (usize::from(u16_at(body, 2)?), u32_at(body, 4)? as usize);
                if len == 0 || at < HEADER + 48 || at.checked_add(len)? > size {
                    return None;
                }
                let piece = self.files.write(serial, u64_at(body, 8)?, len as u64, sink);
                return Some((at, piece));
            }
            _ => {}
        }
        None
    }

    /// The file a request is for.
    fn file(
        &mut self,
        header: &Header,
        handle: [u8; 16],
        before: u32,
        sink: &mut dyn ContentSink,
    ) -> u32 {
        if handle == header::RELATED {
            return if header.is_related() { before } else { 0 };
        }
        self.files.find((header.session, handle), header.tree, sink)
    }

    /// The content of a session message: an SMB message whose relevant part is complete, or something to skip.
    fn step(
        &mut self,
        direction: Direction,
        rest: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let side = &mut self.sides[index(direction)];
        let left = side.left;
        let Some(id) = rest.first_chunk::<4>().filter(|_| left >= 4) else {
            if left >= 4 {
                return Ok(Progress::need(0, 4));
            }
            side.left = 0;
            return Ok(Progress::skip(0, left as u64));
        };
        match *id {
            header::SMB2 if left >= HEADER => {}
            header::SMB1 => {
                self.old |= rest.get(4).is_some_and(|c| *c != header::SMB1_NEGOTIATE);
                return self.step_1(direction, rest, sink);
            }
            header::ENCRYPTED | header::COMPRESSED => {
                let encrypted = *id == header::ENCRYPTED;
                // One share may be encrypted beside another that is not.
                if encrypted && !self.clear {
                    return Err(ParseError::new(Reason::Encrypted, 0));
                }
                if !std::mem::replace(&mut side.odd, true) {
                    sink.anomaly(if encrypted { Reason::Encrypted } else { Reason::Unsupported });
                }
                side.left = 0;
                return Ok(Progress::skip(0, left as u64));
            }
            // The answer to SMB_COM_READ_RAW has no header (MS-CIFS 2.2.4.22.2).
            _ if self.old => {
                if !std::mem::replace(&mut side.odd, true) {
                    sink.anomaly(Reason::Unsupported);
                }
                side.left = 0;
                return Ok(Progress::skip(0, left as u64));
            }
            _ => return Err(ParseError::new(Reason::Malformed, 0)),
        }
        if rest.len() < HEADER {
            return Ok(Progress::need(0, HEADER));
        }
        let Some(header) = Header::parse(rest) else {
            return Err(ParseError::new(Reason::Malformed, 0));
        };
        let next = header.next as usize;
        let size = if next == 0 { left } else { next };
        if size < HEADER || size > left {
            return Err(ParseError::new(Reason::Malformed, 20));
        }
        let fixed = header.fixed().map(|f| HEADER + f).filter(|f| *f <= size);
        let mut read = HEADER;
        let mut data = None;
        if let Some(fixed) = fixed {
            read = fixed;
            if rest.len() >= fixed {
                read = named(&header, rest, size).unwrap_or(fixed);
            }
            let Some(head) = rest.get(..read) else { return Ok(Progress::need(0, read)) };
            let mut file = if header.is_related() { side.related } else { 0 };
            data = self.message(&header, head, size, &mut file, sink);
            self.sides[index(direction)].related = file;
        }
        self.sides[index(direction)].left = left - size;
        Ok(self.begin_piece(direction, read, size, data))
    }

    /// `read` bytes of a message of `size` were read. `data`: where its piece of a file begins, if it has one, and
    /// the piece.
    fn begin_piece(
        &mut self,
        direction: Direction,
        read: usize,
        size: usize,
        data: Option<(usize, Piece)>,
    ) -> Progress {
        let side = &mut self.sides[index(direction)];
        let Some((at, piece)) = data else {
            return Progress::skip(read, (size - read) as u64);
        };
        let consumed = read.min(at);
        side.before = (at - consumed) as u64;
        side.behind = (size - at) as u64 - piece.left;
        side.piece = Some(piece);
        Progress::consumed(consumed)
    }

    /// Bytes of the current piece.
    fn piece(&mut self, direction: Direction, rest: &[u8], sink: &mut dyn ContentSink) -> Progress {
        let side = &mut self.sides[index(direction)];
        if side.before > 0 {
            return Progress::skip(0, std::mem::take(&mut side.before));
        }
        let Some(piece) = &mut side.piece else { return Progress::default() };
        let len = usize::try_from(piece.left).unwrap_or(usize::MAX).min(rest.len());
        let bytes = rest.get(..len).unwrap_or(rest);
        let unwanted = self.files.data(piece, bytes, sink);
        if unwanted > 0 {
            self.files.pass(piece, unwanted, sink);
        }
        let mut skip = unwanted;
        if piece.left == 0 {
            side.piece = None;
            skip += std::mem::take(&mut side.behind);
        }
        Progress::skip(len, skip)
    }
}

/// How much of a message is needed for the name in it, if it has one that is read.
fn named(header: &Header, data: &[u8], size: usize) -> Option<usize> {
    let at = match (header.command, header.is_response()) {
        (header::TREE_CONNECT, false) => 4,
        (header::CREATE, false) => 44,
        _ => return None,
    };
    let start = usize::from(u16_at(data, HEADER + at)?);
    let len = usize::from(u16_at(data, HEADER + at + 2)?);
    let fixed = HEADER + header.fixed()?;
    (len <= MAX_NAME_READ && start + len <= size && start + len > fixed).then_some(start + len)
}

impl Parser for SmbParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let side = &mut self.sides[index(direction)];
        if side.piece.is_some() {
            return Ok(self.piece(direction, data, sink));
        }
        if side.left > 0 {
            let step = self.step(direction, data, sink);
            if step.is_err() {
                self.end(direction, sink);
            }
            return step;
        }
        let Some((&[kind, high, middle, low], _)) = data.split_first_chunk::<FRAME>() else {
            return Ok(Progress::need(0, FRAME));
        };
        let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        match kind {
            0 => {
                side.left = len;
                side.related = 0;
                Ok(Progress::consumed(FRAME))
            }
            // Session request, its responses, and keep-alive (RFC 1002 4.3.1).
            0x81..=0x85 => Ok(Progress::skip(FRAME, len as u64)),
            _ => {
                self.end(direction, sink);
                Err(ParseError::new(Reason::Malformed, 0))
            }
        }
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let side = &mut self.sides[index(direction)];
        let before = std::mem::take(&mut side.before);
        if let Some(piece) = &mut side.piece {
            let lost = len.saturating_sub(before);
            let inside = lost <= piece.left;
            self.files.lose(piece, lost, sink);
            if inside && before <= len {
                let mut skip = 0;
                if piece.left == 0 {
                    side.piece = None;
                    skip = std::mem::take(&mut side.behind);
                }
                return Resync::Known { skip };
            }
        }
        *side = DirectionState { odd: side.odd, ..DirectionState::default() };
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        memchr::memmem::find_iter(data, b"SMB")
            .filter_map(|at| at.checked_sub(FRAME + 1))
            .find(|at| matches!(data.get(*at..).map(front), Some(Probe::Yes { .. })))
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.end(direction, sink);
    }

    fn memory(&self) -> usize {
        self.files.memory()
    }
}

impl SmbParser {
    /// Nothing more is read of a direction.
    fn end(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        self.sides[index(direction)] = DirectionState { ended: true, ..DirectionState::default() };
        // The other direction may show where held bytes belong.
        if self.sides.iter().all(|side| side.ended) {
            self.files.finish(sink);
        }
    }
}
