//! The pseudonyms that distinguish a patient, kept separately, so that the knowledge of several sensors can be merged
//! and people can be recognised elsewhere.

use super::Token;
use super::record::{Identity, Issuer, Named, PersonalId};
use super::types::Traits;
use crate::rules::Kind;
use std::sync::Arc;

/// Members of each set that are kept: the lowest, so that the order of additions does not matter.
pub const MAX_TRAITS: usize = 32;

/// A number that only one person has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StrongTrait {
    /// Its kind.
    pub kind: Kind,
    /// Its pseudonym, regardless of its issuer.
    pub token: Token,
    /// Hashes of the issuer's name and of its universal id, 0 if missing.
    pub issuer: (u64, u64),
}

/// The traits of a patient, as sets, whose union depends on no order. Each list is sorted and without duplicates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TraitSet {
    /// Numbers that only one person has.
    pub strong: Vec<StrongTrait>,
    /// Names: two words, if they have two.
    pub names: Vec<(Token, Option<[Token; 2]>)>,
    /// Birth dates.
    pub births: Vec<Token>,
}

fn add<T: Ord + Copy>(ours: &mut Vec<T>, theirs: &[T]) {
    if theirs.iter().all(|one| ours.binary_search(one).is_ok()) {
        return;
    }
    ours.extend_from_slice(theirs);
    tidy(ours);
}

fn tidy<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
    list.truncate(MAX_TRAITS);
    list.shrink_to_fit();
}

impl TraitSet {
    /// From lists in any order.
    pub fn new(
        mut strong: Vec<StrongTrait>,
        mut names: Vec<(Token, Option<[Token; 2]>)>,
        mut births: Vec<Token>,
    ) -> Self {
        tidy(&mut strong);
        tidy(&mut names);
        tidy(&mut births);
        Self { strong, names, births }
    }

    /// Adds what another set has.
    pub fn union(&mut self, other: &Self) {
        add(&mut self.strong, &other.strong);
        add(&mut self.names, &other.names);
        add(&mut self.births, &other.births);
    }
}

impl From<&Traits> for TraitSet {
    fn from(traits: &Traits) -> Self {
        let Identity { strong, names, births } = &*traits.0;
        let strong = strong.iter().map(|s| StrongTrait {
            kind: s.kind,
            token: s.token,
            issuer: s.issuer.parts(),
        });
        let names = names.iter().map(|n| (n.token, n.words));
        Self::new(strong.collect(), names.collect(), births.to_vec())
    }
}

impl From<&TraitSet> for Traits {
    /// A number that is present with and without its issuer counts with it.
    fn from(set: &TraitSet) -> Self {
        let mut identity = Identity::default();
        let (issued, unsaid): (Vec<&StrongTrait>, Vec<&StrongTrait>) =
            set.strong.iter().partition(|s| s.issuer != (0, 0));
        for s in issued.into_iter().chain(unsaid) {
            let issuer = Issuer::from_parts(s.issuer);
            let id = PersonalId { kind: s.kind, token: s.token, public: s.token, issuer };
            if identity.strong.iter().any(|known| known.equals(&id)) {
                identity.learn_issuer(&id);
            } else {
                identity.strong.push(id);
            }
        }
        identity.names.extend(set.names.iter().map(|&(token, words)| Named { token, words }));
        identity.births.extend(set.births.iter().copied());
        Self(Arc::new(identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Summaries carry these hashes: if they change, so must the version of summaries.
    #[test]
    fn hashes_of_issuers_are_the_same_in_every_build() {
        let issuer = Issuer::new("NORTH").or_universal("1.2.840.5");
        assert_eq!(issuer.parts(), (2_660_760_506_865_199_026, 3_416_134_594_590_492_886));
    }

    #[test]
    fn an_issuer_that_was_learnt_later_replaces_none() {
        let token = Token::from_bytes([7; 12]);
        let of = |issuer| StrongTrait { kind: Kind::PatientId, token, issuer };
        let set = TraitSet::new(vec![of((5, 0)), of((0, 0))], Vec::new(), Vec::new());
        let traits = Traits::from(&set);
        assert_eq!(traits.0.strong.len(), 1);
        assert_eq!(TraitSet::from(&traits).strong, [of((5, 0))]);
    }

    #[test]
    fn the_union_of_too_many_is_the_same_in_any_order() {
        let births = |from: u8, to: u8| {
            let tokens = (from..to).map(|n| Token::from_bytes([n; 12])).collect();
            TraitSet::new(Vec::new(), Vec::new(), tokens)
        };
        let (mut one, mut other) = (births(0, 40), births(20, 60));
        one.union(&births(20, 60));
        other.union(&births(0, 40));
        assert_eq!(one, other);
        assert_eq!(one.births.len(), MAX_TRAITS);
    }
}
