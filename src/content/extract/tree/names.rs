//! What the key names of a document mean, looked up once each: a list of records repeats the same
//! few names thousands of times.

use super::structure::Use;
use super::{labelled, path};
use crate::content::extract::numbers::ListPosition;
use crate::content::extract::record::{Marks, Meaning};
use crate::content::formats::dicom::model::{is_wanted, named};
use crate::rules::{About, ContextScope, RuleSet};
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher as _;

/// Names and pairs of names remembered in one document.
const MAX_NAMES: usize = 4096;

/// Names kept from one document to the next, and sets of them: one for each document that is open at
/// the same time.
const MAX_KEPT: usize = 1024;
const MAX_POOLED: usize = 8;

/// Longest name of what a service answers about a patient, bytes.
const MAX_RESULT: usize = 64;

/// A name that means nothing.
pub const PLAIN: u16 = 0;

/// What a name is, on its own.
#[derive(Clone, Default)]
pub struct Name {
    /// As on the wire, for FHIR paths.
    pub text: Box<str>,
    /// What the key rules say.
    pub meaning: Option<Meaning>,
    /// What it says of the record around it.
    pub marks: Marks,
    /// What it says about everything below it.
    pub inside: Marks,
    /// What it says of the whole document.
    pub document: Marks,
    /// Eight hexadecimal digits: an element of the DICOM JSON model (PS3.18 F.2.2).
    pub dicom_tag: Option<u32>,
    /// Values of this element are of use.
    pub tag_wanted: bool,
    /// It is `value`, which some write for `Value`.
    pub small_value: bool,
    /// An element of a FHIR rule, or a part of one of its data types.
    pub fhir: bool,
    /// Other names have a meaning of their own under it.
    pub parent: bool,
    /// What is below it is part of what is around it.
    pub component: bool,
    /// Holds the values of a DICOM element (PS3.18 F.2.2, F.2.3).
    pub tag_value: bool,
    /// Gives the type of a FHIR resource.
    pub resource_type: bool,
    /// Resources are below it, whatever the resource around it is (FHIR R4, `DomainResource.contained`,
    /// `Bundle.entry.resource`, `Bundle.entry.response.outcome`).
    pub holds_resources: bool,
    /// A list of the names of one person.
    pub names: bool,
    /// A list of a person's numbers, or one of them.
    pub identifiers: bool,
    /// They are a patient's, whatever their kinds are called (`PatientIDs`).
    pub patient_numbers: bool,
    /// It holds a drug, a diagnosis, a result: what is called a name in it is that of a thing.
    pub thing: bool,
    /// A member of an operation of a JSON Patch (RFC 6902 4).
    pub operation: bool,
    /// The request of an entry of a FHIR Bundle.
    pub request: bool,
    /// Labelled objects are below it (FHIR R4, `Parameters.parameter`, `Extension`).
    pub holds_labelled: bool,
    /// What it means to tables and lists of pairs.
    pub use_: Use,
    /// What it says about the subject of a FHIR resource.
    pub link: Option<Link>,
    /// It holds the number of something in another system (openEHR, PARTY_REF).
    pub refers_out: bool,
    /// It holds a patient, whatever is done with it (`GetPatientResult`).
    pub patient: bool,
    /// A value under it means what its name says, or nothing ([`Name::is_quiet`]).
    pub quiet: bool,
    /// The same of the values in an object with this name ([`Name::is_quiet_around`]).
    pub quiet_around: bool,
    /// It holds people beside a patient (`guardian`).
    pub kin: bool,
    /// It is about a mother, or about a birth, in which she is a patient.
    pub mother: bool,
    pub birth: bool,
}

/// Elements of FHIR that tie resources together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// `Resource.id`.
    Id,
    /// `Bundle.entry.fullUrl`.
    Url,
    /// `Bundle.entry.resource`, `DomainResource.contained`.
    Resource,
    /// `Reference.reference`.
    Reference,
}

impl Link {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "id" => Self::Id,
            "fullUrl" => Self::Url,
            "resource" | "contained" => Self::Resource,
            "reference" => Self::Reference,
            _ => return None,
        })
    }
}

/// The names of one document, and those that earlier ones left to it.
pub struct Names {
    known: Vec<Name>,
    entries: Vec<Entry>,
    by_text: HashTable<u32>,
    /// The entry that was looked up last: what follows a name once mostly follows it again.
    last: u32,
    /// Meanings of pairs; `None` under a pair that means nothing.
    pairs: HashMap<Box<str>, Option<Meaning>, foldhash::fast::FixedState>,
    scratch: String,
    /// The rules they were looked up in.
    origin: Option<Origin>,
    /// Counts the documents that used them.
    document: u32,
    /// Names of this document that mean something.
    used: usize,
    /// What was there when this document began.
    inherited: usize,
}

/// A name that was looked up.
struct Entry {
    text: Box<str>,
    hash: u64,
    /// The entries that came behind it last, the latest first.
    next: [u32; 2],
    index: u16,
    place: ListPosition,
    /// The last document that used it.
    document: u32,
}

/// The rules behind a look-up: their address, and how often rules had been replaced. Both together identify a
/// rule set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Origin {
    rules: usize,
    generation: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            known: vec![Name { quiet: true, quiet_around: true, ..Name::default() }],
            entries: Vec::new(),
            by_text: HashTable::new(),
            last: 0,
            pairs: HashMap::default(),
            scratch: String::new(),
            origin: None,
            document: 0,
            used: 0,
            inherited: 0,
        }
    }
}

/// Names that documents leave to the next ones of the same worker: most documents are small and have the
/// names of those before them.
#[derive(Default)]
pub struct NamePool {
    free: Vec<Names>,
    generation: u64,
}

impl NamePool {
    /// Names for a document that is read under `rules`.
    fn take(&mut self, rules: &RuleSet) -> Names {
        let rules = std::ptr::from_ref(rules) as usize;
        let origin = Some(Origin { rules, generation: self.generation });
        let mut names = self.free.pop().filter(|n| n.origin == origin).unwrap_or_default();
        names.origin = origin;
        names.document = names.document.wrapping_add(1);
        names.used = 0;
        names.inherited = names.size();
        names
    }

    /// Takes back what a document used.
    fn give(&mut self, names: Names) {
        let small = names.size() <= MAX_KEPT;
        let current = names.origin.is_some_and(|o| o.generation == self.generation);
        if small && current && self.free.len() < MAX_POOLED {
            self.free.push(names);
        }
    }

    /// The rules were replaced: what is known of names no longer holds.
    pub fn clear(&mut self) {
        self.free.clear();
        self.generation += 1;
    }
}

impl std::fmt::Debug for NamePool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamePool").field("free", &self.free.len()).finish_non_exhaustive()
    }
}

impl Names {
    /// The name of an index.
    #[inline]
    pub fn get(&self, index: u16) -> &Name {
        // Index 0 is always there.
        self.known.get(usize::from(index)).unwrap_or(&self.known[0])
    }

    /// The index of a name as on the wire.
    pub fn find(&mut self, text: &str, rules: &RuleSet) -> u16 {
        self.look_up(text, rules).0
    }

    /// The same, with the place that it is for values without a meaning.
    pub fn look_up(&mut self, text: &str, rules: &RuleSet) -> (u16, ListPosition) {
        let (at, hash) = self.position(text);
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at as usize)) {
            if entry.index != PLAIN && entry.document != self.document {
                // A name of an earlier document counts as if this one had brought it.
                if self.used >= MAX_NAMES - 1 {
                    return (PLAIN, entry.place);
                }
                self.used += 1;
                entry.document = self.document;
            }
            return (entry.index, entry.place);
        }
        let name = Name::new(text, rules);
        let mut index = PLAIN;
        let structure = name.link.is_some()
            || name.holds_resources
            || name.holds_labelled
            || name.request
            || name.refers_out;
        let counts = name.means_something() || structure;
        if counts && self.used < MAX_NAMES - 1 {
            index = self.known.len() as u16;
            self.known.push(name);
            self.used += 1;
        }
        let place = ListPosition::named(text, rules);
        // A document with more names than this is searched at the price of looking each up.
        if self.entries.len() < MAX_NAMES {
            let at = self.entries.len() as u32;
            let (document, text) = (self.document, Box::from(text));
            self.entries.push(Entry { text, hash, next: [0; 2], index, place, document });
            let entries = &self.entries;
            let hash_of = |at: &u32| entries.get(*at as usize).map_or(0, |entry| entry.hash);
            self.by_text.insert_unique(hash, at, hash_of);
        }
        (index, place)
    }

    /// The entry of a name, if there is one, and its hash, if there is none.
    fn position(&mut self, text: &str) -> (Option<u32>, u64) {
        let is = |at: u32| self.entries.get(at as usize).is_some_and(|entry| *entry.text == *text);
        let expected = self.entries.get(self.last as usize).map_or([0; 2], |entry| entry.next);
        if let Some(expected) = expected.into_iter().find(|at| is(*at)) {
            self.last = expected;
            return (Some(expected), 0);
        }
        let hash = foldhash::fast::FixedState::default().hash_one(text);
        let found = self.by_text.find(hash, |at| is(*at)).copied();
        if let Some(found) = found {
            if let Some(last) = self.entries.get_mut(self.last as usize) {
                last.next = [found, last.next[0]];
            }
            self.last = found;
        }
        (found, hash)
    }

    /// Takes over what earlier documents left, at the first name of this one.
    #[inline]
    pub fn begin(&mut self, pool: &mut NamePool, rules: &RuleSet) {
        if self.origin.is_none() {
            *self = pool.take(rules);
        }
    }

    /// Leaves the names to later documents.
    pub fn end(&mut self, pool: &mut NamePool) {
        if self.origin.is_some() {
            pool.give(std::mem::take(self));
        }
    }

    /// The meaning of `text` under the name `parent`: `name` under `patient` is `patient name`.
    pub fn pair(&mut self, parent: u16, text: &str, rules: &RuleSet) -> Option<Meaning> {
        let parent = self.known.get(usize::from(parent)).filter(|p| p.parent)?;
        self.scratch.clear();
        self.scratch.push_str(&parent.text);
        self.scratch.push('.');
        self.scratch.push_str(text);
        if let Some(found) = self.pairs.get(self.scratch.as_str()) {
            return found.clone();
        }
        let find = |name: &str| rules.keys.get(name).map(Meaning::from);
        let found = find(&self.scratch).or_else(|| {
            // Lists have the plural.
            let singular = parent.text.strip_suffix("es").into_iter();
            let mut stems = singular.chain(parent.text.strip_suffix('s'));
            stems.find_map(|stem| find(&format!("{stem}.{text}")))
        });
        if self.pairs.len() < MAX_NAMES {
            self.pairs.insert(self.scratch.as_str().into(), found.clone());
        }
        found
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.size().saturating_sub(self.inherited) * 64
    }

    fn size(&self) -> usize {
        self.known.len() + self.entries.len() + self.pairs.len()
    }
}

/// Parts of HumanName, Identifier, CodeableConcept, Coding, Address, ContactPoint and
/// Reference (FHIR R4, data types).
const DATA_TYPE_PARTS: &[&str] = &[
    "use",
    "text",
    "family",
    "given",
    "system",
    "value",
    "type",
    "coding",
    "code",
    "line",
    "streetAddressLine",
    "city",
    "district",
    "state",
    "postalCode",
    "country",
    "display",
    "reference",
    "rank",
    "url",
    "valueString",
    "extension",
    "root",
];

impl Name {
    fn new(text: &str, rules: &RuleSet) -> Self {
        // Servers also write attributes under their keywords (`OtherPatientIDs`).
        let keyword = || {
            let rule = named(text, &rules.dicom).filter(|_| !is_hexadecimal(text))?;
            Some(Meaning::of_patient(rule))
        };
        let meaning = rules.keys.get(text).map(Meaning::from).or_else(keyword);
        let meaning = meaning.or_else(|| path::meaning(text, rules));
        let meaning = meaning.or_else(|| of_element(text, rules));
        let said = rules.keys.scope_of(text);
        let dicom_tag = dicom_tag(text);
        let patient = said.is_none() && meaning.is_none() && is_patient_result(text, rules);
        let mentioned = rules.fhir.mentions(text);
        let numbers = is_patient_numbers(text);
        let name = Self {
            parent: rules.keys.is_parent(text),
            marks: said.map_or_else(|| path::marks(text), |s| Marks::about(s.about)),
            document: said
                .filter(|s| s.document)
                .map_or(Marks::default(), |s| Marks::about(s.about).ahead()),
            inside: match said {
                None if patient => Marks::PATIENT,
                None if meaning.is_none() && is_staff(text, rules) => Marks::about(About::Other),
                None if is_resource_list(text, rules) => Marks::CARE,
                said => said.map_or(Marks::default(), |s| Marks::about(s.inside)),
            },
            patient: patient || meaning.is_none() && is_patient_part(text, said),
            kin: said.is_some_and(|said| matches!(said.inside, About::Relative | About::Mother)),
            mother: said.is_some_and(|said| said.inside == About::Mother),
            birth: said.is_some_and(|said| said.inside == About::Birth),
            dicom_tag,
            tag_wanted: dicom_tag.is_some_and(|tag| is_wanted(tag, &rules.dicom)),
            fhir: mentioned
                || rules.fhir.refers(text)
                || DATA_TYPE_PARTS.contains(&text)
                || is_typed_value(text),
            component: mentioned
                || meaning.is_some()
                || is_typed_value(text)
                || labelled::is_holder(text)
                || matches!(text, "type" | "coding" | "subject" | "patient"),
            holds_labelled: labelled::is_holder(text),
            request: text == "request",
            refers_out: text == "external_ref",
            names: text == "names",
            identifiers: text.eq_ignore_ascii_case("identifiers") || numbers,
            patient_numbers: numbers,
            thing: said.is_some_and(|said| is_thing(said.inside)),
            operation: matches!(text, "op" | "path"),
            tag_value: text == "Value"
                || group_of_name(text).is_some()
                || part_of_name(text).is_some(),
            small_value: text == "value",
            resource_type: text == "resourceType",
            holds_resources: matches!(text, "contained" | "resource" | "outcome"),
            use_: Use {
                species: said.is_some_and(|said| said.about == About::Species),
                ..Use::of(text)
            },
            link: Link::of(text),
            meaning,
            text: text.into(),
            quiet: false,
            quiet_around: false,
        };
        Self { quiet: name.is_quiet(), quiet_around: name.is_quiet_around(), ..name }
    }

    /// Whether an object under it describes an element of DICOM. Eight digits may also be a patient's number.
    pub fn describes_element(&self) -> bool {
        self.dicom_tag.is_some() && (self.tag_wanted || self.text.contains([',', '|']))
    }

    /// Whether what is in it is a patient's; `kin`: of people beside a patient.
    pub const fn is_patient(&self, kin: bool) -> bool {
        self.patient || self.mother && !kin
    }

    /// Anything but how resources are tied together.
    pub fn means_something(&self) -> bool {
        self.meaning.is_some()
            || self.marks != Marks::default()
            || self.inside != Marks::default()
            || self.dicom_tag.is_some()
            || self.parent
            || self.fhir
            || self.tag_value
            || self.resource_type
            || self.operation
            || self.names
            || self.identifiers
            || self.kin
            || self.birth
            || self.use_.any()
    }
}

/// The meaning of the name of an element of X12 with its number behind it: `subscriber_last_name_03`.
fn of_element(text: &str, rules: &RuleSet) -> Option<Meaning> {
    const HOLDERS: [&str; 3] = ["subscriber_", "patient_", "dependent_"];
    let (name, number) = text.rsplit_once('_')?;
    let numbered = number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit());
    let held = || HOLDERS.iter().any(|holder| name.starts_with(holder));
    (numbered && held()).then(|| rules.keys.get(name).map(Meaning::from)).flatten()
}

/// Whether a name is that of what a service answers about a patient: `GetPatientResult`, `patientDto`,
/// `FindPatientByIdResponse`. `PatientSatisfactionResult` is another matter.
fn is_patient_result(text: &str, rules: &RuleSet) -> bool {
    const LAST: [&str; 11] = [
        "result",
        "response",
        "return",
        "dto",
        "entity",
        "model",
        "vo",
        "bean",
        "record",
        "connection",
        "edge",
    ];
    const BETWEEN: [&str; 8] =
        ["by", "id", "mrn", "info", "data", "details", "demographics", "list"];
    let among =
        |list: &[&str], word: &str| list.iter().any(|other| other.eq_ignore_ascii_case(word));
    // Most names end in another letter than these words.
    if !text.ends_with(['t', 'e', 'n', 'o', 'y', 'l', 'd', 'O']) || text.len() > MAX_RESULT {
        return false;
    }
    let mut words: SmallVec<[&str; 8]> = labelled::words(text).collect();
    let last = words.pop().is_some_and(|word| among(&LAST, word));
    let subject = words.iter().rev().find(|word| !among(&BETWEEN, word));
    last && subject.is_some_and(|word| {
        let keys = &rules.keys;
        matches!(keys.scope_of(word).map(ContextScope::ahead), Some(About::Patient))
    })
}

/// Whether a name is that of a list of clinical resources (GraphQL for FHIR, R4 3.1.2.4: `ObservationList`,
/// `EncounterConnection`).
fn is_resource_list(text: &str, rules: &RuleSet) -> bool {
    const LISTS: [&str; 2] = ["List", "Connection"];
    let stem = LISTS.iter().find_map(|list| text.strip_suffix(list));
    stem.is_some_and(|stem| rules.fhir.is_clinical(stem))
}

/// Whether a name is that of a list of a patient's numbers with their kinds, or of one: `PatientIDs`, `PatientNumber`.
fn is_patient_numbers(text: &str) -> bool {
    const NAMES: [&str; 4] =
        ["patientids", "patientidentifiers", "patientnumbers", "patientnumber"];
    let folded = || text.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase());
    text.len() <= MAX_RESULT && NAMES.iter().any(|name| folded().eq(name.bytes()))
}

/// Whether what is below such a name is a thing that has a name of its own.
const fn is_thing(inside: About) -> bool {
    matches!(
        inside,
        About::Medication | About::Result | About::Procedure | About::Allergy | About::Diagnosis
    )
}

/// Whether a name is that of a part of a record that holds the patient's own data: `PatientInfo`, `patient_details`.
fn is_patient_part(text: &str, said: Option<ContextScope>) -> bool {
    const PARTS: [&str; 6] = ["info", "information", "data", "details", "demographics", "identity"];
    let mut words = labelled::words(text);
    let first = words.next().is_some_and(|word| word.eq_ignore_ascii_case(super::PATIENT));
    let part = |word: &str| PARTS.iter().any(|part| part.eq_ignore_ascii_case(word));
    said.is_some_and(|said| said.inside == About::Patient)
        && first
        && words.next().is_some_and(part)
}

/// Whether a name of several words ends in one for a member of staff, and none is a patient's: `primaryDoctor`,
/// `clinicalUser`.
fn is_staff(text: &str, rules: &RuleSet) -> bool {
    if text.len() > MAX_RESULT || !text.is_ascii() {
        return false;
    }
    let words: SmallVec<[&str; 8]> = labelled::words(text).collect();
    let Some((last, front)) = words.split_last().filter(|(_, front)| !front.is_empty()) else {
        return false;
    };
    let keys = &rules.keys;
    let other = |said: ContextScope| said.about == About::Other && said.inside == About::Other;
    let patient =
        |word: &&str| keys.scope_of(word).map(ContextScope::ahead) == Some(About::Patient);
    keys.scope_of(last).is_some_and(other) && !front.iter().any(patient)
}

/// Whether an element has its type in its name: `valueHumanName` (FHIR R4 2.24.0.1, `value[x]`).
pub fn is_typed_value(text: &str) -> bool {
    text.strip_prefix("value").is_some_and(|t| t.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The tag that a name is: `00100010` (PS3.18 F.2.2), or `0010,0010`, `(0010,0010)`, `0010|0010`, `x00100010`,
/// `0x00100010`, as servers and viewers of images write it.
fn dicom_tag(text: &str) -> Option<u32> {
    let bare = text.strip_prefix('(').and_then(|bare| bare.strip_suffix(')'));
    let hex = || text.strip_prefix("0x").or_else(|| text.strip_prefix('x'));
    let text = bare.or_else(hex).unwrap_or(text);
    let digits = match text.split_once([',', '|']) {
        Some((group, element)) if group.len() == 4 => {
            Cow::Owned([group, element.trim_start()].concat())
        }
        _ => Cow::Borrowed(text),
    };
    u32::from_str_radix(&digits, 16).ok().filter(|_| is_hexadecimal(&digits))
}

/// Whether a name is written like a DICOM tag.
fn is_hexadecimal(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The place of a representation of a name (PS3.5 6.2.1.1, PS3.18 F.2.2).
pub fn group_of_name(text: &str) -> Option<usize> {
    ["Alphabetic", "Ideographic", "Phonetic"].iter().position(|group| *group == text)
}

/// The place of a part of a name in the native DICOM model (PS3.19 A.1.6).
pub fn part_of_name(text: &str) -> Option<usize> {
    const PARTS: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];
    PARTS.iter().position(|part| *part == text)
}
