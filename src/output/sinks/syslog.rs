//! `syslog:`: messages of RFC 5424 over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

use super::connection::{Stream, tcp, tls};
use super::{Fate, Outcome, Sink, SinkError};
use crate::destination::{Address, Transport};
use crate::output::spool::Record;
use crate::remote::TlsFiles;
use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;

/// Largest message in a datagram, bytes: the limit of IPv4.
const MAX_DATAGRAM: usize = 65_507;
/// Longest HOSTNAME (RFC 5424 section 6).
const MAX_HOST: usize = 255;

/// The sink of a syslog server.
pub(super) enum Syslog {
    Datagrams(Datagrams),
    Stream(Stream),
}

/// One message per datagram. Nothing confirms that it arrived.
pub(super) struct Datagrams {
    address: Address,
    header: Header,
    socket: Option<UdpSocket>,
    buffer: Vec<u8>,
}

/// Beginning of all messages.
#[derive(Clone)]
struct Header {
    facility: u8,
    host: String,
    process: u32,
}

impl Syslog {
    /// For the server at `address`; `sensor` is the name of this host.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        transport: Transport,
        address: &Address,
        facility: u8,
        sensor: Option<&str>,
        files: &TlsFiles,
    ) -> Result<Self, SinkError> {
        let header = Header { facility, host: host(sensor), process: std::process::id() };
        let address = address.clone();
        if transport == Transport::Udp {
            let buffer = Vec::new();
            return Ok(Self::Datagrams(Datagrams { address, header, socket: None, buffer }));
        }
        let frame = move |record: &Record, to: &mut Vec<u8>| {
            let mut message = Vec::with_capacity(record.line.len() + 96);
            header.message(record, &mut message);
            // Octet counting: RFC 6587 section 3.4.1, RFC 5425 section 4.3.
            to.extend_from_slice(format!("{} ", message.len()).as_bytes());
            to.extend_from_slice(&message);
        };
        let config = match transport {
            Transport::Tls => Some(Arc::new(files.client()?)),
            _ => None,
        };
        let connect = move || match &config {
            Some(config) => tls(&address, config),
            None => tcp(&address).map(|stream| Box::new(stream) as _),
        };
        Ok(Self::Stream(Stream::new(Box::new(connect), Box::new(frame))))
    }
}

impl Header {
    /// Appends a message: header, no structured data, the event as MSG.
    fn message(&self, record: &Record, to: &mut Vec<u8>) {
        let Self { facility, host, process } = self;
        let priority = u32::from(*facility) * 8 + u32::from(record.level);
        let time = timestamp(record.time);
        let header = format!("<{priority}>1 {time} {host} phitap {process} - - ");
        to.extend_from_slice(header.as_bytes());
        to.extend_from_slice(&record.line);
    }
}

/// TIMESTAMP of RFC 5424 section 6.2.3, from milliseconds of Unix time.
fn timestamp(millis: u64) -> String {
    let nanos = i128::from(millis) * 1_000_000;
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos);
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    time.ok().and_then(|time| time.format(&format).ok()).unwrap_or_else(|| "-".to_owned())
}

/// HOSTNAME: printable ASCII without spaces.
fn host(sensor: Option<&str>) -> String {
    let system = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = sensor.map(str::to_owned).or_else(system).unwrap_or_default();
    let name = name.trim().chars().map(|c| if c.is_ascii_graphic() { c } else { '_' });
    let name: String = name.take(MAX_HOST).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

impl Sink for Syslog {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        match self {
            Self::Datagrams(datagrams) => datagrams.deliver(records),
            Self::Stream(stream) => stream.deliver(records),
        }
    }

    fn idle(&mut self) {
        if let Self::Stream(stream) = self {
            stream.idle();
        }
    }
}

impl Datagrams {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        let mut fates = Vec::with_capacity(records.len());
        let (mut fault, mut refusal) = (None, None);
        for record in records {
            match self.send(record) {
                Ok(Fate::Refused) => {
                    refusal = Some("an event is too long for a datagram".to_owned());
                    fates.push(Fate::Refused);
                }
                Ok(fate) => fates.push(fate),
                Err(error) => {
                    // The name may have another address by now.
                    self.socket = None;
                    fault = Some(format!("{}: {error}", self.address));
                    break;
                }
            }
        }
        fates.resize(records.len(), Fate::Again);
        Outcome { fates, fault, refusal }
    }

    fn send(&mut self, record: &Record) -> std::io::Result<Fate> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => self.socket.insert(connected(&self.address)?),
        };
        self.buffer.clear();
        self.header.message(record, &mut self.buffer);
        if self.buffer.len() > MAX_DATAGRAM {
            return Ok(Fate::Refused);
        }
        socket.send(&self.buffer)?;
        Ok(Fate::Taken)
    }
}

fn connected(address: &Address) -> std::io::Result<UdpSocket> {
    let mut last = std::io::Error::other("the name has no address");
    for at in (address.host.as_str(), address.port).to_socket_addrs()? {
        let any = if at.is_ipv4() {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
        };
        match any.and_then(|socket| socket.connect(at).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_rfc_5424_says() {
        let header = Header { facility: 16, host: host(Some("ward 3")), process: 77 };
        let record = Record::new("01J", 3, 1_772_445_604_123, b"{\"a\":1}".to_vec());
        let mut message = Vec::new();
        header.message(&record, &mut message);
        assert_eq!(
            String::from_utf8_lossy(&message),
            "<131>1 2026-03-02T10:00:04.123Z ward_3 phitap 77 - - {\"a\":1}"
        );
    }

    #[test]
    fn a_host_name_has_only_what_a_header_may_hold() {
        assert_eq!(host(Some("\u{e9}t\u{e9} a\n")), "_t__a");
        assert_eq!(host(Some("x".repeat(300).as_str())).len(), MAX_HOST);
    }
}
