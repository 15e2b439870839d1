//! Which end opened a flow.

use super::{FlowHead, Orientation, Side};
use crate::decode::{Decoded, tcp_flags};

/// Ports from here on are ephemeral on most systems (Linux: 32768, IANA: 49152).
const EPHEMERAL: u16 = 32_768;

/// The end that opened a flow, judged by its first packet.
pub(super) fn guess(segment: &Decoded) -> Orientation {
    let from = segment.from;
    let port = |side| segment.key.end(side).port;
    let (ours, theirs) = (port(from), port(from.other()));
    let client = match by_port(segment) {
        Some(client) => client,
        // Both well known or both ephemeral: a system port is the server, otherwise the end that spoke first is the
        // client.
        None if ours < 1024 && theirs >= 1024 => from.other(),
        None => from,
    };
    let mut head = Orientation { client, sure: false };
    if let Some(known) = handshake(segment) {
        head = known;
    }
    head
}

/// The client, if one port alone is ephemeral.
fn by_port(segment: &Decoded) -> Option<Side> {
    let from = segment.from;
    let is_ephemeral = |side| segment.key.end(side).port >= EPHEMERAL;
    match (is_ephemeral(from), is_ephemeral(from.other())) {
        (false, true) => Some(from.other()),
        (true, false) => Some(from),
        _ => None,
    }
}

fn handshake(segment: &Decoded) -> Option<Orientation> {
    let answer = segment.flags & tcp_flags::ACK != 0;
    (segment.flags & tcp_flags::SYN != 0).then(|| Orientation {
        client: if answer { segment.from.other() } else { segment.from },
        sure: true,
    })
}

/// Whether the client of a connection sends a SYN-ACK, as only a server does. Where the beginning was not captured,
/// ports tell the client.
pub(super) fn answers_as_client(head: &FlowHead, segment: &Decoded) -> bool {
    const ANSWER: u8 = tcp_flags::SYN | tcp_flags::ACK;
    if segment.flags & ANSWER != ANSWER {
        return false;
    }
    let Orientation { client, sure } = head.orientation;
    let client = if sure { Some(client) } else { by_port(segment) };
    client == Some(segment.from)
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
