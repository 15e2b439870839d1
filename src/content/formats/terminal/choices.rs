//! Look-ups of patients where lines roll up (VistA FileMan: `Select PATIENT NAME:`): what is typed behind the prompt is
//! sought, and the lines that follow show who was found, without names for their columns.

use crate::content::Scope;
use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::schemaless::Node;

/// Lines behind the prompt that may show people.
const MAX_LINES: usize = 60;
/// Parts of a line.
const MAX_PARTS: usize = 16;

/// The answer to the last prompt.
#[derive(Default)]
pub(super) struct Choices {
    /// Lines of it that are still looked at.
    left: usize,
}

impl Choices {
    /// Reads a line. False if it is neither a prompt for a patient nor one who was found.
    pub(super) fn line(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        if let Some(sought) = sought(line) {
            let key = scope.rules.keys.get(sought);
            self.left = if key.is_some_and(|key| key.patient) { MAX_LINES } else { 0 };
            return self.left > 0;
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let mut row = Node::default();
        let parts = line.split("  ").map(str::trim).filter(|part| !part.is_empty());
        for (number, part) in (1..).zip(parts.take(MAX_PARTS)) {
            // `DOB: 01/31/1970`
            let value = part.split_once(": ").map_or(part, |(_, value)| value);
            row.text(number, &value.replace(',', ", "));
        }
        let mut record = CandidateRecord::default();
        let found = row.person(Marks::PATIENT, &mut record, scope.rules);
        if found {
            record.emit("terminal", scope);
        }
        found
    }
}

/// What a prompt asks to be selected: `Select PATIENT NAME: ROE`.
fn sought(line: &str) -> Option<&str> {
    let (prompt, _) = line.split_once(':')?;
    let (verb, sought) = prompt.trim().split_once(' ')?;
    verb.eq_ignore_ascii_case("select").then(|| sought.trim())
}
