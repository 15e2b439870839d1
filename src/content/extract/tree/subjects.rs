//! Relates the resources of one document (a FHIR Bundle) to their patients. Conditions, observations, relatives and
//! insurances refer to the patient, before or behind it; they belong to the record of that patient.

use crate::content::Scope;
use crate::content::extract::fhir::{self, BufferedField};
use crate::content::extract::record::Marks;
use crate::rules::Kind;
use smallvec::SmallVec;
use std::collections::HashSet;
use std::hash::BuildHasher;

/// Patients of one document that are remembered, the latest.
const MAX_PATIENTS: usize = 64;

/// People who were referred to before they appeared, and fields kept of one.
const MAX_PENDING: usize = 256;
const MAX_FIELDS: usize = 32;

/// Resources of other types whose names are remembered.
const MAX_OTHERS: usize = 4096;

/// The patient of a resource, by its `subject` or `patient`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// Unknown, or without a name that can be compared.
    #[default]
    Unsaid,
    /// No person: a group, a device, a place.
    Other,
    /// The patient with this name.
    Named(Target),
}

/// The name to which a reference points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// That of a patient.
    Patient(u64),
    /// That of a resource of any type (`urn:uuid:`, `#p1`).
    Any(u64),
}

impl Target {
    /// The name alone.
    pub const fn hash(self) -> u64 {
        match self {
            Self::Patient(name) | Self::Any(name) => name,
        }
    }
}

impl Subject {
    /// Of a reference (FHIR R4 2.3.0.1).
    pub fn of(reference: &str) -> Self {
        if let Some(id) = reference.strip_prefix('#') {
            return Self::Named(Target::Any(hash(id)));
        }
        match name(reference) {
            Some(name) if reference.starts_with("urn:") => Self::Named(Target::Any(name)),
            Some(name) => Self::Named(Target::Patient(name)),
            None if reference.contains('/') && !reference.contains('?') => Self::Other,
            None if reference.contains('?') && !Self::is_patient(reference) => Self::Other,
            None => Self::Unsaid,
        }
    }

    /// Whether a reference shows that it points to a patient: `Patient/7`, `Patient?identifier=7`.
    pub fn is_patient(reference: &str) -> bool {
        ["Patient/", "Patient?"].iter().any(|sign| {
            let Some(at) = places(reference, sign).next() else { return false };
            is_whole(reference, at) && reference.len() > at + sign.len()
        })
    }
}

/// The name of a patient in a URL: the id, on any server.
pub(super) fn name(url: &str) -> Option<u64> {
    const PATH: &str = "Patient/";
    let id = match places(url, PATH).last() {
        Some(at) if is_whole(url, at) => {
            url.get(at + PATH.len()..)?.split(['/', '?', '|', '#']).next()?
        }
        _ => url.strip_prefix("urn:uuid:").or_else(|| url.strip_prefix("urn:oid:"))?,
    };
    (!id.is_empty()).then(|| hash(id))
}

/// Where `sign`, which begins with its only `P`, is in a reference: a search without preparation, as references are
/// short.
fn places(reference: &str, sign: &'static str) -> impl Iterator<Item = usize> {
    let bytes = reference.as_bytes();
    memchr::memchr_iter(b'P', bytes)
        .filter(move |at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(sign.as_bytes())))
}

/// Whether a part of the path begins at `at`.
fn is_whole(reference: &str, at: usize) -> bool {
    at == 0 || reference.as_bytes().get(at - 1) == Some(&b'/')
}

/// Names are only compared.
pub(super) fn hash(id: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(id.to_ascii_lowercase())
}

/// Whether two names have a word in common.
fn share_a_word(a: &str, b: &str) -> bool {
    let words = |text: &str| {
        let split = text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.chars().count() > 1);
        split.map(str::to_lowercase).collect::<SmallVec<[String; 4]>>()
    };
    let (a, b) = (words(a), words(b));
    a.iter().any(|word| b.contains(word))
}

/// What a resource says about a patient elsewhere.
pub(super) struct Claim {
    /// The patient's name.
    pub subject: Subject,
    /// The fields and marks.
    pub fields: Vec<BufferedField>,
}

/// Names of one patient.
#[derive(Default)]
pub(super) struct PatientNames {
    /// The id of the resource, and the URL beside it.
    pub own: SmallVec<[u64; 2]>,
    /// Those of other records of the same person.
    pub linked: Vec<u64>,
}

impl PatientNames {
    fn contains(&self, name: u64) -> bool {
        self.own.contains(&name)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.own.iter().any(|name| other.linked.contains(name))
            || other.own.iter().any(|name| self.linked.contains(name))
    }
}

struct Patient {
    names: PatientNames,
    /// What identifies the patient.
    fields: Vec<BufferedField>,
    marks: Marks,
    /// The name is known.
    named: bool,
}

impl Patient {
    /// Whether the fields may be the patient's: no name contradicts.
    fn may_be(&self, fields: &[BufferedField]) -> bool {
        let theirs: Vec<&BufferedField> = fields.iter().filter(|f| f.kind == Kind::Name).collect();
        let own = || self.fields.iter().filter(|f| f.kind == Kind::Name);
        theirs.is_empty()
            || own().next().is_none()
            || own().any(|own| theirs.iter().any(|name| share_a_word(&own.value, &name.value)))
    }

    /// What was unknown when the patient's record was passed on becomes a record of its own.
    fn add(&mut self, fields: Vec<BufferedField>, marks: Marks, scope: &mut Scope<'_>) {
        let new = marks.without(self.marks);
        let known = |f: &BufferedField| {
            (f.kind == Kind::Name && self.named) || self.fields.iter().any(|k| k.same(f))
        };
        let mut fields = fields;
        fields.retain(|f| !known(f));
        if (new == Marks::default() && fields.is_empty()) || self.fields.is_empty() {
            // Nothing identifies the patient, so the fields are a record of their own.
            fhir::put("fhir", marks, fields.iter(), scope);
            return;
        }
        self.marks = self.marks.and(new);
        fhir::put("fhir", new, self.fields.iter().chain(&fields), scope);
        self.named |= fields.iter().any(|f| f.kind == Kind::Name);
        let room = MAX_FIELDS.saturating_sub(self.fields.len());
        self.fields.extend(fields.into_iter().take(room));
    }
}

/// Fields of a person who has not appeared yet.
struct Pending {
    target: Target,
    fields: Vec<BufferedField>,
    marks: Marks,
}

/// The patients of one document, and fields that refer to them.
#[derive(Default)]
pub(super) struct Subjects {
    patients: Vec<Patient>,
    /// Patients seen.
    seen: usize,
    pending: Vec<Pending>,
    /// Fields of people without a reference, and marks about their health.
    unsaid: Vec<(Vec<BufferedField>, Marks, Marks)>,
    /// Fields about no particular person.
    marks: Marks,
    /// Names of resources that are no patients.
    others: HashSet<u64, foldhash::fast::FixedState>,
}

impl Subjects {
    /// A patient's record is complete: it is passed on with what is known so far.
    pub fn patient(
        &mut self,
        names: PatientNames,
        fields: Vec<BufferedField>,
        marks: Marks,
        scope: &mut Scope<'_>,
    ) {
        self.seen = self.seen.saturating_add(1);
        let mut fields = fields;
        let (mut marks, mut said) = (marks, Marks::default());
        let named = fields.iter().any(|f| f.kind == Kind::Name);
        self.pending.retain_mut(|pending| {
            let theirs = names.contains(pending.target.hash());
            if theirs {
                said = said.and(pending.marks);
                let new = std::mem::take(&mut pending.fields).into_iter();
                fields.extend(new.filter(|f| !(named && f.kind == Kind::Name)));
            }
            !theirs
        });
        marks = marks.and(said);
        // Another record of a person who appeared before.
        let theirs = |p: &&mut Patient| p.names.is_same(&names);
        if let Some(known) = self.patients.iter_mut().rev().find(theirs) {
            let before = known.fields.iter().filter(|k| !fields.iter().any(|f| f.same(k)));
            fhir::put("fhir", marks, fields.iter().chain(before), scope);
            known.names.own.extend(names.own);
            known.names.linked.extend(names.linked);
            return;
        }
        fhir::put("fhir", marks, fields.iter(), scope);
        if self.patients.len() >= MAX_PATIENTS {
            self.patients.remove(0);
        }
        let named = fields.iter().any(|f| f.kind == Kind::Name);
        self.patients.push(Patient {
            names,
            fields: fhir::identifying(fields),
            marks: said,
            named,
        });
    }

    /// A resource that is no patient has this name.
    pub fn other(&mut self, name: u64) {
        if self.others.len() < MAX_OTHERS {
            self.others.insert(name);
        }
    }

    /// A resource with fields of a patient; `health` alone is of no use without the patient.
    pub fn claim(&mut self, claim: Claim, marks: Marks, health: Marks, scope: &mut Scope<'_>) {
        let Claim { subject, fields } = claim;
        let target = match subject {
            Subject::Named(target) => target,
            Subject::Other => return,
            Subject::Unsaid => {
                self.marks = self.marks.and(health);
                if self.unsaid.len() >= MAX_PENDING {
                    fhir::put("fhir", marks, fields.iter(), scope);
                } else if !fields.is_empty() {
                    self.unsaid.push((fields, marks, health));
                }
                return;
            }
        };
        let theirs = |p: &&mut Patient| p.names.contains(target.hash());
        if let Some(patient) = self.patients.iter_mut().rev().find(theirs) {
            if !fields.is_empty() || health.without(patient.marks) != Marks::default() {
                patient.add(fields, health, scope);
            }
            return;
        }
        let marks = if fields.is_empty() { health } else { marks.and(health) };
        let theirs = |p: &&mut Pending| p.target.hash() == target.hash();
        if let Some(pending) = self.pending.iter_mut().find(theirs) {
            pending.marks = pending.marks.and(marks);
            for field in fields {
                if pending.fields.len() < MAX_FIELDS
                    && !pending.fields.iter().any(|f| f.same(&field))
                {
                    pending.fields.push(field);
                }
            }
        } else if self.pending.len() < MAX_PENDING {
            if !fields.is_empty() || marks != Marks::default() {
                self.pending.push(Pending { target, fields, marks });
            }
        } else {
            fhir::put("fhir", marks, fields.iter(), scope);
        }
    }

    /// Ends the document. If it has one patient, everything about no particular person belongs to that patient;
    /// patients who did not appear are known by the references to them.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut unsaid = std::mem::take(&mut self.unsaid);
        if self.seen == 1
            && let Some(patient) = self.patients.first_mut()
        {
            let mut marks = self.marks;
            if patient.names.own.is_empty() {
                marks = self.pending.iter().fold(marks, |all, p| all.and(p.marks));
            }
            if marks.without(patient.marks) != Marks::default() {
                patient.add(Vec::new(), marks, scope);
            }
            // What names no other person is about the only patient too.
            unsaid.retain_mut(|(fields, _, health)| {
                let theirs = patient.may_be(fields);
                if theirs {
                    patient.add(std::mem::take(fields), *health, scope);
                }
                !theirs
            });
        }
        for (fields, marks, _) in &unsaid {
            fhir::put("fhir", *marks, fields.iter(), scope);
        }
        for pending in &self.pending {
            let other = matches!(pending.target, Target::Any(name) if self.others.contains(&name));
            if !other {
                fhir::put("fhir", pending.marks, pending.fields.iter(), scope);
            }
        }
        *self = Self::default();
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let fields = self.patients.iter().flat_map(|p| &p.fields);
        let pending = self.pending.iter().flat_map(|p| &p.fields);
        let unsaid = self.unsaid.iter().flat_map(|(fields, ..)| fields);
        let kept = |f: &BufferedField| size_of::<BufferedField>() + f.value.len() + f.issuer.len();
        self.patients.capacity() * size_of::<Patient>()
            + self.pending.capacity() * size_of::<Pending>()
            + self.others.capacity() * size_of::<u64>()
            + fields.chain(pending).chain(unsaid).map(kept).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn references_are_taken_apart_as_texts_are(
            text in "(Patient[/?]|Patient|P|/|x|\\?|#|é|urn:uuid:|7){0,6}",
        ) {
            let alone = |front: &str| front.is_empty() || front.ends_with('/');
            let patient = |sign| {
                text.split_once(sign).is_some_and(|(front, id)| alone(front) && !id.is_empty())
            };
            prop_assert_eq!(Subject::is_patient(&text), patient("Patient/") || patient("Patient?"));
            let id = match text.rsplit_once("Patient/") {
                Some((front, id)) if alone(front) => id.split(['/', '?', '|', '#']).next(),
                _ => text.strip_prefix("urn:uuid:").or_else(|| text.strip_prefix("urn:oid:")),
            };
            prop_assert_eq!(name(&text), id.filter(|id| !id.is_empty()).map(hash));
        }
    }
}
