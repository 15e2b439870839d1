//! Lines that wrap at the width of the page, as wide as the terminal but at most [`WIDTH`] columns.

use super::Context;
pub(super) use crate::output::labelled::{Columns, item};
use std::fmt::Write as _;

/// Columns at most.
const WIDTH: usize = 100;
/// Columns at least, however narrow the terminal is.
const NARROW: usize = 60;
/// Of the block of an exposure.
pub(super) const BLOCK: Columns = Columns { indent: 15, column: 28 };
/// Of the sections below.
pub(super) const SECTION: Columns = Columns { indent: 2, column: 18 };

/// The same with the width of the page.
pub(super) fn columns(columns: Columns, context: &Context) -> (Columns, usize) {
    (columns, width(context))
}

/// Columns of the page.
pub(super) fn width(context: &Context) -> usize {
    if context.width == 0 { WIDTH } else { context.width.clamp(NARROW, WIDTH) }
}

pub(super) fn heading(out: &mut String, text: &str, context: &Context) {
    let mut lines = String::new();
    let whole = (Columns { indent: 0, column: 0 }, width(context));
    item(&mut lines, whole, "", &[text.to_owned()], "");
    for line in lines.lines() {
        let _ = if context.colour {
            writeln!(out, "\x1b[1m{line}\x1b[0m")
        } else {
            writeln!(out, "{line}")
        };
    }
}
