//! PCL XL (HP, PCL XL Feature Reference Protocol Class 2.0): a binary stream of operators with attributes in front of
//! them. Text comes with the distances of its letters.

use crate::content::extract::layout::{GlyphPosition, Line, Page};
use crate::content::extract::page::PageReader;
use crate::content::extract::shapes::{Drawing, Shape};
use crate::content::formats::pdf::font::usual_width;
use crate::content::stack::Unread;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::syntax::{ByteOrder, Match};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// Bytes kept of an operator with incomplete attributes.
const MAX_HELD: usize = 256 << 10;
/// Longest line of the header, bytes.
const MAX_HEADER: usize = 1024;
/// Attributes of one operator.
const MAX_ATTRIBUTES: usize = 64;
/// Lines of one job.
const MAX_LINES: usize = 200_000;

/// Fonts whose letters are only numbered, at most.
const MAX_FONTS: usize = 256;
/// Codes that no text has: a font that has letters there only numbers them.
const NUMBERS: std::ops::RangeInclusive<u32> = 1..=8;
/// Letters without a meaning that a job may have, such as bullets.
const FEW: usize = 64;

/// Bitmaps of letters of one job.
const MAX_GLYPHS: usize = 4096;
/// Longest letter as a bitmap, bytes.
const MAX_GLYPH: u64 = 64 << 10;
/// Work of comparing a shape with all known letters.
const COMPARE_COST: u64 = 3_000;

const CHAR_CODE: u8 = 162;
const FONT_NAME: u8 = 168;
const POINT: u8 = 76;
const TEXT_DATA: u8 = 171;
const SPACING_X: u8 = 175;
const CHAR_SIZE: u8 = 161;
const UNITS: u8 = 137;

/// PCL XL.
pub struct PclXl;

impl Format for PclXl {
    fn name(&self) -> &'static str {
        "pclxl"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        begins(head)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Job {
            held: Unread::default(),
            header: false,
            order: ByteOrder::Little,
            reader: PageReader::new("pclxl"),
            page: Page::default(),
            lines: 0,
            attributes: Vec::new(),
            x: 0.0,
            y: 0.0,
            size: 50.0,
            sent: Vec::new(),
            font: Vec::new(),
            numbered: BTreeSet::new(),
            glyphs: BTreeMap::new(),
            coming: None,
            drawing: Drawing::default(),
            unreadable: 0,
        })
    }
}

/// `) HP-PCL XL;2;0;`: little-endian, or `(`: big-endian.
pub(super) fn begins(head: &[u8]) -> bool {
    matches!(
        head,
        [b'(' | b')', b' ', b'H', b'P', b'-', b'P', b'C', b'L', b' ', b'X', b'L', b';', ..]
    )
}

/// The operands before an operator: numbers, or the bytes of a text.
enum Value {
    Numbers(Vec<f64>),
    Bytes(Zeroizing<Vec<u8>>),
    Wide(Zeroizing<Vec<u16>>),
}

struct Job {
    held: Unread<MAX_HELD>,
    /// The header was read.
    header: bool,
    order: ByteOrder,
    reader: PageReader,
    page: Page,
    lines: usize,
    attributes: Vec<(u8, Value)>,
    x: f64,
    y: f64,
    /// Size of the letters in units of the page.
    size: f64,
    /// The font that is being sent, and the one in use.
    sent: Vec<u8>,
    font: Vec<u8>,
    /// Fonts whose letters are numbered as they occur: only their shapes tell what they are.
    numbered: BTreeSet<Vec<u8>>,
    /// Letters that were sent as bitmaps, by font and code.
    glyphs: BTreeMap<(Vec<u8>, u32), Shape>,
    /// The code of the letter whose bitmap follows.
    coming: Option<u32>,
    drawing: Drawing,
    unreadable: usize,
}

impl Job {
    fn number(&self, bytes: &[u8], kind: u8) -> f64 {
        let mut le = [0u8; 4];
        for (slot, byte) in le.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        if self.order == ByteOrder::Big && bytes.len() <= 4 {
            le.get_mut(..bytes.len()).into_iter().for_each(<[u8]>::reverse);
        }
        let [a, b, ..] = le;
        match kind {
            0 => f64::from(a),
            1 => f64::from(u16::from_le_bytes([a, b])),
            2 => f64::from(u32::from_le_bytes(le)),
            3 => f64::from(i16::from_le_bytes([a, b])),
            4 => f64::from(i32::from_le_bytes(le)),
            _ => f64::from(f32::from_le_bytes(le)),
        }
    }

    const fn width(kind: u8) -> usize {
        match kind {
            0 => 1,
            1 | 3 => 2,
            _ => 4,
        }
    }

    /// Reads the tag at the front of `data` and its `value`. Returns its length (a value, an attribute's name, or an
    /// operator), and the length of the data behind it that is no text.
    fn tag(&self, data: &[u8], value: &mut Option<Value>) -> Match<(usize, u64)> {
        let Some(tag) = data.first() else { return Match::More };
        let kind = tag & 7;
        let bytes = |from: usize, len: usize| data.get(from..from + len);
        match tag {
            0x00 | 0x09..=0x0d | 0x20 => Match::Yes((1, 0)),
            0xc0..=0xc5 | 0xd0..=0xd5 | 0xe0..=0xe5 => {
                let count = match tag >> 4 {
                    0xc => 1,
                    0xd => 2,
                    _ => 4,
                };
                let width = Self::width(kind);
                let Some(all) = bytes(1, width * count) else { return Match::More };
                let numbers = all.chunks(width).map(|b| self.number(b, kind)).collect();
                *value = Some(Value::Numbers(numbers));
                Match::Yes((1 + width * count, 0))
            }
            0xc8..=0xcd => {
                let Some(length) = data.get(1) else { return Match::More };
                let size = match length {
                    0xc0 => 1,
                    0xc1 => 2,
                    0xc2 => 4,
                    _ => return Match::No,
                };
                let Some(length) = bytes(2, size) else { return Match::More };
                let count =
                    self.number(length, if size == 4 { 2 } else { size as u8 - 1 }) as usize;
                let (width, start) = (Self::width(kind), 2 + size);
                let Some(total) = count.checked_mul(width).filter(|t| *t < MAX_HELD / 2) else {
                    return Match::No;
                };
                let Some(all) = bytes(start, total) else { return Match::More };
                *value = Some(match kind {
                    0 => Value::Bytes(Zeroizing::new(all.to_vec())),
                    1 => {
                        let wide = all.chunks(2).map(|b| self.number(b, 1) as u16);
                        Value::Wide(Zeroizing::new(wide.collect()))
                    }
                    _ => Value::Numbers(all.chunks(width).map(|b| self.number(b, kind)).collect()),
                });
                Match::Yes((start + total, 0))
            }
            0xf8 if data.len() >= 2 => Match::Yes((2, 0)),
            0xf9 if data.len() >= 3 => Match::Yes((3, 0)),
            0xf8 | 0xf9 => Match::More,
            0xfa => match bytes(1, 4) {
                Some(length) => Match::Yes((5, self.number(length, 2) as u64)),
                None => Match::More,
            },
            0xfb => match data.get(1) {
                Some(length) => Match::Yes((2, u64::from(*length))),
                None => Match::More,
            },
            0x41..=0xbf => Match::Yes((1, 0)),
            _ => Match::No,
        }
    }

    fn take(&mut self, attribute: u8) -> Option<Value> {
        let at = self.attributes.iter().position(|(name, _)| *name == attribute)?;
        Some(self.attributes.swap_remove(at).1)
    }

    fn numbers(&mut self, attribute: u8) -> Vec<f64> {
        match self.take(attribute) {
            Some(Value::Numbers(numbers)) => numbers,
            Some(Value::Bytes(bytes)) => bytes.iter().map(|b| f64::from(*b)).collect(),
            Some(Value::Wide(wide)) => wide.iter().map(|w| f64::from(*w)).collect(),
            None => Vec::new(),
        }
    }

    fn name(&mut self, attribute: u8) -> Vec<u8> {
        match self.take(attribute) {
            Some(Value::Bytes(name)) => name.to_vec(),
            Some(Value::Wide(name)) => name.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            _ => Vec::new(),
        }
    }

    fn operate(&mut self, operator: u8, scope: &mut Scope<'_>) {
        match operator {
            // BeginPage, EndPage.
            0x43 | 0x44 => {
                self.flush(scope);
                (self.x, self.y) = (0.0, 0.0);
            }
            // BeginSession.
            0x41 => {
                if let Some(unit) = self.numbers(UNITS).first().filter(|u| **u >= 1.0) {
                    self.size = unit / 6.0;
                }
            }
            // SetCursor, SetCursorRel.
            0x6b | 0x6c => {
                if let [x, y] = *self.numbers(POINT) {
                    let (from_x, from_y) =
                        if operator == 0x6c { (self.x, self.y) } else { (0.0, 0.0) };
                    (self.x, self.y) = (from_x + x, from_y + y);
                }
            }
            // SetFont.
            0x6f => {
                self.font = self.name(FONT_NAME);
                if let Some(size) = self.numbers(CHAR_SIZE).first().filter(|s| **s > 0.0) {
                    self.size = *size;
                }
            }
            // BeginChar: letters of this font follow.
            0x52 => self.sent = self.name(FONT_NAME),
            // ReadChar.
            0x53 => {
                let code = self.numbers(CHAR_CODE).first().map_or(0, |code| *code as u32);
                if NUMBERS.contains(&code) && self.numbered.len() < MAX_FONTS {
                    self.numbered.insert(self.sent.clone());
                }
                self.coming = Some(code);
            }
            // Text.
            0xa8 => self.text(),
            _ => {}
        }
        self.attributes.clear();
    }

    fn text(&mut self) {
        let spacing = self.numbers(SPACING_X);
        let mut codes: Zeroizing<Vec<u16>> = Zeroizing::default();
        let text: Zeroizing<String> = Zeroizing::new(match self.take(TEXT_DATA) {
            Some(Value::Bytes(bytes)) => {
                codes.extend(bytes.iter().map(|b| u16::from(*b)));
                encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned()
            }
            Some(Value::Wide(wide)) => {
                codes.extend_from_slice(&wide);
                String::from_utf16_lossy(&wide)
            }
            _ => return,
        });
        let size = self.size.clamp(1.0, 1e6);
        let numbered = !self.numbered.is_empty() && self.numbered.contains(&self.font);
        if numbered {
            return self.draw(&codes, &spacing, size);
        }
        for (at, c) in text.chars().enumerate() {
            let width = f64::from(usual_width(b"", c)) / 1000.0 * size;
            let spot =
                GlyphPosition { turn: 0, down: self.y, start: self.x, end: self.x + width, size };
            if !c.is_control() && self.x.is_finite() && self.y.is_finite() {
                self.page.push(c.encode_utf8(&mut [0; 4]), spot);
            }
            self.x += spacing.get(at).copied().unwrap_or(width);
        }
    }

    /// Puts letters on the page that are known by their bitmaps only.
    fn draw(&mut self, codes: &[u16], spacing: &[f64], size: f64) {
        for (at, code) in codes.iter().enumerate() {
            match self.glyphs.get(&(self.font.clone(), u32::from(*code))) {
                Some(shape) => self.drawing.stamp(shape, (self.x as f32, -self.y as f32)),
                None => self.unreadable += 1,
            }
            self.x += spacing.get(at).copied().unwrap_or(size / 2.0);
        }
    }

    /// The bitmap of a letter (feature reference, bitmap character format 0): class, offset of its upper left corner,
    /// width and height, rows of whole bytes; numbers big-endian.
    fn glyph(&mut self, code: u32, data: &[u8]) -> Option<()> {
        let (&[0, _, l1, l2, t1, t2, w1, w2, h1, h2], rows) = data.split_first_chunk()? else {
            return None;
        };
        let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
        let corner = (i16::from_be_bytes([l1, l2]).into(), i16::from_be_bytes([t1, t2]).into());
        let line = usize::from(width).div_ceil(8);
        if self.glyphs.len() >= MAX_GLYPHS || line == 0 || rows.len() < line * usize::from(height) {
            return None;
        }
        let ink = |x: usize, y: usize| {
            rows.get(y * line + x / 8).is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0)
        };
        let shape = Shape::of_bitmap(width.into(), height.into(), corner, ink)?;
        self.glyphs.insert((self.sent.clone(), code), shape);
        Some(())
    }

    fn flush(&mut self, scope: &mut Scope<'_>) {
        let (shapes, letters) = self.drawing.finish(&mut self.page);
        self.unreadable += shapes - letters;
        scope.spend(self.drawing.compared() as u64 * COMPARE_COST);
        let mut lines: Vec<Line> = Vec::new();
        self.page.lines(&mut lines);
        self.lines += lines.len();
        lines.iter().for_each(|line| self.reader.line(line, scope));
    }

    /// Reads the buffer as far as possible: bytes used, following bytes that are no text; `None` if it is not valid
    /// PCL XL.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> Option<(usize, u64)> {
        let mut at = 0;
        if !self.header {
            let Some(end) = memchr::memchr(b'\n', data) else {
                return (data.len() < MAX_HEADER).then_some((0, 0));
            };
            if data.first() == Some(&b'(') {
                self.order = ByteOrder::Big;
            }
            self.header = true;
            at = end + 1;
        }
        let mut value = None;
        // A value is read again with its attribute, once that is available.
        let mut start = at;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            match self.tag(rest, &mut value) {
                Match::More => return Some((start, 0)),
                Match::No => return None,
                Match::Yes((head, len)) if len > 0 => {
                    let have = rest.len().saturating_sub(head) as u64;
                    let wanted = self.coming.filter(|_| len <= MAX_GLYPH);
                    if let Some(code) = wanted {
                        let Some(data) = rest.get(head..head + len as usize) else {
                            return Some((start, 0));
                        };
                        self.glyph(code, data);
                    }
                    self.coming = None;
                    if len > have {
                        return Some((data.len(), len - have));
                    }
                    at += head + len as usize;
                    start = at;
                }
                Match::Yes((len, _)) => {
                    at += len;
                    match rest.first() {
                        Some(0xf8 | 0xf9) => {
                            let name = rest.get(1).copied().unwrap_or(0);
                            if let Some(value) = value.take()
                                && self.attributes.len() < MAX_ATTRIBUTES
                            {
                                self.attributes.push((name, value));
                            }
                            start = at;
                        }
                        Some(operator @ 0x41..=0xbf) => {
                            self.operate(*operator, scope);
                            start = at;
                        }
                        Some(0xfa | 0xfb) => start = at,
                        _ if value.is_none() => start = at,
                        _ => {}
                    }
                }
            }
            if self.page.is_full() {
                self.flush(scope);
            }
        }
    }
}

impl Document for Job {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut held = std::mem::take(&mut self.held);
        let mut malformed = false;
        let skip = held.read(bytes, |data| {
            let read = self.read(data, scope).filter(|_| self.lines <= MAX_LINES);
            malformed = read.is_none();
            read.unwrap_or((data.len(), 0))
        });
        self.held = held;
        let fault = if malformed { Some(Reason::Malformed) } else { None };
        match (fault, skip) {
            (None, Some(skip)) => Want { skip },
            (fault, _) => {
                scope.give_up(fault.unwrap_or(Reason::Limit));
                Want::NOTHING
            }
        }
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.flush(scope);
        self.reader.end(scope);
        if self.unreadable > FEW {
            scope.give_up(Reason::Unsupported);
        }
    }

    fn memory(&self) -> usize {
        self.held.memory()
            + self.reader.memory()
            + self.drawing.memory()
            + self.glyphs.len() * Shape::MEMORY
    }
}
