//! Health data beside a patient in one document (a Bundle of FHIR): conditions, observations and their
//! like say by a reference whose they are, before or behind the patient.

use crate::content::extract::fhir::Kept;
use crate::content::extract::record::Marks;
use crate::content::{Field, Scope};
use std::hash::BuildHasher;

/// Patients of one document that are remembered, the latest.
const MAX_PATIENTS: usize = 64;

/// People of whom something was said before they came.
const MAX_PENDING: usize = 256;

/// Whose a resource is, by its `subject` or `patient`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// It does not say, or not by a name that could be compared.
    #[default]
    Unsaid,
    /// Nobody's: that of a group, a device, a place.
    Other,
    /// That of the patient who bears this name.
    Named(u64),
}

impl Subject {
    /// Of a reference (FHIR R4 2.3.0.1).
    pub fn of(reference: &str) -> Self {
        if let Some(id) = reference.strip_prefix('#') {
            return Self::Named(hash(id));
        }
        match name(reference) {
            Some(name) => Self::Named(name),
            None if reference.contains('/') && !reference.contains('?') => Self::Other,
            None => Self::Unsaid,
        }
    }
}

/// The name of a patient in a URL: the id, wherever the server is.
pub(super) fn name(url: &str) -> Option<u64> {
    let id = match url.rsplit_once("Patient/") {
        Some((_, id)) => id.split(['/', '?', '|']).next()?,
        None => url.strip_prefix("urn:uuid:").or_else(|| url.strip_prefix("urn:oid:"))?,
    };
    (!id.is_empty()).then(|| hash(id))
}

/// Names are only compared.
pub(super) fn hash(id: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(id.to_ascii_lowercase())
}

struct Patient {
    names: [Option<u64>; 2],
    /// By what the patient is recognised.
    fields: Vec<Kept>,
    marks: Marks,
}

impl Patient {
    /// What was not known when the patient's record was handed on goes out as a record of its own.
    fn mark(&mut self, marks: Marks, scope: &mut Scope<'_>) {
        let new = marks.without(self.marks);
        if new == Marks::default() || self.fields.is_empty() {
            return;
        }
        self.marks = self.marks.and(new);
        scope.begin("fhir");
        new.put(scope);
        for kept in &self.fields {
            let field = Field::declared(&kept.rule, &kept.value).with_kind(kept.kind);
            scope.field(field.with_issuer(&kept.issuer));
        }
        scope.end();
    }
}

/// The patients of one document, and what was said of them.
#[derive(Default)]
pub(super) struct Subjects {
    patients: Vec<Patient>,
    /// Patients seen.
    seen: usize,
    /// What was said of people who have not come yet.
    pending: Vec<(u64, Marks)>,
    /// What was said of nobody in particular.
    unsaid: Marks,
}

impl Subjects {
    /// What was said so far of a patient with these names.
    pub fn said(&mut self, names: [Option<u64>; 2]) -> Marks {
        let mut marks = Marks::default();
        self.pending.retain(|(name, said)| {
            let theirs = names.contains(&Some(*name));
            marks = if theirs { marks.and(*said) } else { marks };
            !theirs
        });
        marks
    }

    /// A patient's record was handed on, with these marks.
    pub fn patient(&mut self, names: [Option<u64>; 2], fields: Vec<Kept>, marks: Marks) {
        self.seen = self.seen.saturating_add(1);
        if self.patients.len() >= MAX_PATIENTS {
            self.patients.remove(0);
        }
        self.patients.push(Patient { names, fields, marks });
    }

    /// A resource says something of somebody's health.
    pub fn health(&mut self, subject: Subject, marks: Marks, scope: &mut Scope<'_>) {
        let name = match subject {
            Subject::Named(name) => name,
            Subject::Other => return,
            Subject::Unsaid => {
                self.unsaid = self.unsaid.and(marks);
                return;
            }
        };
        let theirs = |p: &&mut Patient| p.names.contains(&Some(name));
        if let Some(patient) = self.patients.iter_mut().rev().find(theirs) {
            patient.mark(marks, scope);
        } else if let Some((_, said)) = self.pending.iter_mut().find(|(n, _)| *n == name) {
            *said = said.and(marks);
        } else if self.pending.len() < MAX_PENDING {
            self.pending.push((name, marks));
        }
    }

    /// The document ends. If it has one patient, what is nobody's in particular is that patient's.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        if self.seen == 1
            && let Some(patient) = self.patients.first_mut()
        {
            let mut marks = self.unsaid;
            if patient.names == [None; 2] {
                marks = self.pending.iter().fold(marks, |all, (_, said)| all.and(*said));
            }
            patient.mark(marks, scope);
        }
        *self = Self::default();
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let fields = self.patients.iter().flat_map(|p| &p.fields);
        self.patients.capacity() * size_of::<Patient>()
            + self.pending.capacity() * size_of::<(u64, Marks)>()
            + fields.map(|f| size_of::<Kept>() + f.value.len() + f.issuer.len()).sum::<usize>()
    }
}
