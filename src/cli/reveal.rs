//! Checks where `--reveal` may write values: to a terminal, to a file or, in a replay, to a pipe if
//! a format was given. They must never end up in a journal by accident.

use rustix::fs::{FileType, fstat};
use std::io::IsTerminal as _;
use std::os::fd::AsFd;

/// What standard output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Destination {
    /// A terminal.
    Terminal,
    /// A pipe, or a file that the shell opened.
    Redirected,
    /// A socket, such as a service manager's journal.
    Socket,
    /// Closed, or something else.
    Unknown,
}

impl Destination {
    /// Determines what `stream` is.
    pub fn of(stream: impl AsFd) -> Self {
        if stream.as_fd().is_terminal() {
            return Self::Terminal;
        }
        match fstat(&stream).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Fifo | FileType::RegularFile | FileType::CharacterDevice) => {
                Self::Redirected
            }
            Ok(FileType::Socket) => Self::Socket,
            _ => Self::Unknown,
        }
    }
}

/// The options given beside `--reveal`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestedOutput {
    /// `--output` with a file.
    pub output: bool,
    /// `--format` was given.
    pub format: bool,
    /// A live capture.
    pub live: bool,
}

/// Checks whether values may be written; the error says why not and what to do.
pub(super) fn allowed(to: Destination, asked: RequestedOutput) -> Result<(), String> {
    let remedy = "name a file with --output (new files are readable by their owner only)";
    match to {
        _ if asked.output => Ok(()),
        Destination::Terminal => Ok(()),
        Destination::Redirected if !asked.live && asked.format => Ok(()),
        Destination::Redirected if !asked.live => Err(format!(
            "--reveal shows patient data, and standard output is no terminal; choose what its reader \
             gets with --format, or {remedy}"
        )),
        Destination::Redirected => Err(format!(
            "--reveal shows patient data, and standard output of this live capture is no terminal; \
             {remedy}"
        )),
        Destination::Socket => Err(format!(
            "--reveal shows patient data, and standard output is a socket, such as a service \
             manager's journal; {remedy}"
        )),
        Destination::Unknown => Err(format!(
            "--reveal shows patient data, and standard output leads nowhere known; {remedy}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_need_somebody_to_see_them() {
        use Destination::{Redirected, Socket, Terminal, Unknown};
        // Destination, then allowed with: nothing, --format, --output, both; first in a replay,
        // then live.
        for (to, replay, live) in [
            (Terminal, [true, true, true, true], [true, true, true, true]),
            (Redirected, [false, true, true, true], [false, false, true, true]),
            (Socket, [false, false, true, true], [false, false, true, true]),
            (Unknown, [false, false, true, true], [false, false, true, true]),
        ] {
            for (is_live, expected) in [(false, replay), (true, live)] {
                for (bits, expected) in expected.into_iter().enumerate() {
                    let asked = RequestedOutput {
                        format: bits & 1 > 0,
                        output: bits & 2 > 0,
                        live: is_live,
                    };
                    let given = allowed(to, asked);
                    assert_eq!(given.is_ok(), expected, "{to:?} {asked:?}");
                    assert!(given.err().is_none_or(|e| e.contains("--output")), "{to:?}");
                }
            }
        }
    }

    #[test]
    fn destinations_are_distinguished() {
        let (reader, writer) = std::io::pipe().expect("pipe");
        assert_eq!(Destination::of(&writer), Destination::Redirected);
        drop(reader);
        let file = tempfile::tempfile().expect("file");
        assert_eq!(Destination::of(&file), Destination::Redirected);
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().expect("sockets");
        assert_eq!(Destination::of(&socket), Destination::Socket);
        let folder = std::fs::File::open("/").expect("folder");
        assert_eq!(Destination::of(&folder), Destination::Unknown);
    }
}
