//! Outlines of TrueType fonts (ISO/IEC 14496-22 5.3), whose subsets in documents lack the names of their glyphs.
//!
//! The work on a glyph is bounded: crates that read outlines bound the depth of composite glyphs only, and a font of a
//! few hundred bytes can have glyphs of billions of parts.

use super::Outline;

/// Tables of a font.
const MAX_TABLES: usize = 64;
/// Parts of one glyph, with the parts of its parts.
const MAX_COMPONENTS: usize = 32;
/// Points and lines of one simple glyph.
const MAX_POINTS: usize = 4096;

/// A font.
pub struct TrueType<'a> {
    glyf: &'a [u8],
    loca: &'a [u8],
    hmtx: &'a [u8],
    /// Offsets have 32 bits.
    long: bool,
    /// Units of the font's size.
    units: f32,
    /// Widths in [`Self::hmtx`]; the last one is that of all further glyphs.
    widths: usize,
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

fn i16_at(data: &[u8], at: usize) -> Option<i16> {
    u16_at(data, at).map(u16::cast_signed)
}

fn u32_at(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
}

impl<'a> TrueType<'a> {
    /// A font file with the tables that outlines need.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let count = usize::from(u16_at(data, 4)?).min(MAX_TABLES);
        let table = |tag: &[u8; 4]| {
            let at =
                (0..count).map(|n| 12 + 16 * n).find(|at| data.get(*at..at + 4) == Some(tag))?;
            let (start, len) = (u32_at(data, at + 8)?, u32_at(data, at + 12)?);
            let rest = data.get(start..)?;
            Some(rest.get(..len).unwrap_or(rest))
        };
        let (head, hhea) = (table(b"head")?, table(b"hhea"));
        let units = f32::from(u16_at(head, 18)?);
        (units > 0.0).then_some(Self {
            glyf: table(b"glyf")?,
            loca: table(b"loca")?,
            hmtx: table(b"hmtx").unwrap_or_default(),
            long: u16_at(head, 50)? != 0,
            units,
            widths: hhea.and_then(|hhea| u16_at(hhea, 34)).map_or(0, usize::from),
        })
    }

    /// Glyphs that the font may have.
    pub const fn glyphs(&self) -> usize {
        (self.loca.len() / if self.long { 4 } else { 2 }).saturating_sub(1)
    }

    /// Distance to the next letter, in units of the font's size.
    pub fn advance(&self, glyph: u16) -> Option<f32> {
        let at = usize::from(glyph).min(self.widths.checked_sub(1)?);
        Some(f32::from(u16_at(self.hmtx, at * 4)?) / self.units)
    }

    /// The outline of a glyph, in units of the font's size.
    pub fn outline(&self, glyph: u16) -> Option<Outline> {
        let mut outline = Outline::default();
        let unit = 1.0 / self.units;
        let mut left = vec![(glyph, [unit, 0.0, 0.0, unit, 0.0, 0.0])];
        let mut parts = 0;
        while let Some((glyph, matrix)) = left.pop() {
            parts += 1;
            if parts > MAX_COMPONENTS {
                return None;
            }
            let Some(data) = self.data(glyph) else { continue };
            if i16_at(data, 0)? >= 0 {
                outline.append(simple(data)?, matrix);
            } else {
                components(data, &matrix, &mut left)?;
            }
        }
        (!outline.is_empty()).then_some(outline)
    }

    fn data(&self, glyph: u16) -> Option<&'a [u8]> {
        let at = usize::from(glyph);
        let offset = |at: usize| match self.long {
            true => u32_at(self.loca, at * 4),
            false => u16_at(self.loca, at * 2).map(|half| usize::from(half) * 2),
        };
        self.glyf.get(offset(at)?..offset(at + 1)?).filter(|data| !data.is_empty())
    }
}

/// The parts of a composite glyph.
fn components(data: &[u8], outer: &[f32; 6], left: &mut Vec<(u16, [f32; 6])>) -> Option<()> {
    const WORDS: u16 = 1;
    const OFFSETS: u16 = 2;
    const SCALE: u16 = 8;
    const MORE: u16 = 0x20;
    const TWO_SCALES: u16 = 0x40;
    const MATRIX: u16 = 0x80;
    let mut at = 10;
    while left.len() < MAX_COMPONENTS {
        let (flags, glyph) = (u16_at(data, at)?, u16_at(data, at + 2)?);
        at += 4;
        let byte = |at: usize| data.get(at).map(|b| f32::from(*b as i8));
        let (x, y);
        if flags & WORDS != 0 {
            (x, y) = (f32::from(i16_at(data, at)?), f32::from(i16_at(data, at + 2)?));
            at += 4;
        } else {
            (x, y) = (byte(at)?, byte(at + 1)?);
            at += 2;
        }
        // Offsets by points of other parts are not followed.
        let (x, y) = if flags & OFFSETS != 0 { (x, y) } else { (0.0, 0.0) };
        let mut part = || {
            let value = f32::from(i16_at(data, at)?) / 16384.0;
            at += 2;
            Some(value)
        };
        let [a, b, c, d] = match () {
            () if flags & SCALE != 0 => {
                let both = part()?;
                [both, 0.0, 0.0, both]
            }
            () if flags & TWO_SCALES != 0 => [part()?, 0.0, 0.0, part()?],
            () if flags & MATRIX != 0 => [part()?, part()?, part()?, part()?],
            () => [1.0, 0.0, 0.0, 1.0],
        };
        let [oa, ob, oc, od, oe, of] = *outer;
        let inner = [
            a * oa + b * oc,
            a * ob + b * od,
            c * oa + d * oc,
            c * ob + d * od,
            x * oa + y * oc + oe,
            x * ob + y * od + of,
        ];
        left.push((glyph, inner));
        if flags & MORE == 0 {
            break;
        }
    }
    Some(())
}

/// A glyph of lines and quadratic curves.
fn simple(data: &[u8]) -> Option<Outline> {
    const X_SHORT: u8 = 2;
    const Y_SHORT: u8 = 4;
    const REPEAT: u8 = 8;
    const X_SAME: u8 = 16;
    const Y_SAME: u8 = 32;
    let contours = usize::from(u16_at(data, 0)?);
    let ends = (0..contours).map(|n| u16_at(data, 10 + 2 * n).map(usize::from));
    let ends: Vec<usize> = ends.collect::<Option<_>>()?;
    let count = ends.last()? + 1;
    if count > MAX_POINTS {
        return None;
    }
    let mut at = 10 + 2 * contours;
    at += 2 + usize::from(u16_at(data, at)?);
    let mut flags = Vec::with_capacity(count);
    while flags.len() < count {
        let flag = *data.get(at)?;
        at += 1;
        let mut times = 1;
        if flag & REPEAT != 0 {
            times += usize::from(*data.get(at)?);
            at += 1;
        }
        flags.extend(std::iter::repeat_n(flag, times.min(count - flags.len())));
    }
    let mut read = |short: u8, same: u8| -> Option<Vec<f32>> {
        let mut value = 0i32;
        let mut values = Vec::with_capacity(count);
        for flag in &flags {
            if flag & short != 0 {
                let step = i32::from(*data.get(at)?);
                at += 1;
                value += if flag & same != 0 { step } else { -step };
            } else if flag & same == 0 {
                value += i32::from(i16_at(data, at)?);
                at += 2;
            }
            values.push(value as f32);
        }
        Some(values)
    };
    let (xs, ys) = (read(X_SHORT, X_SAME)?, read(Y_SHORT, Y_SAME)?);
    let mut outline = Outline::default();
    let mut start = 0;
    for end in ends {
        let points =
            (start..=end).map(|at| Some((*xs.get(at)?, *ys.get(at)?, flags.get(at)? & 1 != 0)));
        if let Some(points) = points.collect::<Option<Vec<_>>>() {
            contour(&points, &mut outline);
        }
        start = end + 1;
    }
    Some(outline)
}

/// A closed line: points on it and points that bend it. Between two of the latter is one on it.
fn contour(points: &[(f32, f32, bool)], outline: &mut Outline) {
    let Some(first) = points.iter().position(|p| p.2).or_else(|| (!points.is_empty()).then_some(0))
    else {
        return;
    };
    let middle = |a: (f32, f32), b: (f32, f32)| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let at = |n: usize| points.get((first + n) % points.len()).copied().unwrap_or_default();
    let begin = at(0);
    outline.move_to(begin.0, begin.1);
    let mut bend: Option<(f32, f32)> = None;
    for n in 1..=points.len() {
        let (x, y, on) = at(n);
        match (bend.take(), on || n == points.len()) {
            (Some(control), true) => outline.quad_to(control, (x, y)),
            (Some(control), false) => {
                outline.quad_to(control, middle(control, (x, y)));
                bend = Some((x, y));
            }
            (None, true) => outline.line_to(x, y),
            (None, false) => bend = Some((x, y)),
        }
    }
    outline.close();
}
