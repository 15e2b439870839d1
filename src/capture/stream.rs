//! Reads captures block by block: files, compressed files and pipes.
//!
//! Large plain files are mapped window by window ([`super::window`]), which takes half as long as
//! reading them. Other input is read into blocks that fit a core's cache and are reused once their
//! packets have been processed.

use super::origin::Origin;
use super::sniff::{Packing, SNIFF};
use super::unpack::Unpack;
use super::{Block, FaultKind, Pull};
use std::collections::VecDeque;
use std::io::{self, Read as _};
#[cfg(target_os = "linux")]
use {super::window::Window, std::sync::Arc};

/// Most blocks remembered for reuse: enough for the packets queued for a few workers.
const MAX_OUT: usize = 64;

/// Size of the first block, bytes; enough to recognise a file without reading much of it.
const FIRST_BLOCK: usize = 64 << 10;

/// Blocks per window of a mapped file: 4 MiB.
const WINDOW_BLOCKS: usize = 16;

enum Supply {
    /// Not recognised yet.
    Unknown(Origin),
    Plain(Origin),
    Packed(Box<Unpack>),
    Closed,
}

/// Reads bytes into blocks. The unused end of a block starts the next one.
pub(super) struct Stream {
    supply: Supply,
    follow: bool,
    /// Blocks in use, oldest first.
    out: VecDeque<Block>,
    /// The next block, with `filled` bytes so far.
    buffer: Vec<u8>,
    filled: usize,
    /// Size of the next block, bytes; doubled up to `max`.
    size: usize,
    max: usize,
    /// Bytes of the file read so far.
    position: u64,
    packed: bool,
    ended: bool,
    /// What ended it. Reported once all bytes before it have been used.
    fault: Option<FaultKind>,
    /// Whether parts are mapped instead of read.
    maps: bool,
    /// The last window.
    #[cfg(target_os = "linux")]
    window: Option<Arc<Window>>,
}

impl Stream {
    /// A stream in blocks of `max` bytes. With `follow`, a plain file may still grow.
    pub fn new(origin: Origin, max: usize, follow: bool) -> Self {
        let large = origin.len().is_some_and(|len| len > (max * WINDOW_BLOCKS) as u64);
        Self {
            maps: cfg!(all(target_os = "linux", not(miri))) && large && !follow,
            #[cfg(target_os = "linux")]
            window: None,
            follow: follow && origin.is_regular(),
            supply: Supply::Unknown(origin),
            out: VecDeque::new(),
            buffer: Vec::new(),
            filled: 0,
            size: max.min(FIRST_BLOCK),
            max,
            position: 0,
            packed: false,
            ended: false,
            fault: None,
        }
    }

    /// Bytes of the file read so far; compressed bytes if it is compressed.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether it is compressed, so that offsets are not those of the file.
    pub const fn is_packed(&self) -> bool {
        self.packed
    }

    /// Takes the fault that ended it early.
    pub const fn take_fault(&mut self) -> Option<FaultKind> {
        self.fault.take()
    }

    /// Starts the next block with the unused end of the last one.
    pub fn carry(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        debug_assert_eq!(self.filled, 0, "a block is only given out whole");
        if self.is_mapped() {
            // The next window begins with these bytes.
            self.position -= rest.len() as u64;
            return;
        }
        self.reuse();
        if self.buffer.len() < rest.len() {
            self.buffer.resize(rest.len().max(self.size), 0);
        }
        if let Some(front) = self.buffer.get_mut(..rest.len()) {
            front.copy_from_slice(rest);
            self.filled = rest.len();
        }
    }

    /// Whether the next block will be mapped.
    const fn is_mapped(&self) -> bool {
        self.maps && matches!(self.supply, Supply::Plain(_))
    }

    /// Loads a block of at least `need` bytes.
    pub fn load(&mut self, need: usize) -> Pull<Block> {
        let need = need.max(1);
        #[cfg(target_os = "linux")]
        if self.is_mapped()
            && let Some(load) = self.map(need)
        {
            return load;
        }
        let want = need.max(self.size);
        self.reuse();
        if self.buffer.len() < want {
            self.buffer.resize(want, 0);
        }
        while self.filled < self.buffer.len() && !self.ended {
            match self.read() {
                Ok(0) if self.follow => break,
                Ok(0) => self.ended = true,
                Ok(n) => self.filled += n,
                Err(FaultKind::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(kind) => {
                    self.fault = Some(kind);
                    self.ended = true;
                }
            }
            if matches!(self.supply, Supply::Unknown(_)) {
                self.sniff();
            }
        }
        if self.ended {
            self.supply = Supply::Closed;
        }
        if self.filled >= need || (self.ended && self.filled > 0) {
            return Pull::Ready(self.take());
        }
        if self.ended {
            return Pull::End;
        }
        if self.filled == 0 && self.buffer.len() > FIRST_BLOCK {
            // Many files may wait at once, so keep the buffer small.
            (self.buffer, self.size) = (Vec::new(), FIRST_BLOCK.min(self.max));
        }
        Pull::Waiting
    }

    /// Maps a window of at least `need` bytes. `None` if it cannot be mapped; the file is then
    /// read.
    #[cfg(target_os = "linux")]
    fn map(&mut self, need: usize) -> Option<Pull<Block>> {
        let broken = self.window.take().is_some_and(|window| window.is_broken());
        let Supply::Plain(origin) = &mut self.supply else { return None };
        let end = origin.len_now().map(|now| origin.len().unwrap_or(0).min(now));
        let fault = match end {
            Ok(_) if broken => Some(FaultKind::Shrunk),
            Ok(end) if end > self.position => {
                let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
                let len = left.min(need.max(self.max * WINDOW_BLOCKS));
                if let Some(window) = Window::map(origin.file(), self.position, len) {
                    let window = Arc::new(window);
                    self.window = Some(Arc::clone(&window));
                    self.position += len as u64;
                    return Some(Pull::Ready(Block::mapped(window)));
                }
                self.maps = false;
                match origin.seek(self.position) {
                    Ok(()) => return None,
                    Err(e) => Some(FaultKind::Io(e)),
                }
            }
            Ok(_) => None,
            Err(e) => Some(FaultKind::Io(e)),
        };
        (self.fault, self.ended, self.supply) = (fault, true, Supply::Closed);
        Some(Pull::End)
    }

    /// Reuses a returned block for the next one.
    fn reuse(&mut self) {
        if !self.buffer.is_empty() {
            return;
        }
        let Some(block) = self.out.pop_front() else { return };
        match block.reclaim() {
            Ok(buffer) => self.buffer = buffer,
            Err(block) => self.out.push_front(block),
        }
    }

    fn read(&mut self) -> Result<usize, FaultKind> {
        let room = self.buffer.get_mut(self.filled..).unwrap_or(&mut []);
        match &mut self.supply {
            Supply::Unknown(origin) | Supply::Plain(origin) => {
                // A file that is not followed ends where it ended when it was opened.
                let end = origin.len().filter(|_| !self.follow).unwrap_or(u64::MAX);
                let left = usize::try_from(end.saturating_sub(self.position));
                let room = match left {
                    Ok(left) if left < room.len() => room.get_mut(..left).unwrap_or(&mut []),
                    _ => room,
                };
                if room.is_empty() {
                    return Ok(0);
                }
                let n = origin.read(room).map_err(FaultKind::Io)?;
                self.position += n as u64;
                if n == 0 && self.follow {
                    let len = origin.len_now().map_err(FaultKind::Io)?;
                    if len < self.position {
                        return Err(FaultKind::Shrunk);
                    }
                }
                Ok(n)
            }
            Supply::Packed(unpack) => {
                let result = unpack.read(room);
                self.position = unpack.position();
                result
            }
            Supply::Closed => Ok(0),
        }
    }

    /// Detects compression by the first bytes.
    fn sniff(&mut self) {
        if self.filled < SNIFF && !self.ended {
            return;
        }
        let Supply::Unknown(origin) = std::mem::replace(&mut self.supply, Supply::Closed) else {
            return;
        };
        let start = self.buffer.get(..self.filled).unwrap_or(&[]);
        self.supply = match Packing::of(start) {
            None => Supply::Plain(origin),
            Some(packing) => {
                let start = start.to_vec();
                (self.packed, self.ended, self.filled, self.position) = (true, false, 0, 0);
                Supply::Packed(Box::new(Unpack::new(packing, start, origin)))
            }
        };
    }

    fn take(&mut self) -> Block {
        let filled = std::mem::take(&mut self.filled);
        if filled < self.buffer.len() / 4 {
            // Little data: keep the large buffer.
            return Block::owned(self.buffer.get(..filled).unwrap_or(&[]).to_vec());
        }
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.truncate(filled);
        self.size = (self.size * 2).min(self.max);
        let block = Block::owned(bytes);
        if self.out.len() >= MAX_OUT {
            self.out.pop_front();
        }
        self.out.push_back(block.clone());
        block
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    /// A file of `len` bytes, and a stream of it in blocks of 1 KiB and windows of 16 KiB.
    fn stream(len: usize) -> (tempfile::NamedTempFile, Vec<u8>, Stream) {
        let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), &bytes).expect("written");
        let origin = Origin::open(file.path()).expect("open");
        (file, bytes, Stream::new(origin, 1024, false))
    }

    #[test]
    fn windows_begin_with_what_was_left_of_those_before() {
        let (_file, bytes, mut stream) = stream(100_000);
        let (mut read, mut windows) = (Vec::new(), 0);
        while let Pull::Ready(block) = stream.load(1) {
            let block = block.bytes();
            let last = read.len() + block.len() == bytes.len();
            let (used, rest) = block.split_at(block.len() - if last { 0 } else { 7 });
            read.extend_from_slice(used);
            stream.carry(rest);
            windows += usize::from(stream.window.is_some());
        }
        assert!(read == bytes && stream.take_fault().is_none());
        assert_eq!(windows, 100_000 / (16 << 10) + 1);
    }

    #[test]
    fn a_file_that_is_cut_while_a_window_is_read_is_a_fault() {
        let (file, _, mut stream) = stream(100_000);
        assert!(matches!(stream.load(1), Pull::Ready(_)));
        let Pull::Ready(block) = stream.load(20_000) else { panic!("no window") };
        assert_eq!(block.bytes().len(), 20_000);
        file.as_file().set_len(0).expect("cut");
        assert_eq!(block.bytes()[19_999], 0);
        assert!(matches!(stream.load(1), Pull::End));
        assert!(matches!(stream.take_fault(), Some(FaultKind::Shrunk)));
    }
}
