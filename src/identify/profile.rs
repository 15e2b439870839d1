//! What is known of a patient: shared by findings and flows.

use super::pseudonym::{is_clue, pseudonym};
use super::record::{Complete, Identity, Issuer, PersonalId, RecordIdentifier};
use super::{DisplayValue, Identifier, Key, Token};
use crate::rules::{Kind, KindSet};
use smallvec::SmallVec;
use std::ops::Deref;
use std::sync::Arc;

/// Names and birth dates of one patient that are combined.
pub(super) const MAX_COMBINED: usize = 8;

/// Clues that lead to a patient.
#[derive(Clone, Copy)]
pub(super) enum MatchKey {
    /// A strong id, a name, or another number.
    Value(Token),
    /// Name and birth date.
    Person(Token, Token),
    /// A patient's pseudonym.
    Patient(Token),
}

impl MatchKey {
    /// Tokens are keyed hashes of kind and value, so keys of different kinds differ.
    pub const fn key(self) -> u64 {
        match self {
            Self::Value(token) | Self::Patient(token) => token.front(),
            Self::Person(name, birth) => name.front() ^ birth.front().rotate_left(1),
        }
    }
}

/// New clues to one patient.
pub(super) type NewMatchKeys = SmallVec<[MatchKey; 16]>;

/// What a profile adds to a flow in which the patient is new.
pub(super) struct Digest {
    pub kinds: KindSet,
    /// The kind of each identifier.
    pub listed: SmallVec<[Kind; 16]>,
    /// The clues to the patient, then what gates know the values by.
    hashes: Box<[u64]>,
    /// Number of the clues.
    clues: usize,
    /// Bytes of heap of the identifiers.
    pub bytes: usize,
}

impl Digest {
    fn of(profile: &Profile, record: &Complete<'_>) -> Self {
        let words = record.held.iter().flat_map(|held| held.words_of.iter().copied());
        let mut words: SmallVec<[u64; 32]> = words.collect();
        words.sort_unstable();
        words.dedup();
        let mut keys: NewMatchKeys = profile.values_that_lead(0).collect();
        profile.combined(&mut keys);
        let listed: SmallVec<[Kind; 16]> = profile.identifiers.iter().map(|i| i.kind).collect();
        Self {
            kinds: listed.iter().copied().collect(),
            listed,
            hashes: keys.iter().map(|clue| clue.key()).chain(words).collect(),
            clues: keys.len(),
            bytes: profile.bytes(0),
        }
    }

    /// The clues to the patient.
    pub fn clues(&self) -> &[u64] {
        self.hashes.get(..self.clues).unwrap_or_default()
    }

    /// By what gates know the values.
    pub fn words(&self) -> &[u64] {
        self.hashes.get(self.clues..).unwrap_or_default()
    }
}

/// The profile of a patient. Findings share it with the flow, and flows share it with each other as long as they read
/// the same record.
#[derive(Clone, Default)]
pub(super) struct Profile {
    shared: Arc<SharedProfile>,
    /// Identifiers for which there was no room.
    pub lost: u64,
    /// The pseudonym of the patient in any flow, from the record; `None` if it depends on the flow.
    pub token: Option<Token>,
}

/// The part of a profile that flows share: one reference count, and one place in memory.
#[derive(Default)]
pub(super) struct SharedProfile {
    pub identity: Arc<Identity>,
    pub identifiers: Arc<Vec<Identifier>>,
    /// Values for comparison, one for each.
    values: Vec<(Token, Issuer)>,
    /// Of a record that repeats: what a flow that is new to it needs.
    pub digest: Option<Digest>,
}

/// A copy is made to be changed, and the digest would no longer match it.
impl Clone for SharedProfile {
    fn clone(&self) -> Self {
        Self {
            identity: Arc::clone(&self.identity),
            identifiers: Arc::clone(&self.identifiers),
            values: self.values.clone(),
            digest: None,
        }
    }
}

impl Deref for Profile {
    type Target = SharedProfile;

    fn deref(&self) -> &SharedProfile {
        &self.shared
    }
}

impl Profile {
    /// The identifiers that a record adds for a new patient, at most `most`.
    pub fn of(record: &Complete<'_>, most: usize, key: &Key) -> Self {
        let mut profile = if record.held.len() <= most && record.is_distinct() {
            let mut identity = Identity::default();
            record.held.iter().for_each(|held| identity.add(held));
            let shared = SharedProfile {
                identity: Arc::new(identity),
                identifiers: Arc::new(record.held.iter().map(Self::identifier).collect()),
                values: record.held.iter().map(|h| (h.token, h.issuer)).collect(),
                digest: None,
            };
            Self { shared: Arc::new(shared), lost: 0, token: None }
        } else {
            let mut profile = Self::default();
            for held in record.held {
                profile.add(held, most);
            }
            profile
        };
        profile.token = pseudonym(record, key);
        if record.profile.is_some() {
            let digest = Digest::of(&profile, record);
            profile.own().digest = Some(digest);
        }
        profile
    }

    /// Its data, no longer shared with others.
    fn own(&mut self) -> &mut SharedProfile {
        Arc::make_mut(&mut self.shared)
    }

    /// The clue to the patient by each value, in their order.
    pub fn values_that_lead(&self, from: usize) -> impl Iterator<Item = MatchKey> {
        let all = self.identifiers.iter().zip(&self.values).skip(from);
        all.filter(|(i, _)| is_clue(i.kind)).map(|(_, (token, _))| MatchKey::Value(*token))
    }

    /// The pairs of name and birth date that lead to the patient.
    pub fn combined(&self, clues: &mut NewMatchKeys) {
        let identity = &self.identity;
        for &name in identity.names.iter().take(MAX_COMBINED) {
            for &birth in identity.births.iter().take(MAX_COMBINED) {
                clues.push(MatchKey::Person(name.token, birth));
                let words = name.words.iter().flatten();
                clues.extend(words.map(|word| MatchKey::Person(*word, birth)));
            }
        }
    }

    /// Bytes of heap that identifiers take, from one on.
    pub fn bytes(&self, from: usize) -> usize {
        let identifiers = self.identifiers.get(from..).unwrap_or_default().iter();
        let of = |i: &Identifier| {
            size_of::<Identifier>() + size_of::<(Token, Issuer)>() + i.shown.text().len()
        };
        identifiers.map(of).sum()
    }

    /// The index of the identifier with the same value, and the same issuer as far as both name one.
    fn position(&self, held: &RecordIdentifier) -> Option<usize> {
        let equal = |(i, (token, issuer)): (&Identifier, &(Token, Issuer))| {
            *token == held.token && i.kind == held.kind && !issuer.excludes(held.issuer)
        };
        self.identifiers.iter().zip(&self.values).position(equal)
    }

    /// Adds an identifier; false if it was known, or there was no room.
    pub fn add(&mut self, held: &RecordIdentifier, most: usize) -> bool {
        if let Some(place) = self.position(held) {
            // The same number, now with its issuer, which counts from now on.
            let known = self.values.get(place).map(|(_, issuer)| *issuer);
            if let Some(known) = known.filter(|issuer| issuer.may_learn(held.issuer)) {
                let own = self.own();
                Arc::make_mut(&mut own.identity).learn_issuer(&PersonalId::of(held.kind, held));
                let identifier = Arc::make_mut(&mut own.identifiers).get_mut(place);
                if let Some(identifier) = identifier.filter(|_| !known.is_known()) {
                    identifier.token = held.public;
                }
                if let Some((_, issuer)) = own.values.get_mut(place) {
                    issuer.learn(held.issuer);
                }
            }
            return false;
        }
        if self.identifiers.len() >= most {
            self.lost += 1;
            return false;
        }
        let own = self.own();
        Arc::make_mut(&mut own.identity).add(held);
        own.values.push((held.token, held.issuer));
        Arc::make_mut(&mut own.identifiers).push(Self::identifier(held));
        true
    }

    /// What findings say of an identifier.
    fn identifier(held: &RecordIdentifier) -> Identifier {
        Identifier {
            kind: held.kind,
            shown: match &held.mask {
                Some(mask) => DisplayValue::mask(Arc::clone(mask)),
                None => DisplayValue::reveal(held.value.as_phi()),
            },
            token: held.public,
            unissued: held.token,
            field: Arc::clone(&held.place.field),
            rule: Arc::clone(&held.place.rule),
            confidence: held.confidence,
            evidence: held.evidence,
        }
    }
}
