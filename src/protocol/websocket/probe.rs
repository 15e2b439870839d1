//! Recognises WebSocket mid-stream, where a segment starts with a frame.

use super::header::{self, Kind};
use crate::protocol::{Probe, Speaker};

/// Consecutive frames that are sufficient whatever they contain.
const ROW: usize = 3;

/// Text that is sufficient if the length of a frame is exactly that of the available bytes, bytes.
const MIN_TEXT: usize = 8;

/// Text that is sufficient at the start of a longer frame, bytes.
const LONG_TEXT: usize = 64;

/// Bytes of a frame's text that are examined.
const MAX_TEXT: usize = 256;

/// Whether `data` starts with frames.
pub(super) fn probe(data: &[u8]) -> Probe {
    let (mut at, mut count, mut text, mut masked) = (0usize, 0, 0, None);
    while count < ROW {
        let rest = data.get(at..).unwrap_or_default();
        // RFC 6455 5.2: no extension in use takes the other reserved bits.
        if rest.first().is_some_and(|first| first & 0x30 != 0 || first & 0x0f > 10) {
            return Probe::No;
        }
        let need = header::length(rest);
        let Some(head) = rest.get(..need) else { break };
        let (Some(frame), &[first, second, ..]) = (header::parse(head), head) else {
            return Probe::No;
        };
        let shortest = match second & 0x7f {
            126 => frame.len > 125,
            127 => frame.len > 0xffff,
            _ => true,
        };
        let this = second & 0x80 != 0;
        let message = frame.kind == Kind::Message;
        // Runs of zeros look like empty frames.
        let empty = frame.len == 0 && matches!(frame.kind, Kind::Message | Kind::Continuation);
        if !shortest || masked.is_some_and(|m| m != this) || empty {
            return Probe::No;
        }
        masked = Some(this);
        if message && first & 0x4f == 1 {
            let whole = usize::try_from(frame.len).unwrap_or(usize::MAX);
            let body = rest.get(need..).unwrap_or_default();
            let body = body.get(..whole.min(MAX_TEXT)).unwrap_or(body);
            if !is_text(body, frame.mask) {
                return Probe::No;
            }
            text += body.len();
        }
        count += 1;
        at = at
            .saturating_add(need)
            .saturating_add(usize::try_from(frame.len).unwrap_or(usize::MAX));
        if at >= data.len() {
            break;
        }
    }
    let exact = at == data.len();
    let sure = count == ROW || (text >= MIN_TEXT && (exact || count > 1)) || text >= LONG_TEXT;
    match masked {
        Some(true) if sure => Probe::yes(Speaker::Client),
        Some(false) if sure => Probe::yes(Speaker::Server),
        _ => Probe::More,
    }
}

/// Whether `body` is the start of a text, without its mask.
fn is_text(body: &[u8], mask: [u8; 4]) -> bool {
    let clear: Vec<u8> = body.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
    let text = match std::str::from_utf8(&clear) {
        Ok(text) => text,
        // The last character may be cut.
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(clear.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or("")
        }
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n' | '\u{b}' | '\u{1c}'))
}
