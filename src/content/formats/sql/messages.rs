//! Rows of tables that hold a segment of a message each, `(9, 'NM1*IL*1*ROE')`, or a field of one, `(1, 'PID.5.1',
//! 'Roe')`.

use crate::content::formats::hl7v2::{FieldLines, field_lines};
use crate::content::formats::shown_messages::ShownMessages;
use crate::content::{Ending, Scope};
use memchr::memmem;
use zeroize::Zeroizing;

/// Cells in front of the name of a field, such as numbers of rows and messages.
const MAX_FRONT: usize = 3;
/// Shortest text that is a segment, bytes.
const MIN_SEGMENT: usize = 8;

/// The messages whose parts are rows.
#[derive(Default)]
pub(super) struct RowMessages {
    shown: ShownMessages,
    fields: FieldLines,
}

impl RowMessages {
    /// Whether a row may have a part of a message.
    pub(super) fn wants(row: &[u8]) -> bool {
        memmem::find(row, b"PID").is_some()
            || memchr::memchr3(b'|', b'*', b'+', row).is_some()
                && memmem::find(row, b"MSH|").is_none()
    }

    /// Takes the cells of a row. False if none has a part of a message.
    pub(super) fn row(&mut self, cells: &[Zeroizing<String>], scope: &mut Scope<'_>) -> bool {
        let segment = |text: &&Zeroizing<String>| {
            text.len() >= MIN_SEGMENT && !text.trim_end().contains(['\r', '\n'])
        };
        for text in cells.iter().filter(segment) {
            if self.shown.line(text.trim().as_bytes(), true, scope) {
                return true;
            }
        }
        let row: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
        let field = (0..MAX_FRONT).find_map(|from| field_lines::cells(row.get(from..)?));
        let Some((segment, place, value)) = field else { return false };
        if &segment == b"PID" {
            self.fields.pid(place, value, scope);
        }
        true
    }

    /// The statements end.
    pub(super) fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.shown.end(ending, scope);
        self.fields.end(scope);
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        self.shown.memory() + self.fields.memory()
    }
}
