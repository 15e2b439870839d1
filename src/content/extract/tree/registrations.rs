//! Responses of HL7 version 3 (IHE ITI-45, ITI-47, QUPC): the response repeats the query behind the patients, and the
//! query is about one of them.

use crate::content::Scope;
use crate::content::extract::fhir::{self, BufferedField};
use crate::content::extract::record::Marks;
use smallvec::SmallVec;

/// Queries of one document that are kept.
const MAX_QUERIES: usize = 8;

type HeldFields = (Vec<BufferedField>, Marks);

/// Patients and queries of one document.
#[derive(Default)]
pub(super) struct Registrations {
    /// The first patient, until it is known that there is no other.
    first: Option<HeldFields>,
    several: bool,
    queries: SmallVec<[HeldFields; 1]>,
}

impl Registrations {
    /// A patient is complete.
    pub fn patient(&mut self, fields: Vec<BufferedField>, marks: Marks, scope: &mut Scope<'_>) {
        if fields.is_empty() {
            return;
        }
        if self.first.is_none() && !self.several {
            self.first = Some((fields, marks));
            return;
        }
        self.several = true;
        for (fields, marks) in self.first.take().into_iter().chain([(fields, marks)]) {
            fhir::put("hl7v3", marks, fields.iter(), scope);
        }
    }

    /// A query is complete.
    pub fn query(&mut self, fields: Vec<BufferedField>, marks: Marks) {
        if !fields.is_empty() && self.queries.len() < MAX_QUERIES {
            self.queries.push((fields, marks));
        }
    }

    /// Ends the document. IDs in the query belong to the only patient of the response; without a response, the query
    /// counts alone.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        let held = std::mem::take(self);
        let answered = held.several || held.first.is_some();
        if let Some((mut fields, marks)) = held.first {
            let asked = held.queries.iter().flat_map(|(fields, _)| fields);
            fields.extend(asked.filter(|f| f.kind.is_strong_id()).cloned());
            fhir::put("hl7v3", marks, fields.iter(), scope);
        }
        if !answered {
            for (fields, marks) in held.queries {
                fhir::put("hl7v3", marks, fields.iter(), scope);
            }
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let held = self.first.iter().chain(&self.queries).flat_map(|(fields, _)| fields);
        held.map(|f| size_of::<BufferedField>() + f.value.len() + f.issuer.len()).sum()
    }
}
