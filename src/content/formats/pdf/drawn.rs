//! Text that a page draws as paths (ISO 32000-1 8.5): some programs write no fonts, and printers get letters as outlines.

use super::object::Fuel;
use crate::content::extract::layout::Page;
use crate::content::extract::shapes::{Drawing, Outline};
use crate::content::formats::matrix::{Matrix, transform};

/// Bytes of text on a page whose paths are looked at: pages with text of their own draw pictures.
const MAX_TEXT: usize = 256;
/// Work of filling a path, for each unit that it took, and of comparing a shape with all letters.
const FILL_COST: usize = 8;
const COMPARE_COST: usize = 2_500;

/// The paths of a page.
#[derive(Default)]
pub(super) struct Drawn {
    path: Outline,
    /// The current point, in units of the page's content.
    point: (f64, f64),
    drawing: Drawing,
}

impl Drawn {
    /// An operator of paths with its numbers.
    pub(super) fn operate(&mut self, operator: &[u8], at: &[f64; 6], ctm: &Matrix) {
        let place = |x: f64, y: f64| {
            let (x, y) = transform(ctm, x, y);
            (x as f32, y as f32)
        };
        let [a, b, c, d, e, f] = *at;
        match operator {
            b"m" => {
                let (x, y) = place(a, b);
                self.path.move_to(x, y);
                self.point = (a, b);
            }
            b"l" => {
                let (x, y) = place(a, b);
                self.path.line_to(x, y);
                self.point = (a, b);
            }
            b"c" => {
                self.path.curve_to(place(a, b), place(c, d), place(e, f));
                self.point = (e, f);
            }
            // The first bend is at the current point, or the second at the end.
            b"v" => {
                let (x, y) = self.point;
                self.path.curve_to(place(x, y), place(a, b), place(c, d));
                self.point = (c, d);
            }
            b"y" => {
                self.path.curve_to(place(a, b), place(c, d), place(c, d));
                self.point = (c, d);
            }
            b"h" => self.path.close(),
            // Lines, and the edges of clips.
            _ => self.path = Outline::default(),
        }
    }

    /// A path is filled on a page with so much text.
    pub(super) fn fill(&mut self, text: usize, fuel: &Fuel) {
        let path = std::mem::take(&mut self.path);
        if !path.is_empty() && text <= MAX_TEXT {
            let work = self.drawing.add(path);
            fuel.burn(work * FILL_COST);
        }
    }

    /// Puts the letters among the paths on the page, unless it has text of its own.
    pub(super) fn finish(&mut self, page: &mut Page, fuel: &Fuel) {
        let mut drawing = std::mem::take(&mut self.drawing);
        if page.bytes() <= MAX_TEXT && !fuel.is_empty() {
            drawing.finish(page);
            fuel.burn(drawing.compared() * COMPARE_COST);
        }
    }
}
