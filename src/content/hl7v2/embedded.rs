//! Documents in OBX-5: data type ED (chapter 2A.24), `source^type^subtype^encoding^data`.
//!
//! The data is decoded as it comes and handed to the format it is in; nothing is collected but
//! text that came without an encoding.

use super::value::{Delimiters, Syntax};
use crate::content::{Media, Nested, Scope, Want};
use zeroize::Zeroizing;

/// Longest component that describes the data, bytes.
const MAX_COMPONENT: usize = 64;
/// Longest text that came without an encoding, bytes.
const MAX_TEXT: usize = 64 << 10;
/// Decoded bytes handed on at once.
const CHUNK: usize = 4096;
/// Bytes that may stand between two escape characters within encoded data (`\.br\`, `\X0D0A\`).
const MAX_ESCAPE: usize = 16;

/// Reads one OBX segment for the document it may hold.
pub struct Embedded {
    state: State,
}

enum State {
    /// Before OBX-5.
    Fields { number: u8, value: [u8; 3], len: usize },
    /// In the components of OBX-5 that describe the data.
    Components { all: Vec<Vec<u8>> },
    /// In the data.
    Data(Box<Data>),
    /// No document, or its end.
    Done,
}

struct Data {
    nested: Nested,
    coding: Coding,
    /// The decoded layer's name in `phi.carrier`.
    layer: &'static str,
    /// Decoded bytes to come that nobody wants.
    skip: u64,
    /// Decoded bytes, not yet handed on.
    out: Zeroizing<Vec<u8>>,
    /// Within an escape sequence, so many bytes ago.
    escaped: Option<usize>,
}

#[derive(Clone, Copy)]
enum Coding {
    Base64 {
        bits: u32,
        held: u8,
        ended: bool,
    },
    Hex {
        high: Option<u8>,
    },
    /// No encoding (`A`): text with escape sequences.
    Plain,
}

impl Embedded {
    /// An OBX segment begins; the next bytes are those of OBX-1.
    pub const fn new() -> Self {
        Self { state: State::Fields { number: 1, value: [0; 3], len: 0 } }
    }

    /// Whether nothing behind is of interest.
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        match &self.state {
            State::Data(data) => data.nested.memory() + data.out.capacity(),
            State::Components { all } => all.iter().map(Vec::capacity).sum(),
            State::Fields { .. } | State::Done => 0,
        }
    }

    /// The next bytes of the segment.
    pub fn data(&mut self, bytes: &[u8], syntax: &Syntax, scope: &mut Scope<'_>) {
        let d = &syntax.delimiters;
        for (at, &byte) in bytes.iter().enumerate() {
            match &mut self.state {
                State::Fields { number, value, len } => {
                    if char::from(byte) == d.field {
                        if *number == 2 && value != b"ED\0" {
                            self.state = State::Done;
                            return;
                        }
                        *number += 1;
                        if *number == 5 {
                            self.state = State::Components { all: vec![Vec::new()] };
                        }
                    } else if *number == 2
                        && let Some(slot) = value.get_mut(*len)
                    {
                        *slot = byte;
                        *len += 1;
                    }
                }
                State::Components { all } => {
                    if [d.field, d.repetition].contains(&char::from(byte)) {
                        self.state = State::Done;
                        return;
                    }
                    if char::from(byte) == d.component {
                        if all.len() == 4 {
                            self.state = described(all);
                        } else {
                            all.push(Vec::new());
                        }
                    } else if let Some(last) = all.last_mut()
                        && last.len() < MAX_COMPONENT
                    {
                        last.push(byte);
                    }
                }
                State::Data(data) => {
                    let rest = bytes.get(at..).unwrap_or(&[]);
                    if data.read(rest, d, scope) {
                        self.end(true, syntax, scope);
                    }
                    return;
                }
                State::Done => return,
            }
        }
    }

    /// The segment has ended, or was hit by a hole.
    pub fn end(&mut self, complete: bool, syntax: &Syntax, scope: &mut Scope<'_>) {
        if let State::Data(mut data) = std::mem::replace(&mut self.state, State::Done) {
            data.end(complete, syntax, scope);
        }
    }
}

/// Opens the document that the four components before the data describe.
fn described(components: &[Vec<u8>]) -> State {
    let text = |n: usize| {
        let raw = components.get(n).map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(raw).trim().to_ascii_lowercase()
    };
    let (kind, subtype) = (text(1), text(2));
    let (coding, layer) = match text(3).as_str() {
        "base64" | "b64" => (Coding::Base64 { bits: 0, held: 0, ended: false }, "base64"),
        "hex" => (Coding::Hex { high: None }, "hex"),
        "a" | "" => (Coding::Plain, "text"),
        _ => return State::Done,
    };
    // Table 0191, with the abbreviations of earlier versions.
    let kind = match kind.as_str() {
        "" | "ap" => "application",
        "im" => "image",
        "tx" | "ft" | "sd" => "text",
        other => other,
    };
    let content_type = match subtype.as_str() {
        "" | "octet-stream" => String::new(),
        subtype => format!("{kind}/{subtype}"),
    };
    let nested = Nested::new(&Media::Type { content_type: &content_type, name: "" });
    State::Data(Box::new(Data {
        nested,
        coding,
        layer,
        skip: 0,
        out: Zeroizing::default(),
        escaped: None,
    }))
}

impl Data {
    /// Decodes `bytes`; true at the end of the data or once nobody wants the rest.
    fn read(&mut self, bytes: &[u8], d: &Delimiters, scope: &mut Scope<'_>) -> bool {
        for &byte in bytes {
            if [d.field, d.repetition, d.component].contains(&char::from(byte)) {
                return true;
            }
            if !matches!(self.coding, Coding::Plain) && self.escapes(byte, d) {
                continue;
            }
            match &mut self.coding {
                Coding::Plain => {
                    if self.out.len() < MAX_TEXT {
                        self.out.push(byte);
                    }
                    continue;
                }
                Coding::Base64 { bits, held, ended } => {
                    let value = match byte {
                        b'A'..=b'Z' => byte - b'A',
                        b'a'..=b'z' => byte - b'a' + 26,
                        b'0'..=b'9' => byte - b'0' + 52,
                        b'+' | b'-' => 62,
                        b'/' | b'_' => 63,
                        b'=' => {
                            *ended = true;
                            continue;
                        }
                        _ => continue,
                    };
                    if *ended {
                        continue;
                    }
                    *bits = (*bits << 6) | u32::from(value);
                    *held += 6;
                    if *held >= 8 {
                        *held -= 8;
                        let [.., decoded] = (*bits >> *held).to_be_bytes();
                        *bits &= (1 << *held) - 1;
                        self.out.push(decoded);
                    }
                }
                Coding::Hex { high } => {
                    let Some(digit) = char::from(byte).to_digit(16) else { continue };
                    let digit = digit as u8;
                    match high.take() {
                        Some(high) => self.out.push(high << 4 | digit),
                        None => *high = Some(digit),
                    }
                }
            }
            if self.out.len() >= CHUNK && !self.flush(scope) {
                return true;
            }
        }
        false
    }

    /// Whether `byte` belongs to an escape sequence, which encoded data has none of its own.
    fn escapes(&mut self, byte: u8, d: &Delimiters) -> bool {
        let escape = char::from(byte) == d.escape;
        self.escaped = match self.escaped {
            Some(_) if escape => None,
            Some(n) if n < MAX_ESCAPE => Some(n + 1),
            // It was none after all.
            Some(_) => return false,
            None if escape => Some(0),
            None => return false,
        };
        true
    }

    /// Hands on what is decoded; false once nobody wants more.
    fn flush(&mut self, scope: &mut Scope<'_>) -> bool {
        let hidden = self.skip.min(self.out.len() as u64);
        scope.skipped(hidden);
        if self.skip != Want::NOTHING.skip {
            self.skip -= hidden;
        }
        if let Some(wanted @ [_, ..]) = self.out.get(hidden as usize..) {
            let nested = &mut self.nested;
            self.skip = scope.within(self.layer, |scope| nested.data(wanted, scope)).skip;
        }
        self.out.clear();
        self.skip != Want::NOTHING.skip
    }

    fn end(&mut self, complete: bool, syntax: &Syntax, scope: &mut Scope<'_>) {
        if matches!(self.coding, Coding::Plain) {
            let raw = std::mem::take(&mut self.out);
            let text = syntax.charset.decode(&raw, syntax.delimiters.escape_byte());
            self.out.extend_from_slice(syntax.undo(&text).as_bytes());
        }
        self.flush(scope);
        let nested = &mut self.nested;
        scope.within(self.layer, |scope| nested.end(complete, scope));
    }
}
