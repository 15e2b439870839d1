//! Recognises HTTP/2.

use super::frame::{self, ACK, CONTINUATION, DEFAULT_MAX, END_HEADERS, HEADER, Header, SETTINGS};
use crate::protocol::{Position, Probe, Speaker};
use crate::syntax::Search;

/// The client's connection preface (RFC 9113 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Most settings in a first frame.
const MAX_SETTINGS: u32 = 32;

/// Consecutive frames that count as HTTP/2 where the start is missing.
const ROW: usize = 4;

/// Whether the first readable bytes of a direction are HTTP/2.
pub fn probe(data: &[u8], at: Position) -> Probe {
    if at == Position::Midstream {
        return match frame::find(None, data, DEFAULT_MAX, ROW, false) {
            Search::Found(offset, ()) => Probe::Yes { speaker: Speaker::Any, offset },
            Search::Perhaps { .. } | Search::None => Probe::More,
        };
    }
    if data.starts_with(PREFACE) {
        return Probe::yes(Speaker::Client);
    }
    if PREFACE.starts_with(data) {
        return Probe::More;
    }
    match (settings(data), row(data)) {
        (Probe::No, row) => row,
        (settings, _) => settings,
    }
}

/// A capture that begins mid-stream often begins with a frame.
fn row(data: &[u8]) -> Probe {
    // No usual frame is long enough to need the first byte.
    if data.first().is_some_and(|b| *b != 0) || data.get(3).is_some_and(|b| *b > CONTINUATION) {
        return Probe::No;
    }
    let (mut at, mut count, mut head_first) = (0, 0, false);
    while count < ROW {
        let rest = data.get(at..).unwrap_or_default();
        let Some(header) = Header::read(rest) else { break };
        if !header.is_plausible(None, DEFAULT_MAX) || rest.get(5).is_some_and(|b| b & 0x80 != 0) {
            return Probe::No;
        }
        head_first |= count == 0 && header.kind == frame::HEADERS && header.has(END_HEADERS);
        count += 1;
        at += HEADER + header.len as usize;
    }
    // A single header may be chance, but not one whose length is exactly that of the available bytes or leads to
    // another header.
    let exact = at == data.len();
    if count == ROW || (count >= 2 && (exact || head_first)) || (head_first && exact) {
        Probe::yes(Speaker::Any)
    } else {
        Probe::More
    }
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
        return Probe::More;
    };
    if settings.chunks_exact(6).any(is_setting) {
        return Probe::yes(Speaker::Server);
    }
    if !settings.is_empty() {
        return Probe::No;
    }
    // Nine bytes, seven of them zero, prove too little.
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

/// A known identifier; others may be experimental and are ignored.
fn is_setting(setting: &[u8]) -> bool {
    matches!(setting, [0, 1..=0x10, ..])
}
