//! The screen itself: rows of characters, a cursor, and the controls that move it.

use super::REACTION;
use std::hash::{BuildHasher, Hash, Hasher};
use unicode_width::UnicodeWidthChar;
use zeroize::Zeroizing;

/// The largest screen. Terminals have 24 or 25 rows and 80 or 132 columns; windows are larger.
const MAX_ROWS: usize = 100;
const MAX_COLUMNS: usize = 256;
/// Rows that rolled out of a screen and are kept until it is read.
const MAX_ROLLED: usize = 200;
/// Rows before a program uses more.
const ROWS: usize = 24;
/// Parameters of a control sequence, and the largest.
const MAX_PARAMETERS: usize = 16;
const MAX_PARAMETER: usize = 9999;
/// The second cell of a character that is two wide.
pub(super) const WIDE: char = '\0';
/// Longest string for the terminal (a title), bytes.
const MAX_STRING: usize = 4096;

/// Something to be read.
pub(super) enum Event {
    /// A line that is complete, where lines roll up.
    Line(Zeroizing<String>),
    /// Somebody reacted to the screen.
    Screen,
    /// The screen is about to be cleared.
    Cleared,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    /// `ESC (` and the like: one byte more.
    Designate(usize),
    /// `ESC #`, `ESC %`, `ESC SP`: one byte more.
    Ignore(usize),
    Control,
    /// A string for the terminal; so many bytes of it, and whether the last was an escape.
    String(usize, bool),
    /// VT52: row, column.
    Row,
    Column(usize),
}

pub(super) struct Screen {
    rows: Vec<Zeroizing<Vec<char>>>,
    /// Rows that rolled out of it since it was read, from above the row of this number.
    rolled: Vec<Zeroizing<Vec<char>>>,
    rolled_from: usize,
    row: usize,
    column: usize,
    saved: (usize, usize),
    /// Rows in use.
    height: usize,
    /// Rows that roll.
    region: (usize, usize),
    state: State,
    parameters: Vec<usize>,
    private: bool,
    /// Bytes of a character that is not complete.
    partial: Vec<u8>,
    /// Which sets G0 and G1 are line drawing, and which is in use.
    drawing: [bool; 2],
    shifted: usize,
    /// The cursor was placed since the screen was cleared: it is a form, and no roll of lines.
    addressed: bool,
    /// Something was written since the screen was read.
    changed: bool,
    /// The screen is cleared before the next byte.
    clear_next: bool,
    /// The character that was written last.
    last: char,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            rolled: Vec::new(),
            rolled_from: 0,
            row: 0,
            column: 0,
            saved: (0, 0),
            height: ROWS,
            region: (0, ROWS - 1),
            state: State::Text,
            parameters: Vec::new(),
            private: false,
            partial: Vec::new(),
            drawing: [false; 2],
            shifted: 0,
            addressed: false,
            changed: false,
            clear_next: false,
            last: ' ',
        }
    }
}

impl Screen {
    /// Its rows, with those that rolled out of it where they were.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[char]> {
        let (above, below) = self.rows.split_at(self.rolled_from.min(self.rows.len()));
        above.iter().chain(&self.rolled).chain(below).map(|row| row.as_slice())
    }

    /// Forgets the rows that rolled out, which were read.
    pub(super) fn forget_rolled(&mut self) {
        self.rolled.clear();
        self.rolled_from = 0;
    }

    pub(super) fn hash(&self) -> u64 {
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        for row in self.rows() {
            row.hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(super) fn memory(&self) -> usize {
        let rows = self.rows.iter().chain(&self.rolled);
        rows.map(|r| r.capacity() * size_of::<char>()).sum()
    }

    /// Bytes are missing.
    pub(super) fn lose(&mut self) {
        self.state = State::Text;
        self.partial.clear();
    }

    /// What is left to be read at the end.
    pub(super) fn finish(&mut self) -> Option<Event> {
        if self.addressed {
            return Some(Event::Screen);
        }
        self.line()
    }

    /// Takes a byte.
    pub(super) fn put(&mut self, byte: u8) -> Option<Event> {
        if std::mem::take(&mut self.clear_next) {
            self.rows.clear();
            self.forget_rolled();
            (self.addressed, self.changed) = (false, false);
            self.region = (0, self.height - 1);
        }
        match self.state {
            State::Text => return self.text(byte),
            State::Escape => return self.escape(byte),
            State::Designate(set) => {
                if let Some(drawing) = self.drawing.get_mut(set) {
                    *drawing = byte == b'0';
                }
                self.state = State::Text;
            }
            State::Ignore(left) => {
                self.state = if left > 1 { State::Ignore(left - 1) } else { State::Text };
            }
            State::Control => return self.control(byte),
            State::String(len, escaped) => {
                let ended = byte == 7 || (escaped && byte == b'\\') || byte == 0x9c;
                self.state = if ended || len > MAX_STRING {
                    State::Text
                } else {
                    State::String(len + 1, byte == 0x1b)
                };
            }
            State::Row => self.state = State::Column(usize::from(byte.saturating_sub(b' '))),
            State::Column(row) => {
                self.state = State::Text;
                return self.address(row, usize::from(byte.saturating_sub(b' ')));
            }
        }
        None
    }

    fn text(&mut self, byte: u8) -> Option<Event> {
        if byte >= 0x80 {
            self.partial.push(byte);
            match std::str::from_utf8(&self.partial) {
                Ok(text) => {
                    let c = text.chars().next().unwrap_or(' ');
                    self.partial.clear();
                    self.write(c);
                }
                Err(e) if e.error_len().is_none() => {}
                Err(_) => self.flush_partial(),
            }
            return None;
        }
        if !self.partial.is_empty() {
            self.flush_partial();
        }
        match byte {
            0x1b => self.state = State::Escape,
            b'\r' => self.column = 0,
            b'\n' | 0x0b => return self.line_feed(),
            0x0c => {
                (self.row, self.column) = (0, 0);
                return self.clear();
            }
            8 => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = (self.column / 8 * 8 + 8).min(MAX_COLUMNS - 1),
            0x0e => self.shifted = 1,
            0x0f => self.shifted = 0,
            REACTION => {
                // Where lines roll up, they are read as they come.
                let read = self.addressed && std::mem::take(&mut self.changed);
                return read.then_some(Event::Screen);
            }
            b' '..=0x7e => {
                let drawing = self.drawing.get(self.shifted).copied().unwrap_or(false);
                // Lines and corners are between fields.
                let drawn = drawing && byte >= b'_';
                self.write(if drawn { ' ' } else { char::from(byte) });
            }
            _ => {}
        }
        None
    }

    /// Bytes that are no UTF-8 are letters of Windows-1252.
    fn flush_partial(&mut self) {
        let bytes = std::mem::take(&mut self.partial);
        let text = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes).0;
        text.chars().for_each(|c| self.write(c));
    }

    fn write(&mut self, c: char) {
        // Lines and blocks of other sets (U+2500 to U+259F).
        let c = if ('\u{2500}'..='\u{259f}').contains(&c) || c.is_control() { ' ' } else { c };
        let width = c.width().unwrap_or(1);
        let column = self.column;
        if column + width > MAX_COLUMNS {
            return;
        }
        self.changed = true;
        let row = self.current();
        if width == 0 {
            // A mark over the letter before it.
            if let Some(letter) = column.checked_sub(1).and_then(|at| row.get_mut(at)) {
                *letter = unicode_normalization::char::compose(*letter, c).unwrap_or(*letter);
            }
            return;
        }
        if row.len() < column + width {
            row.resize(column + width, ' ');
        }
        // Half of a wide character that stays is blank.
        if let Some(before) = column.checked_sub(1).and_then(|at| row.get(at..=column))
            && let [_, WIDE] = *before
            && let Some(half) = row.get_mut(column - 1)
        {
            *half = ' ';
        }
        for (at, slot) in row.iter_mut().skip(column).take(width).enumerate() {
            *slot = if at == 0 { c } else { WIDE };
        }
        if let Some(half) = row.get_mut(column + width).filter(|cell| **cell == WIDE) {
            *half = ' ';
        }
        self.column += width;
        self.last = c;
    }

    fn current(&mut self) -> &mut Vec<char> {
        let row = self.row.min(MAX_ROWS - 1);
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Zeroizing::default);
        }
        // The row is there: it was just made if it was not.
        &mut self.rows[row]
    }

    /// The line of the cursor as text.
    fn line(&self) -> Option<Event> {
        let row = self.rows.get(self.row)?;
        let text: Zeroizing<String> =
            Zeroizing::new(row.iter().filter(|cell| **cell != WIDE).collect());
        (!text.trim().is_empty()).then_some(Event::Line(text))
    }

    fn line_feed(&mut self) -> Option<Event> {
        let line = if self.addressed { None } else { self.line() };
        if self.row >= self.region.1 {
            self.scroll(true);
            self.row = self.region.1;
        } else {
            self.row += 1;
        }
        line
    }

    fn scroll(&mut self, up: bool) {
        let (top, bottom) = self.region;
        if self.rows.len() <= bottom {
            self.rows.resize_with(bottom + 1, Zeroizing::default);
        }
        let Some(rows) = self.rows.get_mut(top..=bottom) else { return };
        if up {
            let first = rows.first_mut().filter(|row| self.addressed && !row.is_empty());
            if let Some(row) = first
                && self.rolled.len() < MAX_ROLLED
            {
                self.rolled.push(std::mem::take(row));
                self.rolled_from = top;
            }
            rows.rotate_left(1);
            rows.last_mut().into_iter().for_each(|r| r.clear());
        } else {
            rows.rotate_right(1);
            rows.first_mut().into_iter().for_each(|r| r.clear());
        }
        self.changed = true;
    }

    /// The screen is to be cleared: when it has been read, which is before the next byte.
    fn clear(&mut self) -> Option<Event> {
        self.clear_next = true;
        if self.addressed { Some(Event::Cleared) } else { self.line() }
    }

    /// Places the cursor; the first row and column are 0.
    fn address(&mut self, row: usize, column: usize) -> Option<Event> {
        let line = if self.addressed { None } else { self.line() };
        (self.row, self.column) = (row.min(MAX_ROWS - 1), column.min(MAX_COLUMNS - 1));
        if self.row >= self.height {
            self.grow(self.row + 1);
        }
        // Home alone begins a screen of lines as well.
        self.addressed |= (row, column) != (0, 0);
        line
    }

    /// More rows are used than a terminal of 24 has.
    fn grow(&mut self, rows: usize) {
        if self.region == (0, self.height - 1) {
            self.region = (0, rows - 1);
        }
        self.height = rows;
    }

    fn escape(&mut self, byte: u8) -> Option<Event> {
        self.state = State::Text;
        match byte {
            b'[' => {
                self.parameters.clear();
                self.private = false;
                self.state = State::Control;
            }
            b']' | b'P' | b'_' | b'^' | b'X' => self.state = State::String(0, false),
            b'(' => self.state = State::Designate(0),
            b')' => self.state = State::Designate(1),
            b'*' | b'+' | b'#' | b'%' | b' ' => self.state = State::Ignore(1),
            b'7' => self.saved = (self.row, self.column),
            b'8' => (self.row, self.column) = self.saved,
            b'D' => return self.line_feed(),
            b'E' => {
                self.column = 0;
                return self.line_feed();
            }
            b'M' => {
                self.addressed = true;
                if self.row == self.region.0 {
                    self.scroll(false);
                } else {
                    self.row = self.row.saturating_sub(1);
                }
            }
            b'c' => {
                (self.row, self.column) = (0, 0);
                return self.clear();
            }
            // VT52: direct cursor address, erase to the end of the screen and of the line.
            b'Y' => self.state = State::Row,
            b'J' => return self.erase_screen(0),
            b'K' => self.erase_line(0),
            b'H' => return self.address(0, 0),
            b'A' => self.up(1),
            b'C' => self.column = (self.column + 1).min(MAX_COLUMNS - 1),
            _ => {}
        }
        None
    }

    fn up(&mut self, rows: usize) {
        self.addressed = true;
        self.row = self.row.saturating_sub(rows);
    }

    /// A control sequence (ECMA-48 5.4).
    fn control(&mut self, byte: u8) -> Option<Event> {
        match byte {
            b'0'..=b'9' => {
                if self.parameters.is_empty() {
                    self.parameters.push(0);
                }
                if let Some(last) = self.parameters.last_mut() {
                    *last = (*last * 10 + usize::from(byte - b'0')).min(MAX_PARAMETER);
                }
            }
            b';' | b':' => {
                if self.parameters.is_empty() {
                    self.parameters.push(0);
                }
                if self.parameters.len() < MAX_PARAMETERS {
                    self.parameters.push(0);
                }
            }
            b'<'..=b'?' => self.private = true,
            b' '..=b'/' => {}
            0x1b => self.state = State::Escape,
            b'@'..=b'~' => {
                self.state = State::Text;
                return if self.private { self.mode(byte) } else { self.function(byte) };
            }
            _ => {}
        }
        None
    }

    /// Private modes: only the other screen and the width matter, which clear.
    fn mode(&mut self, last: u8) -> Option<Event> {
        let clears = self.parameters.iter().any(|p| matches!(p, 3 | 47 | 1047 | 1049));
        if clears && matches!(last, b'h' | b'l') {
            (self.row, self.column) = (0, 0);
            return self.clear();
        }
        None
    }

    fn parameter(&self, at: usize) -> usize {
        self.parameters.get(at).copied().unwrap_or(0)
    }

    fn function(&mut self, last: u8) -> Option<Event> {
        let (first, count) = (self.parameter(0), self.parameter(0).max(1));
        match last {
            b'A' | b'F' => {
                self.up(count);
                if last == b'F' {
                    self.column = 0;
                }
            }
            b'B' | b'E' | b'e' => {
                self.row = (self.row + count).min(self.height - 1);
                if last == b'E' {
                    self.column = 0;
                }
            }
            b'C' | b'a' => self.column = (self.column + count).min(MAX_COLUMNS - 1),
            b'D' => self.column = self.column.saturating_sub(count),
            b'G' | b'`' => self.column = (count - 1).min(MAX_COLUMNS - 1),
            b'd' => return self.address(count - 1, self.column),
            b'H' | b'f' => return self.address(count - 1, self.parameter(1).max(1) - 1),
            b'J' => return self.erase_screen(first),
            b'K' => self.erase_line(first),
            b'X' => {
                let (from, to) = (self.column, (self.column + count).min(MAX_COLUMNS));
                self.blank(from, to);
            }
            b'P' => {
                let column = self.column;
                let row = self.current();
                let end = (column + count).min(row.len());
                if column < end {
                    row.drain(column..end);
                }
            }
            b'@' => {
                let column = self.column;
                let row = self.current();
                for _ in 0..count.min(MAX_COLUMNS) {
                    if column <= row.len() && row.len() < MAX_COLUMNS {
                        row.insert(column, ' ');
                    }
                }
            }
            b'L' | b'M' => {
                let whole = self.region;
                self.region.0 = self.row.min(whole.1);
                for _ in 0..count.min(MAX_ROWS) {
                    self.scroll(last == b'M');
                }
                self.region = whole;
                self.addressed = true;
            }
            b'S' | b'T' => {
                for _ in 0..count.min(MAX_ROWS) {
                    self.scroll(last == b'S');
                }
            }
            b'r' => {
                let top = count - 1;
                let bottom = match self.parameter(1) {
                    0 => self.height,
                    bottom => bottom.min(MAX_ROWS),
                };
                self.height = self.height.max(bottom);
                self.region =
                    if top + 1 < bottom { (top, bottom - 1) } else { (0, self.height - 1) };
                (self.row, self.column) = (0, 0);
            }
            b'I' => {
                for _ in 0..count.min(MAX_COLUMNS) {
                    self.column = (self.column / 8 * 8 + 8).min(MAX_COLUMNS - 1);
                }
            }
            b'Z' => {
                for _ in 0..count.min(MAX_COLUMNS) {
                    self.column = self.column.saturating_sub(1) / 8 * 8;
                }
            }
            // Repeat (ECMA-48 8.3.103).
            b'b' => (0..count.min(MAX_COLUMNS)).for_each(|_| self.write(self.last)),
            b's' => self.saved = (self.row, self.column),
            b'u' => (self.row, self.column) = self.saved,
            _ => {}
        }
        None
    }

    fn erase_screen(&mut self, which: usize) -> Option<Event> {
        match which {
            0 if (self.row, self.column) == (0, 0) => return self.clear(),
            0 => {
                self.erase_line(0);
                self.rows.truncate(self.row + 1);
            }
            1 => {
                let row = self.row;
                self.rows.iter_mut().take(row).for_each(|r| r.clear());
                self.erase_line(1);
            }
            _ => return self.clear(),
        }
        None
    }

    fn erase_line(&mut self, which: usize) {
        match which {
            0 => self.blank(self.column, MAX_COLUMNS),
            1 => self.blank(0, (self.column + 1).min(MAX_COLUMNS)),
            _ => self.blank(0, MAX_COLUMNS),
        }
    }

    fn blank(&mut self, from: usize, to: usize) {
        let row = self.current();
        if to >= row.len() {
            row.truncate(from);
        }
        row.iter_mut().take(to).skip(from).for_each(|c| *c = ' ');
        self.changed = true;
    }
}
