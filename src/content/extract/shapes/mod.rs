//! Letters by their shapes, for pages that draw letters without saying which they are: fonts that only number their
//! glyphs, letters sent as bitmaps, and text drawn as lines and curves.
//!
//! A shape is a small bitmap with its place in the line. It is compared with those of common fonts (`letters.bin`,
//! made by `scripts/letters.py`). What resembles none of them stays unread: no letter is better than a wrong one.

pub mod charstring;
mod drawn;
mod letters;
mod outline;
mod read;
mod settle;
#[cfg(test)]
mod tests;
mod truetype;

pub use drawn::Drawing;
pub use outline::Outline;
pub use read::{Letter, Seen, read, read_sizes};
use settle::{BAR, RING, STICK};
pub use settle::{UNREAD, is_unsettled, settle};
pub use truetype::TrueType;

/// Cells of a shape across and down.
const SIDE: usize = 64;
/// Parts of a shape that are distinguished, at most.
const MAX_PARTS: usize = 8;
/// Rounds of finding a connected part; a part that winds more is read as several.
const MAX_ROUNDS: usize = 64;

/// The extent of a shape. Coordinates increase to the right and up, and the line on which letters rest is 0.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The leftmost point.
    pub left: f32,
    /// The lowest point.
    pub low: f32,
    /// The rightmost point.
    pub right: f32,
    /// The highest point.
    pub high: f32,
}

impl Bounds {
    fn width(&self) -> f32 {
        self.right - self.left
    }

    fn height(&self) -> f32 {
        self.high - self.low
    }

    fn is_finite(&self) -> bool {
        [self.left, self.low, self.right, self.high].iter().all(|n| n.is_finite())
    }
}

/// The ink of one letter in its bounds.
#[derive(Clone)]
pub struct Shape {
    /// From the top; the lowest bit is on the left.
    rows: Box<[u64; SIDE]>,
    bounds: Bounds,
}

impl Shape {
    /// Bytes that one takes, roughly.
    pub const MEMORY: usize = SIDE * 8 + 64;

    /// The ink of a bitmap. `ink` takes a column and a row from the top. The upper left corner of the bitmap is at
    /// `corner`, and a dot of it has the size 1.
    pub fn of_bitmap(
        width: usize,
        height: usize,
        corner: (f32, f32),
        ink: impl Fn(usize, usize) -> bool,
    ) -> Option<Self> {
        let columns = (0..width).filter(|x| (0..height).any(|y| ink(*x, y)));
        let (left, right) = (columns.clone().min()?, columns.max()? + 1);
        let lines = (0..height).filter(|y| (left..right).any(|x| ink(x, *y)));
        let (top, bottom) = (lines.clone().min()?, lines.max()? + 1);
        let mut rows = Box::new([0u64; SIDE]);
        for (at, row) in rows.iter_mut().enumerate() {
            let y = top + (2 * at + 1) * (bottom - top) / (2 * SIDE);
            for column in 0..SIDE {
                let x = left + (2 * column + 1) * (right - left) / (2 * SIDE);
                *row |= u64::from(ink(x, y)) << column;
            }
        }
        let bounds = Bounds {
            left: corner.0 + left as f32,
            low: corner.1 - bottom as f32,
            right: corner.0 + right as f32,
            high: corner.1 - top as f32,
        };
        bounds.is_finite().then_some(Self { rows, bounds })
    }

    /// The same upside down, about the line on which letters rest.
    pub fn flipped(&self) -> Self {
        let mut rows = self.rows.clone();
        rows.reverse();
        let Bounds { left, low, right, high } = self.bounds;
        Self { rows, bounds: Bounds { left, low: -high, right, high: -low } }
    }

    /// The same with dots of another size, and another origin. A negative height turns it upside down.
    pub fn placed(&self, (across, up): (f32, f32), (x, y): (f32, f32)) -> Self {
        let Bounds { left, low, right, high } = self.bounds;
        let mut rows = self.rows.clone();
        let (mut low, mut high) = (low * up + y, high * up + y);
        if up < 0.0 {
            rows.reverse();
            (low, high) = (high, low);
        }
        Self {
            rows,
            bounds: Bounds { left: left * across + x, low, right: right * across + x, high },
        }
    }

    /// The same in another place.
    fn moved(&self, x: f32, y: f32) -> Self {
        let Bounds { left, low, right, high } = self.bounds;
        let bounds = Bounds { left: left + x, low: low + y, right: right + x, high: high + y };
        Self { rows: self.rows.clone(), bounds }
    }

    /// The ink of some of its cells, in bounds of its own.
    fn part(&self, keep: &[u64; SIDE]) -> Option<Self> {
        let inked = |row: &&u64| **row != 0;
        let top = keep.iter().position(|row| *row != 0)?;
        let bottom = SIDE - keep.iter().rev().take_while(|row| **row == 0).count();
        let all = keep.iter().filter(inked).fold(0u64, |all, row| all | row);
        let (left, right) = (all.trailing_zeros() as usize, SIDE - all.leading_zeros() as usize);
        let mut rows = Box::new([0u64; SIDE]);
        for (at, row) in rows.iter_mut().enumerate() {
            let y = top + (2 * at + 1) * (bottom - top) / (2 * SIDE);
            let from = keep.get(y).copied().unwrap_or(0);
            for column in 0..SIDE {
                let x = left + (2 * column + 1) * (right - left) / (2 * SIDE);
                *row |= (from >> x & 1) << column;
            }
        }
        let (across, down) =
            (self.bounds.width() / SIDE as f32, self.bounds.height() / SIDE as f32);
        let bounds = Bounds {
            left: self.bounds.left + left as f32 * across,
            low: self.bounds.high - bottom as f32 * down,
            right: self.bounds.left + right as f32 * across,
            high: self.bounds.high - top as f32 * down,
        };
        Some(Self { rows, bounds })
    }

    /// Its connected parts; `None` if there are many.
    fn parts(&self) -> Option<Vec<[u64; SIDE]>> {
        let mut rest = *self.rows;
        let mut parts = Vec::new();
        while let Some(at) = rest.iter().position(|row| *row != 0) {
            if parts.len() >= MAX_PARTS {
                return None;
            }
            let part = connected(&rest, at);
            rest.iter_mut().zip(&part).for_each(|(row, taken)| *row &= !taken);
            parts.push(part);
        }
        Some(parts)
    }

    /// A letter, and the accent above it.
    fn split(&self, parts: &[[u64; SIDE]]) -> Option<(Self, Self)> {
        let ink = |part: &&[u64; SIDE]| part.iter().map(|row| row.count_ones()).sum::<u32>();
        let largest = parts.iter().max_by_key(ink)?;
        let top = largest.iter().position(|row| *row != 0)?;
        let (mut letter, mut accent) = ([0u64; SIDE], [0u64; SIDE]);
        for part in parts {
            let above = part.iter().skip(top + 2).all(|row| *row == 0);
            let to = if above { &mut accent } else { &mut letter };
            to.iter_mut().zip(part).for_each(|(row, more)| *row |= more);
        }
        Some((self.part(&letter)?, self.part(&accent)?))
    }
}

/// The part that is connected with the first ink of a row.
fn connected(ink: &[u64; SIDE], first: usize) -> [u64; SIDE] {
    let mut part = [0u64; SIDE];
    if let (Some(to), Some(from)) = (part.get_mut(first), ink.get(first)) {
        *to = from & from.wrapping_neg();
    }
    for _ in 0..MAX_ROUNDS {
        let before = part;
        let mut spread = |at: usize, beside: Option<usize>| {
            let near = beside.and_then(|b| part.get(b)).copied().unwrap_or(0);
            let (Some(row), Some(ink)) = (part.get_mut(at), ink.get(at)) else { return };
            let mut now = *row | near | near << 1 | near >> 1;
            loop {
                let more = (now | now << 1 | now >> 1) & ink;
                if more == now {
                    break;
                }
                now = more;
            }
            *row = now;
        };
        (0..SIDE).for_each(|at| spread(at, at.checked_sub(1)));
        (0..SIDE).rev().for_each(|at| spread(at, Some(at + 1)));
        if part == before {
            break;
        }
    }
    part
}
