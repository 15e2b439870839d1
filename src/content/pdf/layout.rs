//! From pieces of text somewhere on a page to its lines, as a reader sees them.

use zeroize::Zeroizing;

/// Pieces of one page before its lines are made.
pub(super) const MAX_PIECES: usize = 20_000;

/// Text of one page before its lines are made, bytes.
pub(super) const MAX_PENDING: usize = 1 << 20;

/// A gap this wide is a space, in units of the font size: kerning stays below a tenth, and
/// justified lines above a fifth.
const WORD_GAP: f64 = 0.17;

/// A gap this wide separates columns.
const CELL_GAP: f64 = 0.9;

/// What stands this much lower is on the next line.
const LINE_GAP: f64 = 0.4;

/// What separates columns in a line of text.
const CELL_SEPARATOR: &str = "   ";

/// Text on one base line.
pub(super) struct Piece {
    /// Quarter turns of the writing direction.
    turn: u8,
    /// Distance from the top, whatever its origin.
    down: f64,
    start: f64,
    end: f64,
    size: f64,
    text: Zeroizing<String>,
}

/// Where a glyph stands.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) turn: u8,
    pub(super) down: f64,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) size: f64,
}

/// The pieces of a page.
#[derive(Default)]
pub(super) struct Page {
    pieces: Vec<Piece>,
    bytes: usize,
}

impl Page {
    /// A glyph, or several that one code shows.
    pub(super) fn push(&mut self, text: &str, spot: Spot) {
        self.bytes += text.len();
        let blank = text.bytes().all(|b| b == b' ');
        if let Some(last) = self.pieces.last_mut() {
            let gap = (spot.start - last.end) / spot.size;
            let level = (spot.down - last.down).abs() < spot.size * 0.1;
            if last.turn == spot.turn && level && (-0.5..CELL_GAP).contains(&gap) {
                if gap > WORD_GAP && !last.text.ends_with(' ') && !blank {
                    last.text.push(' ');
                }
                last.text.push_str(text);
                last.end = last.end.max(spot.end);
                return;
            }
        }
        if !blank {
            self.pieces.push(Piece {
                turn: spot.turn,
                down: spot.down,
                start: spot.start,
                end: spot.end,
                size: spot.size,
                text: Zeroizing::new(text.to_owned()),
            });
        }
    }

    /// Whether the lines must be made now.
    pub(super) fn is_full(&self) -> bool {
        self.pieces.len() >= MAX_PIECES || self.bytes >= MAX_PENDING
    }

    /// Writes the lines of the page to `out`, top to bottom and left to right.
    pub(super) fn lines(&mut self, out: &mut String) {
        let mut pieces = std::mem::take(&mut self.pieces);
        self.bytes = 0;
        pieces.sort_by(|a, b| a.turn.cmp(&b.turn).then(a.down.total_cmp(&b.down)));
        let same_line = |first: &Piece, next: &Piece| {
            let size = first.size.max(next.size);
            first.turn == next.turn && next.down - first.down <= size * LINE_GAP
        };
        let mut rest = pieces.as_mut_slice();
        while let Some(first) = rest.first() {
            let len = rest.iter().take_while(|p| same_line(first, p)).count();
            let (line, below) = std::mem::take(&mut rest).split_at_mut(len.max(1));
            rest = below;
            line.sort_by(|a, b| a.start.total_cmp(&b.start));
            write_line(line, out);
        }
    }
}

fn write_line(line: &[Piece], out: &mut String) {
    let mut before: Option<&Piece> = None;
    for piece in line {
        if let Some(before) = before {
            let gap = (piece.start - before.end) / piece.size;
            let moved = (piece.start - before.start).abs() / piece.size;
            // Printed twice for bold type.
            if moved < 0.2 && piece.text == before.text {
                continue;
            }
            if gap > CELL_GAP {
                out.push_str(CELL_SEPARATOR);
            } else if gap > WORD_GAP && !out.ends_with(' ') {
                out.push(' ');
            }
        }
        out.push_str(&piece.text);
        before = Some(piece);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}
