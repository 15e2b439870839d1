//! The pseudonym under which a value that somebody types is found in what was written earlier.

use super::normalise::normalise;
use super::{Key, Token};
use crate::phi::Phi;
use crate::rules::{Kind, RuleSet};
use crate::time::Timestamp;
use zeroize::Zeroizing;

/// The pseudonym of a value of this kind, whoever issued it; none if nothing is left of it in its normal
/// form. `now` determines the century of a short date.
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
