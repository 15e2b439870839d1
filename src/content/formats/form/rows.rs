//! Lists in forms: each row of `Patients[0].FirstName`, `Patients[1].FirstName` may be another person, or the rows may
//! be names and numbers of one (`names[0].givenName`, `identifiers[0].value`).

use crate::content::Scope;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::rules::Kind;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Values kept of the rows of a form.
const MAX_VALUES: usize = 1024;

/// The values of a row.
type Row = Vec<(Meaning, Zeroizing<String>)>;

/// The rows of the lists of a form.
#[derive(Default)]
pub(super) struct Rows {
    rows: BTreeMap<(u64, u32), Row>,
    values: usize,
}

impl Rows {
    /// A value of a row.
    pub(super) fn add(&mut self, row: (u64, u32), meaning: Meaning, value: &str) {
        if self.values < MAX_VALUES && !value.is_empty() {
            self.values += 1;
            self.rows.entry(row).or_default().push((meaning, Zeroizing::new(value.to_owned())));
        }
    }

    /// Hands on a record for each row of a list of people, and adds all other rows to `record`.
    pub(super) fn emit(
        self,
        record: &mut CandidateRecord,
        afar: Marks,
        content: &'static str,
        scope: &mut Scope<'_>,
    ) {
        let around = record.marks();
        let mut lists: BTreeMap<u64, u32> = BTreeMap::new();
        for (list, _) in self.rows.keys() {
            *lists.entry(*list).or_default() += 1;
        }
        for ((list, _), row) in self.rows {
            let several = lists.get(&list).is_some_and(|rows| *rows > 1);
            if several && is_person(&row) {
                let mut own = CandidateRecord::default();
                own.mark(around);
                add(&row, &mut own);
                own.mark_from_afar(afar);
                own.emit(content, scope);
            } else {
                add(&row, record);
            }
        }
    }
}

fn add(row: &Row, record: &mut CandidateRecord) {
    for (meaning, value) in row {
        record.add(meaning, 0, value);
    }
}

/// Whether a row has a name, and a birth date or a number.
fn is_person(row: &Row) -> bool {
    let has = |of: fn(Kind) -> bool| row.iter().any(|(meaning, _)| of(meaning.rule.kind));
    has(|kind| kind == Kind::Name) && has(|kind| kind == Kind::BirthDate || kind.is_strong_id())
}
