//! The parts of the graphics state that text needs (PLRM 4.2, 4.3).

/// Rows `[a b 0] [c d 0] [e f 1]`.
pub(super) type Matrix = [f64; 6];

pub(super) const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// The state that `gsave` saves.
#[derive(Clone)]
pub(super) struct Graphics {
    pub(super) ctm: Matrix,
    /// The current point in device space.
    pub(super) point: Option<(f64, f64)>,
    /// The font's dictionary.
    pub(super) font: Option<u32>,
}

impl Default for Graphics {
    fn default() -> Self {
        Self { ctm: IDENTITY, point: None, font: None }
    }
}

/// `first`, then `second`.
pub(super) fn concat(first: &Matrix, second: &Matrix) -> Matrix {
    let [a, b, c, d, e, f] = *first;
    let [g, h, i, j, k, l] = *second;
    [
        a * g + b * i,
        a * h + b * j,
        c * g + d * i,
        c * h + d * j,
        e * g + f * i + k,
        e * h + f * j + l,
    ]
}

pub(super) fn invert(m: &Matrix) -> Option<Matrix> {
    let [a, b, c, d, e, f] = *m;
    let det = a * d - b * c;
    (det.is_finite() && det.abs() > 1e-30).then(|| {
        [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det]
    })
}

/// A point through a matrix.
pub(super) fn transform(m: &Matrix, x: f64, y: f64) -> (f64, f64) {
    let [a, b, c, d, e, f] = *m;
    (a * x + c * y + e, b * x + d * y + f)
}

/// A distance through a matrix.
pub(super) fn distance(m: &Matrix, x: f64, y: f64) -> (f64, f64) {
    let [a, b, c, d, ..] = *m;
    (a * x + c * y, b * x + d * y)
}

impl Graphics {
    /// The current point in user space.
    pub(super) fn user_point(&self) -> Option<(f64, f64)> {
        let (x, y) = self.point?;
        Some(transform(&invert(&self.ctm)?, x, y))
    }

    pub(super) fn move_to(&mut self, x: f64, y: f64) {
        self.point = Some(transform(&self.ctm, x, y));
    }

    pub(super) fn move_by(&mut self, x: f64, y: f64) {
        let (dx, dy) = distance(&self.ctm, x, y);
        if let Some((px, py)) = self.point {
            self.point = Some((px + dx, py + dy));
        }
    }
}
