//! What the values of fields identify by.

use super::value::Value;
use crate::rules::{Hl7Field, Hl7Subject, Hl7Type, Kind, RuleSet};

/// Whether a bare number is one of a national register, by check digits that few others have.
fn is_registered(number: &str, rules: &RuleSet) -> bool {
    /// Share of numbers that would pass by chance.
    const MAX_CHANCE: f32 = 0.02;
    number.bytes().all(|b| b.is_ascii_digit())
        && rules.identifiers.is_national_number(number, MAX_CHANCE)
}

/// The kind of a value: its type code outweighs the field, and a relative's value is not the patient's.
pub fn kind_of(value: &Value<'_>, field: &Hl7Field, own: bool, rules: &RuleSet) -> Option<Kind> {
    let mut kind = value.kind;
    if matches!(field.datatype, Hl7Type::CX | Hl7Type::XCN) && !field.fixed {
        let stated = rules.hl7v2.identifier_type(value.code);
        let by_authority = || {
            [value.authority, value.issuer].into_iter().find_map(|name| {
                match name.split_once('.') {
                    Some(("1" | "2", _)) => rules.fhir.system(&format!("urn:oid:{name}")),
                    _ => None,
                }
            })
        };
        let by_name = || rules.hl7v2.authority(value.issuer);
        kind = stated.or_else(by_authority).or_else(by_name).unwrap_or(kind);
    }
    // The number of a national register beside that of the hospital, as senders in Poland write it.
    if field.registered
        && kind == Kind::PatientId
        && value.code.is_empty()
        && value.issuer.is_empty()
        && is_registered(value.text, rules)
    {
        kind = Kind::NationalId;
    }
    // Japan puts the number of the insured person into the field for an employer's name (JAHIS, IN1-11).
    let is_number =
        |text: &str| text.chars().all(|c| c.is_numeric() || matches!(c, '-' | '－' | ' '));
    if kind == Kind::Employer && is_number(value.text) {
        kind = Kind::InsuranceNumber;
    }
    // PID-19 holds other national numbers outside the United States.
    if kind == Kind::Ssn && value.text.bytes().filter(u8::is_ascii_digit).count() != 9 {
        kind = Kind::NationalId;
    }
    if field.subject == Hl7Subject::Patient || own {
        return Some(kind);
    }
    match kind {
        Kind::Name => Some(Kind::NextOfKinName),
        Kind::Phone => Some(Kind::NextOfKinPhone),
        Kind::NextOfKinName | Kind::NextOfKinPhone => Some(kind),
        // A relative's number must never make two patients one.
        k if k.is_strong_id() => Some(Kind::OtherId),
        _ => None,
    }
}
