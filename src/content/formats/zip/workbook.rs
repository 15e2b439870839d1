//! Workbooks (SpreadsheetML, ISO/IEC 29500-1 18): cells refer to strings and formats in parts that may follow the
//! sheets, so rows are kept until then.

use super::office::Office;
use crate::content::extract::record::Marks;
use crate::content::extract::serial_date::{date, is_built_in, shows_dates};
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::formats::markup::{Attributes, Markup, Receiver};
use crate::content::{Reason, Scope};
use zeroize::Zeroizing;

/// Text of shared strings kept, bytes.
const MAX_STRINGS: usize = 16 << 20;

/// Text of rows that are kept, bytes.
const MAX_ROWS: usize = 16 << 20;

/// Longest value kept, bytes.
const MAX_VALUE: usize = 1024;

/// Formats that are kept.
const MAX_FORMATS: usize = 64 << 10;

/// Date formats that are kept, beside the built-in ones.
const MAX_DATE_FORMATS: usize = 256;

/// Separators of cells, rows and sheets that are kept.
const CELL: char = '\u{1f}';
const ROW: char = '\u{1e}';
const SHEET: char = '\u{1d}';
/// Prefix of a cell with the number of a shared string.
const SHARED: char = '\u{1}';
/// Prefix of the format of a cell and its number.
const NUMBER: char = '\u{2}';

/// Contents of the parts of a workbook.
#[derive(Default)]
pub(super) struct Workbook {
    strings: Zeroizing<String>,
    /// End of each string.
    ends: Vec<u32>,
    rows: Zeroizing<String>,
    /// Number formats that show dates, beside the built-in ones.
    date_formats: Vec<u32>,
    /// Whether cells of each format show dates.
    dates: Vec<bool>,
    limited: bool,
}

impl Workbook {
    /// All parts are there: reads the rows.
    pub(super) fn end(&mut self, marks: Marks, scope: &mut Scope<'_>) {
        if std::mem::take(&mut self.limited) {
            scope.give_up(Reason::Limit);
        }
        let rows = std::mem::take(&mut self.rows);
        for sheet in rows.split(SHEET).filter(|s| !s.is_empty()) {
            let mut reader = Sheet::new("xlsx");
            reader.mark(marks);
            for row in sheet.split(ROW) {
                let cells: Vec<Zeroizing<String>> =
                    row.split(CELL).map(|cell| self.shown(cell)).collect();
                let cells: Vec<&str> = cells.iter().map(|cell| cell.as_str()).collect();
                if cells.iter().any(|cell| !cell.is_empty()) {
                    reader.row(&cells, scope);
                }
            }
            reader.end(scope);
        }
    }

    /// The text of a cell.
    fn shown(&self, cell: &str) -> Zeroizing<String> {
        let text = if let Some(index) = cell.strip_prefix(SHARED) {
            let index = index.trim().parse::<usize>().unwrap_or(usize::MAX);
            let start = match index.checked_sub(1) {
                None => Some(&0),
                Some(before) => self.ends.get(before),
            };
            match (start, self.ends.get(index)) {
                (Some(&start), Some(&end)) => {
                    self.strings.get(start as usize..end as usize).unwrap_or("").to_owned()
                }
                _ => String::new(),
            }
        } else if let Some(number) = cell.strip_prefix(NUMBER) {
            let (format, value) = number.split_once(NUMBER).unwrap_or(("", number));
            let format = format.parse().unwrap_or(usize::MAX);
            match self.dates.get(format) {
                Some(true) => date(value).unwrap_or_else(|| value.to_owned()),
                _ => value.to_owned(),
            }
        } else {
            cell.to_owned()
        };
        Zeroizing::new(text)
    }

    pub(super) fn memory(&self) -> usize {
        self.strings.capacity() + self.ends.capacity() * 4 + self.rows.capacity()
    }

    fn push(&mut self, text: &str) {
        if self.rows.len() + text.len() <= MAX_ROWS {
            self.rows.push_str(text);
        } else {
            self.limited = true;
        }
    }
}

/// One part, while its bytes arrive.
pub(super) struct Part {
    markup: Markup,
    reader: Reader,
}

struct Reader {
    kind: Kind,
    /// In a text element.
    shown: bool,
    /// In a phonetic run of a string (`rPh`).
    aid: bool,
    /// In the list of cell formats.
    formats: bool,
    value: Zeroizing<String>,
    /// Column of the open cell, and how many of the row are written.
    column: usize,
    written: usize,
    cell: Cell,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Strings,
    Styles,
    Sheet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Shared,
    Text,
    Number(u32),
}

impl Part {
    fn new(kind: Kind) -> Self {
        Self {
            markup: Markup::prose(),
            reader: Reader {
                kind,
                shown: false,
                aid: false,
                formats: false,
                value: Zeroizing::default(),
                column: 0,
                written: 0,
                cell: Cell::Text,
            },
        }
    }
    pub(super) fn strings() -> Self {
        Self::new(Kind::Strings)
    }
    pub(super) fn styles() -> Self {
        Self::new(Kind::Styles)
    }
    pub(super) fn sheet() -> Self {
        Self::new(Kind::Sheet)
    }

    pub(super) fn data(&mut self, bytes: &[u8], office: &mut Office, _scope: &mut Scope<'_>) {
        let mut turn = TokenHandler { reader: &mut self.reader, workbook: &mut office.workbook };
        self.markup.read(bytes, &mut turn);
    }

    pub(super) fn end(&mut self, office: &mut Office, _scope: &mut Scope<'_>) {
        if self.reader.kind == Kind::Sheet {
            office.workbook.push(SHEET.encode_utf8(&mut [0; 4]));
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.markup.memory() + self.reader.value.capacity()
    }
}

struct TokenHandler<'a> {
    reader: &'a mut Reader,
    workbook: &'a mut Workbook,
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

impl Receiver for TokenHandler<'_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let number = |name: &str| attributes.get(name).and_then(|n| n.parse::<u32>().ok());
        match (self.reader.kind, local(name)) {
            (Kind::Styles, "numFmt") => {
                let code = attributes.get("formatCode").unwrap_or_default();
                if shows_dates(&code)
                    && let Some(id) = number("numFmtId")
                    && self.workbook.date_formats.len() < MAX_DATE_FORMATS
                {
                    self.workbook.date_formats.push(id);
                }
            }
            (Kind::Styles, "cellXfs") => self.reader.formats = true,
            (Kind::Styles, "xf")
                if self.reader.formats && self.workbook.dates.len() < MAX_FORMATS =>
            {
                let id = number("numFmtId").unwrap_or(0);
                let date = is_built_in(id) || self.workbook.date_formats.contains(&id);
                self.workbook.dates.push(date);
            }
            (Kind::Strings, "si") if closed => self.end_string(),
            (Kind::Strings, "rPh") => self.reader.aid = !closed,
            (Kind::Strings, "t") => self.reader.shown = !closed && !self.reader.aid,
            (Kind::Sheet, "row") => self.reader.written = 0,
            (Kind::Sheet, "c") => {
                let reference = attributes.get("r");
                self.reader.column =
                    reference.and_then(|r| column(&r)).unwrap_or(self.reader.written);
                self.reader.cell = match attributes.get("t").as_deref() {
                    Some("s") => Cell::Shared,
                    None | Some("n") => Cell::Number(number("s").unwrap_or(0)),
                    Some(_) => Cell::Text,
                };
                self.reader.value.clear();
            }
            (Kind::Sheet, "v" | "t") => self.reader.shown = !closed,
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match (self.reader.kind, local(name)) {
            (Kind::Styles, "cellXfs") => self.reader.formats = false,
            (Kind::Strings, "si") => self.end_string(),
            (Kind::Strings, "rPh") => self.reader.aid = false,
            (_, "t" | "v") => self.reader.shown = false,
            (Kind::Sheet, "c") => self.end_cell(),
            (Kind::Sheet, "row") => self.workbook.push(ROW.encode_utf8(&mut [0; 4])),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.reader.shown && self.reader.value.len() + text.len() <= MAX_VALUE {
            let control = |c: char| if c.is_control() { ' ' } else { c };
            self.reader.value.extend(text.chars().map(control));
        }
    }
}

impl TokenHandler<'_> {
    fn end_string(&mut self) {
        let value = std::mem::take(&mut self.reader.value);
        if self.workbook.strings.len() + value.len() > MAX_STRINGS
            || self.workbook.ends.len() >= MAX_STRINGS / 4
        {
            self.workbook.limited = true;
            return;
        }
        self.workbook.strings.push_str(&value);
        self.workbook.ends.push(self.workbook.strings.len() as u32);
    }

    fn end_cell(&mut self) {
        let value = std::mem::take(&mut self.reader.value);
        let (column, written) = (self.reader.column, self.reader.written);
        if value.is_empty() || column >= MAX_COLUMNS || column < written {
            return;
        }
        let mut cell = Zeroizing::new(String::with_capacity(value.len() + 16));
        // Empty cells are not written in the file.
        let apart = column - written + usize::from(written > 0);
        let apart = if written == 0 { column } else { apart };
        cell.extend(std::iter::repeat_n(CELL, apart));
        match self.reader.cell {
            Cell::Shared => cell.push(SHARED),
            Cell::Number(format) => {
                cell.push(NUMBER);
                cell.push_str(&format.to_string());
                cell.push(NUMBER);
            }
            Cell::Text => {}
        }
        cell.push_str(&value);
        self.workbook.push(&cell);
        self.reader.written = column + 1;
    }
}

/// The column of a reference (`B2` is 1).
fn column(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take(4).take_while(u8::is_ascii_alphabetic);
    let number = letters.fold(0, |n, b| n * 26 + usize::from(b.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}
