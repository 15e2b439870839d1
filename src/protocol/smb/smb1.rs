//! Messages of SMB 1 (MS-CIFS, MS-SMB): opening, reading and writing files, by the commands of Windows NT (`*_ANDX`)
//! and by the older ones, which old devices still use. Numbers are little-endian.

use super::header::{self, u16_at, u32_at};
use super::{SmbParser, index};
use crate::protocol::files::{Handle, MAX_NAME, Piece, Share};
use crate::protocol::{
    Authentication, ContentSink, Direction, ParseError, Progress, Reason, ServiceFacts,
};

/// Length of the header (MS-CIFS 2.2.3.1).
const HEADER: usize = 32;
/// Most bytes of a message that are read for names; data follows.
const MAX_READ: usize = 4096;
/// Commands chained in a message.
const MAX_CHAIN: usize = 4;
/// In place of a handle: the one of the command before in the message.
const SAME: u16 = 0xffff;

/// Commands (MS-CIFS 2.2.2.1).
const OPEN: u8 = 0x02;
const CREATE: u8 = 0x03;
const CLOSE: u8 = 0x04;
const READ: u8 = 0x0a;
const WRITE: u8 = 0x0b;
const CREATE_NEW: u8 = 0x0f;
const WRITE_AND_CLOSE: u8 = 0x2c;
const OPEN_ANDX: u8 = 0x2d;
const READ_ANDX: u8 = 0x2e;
const WRITE_ANDX: u8 = 0x2f;
const TREE_CONNECT: u8 = 0x70;
const SESSION_SETUP_ANDX: u8 = 0x73;
const TREE_CONNECT_ANDX: u8 = 0x75;
const NT_CREATE_ANDX: u8 = 0xa2;
const OPEN_PRINT: u8 = 0xc0;
const WRITE_PRINT: u8 = 0xc1;
const CLOSE_PRINT: u8 = 0xc2;

/// The fields of the header that are used.
#[derive(Clone, Copy)]
struct Header {
    command: u8,
    done: bool,
    response: bool,
    unicode: bool,
    tree: u16,
    message: u64,
}

impl Header {
    fn parse(data: &[u8]) -> Option<Self> {
        let flags2 = u16_at(data, 10)?;
        let process = u64::from(u16_at(data, 12)?) << 16 | u64::from(u16_at(data, 26)?);
        Some(Self {
            command: *data.get(4)?,
            // STATUS_BUFFER_OVERFLOW, or ERRmoredata of DOS: there is more than was read.
            done: matches!(u32_at(data, 5)?, 0 | header::OVERFLOW | 0x00ea_0001),
            response: data.get(9)? & 0x80 != 0,
            unicode: flags2 & 0x8000 != 0,
            tree: u16_at(data, 24)?,
            message: process << 16 | u64::from(u16_at(data, 30)?),
        })
    }

    /// How much of a message is read: the part that may hold a name, or everything in front of its data.
    fn wanted(&self, words: usize) -> usize {
        let fixed = HEADER + 1 + words + 2;
        match (self.command, self.response) {
            (READ_ANDX, true) | (WRITE_ANDX, false) => fixed,
            (READ, true) | (WRITE | WRITE_PRINT, false) => fixed + 3,
            (WRITE_AND_CLOSE, false) => fixed + 1,
            (
                header::SMB1_NEGOTIATE
                | OPEN
                | CREATE
                | CREATE_NEW
                | CLOSE
                | OPEN_ANDX
                | READ
                | READ_ANDX
                | TREE_CONNECT
                | SESSION_SETUP_ANDX
                | TREE_CONNECT_ANDX
                | NT_CREATE_ANDX
                | OPEN_PRINT
                | CLOSE_PRINT
                | WRITE_AND_CLOSE,
                _,
            ) => MAX_READ,
            _ => fixed,
        }
    }
}

/// A command with its parameters.
#[derive(Clone, Copy)]
struct Command<'a> {
    code: u8,
    words: &'a [u8],
    /// Offset of its bytes in the message.
    at: usize,
    /// The part of the message that was read.
    message: &'a [u8],
    head: Header,
}

impl<'a> Command<'a> {
    fn parse(code: u8, at: usize, message: &'a [u8], head: Header) -> Option<Self> {
        let count = 2 * usize::from(*message.get(at)?);
        let words = message.get(at + 1..at + 1 + count)?;
        Some(Self { code, words, at: at + 1 + count + 2, message, head })
    }

    fn word(&self, at: usize) -> Option<u16> {
        u16_at(self.words, at)
    }

    fn long(&self, at: usize) -> Option<u64> {
        u32_at(self.words, at).map(u64::from)
    }

    /// The chained command behind it, if there is one.
    fn next(&self) -> Option<Self> {
        let chained = matches!(
            self.code,
            OPEN_ANDX
                | READ_ANDX
                | WRITE_ANDX
                | SESSION_SETUP_ANDX
                | TREE_CONNECT_ANDX
                | NT_CREATE_ANDX
        );
        let code = *self.words.first()?;
        let at = usize::from(self.word(2)?);
        // Only forward, so that the chain ends. Each command has a number of its own.
        let head = Header { message: self.head.message + (1 << 48), ..self.head };
        (chained && code != 0xff && at >= self.at)
            .then(|| Self::parse(code, at, self.message, head))?
    }

    /// A string at `at` in the message; UTF-16 begins at an even offset.
    fn string(&self, at: usize) -> String {
        let rest = self.message.get(at..).unwrap_or_default();
        if !self.head.unicode {
            let end = memchr::memchr(0, rest).unwrap_or(rest.len()).min(MAX_NAME);
            return String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
        }
        let rest = self.message.get(at.next_multiple_of(2)..).unwrap_or_default();
        let end = rest.chunks_exact(2).position(|c| c == [0, 0]).map_or(rest.len(), |n| 2 * n);
        header::text(rest.get(..end).unwrap_or_default(), MAX_NAME)
    }

    /// The name of the file to open.
    fn name(&self) -> Option<String> {
        match self.code {
            // Buffer format 4 is a string (MS-CIFS 2.2.1.1.1).
            OPEN | CREATE | CREATE_NEW | OPEN_PRINT => Some(self.string(self.at + 1)),
            OPEN_ANDX | NT_CREATE_ANDX => Some(self.string(self.at)),
            _ => None,
        }
    }

    /// The handle of the opened file.
    fn opened(&self) -> Option<u16> {
        match self.code {
            OPEN | CREATE | CREATE_NEW | OPEN_PRINT => self.word(0),
            OPEN_ANDX => self.word(4),
            NT_CREATE_ANDX => self.word(5),
            _ => None,
        }
    }

    /// The bytes it writes: handle, offset in the file, offset in the message, length.
    fn written(&self) -> Option<(u16, u64, usize, usize)> {
        match self.code {
            WRITE_ANDX => {
                let high = if self.words.len() >= 28 { self.long(24)? } else { 0 };
                let len = u32::from(self.word(18)?) << 16 | u32::from(self.word(20)?);
                let at = usize::from(self.word(22)?);
                Some((self.word(4)?, high << 32 | self.long(6)?, at, len as usize))
            }
            WRITE => {
                let len = usize::from(self.word(2)?);
                Some((self.word(0)?, self.long(4)?, self.at + 3, len))
            }
            WRITE_AND_CLOSE => {
                let len = usize::from(self.word(2)?);
                Some((self.word(0)?, self.long(4)?, self.at + 1, len))
            }
            WRITE_PRINT => {
                let len = usize::from(u16_at(self.message, self.at + 1)?);
                Some((self.word(0)?, u64::MAX, self.at + 3, len))
            }
            _ => None,
        }
    }

    /// The bytes it reads: handle and offset.
    fn asked(&self) -> Option<(u16, u64)> {
        match self.code {
            READ_ANDX => {
                let high = if self.words.len() >= 24 { self.long(20)? } else { 0 };
                Some((self.word(4)?, high << 32 | self.long(6)?))
            }
            READ => Some((self.word(0)?, self.long(4)?)),
            _ => None,
        }
    }

    /// Offset and length, in the message, of the bytes read.
    fn answered(&self) -> Option<(usize, usize)> {
        match self.code {
            READ_ANDX => {
                let len = u32::from(self.word(14)?) << 16 | u32::from(self.word(10)?);
                Some((usize::from(self.word(12)?), len as usize))
            }
            READ => Some((self.at + 3, usize::from(self.word(0)?))),
            _ => None,
        }
    }
}

const fn handle(file: u16) -> Handle {
    let mut handle = [0; 16];
    let [low, high] = file.to_le_bytes();
    (handle[0], handle[1]) = (low, high);
    (0, handle)
}

impl SmbParser {
    /// An SMB 1 message whose relevant part is complete.
    pub(super) fn step_1(
        &mut self,
        direction: Direction,
        rest: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let side = &mut self.sides[index(direction)];
        let size = side.left;
        if size < HEADER + 1 {
            return Err(ParseError::new(Reason::Malformed, 0));
        }
        let Some((head, words)) = Header::parse(rest).zip(rest.get(HEADER)) else {
            return Ok(Progress::need(0, HEADER + 1));
        };
        let wanted = head.wanted(2 * usize::from(*words)).min(size);
        let Some(message) = rest.get(..wanted) else { return Ok(Progress::need(0, wanted)) };
        side.left = 0;
        let (mut data, mut file) = (None, 0);
        let mut command = Command::parse(head.command, HEADER, message, head);
        for _ in 0..MAX_CHAIN {
            let Some(current) = command.take() else { break };
            let found = if head.response {
                self.answer_1(&current, size, sink)
            } else {
                self.request_1(&current, size, &mut file, sink)
            };
            data = found.or(data);
            command = current.next();
        }
        Ok(self.begin_piece(direction, wanted, size, data))
    }

    /// A request. Returns where its data is in the message of `size` bytes. `file`: that of the command before.
    fn request_1(
        &mut self,
        command: &Command<'_>,
        size: usize,
        file: &mut u32,
        sink: &mut dyn ContentSink,
    ) -> Option<(usize, Piece)> {
        self.files.asked = true;
        let (message, tree) = (command.head.message, command.head.tree);
        if let Some(name) = command.name() {
            *file = self.files.create(message, (0, tree.into()), name, sink);
        } else if let Some((id, at)) = command.asked() {
            let serial = self.file_1(id, tree, *file, sink);
            self.files.read(message, serial, at, sink);
        } else if let Some((id, offset, at, len)) = command.written() {
            let serial = self.file_1(id, tree, *file, sink);
            let end = at.checked_add(len)?;
            if len == 0 || at < HEADER || end > size {
                return None;
            }
            return Some((at, self.files.write(serial, offset, len as u64, sink)));
        } else {
            match command.code {
                CLOSE | CLOSE_PRINT => {
                    let serial = self.file_1(command.word(0)?, tree, *file, sink);
                    self.files.close(message, serial, sink);
                }
                SESSION_SETUP_ANDX => self.setup_1(command, sink),
                TREE_CONNECT_ANDX => {
                    let password = usize::from(command.word(6)?);
                    self.tree_1(message, &command.string(command.at + password), sink);
                }
                TREE_CONNECT => self.tree_1(message, &command.string(command.at + 1), sink),
                _ => {}
            }
        }
        None
    }

    /// A response. Returns where its data is in the message of `size` bytes.
    fn answer_1(
        &mut self,
        command: &Command<'_>,
        size: usize,
        sink: &mut dyn ContentSink,
    ) -> Option<(usize, Piece)> {
        let (message, done) = (command.head.message, command.head.done);
        if command.name().is_some() {
            let opened = command.opened().filter(|_| done);
            self.files.created(message, opened.map(handle), sink);
            return None;
        }
        match command.code {
            READ | READ_ANDX => {
                let (at, len) = command.answered().filter(|_| done).unwrap_or_default();
                let piece = self.files.answer(message, len as u64);
                let fits = at >= HEADER && at.checked_add(len)? <= size;
                return (fits && len > 0).then_some((at, piece));
            }
            CLOSE | CLOSE_PRINT => self.files.closed(message, sink),
            // NEGOTIATE_ENCRYPT_PASSWORDS is not set (MS-CIFS 2.2.4.52.2).
            header::SMB1_NEGOTIATE => {
                self.plain = command.words.len() >= 26 && command.words.get(2)? & 2 == 0;
            }
            // SMB_SETUP_GUEST (MS-CIFS 2.2.4.53.2): any client is accepted.
            SESSION_SETUP_ANDX if done => {
                self.guest = command.word(4)? & 1 != 0 || !self.named;
                if !self.guest {
                    sink.facts().shown(Authentication::UserIdentity);
                }
            }
            TREE_CONNECT_ANDX if done => {
                let pipes = command.message.get(command.at..)?.starts_with(b"IPC\0");
                sink.facts().anonymous |= self.guest && !pipes;
                self.files.connected(message, 0, command.head.tree.into(), pipes);
            }
            TREE_CONNECT if done => {
                self.files.connected(message, 0, command.word(2)?.into(), false);
            }
            _ => {}
        }
        None
    }

    /// The user who logs in (MS-CIFS 2.2.4.53.1, MS-SMB 2.2.4.6.1).
    fn setup_1(&mut self, command: &Command<'_>, sink: &mut dyn ContentSink) {
        if command.words.len() == 24 {
            // NTLMSSP (MS-NLMP 2.2.1.3): a user without a name is anonymous.
            const AUTHENTICATE: &[u8] = b"NTLMSSP\0\x03\0\0\0";
            let blob = command.message.get(command.at..).unwrap_or_default();
            let Some(at) = memchr::memmem::find(blob, AUTHENTICATE) else { return };
            self.named = u16_at(blob, at + 36).is_some_and(|len| len > 0);
            return;
        }
        let (Some(first), Some(second)) = (command.word(14), command.word(16)) else { return };
        let password = usize::from(first) + usize::from(second);
        let user = command.string(command.at + password);
        self.named = !user.is_empty();
        if self.plain && self.named && password > 1 {
            sink.facts().password_in_clear();
            ServiceFacts::set(&mut sink.facts().files().user, &user);
        }
    }

    fn tree_1(&mut self, message: u64, path: &str, sink: &mut dyn ContentSink) {
        self.clear = true;
        let share = Share::new(path);
        if !share.pipes {
            ServiceFacts::set(&mut sink.facts().files().path, &share.path(""));
        }
        self.files.tree(message, share);
    }

    fn file_1(&mut self, id: u16, tree: u16, before: u32, sink: &mut dyn ContentSink) -> u32 {
        if id == SAME {
            return before;
        }
        self.files.find(handle(id), tree.into(), sink)
    }
}
