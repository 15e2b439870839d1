//! Word 97 to 2003 (MS-DOC), and Word 6 and 95: the text of the document, its notes, headers and boxes.

use super::container::{Container, four};
use crate::content::extract::record::Marks;
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::{Reason, Scope};
use zeroize::Zeroizing;

/// Pieces of text that are read.
const MAX_PIECES: usize = 64 << 10;
/// Longest line or cell kept, bytes.
const MAX_LINE: usize = 8 << 10;
/// Levels of nested fields.
const MAX_FIELDS: usize = 16;
/// Cells of a table that are kept until its end.
const MAX_CELLS: usize = 16 << 10;
/// What a tab stop is in a line: columns are apart by more than one blank.
const TAB: &str = "   ";

/// Flags of the file (2.5.2).
const ENCRYPTED: u16 = 0x0100;
const TABLE_1: u16 = 0x0200;
/// First version whose pieces have the layout below.
const WORD_97: u16 = 0xc1;
/// Offset of the pieces in the table stream (2.5.6, `fcClx`).
const PIECES: usize = 0x01a2;
/// A piece is text of one byte a character.
const COMPRESSED: u32 = 1 << 30;

/// Reads a document. False if it is none.
pub fn read(container: &Container<'_>, marks: Marks, scope: &mut Scope<'_>) -> bool {
    let Some(entry) = container.named(0, "WordDocument") else { return false };
    let main = container.stream(entry, scope);
    let word = |at: usize| {
        main.get(at..).and_then(|d| d.first_chunk::<2>()).map_or(0, |b| u16::from_le_bytes(*b))
    };
    let flags = word(0x0a);
    if flags & ENCRYPTED != 0 {
        scope.give_up(Reason::Encrypted);
        return true;
    }
    let mut text = Text::new();
    text.sheet.mark(marks);
    if word(2) < WORD_97 {
        let range = four(&main, 0x18).zip(four(&main, 0x1c));
        let bytes = range.and_then(|(from, to)| {
            let to = (to as usize).min(main.len());
            main.get(from as usize..to)
        });
        text.bytes(bytes.unwrap_or_default(), scope);
    } else {
        let name = if flags & TABLE_1 == 0 { "0Table" } else { "1Table" };
        let table = container.named(0, name).map(|entry| container.stream(entry, scope));
        let table = table.unwrap_or_default();
        let pieces = four(&main, PIECES).zip(four(&main, PIECES + 4));
        let clx = pieces.and_then(|(at, len)| {
            let end = (at as usize).checked_add(len as usize)?.min(table.len());
            table.get(at as usize..end)
        });
        if pieces_of(clx.unwrap_or_default(), &main, &mut text, scope).is_none() {
            scope.give_up(Reason::Malformed);
        }
    }
    text.end(scope);
    true
}

/// Reads the text of the pieces (2.9.38, 2.8.35).
fn pieces_of(mut clx: &[u8], main: &[u8], text: &mut Text, scope: &mut Scope<'_>) -> Option<()> {
    loop {
        let (kind, rest) = clx.split_first()?;
        match kind {
            // Properties that pieces refer to.
            1 => {
                let len = usize::from(u16::from_le_bytes(*rest.first_chunk::<2>()?));
                clx = rest.get(2 + len..)?;
            }
            2 => {
                let len = four(rest, 0)? as usize;
                clx = rest.get(4..)?.get(..len).or(rest.get(4..))?;
                break;
            }
            _ => return None,
        }
    }
    let count = (clx.len().checked_sub(4)? / 12).min(MAX_PIECES);
    for piece in 0..count {
        let (from, to) = (four(clx, piece * 4)?, four(clx, piece * 4 + 4)?);
        let place = four(clx, (count + 1) * 4 + piece * 8 + 2)?;
        let len = to.checked_sub(from)? as usize;
        let (at, len) = match place & COMPRESSED {
            0 => (place as usize, len.checked_mul(2)?),
            _ => ((place & !COMPRESSED) as usize / 2, len),
        };
        // Pieces may refer to the same bytes.
        let bytes = main.get(at..at.checked_add(len)?.min(main.len())).unwrap_or_default();
        if !scope.spend(bytes.len() as u64) {
            return Some(());
        }
        match place & COMPRESSED {
            0 => text.wide(bytes, scope),
            _ => text.bytes(bytes, scope),
        }
    }
    Some(())
}

/// Lines and tables of the text.
struct Text {
    sheet: Sheet,
    line: Zeroizing<String>,
    /// Fields whose instruction is open, among the open ones.
    fields: Vec<bool>,
    /// Cells since the last line outside of tables; an empty one ends each row.
    cells: Vec<Zeroizing<String>>,
}

impl Text {
    fn new() -> Self {
        let (line, sheet) = (Zeroizing::default(), Sheet::new("doc"));
        Self { sheet, line, fields: Vec::new(), cells: Vec::new() }
    }

    fn bytes(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let text = Zeroizing::new(
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        );
        text.chars().for_each(|c| self.character(c, scope));
    }

    fn wide(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let units = bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
        for c in char::decode_utf16(units) {
            self.character(c.unwrap_or('\u{fffd}'), scope);
        }
    }

    fn character(&mut self, c: char, scope: &mut Scope<'_>) {
        match c {
            // A field: its instruction, then its result.
            '\u{13}' if self.fields.len() < MAX_FIELDS => self.fields.push(true),
            '\u{14}' => {
                if let Some(open) = self.fields.last_mut() {
                    *open = false;
                }
            }
            '\u{15}' => {
                self.fields.pop();
            }
            _ if self.fields.iter().any(|open| *open) => {}
            '\u{7}' => self.end_cell(scope),
            '\r' | '\u{b}' | '\u{c}' | '\u{e}' => self.end_line(scope),
            '\t' => self.push(TAB),
            '\u{1e}' => self.push("-"),
            '\u{a0}' => self.push(" "),
            // Anchors of images and notes, soft hyphens.
            _ if c.is_control() => {}
            _ => self.push(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn push(&mut self, text: &str) {
        if self.line.len() + text.len() <= MAX_LINE {
            self.line.push_str(text);
        }
    }

    fn end_line(&mut self, scope: &mut Scope<'_>) {
        if self.cells.last().is_some_and(|last| !last.is_empty()) {
            // A cell of several lines: the row continues.
            self.push(" ");
            return;
        }
        self.end_table(scope);
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() {
            self.sheet.line(line.trim(), scope);
        }
    }

    fn end_cell(&mut self, scope: &mut Scope<'_>) {
        let line = std::mem::take(&mut self.line);
        self.cells.push(Zeroizing::new(line.trim().to_owned()));
        if self.cells.len() >= MAX_CELLS {
            self.end_table(scope);
        }
    }

    /// Rows: the empty cell behind each shows how wide they are.
    fn end_table(&mut self, scope: &mut Scope<'_>) {
        let cells = std::mem::take(&mut self.cells);
        if cells.is_empty() {
            return;
        }
        let fits = |width: &usize| {
            cells.len().is_multiple_of(*width)
                && cells.iter().skip(width - 1).step_by(*width).all(|cell| cell.is_empty())
        };
        let width = (2..=MAX_COLUMNS + 1).find(fits).unwrap_or(cells.len());
        for row in cells.chunks(width) {
            let row: Vec<&str> = row.iter().take(MAX_COLUMNS).map(|cell| cell.as_str()).collect();
            if row.iter().any(|cell| !cell.is_empty()) {
                self.sheet.row(&row, scope);
            }
        }
        self.sheet.end_table(scope);
    }

    fn end(&mut self, scope: &mut Scope<'_>) {
        self.end_line(scope);
        self.end_table(scope);
        self.sheet.end(scope);
    }
}
