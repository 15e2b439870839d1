//! Rich Text Format (RTF 1.9.1): letters and the reports of older systems.

use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use encoding_rs::Encoding;
use zeroize::Zeroizing;

/// Longest line or cell kept, bytes.
const MAX_LINE: usize = 8 << 10;

/// Groups inside each other whose state is kept; deeper ones share that of the last.
const MAX_GROUPS: usize = 128;

/// Longest control word, letters.
const MAX_WORD: usize = 32;

/// Fonts whose character set is kept.
const MAX_FONTS: usize = 256;

/// What a tab stop is in a line: columns are apart by more than one blank.
const TAB: &str = "   ";

/// Rich text, whatever it is declared as.
pub struct Rtf;

impl Format for Rtf {
    fn name(&self) -> &'static str {
        "rtf"
    }
    fn first(&self) -> &'static [u8] {
        b"{"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).starts_with(b"{\\rtf")
    }
    fn cost(&self) -> u64 {
        8
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(RtfDocument {
            mode: Mode::Text,
            group: Group::new(),
            groups: Vec::new(),
            deeper: 0,
            default: encoding_rs::WINDOWS_1252,
            fonts: Vec::new(),
            surrogate: None,
            fallback: 0,
            bytes: Zeroizing::default(),
            line: Zeroizing::default(),
            cells: Vec::new(),
            sheet: Sheet::new("rtf"),
            path: media::path(media),
        })
    }
}

struct RtfDocument {
    mode: Mode,
    group: Group,
    groups: Vec<Group>,
    /// Groups open beyond [`MAX_GROUPS`].
    deeper: u64,
    /// `\ansicpg`.
    default: &'static Encoding,
    /// Character sets of fonts, by number.
    fonts: Vec<(i32, &'static Encoding)>,
    /// The first half of a character given as two `\u`.
    surrogate: Option<u16>,
    /// Coming characters that replace a `\u` for readers that do not know it.
    fallback: u32,
    /// Text in the character set of the font, not decoded yet.
    bytes: Zeroizing<Vec<u8>>,
    line: Zeroizing<String>,
    cells: Vec<Zeroizing<String>>,
    sheet: Sheet,
    path: Option<Box<str>>,
}

/// What a group's end undoes.
#[derive(Clone, Copy)]
struct Group {
    /// No text of the document here.
    hidden: bool,
    /// In the table of fonts.
    fonts: bool,
    /// Replacement characters after each `\u`.
    fallbacks: u32,
    font: i32,
}

impl Group {
    const fn new() -> Self {
        Self { hidden: false, fonts: false, fallbacks: 1, font: -1 }
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Text,
    /// Behind a backslash.
    Escape,
    /// In a control word.
    Word {
        name: [u8; MAX_WORD],
        len: usize,
        negative: bool,
        number: Option<i32>,
    },
    /// Behind `\'`; the first digit.
    Hex(Option<u8>),
    /// In binary data.
    Binary(u32),
}

impl Document for RtfDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.sheet.mark(media::about(&path, scope));
        }
        for &byte in bytes {
            self.byte(byte, scope);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.end_line(scope);
        self.mode = Mode::Text;
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.end_line(scope);
        self.end_row(scope);
        self.sheet.end(scope);
    }

    fn memory(&self) -> usize {
        self.line.capacity()
            + self.bytes.capacity()
            + self.sheet.memory()
            + self.groups.capacity() * size_of::<Group>()
            + self.cells.iter().map(|c| c.capacity()).sum::<usize>()
    }
}

impl RtfDocument {
    fn byte(&mut self, byte: u8, scope: &mut Scope<'_>) {
        match self.mode {
            Mode::Text => match byte {
                b'\\' => self.mode = Mode::Escape,
                b'{' => self.open(),
                b'}' => self.close(),
                b'\r' | b'\n' | 0 => {}
                _ => self.character(byte),
            },
            Mode::Escape => {
                self.mode = Mode::Text;
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' => {
                        let mut name = [0; MAX_WORD];
                        if let Some(first) = name.first_mut() {
                            *first = byte;
                        }
                        self.mode = Mode::Word { name, len: 1, negative: false, number: None };
                    }
                    b'\'' => self.mode = Mode::Hex(None),
                    b'*' => self.group.hidden = true,
                    b'~' => self.character(b' '),
                    b'_' => self.character(b'-'),
                    b'\\' | b'{' | b'}' => self.character(byte),
                    b'\r' | b'\n' => self.end_line(scope),
                    _ => {}
                }
            }
            Mode::Word { mut name, mut len, mut negative, mut number } => {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' if number.is_none() && !negative => {
                        if let Some(slot) = name.get_mut(len) {
                            *slot = byte;
                        }
                        len = (len + 1).min(MAX_WORD + 1);
                    }
                    b'-' if number.is_none() => negative = true,
                    b'0'..=b'9' => {
                        let digit = i32::from(byte - b'0');
                        let n = number.unwrap_or(0).saturating_mul(10).saturating_add(digit);
                        number = Some(n);
                    }
                    _ => {
                        self.mode = Mode::Text;
                        let number = number.map(|n| if negative { -n } else { n });
                        self.word(name.get(..len).unwrap_or_default(), number, scope);
                        // A blank belongs to the word.
                        if byte != b' ' {
                            self.byte(byte, scope);
                        }
                        return;
                    }
                }
                self.mode = Mode::Word { name, len, negative, number };
            }
            Mode::Hex(first) => match (char::from(byte).to_digit(16), first) {
                (Some(digit), None) => self.mode = Mode::Hex(Some(digit as u8)),
                (Some(digit), Some(first)) => {
                    self.mode = Mode::Text;
                    self.character(first << 4 | digit as u8);
                }
                (None, _) => self.mode = Mode::Text,
            },
            Mode::Binary(left) => {
                self.mode = if left > 1 { Mode::Binary(left - 1) } else { Mode::Text };
            }
        }
    }

    fn open(&mut self) {
        self.fallback = 0;
        if self.groups.len() < MAX_GROUPS {
            self.groups.push(self.group);
        } else {
            self.deeper = self.deeper.saturating_add(1);
        }
    }

    fn close(&mut self) {
        self.fallback = 0;
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(group) = self.groups.pop() {
            self.decode();
            self.group = group;
        }
    }

    fn word(&mut self, name: &[u8], number: Option<i32>, scope: &mut Scope<'_>) {
        match name {
            b"par" | b"line" | b"sect" | b"page" | b"column" => self.end_line(scope),
            b"tab" => {
                self.decode();
                self.push(TAB);
            }
            b"cell" | b"nestcell" => {
                self.decode();
                let cell = std::mem::take(&mut self.line);
                if !self.group.hidden && self.cells.len() < MAX_COLUMNS {
                    self.cells.push(cell);
                }
            }
            b"row" | b"nestrow" => self.end_row(scope),
            // Ordinary paragraphs come behind a table.
            b"pard" if self.cells.is_empty() && self.line.trim().is_empty() => {}
            b"intbl" | b"trowd" => {}
            b"emdash" | b"endash" => self.character(b'-'),
            b"lquote" | b"rquote" => self.character(b'\''),
            b"ldblquote" | b"rdblquote" => self.character(b'"'),
            b"u" => self.unicode(number.unwrap_or(0)),
            b"uc" => self.group.fallbacks = number.unwrap_or(1).clamp(0, 8) as u32,
            b"bin" => {
                if let Some(n @ 1..) = number {
                    self.mode = Mode::Binary(n as u32);
                }
            }
            b"ansicpg" => {
                if let Some(encoding) = number.and_then(code_page) {
                    self.default = encoding;
                }
            }
            b"f" => {
                self.decode();
                self.group.font = number.unwrap_or(0);
            }
            b"plain" => {
                self.decode();
                self.group.font = -1;
            }
            b"fcharset" if self.group.fonts => {
                let encoding = number.and_then(charset).unwrap_or(self.default);
                if self.fonts.len() < MAX_FONTS {
                    self.fonts.push((self.group.font, encoding));
                }
            }
            b"fonttbl" => (self.group.hidden, self.group.fonts) = (true, true),
            b"colortbl" | b"stylesheet" | b"info" | b"pict" | b"object" | b"themedata"
            | b"datastore" | b"listtable" | b"listoverridetable" | b"revtbl" | b"filetbl"
            | b"fldinst" | b"xmlnstbl" | b"generator" | b"rsidtbl" | b"deleted" => {
                // `\deleted0` ends deleted text.
                self.group.hidden = number != Some(0) || name != b"deleted";
            }
            // What a skipped group would have held is shown here.
            b"shptxt" | b"fldrslt" => self.group.hidden = false,
            _ => {}
        }
    }

    /// A byte of text.
    fn character(&mut self, byte: u8) {
        if self.fallback > 0 {
            self.fallback -= 1;
        } else if !self.group.hidden && self.bytes.len() + self.line.len() < MAX_LINE {
            self.bytes.push(byte);
        }
    }

    fn unicode(&mut self, number: i32) {
        self.fallback = self.group.fallbacks;
        if self.group.hidden {
            return;
        }
        self.decode();
        let unit = number as u16;
        let units = [self.surrogate.take().unwrap_or(unit), unit];
        match unit {
            0xd800..=0xdbff => self.surrogate = Some(unit),
            0xdc00..=0xdfff => {
                let text = String::from_utf16(&units).unwrap_or_default();
                self.push(&text);
            }
            _ => {
                let character = char::from_u32(u32::from(unit)).filter(|c| !c.is_control());
                self.push(character.unwrap_or(' ').encode_utf8(&mut [0; 4]));
            }
        }
    }

    /// Decodes the text so far.
    fn decode(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let of_font = self.fonts.iter().find(|(n, _)| *n == self.group.font);
        let encoding = of_font.map_or(self.default, |(_, encoding)| encoding);
        let text = Zeroizing::new(encoding.decode_without_bom_handling(&bytes).0.into_owned());
        self.push(&text);
    }

    fn push(&mut self, text: &str) {
        if !self.group.hidden && self.line.len() + text.len() <= 2 * MAX_LINE {
            self.line.push_str(text);
        }
    }

    fn end_line(&mut self, scope: &mut Scope<'_>) {
        self.decode();
        if self.group.hidden {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let text = line.trim();
        if text.is_empty() {
            return;
        }
        if self.cells.is_empty() {
            self.sheet.line(text, scope);
        } else {
            // A cell of several lines.
            self.line.push_str(text);
            self.line.push(' ');
        }
    }

    fn end_row(&mut self, scope: &mut Scope<'_>) {
        self.decode();
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.trim().is_empty()) {
            let cells: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
            self.sheet.row(&cells, scope);
        }
    }
}

/// `\ansicpg`.
fn code_page(number: i32) -> Option<&'static Encoding> {
    let label = match number {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        65001 => "utf-8".to_owned(),
        866 => "ibm866".to_owned(),
        10000 => "macintosh".to_owned(),
        n => format!("windows-{n}"),
    };
    Encoding::for_label(label.as_bytes())
}

/// `\fcharset`, with the code page of each.
fn charset(number: i32) -> Option<&'static Encoding> {
    code_page(match number {
        0 => 1252,
        77 => 10000,
        128 => 932,
        129 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;
    use proptest::prelude::*;

    const LETTER: &str = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}
{\colortbl;\red0\green0\blue0;}{\*\generator Writer;}{\info{\title Name: Nobody}}
\viewkind4\uc1\pard\b Patient:\b0  J\'f6rg M\u252?ller\par
MRN: 0077{\b 3}500\tab DOB: 1970-02-01\par
{\pict\bin5 \}}{x Name: Wrong}\f1 \'c0\'e4\f0\line }";

    #[test]
    fn a_letter_gives_one_patient() {
        assert_eq!(
            records("application/rtf", LETTER.as_bytes()),
            [
                "http>rtf:~rtf [PatientContext] name=Jörg Müller patient_id=00773500 birth_date=1970-02-01"
            ]
        );
    }

    #[test]
    fn rows_of_a_table_are_patients() {
        let table = r"{\rtf1\ansicpg1251\trowd\intbl MRN\cell Name\cell DOB\cell\row
\trowd 17\cell \'c8\'e2\'e0\'ed\par \uc2\u1048??\u1074\'c0\'c0\cell 1950-02-01\cell\row}";
        assert_eq!(
            records("", table.as_bytes()),
            ["http>rtf:~rtf [PatientContext] patient_id=17 name=Иван Ив birth_date=1950-02-01"]
        );
    }

    #[test]
    fn a_letter_cut_off_anywhere_stops_nothing() {
        for end in 0..LETTER.len() {
            records("", &LETTER.as_bytes()[..end]);
        }
        records("", format!("{{\\rtf1{}", "{".repeat(100_000)).as_bytes());
    }

    proptest! {
        #[test]
        fn mutated_letters_never_panic(at in 6..LETTER.len(), byte: u8, other in 6..LETTER.len(), second: u8) {
            let mut broken = LETTER.as_bytes().to_vec();
            broken[at] = byte;
            broken[other] = second;
            records("", &broken);
        }
    }
}
