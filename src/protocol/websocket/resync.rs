//! Finds a frame again after a loss. Frames have few marks, so several must be consistent with each other, or with
//! the length of the available bytes.

use super::header::{self, Kind};

/// Consecutive frames that are sufficient wherever they end.
const ROW: usize = 3;

/// The offset of the first frame in `data`; `masked`: as sent by a client.
pub(super) fn find(masked: bool, data: &[u8]) -> Option<usize> {
    (0..data.len())
        .find(|start| is_row(masked, data.get(*start..).unwrap_or_default(), *start == 0))
}

/// Whether frames begin here. `first`: at the first byte behind the gap, where they usually do, since senders write
/// complete messages.
fn is_row(masked: bool, data: &[u8], first: bool) -> bool {
    let (mut at, mut count) = (0usize, 0);
    // Whether a message is incomplete, once known.
    let mut open = None;
    while count < ROW {
        let rest = data.get(at..).unwrap_or_default();
        let need = header::length(rest);
        let Some(head) = rest.get(..need) else { break };
        let Some(frame) = header::parse(head) else { return false };
        let &[_, second, ..] = head else { return false };
        // RFC 6455 5.2: the shortest form of a length; 5.1: only clients mask, and always.
        let shortest = match second & 0x7f {
            126 => frame.len > 125,
            127 => frame.len > 0xffff,
            _ => true,
        };
        let follows = match frame.kind {
            // Runs of zeros look like empty frames.
            Kind::Message => open != Some(true) && frame.len > 0,
            Kind::Continuation => open != Some(false) && count > 0 && frame.len > 0,
            Kind::Control | Kind::Close => true,
        };
        if matches!(frame.kind, Kind::Message | Kind::Continuation) {
            open = Some(!frame.last);
        }
        if !shortest || !follows || (second & 0x80 != 0) != masked {
            return false;
        }
        count += 1;
        at = at
            .saturating_add(need)
            .saturating_add(usize::try_from(frame.len).unwrap_or(usize::MAX));
    }
    let exact = at == data.len() && at > 2;
    count == ROW || (exact && (count > 1 || first))
}
