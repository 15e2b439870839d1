//! Encrypted flows: their handshake is read as far as it is in cleartext, and nothing after it.

use super::{Driver, State, Stream};
use crate::flow::Side;
use crate::protocol::encrypted::is_handshake;
use crate::protocol::tls::HandshakeReader;
use crate::protocol::{Authentication, ContentSink, Position, Progress, Reason};

impl Driver {
    /// The flow is encrypted, as `bytes` of `side` show.
    pub(super) fn encrypted(
        &mut self,
        side: Side,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let other = side.other();
        self.leave_carver(other, sink);
        let begun = |stream: &Stream| stream.at == Position::Start;
        let reads = begun(&self.sides[side.index()]) && is_handshake(bytes);
        // What the other side has sent already: usually the client's hello.
        let waiting = &mut self.sides[other.index()];
        let before = if begun(waiting) { std::mem::take(&mut waiting.unread) } else { Vec::new() };
        self.opaque(side, Reason::Encrypted);
        self.opaque(other, Reason::Encrypted);
        if !reads {
            return Progress::REST;
        }
        self.handshake = Some(Box::default());
        for side in [side, other] {
            self.sides[side.index()].state = State::Handshake;
        }
        if !before.is_empty() {
            self.sides[other.index()].unwanted = self.shake(other, &before, sink);
        }
        self.shake(side, bytes, sink)
    }

    /// The flow is one of encrypted datagrams, of which only the handshake can be read: from here on the driver gets
    /// all its datagrams, in frames.
    pub fn shake_datagrams(&mut self, reader: HandshakeReader) {
        self.handshake = Some(Box::new(reader));
        for stream in &mut self.sides {
            stream.state = State::Handshake;
        }
    }

    /// Whether a handshake is being read.
    pub const fn is_shaking(&self) -> bool {
        self.handshake.is_some()
    }

    /// The next bytes of a handshake.
    pub(super) fn shake(&mut self, side: Side, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        let Some(reader) = &mut self.handshake else { return Progress::REST };
        if !reader.read(side.index(), bytes) {
            return 0;
        }
        self.sides[side.index()].state = State::Opaque;
        if self.handshake.as_deref().is_some_and(HandshakeReader::is_done) {
            self.shaken(sink);
        }
        Progress::REST
    }

    /// Bytes of a handshake are missing, or its side has ended.
    pub(super) fn shake_no_more(&mut self, side: Side, sink: &mut dyn ContentSink) {
        let Some(reader) = &mut self.handshake else { return };
        reader.gap(side.index());
        self.sides[side.index()].state = State::Opaque;
        if reader.is_done() {
            self.shaken(sink);
        }
    }

    /// Passes on the facts of the handshake.
    fn shaken(&mut self, sink: &mut dyn ContentSink) {
        for stream in &mut self.sides {
            stream.state = State::Opaque;
        }
        let Some(reader) = self.handshake.take() else { return };
        if let (false, Some(client)) = (self.orientation.sure, reader.client()) {
            self.orientation.client =
                if client == Side::Low.index() { Side::Low } else { Side::High };
        }
        let Some(shown) = reader.facts() else { return };
        let facts = sink.facts();
        facts.authentication = match shown.client_certificate {
            true => Authentication::ClientCertificate,
            false => Authentication::Unknown,
        };
        facts.tls = Some(Box::new(shown.clone()));
    }
}
