//! A record of a loose format (JSON, form, CSV, HTML, text): values under names that the key rules know, combined
//! into the fields of one person.

mod joined;

use crate::content::{Evidence, Field, Mark, MarkSet, Scope};
use crate::phi::Phi;
use crate::rules::{About, FieldRule, Health, IdentifierRule, Key, KeyRules, Kind, NamePart};
use joined::{date, join, joins_with};
use std::sync::Arc;

/// Fields kept of one record.
pub const MAX_FIELDS: usize = 64;

/// Confidence of a field below which it counts only in a record about a patient.
const MIN_CONFIDENCE: f32 = 0.5;

/// Confidence of a name below which it may be that of a thing.
const MIN_PERSONAL: f32 = 0.6;

/// Meaning of a name on the wire; a [`Key`] that can be kept.
#[derive(Clone)]
pub struct Meaning {
    /// The rule.
    pub rule: Arc<FieldRule>,
    /// Whole, family or given name.
    pub part: NamePart,
    /// The name itself says that it is about a patient.
    pub patient: bool,
    /// Why a value under it is an identifier, and how certain that is.
    pub evidence: Evidence,
    /// 0 to 1.
    pub confidence: f32,
    /// Only patients have such a number.
    pub care: bool,
}

impl From<&Key> for Meaning {
    fn from(key: &Key) -> Self {
        Self { part: key.part, patient: key.patient, ..Self::whole(&key.rule) }
    }
}

impl Meaning {
    /// The whole value of a field that a rule names.
    pub fn whole(rule: &Arc<FieldRule>) -> Self {
        Self {
            rule: Arc::clone(rule),
            part: NamePart::Whole,
            patient: false,
            evidence: Evidence::Labelled,
            confidence: rule.confidence,
            care: false,
        }
    }

    /// A number that was found in text.
    pub fn found(rule: &IdentifierRule, evidence: Evidence, confidence: f32) -> Self {
        Self { evidence, confidence, care: rule.health, ..Self::whole(&rule.rule) }
    }
    /// The same for a field that only patients have.
    pub fn of_patient(rule: &Arc<FieldRule>) -> Self {
        Self { patient: true, ..Self::whole(rule) }
    }
}

/// Context of a record: marks, and the kind of person it is about.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Marks {
    marks: MarkSet,
    /// About care, which usually means a patient.
    care: bool,
    /// About something else.
    other: bool,
    /// About people in another role.
    elsewhere: bool,
    /// Not about a person: an animal, an example.
    nobody: bool,
}

/// Prefix of the word for a kind of animal, as in `rules/keys.toml`.
const ANIMAL: &str = "animal.";

/// Longest word for a kind of animal, bytes.
const MAX_SPECIES: usize = 40;

impl Marks {
    const NONE: Self =
        Self { marks: MarkSet::EMPTY, care: false, other: false, elsewhere: false, nobody: false };
    /// Not about a person.
    const NOBODY: Self = Self { nobody: true, ..Self::NONE };

    /// About a patient.
    pub const PATIENT: Self = Self::of(Mark::PatientContext);
    /// About care, which most often is that of a patient.
    pub const CARE: Self = Self { care: true, ..Self::NONE };
    /// A question.
    pub const QUERY: Self = Self::of(Mark::Query);

    const fn of(mark: Mark) -> Self {
        Self { marks: MarkSet::of(mark), ..Self::NONE }
    }
    /// What a context name says.
    pub const fn about(about: About) -> Self {
        match about {
            About::Patient => Self::PATIENT,
            // Only patients have these.
            About::Diagnosis => Self::PATIENT.and(Self::of(Mark::Diagnosis)),
            About::Result => Self::of(Mark::Result),
            About::Medication => Self::of(Mark::Medication),
            About::Allergy => Self::CARE.and(Self::of(Mark::Allergy)),
            About::Procedure => Self::of(Mark::Procedure),
            About::Care => Self::CARE,
            About::Other => Self { other: true, ..Self::NONE },
            About::Elsewhere | About::Species => Self { elsewhere: true, ..Self::NONE },
            About::Nobody => Self::NOBODY,
            About::Nothing | About::Relative | About::Mother | About::Birth => Self::NONE,
        }
    }
    /// As a number, to compare by.
    pub fn bits(self) -> u64 {
        let flags = [self.care, self.other, self.elsewhere, self.nobody];
        flags.iter().fold(self.marks.bits().into(), |bits, flag| bits << 1 | u64::from(*flag))
    }
    /// What a name says of the values below it.
    pub fn about_name(name: &str, keys: &KeyRules) -> Self {
        keys.scope_of(name).map_or(Self::NONE, |said| Self::about(said.inside))
    }
    /// Both.
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self {
            marks: self.marks.union(other.marks),
            care: self.care || other.care,
            other: self.other || other.other,
            elsewhere: self.elsewhere || other.elsewhere,
            nobody: self.nobody || other.nobody,
        }
    }
    /// Whether this mark is among them.
    pub const fn has(self, mark: Mark) -> bool {
        self.marks.contains(mark)
    }
    /// Something else altogether, people in another role, or no person.
    pub const fn is_other(self) -> bool {
        self.other || self.elsewhere || self.nobody
    }
    /// What a word for a kind of animal says.
    pub fn of_species(word: &str, keys: &KeyRules) -> Self {
        let known = word.len() <= MAX_SPECIES
            && keys.context(&format!("{ANIMAL}{word}")) == Some(About::Nobody);
        if known { Self::NOBODY } else { Self::NONE }
    }
    /// Only what says that it is not about a person.
    pub const fn of_nobody(self) -> Self {
        Self { nobody: self.nobody, ..Self::NONE }
    }
    /// The same without what says that it is not about a person.
    pub const fn of_somebody(self) -> Self {
        Self { nobody: false, ..self }
    }
    /// People in another role.
    pub const fn is_elsewhere(self) -> bool {
        self.elsewhere
    }
    /// All in all, about a patient.
    pub const fn is_patient(self) -> bool {
        !self.nobody && (self.has(Mark::PatientContext) || self.care && !self.elsewhere)
    }
    /// What a heading or a path says of what follows.
    pub const fn ahead(self) -> Self {
        let marks = self.marks.intersection(MarkSet::of(Mark::PatientContext));
        Self { marks, care: self.care, nobody: self.nobody, ..Self::NONE }
    }
    /// What is said of whatever is inside.
    pub const fn inherited(self) -> Self {
        Self { marks: self.marks.intersection(MarkSet::of(Mark::PatientContext)), ..self }
    }
    /// What says this about a person's health.
    pub fn of_health(health: Health) -> Self {
        Self::of(Mark::from(health))
    }
    /// What is said about a person's health.
    pub const fn health(self) -> Self {
        Self { marks: self.marks.health(), ..Self::NONE }
    }
    /// What `before` does not say.
    pub const fn without(self, before: Self) -> Self {
        Self {
            marks: self.marks.without(before.marks),
            care: self.care && !before.care,
            other: self.other && !before.other,
            elsewhere: self.elsewhere && !before.elsewhere,
            nobody: self.nobody && !before.nobody,
        }
    }
    /// Hands the marks on.
    pub fn put(self, scope: &mut Scope<'_>) {
        self.marks.iter().for_each(|mark| scope.mark(mark));
    }
}

/// A record that is being put together.
#[derive(Default)]
pub struct CandidateRecord {
    fields: Vec<Part>,
    marks: Marks,
}

struct Part {
    meaning: Meaning,
    /// Parts of one name or address share a group.
    group: u32,
    value: zeroize::Zeroizing<String>,
}

impl CandidateRecord {
    /// A value under a name that means something.
    pub fn add(&mut self, meaning: &Meaning, group: u32, value: &str) {
        let value = value.trim();
        if value.is_empty()
            || self.fields.len() >= MAX_FIELDS
            || (is_general(meaning) && names_a_thing(value))
        {
            return;
        }
        if meaning.patient {
            self.mark(Marks::PATIENT);
        }
        // `"patient": "4ef2-1"` points to a record of one.
        let whole = meaning.rule.kind == Kind::Name && meaning.part == NamePart::Whole;
        let word = !value.contains(char::is_whitespace);
        if whole && word && value.bytes().any(|b| b.is_ascii_digit()) && value.is_ascii() {
            return;
        }
        // A date says more than its year.
        if meaning.rule.kind == Kind::BirthDate && meaning.part == NamePart::Whole {
            self.fields
                .retain(|f| f.meaning.rule.kind != Kind::BirthDate || !is_year_of(&f.value, value));
        }
        self.fields.push(Part {
            meaning: meaning.clone(),
            group,
            value: zeroize::Zeroizing::new(value.to_owned()),
        });
    }

    /// Something said around it at a distance (a path, a heading). Hospitals publish lists of doctors
    /// under `/patients/`, too: it counts only if the record is one of a person.
    pub fn mark_from_afar(&mut self, marks: Marks) {
        let personal = |f: &Part| {
            f.meaning.part != NamePart::Whole
                || f.meaning.rule.kind.is_strong_id()
                || matches!(f.meaning.rule.kind, Kind::BirthDate | Kind::Sex | Kind::DeathDate)
        };
        if marks.ahead() == Marks::default() || self.fields.iter().any(personal) {
            self.mark(marks);
        } else if marks.nobody {
            self.mark(Marks::NOBODY);
        }
    }

    /// What was said of it so far.
    pub const fn marks(&self) -> Marks {
        self.marks
    }

    /// Something said around it.
    pub fn mark(&mut self, marks: Marks) {
        self.marks = self.marks.and(marks);
    }

    /// Whether `value` differs from the one there, of a kind that a person has one of.
    pub fn contradicts(&self, meaning: &Meaning, value: &str) -> bool {
        let kind = meaning.rule.kind;
        let single = matches!(kind, Kind::Name | Kind::PatientId | Kind::BirthDate | Kind::Ssn);
        let value = value.trim();
        let case = is_case_number(meaning);
        // A second number of one kind found in text belongs to another person.
        let found = |f: &Part| {
            f.meaning.evidence.is_found()
                && f.meaning.rule.id == meaning.rule.id
                && *f.value != value
        };
        meaning.evidence.is_found() && self.fields.iter().any(found)
            || single
                && self.fields.iter().any(|f| {
                    f.meaning.rule.kind == kind
                        && f.meaning.part == meaning.part
                        && is_case_number(&f.meaning) == case
                        && *f.value != value
                        && !(kind == Kind::BirthDate && is_year_of(&f.value, value))
                })
    }

    /// Whether there is a field of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.fields.iter().any(|f| f.meaning.rule.kind == kind)
    }

    /// Whether the name of a field says that it is about a patient. One word under `patient` may be a number
    /// of any kind.
    pub fn names_patient(&self) -> bool {
        let names = |f: &Part| {
            f.meaning.rule.kind != Kind::Name
                || f.meaning.part != NamePart::Whole
                || f.value.contains(char::is_whitespace)
        };
        self.fields.iter().any(|f| f.meaning.patient && names(f))
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.fields.iter().map(|f| size_of::<Part>() + f.value.capacity()).sum()
    }

    /// Hands the record on, if it can be one of a person, and starts a new one.
    pub fn emit(&mut self, content: &'static str, scope: &mut Scope<'_>) {
        let mut marks = std::mem::take(&mut self.marks);
        let mut fields = std::mem::take(&mut self.fields);
        if marks.nobody {
            return;
        }
        // Numbers alone are an example, or a page about numbers, unless they are a list.
        let beside =
            |f: &Part| !f.meaning.evidence.is_found() || f.meaning.evidence == Evidence::Listed;
        if fields.iter().any(|f| f.meaning.care) && fields.iter().any(beside) {
            marks = marks.and(Marks::CARE);
        }
        drop_names_beside(&mut fields);
        complement(&mut fields, NamePart::Given, NamePart::Family);
        complement(&mut fields, NamePart::Family, NamePart::Given);
        let number = |f: &Part| f.meaning.rule.kind == Kind::PatientId;
        if fields.iter().any(|f| number(f) && f.meaning.patient && !is_case_number(&f.meaning)) {
            fields.retain(|f| !is_case_number(&f.meaning));
        }
        // People beside a patient without the patient.
        let kin =
            |f: &Part| matches!(f.meaning.rule.kind, Kind::NextOfKinName | Kind::NextOfKinPhone);
        if fields.iter().all(kin) {
            return;
        }
        // Tables that map fields hold the names of fields.
        fields.retain(|f| !names_a_field(&f.meaning, &f.value, scope));
        let patient = marks.is_patient();
        if patient {
            marks = marks.and(Marks::PATIENT);
        } else {
            // One part of a name says what the other one is: `ชื่อ` beside `นามสกุล`.
            let sure = |f: &&Part| f.meaning.rule.confidence >= MIN_CONFIDENCE;
            let parts: Vec<NamePart> = fields.iter().filter(sure).map(|f| f.meaning.part).collect();
            fields.retain(|f| {
                f.meaning.evidence.is_found()
                    || sure(&f)
                    || (f.meaning.part == NamePart::Given && parts.contains(&NamePart::Family))
            });
        }
        if marks.is_other() && !patient {
            return;
        }
        let mut kinds =
            fields.iter().filter(|f| !f.meaning.evidence.is_weak()).map(|f| f.meaning.rule.kind);
        let first = kinds.next();
        let several = kinds.any(|kind| Some(kind) != first);
        if first.is_none() || !(several || patient) {
            return;
        }
        scope.begin_loose(content);
        scope.counters.certain = patient;
        marks.put(scope);
        let mut at = 0;
        while let Some(part) = fields.get(at) {
            let same = |other: &&Part| {
                other.group == part.group && other.meaning.rule.kind == part.meaning.rule.kind
            };
            let joins = match part.meaning.part {
                NamePart::Whole => part.meaning.rule.kind == Kind::Address,
                _ => true,
            };
            // Values that belong together are pushed at the position of the first part.
            let before = fields.iter().take(at).filter(same);
            let earlier = before.clone().any(|o| joins_with(o, part));
            if !joins {
                let whole = part.meaning.rule.kind == Kind::Name && part.meaning.patient;
                match numbered(&part.value).filter(|_| whole) {
                    Some((number, name)) => {
                        let key = if is_date(number) { BIRTH_DATE } else { NUMBER };
                        if let Some(key) = scope.rules.keys.get(key) {
                            put(&Meaning::from(key), number, scope);
                        }
                        put(&part.meaning, name, scope);
                    }
                    None => put(&part.meaning, &part.value, scope),
                }
            } else if !earlier {
                let parts = fields.iter().skip(at).filter(same).filter(|o| joins_with(o, part));
                let value = match part.meaning.part {
                    NamePart::Year | NamePart::Month | NamePart::Day => date(parts),
                    part => join(parts, part != NamePart::Whole),
                };
                put(&part.meaning, &value, scope);
            }
            at += 1;
        }
        scope.end();
    }
}

/// Drops names of other objects where a person has a family and a given name: a nested object that is called something is a
/// clinic, a drug, or another person (`{"lastName": "Roe", "firstName": "Jane", "clinic": {"name": "Mercy"}}`).
fn drop_names_beside(fields: &mut Vec<Part>) {
    let is = |f: &Part, part| f.meaning.rule.kind == Kind::Name && f.meaning.part == part;
    let has = |fields: &[Part], group, part| fields.iter().any(|f| f.group == group && is(f, part));
    let whole = |f: &&Part| is(f, NamePart::Family) && has(fields, f.group, NamePart::Given);
    let Some(person) = fields.iter().find(whole) else { return };
    let group = person.group;
    let beside = |f: &Part| {
        let lone = match f.meaning.part {
            NamePart::Family => !has(fields, f.group, NamePart::Given),
            NamePart::Given => !has(fields, f.group, NamePart::Family),
            _ => is_general(&f.meaning),
        };
        lone && f.meaning.rule.kind == Kind::Name
            && f.group != group
            && !f.meaning.patient
            && !f.meaning.evidence.is_found()
    };
    if !fields.iter().any(beside) {
        return;
    }
    let family = zeroize::Zeroizing::new(person.value.to_lowercase());
    let same = |f: &Part| f.value.to_lowercase().contains(family.as_str());
    let keep: Vec<bool> = fields.iter().map(|f| !beside(f) || same(f)).collect();
    let mut keep = keep.into_iter();
    fields.retain(|_| keep.next().unwrap_or(true));
}

/// Most words of a name beside the other part of it.
const MAX_PART_WORDS: usize = 3;

/// A name beside one part of a name, without the other part, is the other part: `Name;Vorname`, `Nombre;Apellidos`.
fn complement(fields: &mut [Part], there: NamePart, missing: NamePart) {
    let is = |f: &Part, part| f.meaning.rule.kind == Kind::Name && f.meaning.part == part;
    if fields.iter().any(|f| is(f, missing)) {
        return;
    }
    let Some(part) = fields.iter().find(|f| is(f, there)).map(|f| f.value.to_lowercase()) else {
        return;
    };
    let part = zeroize::Zeroizing::new(part);
    let mut whole = fields.iter_mut().filter(|f| is(f, NamePart::Whole));
    if let (Some(name), None) = (whole.next(), whole.next()) {
        let lower = zeroize::Zeroizing::new(name.value.to_lowercase());
        let holds = match there {
            // Two given names are beside each other, a family name of two words is one.
            NamePart::Given => lower.split([' ', ',', '^']).any(|word| *word == **part),
            _ => {
                lower.contains(part.as_str()) || lower.split_whitespace().any(|w| part.contains(w))
            }
        };
        let short = there == NamePart::Given || lower.split_whitespace().count() <= MAX_PART_WORDS;
        if !holds && short && !lower.contains(',') {
            name.meaning.part = missing;
        }
    }
}

/// The rule of keys for the number of a case (`Protokol No`), which is left out beside the number of the patient.
const CASE_NUMBER: &str = "key-case-number";

/// Whether a number is that of a case, and the patient's only where no other is.
fn is_case_number(meaning: &Meaning) -> bool {
    meaning.rule.kind == Kind::PatientId && &*meaning.rule.id == CASE_NUMBER
}

/// The keys whose rules say what the number, or the date, beside the name of a patient is.
const NUMBER: &str = "patient_id";
const BIRTH_DATE: &str = "birth_date";

/// Whether a number is a date with all of its year: `01/31/1970`.
fn is_date(number: &str) -> bool {
    let parts = || number.split(['.', '/', '-']);
    parts().count() == 3
        && parts().all(|part| matches!(part.len(), 1 | 2 | 4))
        && parts().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
        && parts().any(|part| part.len() == 4)
}

/// Whether a text is the year of a date, and nothing else: `1935` of `12.07.1935`.
fn is_year_of(year: &str, date: &str) -> bool {
    year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && date.len() > year.len()
        && (date.starts_with(year) || date.ends_with(year))
}

/// Length of a number beside a name, bytes, and its fewest digits.
const NUMBER_LEN: std::ops::RangeInclusive<usize> = 3..=24;
const MIN_NUMBER_DIGITS: usize = 2;

/// The number and the name of a value that holds both: `H-1200 - Jane Roe`, `Jane Roe (H-1200)`.
pub fn numbered(value: &str) -> Option<(&str, &str)> {
    let front = value.split_once(" - ");
    let behind = || value.trim_end().strip_suffix(')')?.rsplit_once(" (").map(|(a, b)| (b, a));
    let (number, name) = front.or_else(behind)?;
    let (number, name) = (number.trim(), name.trim());
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let is_number = NUMBER_LEN.contains(&number.len())
        && digits >= MIN_NUMBER_DIGITS
        && number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'.'));
    let is_name = name.starts_with(char::is_alphabetic)
        && !name.contains(|c: char| c.is_ascii_digit() || matches!(c, '(' | ')' | ':'))
        && !names_a_thing(name);
    (is_number && is_name).then_some((number, name))
}

/// Whether other things than persons have such a name, too.
fn is_general(meaning: &Meaning) -> bool {
    meaning.rule.kind == Kind::Name
        && meaning.part == NamePart::Whole
        && !meaning.patient
        && meaning.rule.confidence < MIN_PERSONAL
}

/// Whether a name is written like that of a thing: `Essential hypertension`, `Help desk`. Each word
/// of a person's name has a capital where the first has, but for particles, which never end it.
fn names_a_thing(value: &str) -> bool {
    let mut words = value.split_whitespace();
    let first = words.next().unwrap_or("");
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    let last = words.next_back().unwrap_or(first);
    capital(first) && last.starts_with(char::is_lowercase) && !first.ends_with(',')
}

/// Whether a value is the name of a field or of a kind of thing, as in tables that describe data:
/// `person.display`, `Patient.managingOrganization.identifier`, `Organisation`.
fn names_a_field(meaning: &Meaning, value: &str, scope: &Scope<'_>) -> bool {
    let named = matches!(meaning.rule.kind, Kind::Name | Kind::PatientId | Kind::BirthDate);
    let keys = &scope.rules.keys;
    // The texts of a program in one language: `"mrn": "Medical record number"`.
    let own = |key: &Key| key.rule.kind == meaning.rule.kind;
    if meaning.rule.kind != Kind::Sex && keys.get(value).is_some_and(own) {
        return true;
    }
    if !named || meaning.part != NamePart::Whole || value.contains(char::is_whitespace) {
        return false;
    }
    let part = |part: &str| {
        part.len() >= 2
            && part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    };
    let path = value.contains('.') && value.split('.').all(part);
    path || (part(value) && (keys.get(value).is_some() || keys.scope_of(value).is_some()))
}

fn put(meaning: &Meaning, value: &str, scope: &mut Scope<'_>) {
    let rule = &meaning.rule;
    scope.field(Field {
        kind: rule.kind,
        value: Phi::new(value),
        name: &rule.field,
        rule: &rule.id,
        issuer: "",
        authority: "",
        confidence: meaning.confidence,
        evidence: meaning.evidence,
    });
}
