//! Segments that come again: systems repeat those about a patient in every message. Reading one gives the same fields
//! each time, so the consumer of fields keeps them by a hash of its bytes ([`Scope::repeat_part`]).

use super::{MAX_RECORD_FIELDS, Message, Record, Syntax};
use crate::content::{PartBytes, Repeats, Scope};
use crate::rules::Kind;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::hash::BuildHasher as _;

/// Longest segment that is kept, bytes.
const MAX_PART: usize = 2 << 10;

/// Fields of a segment that is kept.
const MAX_FIELDS: u32 = 64;

/// How likely a segment of this name comes again. Others change with each message.
const fn repeats(name: [u8; 3]) -> Option<Repeats> {
    match name {
        [b'P', b'I', b'D'] => Some(Repeats::Likely),
        [b'N', b'K', b'1'] | [b'G', b'T', b'1'] | [b'I', b'N', b'1' | b'2'] => {
            Some(Repeats::Perhaps)
        }
        _ => None,
    }
}

/// What the next segments of a record depend on, beside their bytes.
#[derive(Clone, Copy, Default)]
pub struct Chain {
    /// The key of the last segment that named the patient.
    key: u64,
    /// Values known of the patient behind it.
    values: u32,
}

impl Chain {
    /// Represents all that a segment depends on beside its bytes and the rules: the notation, and what earlier segments
    /// gave of the patient. `None` if others have added to that (`values` differ).
    fn around(self, syntax: Syntax, insured_is_patient: bool, values: u32) -> Option<u64> {
        let around = (syntax, self.key, insured_is_patient);
        (values == self.values).then(|| FixedState::default().hash_one(around))
    }

    /// Behind the segment with this key.
    const fn behind(self, key: u64, values: u32) -> Self {
        Self { key: if values == self.values { self.key } else { key }, values }
    }
}

/// The effect of a segment on the reader itself, for when the segment comes again.
#[derive(Default)]
pub struct PartNote {
    /// Names of people whom the format declares to be patients.
    pub people: u64,
    /// Fields passed on.
    pub fields: u32,
    /// What it says of the patient.
    pub patient: PatientNote,
    /// Values by which later segments are compared, and where they are in its bytes.
    named: SmallVec<[(Kind, u32, u32); 6]>,
}

/// What a segment says of the patient.
#[derive(Clone, Copy, Default)]
pub struct PatientNote {
    /// The day of birth as a number; 0 if unknown.
    pub birth: u32,
    /// There is a birth date.
    pub born: bool,
    /// It is about a control or a unit of blood.
    pub material: bool,
    /// The insured person is the patient.
    pub insured_is_patient: bool,
}

impl PartNote {
    /// The values by which later segments are compared, from the bytes of the segment.
    fn named<'r>(&self, raw: &'r [u8]) -> impl Iterator<Item = (Kind, &'r str)> {
        self.named.iter().filter_map(|(kind, start, end)| {
            let value = raw.get(*start as usize..*end as usize)?;
            Some((*kind, std::str::from_utf8(value).ok()?))
        })
    }
}

/// Notes the effects of the segment that is being read.
pub struct Noting {
    bytes: PartBytes,
    note: PartNote,
    /// Names of people before it.
    people: u64,
    /// A value is not written in it as it was passed on.
    spoilt: bool,
}

impl Noting {
    /// For this segment.
    fn new(raw: &[u8], scope: &Scope<'_>) -> Self {
        Self {
            bytes: PartBytes::of(raw),
            note: PartNote::default(),
            people: scope.counters.people,
            spoilt: false,
        }
    }

    /// A value by which later segments are compared.
    pub fn named(&mut self, kind: Kind, value: &str) {
        match self.bytes.place_of(value) {
            Some((start, end)) => self.note.named.push((kind, start, end)),
            None => self.spoilt = true,
        }
    }

    /// The segment has been read: `fields` were passed on.
    fn end(mut self, fields: u32, patient: PatientNote, scope: &mut Scope<'_>) {
        let kept = !self.spoilt && fields <= MAX_FIELDS;
        (self.note.fields, self.note.patient) = (fields, patient);
        self.note.people = scope.counters.people - self.people;
        scope.keep_part(kept.then_some(self.note));
    }
}

/// Whether a segment is short enough to be kept.
const fn fits(raw: &[u8]) -> bool {
    raw.len() <= MAX_PART
}

impl Record {
    /// What its segments have said of the patient.
    const fn note(&self) -> PatientNote {
        let Self { birth, born, material, insured_is_patient, .. } = *self;
        PatientNote { birth, born, material, insured_is_patient }
    }
}

impl Message {
    /// Reads a segment, or repeats its effects if it was read before.
    pub fn known_or_read(&mut self, name: [u8; 3], raw: &[u8], scope: &mut Scope<'_>) {
        let Some(key) = self.part_key(name, raw, scope) else {
            return self.read(name, raw, scope);
        };
        let record = self.record.as_ref();
        let (chain, before) = record.map_or_else(Default::default, |r| (r.chain, r.fields));
        if record.is_none() {
            self.begin(scope);
        }
        let repeats = repeats(name).unwrap_or_default();
        if let Some(known) = scope.repeat_part(key, raw, repeats) {
            self.repeat(name, &known, raw);
        } else {
            self.noting = Some(Noting::new(raw, scope));
            self.read(name, raw, scope);
            if let (Some(noting), Some(record)) = (self.noting.take(), &self.record) {
                noting.end(record.fields - before, record.note(), scope);
            }
        }
        if let Some(record) = &mut self.record {
            record.chain = chain.behind(key, record.own.values());
        }
    }

    /// The key of a segment that may have been read before.
    fn part_key(&self, name: [u8; 3], raw: &[u8], scope: &mut Scope<'_>) -> Option<u64> {
        repeats(name).filter(|_| fits(raw))?;
        let first = &name == b"PID";
        let (chain, insured, values) = match &self.record {
            None if first => Default::default(),
            Some(r) if !first && !r.query && r.fields < MAX_RECORD_FIELDS / 2 => {
                (r.chain, r.insured_is_patient, r.own.values())
            }
            _ => return None,
        };
        scope.part_key(raw, chain.around(self.syntax(), insured, values)?)
    }

    /// The effects of a segment on the open record, whose fields have been passed on.
    fn repeat(&mut self, name: [u8; 3], known: &PartNote, raw: &[u8]) {
        let Some(record) = &mut self.record else { return };
        let PatientNote { birth, born, material, insured_is_patient } = known.patient;
        record.fields += known.fields;
        record.insured_is_patient = insured_is_patient;
        if &name == b"PID" {
            (record.birth, record.born, record.material) = (birth, born, material);
        }
        for (kind, value) in known.named(raw) {
            record.own.note(kind, value);
        }
    }
}
