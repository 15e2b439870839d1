//! xDT as rows of a table, a field in each: `3101;Roe`, `3101,Familienname,Roe`.

use super::json::Fields;
use crate::content::{Ending, Scope};
use zeroize::Zeroizing;

/// Rows that are held until they show a person.
const MAX_HELD: usize = 256;
/// Bytes of these.
const MAX_BYTES: usize = 16 << 10;
/// Digits of the birth date, field 3103.
const DATE: usize = 8;

/// The rows of a table, as far as they are fields.
#[derive(Default)]
pub struct Rows {
    held: Vec<([u8; 4], Zeroizing<String>)>,
    bytes: usize,
    fields: Option<Fields>,
}

/// Fields with which a record or a patient begins: its type, the number, the family name.
const BEGINS: [&[u8; 4]; 3] = [b"8000", b"3000", b"3101"];
/// Cells of a row.
const MAX_CELLS: usize = 4;

impl Rows {
    /// Takes a row. False if it is no field.
    pub fn row(&mut self, cells: &[&str], scope: &mut Scope<'_>) -> bool {
        let [id, .., content] = cells else { return false };
        if cells.len() > MAX_CELLS {
            return false;
        }
        let Ok(id) = <[u8; 4]>::try_from(id.as_bytes()) else { return false };
        if !id.iter().all(u8::is_ascii_digit) || self.is_empty() && !BEGINS.contains(&&id) {
            return false;
        }
        // A record of the next patient.
        let next =
            matches!(&id, b"3000" | b"3101") && self.held.iter().any(|(held, _)| *held == id);
        if next || self.held.len() >= MAX_HELD || self.bytes + content.len() > MAX_BYTES {
            self.pass_on(scope);
        }
        self.bytes += content.len();
        self.held.push((id, Zeroizing::new((*content).to_owned())));
        true
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.fields.is_none()
    }

    /// Passes on what is held, if it has a family name and a birth date: a list of fields has their titles.
    fn pass_on(&mut self, scope: &mut Scope<'_>) {
        self.bytes = 0;
        let held = std::mem::take(&mut self.held);
        let has = |id: &[u8; 4], fits: fn(&str) -> bool| {
            held.iter().any(|(held, content)| held == id && fits(content))
        };
        let dated = |text: &str| text.bytes().filter(u8::is_ascii_digit).count() == DATE;
        if !has(b"3101", |text| !text.is_empty()) || !has(b"3103", dated) {
            return;
        }
        let fields = self.fields.get_or_insert_default();
        for (id, content) in &held {
            fields.line(std::str::from_utf8(id).unwrap_or(""), content, scope);
        }
    }

    /// The table ends.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.pass_on(scope);
        if let Some(mut fields) = self.fields.take() {
            fields.end(Ending::Complete, scope);
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.held.capacity() * 32 + self.bytes + self.fields.as_ref().map_or(0, Fields::memory)
    }
}
