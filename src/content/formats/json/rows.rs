//! Splits JSON into self-contained rows: the lines of NDJSON, or a document that arrived in one piece. A row that was
//! read before is not read again ([`Scope::unit`]).
//!
//! Nothing else may depend on this: a row that is longer, or whose end is not available, is read as it arrives.

use super::JsonDocument;
use super::tokens::Fault;
use crate::content::Scope;
use memchr::memchr;
use zeroize::{Zeroize, Zeroizing};

/// Longest row that may be repeated, bytes; an incomplete row is held up to this length.
const MAX_ROW: usize = 16 << 10;

/// Shortest one: reading less is as fast as looking it up.
const MIN_ROW: usize = 64;

/// The current row.
#[derive(Default)]
pub(super) struct Rows {
    /// The front of an incomplete row.
    held: Zeroizing<Vec<u8>>,
    /// Rows end with lines, so the rest of one is worth waiting for.
    lines: bool,
}

impl Rows {
    pub(super) fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Whether rows end with lines.
    pub(super) const fn are_lines(&self) -> bool {
        self.lines
    }

    /// What was held is not read.
    pub(super) fn forget(&mut self) {
        self.held = Zeroizing::default();
    }
}

impl JsonDocument {
    /// Reads bytes, row by row where they are rows.
    pub(super) fn by_rows(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let used = self.row(bytes, scope)?;
            bytes = bytes.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// No more bytes will come.
    pub(super) fn end_rows(&mut self, scope: &mut Scope<'_>) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.rows.held);
        self.read(&held, scope)
    }

    /// Reads to the end of a row, or of the available bytes. Returns how many were read.
    fn row(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Result<usize, Fault> {
        if !self.rows.held.is_empty() {
            return self.rest(bytes, scope);
        }
        if !self.is_between() {
            let line = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let (line, behind) = bytes.split_at(line);
            self.read(line, scope)?;
            if self.is_between() {
                return Ok(line.len());
            }
            // Lines inside a document are no rows.
            self.read(behind, scope)?;
            return Ok(bytes.len());
        }
        let blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        let blanks = bytes.iter().take_while(blank).count();
        if blanks > 0 {
            return Ok(blanks);
        }
        let near = bytes.get(..=MAX_ROW).unwrap_or(bytes);
        let end = memchr(b'\n', near);
        let row = near.get(..end.unwrap_or(near.len())).unwrap_or_default();
        if begins(row) && ends(row) && row.len() <= MAX_ROW {
            self.rows.lines |= end.is_some();
            self.whole(row, scope)?;
            return Ok(row.len());
        }
        if self.rows.lines && begins(row) && end.is_none() && row.len() <= MAX_ROW {
            self.rows.held.extend_from_slice(row);
            return Ok(row.len());
        }
        self.read(bytes, scope)?;
        Ok(bytes.len())
    }

    /// Continues a row whose front is held.
    fn rest(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Result<usize, Fault> {
        let end = memchr(b'\n', bytes);
        let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let mut held = std::mem::take(&mut self.rows.held);
        if held.len() + piece.len() > MAX_ROW {
            self.read(&held, scope)?;
            return Ok(0);
        }
        held.extend_from_slice(piece);
        if end.is_none() && !ends(&held) {
            self.rows.held = held;
            return Ok(piece.len());
        }
        self.whole(&held, scope)?;
        held.as_mut_slice().zeroize();
        held.clear();
        self.rows.held = held;
        Ok(piece.len())
    }

    /// Reads a possible row.
    fn whole(&mut self, row: &[u8], scope: &mut Scope<'_>) -> Result<(), Fault> {
        if row.len() < MIN_ROW || !ends(row) {
            return self.read(row, scope);
        }
        let mut result = Ok(());
        let around = self.tree.around.bits();
        scope.unit(row, around, |scope| {
            result = self.read(row, scope);
            result.is_ok() && self.is_between()
        });
        result
    }

    /// Whether a row may begin here.
    fn is_between(&self) -> bool {
        self.tokens.at_end() && self.tree.is_fresh()
    }
}

/// Whether it begins as a row does.
fn begins(row: &[u8]) -> bool {
    matches!(row.first(), Some(b'{' | b'['))
}

/// Whether it ends as a row does.
fn ends(row: &[u8]) -> bool {
    matches!(row.trim_ascii_end().last(), Some(b'}' | b']'))
}
