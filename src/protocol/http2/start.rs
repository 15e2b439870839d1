//! Recognising HTTP/2.

use super::frame::{self, ACK, DEFAULT_MAX, Found, HEADER, Header, SETTINGS};
use crate::protocol::{Probe, Speaker};

/// What a client says first (RFC 9113 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Most settings in a first frame.
const MAX_SETTINGS: u32 = 32;

/// Frames in a row that count as HTTP/2 where the start is missing.
const ROW: usize = 4;

/// Whether the first readable bytes of a direction are HTTP/2.
pub fn probe(data: &[u8], at_start: bool) -> Probe {
    if !at_start {
        return match frame::find(None, data, DEFAULT_MAX, ROW, false) {
            Found::At(offset) => Probe::Yes { speaker: Speaker::Any, offset },
            Found::Perhaps(..) | Found::Nowhere => Probe::More,
        };
    }
    if data.starts_with(PREFACE) {
        return Probe::yes(Speaker::Client);
    }
    if PREFACE.starts_with(data) {
        return Probe::More;
    }
    settings(data)
}

/// A server begins with its settings (RFC 9113 3.4).
fn settings(data: &[u8]) -> Probe {
    let Some(first) = Header::read(data) else {
        // The length of the settings and the type.
        const SHAPE: [u8; 9] = [0, 0, 0xff, SETTINGS, 0, 0, 0, 0, 0];
        let fits = data.iter().zip(SHAPE).all(|(b, s)| s == 0xff || *b == s);
        return if fits { Probe::More } else { Probe::No };
    };
    let sound = first.kind == SETTINGS && first.flags == 0 && data.get(5) == Some(&0);
    if !sound || !first.is_sound() || first.len > 6 * MAX_SETTINGS {
        return Probe::No;
    }
    let (_, rest) = data.split_at(HEADER);
    let Some(settings) = rest.get(..first.len as usize) else {
        return if rest.chunks_exact(6).all(is_setting) { Probe::More } else { Probe::No };
    };
    if !settings.chunks_exact(6).all(is_setting) {
        return Probe::No;
    }
    if !settings.is_empty() {
        return Probe::yes(Speaker::Server);
    }
    // Nine bytes, seven of them zero, are too little to go by.
    let after = rest.get(settings.len()..).unwrap_or_default();
    match Header::read(after) {
        Some(next) if next.is_sound() && (next.kind != SETTINGS || next.has(ACK)) => {
            let known = next.kind <= frame::WINDOW_UPDATE && next.len <= DEFAULT_MAX;
            if known { Probe::yes(Speaker::Server) } else { Probe::No }
        }
        Some(_) => Probe::No,
        None => Probe::More,
    }
}

/// An identifier in use, or one of those meant to be ignored (`0x?a?a`, as RFC 8701 has them).
fn is_setting(setting: &[u8]) -> bool {
    match setting {
        [0, id, ..] => (1..=0x10).contains(id),
        [a, b, ..] => a & 0x0f == 0x0a && b & 0x0f == 0x0a,
        _ => false,
    }
}
