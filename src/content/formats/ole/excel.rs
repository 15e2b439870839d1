//! Excel 97 to 2003 (MS-XLS, BIFF8), and Excel 5 and 95: sheets as tables.

use super::container::{Container, four};
use super::strings::{Segments, Strings};
use crate::content::extract::record::Marks;
use crate::content::extract::serial_date::{date, is_built_in, shows_dates};
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::{Reason, Scope};
use zeroize::Zeroizing;

/// Records (2.3.2).
const FORMULA: u16 = 0x0006;
const END: u16 = 0x000a;
const DATES_1904: u16 = 0x0022;
const ENCRYPTION: u16 = 0x002f;
const CONTINUE: u16 = 0x003c;
const CODE_PAGE: u16 = 0x0042;
const NUMBERS: u16 = 0x00bd;
const RICH_STRING: u16 = 0x00d6;
const CELL_FORMAT: u16 = 0x00e0;
const SHARED_STRINGS: u16 = 0x00fc;
const SHARED_STRING: u16 = 0x00fd;
const NUMBER: u16 = 0x0203;
const LABEL: u16 = 0x0204;
const STRING: u16 = 0x0207;
const PACKED_NUMBER: u16 = 0x027e;
const FORMAT: u16 = 0x041e;
const FORMAT_95: u16 = 0x001e;
const BEGIN: u16 = 0x0809;

/// Version number of BIFF8 in a BOF record.
const BIFF8: u16 = 0x0600;
/// Formats that are kept.
const MAX_FORMATS: usize = 64 << 10;
/// Days between the two date systems.
const DAYS_1904: f64 = 1462.0;
/// Longest value kept, bytes.
const MAX_VALUE: usize = 1024;

/// Reads a workbook. False if it is none.
pub fn read(container: &Container<'_>, marks: Marks, scope: &mut Scope<'_>) -> bool {
    let entry = container.named(0, "Workbook").or_else(|| container.named(0, "Book"));
    let Some(entry) = entry else { return false };
    let data = container.stream(entry, scope);
    let mut book = Workbook::new(marks);
    let mut records = Records(&data);
    while let Some((kind, body, rest)) = records.read() {
        match kind {
            ENCRYPTION => {
                scope.give_up(Reason::Encrypted);
                break;
            }
            SHARED_STRINGS => {
                let mut segments = Segments::new(body);
                let mut behind = Records(rest);
                while let Some((CONTINUE, more, _)) = behind.read() {
                    segments.push(more);
                }
                book.strings = Strings::read(&mut segments);
                if book.strings.is_limited() {
                    scope.give_up(Reason::Limit);
                }
            }
            _ => {
                let _cut = book.record(kind, body, scope);
            }
        }
    }
    book.end_sheet(scope);
    true
}

/// The records of a stream: type, body, and the bytes behind it.
struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    fn read(&mut self) -> Option<(u16, &'a [u8], &'a [u8])> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        let kind = u16::from_le_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (body, rest) = rest.split_at(len.min(rest.len()));
        self.0 = rest;
        Some((kind, body, rest))
    }
}

fn two(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))
}

struct Workbook {
    marks: Marks,
    strings: Strings,
    /// Number formats that show dates, and the number format of each cell format.
    dates: Vec<u16>,
    formats: Vec<u16>,
    late: bool,
    /// Strings are those of BIFF8.
    eight: bool,
    code_page: u16,
    sheet: Option<Sheet>,
    row: Option<u16>,
    cells: Vec<Zeroizing<String>>,
    /// The cell whose formula has a string as its result, which follows.
    awaits: Option<(u16, u16)>,
}

impl Workbook {
    fn new(marks: Marks) -> Self {
        Self {
            marks,
            strings: Strings::default(),
            dates: Vec::new(),
            formats: Vec::new(),
            late: false,
            eight: true,
            code_page: 1252,
            sheet: None,
            row: None,
            cells: Vec::new(),
            awaits: None,
        }
    }

    /// One record. A cut one is ignored.
    fn record(&mut self, kind: u16, body: &[u8], scope: &mut Scope<'_>) -> Option<()> {
        let place = two(body, 0).zip(two(body, 2));
        match kind {
            BEGIN => {
                self.end_sheet(scope);
                self.eight = two(body, 0)? >= BIFF8;
                // The first part describes the workbook, others are sheets, charts and macros.
                if two(body, 2)? == 0x0010 {
                    let mut sheet = Sheet::new("xls");
                    sheet.mark(self.marks);
                    self.sheet = Some(sheet);
                }
            }
            END => self.end_sheet(scope),
            CODE_PAGE => self.code_page = two(body, 0)?,
            DATES_1904 => self.late = two(body, 0)? == 1,
            FORMAT | FORMAT_95 if self.dates.len() < MAX_FORMATS => {
                let code = if self.eight {
                    self.wide(body.get(2..)?)
                } else {
                    self.narrow(body.get(3..)?)
                };
                if shows_dates(&code) {
                    self.dates.push(two(body, 0)?);
                }
            }
            CELL_FORMAT if self.formats.len() < MAX_FORMATS => self.formats.push(two(body, 2)?),
            SHARED_STRING => {
                let text = self.strings.get(four(body, 6)?)?;
                let text: String = text.chars().take(MAX_VALUE).collect();
                let text = Zeroizing::new(text);
                self.cell(place?, text, scope);
            }
            LABEL | RICH_STRING => {
                let text = self.string(body.get(6..)?);
                self.cell(place?, text, scope);
            }
            NUMBER => {
                let number = f64::from_le_bytes(*body.get(6..)?.first_chunk::<8>()?);
                let text = self.number(number, two(body, 4)?);
                self.cell(place?, text, scope);
            }
            PACKED_NUMBER => {
                let text = self.number(unpacked(four(body, 6)?), two(body, 4)?);
                self.cell(place?, text, scope);
            }
            NUMBERS => {
                let (row, first) = place?;
                let cells = body.get(4..body.len().checked_sub(2)?)?.chunks_exact(6);
                for (column, cell) in (first..).zip(cells) {
                    let text = self.number(unpacked(four(cell, 2)?), two(cell, 0)?);
                    self.cell((row, column), text, scope);
                }
            }
            FORMULA => match body.get(6..14)? {
                // Not a number: a string follows, or a boolean, an error, nothing.
                [0, _, _, _, _, _, 0xff, 0xff] => self.awaits = place,
                [_, _, _, _, _, _, 0xff, 0xff] => {}
                number => {
                    let number = f64::from_le_bytes(*number.first_chunk::<8>()?);
                    let text = self.number(number, two(body, 4)?);
                    self.cell(place?, text, scope);
                }
            },
            STRING => {
                let text = self.string(body);
                let place = self.awaits.take()?;
                self.cell(place, text, scope);
            }
            _ => {}
        }
        Some(())
    }

    /// A string with its length in two bytes.
    fn string(&self, body: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self.eight {
            true => self.wide(body),
            false => {
                let len = usize::from(two(body, 0).unwrap_or(0));
                let text = body.get(2..).unwrap_or_default();
                self.narrow(text.get(..len).unwrap_or(text))
            }
        })
    }

    fn wide(&self, body: &[u8]) -> String {
        Segments::new(body).string(MAX_VALUE).unwrap_or_default()
    }

    fn narrow(&self, bytes: &[u8]) -> String {
        let label = format!("windows-{}", self.code_page);
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
        let encoding = encoding.unwrap_or(encoding_rs::WINDOWS_1252);
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    }

    /// A number as its format shows it.
    fn number(&self, number: f64, format: u16) -> Zeroizing<String> {
        let format = self.formats.get(usize::from(format)).copied().unwrap_or(0);
        let shows = is_built_in(format.into()) || self.dates.contains(&format);
        let days = if self.late { number + DAYS_1904 } else { number };
        let day = shows.then(|| date(&days.to_string())).flatten();
        Zeroizing::new(day.unwrap_or_else(|| number.to_string()))
    }

    /// A cell; those of a row follow each other.
    fn cell(&mut self, (row, column): (u16, u16), text: Zeroizing<String>, scope: &mut Scope<'_>) {
        let column = usize::from(column);
        // Cells may share their content, and cells before them may be empty.
        let work = text.len() + 4 * column;
        if self.sheet.is_none() || column >= MAX_COLUMNS || !scope.spend(work as u64) {
            return;
        }
        if self.row != Some(row) {
            self.end_row(scope);
            self.row = Some(row);
        }
        if self.cells.len() <= column {
            self.cells.resize_with(column + 1, Zeroizing::default);
        }
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = text;
        }
    }

    fn end_row(&mut self, scope: &mut Scope<'_>) {
        let cells = std::mem::take(&mut self.cells);
        if let Some(sheet) = &mut self.sheet
            && cells.iter().any(|cell| !cell.trim().is_empty())
        {
            let cells: Vec<&str> = cells.iter().map(|cell| cell.as_str()).collect();
            sheet.row(&cells, scope);
        }
    }

    fn end_sheet(&mut self, scope: &mut Scope<'_>) {
        self.end_row(scope);
        (self.row, self.awaits) = (None, None);
        if let Some(mut sheet) = self.sheet.take() {
            sheet.end(scope);
        }
    }
}

/// A number in 30 bits (2.5.217): an integer or the front of a floating-point number, perhaps in hundredths.
fn unpacked(packed: u32) -> f64 {
    let number = match packed & 2 {
        0 => f64::from_bits(u64::from(packed & !3) << 32),
        _ => f64::from((packed as i32) >> 2),
    };
    if packed & 1 == 0 { number } else { number / 100.0 }
}
