//! Letters of fonts that do not say which they are, by their shapes: Type 3 fonts whose glyphs are only numbered
//! (ISO 32000-1 9.6.5), and TrueType fonts without a map to Unicode (9.9).

use super::encoding;
use super::file::File;
use super::filters;
use super::object::{Dict, Lexer, Object};
use crate::content::extract::shapes::{
    Letter, Outline, Seen, Shape, TrueType, UNREAD, read, read_sizes,
};
use crate::content::formats::matrix::{IDENTITY, Matrix, concat, transform};
use memchr::memmem;

/// Glyphs of one font that are compared.
const MAX_GLYPHS: usize = 512;
/// Glyphs of a font that are looked at for outlines.
const MAX_LOOKED: usize = 8192;
/// Cost of comparing one glyph, bytes.
const GLYPH_COST: usize = 3_000;
/// How often a glyph of a Type 3 font is compared, at most: as it is and upside down, usually in one or two sizes.
const SIZES: usize = 4;
/// Letters that must be unmistakable.
const LEAST: usize = 3;
/// Operands of one operator.
const MAX_OPERANDS: usize = 32;
/// Codes that text does not have: a font that has letters there only numbers them.
const NUMBERS: std::ops::RangeInclusive<usize> = 0..=8;
/// Largest bitmap of a letter, dots across and down.
const MAX_DOTS: f64 = 2048.0;

/// The codes with their letters, and the size of these in units of the font's space.
#[derive(Default)]
pub(super) struct Letters {
    pub(super) codes: Vec<(u32, char)>,
    pub(super) size: Option<f32>,
}

/// The letters of a Type 3 font. `names` are its glyphs by code.
pub(super) fn of_type3(file: &File<'_>, dict: &Dict, names: &[(usize, Vec<u8>)]) -> Letters {
    let numbered = |(code, name): &(usize, Vec<u8>)| {
        NUMBERS.contains(code) && name != b".notdef" && !encoding::glyph(name, &mut String::new())
    };
    let procedures = file.dict(dict.get(b"CharProcs")).unwrap_or_default();
    if !names.iter().any(numbered) {
        return Letters::default();
    }
    let (mut codes, mut shapes): (Vec<u32>, Vec<Shape>) = Default::default();
    for (code, name) in names.iter().take(MAX_GLYPHS) {
        let Object::Reference(number) = *procedures.get(name) else { continue };
        let Some((_, content)) = file.stream(number) else { continue };
        if let Some(shape) = glyph(file, &content) {
            codes.push(*code as u32);
            shapes.push(shape);
        }
    }
    // As it is and turned, in several sizes.
    if !file.fuel.burn(SIZES * shapes.len() * GLYPH_COST) {
        return Letters::default();
    }
    // Pages that count from the top have their letters upside down.
    let flipped: Vec<Shape> = shapes.iter().map(Shape::flipped).collect();
    let before = file.letter_size.get();
    let size = before.map(|(size, _)| size);
    let read = |shapes: &[Shape], turned: bool| match before {
        Some((_, other)) if other != turned => None,
        _ => read_sizes(shapes, LEAST, size, &mut Seen::default()),
    };
    let (as_is, turned) = (read(&shapes, false), read(&flipped, true));
    let known = |found: &Option<(f32, Vec<Option<Letter>>)>| {
        let letters = found.as_ref().map(|(_, letters)| letters.iter().flatten());
        letters.map_or(0, |letters| letters.filter(|l| l.letter != UNREAD).count())
    };
    let turn = known(&turned) > known(&as_is);
    let better = if turn { turned } else { as_is };
    let Some((size, letters)) = better else { return Letters::default() };
    file.letter_size.set(Some((size, turn)));
    let codes = codes.into_iter().zip(letters).filter_map(|(code, l)| Some((code, l?.letter)));
    Letters { codes: codes.collect(), size: Some(size) }
}

/// The letters of an embedded TrueType font by glyph.
pub(super) fn of_truetype(file: &File<'_>, descriptor: &Dict) -> Letters {
    let Object::Reference(number) = *descriptor.get(b"FontFile2") else {
        return Letters::default();
    };
    let Some((_, data)) = file.stream(number) else { return Letters::default() };
    let Some(font) = TrueType::parse(&data) else { return Letters::default() };
    let (mut codes, mut shapes): (Vec<u32>, Vec<Shape>) = Default::default();
    for glyph in 1..font.glyphs().min(MAX_LOOKED) {
        if shapes.len() >= MAX_GLYPHS || !file.fuel.burn(8) {
            break;
        }
        if let Some(shape) = font.outline(glyph as u16).and_then(Outline::shape) {
            codes.push(glyph as u32);
            shapes.push(shape);
        }
    }
    if !file.fuel.burn(shapes.len() * GLYPH_COST) {
        return Letters::default();
    }
    let Some((_, letters)) = read(&shapes, LEAST, None, &mut Seen::default()) else {
        return Letters::default();
    };
    let codes = codes.into_iter().zip(letters).filter_map(|(code, l)| Some((code, l?.letter)));
    Letters { codes: codes.collect(), size: None }
}

/// What the procedure of a glyph paints: a bitmap, or a path.
fn glyph(file: &File<'_>, content: &[u8]) -> Option<Shape> {
    let mut lexer = Lexer::content(content, file.fuel);
    let mut operands: Vec<Object> = Vec::new();
    let mut matrix: Matrix = IDENTITY;
    let mut outline = Outline::default();
    let mut from = (0.0, 0.0);
    while let Some(operator) = lexer.operator(&mut operands, MAX_OPERANDS) {
        let number = |at: usize| operands.get(at).and_then(Object::number).unwrap_or(0.0);
        let point = |at: usize| transform(&matrix, number(at), number(at + 1));
        let short = |(x, y): (f64, f64)| (x as f32, y as f32);
        match operator {
            b"true" | b"false" | b"null" => continue,
            b"ID" => return bitmap(file, &operands, lexer.rest(), &matrix),
            b"cm" => matrix = concat(&std::array::from_fn(number), &matrix),
            b"m" => {
                from = point(0);
                outline.move_to(from.0 as f32, from.1 as f32);
            }
            b"l" => {
                from = point(0);
                outline.line_to(from.0 as f32, from.1 as f32);
            }
            b"c" => {
                outline.curve_to(short(point(0)), short(point(2)), short(point(4)));
                from = point(4);
            }
            b"v" => {
                outline.curve_to(short(from), short(point(0)), short(point(2)));
                from = point(2);
            }
            b"y" => {
                outline.curve_to(short(point(0)), short(point(2)), short(point(2)));
                from = point(2);
            }
            b"h" => outline.close(),
            b"re" => {
                let (x, y, w, h) = (number(0), number(1), number(2), number(3));
                for (at, (x, y)) in
                    [(x, y), (x + w, y), (x + w, y + h), (x, y + h)].into_iter().enumerate()
                {
                    let (x, y) = short(transform(&matrix, x, y));
                    if at == 0 { outline.move_to(x, y) } else { outline.line_to(x, y) }
                }
                outline.close();
            }
            _ => {}
        }
        operands.clear();
    }
    outline.shape()
}

/// An inline image that is a mask (8.9.7): `BI` with its keys, then the data. The image is one unit wide and high.
fn bitmap(file: &File<'_>, keys: &[Object], data: &[u8], matrix: &Matrix) -> Option<Shape> {
    let value = |short: &[u8], long: &[u8]| {
        let at = keys.iter().position(|key| key.name() == short || key.name() == long)?;
        keys.get(at + 1)
    };
    let dots = |short: &[u8], long: &[u8]| {
        value(short, long)?.number().filter(|n| (1.0..=MAX_DOTS).contains(n)).map(|n| n as usize)
    };
    let (width, height) = (dots(b"W", b"Width")?, dots(b"H", b"Height")?);
    let end = memmem::rfind(data, b"EI").unwrap_or(data.len());
    let raw = data.get(1..end)?;
    let filter = value(b"F", b"Filter").cloned().unwrap_or_default();
    let params = value(b"DP", b"DecodeParms").cloned().unwrap_or_default();
    let plain = filters::decode(file, &Dict::with(b"F", filter).and(b"DP", params), raw)?;
    // 1 is paper, unless the key says otherwise (8.9.6.2).
    let inverted = match value(b"D", b"Decode") {
        Some(Object::Array(levels)) => levels.first().and_then(Object::number) == Some(1.0),
        _ => false,
    };
    let line = width.div_ceil(8);
    let ink = |x: usize, y: usize| {
        let bit = plain.get(y * line + x / 8).is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0);
        bit == inverted && y * line < plain.len()
    };
    let shape = Shape::of_bitmap(width, height, (0.0, 0.0), ink)?;
    let [a, _, _, d, e, f] = *matrix;
    let (across, up) = (a / width as f64, d / height as f64);
    Some(shape.placed((across as f32, up as f32), (e as f32, (f + d) as f32)))
}
