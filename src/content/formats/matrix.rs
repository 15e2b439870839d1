//! Transformation matrices of pages (PLRM 4.3, ISO 32000 8.3), which PDF and PostScript share.

/// The rows `[a b 0] [c d 0] [e f 1]`.
pub type Matrix = [f64; 6];

/// Changes nothing.
pub const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Applies `first`, then `second`.
pub fn concat(first: &Matrix, second: &Matrix) -> Matrix {
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

/// The inverse; none if the matrix has none.
pub fn invert(m: &Matrix) -> Option<Matrix> {
    let [a, b, c, d, e, f] = *m;
    let det = a * d - b * c;
    (det.is_finite() && det.abs() > 1e-30).then(|| {
        [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det]
    })
}

/// Transforms a point.
pub fn transform(m: &Matrix, x: f64, y: f64) -> (f64, f64) {
    let [a, b, c, d, e, f] = *m;
    (a * x + c * y + e, b * x + d * y + f)
}

/// Transforms a distance, which has no origin.
pub fn distance(m: &Matrix, x: f64, y: f64) -> (f64, f64) {
    let [a, b, c, d, ..] = *m;
    (a * x + c * y, b * x + d * y)
}
