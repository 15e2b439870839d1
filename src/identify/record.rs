//! An open record: its identifiers with their raw values, and the person they seem to belong to.

use super::Token;
use super::counters::{IdentifyCounters, Loss};
use super::profile::Profile;
use crate::capture::PacketSpan;
use crate::content::{ContentId, Evidence, Mark, MarkSet, RecordHead};
use crate::flow::Direction;
use crate::phi::PhiBuf;
use crate::rules::Kind;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};

/// The parts of an evaluated value that do not depend on its record.
#[derive(Clone)]
pub(super) struct EvaluatedValue {
    /// Its real kind.
    pub kind: Kind,
    /// Whether the check digits of a number are valid.
    pub valid: Option<bool>,
    /// A birth date with its day: many people share less than that.
    pub full_date: bool,
    /// Of the value alone: for comparing records.
    pub token: Token,
    /// Of the value and its issuer: for events.
    pub public: Token,
    pub issuer: Issuer,
    /// The two words of a name, if it has two.
    pub words: Option<[Token; 2]>,
    /// The name of a known test patient.
    pub test: bool,
    /// The part that may be shown; `None` under `--reveal`.
    pub mask: Option<Arc<str>>,
    /// Hashes by which the gate of a flow recognises the value; `None` under `--reveal`.
    pub words_of: Arc<[u64]>,
}

/// Where a value was found.
#[derive(PartialEq, Eq)]
pub(super) struct Place {
    /// The field, in the format's own notation.
    pub field: Arc<str>,
    /// The id of the rule that names it.
    pub rule: Arc<str>,
}

/// An identifier of an open record: an evaluated value, which other records share, with its raw text and its
/// evidence in this record.
pub(super) struct RecordIdentifier {
    pub evaluated: Arc<EvaluatedValue>,
    /// The first bits of its token, since all values of a record are compared with each other.
    front: u64,
    pub place: Arc<Place>,
    pub value: PhiBuf,
    pub confidence: f32,
    pub evidence: Evidence,
}

impl std::ops::Deref for RecordIdentifier {
    type Target = EvaluatedValue;
    fn deref(&self) -> &EvaluatedValue {
        &self.evaluated
    }
}

impl RecordIdentifier {
    /// A value, found at `place` with this evidence.
    pub fn new(
        evaluated: Arc<EvaluatedValue>,
        place: Arc<Place>,
        value: PhiBuf,
        (evidence, confidence): (Evidence, f32),
    ) -> Self {
        let front = evaluated.token.front();
        Self { evaluated, front, place, value, confidence, evidence }
    }

    /// The same value, and of the same issuer as far as both name one.
    fn equals(&self, other: &Self) -> bool {
        self.front == other.front
            && self.token == other.token
            && self.kind == other.kind
            && !self.issuer.excludes(other.issuer)
    }

    /// The same without the raw value, for data that outlives its record.
    pub fn without_value(&self) -> Self {
        Self {
            evaluated: Arc::clone(&self.evaluated),
            place: Arc::clone(&self.place),
            value: PhiBuf::default(),
            ..*self
        }
    }

    /// Learns the issuer of the same value, if it was unknown.
    fn learn_issuer(&mut self, other: &Self) {
        if !self.issuer.may_learn(other.issuer) || self.issuer.excludes(other.issuer) {
            return;
        }
        let evaluated = Arc::make_mut(&mut self.evaluated);
        if !evaluated.issuer.is_known() {
            evaluated.public = other.public;
        }
        evaluated.issuer.learn(other.issuer);
    }
}

/// Issuer of an ID: by a local name, by a universal ID (OID), or by both (HL7 HD). 0 if unknown. Only hashes of the
/// folded names are kept, because they are only compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Issuer {
    namespace: u64,
    universal: u64,
}

impl Issuer {
    /// From the result of [`Issuer::parts`].
    pub const fn from_parts((namespace, universal): (u64, u64)) -> Self {
        Self { namespace, universal }
    }
    /// The hashes of its name and of its universal id, 0 if missing.
    pub const fn parts(self) -> (u64, u64) {
        (self.namespace, self.universal)
    }
    /// From the normal form of its name.
    pub fn new(namespace: &str) -> Self {
        Self { namespace: hash(namespace), universal: 0 }
    }
    /// The same with the normal form of its universal id.
    pub fn or_universal(self, universal: &str) -> Self {
        Self { universal: hash(universal), ..self }
    }
    /// Whether an issuer is known.
    pub const fn is_known(self) -> bool {
        self.namespace != 0 || self.universal != 0
    }
    /// Both are known and differ. Universal ids decide if both have one.
    pub const fn excludes(self, other: Self) -> bool {
        if self.universal != 0 && other.universal != 0 {
            return self.universal != other.universal;
        }
        self.is_known() && other.is_known() && {
            self.namespace == 0 || self.namespace != other.namespace
        }
    }
    /// Both are known and equal, or both are unknown.
    pub const fn same(self, other: Self) -> bool {
        self.is_known() == other.is_known() && !self.excludes(other)
    }
    /// Whether [`Issuer::learn`] would change anything.
    pub const fn may_learn(self, other: Self) -> bool {
        self.namespace == 0 && other.namespace != 0 || self.universal == 0 && other.universal != 0
    }
    /// Adds the name or the universal id, if it was unknown.
    pub const fn learn(&mut self, other: Self) {
        if self.excludes(other) {
            return;
        }
        if self.namespace == 0 {
            self.namespace = other.namespace;
        }
        if self.universal == 0 {
            self.universal = other.universal;
        }
    }
}

fn hash(normal: &str) -> u64 {
    use std::hash::BuildHasher;
    let hash = foldhash::fast::FixedState::default().hash_one(normal);
    if normal.is_empty() { 0 } else { hash.max(1) }
}

/// An ID that belongs to one person.
#[derive(Clone, Copy)]
pub(super) struct PersonalId {
    pub kind: Kind,
    pub token: Token,
    pub public: Token,
    pub issuer: Issuer,
}

impl PersonalId {
    /// The value as an id of `kind`.
    pub fn of(kind: Kind, held: &RecordIdentifier) -> Self {
        Self { kind, token: held.token, public: held.public, issuer: held.issuer }
    }
    /// The same number of the same issuer, as far as both say.
    pub fn equals(&self, other: &Self) -> bool {
        self.token == other.token && self.kind == other.kind && !self.issuer.excludes(other.issuer)
    }
    /// Whole families share it (the policy holder's number), so it proves nothing alone.
    pub const fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::InsuranceNumber)
    }
}

/// A name.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub token: Token,
    /// Its two words; `None` for a family name or a given name alone, which many people share.
    pub words: Option<[Token; 2]>,
}

impl Named {
    /// Two words.
    pub const fn is_whole(&self) -> bool {
        self.words.is_some()
    }
    /// Whether it is, or contains, this name.
    fn covers(&self, token: Token) -> bool {
        self.token == token || self.words.is_some_and(|w| w.contains(&token))
    }
}

/// The values that distinguish people.
#[derive(Clone, Default)]
pub(super) struct Identity {
    pub strong: SmallVec<[PersonalId; 4]>,
    pub names: SmallVec<[Named; 2]>,
    pub births: SmallVec<[Token; 1]>,
}

impl Identity {
    /// Adds the values of an identifier.
    pub fn add(&mut self, held: &RecordIdentifier) {
        match held.kind {
            Kind::Name => self.names.push(Named { token: held.token, words: held.words }),
            Kind::BirthDate if held.full_date => self.births.push(held.token),
            kind if kind.is_strong_id() => {
                self.strong.push(PersonalId::of(kind, held));
            }
            _ => {}
        }
    }
    /// Whether nothing in it distinguishes people.
    pub fn is_empty(&self) -> bool {
        self.strong.is_empty() && self.names.is_empty() && self.births.is_empty()
    }
    /// Whether both have names and none is the same. A part of a name differs from another part, but does not
    /// contradict a whole one.
    pub fn names_differ(&self, other: &Self) -> bool {
        let both_whole = self.has_whole_name() && other.has_whole_name();
        if self.has_whole_name() != other.has_whole_name() {
            return false;
        }
        let known = |n: &Named| other.names.iter().any(|o| o.token == n.token);
        !self.names.is_empty()
            && !other.names.is_empty()
            && !self.names.iter().any(|n| n.is_whole() == both_whole && known(n))
    }
    /// Whether there is a name of two words.
    pub fn has_whole_name(&self) -> bool {
        self.names.iter().any(Named::is_whole)
    }
    /// Whether every name of `other` is known here, at least as a part of one.
    pub fn covers_names(&self, other: &Self) -> bool {
        other.names.iter().all(|o| self.names.iter().any(|n| n.covers(o.token)))
    }
    /// Whether both have birth dates and none is the same.
    pub fn births_differ(&self, other: &Self) -> bool {
        disjoint(&self.births, &other.births)
    }
    /// Whether an id that only one person has is equal in both.
    pub fn shares_strong(&self, other: &Self) -> bool {
        self.pairs(other).any(|(a, b)| !a.is_shared() && a.equals(b))
    }
    /// Whether both have IDs of one kind, and none is equal, regardless of issuer.
    pub fn kinds_differ(&self, other: &Self) -> bool {
        self.pairs(other).any(|(a, b)| a.kind == b.kind && a.token != b.token)
            && !self.shares_strong(other)
    }
    /// Whether ids of one kind and issuer are in both and none is equal: a person has one number with each issuer.
    pub fn strong_differs(&self, other: &Self) -> bool {
        let comparable = |a: &PersonalId, b: &PersonalId| {
            a.kind == b.kind && (a.kind == Kind::Ssn || a.issuer.same(b.issuer))
        };
        self.pairs(other).any(|(a, b)| comparable(a, b) && a.token != b.token)
            && !self.shares_strong(other)
    }
    /// The same without the numbers that families share.
    pub fn unshared_differs(&self, other: &Self) -> bool {
        let differ =
            |(a, b): (&PersonalId, &PersonalId)| a.kind == b.kind && !a.is_shared() && !a.equals(b);
        self.pairs(other).any(differ) && !self.shares_strong(other)
    }
    /// Notes the issuer of an id that was known without. Returns whether that changed anything.
    pub fn learn_issuer(&mut self, id: &PersonalId) -> bool {
        let known = |s: &&mut PersonalId| s.token == id.token && s.kind == id.kind;
        let Some(known) = self.strong.iter_mut().find(known) else { return false };
        let (public, learns) = (known.public, known.issuer.may_learn(id.issuer));
        if !known.issuer.is_known() {
            known.public = id.public;
        }
        known.issuer.learn(id.issuer);
        learns || public != known.public
    }
    /// Whether they cannot be the same person.
    pub fn contradicts(&self, other: &Self) -> bool {
        if self.shares_strong(other) {
            return self.names_differ(other) && self.births_differ(other);
        }
        self.strong_differs(other) || self.names_differ(other) || self.births_differ(other)
    }
    fn pairs<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a PersonalId, &'a PersonalId)> {
        self.strong.iter().flat_map(|a| other.strong.iter().map(move |b| (a, b)))
    }
}

fn disjoint(a: &[Token], b: &[Token]) -> bool {
    !a.is_empty() && !b.is_empty() && !a.iter().any(|t| b.contains(t))
}

/// An ended record, as it is filed under its patient.
pub(super) struct Complete<'a> {
    /// The packets that carried it.
    pub packets: PacketSpan,
    pub held: &'a [RecordIdentifier],
    pub identity: &'a Identity,
    pub marks: MarkSet,
    pub direction: Direction,
    pub operation: &'a str,
    pub carrier: &'a [&'static str],
    /// If the record was read before: what it adds for a new patient.
    pub profile: Option<&'a OnceLock<Profile>>,
}

impl<'a> Complete<'a> {
    /// Whether no value is there twice. A record keeps each once, but may learn later that two issuers are one.
    pub fn is_distinct(&self) -> bool {
        let held = self.held.iter().enumerate();
        held.into_iter().all(|(n, one)| {
            let before = self.held.get(..n).unwrap_or_default();
            !before.iter().any(|other| other.front == one.front && other.equals(one))
        })
    }

    /// The values read.
    pub fn of(record: &'a Record) -> Self {
        Self {
            packets: record.packets,
            held: &record.held,
            identity: &record.identity,
            marks: record.marks,
            direction: record.direction,
            operation: &record.operation,
            carrier: &record.carrier,
            profile: None,
        }
    }
}

/// Values of ended records whose memory is kept.
const MAX_SPARE: usize = 128;

/// An open record.
pub(super) struct Record {
    pub at: ContentId,
    pub content: &'static str,
    pub structured: bool,
    pub direction: Direction,
    pub operation: String,
    pub carrier: Vec<&'static str>,
    pub held: Vec<RecordIdentifier>,
    pub identity: Identity,
    pub marks: MarkSet,
    /// A nested record that came before this one named its person.
    pub waiting: Option<Box<Record>>,
    /// Nested records of different people have been seen: this one only wraps them.
    pub container: bool,
    /// It was part of a de-identified record, and names another person than that record does.
    pub exposed: bool,
    /// Records opened inside this one beyond the cap that have not ended.
    pub shadows: u32,
    /// The packets that carried it so far.
    pub packets: PacketSpan,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            at: ContentId(0),
            content: "",
            structured: false,
            direction: Direction::ClientToServer,
            operation: String::new(),
            carrier: Vec::new(),
            held: Vec::new(),
            identity: Identity::default(),
            marks: MarkSet::default(),
            waiting: None,
            container: false,
            exposed: false,
            shadows: 0,
            packets: PacketSpan::default(),
        }
    }
}

impl Record {
    /// Begins at `at`, with the memory of an ended record.
    pub fn begin(mut self, at: ContentId, head: &RecordHead<'_>, packets: PacketSpan) -> Self {
        self.at = at;
        self.content = head.content;
        self.structured = head.structured;
        self.direction = head.direction;
        self.operation.push_str(head.operation);
        self.carrier.extend_from_slice(head.carrier);
        self.packets = packets;
        self
    }

    /// Gives its memory to another record, and that of its values to `spare`. The values are overwritten.
    pub fn clear(mut self, spare: &mut Vec<PhiBuf>) -> Self {
        for mut held in self.held.drain(..) {
            if spare.len() < MAX_SPARE {
                held.value.wipe();
                spare.push(held.value);
            }
        }
        self.operation.clear();
        self.carrier.clear();
        Self {
            held: self.held,
            operation: self.operation,
            carrier: self.carrier,
            ..Self::default()
        }
    }

    /// Adds an identifier, each value once.
    pub fn add(&mut self, held: RecordIdentifier, cap: usize, counters: &mut IdentifyCounters) {
        if let Some(known) = self.held.iter_mut().find(|h| h.equals(&held)) {
            if held.issuer.is_known() {
                known.learn_issuer(&held);
                self.identity.learn_issuer(&PersonalId::of(held.kind, &held));
            }
            // The better evidence is kept.
            if held.evidence < known.evidence {
                known.evidence = held.evidence;
                known.confidence = held.confidence;
            }
        } else if self.held.len() < cap {
            self.identity.add(&held);
            self.held.push(held);
        } else {
            counters.lose(Loss::RecordIdentifiers);
        }
    }

    /// Takes over all values of a nested record of the same person.
    pub fn join(&mut self, nested: Self, cap: usize, counters: &mut IdentifyCounters) {
        // A structured record inside a loose one (HL7 in a JSON string) has the better type.
        if nested.structured && !self.structured {
            self.content = nested.content;
            self.structured = true;
            self.operation = nested.operation;
            self.carrier = nested.carrier;
        }
        self.marks = self.marks.union(nested.marks);
        self.packets.extend(nested.packets);
        for held in nested.held {
            self.add(held, cap, counters);
        }
    }

    /// Whether a nested record names a person although this one is declared de-identified: cleaning tools
    /// overlook a report inside a cleaned image.
    pub fn exposed_by(&self, nested: &Self) -> bool {
        let known = |s: &PersonalId| self.identity.strong.iter().any(|o| o.equals(s));
        self.marks.contains(Mark::Deidentified)
            && !nested.marks.contains(Mark::Deidentified)
            && !(nested.identity.strong.iter().all(known)
                && self.identity.covers_names(&nested.identity))
    }

    /// Drops wildcard query keys (`HART*`, PS3.4 C.2.2.2.4): they identify no one.
    pub fn drop_patterns(&mut self) {
        self.held.retain(|h| !h.value.as_phi().expose().contains(['*', '?']));
        self.identify();
    }

    /// Determines the person of the record, from its identifiers.
    pub fn identify(&mut self) {
        self.identity = Identity::default();
        for held in &self.held {
            self.identity.add(held);
        }
    }

    /// Different kinds of the identifiers that are evidence and match `count`, each once.
    pub fn kinds_of(&self, count: impl Fn(&RecordIdentifier) -> bool) -> SmallVec<[Kind; 16]> {
        let proves = |held: &RecordIdentifier| self.structured || !held.evidence.is_weak();
        let counted = self.held.iter().filter(|held| proves(held) && count(held));
        let mut kinds: SmallVec<[Kind; 16]> = counted.map(|h| h.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Bytes of heap, roughly.
    pub fn memory(&self) -> usize {
        let values: usize = self.held.iter().map(|h| h.value.len()).sum();
        size_of::<Self>()
            + values
            + self.held.capacity() * size_of::<RecordIdentifier>()
            + self.waiting.as_ref().map_or(0, |r| r.memory())
    }
}
