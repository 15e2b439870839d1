//! Text that a page draws as lines and curves.

use super::{Outline, Seen, Shape, UNREAD, read};
use crate::content::extract::layout::{GlyphPosition, Page};

/// Letters of one page; what draws more is a picture.
const MAX_SHAPES: usize = 8_000;
/// Shapes that are so many times as high, or as wide, as a usual one are no letters.
const TALL: f32 = 5.0;
const WIDE: f32 = 8.0;
/// What is lower, and wide, is a line below text.
const FLAT: f32 = 0.15;
/// Gaps of this size are spaces, also narrower ones between letters whose ink is so far apart.
const WORD_GAP: f64 = 0.17;
const NARROW_GAP: f64 = 0.09;
const INK_GAP: f64 = 0.27;
/// Gaps of this size are the ends of narrow columns.
const COLUMN_GAP: f64 = 0.5;
/// Work of filling a shape, in points of its path.
const FILL_COST: usize = 128;
/// Letters that must be unmistakable before a line of shapes is text.
const LEAST: usize = 3;
/// How much of a letter's height must be beside the others of its line.
const BESIDE: f32 = 0.5;
/// How far apart the feet of letters are that rest on one line, in heights of the line.
const LEVEL: f32 = 0.03;

/// The shapes that were painted on a page.
#[derive(Default)]
pub struct Drawing {
    shapes: Vec<Shape>,
    seen: Seen,
}

impl Drawing {
    /// A path that was filled. Returns the work that this took, in points.
    pub fn add(&mut self, path: Outline) -> usize {
        let points = path.len();
        if self.shapes.len() >= MAX_SHAPES {
            return points;
        }
        let letters = path.letters();
        let work = points + letters.len() * FILL_COST;
        self.shapes.extend(letters);
        work
    }

    /// A letter that was painted at a place of the page.
    pub fn stamp(&mut self, shape: &Shape, (right, up): (f32, f32)) {
        if self.shapes.len() < MAX_SHAPES {
            self.shapes.push(shape.moved(right, up));
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.shapes.len() * Shape::MEMORY + self.seen.memory()
    }

    /// The number of comparisons with all known letters since the last call.
    pub fn compared(&mut self) -> usize {
        self.seen.compared()
    }

    /// Puts the letters among the shapes on the page. Returns the number of shapes, and that of letters.
    pub fn finish(&mut self, page: &mut Page) -> (usize, usize) {
        let mut shapes = std::mem::take(&mut self.shapes);
        let count = shapes.len();
        let mut heights: Vec<f32> = shapes.iter().map(|s| s.bounds.height()).collect();
        heights.sort_by(f32::total_cmp);
        let usual = heights.get(count / 2).copied().unwrap_or(0.0);
        // Frames and rules are no letters, and would hold lines together.
        shapes.retain(|s| {
            let (width, height) = (s.bounds.width(), s.bounds.height());
            let rule = height < FLAT * usual && width > 2.0 * usual;
            height < TALL * usual && width < WIDE * usual && !rule
        });
        shapes.sort_by(|a, b| b.bounds.high.total_cmp(&a.bounds.high));
        let mut read = 0;
        let mut line: Vec<Shape> = Vec::new();
        let (mut low, mut high) = (0.0f32, 0.0f32);
        for shape in shapes {
            let common = high.min(shape.bounds.high) - low.max(shape.bounds.low);
            if line.is_empty() || common < BESIDE * shape.bounds.height() {
                read += place(&mut line, page, &mut self.seen);
                (low, high) = (shape.bounds.low, shape.bounds.high);
            } else {
                low = low.min(shape.bounds.low);
            }
            line.push(shape);
        }
        read += place(&mut line, page, &mut self.seen);
        if read > 0 {
            page.expect_columns(COLUMN_GAP);
        }
        (count, read)
    }
}

/// Puts a line of shapes on the page, if they are letters. Returns how many are.
fn place(line: &mut Vec<Shape>, page: &mut Page, seen: &mut Seen) -> usize {
    let mut shapes = std::mem::take(line);
    if shapes.len() < LEAST {
        return 0;
    }
    let Some(base) = base(&shapes) else { return 0 };
    for shape in &mut shapes {
        *shape = shape.moved(0.0, -base);
    }
    shapes.sort_by(|a, b| a.bounds.left.total_cmp(&b.bounds.left));
    let Some((size, letters)) = read(&shapes, LEAST, None, seen) else { return 0 };
    let mut read = 0;
    let (mut end, mut ink) = (f64::INFINITY, f64::INFINITY);
    for (shape, letter) in shapes.iter().zip(letters) {
        let Some(letter) = letter else { continue };
        let start = f64::from(shape.bounds.left - letter.lead * size);
        let spot = GlyphPosition {
            turn: 0,
            down: f64::from(-base),
            start,
            end: start + f64::from(letter.advance * size),
            size: f64::from(size),
        };
        // Words are apart.
        let gap = (start - end) / spot.size;
        let far = (f64::from(shape.bounds.left) - ink) / spot.size >= INK_GAP;
        let spot = match far && (NARROW_GAP..=WORD_GAP).contains(&gap) {
            true => GlyphPosition { start: end + (WORD_GAP + NARROW_GAP) * spot.size, ..spot },
            false => spot,
        };
        ink = f64::from(shape.bounds.right);
        end = spot.end;
        page.push(letter.letter.encode_utf8(&mut [0; 4]), spot);
        read += usize::from(letter.letter != UNREAD);
    }
    read
}

/// The height at which most letters rest.
fn base(shapes: &[Shape]) -> Option<f32> {
    let high = shapes.iter().map(|s| s.bounds.high).fold(f32::MIN, f32::max);
    let mut feet: Vec<f32> = shapes.iter().map(|s| s.bounds.low).collect();
    feet.sort_by(f32::total_cmp);
    let height = high - feet.first()?;
    let mut best = (0usize, *feet.first()?);
    for (at, foot) in feet.iter().enumerate() {
        let end = feet.partition_point(|other| *other <= foot + LEVEL * height);
        if end - at > best.0 {
            // The middle one: round letters reach a little lower.
            best = (end - at, feet.get(at + (end - at) * 3 / 4).copied().unwrap_or(*foot));
        }
    }
    Some(best.1)
}
