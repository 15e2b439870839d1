//! Letters of TrueType fonts that only number their glyphs (PLRM 5.8, 5.11), by their outlines.

use super::machine::Machine;
use super::object::{Key, Object};
use crate::content::extract::shapes::charstring::{decrypted, outline};
use crate::content::extract::shapes::{Seen, Shape, TrueType, read};
use std::collections::HashMap;

/// Longest font, bytes.
const MAX_FONT: usize = 8 << 20;
/// Letters that must be unmistakable.
const LEAST: usize = 2;
/// Cost of reading one glyph, steps.
const GLYPH_COST: usize = 2_000;
/// Glyphs of a font with CIDs that are compared: those of Latin letters come early.
const MAX_GLYPHS: usize = 384;
/// Glyphs of a font with CIDs that are looked at for outlines.
const MAX_LOOKED: usize = 8192;
/// Bytes before the program of a glyph, unless the font says how many (Adobe Type 1 Font Format 7.3).
const RANDOM: usize = 4;
/// Bytes of a number in a map of glyphs, at most.
const MAX_WIDE: usize = 4;

/// The letters and widths of CIDs, in thousandths of the font's size.
pub(super) type Cids = HashMap<u16, (char, f64), foldhash::fast::FixedState>;

impl Machine<'_> {
    /// The letter and the width of each code of a font, in thousandths of its size. Glyphs without ink are spaces.
    pub(super) fn letters_by_shape(
        &mut self,
        font: u32,
        encoding: Object,
    ) -> Option<Vec<(u8, char, f64)>> {
        let Some(Object::Dict(outlines)) = self.store.get_named(font, b"CharStrings") else {
            return None;
        };
        let data = self.font_file(font)?;
        let face = TrueType::parse(&data)?;
        let (mut codes, mut shapes): (Vec<(u8, u16)>, Vec<Shape>) = Default::default();
        let mut found = Vec::new();
        for (code, item) in (0..=255u8).zip(self.store.array(encoding)?) {
            let Object::Name(name) = *item else { continue };
            let Some(Object::Number(glyph)) = self.store.get(outlines, Key::Name(name.0)) else {
                continue;
            };
            let glyph = glyph as u16;
            if glyph == 0 {
                continue;
            }
            match face.outline(glyph).and_then(|outline| outline.shape()) {
                Some(shape) => {
                    codes.push((code, glyph));
                    shapes.push(shape);
                }
                None => {
                    let width = face.advance(glyph).unwrap_or(0.0);
                    found.push((code, ' ', f64::from(width) * 1000.0));
                }
            }
        }
        self.burn(shapes.len() * GLYPH_COST);
        let (_, letters) = read(&shapes, LEAST, None, &mut Seen::default())?;
        found.extend(codes.into_iter().zip(letters).filter_map(|((code, glyph), letter)| {
            let letter = letter?;
            let width = face.advance(glyph).unwrap_or(letter.advance);
            Some((code, letter.letter, f64::from(width) * 1000.0))
        }));
        Some(found)
    }

    /// The TrueType file of a font.
    fn font_file(&self, font: u32) -> Option<Vec<u8>> {
        let parts = self.store.get_named(font, b"sfnts")?;
        let mut data = Vec::new();
        for part in self.store.array(parts)? {
            let bytes = self.store.bytes(*part)?;
            // A string of odd length ends with a byte that is no part of the font.
            data.extend_from_slice(bytes.get(..bytes.len() & !1)?);
            if data.len() > MAX_FONT {
                return None;
            }
        }
        Some(data)
    }

    /// The letters of a font with CIDs (PLRM 5.11). Glyphs without ink are spaces.
    pub(super) fn cids_by_shape(&mut self, font: u32) -> Option<Cids> {
        let data = self.font_file(font);
        let face = data.as_deref().and_then(TrueType::parse);
        let count = match self.store.get_named(font, b"CIDCount") {
            Some(Object::Number(count)) => count.clamp(0.0, 65_535.0) as usize,
            _ => face.as_ref().map_or(0, TrueType::glyphs),
        };
        let (mut cids, mut shapes): (Vec<(u16, Option<f32>)>, Vec<Shape>) = Default::default();
        let mut found = Cids::default();
        for cid in 0..count.min(MAX_LOOKED) {
            let (outline, width) = match &face {
                Some(face) => {
                    let Some(glyph) = self.glyph_of_cid(font, cid).filter(|glyph| *glyph > 0)
                    else {
                        continue;
                    };
                    (face.outline(glyph), face.advance(glyph))
                }
                None => match self.program_of_cid(font, cid).as_deref().and_then(outline) {
                    Some((outline, width)) if cid > 0 => (Some(outline), Some(width)),
                    _ => continue,
                },
            };
            let cid = cid as u16;
            match outline.and_then(|outline| outline.shape()) {
                Some(shape) if shapes.len() < MAX_GLYPHS => {
                    cids.push((cid, width));
                    shapes.push(shape);
                }
                Some(_) => break,
                None => {
                    found.insert(cid, (' ', f64::from(width.unwrap_or(0.0)) * 1000.0));
                }
            }
        }
        self.burn(count.min(MAX_LOOKED) + shapes.len() * GLYPH_COST);
        let (_, letters) = read(&shapes, LEAST, None, &mut Seen::default())?;
        found.extend(cids.into_iter().zip(letters).filter_map(|((cid, width), letter)| {
            let letter = letter?;
            let width = width.unwrap_or(letter.advance);
            Some((cid, (letter.letter, f64::from(width) * 1000.0)))
        }));
        Some(found)
    }

    /// The program of a glyph in the data of a font with CIDs of Type 1 (PLRM 5.11.1): a table says for each CID in which
    /// of the font's parts and where it is.
    fn program_of_cid(&self, font: u32, cid: usize) -> Option<Vec<u8>> {
        let number = |dict: u32, name: &[u8]| match self.store.get_named(dict, name) {
            Some(Object::Number(n)) if (0.0..=1e9).contains(&n) => Some(n as usize),
            _ => None,
        };
        let data = self.store.bytes(self.store.get_named(font, b"GlyphData")?)?;
        let (part, place) = (number(font, b"FDBytes")?, number(font, b"GDBytes")?);
        if part > MAX_WIDE || !(1..=MAX_WIDE).contains(&place) {
            return None;
        }
        let at = number(font, b"CIDMapOffset")? + cid * (part + place);
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        let entry = |at: usize| {
            let (head, offset) = data.get(at..at + part + place)?.split_at_checked(part)?;
            Some((big_endian(head), big_endian(offset)))
        };
        let ((part_of, from), (_, to)) = (entry(at)?, entry(at + part + place)?);
        let program = data.get(from..to).filter(|program| !program.is_empty())?;
        let parts = self.store.get_named(font, b"FDArray")?;
        let private = match self.store.array(parts)?.get(part_of)? {
            Object::Dict(dict) => self.store.get_named(*dict, b"Private"),
            _ => None,
        };
        let random = match private {
            Some(Object::Dict(dict)) => match self.store.get_named(dict, b"lenIV") {
                Some(Object::Number(n)) if n < 0.0 => return Some(program.to_vec()),
                Some(Object::Number(n)) => n as usize,
                _ => RANDOM,
            },
            _ => RANDOM,
        };
        Some(decrypted(program, random))
    }

    /// The glyph of a CID by the font's `CIDMap`: a table in strings, a dictionary, or a number that is added.
    fn glyph_of_cid(&self, font: u32, cid: usize) -> Option<u16> {
        let map = self.store.get_named(font, b"CIDMap");
        let wide = match self.store.get_named(font, b"GDBytes") {
            Some(Object::Number(n)) if (1.0..=MAX_WIDE as f64).contains(&n) => n as usize,
            _ => 2,
        };
        let number = |bytes: &[u8]| {
            let glyph = bytes.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte));
            u16::try_from(glyph).ok()
        };
        match map {
            None => u16::try_from(cid).ok(),
            Some(Object::Number(more)) => u16::try_from(cid as i64 + more as i64).ok(),
            Some(Object::Dict(at)) => match self.store.get(at, Key::Number((cid as f64).to_bits()))
            {
                Some(Object::Number(glyph)) => Some(glyph as u16),
                _ => None,
            },
            Some(map) => {
                let mut at = cid * wide;
                if let Some(bytes) = self.store.bytes(map) {
                    return number(bytes.get(at..at + wide)?);
                }
                for part in self.store.array(map)? {
                    let bytes = self.store.bytes(*part)?;
                    // Of odd length, with a byte that is no part of the table (5.11.2).
                    let len = bytes.len() / wide * wide;
                    if at < len {
                        return number(bytes.get(at..at + wide)?);
                    }
                    at -= len;
                }
                None
            }
        }
    }
}
