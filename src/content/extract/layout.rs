//! Arranges positioned pieces of text on a page into the lines that a reader sees.

use super::reading_order::as_read;
use zeroize::Zeroizing;

/// Pieces of one page that are kept.
pub const MAX_PIECES: usize = 20_000;

/// Text of one page that is kept, bytes.
pub const MAX_PENDING: usize = 1 << 20;

/// A gap this wide is a space, in units of the font size: kerning stays below a tenth, and
/// justified lines above a fifth.
const WORD_GAP: f64 = 0.17;

/// A gap this wide separates columns.
const CELL_GAP: f64 = 0.9;

/// Text this much lower is on the next line.
const LINE_GAP: f64 = 0.4;

/// Separator of columns in a line of text.
const CELL_SEPARATOR: &str = "   ";

/// Text on one base line without a wide gap.
pub struct Piece {
    /// Quarter turns of the writing direction.
    turn: u8,
    /// Distance from the top, whatever its origin.
    down: f64,
    start: f64,
    end: f64,
    size: f64,
    text: Zeroizing<String>,
}

/// Position of a glyph.
#[derive(Clone, Copy)]
pub struct GlyphPosition {
    /// Quarter turns of the writing direction.
    pub turn: u8,
    /// Distance from the top, whatever its origin.
    pub down: f64,
    /// Where it starts along the line.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// Size of the font in the same units.
    pub size: f64,
}

/// The pieces of a page.
#[derive(Default)]
pub struct Page {
    pieces: Vec<Piece>,
    bytes: usize,
    /// Characters are in reading order, as on screens.
    as_read: bool,
}

/// Pieces beside each other, from left to right.
pub struct Line {
    pieces: Vec<Piece>,
    as_read: bool,
}

/// A part of a line that is apart from the others.
pub struct Cell {
    /// Where it starts along the line.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// What it says.
    pub text: Zeroizing<String>,
}

impl AsRef<str> for Cell {
    fn as_ref(&self) -> &str {
        self.text.trim()
    }
}

impl Page {
    /// A screen: characters stand in the order in which they are read, also those of scripts that run from right to
    /// left.
    pub fn of_screen() -> Self {
        Self { as_read: true, ..Self::default() }
    }

    /// A glyph, or several that one code shows.
    pub fn push(&mut self, text: &str, spot: GlyphPosition) {
        self.bytes += text.len();
        if let Some(last) = self.pieces.last_mut() {
            let gap = (spot.start - last.end) / spot.size;
            let level = (spot.down - last.down).abs() < spot.size * 0.1;
            if last.turn == spot.turn && level && (-0.5..=WORD_GAP).contains(&gap) {
                last.text.push_str(text);
                last.end = last.end.max(spot.end);
                return;
            }
        }
        if text.bytes().any(|b| b != b' ') {
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

    /// Bytes of text since the last lines were made.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the lines must be made now.
    pub fn is_full(&self) -> bool {
        self.pieces.len() >= MAX_PIECES || self.bytes >= MAX_PENDING
    }

    /// The lines of the page, top to bottom.
    pub fn lines(&mut self, out: &mut Vec<Line>) {
        let mut pieces = std::mem::take(&mut self.pieces);
        self.bytes = 0;
        pieces.sort_by(|a, b| a.turn.cmp(&b.turn).then(a.down.total_cmp(&b.down)));
        let mut line: Vec<Piece> = Vec::new();
        for piece in pieces {
            let same_line = line.first().is_none_or(|first| {
                let size = first.size.max(piece.size);
                first.turn == piece.turn && piece.down - first.down <= size * LINE_GAP
            });
            if !same_line {
                out.push(Line::new(std::mem::take(&mut line), self.as_read));
            }
            line.push(piece);
        }
        if !line.is_empty() {
            out.push(Line::new(line, self.as_read));
        }
    }
}

impl Line {
    fn new(mut pieces: Vec<Piece>, as_read: bool) -> Self {
        pieces.sort_by(|a, b| a.start.total_cmp(&b.start));
        // Printed twice for bold type.
        pieces.dedup_by(|next, piece| {
            (next.start - piece.start).abs() < 0.2 * piece.size && next.text == piece.text
        });
        Self { pieces, as_read }
    }

    /// The columns, separated by gaps of `gap` times the font size.
    fn divided(&self, gap: f64) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for piece in &self.pieces {
            match cells.last_mut() {
                Some(cell) if (piece.start - cell.end) / piece.size <= gap => {
                    if (piece.start - cell.end) / piece.size > WORD_GAP && !cell.text.ends_with(' ')
                    {
                        cell.text.push(' ');
                    }
                    cell.text.push_str(&piece.text);
                    cell.end = cell.end.max(piece.end);
                }
                _ => cells.push(Cell {
                    start: piece.start,
                    end: piece.end,
                    text: piece.text.clone(),
                }),
            }
        }
        if !self.as_read {
            for cell in &mut cells {
                cell.text = as_read(std::mem::take(&mut cell.text));
            }
        }
        cells
    }

    /// The columns, separated by wide gaps.
    pub fn cells(&self) -> Vec<Cell> {
        self.divided(CELL_GAP)
    }

    /// Separately placed text: the cells of a narrow table, but with some programs single words.
    pub fn pieces(&self) -> Vec<Cell> {
        self.divided(WORD_GAP)
    }

    /// The line as text.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for cell in self.cells() {
            if !text.is_empty() {
                text.push_str(CELL_SEPARATOR);
            }
            text.push_str(cell.as_ref());
        }
        text
    }
}
