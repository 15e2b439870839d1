//! A stream to a receiver without acknowledgements: TCP, TLS, or a local socket.
//!
//! Bytes that the system accepted may still be lost when the receiver goes away. So recent bytes are kept, and
//! written again over the next connection when one broke.

use super::{Fate, Outcome, Sink};
use crate::destination::Address;
use crate::output::clock::stopwatch;
use crate::output::spool::Record;
use crate::remote::explain_tls;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time limit for connecting to one address, and for each step of a handshake.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Time limit for all steps of a handshake.
const SHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Time for which the receiver may accept nothing.
const WRITE_WITHIN: Duration = Duration::from_secs(8);
/// Time limit for a batch of a megabyte: ten kilobytes a second.
const TAKE_WITHIN: Duration = Duration::from_secs(100);
/// Bytes written at once.
const PIECE: usize = 16 << 10;
/// Reads of the receiver's data, which is ignored, before anything else is done.
const MAX_READS: usize = 64;
/// Time that the receiver has to close its side at the end.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// After this time on an open connection, written bytes count as delivered.
const ARRIVED_AFTER: Duration = Duration::from_secs(2);
/// Bytes that are kept to be written again.
const MAX_KEPT: usize = 4 << 20;

/// An open stream.
pub(super) trait Peer: Read + Write + Send {
    /// Whether reading blocks.
    fn set_waiting(&self, waits: bool) -> io::Result<()>;
    /// Signals that nothing more follows.
    fn end(&mut self) -> io::Result<()>;
}

impl Peer for TcpStream {
    fn set_waiting(&self, waits: bool) -> io::Result<()> {
        self.set_nonblocking(!waits)
    }
    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Peer for UnixStream {
    fn set_waiting(&self, waits: bool) -> io::Result<()> {
        self.set_nonblocking(!waits)
    }
    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Peer for StreamOwned<ClientConnection, TcpStream> {
    fn set_waiting(&self, waits: bool) -> io::Result<()> {
        self.sock.set_nonblocking(!waits)
    }
    fn end(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(Shutdown::Write)
    }
}

/// Connects; an error is one line.
pub(super) type Connect = Box<dyn FnMut() -> Result<Box<dyn Peer>, String> + Send>;
/// Appends a record in the receiver's format.
pub(super) type Frame = Box<dyn Fn(&Record, &mut Vec<u8>) + Send>;

/// The sink of a stream.
pub(super) struct Stream {
    connect: Connect,
    frame: Frame,
    peer: Option<Box<dyn Peer>>,
    /// Recently written bytes, and when.
    late: VecDeque<(Instant, Vec<u8>)>,
    kept: usize,
}

impl Stream {
    pub fn new(connect: Connect, frame: Frame) -> Self {
        Self { connect, frame, peer: None, late: VecDeque::new(), kept: 0 }
    }

    /// Makes sure that there is a connection, over which bytes that may be lost were written again.
    fn ready(&mut self) -> Result<(), String> {
        if self.peer.as_mut().is_some_and(|peer| is_open(peer.as_mut())) {
            self.forget_arrived();
            return Ok(());
        }
        self.peer = None;
        let mut peer = (self.connect)()?;
        let begun = stopwatch();
        for (_, bytes) in &self.late {
            write(peer.as_mut(), bytes, begun).map_err(|error| broken(&error))?;
        }
        let now = stopwatch();
        self.late.iter_mut().for_each(|(at, _)| *at = now);
        self.peer = Some(peer);
        Ok(())
    }

    fn forget_arrived(&mut self) {
        let now = stopwatch();
        while let Some((at, bytes)) = self.late.front()
            && (now.duration_since(*at) > ARRIVED_AFTER || self.kept > MAX_KEPT)
        {
            self.kept -= bytes.len();
            self.late.pop_front();
        }
    }
}

/// Writes `bytes`, within [`TAKE_WITHIN`] since `begun`: otherwise a receiver that accepts a byte at a time would
/// hold the thread for ever.
fn write(peer: &mut dyn Peer, bytes: &[u8], begun: Instant) -> io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        if begun.elapsed() > TAKE_WITHIN {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the receiver is too slow"));
        }
        peer.write_all(piece)?;
    }
    peer.flush()
}

fn broken(error: &io::Error) -> String {
    format!("the connection broke: {error}")
}

impl Sink for Stream {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        if let Err(fault) = self.ready() {
            return Outcome::broke_off(0, records.len(), fault);
        }
        let mut bytes = Vec::new();
        records.iter().for_each(|record| (self.frame)(record, &mut bytes));
        let Some(peer) = &mut self.peer else {
            return Outcome::broke_off(0, records.len(), "no connection");
        };
        let written = write(peer.as_mut(), &bytes, stopwatch());
        let open = written.map_err(|error| broken(&error)).and_then(|()| {
            is_open(peer.as_mut()).then_some(()).ok_or_else(|| "the receiver hung up".to_owned())
        });
        if let Err(fault) = open {
            self.peer = None;
            return Outcome::broke_off(0, records.len(), fault);
        }
        self.kept += bytes.len();
        self.late.push_back((stopwatch(), bytes));
        Outcome::all(Fate::Taken, records.len())
    }

    fn idle(&mut self) {
        // Without a connection or anything to write again, the next record is early enough.
        if self.peer.is_some() && self.ready().is_err() {
            self.peer = None;
        } else if self.peer.is_none() && !self.late.is_empty() {
            let _ = self.ready();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        if peer.end().is_err() {
            return;
        }
        // What the receiver has not read when the process ends may be thrown away with it.
        let (since, mut rest) = (stopwatch(), [0; 256]);
        while since.elapsed() < GOODBYE_WITHIN {
            match peer.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_patience(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether the other side is still connected.
fn is_open(peer: &mut dyn Peer) -> bool {
    if peer.set_waiting(false).is_err() {
        return false;
    }
    let open = has_more(peer);
    peer.set_waiting(true).is_ok() && open
}

/// Reads and ignores what the receiver sends. Returns whether there may be more.
fn has_more(peer: &mut dyn Peer) -> bool {
    let mut rest = [0; 1024];
    for _ in 0..MAX_READS {
        match peer.read(&mut rest) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return is_patience(&error),
        }
    }
    true
}

fn is_patience(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Connects over TCP to one of the addresses of a host.
pub(super) fn tcp(address: &Address) -> Result<TcpStream, String> {
    let all = (address.host.as_str(), address.port)
        .to_socket_addrs()
        .map_err(|error| format!("{address}: {error}"))?;
    let mut fault = format!("{address}: the name has no address");
    for at in all.take(MAX_ADDRESSES) {
        match TcpStream::connect_timeout(&at, CONNECT_WITHIN) {
            Ok(stream) => {
                let set = stream
                    .set_nodelay(true)
                    .and_then(|()| stream.set_write_timeout(Some(WRITE_WITHIN)))
                    .and_then(|()| stream.set_read_timeout(Some(CONNECT_WITHIN)));
                set.map_err(|error| format!("{address}: {error}"))?;
                // Detects a receiver that vanished silently.
                let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
                return Ok(stream);
            }
            Err(error) => fault = format!("{address}: {error}"),
        }
    }
    Err(fault)
}

/// Connects over TLS.
pub(super) fn tls(address: &Address, config: &Arc<ClientConfig>) -> Result<Box<dyn Peer>, String> {
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| format!("{address}: that is no name of a server"))?;
    let mut stream = tcp(address)?;
    let fault = |text: String| format!("{address}: TLS failed: {text}");
    let mut connection = ClientConnection::new(Arc::clone(config), name)
        .map_err(|error| fault(error.to_string()))?;
    let begun = stopwatch();
    while connection.is_handshaking() {
        if begun.elapsed() > SHAKE_WITHIN {
            return Err(fault("the server takes too long".to_owned()));
        }
        connection.complete_io(&mut stream).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            fault(inner.map_or_else(|| error.to_string(), explain_tls))
        })?;
    }
    Ok(Box::new(StreamOwned::new(connection, stream)))
}
