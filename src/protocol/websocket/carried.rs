//! Connections inside a WebSocket: gateways forward the bytes of MLLP, HTTP or DICOM in messages, cut anywhere. If
//! the first message of a direction begins such a connection, all messages of both directions are its bytes.

use super::Service;
use crate::flow::{Orientation, Side};
use crate::protocol::dicom::Dicom;
use crate::protocol::driver::{Driver, DriverEvent, DriverLimits};
use crate::protocol::expected::ExpectedFlow;
use crate::protocol::forwarding::ForwardingSink;
use crate::protocol::http::Http;
use crate::protocol::mllp::Mllp;
use crate::protocol::{
    ContentId, ContentSink, Direction, End, Ending, Hint, Media, Position, Probe, Progress,
    Protocol, Want,
};
use crate::syntax::hl7v2::START_BLOCK;
use zeroize::Zeroizing;

/// Bytes of a message examined to decide whether a connection begins with it.
const MAX_HEAD: usize = 256;
/// Bytes that must match the beginning of a connection if the message ends before that is certain: short words of
/// other protocols match as well.
const MIN_HEAD: usize = 8;
/// Levels of nested connections.
const MAX_DEPTH: usize = 1;
/// Limits for the inner connection.
const LIMITS: DriverLimits = DriverLimits { buffer: 4 << 20, recognise: 64 << 10 };
/// Placeholder for the message of a direction while no payload is open for it.
const MESSAGE: [ContentId; 2] = [ContentId(u32::MAX - 1), ContentId(u32::MAX)];

/// The connection inside the messages of a WebSocket.
#[derive(Default)]
pub(super) struct Carried {
    connection: Option<Box<Driver>>,
    /// Following bytes that the connection skips.
    skip: [u64; 2],
    messages: [Message; 2],
    /// A message of this direction was examined.
    begun: [bool; 2],
}

/// The current message of a direction.
#[derive(Default)]
enum Message {
    #[default]
    None,
    /// Its first bytes, until they decide its kind.
    Head { layer: &'static str, held: Zeroizing<Vec<u8>> },
    /// A message of its own.
    Whole(ContentId),
    /// A piece of the connection.
    Piece,
}

const fn side(direction: Direction) -> Side {
    match direction {
        Direction::ClientToServer => Side::Low,
        Direction::ServerToClient => Side::High,
    }
}

/// Whether a connection begins with `data`.
fn begins(data: &[u8]) -> Probe {
    let mut more = false;
    let framed = data.first() == Some(&START_BLOCK);
    let protocols: [(&dyn Protocol, bool); 3] = [(&Mllp, framed), (&Dicom, true), (&Http, true)];
    for (protocol, possible) in protocols {
        match protocol.probe(data, Position::Start) {
            _ if !possible => {}
            Probe::More => more = true,
            Probe::No => {}
            yes => return yes,
        }
    }
    if more { Probe::More } else { Probe::No }
}

impl Carried {
    /// Receives the payloads of messages in place of `sink`.
    pub(super) fn taking<'a>(
        &'a mut self,
        service: &'a Service,
        sink: &'a mut dyn ContentSink,
    ) -> MessageSink<'a> {
        MessageSink { carried: self, service, sink }
    }

    /// A direction has ended.
    pub(super) fn close(&mut self, direction: Direction, end: End, sink: &mut dyn ContentSink) {
        if let Some(connection) = &mut self.connection {
            connection.close(side(direction), end, &mut InnerSink { sink });
            count(connection, sink);
        }
    }

    /// At least `len` bytes of messages are missing.
    pub(super) fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) {
        let skip = self.skip.get_mut(direction.index());
        let (Some(connection), Some(skip)) = (&mut self.connection, skip) else { return };
        *skip = connection.gap(side(direction), len.max(1), &mut InnerSink { sink });
        count(connection, sink);
    }

    pub(super) fn memory(&self) -> usize {
        self.connection.as_ref().map_or(0, |c| size_of::<Driver>() + c.memory())
    }

    fn piece(&mut self, direction: Direction, bytes: &[u8], sink: &mut dyn ContentSink) {
        let Some(skip) = self.skip.get_mut(direction.index()) else { return };
        let passed = usize::try_from(*skip).unwrap_or(usize::MAX).min(bytes.len());
        if *skip != Progress::REST {
            *skip -= passed as u64;
        }
        let bytes = bytes.get(passed..).unwrap_or(&[]);
        if bytes.is_empty() {
            return;
        }
        let orientation = Orientation { client: Side::Low, sure: true };
        let new = || Box::new(Driver::new(LIMITS, orientation));
        let connection = self.connection.get_or_insert_with(new);
        *skip = connection.data(side(direction), bytes, &mut InnerSink { sink });
        count(connection, sink);
    }
}

/// Inner bytes that could not be read are counted as an irregularity.
fn count(connection: &mut Driver, sink: &mut dyn ContentSink) {
    for event in connection.events() {
        if let DriverEvent::Opaque(_, reason) = event {
            sink.anomaly(reason);
        }
    }
}

/// A sink that separates messages from pieces of a connection.
pub(super) struct MessageSink<'a> {
    carried: &'a mut Carried,
    service: &'a Service,
    sink: &'a mut dyn ContentSink,
}

impl MessageSink<'_> {
    fn direction(id: ContentId) -> Option<Direction> {
        [Direction::ClientToServer, Direction::ServerToClient]
            .into_iter()
            .find(|d| MESSAGE.get(d.index()) == Some(&id))
    }

    fn message(&mut self, direction: Direction) -> Message {
        self.carried.messages.get_mut(direction.index()).map(std::mem::take).unwrap_or_default()
    }

    fn set(&mut self, direction: Direction, message: Message) {
        if let Some(slot) = self.carried.messages.get_mut(direction.index()) {
            *slot = message;
        }
    }

    /// The message is self-contained.
    fn whole(&mut self, direction: Direction, layer: &'static str, head: &[u8]) -> Want {
        let media = Media::Type { content_type: "", name: &self.service.path };
        let operation = self.service.method;
        let hint = Hint { direction, media, operation, codings: &[], layer };
        let id = self.sink.open(&hint);
        let want = self.sink.data(id, head);
        self.set(direction, Message::Whole(id));
        want
    }
}

impl ForwardingSink for MessageSink<'_> {
    fn inner(&mut self) -> &mut dyn ContentSink {
        self.sink
    }
    fn inner_ref(&self) -> &dyn ContentSink {
        self.sink
    }
    fn open_payload(&mut self, hint: &Hint<'_>) -> ContentId {
        let index = hint.direction.index();
        let first = self.carried.begun.get_mut(index).is_none_or(|b| !std::mem::replace(b, true));
        let message = if self.carried.connection.is_some() {
            Message::Piece
        } else if first && self.sink.depth() < MAX_DEPTH {
            Message::Head { layer: hint.layer, held: Zeroizing::default() }
        } else {
            Message::Whole(self.sink.open(hint))
        };
        self.set(hint.direction, message);
        MESSAGE.get(index).copied().unwrap_or(ContentId(u32::MAX))
    }

    fn payload_data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        let Some(direction) = Self::direction(id) else { return self.sink.data(id, bytes) };
        match self.message(direction) {
            Message::None => Want::NOTHING,
            Message::Piece => {
                self.set(direction, Message::Piece);
                self.carried.piece(direction, bytes, self.sink);
                Want::ALL
            }
            Message::Whole(id) => {
                self.set(direction, Message::Whole(id));
                self.sink.data(id, bytes)
            }
            Message::Head { layer, mut held } => {
                held.extend_from_slice(bytes);
                match begins(&held) {
                    Probe::Yes { .. } => {
                        self.set(direction, Message::Piece);
                        self.carried.piece(direction, &held, self.sink);
                        Want::ALL
                    }
                    Probe::More if held.len() < MAX_HEAD => {
                        self.set(direction, Message::Head { layer, held });
                        Want::ALL
                    }
                    Probe::More | Probe::No => self.whole(direction, layer, &held),
                }
            }
        }
    }

    fn payload_gap(&mut self, id: ContentId, len: u64) -> Want {
        let Some(direction) = Self::direction(id) else { return self.sink.gap(id, len) };
        match self.message(direction) {
            Message::None => Want::NOTHING,
            Message::Piece => {
                self.set(direction, Message::Piece);
                self.carried.gap(direction, len, self.sink);
                Want::ALL
            }
            Message::Whole(id) => {
                self.set(direction, Message::Whole(id));
                self.sink.gap(id, len)
            }
            Message::Head { layer, held } => {
                self.whole(direction, layer, &held);
                self.gap(id, len)
            }
        }
    }

    fn close_payload(&mut self, id: ContentId, ending: Ending) {
        let Some(direction) = Self::direction(id) else { return self.sink.close(id, ending) };
        let mut message = self.message(direction);
        if let Message::Head { layer, held } = message {
            // An undecided beginning of a connection continues in the next message.
            let enough = held.first() == Some(&START_BLOCK) || held.len() >= MIN_HEAD;
            if enough && matches!(begins(&held), Probe::More) {
                return self.carried.piece(direction, &held, self.sink);
            }
            self.whole(direction, layer, &held);
            message = self.message(direction);
        }
        match message {
            Message::Whole(id) => self.sink.close(id, ending),
            Message::Piece if ending == Ending::Cut => self.carried.gap(direction, 1, self.sink),
            Message::Piece | Message::None | Message::Head { .. } => {}
        }
    }
}

/// The sink of an inner connection: the WebSocket carries its payloads.
struct InnerSink<'a> {
    sink: &'a mut dyn ContentSink,
}

impl ForwardingSink for InnerSink<'_> {
    fn inner(&mut self) -> &mut dyn ContentSink {
        self.sink
    }
    fn inner_ref(&self) -> &dyn ContentSink {
        self.sink
    }
    fn open_payload(&mut self, hint: &Hint<'_>) -> ContentId {
        let layer = match hint.layer {
            "mllp" => "http/websocket/mllp",
            "http" => "http/websocket/http",
            "dicom" => "http/websocket/dicom",
            other => other,
        };
        self.sink.open(&Hint { layer, ..*hint })
    }
    /// The ends of an inner connection are not those of the flow, so flows that it announces are not expected.
    fn expect_flow(&mut self, _flow: ExpectedFlow) {}
    fn added_depth(&self) -> usize {
        1
    }
}
