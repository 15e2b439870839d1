//! Fonts: text and width of the codes of a string (PLRM 5).

use super::machine::{FONTS, Machine};
use super::object::{Key, Object};
use super::shapes::Cids;
use crate::content::extract::layout::GlyphPosition;
use crate::content::extract::shapes::UNREAD;
use crate::content::formats::matrix::{Matrix, concat, distance};
use crate::content::formats::pdf::encoding::{self, Base};
use crate::content::formats::pdf::font::usual_width;
use std::rc::Rc;

/// Cost of reading an encoding, steps.
const GLYPHS_COST: usize = 2000;
/// Fonts whose encodings are kept.
const MAX_FONTS: usize = 4096;
/// The height of a bitmap font's box in sizes of its letters.
const BOX_HEIGHT: f64 = 1.2;

/// The text of a font's codes.
pub(super) struct Glyphs {
    table: Vec<Option<Box<str>>>,
    widths: Vec<f64>,
    /// It has its original encoding: codes that are no text in it may be UTF-8.
    plain: bool,
    /// Codes are text in a character set.
    charset: Option<&'static encoding_rs::Encoding>,
    /// The fonts of a composite font by the first byte of a code.
    parts: Vec<Rc<Glyphs>>,
    /// The letters of a font with CIDs, whose codes have two bytes.
    cids: Option<Cids>,
    /// Units of the font's size: 1000 for Type 1, 1 for TrueType and composite fonts.
    units: f64,
    /// Its codes number the letters as they first occurred, and its names say no more: only their outlines tell what
    /// they are.
    numbered: bool,
}

/// Spacing of a string beside the widths of its letters.
#[derive(Default)]
pub(super) struct Spacing<'a> {
    pub(super) each: (f64, f64),
    pub(super) at: Option<(u32, f64, f64)>,
    /// The distances from letter to letter themselves.
    pub(super) exactly: Option<&'a [(f64, f64)]>,
}

/// The names of a standard encoding's glyphs.
pub(super) fn names(base: Base, machine: &mut Machine<'_>) -> Option<Object> {
    let mut items = Vec::with_capacity(256);
    for code in 0..=255u8 {
        let name = match encoding::character(base, code) {
            Some(' ') => "space".to_owned(),
            Some(c) if c.is_ascii_alphabetic() => c.to_string(),
            Some(c) => format!("uni{:04X}", u32::from(c)),
            None => ".notdef".to_owned(),
        };
        items.push(Object::Name(machine.store.name(name.as_bytes())));
    }
    machine.store.new_array(items, false)
}

impl Machine<'_> {
    /// The font of a name: from the job, or one that printers have.
    pub(super) fn find_font(&mut self, name: Object) -> Option<u32> {
        let key = self.store.key(name)?;
        if let Some(Object::Dict(font)) = self.store.get(FONTS, key) {
            return Some(font);
        }
        let font = self.store.new_dict(Default::default())?;
        self.store.put_named(font, b"FontName", name)?;
        self.store.put_named(font, b"FontType", Object::Number(1.0))?;
        let standard = self.store.get_named(super::machine::SYSTEM, b"StandardEncoding")?;
        self.store.put_named(font, b"Encoding", standard)?;
        let unit = [0.001, 0.0, 0.0, 0.001, 0.0, 0.0].map(Object::Number).to_vec();
        let matrix = self.store.new_array(unit, false)?;
        self.store.put_named(font, b"FontMatrix", matrix)?;
        let outlines = self.outlines()?;
        self.store.put_named(font, b"CharStrings", Object::Dict(outlines))?;
        for empty in [&b"FontInfo"[..], b"Private"] {
            let dict = self.store.new_dict(Default::default())?;
            self.store.put_named(font, empty, Object::Dict(dict))?;
        }
        let bounds = [-200.0, -250.0, 1100.0, 950.0].map(Object::Number).to_vec();
        let bounds = self.store.new_array(bounds, false)?;
        self.store.put_named(font, b"FontBBox", bounds)?;
        self.store.put(FONTS, key, Object::Dict(font))?;
        Some(font)
    }

    /// The outlines of printers' fonts, by name: programs look whether a font has the letters of an encoding.
    fn outlines(&mut self) -> Option<u32> {
        if self.outlines.is_none() {
            let outlines = self.store.new_dict(Default::default())?;
            for name in encoding::names().chain([".notdef".to_owned()]) {
                self.store.put_named(outlines, name.as_bytes(), Object::Null)?;
            }
            self.burn(GLYPHS_COST);
            self.outlines = Some(outlines);
        }
        self.outlines
    }

    /// A font of another size.
    pub(super) fn make_font(&mut self, font: u32, matrix: &Matrix) -> Option<u32> {
        let dict = self.store.dict(font)?.clone();
        let old = self.store.get_named(font, b"FontMatrix")?;
        let new = concat(&self.store.matrix(old)?, matrix);
        let copy = self.store.new_dict(dict)?;
        let new = self.store.new_array(new.map(Object::Number).to_vec(), false)?;
        self.store.put_named(copy, b"FontMatrix", new)?;
        Some(copy)
    }

    /// What the codes of a font show.
    fn glyphs(&mut self, font: u32, depth: usize) -> Rc<Glyphs> {
        // Sizes of one font share its encoding, those of a composite font its parts.
        let array = |name: &[u8]| match self.store.get_named(font, name) {
            Some(Object::Array(at) | Object::Proc(at)) => Some(at | 1 << 31),
            _ => None,
        };
        let key = array(b"FDepVector").or_else(|| array(b"Encoding")).unwrap_or(font);
        if depth == 0
            && let Some(known) = self.glyphs.get(&key)
        {
            return Rc::clone(known);
        }
        self.burn(GLYPHS_COST);
        let glyphs = Rc::new(self.read_glyphs(font, depth));
        if depth == 0 && self.glyphs.len() < MAX_FONTS {
            self.glyphs.insert(key, Rc::clone(&glyphs));
        }
        glyphs
    }

    fn read_glyphs(&mut self, font: u32, depth: usize) -> Glyphs {
        let name = self.store.get_named(font, b"FontName");
        let name = name.and_then(|n| self.store.bytes(n)).unwrap_or_default().to_vec();
        let array = self.store.get_named(font, b"Encoding").unwrap_or(Object::Null);
        let standard = self.store.get_named(super::machine::SYSTEM, b"StandardEncoding");
        let mut glyphs = Glyphs {
            table: Vec::new(),
            widths: Vec::new(),
            plain: standard == Some(array),
            charset: charset(&name),
            parts: Vec::new(),
            cids: None,
            units: self.units(font),
            numbered: self.is_numbered(font, array),
        };
        if let Some(below) = self.cid_font(font) {
            glyphs.cids = Some(self.cids_by_shape(below).unwrap_or_default());
            return glyphs;
        }
        if depth == 0
            && let Some(parts) = self.store.get_named(font, b"FDepVector")
        {
            let fonts: Vec<Object> = self.store.array(parts).unwrap_or_default().to_vec();
            let encoding: Vec<Object> = self.store.array(array).unwrap_or_default().to_vec();
            let part = |code: &Object| match code {
                Object::Number(n) => fonts.get(*n as usize).copied(),
                _ => None,
            };
            for font in encoding.iter().take(256).map(part) {
                let Some(Object::Dict(font)) = font else { break };
                glyphs.parts.push(self.glyphs(font, 1));
            }
        }
        let named = self.store.get_named(font, b"GlyphNames2Unicode").and_then(|o| match o {
            Object::Dict(at) => Some(at),
            _ => None,
        });
        let items: Vec<Object> = self.store.array(array).unwrap_or_default().to_vec();
        for code in 0..256usize {
            let item = items.get(code).copied().unwrap_or(Object::Null);
            let text = self.shown(item, code as u8, named, &glyphs);
            let first = text.as_deref().and_then(|t| t.chars().next()).unwrap_or(' ');
            glyphs.widths.push(f64::from(usual_width(&name, first)));
            glyphs.table.push(text);
        }
        if glyphs.numbered {
            for (code, letter, width) in self.letters_by_shape(font, array).unwrap_or_default() {
                let code = usize::from(code);
                if let (Some(text), Some(wide)) =
                    (glyphs.table.get_mut(code), glyphs.widths.get_mut(code))
                {
                    *text = Some(letter.to_string().into());
                    *wide = width;
                }
            }
        }
        glyphs
    }

    /// A composite font of a font with CIDs, with the codes of its `CMap` taken for CIDs, as `Identity-H` has them
    /// (PLRM 5.11).
    pub(super) fn compose_font(&mut self, name: Object, cmap: Object, below: u32) -> Option<u32> {
        let font = self.store.new_dict(Default::default())?;
        self.store.put_named(font, b"FontType", Object::Number(0.0))?;
        self.store.put_named(font, b"FontName", name)?;
        self.store.put_named(font, b"CMap", cmap)?;
        let unit = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0].map(Object::Number).to_vec();
        let matrix = self.store.new_array(unit, false)?;
        self.store.put_named(font, b"FontMatrix", matrix)?;
        let parts = self.store.new_array(vec![Object::Dict(below)], false)?;
        self.store.put_named(font, b"FDepVector", parts)?;
        // Sizes of one font share its letters by their encoding.
        let encoding = self.store.new_array(vec![Object::Number(0.0)], false)?;
        self.store.put_named(font, b"Encoding", encoding)?;
        let key = self.store.key(name)?;
        self.store.put(FONTS, key, Object::Dict(font))?;
        Some(font)
    }

    /// The font with CIDs that a composite font is made of.
    fn cid_font(&self, font: u32) -> Option<u32> {
        self.store.get_named(font, b"CMap")?;
        let parts = self.store.get_named(font, b"FDepVector")?;
        let Some([Object::Dict(below), ..]) = self.store.array(parts) else { return None };
        self.store.get_named(*below, b"CIDFontType").map(|_| *below)
    }

    /// Whether the letters of a font are numbered from 1 on (`c01`, `G2`), where text has control characters.
    fn is_numbered(&self, font: u32, encoding: Object) -> bool {
        let Some(Object::Dict(outlines)) = self.store.get_named(font, b"CharStrings") else {
            return false;
        };
        let items = self.store.array(encoding).unwrap_or_default();
        [1, 2].into_iter().all(|code| {
            let item = items.get(code).copied().unwrap_or(Object::Null);
            let spelled = self.store.bytes(item).unwrap_or_default();
            let digits = spelled.iter().rev().take_while(|b| b.is_ascii_digit()).count();
            let known = matches!(item, Object::Name(name) if self.store.get(outlines, Key::Name(name.0)).is_some());
            known && digits > 0 && !encoding::glyph(spelled, &mut String::new())
        })
    }

    /// The text of a glyph name; one without meaning (`G17`) means its code.
    fn shown(&self, name: Object, code: u8, named: Option<u32>, font: &Glyphs) -> Option<Box<str>> {
        let spelled = self.store.bytes(name).unwrap_or_default();
        if let Some(unicode) = named
            && let Object::Name(name) = name
            && let Some(value) = self.store.get(unicode, Key::Name(name.0))
        {
            match value {
                Object::Number(n) => {
                    return char::from_u32(n as u32).map(|c| c.to_string().into());
                }
                _ => {
                    if let Some(bytes) = self.store.bytes(value) {
                        let text = encoding_rs::UTF_16BE.decode_without_bom_handling(bytes).0;
                        return Some(text.into());
                    }
                }
            }
        }
        let mut text = String::new();
        if encoding::glyph(spelled, &mut text) {
            return Some(text.into());
        }
        if spelled == b".notdef" && !font.plain || font.numbered {
            return None;
        }
        encoding::character(Base::WinAnsi, code).map(|c| c.to_string().into())
    }

    /// Units of a font's space per unit of its size.
    fn units(&self, font: u32) -> f64 {
        let kind = match self.store.get_named(font, b"FontType") {
            Some(Object::Number(kind)) => kind as u8,
            _ => 1,
        };
        let bitmap = kind == 3;
        let bounds = self.store.get_named(font, b"FontBBox");
        let bounds = bounds.and_then(|b| self.store.array(b));
        match bounds {
            Some([_, Object::Number(low), _, Object::Number(high)])
                if bitmap && high - low > 1e-6 =>
            {
                (high - low) / BOX_HEIGHT
            }
            _ if bitmap => 10.0,
            // Composite fonts, TrueType, and TrueType with CIDs (PLRM 5.10, 5.8, 5.11).
            _ if matches!(kind, 0 | 11 | 42) => 1.0,
            _ => 1000.0,
        }
    }

    /// Shows a string: puts its text on the page, and moves the current point.
    pub(super) fn show(
        &mut self,
        string: &[u8],
        spacing: &Spacing<'_>,
        visible: bool,
    ) -> Option<()> {
        let font = self.graphics.font?;
        let glyphs = self.glyphs(font, 0);
        self.show_with(font, &glyphs, string, spacing, visible)
    }

    /// Shows the glyph of a name, which the font's encoding may not have.
    pub(super) fn show_glyph(&mut self, glyph: Object) -> Option<()> {
        let font = self.graphics.font?;
        let mut text = String::new();
        let spelled = self.store.bytes(glyph).unwrap_or_default();
        if !encoding::glyph(spelled, &mut text) {
            let array = self.store.get_named(font, b"Encoding")?;
            let code = self.store.array(array)?.iter().position(|o| *o == glyph)?;
            return self.show(&[u8::try_from(code).ok()?], &Spacing::default(), true);
        }
        let name = self.store.get_named(font, b"FontName");
        let name = name.and_then(|n| self.store.bytes(n)).unwrap_or_default();
        let first = text.chars().next().unwrap_or(' ');
        let glyphs = Glyphs {
            widths: vec![f64::from(usual_width(name, first))],
            table: vec![Some(text.into())],
            plain: false,
            charset: None,
            parts: Vec::new(),
            cids: None,
            units: self.units(font),
            numbered: false,
        };
        self.show_with(font, &glyphs, &[0], &Spacing::default(), true)
    }

    fn show_with(
        &mut self,
        font: u32,
        glyphs: &Glyphs,
        string: &[u8],
        spacing: &Spacing<'_>,
        visible: bool,
    ) -> Option<()> {
        let matrix = self.store.get_named(font, b"FontMatrix")?;
        let matrix = self.store.matrix(matrix)?;
        self.burn(string.len());
        if let Some(cids) = &glyphs.cids {
            let unread = |code: &&[u8]| cids.get(&cid(code)).is_none_or(|c| c.0 == UNREAD);
            self.unreadable += string.chunks(2).filter(unread).count();
        }
        if glyphs.numbered {
            let unread = |code: &&u8| {
                let text = glyphs.table.get(usize::from(**code)).and_then(|t| t.as_deref());
                text.is_none_or(|text| text.contains(UNREAD))
            };
            self.unreadable += string.iter().filter(unread).count();
        }
        let units = glyphs.units;
        let ctm = self.graphics.ctm;
        // The directions of writing and of the letters' height in device space.
        let (ux, uy) = distance(&matrix, units, 0.0);
        let (wx, wy) = distance(&ctm, ux, uy);
        let (hx, hy) = distance(&matrix, 0.0, units);
        let (hx, hy) = distance(&ctm, hx, hy);
        let size = hx.hypot(hy);
        let mut at = 0usize;
        let mut point = self.graphics.point.unwrap_or_default();
        let page = &mut self.page;
        glyphs.each(string, &mut |text, code, width| {
            let em = width / 1000.0;
            let (mut dx, mut dy) = (ux * em + spacing.each.0, uy * em + spacing.each.1);
            if let Some((special, x, y)) = spacing.at
                && special == code
            {
                (dx, dy) = (dx + x, dy + y);
            }
            let end = (point.0 + wx * em, point.1 + wy * em);
            if let Some(exact) = spacing.exactly {
                (dx, dy) = exact.get(at).copied().unwrap_or_default();
            }
            at += 1;
            if visible && size.is_finite() && size > f64::EPSILON {
                place(text, point, end, (wx, wy), size, &mut |text, spot| page.push(text, spot));
            }
            let (mx, my) = distance(&ctm, dx, dy);
            point = (point.0 + mx, point.1 + my);
        });
        self.graphics.point = Some(point);
        Some(())
    }

    /// How far a string goes, in user space.
    pub(super) fn width_of(&mut self, string: &[u8]) -> (f64, f64) {
        let Some(font) = self.graphics.font else { return (0.0, 0.0) };
        let matrix = self.store.get_named(font, b"FontMatrix");
        let Some(matrix) = matrix.and_then(|m| self.store.matrix(m)) else { return (0.0, 0.0) };
        let glyphs = self.glyphs(font, 0);
        self.burn(string.len());
        let mut width = 0.0;
        glyphs.each(string, &mut |_, _, w| width += w / 1000.0);
        distance(&matrix, glyphs.units * width, 0.0)
    }
}

/// Puts text on a page by its place in device space.
fn place(
    text: &str,
    (x, y): (f64, f64),
    (end_x, end_y): (f64, f64),
    (wx, wy): (f64, f64),
    size: f64,
    push: &mut dyn FnMut(&str, GlyphPosition),
) {
    let turn = match (wx.abs() >= wy.abs(), wx >= 0.0, wy >= 0.0) {
        (true, true, _) => 0,
        (false, _, true) => 1,
        (true, false, _) => 2,
        (false, _, false) => 3,
    };
    let turned = |x: f64, y: f64| match turn {
        0 => (x, -y),
        1 => (y, x),
        2 => (-x, y),
        _ => (-y, -x),
    };
    let ((start, down), (end, _)) = (turned(x, y), turned(end_x, end_y));
    if !text.is_empty() && start.is_finite() && end.is_finite() && down.is_finite() {
        push(text, GlyphPosition { turn, down, start, end, size });
    }
}

impl Glyphs {
    /// Each letter of a string: its text, its code, and its width in thousandths.
    fn each(&self, string: &[u8], give: &mut dyn FnMut(&str, u32, f64)) {
        let wide = |c: char| if c.is_ascii() { 500.0 } else { 1000.0 };
        if let Some(charset) = self.charset {
            for c in charset.decode_without_bom_handling(string).0.chars() {
                give(c.encode_utf8(&mut [0; 4]), u32::from(c), wide(c));
            }
            return;
        }
        if let Some(cids) = &self.cids {
            for code in string.chunks(2).map(cid) {
                match cids.get(&code) {
                    Some((letter, width)) => {
                        give(letter.encode_utf8(&mut [0; 4]), u32::from(code), *width);
                    }
                    None => give("", u32::from(code), 556.0),
                }
            }
            return;
        }
        if !self.parts.is_empty() {
            for pair in string.chunks(2) {
                let [high, low] = *pair else { return };
                if let Some(part) = self.parts.get(usize::from(high)) {
                    part.letter(low, give);
                }
            }
            return;
        }
        if self.plain
            && !string.is_ascii()
            && let Ok(text) = std::str::from_utf8(string)
        {
            for c in text.chars() {
                let width = self.widths.get(c as usize).copied().unwrap_or(556.0);
                give(c.encode_utf8(&mut [0; 4]), u32::from(c), width);
            }
            return;
        }
        string.iter().for_each(|code| self.letter(*code, give));
    }

    fn letter(&self, code: u8, give: &mut dyn FnMut(&str, u32, f64)) {
        let text = self.table.get(usize::from(code)).and_then(|t| t.as_deref()).unwrap_or("");
        let blank = text.chars().any(|c| c.is_whitespace() || c.is_control());
        let width = self.widths.get(usize::from(code)).copied().unwrap_or(556.0);
        give(if blank { " " } else { text }, u32::from(code), width);
    }
}

/// A code of two bytes.
fn cid(code: &[u8]) -> u16 {
    code.iter().fold(0, |n, byte| n << 8 | u16::from(*byte))
}

/// The character set of a composite font that printers have (PLRM appendix E, CMaps).
fn charset(name: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let has = |word: &[u8]| memchr::memmem::find(name, word).is_some();
    if !name.ends_with(b"-H") && !name.ends_with(b"-V") {
        return None;
    }
    Some(match () {
        () if has(b"UCS2") || has(b"UTF16") => encoding_rs::UTF_16BE,
        () if has(b"UTF8") => encoding_rs::UTF_8,
        () if has(b"RKSJ") => encoding_rs::SHIFT_JIS,
        () if has(b"GBK") || has(b"GB-EUC") => encoding_rs::GBK,
        () if has(b"KSC") => encoding_rs::EUC_KR,
        () if has(b"B5") => encoding_rs::BIG5,
        () if has(b"-EUC-") => encoding_rs::EUC_JP,
        () => return None,
    })
}
