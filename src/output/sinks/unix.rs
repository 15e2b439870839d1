//! `unix:`: lines to a local socket, as a stream or datagrams.

use super::connection::{Connect, Stream};
use super::{Fate, Outcome, Sink};
use crate::output::spool::Record;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
use std::io;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time limit for writing.
const WRITE_WITHIN: Duration = Duration::from_secs(8);

/// Connects. The call of the standard library would wait for as long as the receiver accepts no connection.
fn connected(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let stream = UnixStream::from(socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
    stream.set_nonblocking(true)?;
    connect(&stream, &address)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// The sink of a socket.
pub(super) struct Unix {
    path: PathBuf,
    stream: Stream,
    datagrams: Option<UnixDatagram>,
}

impl Unix {
    /// For the socket at `path`.
    pub fn new(path: PathBuf) -> Self {
        let at = path.clone();
        let connect: Connect = Box::new(move || {
            let fault = |error: io::Error| format!("{}: {error}", at.display());
            let stream = connected(&at).map_err(fault)?;
            stream.set_write_timeout(Some(WRITE_WITHIN)).map_err(fault)?;
            stream.set_read_timeout(Some(WRITE_WITHIN)).map_err(fault)?;
            Ok(Box::new(stream))
        });
        let frame = |record: &Record, to: &mut Vec<u8>| {
            to.extend_from_slice(&record.line);
            to.push(b'\n');
        };
        Self { path, stream: Stream::new(connect, Box::new(frame)), datagrams: None }
    }

    /// Whether it is a datagram socket, as the error shows when a stream is requested.
    fn takes_datagrams(&mut self) -> bool {
        if self.datagrams.is_some() {
            return true;
        }
        let open = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect(&self.path)?;
            socket.set_write_timeout(Some(WRITE_WITHIN))?;
            Ok::<_, io::Error>(socket)
        };
        self.datagrams = open().ok();
        self.datagrams.is_some()
    }

    fn send(&mut self, records: &[Record]) -> Outcome {
        let Some(socket) = &self.datagrams else {
            return Outcome::broke_off(0, records.len(), "no connection");
        };
        for (sent, record) in records.iter().enumerate() {
            if let Err(error) = socket.send(&record.line) {
                let fault = format!("{}: {error}", self.path.display());
                if error.raw_os_error() == Some(libc::EMSGSIZE) {
                    let mut outcome = Outcome::broke_off(sent, records.len(), fault);
                    if let Some(fate) = outcome.fates.get_mut(sent) {
                        *fate = Fate::Refused;
                    }
                    return outcome;
                }
                self.datagrams = None;
                return Outcome::broke_off(sent, records.len(), fault);
            }
        }
        Outcome::all(Fate::Taken, records.len())
    }
}

impl Sink for Unix {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        if self.takes_datagrams() { self.send(records) } else { self.stream.deliver(records) }
    }

    fn idle(&mut self) {
        if self.datagrams.is_none() {
            self.stream.idle();
        }
    }
}
