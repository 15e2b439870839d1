//! Lines and curves, and the ink within them.

use super::{Bounds, SIDE, Shape};

/// Points of one path, beyond which it is no text.
const MAX_POINTS: usize = 1 << 16;
/// Straight lines that a curve becomes.
const STEPS: usize = 6;

/// A closed line.
pub(super) struct Contour {
    points: Vec<(f32, f32)>,
    pub(super) bounds: Bounds,
}

/// A path of closed lines.
#[derive(Default)]
pub struct Outline {
    contours: Vec<Contour>,
    open: Vec<(f32, f32)>,
    points: usize,
}

impl Outline {
    /// Begins a line.
    pub fn move_to(&mut self, x: f32, y: f32) {
        self.close();
        self.add(x, y);
    }

    /// A straight line.
    pub fn line_to(&mut self, x: f32, y: f32) {
        self.add(x, y);
    }

    /// A quadratic curve.
    pub fn quad_to(&mut self, bend: (f32, f32), to: (f32, f32)) {
        let Some(from) = self.open.last().copied() else { return self.add(to.0, to.1) };
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let u = 1.0 - t;
            let at = |a: f32, b: f32, c: f32| u * u * a + 2.0 * u * t * b + t * t * c;
            self.add(at(from.0, bend.0, to.0), at(from.1, bend.1, to.1));
        }
    }

    /// A cubic curve.
    pub fn curve_to(&mut self, first: (f32, f32), second: (f32, f32), to: (f32, f32)) {
        let Some(from) = self.open.last().copied() else { return self.add(to.0, to.1) };
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let u = 1.0 - t;
            let at = |a: f32, b: f32, c: f32, d: f32| {
                u * u * u * a + 3.0 * u * t * (u * b + t * c) + t * t * t * d
            };
            self.add(at(from.0, first.0, second.0, to.0), at(from.1, first.1, second.1, to.1));
        }
    }

    fn add(&mut self, x: f32, y: f32) {
        if x.is_finite() && y.is_finite() && self.points < MAX_POINTS {
            self.open.push((x, y));
            self.points += 1;
        }
    }

    /// Ends a line.
    pub fn close(&mut self) {
        let points = std::mem::take(&mut self.open);
        if points.len() < 3 {
            return;
        }
        let least = |of: fn(&(f32, f32)) -> f32| points.iter().map(of).fold(f32::MAX, f32::min);
        let most = |of: fn(&(f32, f32)) -> f32| points.iter().map(of).fold(f32::MIN, f32::max);
        let bounds = Bounds {
            left: least(|p| p.0),
            low: least(|p| p.1),
            right: most(|p| p.0),
            high: most(|p| p.1),
        };
        self.contours.push(Contour { points, bounds });
    }

    /// Whether nothing was drawn.
    pub fn is_empty(&self) -> bool {
        self.contours.is_empty() && self.open.len() < 3
    }

    /// Points so far.
    pub const fn len(&self) -> usize {
        self.points
    }

    /// Draws another path, moved and turned by a matrix as of PostScript.
    pub(super) fn append(&mut self, mut other: Self, [a, b, c, d, e, f]: [f32; 6]) {
        other.close();
        for contour in other.contours {
            for (at, (x, y)) in contour.points.into_iter().enumerate() {
                let (x, y) = (a * x + c * y + e, b * x + d * y + f);
                if at == 0 { self.move_to(x, y) } else { self.line_to(x, y) }
            }
        }
        self.close();
    }

    /// All of it as one letter.
    pub fn shape(mut self) -> Option<Shape> {
        self.close();
        fill(&self.contours.iter().collect::<Vec<_>>())
    }

    /// Its letters: lines that are above each other belong together.
    pub fn letters(mut self) -> Vec<Shape> {
        self.close();
        let mut contours: Vec<&Contour> = self.contours.iter().collect();
        contours.sort_by(|a, b| a.bounds.left.total_cmp(&b.bounds.left));
        let mut letters = Vec::new();
        let mut group: Vec<&Contour> = Vec::new();
        let mut extent = (0.0f32, 0.0f32);
        for contour in contours {
            let bounds = &contour.bounds;
            let common = extent.1.min(bounds.right) - extent.0.max(bounds.left);
            let narrow = (extent.1 - extent.0).min(bounds.width());
            if group.is_empty() || common < narrow * 0.5 {
                letters.extend(fill(&group));
                group.clear();
                extent = (bounds.left, bounds.right);
            } else {
                extent.1 = extent.1.max(bounds.right);
            }
            group.push(contour);
        }
        letters.extend(fill(&group));
        letters
    }
}

/// The ink within lines (the rule of the winding number that is not 0, PLRM 4.5.2).
fn fill(contours: &[&Contour]) -> Option<Shape> {
    let first = contours.first()?.bounds;
    let bounds = contours.iter().fold(first, |all, c| Bounds {
        left: all.left.min(c.bounds.left),
        low: all.low.min(c.bounds.low),
        right: all.right.max(c.bounds.right),
        high: all.high.max(c.bounds.high),
    });
    let (width, height) = (bounds.width(), bounds.height());
    if !(width > 0.0 && height > 0.0 && width.is_finite() && height.is_finite()) {
        return None;
    }
    let side = SIDE as f32;
    let mut crossings: Vec<Vec<(f32, i32)>> = vec![Vec::new(); SIDE];
    for contour in contours {
        let ends = contour.points.iter().cycle().skip(1);
        for (&(ax, ay), &(bx, by)) in contour.points.iter().zip(ends) {
            let turn = if by > ay { 1 } else { -1 };
            let (low, high) = (ay.min(by), ay.max(by));
            // The rows whose middle the line crosses.
            let row =
                |y: f32| ((bounds.high - y) / height * side - 0.5).ceil().clamp(0.0, side) as usize;
            for at in row(high)..row(low) {
                let y = bounds.high - (at as f32 + 0.5) / side * height;
                let x = ax + (y - ay) * (bx - ax) / (by - ay);
                if let Some(crossed) = crossings.get_mut(at) {
                    crossed.push(((x - bounds.left) / width * side, turn));
                }
            }
        }
    }
    let mut rows = Box::new([0u64; SIDE]);
    for (row, crossed) in rows.iter_mut().zip(&mut crossings) {
        crossed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut winding, mut from) = (0, 0.0f32);
        for &(x, turn) in crossed.iter() {
            if winding != 0 {
                *row |= span(from, x);
            }
            winding += turn;
            from = x;
        }
    }
    Some(Shape { rows, bounds })
}

/// The cells of a row whose middle is between two points.
fn span(from: f32, to: f32) -> u64 {
    let cell = |x: f32| (x - 0.5).ceil().clamp(0.0, SIDE as f32) as u32;
    let below = |n: u32| if n >= 64 { u64::MAX } else { (1u64 << n) - 1 };
    below(cell(to)) & !below(cell(from))
}
