//! Joins pieces of text to lines, each within a cap.

use std::ops::ControlFlow;
use zeroize::Zeroizing;

/// Longest line, bytes; the rest of a longer one is passed over.
const MAX_LINE: usize = 16 << 10;

/// Joins lines.
#[derive(Default)]
pub struct TextLines {
    line: Zeroizing<Vec<u8>>,
}

impl TextLines {
    /// Passes on each complete line, without its line break.
    pub fn read(&mut self, mut bytes: &[u8], to: &mut impl FnMut(&str) -> ControlFlow<()>) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.keep(bytes.get(..end).unwrap_or_default());
            if self.hand_on(to).is_break() {
                return;
            }
            bytes = bytes.get(end + 1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// Passes on a last line without a line break.
    pub fn finish(&mut self, to: &mut impl FnMut(&str) -> ControlFlow<()>) {
        if !self.line.is_empty() {
            let _ = self.hand_on(to);
        }
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.line.capacity()
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn hand_on(&mut self, to: &mut impl FnMut(&str) -> ControlFlow<()>) -> ControlFlow<()> {
        let flow = {
            let text = String::from_utf8_lossy(&self.line);
            to(text.strip_suffix('\r').unwrap_or(&text))
        };
        self.line.clear();
        flow
    }
}
