//! The parts of the graphics state that text needs (PLRM 4.2, 4.3).

use crate::content::formats::matrix::{IDENTITY, Matrix, distance, invert, transform};

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
