//! The pseudonym under which a typed value is found in earlier output.

use super::date::Date;
use super::normalise::normalise;
use super::{Key, Token};
use crate::phi::Phi;
use crate::rules::{Kind, RuleSet};
use crate::time::Timestamp;
use zeroize::Zeroizing;

/// Whether a text is a date, or at least a year.
pub fn is_date(text: Phi<'_>, now: Timestamp) -> bool {
    let text = text.expose().trim();
    let year = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    year || Date::parse(text, now).is_some()
}

/// The pseudonym of a value of this kind, regardless of its issuer; `None` if its normal form is empty. `now`
/// determines the century of a short date.
pub fn lookup_token(
    key: &Key,
    rules: &RuleSet,
    kind: Kind,
    value: Phi<'_>,
    now: Timestamp,
) -> Option<Token> {
    let mut normal = Zeroizing::new(String::with_capacity(value.expose().len() + 8));
    normalise(kind, value.expose(), &rules.placeholders, now, &mut normal);
    (!normal.trim().is_empty()).then(|| key.token(kind, &normal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_date_is_not_asked_for_as_one() {
        let now = Timestamp(1_772_360_102_000_000_000); // 2026-03-01
        for text in ["1952-03-01", "19520301", "1.3.1952", "1952"] {
            assert!(is_date(Phi::new(text), now), "{text}");
        }
        for text in ["xyz", "yesterday", "", "52"] {
            assert!(!is_date(Phi::new(text), now), "{text}");
        }
    }
}
