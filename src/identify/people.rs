//! The people of a run: which patients of different flows are one person.
//!
//! Two are one person if one of these holds:
//!
//! 1. An id that one person has is equal and of the same issuer, and name and birth date do not both
//!    differ. Where only one names an issuer, name or birth date must be equal too and nothing may
//!    contradict. A number that families share proves nothing here.
//! 2. Name and birth date are equal, and no id of the same kind and issuer differs.
//!
//! A name alone never joins. Only pseudonyms are kept, of a limited number of people.

use super::record::{Identity, Named, PersonalId};
use super::{Token, Traits};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

/// People that are recognised again; further ones only by their own pseudonym.
pub const MAX_PEOPLE: usize = 100_000;

/// Ids, names and birth dates kept of one person, each.
const MAX_TRAITS: usize = 8;

/// People compared for one clue.
const MAX_CANDIDATES: usize = 8;

/// The tokens of a person.
#[derive(Clone, Copy)]
enum MatchKey {
    /// The pseudonym given by a flow.
    Own(Token),
    /// An ID, regardless of its issuer.
    Id(Token),
    /// Name and birth date.
    Person(Token, Token),
}

impl MatchKey {
    /// Tokens are keyed hashes of kind and value, so keys of different kinds differ.
    const fn key(self) -> u64 {
        match self {
            Self::Own(token) | Self::Id(token) => token.front(),
            Self::Person(name, birth) => name.front() ^ birth.front().rotate_left(1),
        }
    }
}

struct Person {
    token: Token,
    identity: Identity,
    /// The person that it was merged into; itself until then.
    same: u32,
}

/// Bytes of heap that a person takes, roughly, with the clues.
const PERSON: usize = 1024;

/// The people of a run.
pub struct People {
    most: usize,
    known: Vec<Person>,
    clues: HashMap<u64, SmallVec<[u32; 2]>, foldhash::fast::RandomState>,
    /// Patients who would be recognised again as before, with no effect.
    settled: HashMap<Token, Settled, foldhash::fast::RandomState>,
    /// For each of `known`, how often anything changed that its recognition depends on.
    changes: Vec<u32>,
}

/// A patient all of whose clues lead to one person alone, who knows all its traits.
struct Settled {
    /// These traits; flows that read the same record share them.
    traits: Arc<Identity>,
    person: Token,
    index: u32,
    /// Of [`People::changes`].
    changes: u32,
}

/// The person of a patient.
pub struct Recognised {
    /// The pseudonym under which the person was first seen.
    pub person: Token,
    /// People counted separately until now who turned out to be the same.
    pub merged: SmallVec<[Token; 1]>,
}

impl Default for People {
    fn default() -> Self {
        Self {
            most: MAX_PEOPLE,
            known: Vec::new(),
            clues: HashMap::default(),
            settled: HashMap::default(),
            changes: Vec::new(),
        }
    }
}

impl People {
    /// As many as `memory` bytes hold, and no more than [`MAX_PEOPLE`].
    pub fn within(memory: usize) -> Self {
        Self { most: (memory / PERSON).min(MAX_PEOPLE), ..Self::default() }
    }

    /// Bytes of heap held, roughly.
    pub const fn memory(&self) -> usize {
        self.known.len() * PERSON
    }

    /// The person of `patient`, a patient of a flow with these `traits` so far.
    pub fn recognise(&mut self, patient: Token, traits: &Traits) -> Recognised {
        if let Some(known) = self.settled.get(&patient)
            && Arc::ptr_eq(&known.traits, &traits.0)
            && self.changes.get(known.index as usize) == Some(&known.changes)
        {
            return Recognised { person: known.person, merged: SmallVec::new() };
        }
        let theirs = &*traits.0;
        let mut found: SmallVec<[u32; 4]> = SmallVec::new();
        let clues = clues(patient, theirs);
        // The person each clue leads to, if it is one: the candidate of most clues.
        let mut alone: SmallVec<[Option<u32>; 8]> = SmallVec::new();
        for &clue in &clues {
            let candidates = self.clues.get(&clue.key()).map_or(&[][..], |all| all.as_slice());
            alone.push(if let [one] = candidates { Some(*one) } else { None });
            for &candidate in candidates {
                let root = root(&mut self.known, candidate);
                let is = |p: &Person| match clue {
                    MatchKey::Own(_) => true,
                    MatchKey::Id(token) => by_id(&p.identity, theirs, token),
                    MatchKey::Person(..) => !p.identity.strong_differs(theirs),
                };
                if !found.contains(&root) && self.known.get(root as usize).is_some_and(is) {
                    found.push(root);
                }
            }
        }
        found.sort_unstable();
        let mut merged = SmallVec::new();
        let Some(&index) = found.first() else {
            return Recognised { person: self.add(patient, theirs, &clues), merged };
        };
        for &other in found.iter().skip(1) {
            let pair = (self.known.get(index as usize), self.known.get(other as usize));
            let (Some(first), Some(second)) = pair else { continue };
            // Two numbers of one issuer mean two people, unless a record has both (HL7 A18, A40).
            let both =
                theirs.shares_strong(&first.identity) && theirs.shares_strong(&second.identity);
            if !both && first.identity.strong_differs(&second.identity) {
                continue;
            }
            let Some(second) = self.known.get_mut(other as usize) else { continue };
            second.same = index;
            merged.push(second.token);
            let identity = std::mem::take(&mut second.identity);
            if let Some(first) = self.known.get_mut(index as usize) {
                learn(&mut first.identity, &identity);
            }
            self.changed(index);
            self.changed(other);
        }
        let mut person = patient;
        if let Some(first) = self.known.get_mut(index as usize) {
            let learnt = learn(&mut first.identity, theirs);
            person = first.token;
            if learnt {
                self.changed(index);
            }
        }
        let settled = merged.is_empty() && alone.iter().all(|one| *one == Some(index));
        for (clue, alone) in clues.iter().zip(alone) {
            if alone != Some(index) {
                self.remember(*clue, index);
            }
        }
        if settled {
            self.settle(patient, traits, (person, index));
        }
        Recognised { person, merged }
    }

    /// All clues of a patient lead to this person alone, who has learnt its traits: the same again has no effect, until
    /// another person has one of these clues, or the person learns more.
    fn settle(&mut self, patient: Token, traits: &Traits, (person, index): (Token, u32)) {
        let Some(&changes) = self.changes.get(index as usize) else { return };
        if self.settled.len() >= self.most {
            self.settled.clear();
        }
        let traits = Arc::clone(&traits.0);
        self.settled.insert(patient, Settled { traits, person, index, changes });
    }

    fn changed(&mut self, index: u32) {
        if let Some(changes) = self.changes.get_mut(index as usize) {
            *changes = changes.wrapping_add(1);
        }
    }

    /// Loads what [`Self::recognise`] will need. Called for several patients in advance, it lets their memory accesses
    /// overlap; it changes nothing.
    pub fn warm(&self, patient: Token, traits: &Traits) {
        if let Some(known) = self.settled.get(&patient) {
            black_box(known.index);
            return;
        }
        for clue in clues(patient, &traits.0) {
            let first = self.clues.get(&clue.key()).and_then(|all| all.first());
            let person = first.and_then(|index| self.known.get(*index as usize));
            black_box(person.map(|person| {
                let Identity { strong, names, births, .. } = &person.identity;
                (person.same, strong.len(), names.len(), births.len())
            }));
        }
    }

    /// The person of a patient that was recognised before.
    pub fn person(&self, patient: Token) -> Token {
        let candidates = self.clues.get(&MatchKey::Own(patient).key()).and_then(|c| c.first());
        let Some(mut at) = candidates.copied() else { return patient };
        while let Some(person) = self.known.get(at as usize) {
            if person.same == at {
                return person.token;
            }
            at = person.same;
        }
        patient
    }

    /// People found so far.
    pub fn len(&self) -> usize {
        self.known.iter().enumerate().filter(|(i, p)| p.same as usize == *i).count()
    }

    /// Whether no person was seen so far.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn add(&mut self, patient: Token, theirs: &Identity, clues: &[MatchKey]) -> Token {
        let index = self.known.len();
        if index < self.most {
            let index = index as u32;
            let mut identity = Identity::default();
            learn(&mut identity, theirs);
            self.known.push(Person { token: patient, identity, same: index });
            self.changes.push(0);
            clues.iter().for_each(|clue| self.remember(*clue, index));
        }
        patient
    }

    fn remember(&mut self, clue: MatchKey, index: u32) {
        // People share no more clues than they have traits.
        if self.clues.len() >= self.most * MAX_TRAITS && !self.clues.contains_key(&clue.key()) {
            return;
        }
        let candidates = self.clues.entry(clue.key()).or_default();
        if candidates.len() < MAX_CANDIDATES && !candidates.contains(&index) {
            for other in candidates.iter() {
                if let Some(changes) = self.changes.get_mut(*other as usize) {
                    *changes = changes.wrapping_add(1);
                }
            }
            candidates.push(index);
        }
    }
}

/// The person that another one was merged into.
fn root(known: &mut [Person], index: u32) -> u32 {
    let mut at = index;
    while let Some(next) = known.get(at as usize).map(|person| person.same)
        && next != at
    {
        // Always a lower number, so the loop ends. Everyone on the way is moved one step closer, so that a chain is
        // long only once.
        let closer = known.get(next as usize).map_or(next, |person| person.same);
        if let Some(person) = known.get_mut(at as usize) {
            person.same = closer;
        }
        at = closer;
    }
    at
}

/// All clues that may lead to the person.
fn clues(patient: Token, theirs: &Identity) -> SmallVec<[MatchKey; 8]> {
    let ids = theirs.strong.iter().filter(|s| !s.is_shared()).take(MAX_TRAITS);
    let mut clues: SmallVec<[MatchKey; 8]> = SmallVec::new();
    clues.push(MatchKey::Own(patient));
    clues.extend(ids.map(|id| MatchKey::Id(id.token)));
    let names = || theirs.names.iter().filter(|n| n.is_whole()).take(2);
    for birth in theirs.births.iter().take(2) {
        clues.extend(names().map(|name| MatchKey::Person(name.token, *birth)));
    }
    clues
}

/// Whether the equal id proves that they are one.
fn by_id(ours: &Identity, theirs: &Identity, token: Token) -> bool {
    let of = |identity: &Identity| -> SmallVec<[PersonalId; 4]> {
        identity.strong.iter().filter(|s| s.token == token && !s.is_shared()).copied().collect()
    };
    let (ours_ids, theirs_ids) = (of(ours), of(theirs));
    let pairs = || ours_ids.iter().flat_map(|a| theirs_ids.iter().map(move |b| (a, b)));
    let issued = pairs().any(|(a, b)| a.kind == b.kind && a.issuer.same(b.issuer));
    if issued {
        return !(ours.names_differ(theirs) && ours.births_differ(theirs));
    }
    let unsaid = pairs().any(|(a, b)| a.equals(b));
    let known = |n: &Named| n.is_whole() && theirs.names.iter().any(|o| o.token == n.token);
    let alike =
        ours.names.iter().any(known) || ours.births.iter().any(|b| theirs.births.contains(b));
    unsaid && alike && !ours.names_differ(theirs) && !ours.births_differ(theirs)
}

/// Adds new traits to a person. Returns whether there were any.
fn learn(ours: &mut Identity, theirs: &Identity) -> bool {
    let count = |of: &Identity| of.strong.len() + of.names.len() + of.births.len();
    let (before, mut learnt) = (count(&*ours), false);
    for id in &theirs.strong {
        let same = |s: &PersonalId| s.token == id.token && s.kind == id.kind;
        if ours.strong.iter().any(|s| same(s) && !s.issuer.excludes(id.issuer)) {
            learnt |= ours.learn_issuer(id);
        } else if ours.strong.len() < MAX_TRAITS {
            ours.strong.push(*id);
        }
    }
    for name in &theirs.names {
        if ours.names.len() < MAX_TRAITS && !ours.names.iter().any(|n| n.token == name.token) {
            ours.names.push(*name);
        }
    }
    for birth in &theirs.births {
        if ours.births.len() < MAX_TRAITS && !ours.births.contains(birth) {
            ours.births.push(*birth);
        }
    }
    learnt || count(&*ours) > before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Evidence;
    use crate::identify::record::{EvaluatedValue, Issuer, Place, RecordIdentifier};
    use crate::phi::PhiBuf;
    use crate::rules::Kind;
    use std::sync::Arc;

    fn token(text: &str) -> Token {
        let hash = blake3::hash(text.as_bytes());
        Token::of(hash.as_bytes()[..12].try_into().expect("12 bytes"))
    }

    /// What a flow knows of a patient: ids with their issuers, names, birth dates.
    fn traits(ids: &[(Kind, &str, &str)], names: &[&str], births: &[&str]) -> Traits {
        let mut identity = Identity::default();
        let mut add = |kind: Kind, value: &str, issuer: &str| {
            let words = value.split_once(' ').map(|(a, b)| [token(a), token(b)]);
            let evaluated = EvaluatedValue {
                kind,
                valid: None,
                token: token(value),
                public: token(&format!("{issuer} {value}")),
                issuer: match issuer.split_once('&') {
                    Some((name, oid)) => Issuer::new(name).or_universal(oid),
                    None => Issuer::new(issuer),
                },
                full_date: true,
                words: words.filter(|_| kind == Kind::Name),
                test: false,
                mask: None,
                words_of: Arc::default(),
            };
            let (value, evidence) = (PhiBuf::new(value.to_owned()), Evidence::Declared);
            let place = Arc::new(Place { field: "f".into(), rule: "r".into() });
            let evaluated = Arc::new(evaluated);
            identity.add(&RecordIdentifier::new(evaluated, place, value, (evidence, 1.0)));
        };
        ids.iter().for_each(|(kind, value, issuer)| add(*kind, value, issuer));
        names.iter().for_each(|name| add(Kind::Name, name, ""));
        births.iter().for_each(|birth| add(Kind::BirthDate, birth, ""));
        Traits(identity.into())
    }

    /// How many people these are.
    fn count(patients: &[Traits]) -> usize {
        let mut people = People::default();
        for (n, traits) in patients.iter().enumerate() {
            people.recognise(token(&format!("flow {n}")), traits);
        }
        people.len()
    }

    #[test]
    fn what_is_remembered_of_a_patient_changes_no_result() {
        use Kind::{InsuranceNumber, PatientId};
        // Patients who share ids, names and birth dates in all ways, and records of each with some of them.
        let mut pool = Vec::new();
        for n in 0..216usize {
            let issuer = ["", "A", "B", "A&1.2"][n % 4];
            let id = (PatientId, ["1", "2", "3"][n / 4 % 3], issuer);
            let plan = (InsuranceNumber, ["7", "8"][n / 12 % 2], issuer);
            let name = ["ash eve", "ash ann", "oak tom"][n / 24 % 3];
            let birth = ["1959", "1960"][n / 72 % 2];
            let all = traits(&[id, plan], &[name], &[birth]);
            let some = match n % 5 {
                0 => traits(&[id], &[], &[]),
                1 => traits(&[], &[name], &[birth]),
                2 => traits(&[plan], &[name], &[]),
                _ => all,
            };
            pool.push((token(&format!("flow {}", n % 97)), some));
        }
        for seed in 0..20usize {
            let (mut one, mut other) = (People::default(), People::default());
            let mut remembered = 0;
            let mut at = seed * 31;
            for step in 0..4_000usize {
                // Mostly a few of them, again and again.
                at = (at * 1_103_515_245 + 12_345) % (1 << 31);
                let reach = if step % 10 == 0 { pool.len() } else { 1 + seed };
                let (patient, traits) = &pool[(at >> 8) % reach * 7 % pool.len()];
                remembered += usize::from(one.settled.contains_key(patient));
                let known = one.recognise(*patient, traits);
                // A copy of the traits is never taken for the same.
                let copy = Traits(Arc::new(Identity::clone(&traits.0)));
                let again = other.recognise(*patient, &copy);
                assert_eq!(known.person, again.person, "{seed} {step}");
                assert_eq!(known.merged, again.merged, "{seed} {step}");
                assert_eq!(one.person(*patient), other.person(*patient));
            }
            assert_eq!(one.len(), other.len());
            assert!(remembered > 1_000, "{remembered}");
        }
    }

    #[test]
    fn who_is_the_same_person_in_two_flows() {
        use Kind::{InsuranceNumber, PatientId, Ssn};
        let id = |value, issuer| (PatientId, value, issuer);
        type Given<'a> = (&'a [(Kind, &'a str, &'a str)], &'a [&'a str], &'a [&'a str]);
        let cases: &[(&str, Given<'_>, Given<'_>, usize)] = &[
            ("same issuer and id", (&[id("1", "A")], &[], &[]), (&[id("1", "A")], &[], &[]), 1),
            ("two issuers", (&[id("1", "A")], &[], &[]), (&[id("1", "B")], &[], &[]), 2),
            (
                "two issuers, name and birth date",
                (&[id("1", "A")], &["ash eve"], &["1959"]),
                (&[id("1", "B")], &["ash eve"], &["1959"]),
                1,
            ),
            ("no issuer", (&[id("1", "")], &[], &[]), (&[id("1", "")], &[], &[]), 1),
            ("issuer in one", (&[id("1", "A")], &[], &[]), (&[id("1", "")], &[], &[]), 2),
            (
                "issuer in one, name",
                (&[id("1", "A")], &["ash eve"], &[]),
                (&[id("1", "")], &["ash eve"], &["1959"]),
                1,
            ),
            (
                "same issuer and id, married",
                (&[id("1", "A")], &["ash eve"], &["1959"]),
                (&[id("1", "A")], &["oak eve"], &["1959"]),
                1,
            ),
            (
                "same issuer and id, all else other",
                (&[id("1", "A")], &["ash eve"], &["1959"]),
                (&[id("1", "A")], &["oak tom"], &["1977"]),
                2,
            ),
            (
                "name and birth date",
                (&[], &["ash eve"], &["1959"]),
                (&[], &["ash eve"], &["1959"]),
                1,
            ),
            ("name alone", (&[], &["ash eve"], &[]), (&[], &["ash eve"], &[]), 2),
            ("name, one birth date", (&[], &["ash eve"], &["1959"]), (&[], &["ash eve"], &[]), 2),
            (
                "name and birth date, other id of the same issuer",
                (&[id("1", "A")], &["ash eve"], &["1959"]),
                (&[id("2", "A")], &["ash eve"], &["1959"]),
                2,
            ),
            ("issuer by OID", (&[id("1", "A&1.2")], &[], &[]), (&[id("1", "&1.2")], &[], &[]), 1),
            ("issuer by name", (&[id("1", "A&1.2")], &[], &[]), (&[id("1", "A")], &[], &[]), 1),
            ("two OIDs", (&[id("1", "A&1.2")], &[], &[]), (&[id("1", "A&1.3")], &[], &[]), 2),
            ("ssn", (&[(Ssn, "536", "")], &[], &[]), (&[(Ssn, "536", "")], &[], &[]), 1),
            (
                "a number that families share",
                (&[(InsuranceNumber, "7", "A")], &[], &[]),
                (&[(InsuranceNumber, "7", "A")], &[], &[]),
                2,
            ),
        ];
        for (what, a, b, people) in cases {
            let (a, b) = (traits(a.0, a.1, a.2), traits(b.0, b.1, b.2));
            assert_eq!(count(&[a.clone(), b.clone()]), *people, "{what}");
            assert_eq!(count(&[b, a]), *people, "{what}, the other way round");
        }
    }

    #[test]
    fn a_record_that_knows_both_makes_two_people_one() {
        let id = traits(&[(Kind::PatientId, "1", "A")], &[], &[]);
        let name = traits(&[], &["ash eve"], &["1959"]);
        let both = traits(&[(Kind::PatientId, "1", "A")], &["ash eve"], &["1959"]);
        let mut people = People::default();
        assert_eq!(people.recognise(token("a"), &id).person, token("a"));
        assert_eq!(people.recognise(token("b"), &name).person, token("b"));
        let known = people.recognise(token("c"), &both);
        assert_eq!((known.person, &known.merged[..]), (token("a"), &[token("b")][..]));
        assert_eq!(people.len(), 1);
        assert_eq!(people.recognise(token("b"), &name).person, token("a"));
        assert!(people.recognise(token("c"), &both).merged.is_empty());
    }

    #[test]
    fn a_merge_makes_two_people_one() {
        let id = |n| traits(&[(Kind::PatientId, n, "A")], &[], &[]);
        let both = [(Kind::PatientId, "1", "A"), (Kind::PatientId, "2", "A")];
        let mut people = People::default();
        people.recognise(token("a"), &id("1"));
        people.recognise(token("b"), &id("2"));
        people.recognise(token("c"), &id("3"));
        assert_eq!(people.len(), 3);
        let merged = people.recognise(token("a"), &traits(&both, &[], &[]));
        assert_eq!((merged.person, &merged.merged[..]), (token("a"), &[token("b")][..]));
        assert_eq!(people.len(), 2);
    }

    #[test]
    fn beyond_the_cap_people_keep_their_own_pseudonyms() {
        let mut people = People::default();
        for n in 0..MAX_PEOPLE as u64 + 10 {
            let bytes = blake3::hash(&n.to_be_bytes());
            let own = Token::of(bytes.as_bytes()[..12].try_into().expect("12 bytes"));
            assert_eq!(people.recognise(own, &Traits::default()).person, own);
        }
        assert_eq!(people.len(), MAX_PEOPLE);
    }
}
