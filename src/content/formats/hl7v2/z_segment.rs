//! Z-segments (chapter 2.11, `Z..`): their meaning is local, so only self-describing values are taken: IDs with a
//! known type code, values after a known name, numbers and addresses of a home. Results whose code is such a name
//! (OBX-3) are read the same way.

use super::patient_context::{Candidate, PatientContext};
use super::value::{MAX_REPETITIONS, Syntax, pieces};
use crate::content::{Evidence, Scope};
use crate::rules::{FieldRule, Hl7Shape, Hl7Type, Kind, RuleSet};

/// Fields of a segment that are read.
const MAX_FIELDS: usize = 64;
/// Fields after a name that may hold its value.
const MAX_DISTANCE: usize = 2;

/// Position reported for values of these segments.
const FIELD: &str = "Z segment";

/// Reads a segment; `fields[0]` is its name.
pub fn read(syntax: &Syntax, fields: &[&str], own: &mut PatientContext, scope: &mut Scope<'_>) {
    let d = syntax.delimiters;
    for (at, field) in fields.iter().enumerate().skip(1).take(MAX_FIELDS) {
        for raw in pieces(field, d.repetition).take(MAX_REPETITIONS) {
            if raw.len() < 2 {
                continue;
            }
            shaped(syntax, raw, own, scope);
            // `name=value`, `name: value`
            if let Some((name, value)) = raw.split_once(['=', ':']) {
                labelled(syntax, FIELD, name, value, own, scope);
            }
            // `code^name^system` before the value.
            let named = pieces(raw, d.component).find(|part| is_label(syntax, part, scope.rules));
            if let Some(name) = named {
                let behind = fields.iter().skip(at + 1).take(MAX_DISTANCE);
                let inside = pieces(raw, d.component).skip_while(|p| *p != name).nth(1);
                let value = behind.copied().chain(inside).find(|v| !v.is_empty());
                if let Some(value) = value {
                    labelled(syntax, FIELD, name, value, own, scope);
                }
            }
        }
    }
}

/// Whether a component is the name of a personal value.
fn is_label(syntax: &Syntax, part: &str, rules: &RuleSet) -> bool {
    part.len() > 1
        && part.bytes().any(|b| b.is_ascii_alphabetic() || !b.is_ascii())
        && rules.keys.get(&syntax.undo(part)).is_some()
}

/// A value behind a name.
pub fn labelled(
    syntax: &Syntax,
    field: &str,
    name: &str,
    value: &str,
    own: &mut PatientContext,
    scope: &mut Scope<'_>,
) {
    let rules = scope.rules;
    let Some(key) = rules.keys.get(syntax.undo(name).trim()) else { return };
    let datatype = match key.rule.kind {
        Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => Hl7Type::XPN,
        Kind::Address => Hl7Type::XAD,
        Kind::BirthDate => Hl7Type::TS,
        Kind::Phone | Kind::Email | Kind::NextOfKinPhone => Hl7Type::XTN,
        kind if kind.is_strong_id() => Hl7Type::CX,
        _ => return,
    };
    let first = pieces(value, syntax.delimiters.repetition).next().unwrap_or("");
    syntax.read(datatype, key.rule.kind, first, &mut |read| {
        let digits = read.text.bytes().filter(u8::is_ascii_digit).count();
        let fits = match read.kind {
            Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => digits == 0,
            Kind::Address => digits > 0,
            Kind::Email => read.text.contains('@'),
            _ => digits >= 4,
        };
        let (kind, text) = (read.kind, read.text);
        if fits && rules.keys.get(text).is_none() {
            let evidence = Evidence::Labelled;
            let patient = key.patient;
            own.offer(
                &Candidate { rule: &key.rule, kind, value: text, field, patient, evidence },
                scope,
            );
        }
    });
}

/// A value recognised by its form.
fn shaped(syntax: &Syntax, raw: &str, own: &mut PatientContext, scope: &mut Scope<'_>) {
    let rules = scope.rules;
    let parts: Vec<&str> = pieces(raw, syntax.delimiters.component).take(16).collect();
    let part = |n: usize| parts.get(n - 1).map_or("", |p| p.trim());
    for site in &rules.hl7v2.sites {
        match site.shape {
            Hl7Shape::Id if syntax.is_issued(raw) => {
                let Some(kind) = rules.hl7v2.identifier_type(part(5)) else { continue };
                if !kind.is_strong_id() && kind != Kind::AccountNumber {
                    continue;
                }
                syntax.read(Hl7Type::CX, kind, raw, &mut |value| {
                    offer(&site.rule, kind, value.text, own, scope);
                });
            }
            Hl7Shape::Phone if site.takes(part(2)) => {
                syntax.read(Hl7Type::XTN, Kind::Phone, raw, &mut |value| {
                    offer(&site.rule, value.kind, value.text, own, scope);
                });
            }
            Hl7Shape::Address
                if site.takes(part(7)) && part(5).bytes().any(|b| b.is_ascii_digit()) =>
            {
                syntax.read(Hl7Type::XAD, Kind::Address, raw, &mut |value| {
                    offer(&site.rule, Kind::Address, value.text, own, scope);
                });
            }
            Hl7Shape::Email if raw.contains('@') => {
                let text = syntax.undo(raw);
                rules.text.find(&text, |recogniser, value| {
                    if recogniser.rule.kind == Kind::Email && own.known().is_in_mail(value) {
                        offer(&site.rule, Kind::Email, value, own, scope);
                    }
                });
            }
            _ => {}
        }
    }
    // A number with the dashes and the ranges of a social security number.
    if raw.len() >= 11 && raw.bytes().filter(|b| *b == b'-').count() >= 2 && parts.len() == 1 {
        rules.text.find(raw, |recogniser, value| {
            if recogniser.rule.kind == Kind::Ssn && value.len() == raw.trim().len() {
                offer(&recogniser.rule, Kind::Ssn, value, own, scope);
            }
        });
    }
}

fn offer(
    rule: &FieldRule,
    kind: Kind,
    value: &str,
    own: &mut PatientContext,
    scope: &mut Scope<'_>,
) {
    let evidence = Evidence::Pattern;
    own.offer(&Candidate { rule, kind, value, field: FIELD, patient: true, evidence }, scope);
}
