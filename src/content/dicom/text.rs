//! Identifiers in free text: comments, descriptions, reports, private attributes (PS3.15 E.3.6,
//! E.3.10).

use crate::content::{Evidence, Field, Scope};
use crate::phi::PhiBuf;
use crate::rules::{FieldRule, Kind, RuleSet};
use std::sync::Arc;

/// Findings held of one record.
const MAX_FOUND: usize = 32;
/// Bytes searched in one record.
const MAX_SEARCHED: usize = 256 << 10;

/// What free text says of the patient. It is held until the record is complete: a telephone number
/// in a comment points to somebody only if the record is about somebody, and private groups stand
/// before the patient's.
#[derive(Default)]
pub(super) struct Findings {
    found: Vec<Found>,
    searched: usize,
}

struct Found {
    rule: Arc<FieldRule>,
    field: Arc<str>,
    value: PhiBuf,
    labelled: bool,
}

impl Findings {
    /// Searches a text.
    pub fn search(&mut self, rules: &RuleSet, field: &Arc<str>, text: &str) {
        self.searched = self.searched.saturating_add(text.len());
        if self.searched > MAX_SEARCHED {
            return;
        }
        rules.text.find(text, |recogniser, value| {
            let known = |f: &Found| {
                f.rule.kind == recogniser.rule.kind && f.value.as_phi().expose() == value
            };
            if self.found.len() < MAX_FOUND && !self.found.iter().any(known) {
                self.found.push(Found {
                    rule: Arc::clone(&recogniser.rule),
                    field: Arc::clone(field),
                    value: PhiBuf::new(value.to_owned()),
                    labelled: recogniser.labelled,
                });
            }
        });
    }

    /// The record is complete. `identified`: it is about somebody without its texts, too.
    pub fn hand_on(&mut self, identified: bool, scope: &mut Scope<'_>) {
        let found = std::mem::take(self).found;
        let names =
            |f: &Found| f.labelled && (f.rule.kind == Kind::Name || f.rule.kind.is_strong_id());
        if !identified && !found.iter().any(names) {
            return;
        }
        for found in &found {
            scope.field(Field {
                kind: found.rule.kind,
                value: found.value.as_phi(),
                name: &found.field,
                rule: &found.rule.id,
                issuer: "",
                confidence: found.rule.confidence,
                evidence: if found.labelled { Evidence::Labelled } else { Evidence::Pattern },
            });
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.found.iter().map(|f| size_of::<Found>() + f.value.len()).sum()
    }
}
