//! Splits JSON into self-contained rows: the lines of NDJSON, a document that arrived in one piece, or a resource of
//! FHIR on one line. A row that was read before is not read again ([`Scope::unit`]).
//!
//! Nothing else may depend on this: a row that is longer, or whose end is not available, is read as it arrives.

use super::JsonDocument;
use super::tokens::Fault;
use crate::content::Scope;
use crate::phi::wipe;
use memchr::memchr;
use zeroize::Zeroizing;

/// Longest row that may be repeated, bytes; an incomplete row is held up to this length.
const MAX_ROW: usize = 16 << 10;

/// Longest name of a type of resource, bytes.
const MAX_TYPE: usize = 64;

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

    /// Takes what is held of an incomplete row.
    pub(super) fn take(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.held)
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
        if self.begins(row) && ends(row) && row.len() <= MAX_ROW {
            self.rows.lines |= end.is_some();
            self.whole(row, scope)?;
            return Ok(row.len());
        }
        let comes = self.rows.lines && self.begins(row) || is_resource(row);
        if comes && end.is_none() && row.len() <= MAX_ROW {
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
        wipe(&mut held);
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

    /// Whether it begins as a row does.
    fn begins(&self, row: &[u8]) -> bool {
        match row.first() {
            Some(b'{') => true,
            Some(b'[') => !self.tree.awaits_patch(),
            _ => false,
        }
    }

    /// Whether a row may begin here.
    fn is_between(&self) -> bool {
        self.tokens.at_end() && self.tree.is_fresh()
    }
}

/// Whether it begins as a resource of FHIR does that is about one person at most: the rest of it is worth waiting for.
/// A bundle is not, whose resources are passed on one by one.
fn is_resource(row: &[u8]) -> bool {
    let after = |rest: &'_ [u8], text: &[u8]| -> Option<usize> {
        let blanks = rest.iter().take_while(|b| **b == b' ').count();
        rest.get(blanks..)?.starts_with(text).then_some(blanks + text.len())
    };
    let mut at = 0;
    for text in [&b"{"[..], b"\"resourceType\"", b":", b"\""] {
        match after(row.get(at..).unwrap_or_default(), text) {
            Some(len) => at += len,
            None => return false,
        }
    }
    let name = row.get(at..).unwrap_or_default();
    let Some(end) = memchr(b'"', name.get(..MAX_TYPE).unwrap_or(name)) else { return false };
    !matches!(name.get(..end), Some(b"Bundle" | b"Parameters" | b"List"))
}

/// Whether it ends as a row does.
fn ends(row: &[u8]) -> bool {
    matches!(row.trim_ascii_end().last(), Some(b'}' | b']'))
}
