//! Where answers for people go.

use crate::output::labelled::{Columns, item};
use std::io::{self, Write};

/// Fewest columns that lines are fitted to, however narrow the terminal is.
pub(super) const NARROW: usize = 40;

/// Standard output, or something in its place.
pub struct Console<'a> {
    to: &'a mut dyn Write,
    width: Option<usize>,
}

impl<'a> Console<'a> {
    /// `width`: columns of the terminal; none for a file or a pipe, whose lines are never broken.
    pub fn new(to: &'a mut dyn Write, width: Option<usize>) -> Self {
        Self { to, width: width.map(|width| width.max(NARROW)) }
    }

    /// Writes a line, or several if it is wider than the terminal.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        const WHOLE: Columns = Columns { indent: 0, column: 0 };
        let mut lines = String::new();
        item(&mut lines, (WHOLE, self.width.unwrap_or(usize::MAX)), "", &[text.to_owned()], "");
        self.to.write_all(lines.as_bytes())
    }

    /// Columns that a line may have; none if any number.
    pub(super) const fn width(&self) -> Option<usize> {
        self.width
    }
}

impl Write for Console<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
