//! Reads files, pipes and standard input.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
#[cfg(target_os = "linux")]
use std::io::Seek as _;
use std::io::{self, IsTerminal as _, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The path that means standard input.
pub(super) const STDIN: &str = "-";

/// How long a read waits for the writer of an empty pipe. The reader pauses for longer after a read
/// without data. A pipe holds 64 KiB, so without this wait no more than that would pass per pause.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// An input that is read from front to back.
pub(super) struct Origin {
    file: File,
    regular: bool,
    len: u64,
    /// Whether a read waits for data. Otherwise it fails with [`io::ErrorKind::WouldBlock`] after
    /// [`PATIENCE`].
    waits: bool,
}

impl Origin {
    /// Opens a file or pipe without waiting for the writer of a pipe.
    pub fn open(path: &Path) -> io::Result<Self> {
        let nonblock = libc::O_NONBLOCK;
        Self::new(File::options().read(true).custom_flags(nonblock).open(path)?)
    }

    /// Opens standard input; `None` if it is a terminal.
    pub fn stdin() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Ok(None);
        }
        Self::new(File::from(stdin.as_fd().try_clone_to_owned()?)).map(Some)
    }

    fn new(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self { file, regular: meta.is_file(), len: meta.len(), waits: false })
    }

    /// Whether it is a regular file, which never waits and can be reopened.
    pub const fn is_regular(&self) -> bool {
        self.regular
    }

    /// Its length when it was opened, if it is known.
    pub fn len(&self) -> Option<u64> {
        self.regular.then_some(self.len)
    }

    /// Its current length.
    pub fn len_now(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The underlying file.
    #[cfg(target_os = "linux")]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Moves the next read to `position`.
    #[cfg(target_os = "linux")]
    pub fn seek(&mut self, position: u64) -> io::Result<()> {
        self.file.seek(io::SeekFrom::Start(position)).map(drop)
    }

    /// Makes reads wait for data from now on, because not every decompressor can be interrupted.
    pub fn wait(&mut self) {
        self.waits = true;
    }
}

impl Read for Origin {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.regular {
                // Poll first: standard input is shared and must not be made non-blocking.
                let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
                match poll(&mut fds, if self.waits { None } else { Some(&PATIENCE) }) {
                    Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
                    Ok(_) => {}
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(e) => return Err(e.into()),
                }
            }
            match self.file.read(bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && self.waits => {}
                other => return other,
            }
        }
    }
}
