//! HP-GL/2 inside PCL: drawn labels (`LB`), at the position of the pen.

use crate::content::extract::layout::{GlyphPosition, Page};
use crate::content::formats::pdf::font::usual_width;

/// Plotter units per point: 1016 per inch.
const UNITS: f64 = 1016.0 / 72.0;
/// Usual height of letters in points.
const HEIGHT: f64 = 10.0;

/// Position of the pen.
pub(super) struct Plotter {
    x: f64,
    y: f64,
    relative: bool,
    /// Terminator of labels (`DT`).
    terminator: u8,
}

impl Default for Plotter {
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, relative: false, terminator: 3 }
    }
}

impl Plotter {
    /// Runs instructions.
    pub(super) fn draw(&mut self, data: &[u8], page: &mut Page) {
        let mut rest = data;
        while let Some((first, tail)) = rest.split_first() {
            let Some(second) =
                tail.first().filter(|b| first.is_ascii_alphabetic() && b.is_ascii_alphabetic())
            else {
                rest = tail;
                continue;
            };
            let name = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
            let body = tail.get(1..).unwrap_or_default();
            if &name == b"LB" {
                let end = memchr::memchr(self.terminator, body).unwrap_or(body.len());
                self.label(body.get(..end).unwrap_or_default(), page);
                rest = body.get(end + 1..).unwrap_or_default();
                continue;
            }
            let end = body
                .iter()
                .position(|b| b.is_ascii_alphabetic() || *b == b';')
                .unwrap_or(body.len());
            let numbers = body.get(..end).unwrap_or_default();
            rest = body.get(end..).unwrap_or_default();
            match &name {
                b"DT" => self.terminator = numbers.first().or(body.first()).copied().unwrap_or(3),
                b"PA" | b"PU" | b"PD" | b"PR" => {
                    match &name {
                        b"PA" => self.relative = false,
                        b"PR" => self.relative = true,
                        _ => {}
                    }
                    self.go(numbers);
                }
                _ => {}
            }
        }
    }

    fn go(&mut self, numbers: &[u8]) {
        let text = String::from_utf8_lossy(numbers);
        let numbers = text.split([',', ' ']).filter(|n| !n.is_empty());
        let numbers: Vec<f64> = numbers.map_while(|n| n.trim().parse().ok()).collect();
        for pair in numbers.chunks_exact(2) {
            let [x, y] = *pair else { return };
            if self.relative {
                (self.x, self.y) = (self.x + x, self.y + y);
            } else {
                (self.x, self.y) = (x, y);
            }
        }
    }

    fn label(&mut self, text: &[u8], page: &mut Page) {
        let text = encoding_rs::WINDOWS_1252.decode_without_bom_handling(text).0;
        let (mut start, down) = (self.x / UNITS, -self.y / UNITS);
        if !start.is_finite() || !down.is_finite() {
            return;
        }
        for c in text.chars().filter(|c| !c.is_control()) {
            let end = start + f64::from(usual_width(b"", c)) / 1000.0 * HEIGHT;
            page.push(
                c.encode_utf8(&mut [0; 4]),
                GlyphPosition { turn: 0, down, start, end, size: HEIGHT },
            );
            start = end;
        }
    }
}
