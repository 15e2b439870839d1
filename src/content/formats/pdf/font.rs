//! Fonts: text and width of the codes of a string (ISO 32000-1 9.5 to 9.10).

use super::cmap::{CMap, big_endian};
use super::encoding::{self, Base};
use super::file::File;
use super::glyphs;
use super::object::{Dict, Object};

/// Widths kept of a composite font.
const MAX_WIDTHS: usize = 70_000;

/// A font.
pub(super) struct Font {
    codes: Codes,
    to_unicode: Option<CMap>,
    /// Text of the codes of a simple font without [`Self::to_unicode`].
    table: Vec<Option<Box<str>>>,
    widths: Widths,
    /// Size of its letters where its own size is 1: that of a Type 3 font says nothing.
    em: f64,
}

/// How a string divides into codes.
enum Codes {
    /// One byte each.
    Simple,
    /// As in the encoding CMap; two bytes each by default.
    Composite(CMap),
    /// Text in a character set (predefined CMaps, 9.7.5.2).
    Text(&'static encoding_rs::Encoding),
}

enum Widths {
    /// From the first code on; for other codes the last value.
    Simple(u32, Vec<f32>, f32),
    /// Ranges of codes by their first code; for other codes the last value.
    Composite(Vec<(u32, u32, f32)>, f32),
    /// Those of a standard font.
    Helvetica,
    Times,
}

/// One code of a string.
pub(super) struct ShownCode {
    /// In thousandths of the font size.
    pub(super) width: f32,
    /// The code is one byte, 32: word spacing applies (9.3.3).
    pub(super) space: bool,
}

impl Default for Font {
    /// For strings whose font is not known.
    fn default() -> Self {
        Self {
            codes: Codes::Simple,
            to_unicode: None,
            table: base_table(Base::WinAnsi),
            widths: Widths::Helvetica,
            em: 1.0,
        }
    }
}

fn base_table(base: Base) -> Vec<Option<Box<str>>> {
    let text = |code| encoding::character(base, code).map(|c| c.to_string().into_boxed_str());
    (0..=255).map(text).collect()
}

impl Font {
    pub(super) fn read(file: &File<'_>, dict: &Dict) -> Self {
        let to_unicode = match dict.get(b"ToUnicode") {
            Object::Reference(number) => file.stream(*number),
            _ => None,
        }
        .map(|(_, data)| CMap::parse(&data, file.fuel))
        .filter(|cmap| !cmap.is_empty());
        if dict.get(b"Subtype").name() == b"Type0" {
            let codes = composite(file, dict.get(b"Encoding"));
            let below = file.array(dict.get(b"DescendantFonts"));
            let below = below.first().and_then(|d| file.dict(d)).unwrap_or_default();
            let widths = composite_widths(file, &below);
            let mut font = Self { codes, to_unicode, table: Vec::new(), widths, em: 1.0 };
            if font.to_unicode.is_none() && matches!(font.codes, Codes::Composite(_)) {
                let descriptor = file.dict(below.get(b"FontDescriptor")).unwrap_or_default();
                font.name(glyphs::of_truetype(file, &descriptor));
            }
            return font;
        }
        let (table, names) = simple_table(file, dict);
        let widths = simple_widths(file, dict);
        let mut font = Self { codes: Codes::Simple, to_unicode, table, widths, em: 1.0 };
        if font.to_unicode.is_none() && dict.get(b"Subtype").name() == b"Type3" {
            let letters = glyphs::of_type3(file, dict, &names);
            let matrix = file.array(dict.get(b"FontMatrix"));
            let up = matrix.get(3).and_then(Object::number).unwrap_or(0.001).abs();
            font.em = letters.size.map_or(1.0, |size| f64::from(size) * up);
            font.name(letters);
        }
        font
    }

    /// Some codes mean these letters.
    fn name(&mut self, letters: glyphs::Letters) {
        for (code, letter) in letters.codes {
            let code = code as usize;
            if self.table.len() <= code {
                self.table.resize(code + 1, None);
            }
            if let Some(slot) = self.table.get_mut(code) {
                *slot = Some(letter.to_string().into());
            }
        }
    }

    /// Whether its letters, and their size, are known by their shapes only.
    pub(super) const fn is_by_shapes(&self) -> bool {
        self.em != 1.0
    }

    /// Size of its letters where its own size is 1.
    pub(super) const fn em(&self) -> f64 {
        self.em
    }

    /// Walks the codes of `string`: `each` gets the text and width of one.
    pub(super) fn show(&self, string: &[u8], mut each: impl FnMut(&str, ShownCode)) {
        let mut text = String::new();
        if let Codes::Text(encoding) = self.codes {
            let decoded = encoding.decode_without_bom_handling(string).0;
            for c in decoded.chars() {
                let width = if c.is_ascii() { 500.0 } else { 1000.0 };
                each(c.encode_utf8(&mut [0; 4]), ShownCode { width, space: false });
            }
            return;
        }
        let mut rest = string;
        while !rest.is_empty() {
            let len = match &self.codes {
                Codes::Composite(cmap) => cmap.code_len(rest).unwrap_or(2),
                Codes::Simple | Codes::Text(_) => 1,
            };
            let (code, behind) = rest.split_at(len.clamp(1, rest.len()));
            rest = behind;
            let code = big_endian(code);
            text.clear();
            let said = self.to_unicode.as_ref().is_some_and(|cmap| cmap.show(code, &mut text));
            if !said && let Some(Some(shown)) = self.table.get(code as usize) {
                text.push_str(shown);
            }
            // White space of any kind is a space; ligatures are their letters.
            let blank = text.chars().any(|c| c.is_whitespace() || c.is_control());
            if blank {
                text = text
                    .chars()
                    .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
                    .collect();
            }
            each(&text, ShownCode { width: self.width(code), space: len == 1 && code == 32 });
        }
    }

    fn width(&self, code: u32) -> f32 {
        match &self.widths {
            Widths::Simple(first, widths, missing) => code
                .checked_sub(*first)
                .and_then(|at| widths.get(at as usize))
                .copied()
                .unwrap_or(*missing),
            Widths::Composite(ranges, missing) => {
                let after = ranges.partition_point(|(low, ..)| *low <= code);
                match after.checked_sub(1).and_then(|at| ranges.get(at)) {
                    Some((_, high, width)) if *high >= code => *width,
                    _ => *missing,
                }
            }
            Widths::Helvetica => standard(&HELVETICA, code),
            Widths::Times => standard(&TIMES, code),
        }
    }
}

/// The text of the codes of a font.
type Table = Vec<Option<Box<str>>>;
/// Codes with the names of their glyphs.
type Names = Vec<(usize, Vec<u8>)>;

/// The text of each code, and the names of glyphs that the encoding has (9.6.6).
fn simple_table(file: &File<'_>, dict: &Dict) -> (Table, Names) {
    let named = |name: &[u8]| match name {
        b"MacRomanEncoding" => Some(Base::MacRoman),
        b"WinAnsiEncoding" => Some(Base::WinAnsi),
        b"StandardEncoding" => Some(Base::Standard),
        // In the packed pages of Ghostscript.
        b"ISOLatin1Encoding" => Some(Base::WinAnsi),
        _ => None,
    };
    let encoding = match file.value(dict.get(b"Encoding")) {
        Object::Dict(encoding) => encoding,
        other => return (base_table(named(other.name()).unwrap_or(Base::WinAnsi)), Vec::new()),
    };
    let base = named(file.value(encoding.get(b"BaseEncoding")).name());
    let type1 = dict.get(b"Subtype").name() != b"TrueType";
    let fallback = if type1 { Base::Standard } else { Base::WinAnsi };
    let mut table = base_table(base.unwrap_or(fallback));
    let mut names = Vec::new();
    let mut code = 0;
    for item in file.array(encoding.get(b"Differences")) {
        match item {
            Object::Number(n) => code = n as usize,
            Object::Name(name) => {
                if let Some(slot) = table.get_mut(code) {
                    let mut text = String::new();
                    if encoding::glyph(&name, &mut text) {
                        *slot = Some(text.into());
                    } else if name != b".notdef" && slot.is_none() {
                        // Glyph names without meaning (`g17`), whose codes have one.
                        *slot = encoding::character(Base::WinAnsi, code as u8)
                            .map(|c| c.to_string().into());
                    }
                    names.push((code, name));
                }
                code += 1;
            }
            _ => {}
        }
    }
    (table, names)
}

fn simple_widths(file: &File<'_>, dict: &Dict) -> Widths {
    let widths = file.array(dict.get(b"Widths"));
    let name = file.value(dict.get(b"BaseFont"));
    let is = |word: &[u8]| memchr::memmem::find(name.name(), word).is_some();
    if widths.is_empty() {
        return match () {
            () if is(b"Courier") || is(b"Mono") => Widths::Simple(0, Vec::new(), 600.0),
            () if is(b"Times") || is(b"Serif") => Widths::Times,
            () => Widths::Helvetica,
        };
    }
    // Widths of a Type 3 font are in a space of its own (9.6.5).
    let scale = match file.array(dict.get(b"FontMatrix")).first() {
        Some(Object::Number(x)) if dict.get(b"Subtype").name() == b"Type3" => *x as f32 * 1000.0,
        _ => 1.0,
    };
    let first = file.value(dict.get(b"FirstChar")).number().unwrap_or(0.0) as u32;
    let width = |w: &Object| file.value(w).number().unwrap_or(0.0) as f32 * scale;
    let widths = widths.iter().take(256).map(width).collect();
    let descriptor = file.dict(dict.get(b"FontDescriptor")).unwrap_or_default();
    let missing = file.value(descriptor.get(b"MissingWidth")).number().unwrap_or(0.0) as f32;
    Widths::Simple(first, widths, missing)
}

/// The encoding of a composite font (9.7.5).
fn composite(file: &File<'_>, encoding: &Object) -> Codes {
    if let Object::Reference(number) = encoding
        && let Some((_, data)) = file.stream(*number)
    {
        return Codes::Composite(CMap::parse(&data, file.fuel));
    }
    let value = file.value(encoding);
    let name = value.name();
    let has = |word: &[u8]| memchr::memmem::find(name, word).is_some();
    match () {
        () if has(b"UCS2") || has(b"UTF16") => Codes::Text(encoding_rs::UTF_16BE),
        () if has(b"UTF8") => Codes::Text(encoding_rs::UTF_8),
        () if has(b"RKSJ") => Codes::Text(encoding_rs::SHIFT_JIS),
        () if has(b"GBK") || has(b"GB-EUC") => Codes::Text(encoding_rs::GBK),
        () if has(b"KSC") => Codes::Text(encoding_rs::EUC_KR),
        () if has(b"B5") => Codes::Text(encoding_rs::BIG5),
        () if has(b"EUC") => Codes::Text(encoding_rs::EUC_JP),
        () => Codes::Composite(CMap::default()),
    }
}

/// 9.7.4.3; codes are taken for CIDs, as under Identity they are.
fn composite_widths(file: &File<'_>, below: &Dict) -> Widths {
    let missing = file.value(below.get(b"DW")).number().unwrap_or(1000.0) as f32;
    let mut ranges = Vec::new();
    let items = file.array(below.get(b"W"));
    let mut items = items.iter();
    while let (Some(first), Some(second)) = (items.next(), items.next()) {
        let first = first.number().unwrap_or(0.0) as u32;
        match file.value(second) {
            Object::Array(each) => {
                for (code, width) in (first..).zip(&each) {
                    let width = file.value(width).number().unwrap_or(0.0) as f32;
                    ranges.push((code, code, width));
                }
            }
            Object::Number(last) => {
                let width = items.next().and_then(Object::number).unwrap_or(0.0) as f32;
                ranges.push((first, last as u32, width));
            }
            _ => break,
        }
        if ranges.len() > MAX_WIDTHS {
            break;
        }
    }
    ranges.sort_by_key(|(low, ..)| *low);
    Widths::Composite(ranges, missing)
}

/// The usual width of letters beyond ASCII, and of anything not known.
const USUAL: f32 = 556.0;

/// The width of a character in a font of this name, in thousandths of its size, if the file does not give it.
pub(in crate::content::formats) fn usual_width(name: &[u8], c: char) -> f32 {
    let is = |word: &[u8]| memchr::memmem::find(name, word).is_some();
    match () {
        () if is(b"Courier") || is(b"Mono") || is(b"Consol") => 600.0,
        () if is(b"Times") || is(b"Serif") => standard(&TIMES, u32::from(c)),
        () => standard(&HELVETICA, u32::from(c)),
    }
}

fn standard(widths: &[u16; 95], code: u32) -> f32 {
    let at = code.checked_sub(32).map(|at| at as usize);
    at.and_then(|at| widths.get(at)).map_or(USUAL, |w| f32::from(*w))
}

/// Widths of Helvetica, 0x20 to 0x7e, which the standard fonts need not state (9.6.2.2).
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Widths of Times, 0x20 to 0x7e.
const TIMES: [u16; 95] = [
    250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500,
    500, 500, 500, 500, 500, 500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611,
    556, 722, 722, 333, 389, 722, 611, 889, 722, 722, 556, 722, 667, 556, 611, 722, 722, 944, 722,
    722, 611, 333, 278, 333, 469, 500, 333, 444, 500, 444, 500, 444, 333, 500, 500, 278, 278, 500,
    278, 778, 500, 500, 500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
];
