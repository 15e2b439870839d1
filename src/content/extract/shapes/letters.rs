//! The shapes of letters and accents in common fonts.

use super::{Bounds, SIDE, Shape};
use std::sync::LazyLock;

/// `scripts/letters.py` writes it. 72 bytes for each shape: the letter or combining accent (16 bits, little-endian),
/// its lowest and highest point, the distance before it, its width and that to the next letter (8 bits each, in
/// hundredths of the font's size), the number of its parts, and its cells: 16 rows of 16 cells from the top, each the
/// share of ink in two bits, the first cell in the lowest ones.
static SHAPES: &[u8] = include_bytes!("letters.bin");

const RECORD: usize = 72;
/// Cells of a compared shape across and down.
const COARSE: usize = 16;
/// Levels of ink of a cell, without none.
const LEVELS: usize = 3;
/// Words of 64 bits that hold one level of all cells.
const WORDS: usize = COARSE * COARSE / 64;

/// The share of ink in each cell; bit `n` of level `k` is set if cell `n` has more than `k` thirds.
pub(super) type Cells = [u64; WORDS * LEVELS];

/// A known letter or accent.
pub(super) struct Template {
    pub(super) letter: char,
    /// In units of the font's size; `left` is the distance before it.
    pub(super) bounds: Bounds,
    /// Distance to the next letter.
    pub(super) advance: f32,
    /// Parts that are not connected.
    pub(super) parts: usize,
    cells: Cells,
}

/// The known shape that is most alike.
pub(super) struct Nearest {
    pub(super) template: &'static Template,
    /// From 0, the same, to 1.
    pub(super) distance: f32,
}

/// Letters, and accents.
pub(super) struct Known {
    pub(super) letters: Vec<Template>,
    pub(super) accents: Vec<Template>,
}

pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let templates = SHAPES.chunks_exact(RECORD).filter_map(template);
    let accent = |t: &Template| (0x300..0x370).contains(&u32::from(t.letter));
    let (accents, letters) = templates.partition(accent);
    Known { letters, accents }
});

fn template(record: &[u8]) -> Option<Template> {
    let (head, packed) = record.split_at_checked(8)?;
    let [a, b, low, high, left, width, advance, parts] = *head else { return None };
    let em = |byte: u8| f32::from(byte as i8) / 100.0;
    let left = em(left);
    let mut cells = Cells::default();
    for cell in 0..COARSE * COARSE {
        let level = packed.get(cell / 4)? >> (cell % 4 * 2) & 3;
        set(&mut cells, cell, usize::from(level));
    }
    Some(Template {
        letter: char::from_u32(u32::from(u16::from_le_bytes([a, b])))?,
        bounds: Bounds {
            left,
            low: em(low),
            right: left + f32::from(width) / 100.0,
            high: em(high),
        },
        advance: f32::from(advance) / 100.0,
        parts: usize::from(parts),
        cells,
    })
}

fn set(cells: &mut Cells, cell: usize, level: usize) {
    for plane in 0..level.min(LEVELS) {
        if let Some(word) = cells.get_mut(plane * WORDS + cell / 64) {
            *word |= 1 << (cell % 64);
        }
    }
}

impl Shape {
    pub(super) fn cells(&self) -> Cells {
        const STEP: usize = SIDE / COARSE;
        let mut cells = Cells::default();
        for (y, rows) in self.rows.chunks(STEP).enumerate() {
            for x in 0..COARSE {
                let ink = |row: &u64| (row >> (x * STEP) & 15).count_ones() as usize;
                let ink: usize = rows.iter().map(ink).sum();
                set(&mut cells, y * COARSE + x, ink.saturating_sub(1) / STEP);
            }
        }
        cells
    }
}

/// The share of cells that differ; `None` if it is `most` or more.
fn differ(a: &Cells, b: &Cells, most: f32) -> Option<f32> {
    const ALL: f32 = (COARSE * COARSE * LEVELS) as f32;
    let limit = (most * ALL).ceil() as u32;
    let mut bits = 0;
    for (a, b) in a.chunks(WORDS).zip(b.chunks(WORDS)) {
        bits += a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        if bits >= limit {
            return None;
        }
    }
    Some(bits as f32 / ALL)
}

/// The template nearest to `cells`, if any differs by less than `most`. `cost` is the difference in size and place.
pub(super) fn nearest(
    templates: &'static [Template],
    cells: &Cells,
    mut most: f32,
    cost: impl Fn(&Template) -> f32,
) -> Option<Nearest> {
    let mut found: Option<Nearest> = None;
    for template in templates {
        let cost = cost(template);
        if cost < most
            && let Some(differing) = differ(&template.cells, cells, most - cost)
        {
            let distance = cost + differing;
            if distance < most {
                most = distance;
                found = Some(Nearest { template, distance });
            }
        }
    }
    found
}
