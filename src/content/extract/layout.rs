//! Arranges positioned pieces of text on a page into the lines that a reader sees.

use super::reading_order::as_read;
use super::shapes;
use zeroize::Zeroizing;

/// Pieces of one page that are kept.
pub const MAX_PIECES: usize = 20_000;

/// Text of one page that is kept, bytes.
pub const MAX_PENDING: usize = 1 << 20;

/// A gap this wide is a space, in units of the font size: kerning stays below a tenth, and
/// justified lines above a fifth.
pub const WORD_GAP: f64 = 0.17;

/// A gap this wide separates columns.
const CELL_GAP: f64 = 0.9;

/// How far apart texts may begin that are in one column, in units of the font size.
const ALIGNED: f64 = 0.12;

/// Lines below each other in which text begins in the same place: then it is a column.
const COLUMN_LINES: usize = 4;

/// Columns of a line at most.
const MAX_COLUMNS: usize = 64;

/// Text this much lower is on the next line.
const LINE_GAP: f64 = 0.4;

/// Labels of a line, of a block, or that occur twice on their line, which are compared.
const MAX_COMMON: usize = 64;

/// Parts of a page beside each other.
const MAX_BESIDE: usize = 8;

/// Longest label that is compared, bytes.
const MAX_LABEL: usize = 64;

/// How far apart parts on different lines may begin, in units of the font size.
const RAGGED: f64 = 2.0;

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
    /// The gap between words, where no blanks are drawn.
    drawn: Option<f64>,
}

/// Pieces beside each other, from left to right.
pub struct Line {
    pieces: Vec<Piece>,
    as_read: bool,
    /// The gap that separates pieces.
    gap: f64,
    /// Where columns begin that the lines around it have in common.
    columns: Vec<f64>,
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

    /// Its letters are known by their shapes, without the blanks between words: gaps of `gap` times the font size
    /// separate texts, and so do columns that several lines have in common.
    pub const fn expect_columns(&mut self, gap: f64) {
        self.drawn = Some(gap);
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
        let mut lines = Vec::new();
        let mut line: Vec<Piece> = Vec::new();
        for piece in pieces {
            let same_line = line.first().is_none_or(|first| {
                let size = first.size.max(piece.size);
                first.turn == piece.turn && piece.down - first.down <= size * LINE_GAP
            });
            if !same_line {
                lines.push(self.line(std::mem::take(&mut line)));
            }
            line.push(piece);
        }
        if !line.is_empty() {
            lines.push(self.line(line));
        }
        if self.drawn.take().is_some() {
            find_columns(&mut lines);
        }
        for _ in 1..MAX_BESIDE {
            let Some(edge) = edge(&lines) else { break };
            let mut right = Vec::new();
            for line in lines {
                let (first, second) = line.split(edge);
                out.extend(first);
                right.extend(second);
            }
            lines = right;
        }
        out.append(&mut lines);
    }
}

/// Finds the places where text begins in several lines below each other, for these lines and the one above, their
/// heading.
fn find_columns(lines: &mut [Line]) {
    // Each with the first line and the last one that have it.
    let mut current: Vec<(f64, usize, usize)> = Vec::new();
    let mut found: Vec<(f64, usize, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut next: Vec<(f64, usize, usize)> = Vec::new();
        for piece in line.pieces.iter().take(MAX_COLUMNS) {
            let near = |(x, ..): &&mut (f64, usize, usize)| {
                (*x - piece.start).abs() <= ALIGNED * piece.size
            };
            match current.iter_mut().find(near) {
                Some((x, first, last)) => {
                    *last = at;
                    next.push((*x, *first, at));
                }
                None => next.push((piece.start, at, at)),
            }
        }
        found.extend(
            current.drain(..).filter(|(_, first, last)| *last < at && at - first >= COLUMN_LINES),
        );
        current = next;
    }
    let all = lines.len();
    found.extend(current.into_iter().filter(|(_, first, _)| all - first >= COLUMN_LINES));
    for (x, first, last) in found {
        for line in lines.iter_mut().take(last + 1).skip(first.saturating_sub(1)) {
            if line.columns.len() < MAX_COLUMNS {
                line.columns.push(x);
            }
        }
    }
    // A margin alone makes no table.
    lines.iter_mut().filter(|line| line.columns.len() < 3).for_each(|line| line.columns.clear());
}

/// Where a further part of a page begins: several pages on one sheet, or labels on one. The same labels are in both,
/// beside each other.
fn edge(lines: &[Line]) -> Option<f64> {
    let mut common: Vec<(Zeroizing<String>, f64, f64)> = Vec::new();
    for line in lines.iter().filter(|line| line.may_repeat()) {
        let cells = line.cells();
        let labels = cells.iter().take(MAX_COMMON).map(|cell| label(cell.as_ref()));
        let labels: Vec<Option<&str>> = labels.collect();
        let repeated = labels.iter().enumerate().find_map(|(at, label)| {
            let label = label.filter(|label| labels.iter().take(at).any(|l| *l == Some(label)))?;
            Some((label, cells.get(at)?.start))
        });
        let (Some((label, start)), Some(piece)) = (repeated, line.pieces.first()) else { continue };
        let near = |(_, other, size): &&(_, f64, f64)| (start - other).abs() <= RAGGED * size;
        if let Some((_, first, _)) =
            common.iter().filter(near).find(|(known, ..)| known.as_str() != label)
        {
            return Some(start.min(*first) - WORD_GAP * piece.size);
        }
        if common.len() < MAX_COMMON {
            common.push((Zeroizing::new(label.to_owned()), start, piece.size));
        }
    }
    None
}

/// Which lines begin another record: those of blocks that are apart and have the same labels. The first of them and the
/// last one may be cut. `height` is the distance between two lines.
pub fn records(lines: &[Line], height: f64) -> Vec<usize> {
    const APART: f64 = 1.5;
    let mut blocks: Vec<(usize, Vec<Zeroizing<String>>)> = Vec::new();
    let mut above = f64::NEG_INFINITY;
    for (at, line) in lines.iter().enumerate() {
        if line.top() - above > APART * height {
            blocks.push((at, Vec::new()));
        }
        above = line.top();
        let Some((_, labels)) = blocks.last_mut() else { continue };
        let cells = line.cells();
        let own = cells.iter().filter_map(|cell| label(cell.as_ref()));
        let room = MAX_COMMON.saturating_sub(labels.len());
        labels.extend(own.map(|label| Zeroizing::new(label.to_owned())).take(room));
    }
    blocks.retain(|(_, labels)| !labels.is_empty());
    let mut alike = false;
    for pair in blocks.windows(2) {
        let [(_, one), (_, other)] = pair else { continue };
        let common = one.iter().filter(|label| other.contains(label)).count();
        if common < one.len().min(other.len()).min(2) {
            return Vec::new();
        }
        alike |= common >= 2;
    }
    let begins = blocks.into_iter().skip(1).map(|(at, _)| at);
    if alike { begins.collect() } else { Vec::new() }
}

/// The label at the beginning of a text (`Patient: Roe, Jane`).
fn label(text: &str) -> Option<&str> {
    let (label, _) = text.split_once(':')?;
    let letters = label.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= 2 && label.len() <= MAX_LABEL).then(|| label.trim())
}

impl Page {
    fn line(&self, mut pieces: Vec<Piece>) -> Line {
        pieces.sort_by(|a, b| a.start.total_cmp(&b.start));
        // Printed twice for bold type.
        pieces.dedup_by(|next, piece| {
            (next.start - piece.start).abs() < 0.2 * piece.size && next.text == piece.text
        });
        let gap = self.drawn.unwrap_or(WORD_GAP);
        Line { pieces, as_read: self.as_read, gap, columns: Vec::new() }
    }
}

impl Line {
    /// Distance from the top.
    fn top(&self) -> f64 {
        self.pieces.first().map_or(0.0, |piece| piece.down)
    }

    /// Whether two of its pieces may be labels.
    fn may_repeat(&self) -> bool {
        self.pieces.len() >= 2 && self.pieces.iter().filter(|p| p.text.contains(':')).count() >= 2
    }

    /// What begins before `edge`, and the rest.
    fn split(self, edge: f64) -> (Option<Self>, Option<Self>) {
        let (as_read, gap, columns) = (self.as_read, self.gap, self.columns);
        let (left, right) = self.pieces.into_iter().partition(|piece| piece.start < edge);
        let line = |pieces: Vec<Piece>| {
            (!pieces.is_empty()).then(|| Self { pieces, as_read, gap, columns: columns.clone() })
        };
        (line(left), line(right))
    }

    /// The columns, separated by gaps of `gap` times the font size.
    fn divided(&self, gap: f64) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for piece in &self.pieces {
            match cells.last_mut() {
                Some(cell)
                    if (piece.start - cell.end) / piece.size <= gap
                        && !self.has_column(cell.end, piece) =>
                {
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
        for cell in cells.iter_mut().filter(|cell| shapes::is_unsettled(&cell.text)) {
            cell.text = Zeroizing::new(shapes::settle(&cell.text));
        }
        if !self.as_read {
            for cell in &mut cells {
                cell.text = as_read(std::mem::take(&mut cell.text));
            }
        }
        cells
    }

    /// Whether a column begins between the end of a text and the next piece.
    fn has_column(&self, end: f64, next: &Piece) -> bool {
        let room = ALIGNED * next.size;
        self.columns.iter().any(|x| *x > end - room && *x <= next.start + room)
    }

    /// The columns, separated by wide gaps.
    pub fn cells(&self) -> Vec<Cell> {
        self.divided(CELL_GAP)
    }

    /// Separately placed text: the cells of a narrow table, but with some programs single words.
    pub fn pieces(&self) -> Vec<Cell> {
        self.divided(if self.columns.is_empty() { self.gap } else { CELL_GAP })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells of lines whose words start at these places, each letter being one unit wide and the font two.
    fn cells(lines: &[&[(f64, &str)]], drawn: bool) -> Vec<String> {
        let mut page = Page::default();
        if drawn {
            page.expect_columns(0.5);
        }
        for (row, words) in lines.iter().enumerate() {
            for (start, word) in *words {
                for (at, letter) in word.chars().enumerate() {
                    let start = start + at as f64;
                    let spot = GlyphPosition {
                        turn: 0,
                        down: row as f64 * 3.0,
                        start,
                        end: start + 1.0,
                        size: 2.0,
                    };
                    page.push(letter.encode_utf8(&mut [0; 4]), spot);
                }
            }
        }
        let mut out = Vec::new();
        page.lines(&mut out);
        let cells = |line: &Line| {
            let cells = line.cells();
            cells.iter().map(|cell| cell.as_ref().to_owned()).collect::<Vec<_>>().join("|")
        };
        out.iter().map(cells).collect()
    }

    #[test]
    fn columns_that_lines_have_in_common() {
        // Headings are in the middle of their columns, half a size apart, and so are words.
        let lines: [&[(f64, &str)]; 6] = [
            &[(1.0, "No"), (4.0, "First"), (10.0, "name"), (15.0, "Born")],
            &[(0.0, "H11"), (4.0, "Eva"), (8.0, "Maria"), (14.5, "1970")],
            &[(0.0, "H12"), (4.0, "Jo"), (14.5, "1971")],
            &[(0.0, "H13"), (4.0, "Li"), (7.0, "Na"), (14.5, "1972")],
            &[(0.0, "H14"), (4.0, "Annabella-J"), (15.8, "1973")],
            &[(0.0, "H15"), (4.0, "Kim"), (14.5, "1974")],
        ];
        let got = cells(&lines[..4], true);
        assert_eq!(
            got,
            ["No First name Born", "H11 Eva Maria 1970", "H12 Jo|1971", "H13 Li Na|1972"],
            "too few"
        );
        let four = [lines[0], lines[1], lines[2], lines[3], lines[5]];
        let table = [
            "No|First name|Born",
            "H11|Eva Maria|1970",
            "H12|Jo|1971",
            "H13|Li Na|1972",
            "H15|Kim|1974",
        ];
        assert_eq!(cells(&four, true), table);
        assert_eq!(cells(&four, false)[0], "No First name Born");
        // One line that differs ends the column.
        assert_eq!(cells(&lines, true)[0], "No First name Born");
    }
}
