//! TFTP (RFC 1350) with options (RFC 2347), block sizes (RFC 2348) and windows (RFC 7440): firmware and
//! configurations of devices, and files of old modalities and analysers.
//!
//! A request goes to the well-known port. The server answers from another port, so the file is in another flow, which
//! the request announces.

mod packet;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::datagrams::{DatagramParser, Datagrams, frame_datagram, framed_datagram};
use super::expected::{ExpectedFlow, Peer, Port};
use super::{
    ContentSink, Direction, Ending, Hint, Media, ParseError, Parser, Position, Probe, Protocol,
    Reason, Role, Roles, ServiceFacts, Speaker,
};
use crate::flow::Transport;
use packet::{Packet, Request};

/// Default block size, bytes (RFC 1350 2).
const BLOCK: u16 = 512;
/// Blocks this far behind are retransmissions; others are ahead.
const BEHIND: u16 = 1 << 15;

/// TFTP.
pub struct Tftp;

impl Protocol for Tftp {
    fn name(&self) -> &'static str {
        "tftp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        // TFTP has no streams: this sees its frames only.
        match framed_datagram(data) {
            Some((datagram, _)) if at == Position::Start && Request::read(datagram).is_some() => {
                Probe::yes(Speaker::Client)
            }
            _ => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let request = Request::read(data).is_some();
        if request {
            frame_datagram(data, frame);
        }
        request
    }

    fn owns_datagrams(&self) -> bool {
        true
    }

    fn announces_flows(&self) -> bool {
        true
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::FileServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(Datagrams(TftpParser::new(None)))
    }
}

/// One flow: that of a request, or that of its file.
struct TftpParser {
    request: Option<Request>,
    /// Bytes of a full block; a shorter one is the last.
    block: u16,
    /// Number of the last block that was read.
    last: u16,
    file: Option<ContentWriter>,
    /// The last block was read.
    done: bool,
}

impl TftpParser {
    const fn new(request: Option<Request>) -> Self {
        Self { request, block: BLOCK, last: 0, file: None, done: false }
    }

    fn packet(&mut self, direction: Direction, packet: Packet<'_>, sink: &mut dyn ContentSink) {
        match packet {
            Packet::Request(request) => {
                self.close_file(Ending::Cut, sink);
                sink.unit("request");
                sink.expect(ExpectedFlow {
                    transport: Transport::Udp,
                    end: Peer::Client,
                    port: Port::Same,
                    client: Peer::Client,
                    protocol: &Tftp,
                    parser: Box::new(Datagrams(Self::new(Some(request.clone())))),
                });
                // Some servers answer from the port that was asked.
                *self = Self::new(Some(request));
                self.set_facts(sink);
            }
            Packet::Agreed { block } => self.block = block.unwrap_or(BLOCK),
            Packet::Data { number, bytes } => self.block(direction, number, bytes, sink),
            Packet::Error => self.close_file(Ending::Cut, sink),
            Packet::Acknowledgment => {}
        }
    }

    /// Facts of the service.
    fn set_facts(&self, sink: &mut dyn ContentSink) {
        if let Some(request) = &self.request {
            let facts = sink.facts().files();
            ServiceFacts::set(&mut facts.method, request.operation());
            ServiceFacts::set(&mut facts.path, &super::http::mask_path(&request.path));
        }
    }

    fn block(
        &mut self,
        direction: Direction,
        number: u16,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) {
        let ahead = number.wrapping_sub(self.last);
        let Some(request) = &self.request else { return };
        if self.done || ahead == 0 || ahead >= BEHIND {
            return;
        }
        if self.file.is_none() {
            self.set_facts(sink);
            sink.unit("file");
        }
        let file = self.file.get_or_insert_with(|| {
            let media = Media::Type { content_type: "", name: &request.path };
            let operation = request.operation();
            ContentWriter::open(
                &Hint { direction, media, operation, codings: &[], layer: "tftp" },
                sink,
            )
        });
        if ahead > 1 {
            file.gap(u64::from(ahead - 1) * u64::from(self.block), sink);
        }
        file.data(bytes, sink);
        self.last = number;
        if bytes.len() < usize::from(self.block) {
            self.done = true;
            self.close_file(Ending::Complete, sink);
        }
    }

    fn close_file(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some(file) = self.file.take() {
            file.close(ending, sink);
        }
    }
}

impl DatagramParser for TftpParser {
    fn datagram(
        &mut self,
        direction: Direction,
        datagram: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError> {
        match Packet::read(datagram) {
            Some(packet) => self.packet(direction, packet, sink),
            None => sink.anomaly(Reason::Malformed),
        }
        Ok(())
    }

    fn close(&mut self, _direction: Direction, sink: &mut dyn ContentSink) {
        self.close_file(Ending::Cut, sink);
    }

    fn memory(&self) -> usize {
        self.request.as_ref().map_or(0, |r| r.path.capacity())
    }
}
