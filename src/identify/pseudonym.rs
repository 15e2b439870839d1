//! The pseudonym of a patient, and the kinds of values that lead to one.

use super::record::{Complete, Identity};
use super::{Key, Token};
use crate::rules::Kind;

/// The pseudonym of a record's patient in any flow.
///
/// Name and birth date come first: every protocol carries them, and their normal form is the same
/// everywhere, so one person has one pseudonym across flows and protocols. IDs come next, with their
/// issuers, because two hospitals may both count from one. Anything else, above all a name alone, is
/// shared by many people, so its pseudonym is valid only within its flow.
pub(super) fn pseudonym(record: &Complete<'_>, key: &Key) -> Option<Token> {
    let identity = record.identity;
    let whole = identity.names.iter().find(|n| n.is_whole());
    let name = whole.or(identity.names.first()).map(|n| &n.token);
    if let (Some(name), Some(birth)) = (name, identity.births.first()) {
        return Some(key.patient(&[name.bytes(), birth.bytes()]));
    }
    let number = || record.held.iter().find(|h| is_clue(h.kind) && h.kind != Kind::Name);
    let id = strongest(identity).or_else(|| number().map(|held| held.public))?;
    Some(key.patient(&[id.bytes()]))
}

/// The first number that only one person has, by the order of kinds.
pub(super) fn strongest(identity: &Identity) -> Option<Token> {
    // Of the same kind, the one found first.
    identity.strong.iter().min_by_key(|s| s.kind).map(|s| s.public)
}

/// Kinds whose values lead to a patient.
pub(super) const fn is_clue(kind: Kind) -> bool {
    kind.is_strong_id()
        || matches!(
            kind,
            Kind::Name
                | Kind::AccountNumber
                | Kind::EncounterId
                | Kind::AccessionNumber
                | Kind::OtherId
                | Kind::Email
        )
}
