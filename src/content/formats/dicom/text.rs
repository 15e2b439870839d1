//! Identifiers in free text: comments, descriptions, reports, private attributes (PS3.15 E.3.6,
//! E.3.10).

use crate::content::{Evidence, Field, Scope};
use crate::phi::PhiBuf;
use crate::rules::{FieldRule, Kind, RuleSet};
use std::sync::Arc;

/// Findings held per record.
const MAX_FOUND: usize = 32;
/// Names in private attributes held per record.
const MAX_SUSPECTS: usize = 8;
/// Confidence that such a name is the patient's.
const SUSPICION: f32 = 0.6;
/// Bytes searched per record.
const MAX_SEARCHED: usize = 256 << 10;

/// Identifiers in free text. They are held until the record is complete: a telephone number in a comment identifies a
/// person only if the record is about one, and private groups precede the patient's.
#[derive(Default)]
pub(super) struct Findings {
    found: Vec<Found>,
    /// Values of private attributes that are written like names of unknown people.
    suspects: Vec<(Arc<str>, PhiBuf)>,
    searched: usize,
}

struct Found {
    rule: Arc<FieldRule>,
    field: Arc<str>,
    value: PhiBuf,
    evidence: Evidence,
    confidence: f32,
}

impl Findings {
    /// Searches a text.
    pub fn search(&mut self, rules: &RuleSet, field: &Arc<str>, text: &str) {
        self.searched = self.searched.saturating_add(text.len());
        if self.searched > MAX_SEARCHED {
            return;
        }
        // Registered numbers first: their meaning is more certain than that of a pattern.
        rules.identifiers.scan(text, &mut |hit| {
            let number = match (hit.near, hit.valid.iter().find_map(|r| Some((r, r.alone?)))) {
                (Some(rule), _) if rule.is_checked() => {
                    Some((rule, Evidence::NearValid, rule.rule.confidence))
                }
                (Some(rule), _) => Some((rule, Evidence::Near, rule.rule.confidence)),
                (None, Some((rule, alone))) => Some((*rule, Evidence::Checked, alone)),
                (None, None) => None,
            };
            if let Some((rule, evidence, confidence)) = number {
                self.add(&rule.rule, field, hit.value, evidence, confidence);
            }
        });
        rules.text.find(text, |recogniser, value| {
            let evidence = if recogniser.labelled { Evidence::Labelled } else { Evidence::Pattern };
            let rule = &recogniser.rule;
            self.add(rule, field, value, evidence, rule.confidence);
        });
    }

    fn add(
        &mut self,
        rule: &Arc<FieldRule>,
        field: &Arc<str>,
        value: &str,
        evidence: Evidence,
        confidence: f32,
    ) {
        let known = |f: &Found| f.rule.kind == rule.kind && f.value.as_phi().expose() == value;
        if self.found.len() < MAX_FOUND && !self.found.iter().any(known) {
            self.found.push(Found {
                rule: Arc::clone(rule),
                field: Arc::clone(field),
                value: PhiBuf::new(value.to_owned()),
                evidence,
                confidence,
            });
        }
    }

    /// A value of a private attribute is written like a name.
    pub fn suspect(&mut self, field: &Arc<str>, name: &str) {
        if self.suspects.len() < MAX_SUSPECTS {
            self.suspects.push((Arc::clone(field), PhiBuf::new(name.to_owned())));
        }
    }

    /// Ends the record. `identified`: it is about a person even without its texts. `deidentified`: a name in it was
    /// left behind. Elsewhere an unlabelled name may be that of a member of staff.
    pub fn pass_on(&mut self, identified: bool, deidentified: bool, scope: &mut Scope<'_>) {
        let Self { found, suspects, .. } = std::mem::take(self);
        for (field, name) in suspects.iter().filter(|_| deidentified) {
            let Some(rule) = scope.rules().dicom.private_text_rule().cloned() else { break };
            scope.field(Field {
                kind: Kind::Name,
                value: name.as_phi(),
                name: field,
                rule: &rule,
                issuer: "",
                authority: "",
                confidence: SUSPICION,
                evidence: Evidence::Pattern,
            });
        }
        let said = |f: &Found| matches!(f.evidence, Evidence::Labelled | Evidence::NearValid);
        let names =
            |f: &Found| said(f) && (f.rule.kind == Kind::Name || f.rule.kind.is_strong_id());
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
                authority: "",
                confidence: found.confidence,
                evidence: found.evidence,
            });
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let found: usize = self.found.iter().map(|f| size_of::<Found>() + f.value.len()).sum();
        found + self.suspects.iter().map(|(_, name)| 32 + name.len()).sum::<usize>()
    }
}
