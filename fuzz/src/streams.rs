//! Conversations of any protocol, and a notation of them that protocols with framing share.

use super::packets::HARNESS;
use phitap::flow::Direction;
use phitap::pipeline::test_harness::Conversation;

/// Separates the turns of [`conversations`]: U+1F691.
const MARKER: &[u8] = b"\xf0\x9f\x9a\x91";
/// Most bytes of a segment.
const SEGMENT: usize = 1400;

/// A connection on the port of `server`.
pub fn conversation(server: u16) -> Conversation {
    Conversation::new(([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], server), SEGMENT)
}

/// Bit 0 of a byte says who speaks.
fn direction(how: u8) -> Direction {
    if how & 1 == 0 { Direction::ClientToServer } else { Direction::ServerToClient }
}

/// Runs a conversation through all stages.
pub fn run(conversation: Conversation) {
    HARNESS.run(&conversation.packets());
}

/// Conversations for every protocol and content. The input is cut at U+1F691; the byte behind it says who
/// speaks (bit 0: the server), and whether that many bytes are lost first (bit 1).
pub fn conversations(data: &[u8]) {
    let mut flow = conversation(4321);
    let mut at = 0;
    while at < data.len() {
        let end = data[at..].windows(MARKER.len()).position(|w| w == MARKER);
        let end = end.map_or(data.len(), |n| at + n);
        if let [how, turn @ ..] = &data[at..end] {
            if how & 2 != 0 {
                flow.lose(direction(*how), u32::from(*how));
            }
            flow.say(direction(*how), turn);
        }
        at = end + MARKER.len();
    }
    run(flow);
}

/// A list of records: how (bit 0: the server speaks, bit 1: bytes are lost before it, bit 2: the record
/// goes through `wrap`, else it is raw), length (two bytes), then the bytes.
pub fn records(
    flow: &mut Conversation,
    mut rest: &[u8],
    wrap: impl Fn(Direction, &[u8]) -> Vec<u8>,
) {
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, after) = tail.split_at(len.min(tail.len()));
        let speaker = direction(*how);
        if how & 2 != 0 {
            flow.lose(speaker, u32::from(*how) * 7);
        }
        match how & 4 {
            0 => flow.say(speaker, bytes),
            _ => flow.say(speaker, &wrap(speaker, bytes)),
        }
        rest = after;
    }
}

/// MLLP: [`records`] that are framed messages, or raw.
pub fn mllp(data: &[u8]) {
    let mut flow = conversation(2575);
    records(&mut flow, data, |_, bytes| [b"\x0bMSH|^~\\&|", bytes, b"\x1c\r"].concat());
    run(flow);
}
