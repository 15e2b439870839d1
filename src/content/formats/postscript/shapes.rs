//! Letters of TrueType fonts that only number their glyphs (PLRM 5.8), by their outlines.

use super::machine::Machine;
use super::object::{Key, Object};
use crate::content::extract::shapes::{Seen, Shape, TrueType, read};

/// Longest font, bytes.
const MAX_FONT: usize = 8 << 20;
/// Letters that must be unmistakable.
const LEAST: usize = 2;
/// Cost of reading one glyph, steps.
const GLYPH_COST: usize = 4_000;

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
}
