//! Which end opened a flow.

use super::{FlowHead, Orientation};
use crate::decode::{Decoded, tcp_flags};

/// Ports from here on are ephemeral on most systems (Linux: 32768, IANA: 49152).
const EPHEMERAL: u16 = 32_768;

/// The end that opened a flow, judged by its first packet.
pub(super) fn guess(segment: &Decoded) -> Orientation {
    let from = segment.from;
    let port = |side| segment.key.end(side).port;
    let (ours, theirs) = (port(from), port(from.other()));
    let client = match (ours >= EPHEMERAL, theirs >= EPHEMERAL) {
        (false, true) => from.other(),
        (true, false) => from,
        // Both well known or both ephemeral: a system port is the server, otherwise the end that spoke first is the
        // client.
        _ if ours < 1024 && theirs >= 1024 => from.other(),
        _ => from,
    };
    let mut head = Orientation { client, sure: false };
    if let Some(known) = handshake(segment) {
        head = known;
    }
    head
}

fn handshake(segment: &Decoded) -> Option<Orientation> {
    let answer = segment.flags & tcp_flags::ACK != 0;
    (segment.flags & tcp_flags::SYN != 0).then(|| Orientation {
        client: if answer { segment.from.other() } else { segment.from },
        sure: true,
    })
}

/// Whether the client of a connection that was seen from its beginning sends a SYN-ACK, as only a server does.
pub(super) fn answers_as_client(head: &FlowHead, segment: &Decoded) -> bool {
    const ANSWER: u8 = tcp_flags::SYN | tcp_flags::ACK;
    let Orientation { client, sure } = head.orientation;
    sure && segment.from == client && segment.flags & ANSWER == ANSWER
}

/// Sequence number of the client's SYN, from the first packet of a flow: the SYN, or its answer (RFC 9293
/// 3.5).
pub(super) const fn initial(segment: &Decoded) -> Option<u32> {
    match (segment.flags & tcp_flags::SYN != 0, segment.flags & tcp_flags::ACK != 0) {
        (true, false) => Some(segment.seq),
        (true, true) => Some(segment.ack.wrapping_sub(1)),
        (false, _) => None,
    }
}

/// A handshake seen late still shows which end opened the flow.
pub(super) fn orient(head: &mut FlowHead, segment: &Decoded) {
    if !head.orientation.sure
        && let Some(orientation) = handshake(segment)
    {
        head.orientation = orientation;
    }
}
