//! What a message has said about its patient, to decide what free text and Z-segments say about the same
//! person, and what about others.

use crate::content::{Evidence, Field, Scope};
use crate::phi::Phi;
use crate::rules::{FieldRule, Kind, fold};
use smallvec::SmallVec;
use zeroize::{Zeroize as _, Zeroizing};

/// Names, and ids, kept of one patient.
const MAX_KEPT: usize = 16;
/// Values that wait to be folded.
const MAX_NOTED: usize = 64;
/// Room for values that is kept for the next patient, bytes.
const MAX_KEPT_TEXT: usize = 4 << 10;
/// Values taken from text and segments of the site.
const MAX_OFFERED: u16 = 64;
/// Words of a name that are compared.
const MAX_WORDS: usize = 8;
/// Confidence that the label of a value must have at least.
const MIN_CONFIDENCE: f32 = 0.5;
/// The same for names: other things have a `name`, too.
const MIN_NAME: f32 = 0.6;

type Words = SmallVec<[Zeroizing<String>; 4]>;

/// What the declared fields of a message gave of its patient. Most messages end without anybody asking, so
/// values are only copied, and folded at the first question.
#[derive(Default)]
pub struct PatientContext {
    /// Values that are not folded yet, one behind the other, with their kinds and ends.
    texts: Zeroizing<String>,
    noted: SmallVec<[(Kind, usize); 8]>,
    known: KnownPatient,
    offered: u16,
    /// Values noted so far.
    values: u32,
}

/// The patient's own names, birth dates and ids, folded.
#[derive(Default)]
pub struct KnownPatient {
    names: Vec<Words>,
    births: Vec<Zeroizing<String>>,
    ids: Vec<(Kind, Zeroizing<String>)>,
}

/// A value with what it is said to be.
pub struct Candidate<'a> {
    /// The rule that says so.
    pub rule: &'a FieldRule,
    /// What it identifies by.
    pub kind: Kind,
    /// Its text.
    pub value: &'a str,
    /// Where it was found.
    pub field: &'a str,
    /// The label itself says that it is the patient's.
    pub patient: bool,
    /// Whether a label or a shape says it.
    pub evidence: Evidence,
}

/// Says nothing of the patient.
impl std::fmt::Debug for PatientContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatientContext").finish_non_exhaustive()
    }
}

impl PatientContext {
    /// Forgets the patient, and keeps the memory for the next one.
    pub fn clear(&mut self) {
        self.texts.as_mut_str().zeroize();
        self.texts.clear();
        if self.texts.capacity() > MAX_KEPT_TEXT {
            self.texts = Zeroizing::default();
        }
        self.noted.clear();
        self.known = KnownPatient::default();
        (self.offered, self.values) = (0, 0);
    }

    /// Whether values of this kind are compared.
    pub const fn keeps(kind: Kind) -> bool {
        matches!(kind, Kind::Name | Kind::BirthDate) || kind.is_strong_id()
    }

    /// How many values were noted.
    pub const fn values(&self) -> u32 {
        self.values
    }

    /// A declared field of the patient.
    pub fn note(&mut self, kind: Kind, text: &str) {
        if !Self::keeps(kind) {
            return;
        }
        self.values = self.values.saturating_add(1);
        if self.noted.len() >= MAX_NOTED {
            self.known();
        }
        self.texts.push_str(text);
        self.noted.push((kind, self.texts.len()));
    }

    /// What is known of the patient by now.
    pub fn known(&mut self) -> &KnownPatient {
        let mut start = 0;
        for (kind, end) in self.noted.drain(..) {
            self.known.add(kind, self.texts.get(start..end).unwrap_or_default());
            start = end;
        }
        self.texts.clear();
        &self.known
    }

    /// Pushes a value as the patient's, if a message about this patient can add one. Values that contradict
    /// what the message declares are dropped: they belong to another person or are mistyped.
    pub fn offer(&mut self, offer: &Candidate<'_>, scope: &mut Scope<'_>) {
        let known = match offer.kind {
            Kind::Name => self.known().is_name(offer.value),
            Kind::BirthDate => self.known().is_birth(offer.value),
            // A person has one.
            Kind::Ssn => self.known().is_id(Kind::Ssn, offer.value),
            kind if kind.is_strong_id() => {
                self.known().is_id(kind, offer.value).filter(|known| *known)
            }
            Kind::Phone
            | Kind::Email
            | Kind::Address
            | Kind::AccountNumber
            | Kind::AccessionNumber
            | Kind::EncounterId
            | Kind::NextOfKinName
            | Kind::NextOfKinPhone
            | Kind::MothersMaidenName => None,
            _ => return,
        };
        let least = match offer.kind {
            Kind::Name | Kind::AccountNumber if !offer.patient => MIN_NAME,
            _ => MIN_CONFIDENCE,
        };
        if known.is_some() || offer.rule.confidence < least {
            return;
        }
        if self.offered >= MAX_OFFERED {
            return;
        }
        self.offered += 1;
        self.note(offer.kind, offer.value);
        scope.field(Field {
            kind: offer.kind,
            value: Phi::new(offer.value),
            name: offer.field,
            rule: &offer.rule.id,
            issuer: "",
            authority: "",
            confidence: offer.rule.confidence,
            evidence: offer.evidence,
        });
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let KnownPatient { names, ids, .. } = &self.known;
        self.texts.capacity()
            + names.iter().flatten().map(|w| w.len() + size_of::<String>()).sum::<usize>()
            + ids.iter().map(|(_, id)| id.len() + size_of::<String>()).sum::<usize>()
    }
}

impl KnownPatient {
    fn add(&mut self, kind: Kind, text: &str) {
        match kind {
            Kind::Name if self.names.len() < MAX_KEPT => self.names.push(words(text)),
            Kind::BirthDate if self.births.len() < MAX_KEPT => {
                // Of a date as people write it, only the year is sure; it is not compared.
                let digits = text.chars().take_while(char::is_ascii_digit).take(8);
                let date: Zeroizing<String> = Zeroizing::new(digits.collect());
                if date.len() >= 4 {
                    self.births.push(date);
                }
            }
            kind if kind.is_strong_id() && self.ids.len() < MAX_KEPT => {
                self.ids.push((kind, Zeroizing::new(fold(text))));
            }
            _ => {}
        }
    }

    /// Whether a name is the patient's, as far as one is known.
    pub fn is_name(&self, text: &str) -> Option<bool> {
        let said = words(text);
        if self.names.is_empty() || said.is_empty() {
            return None;
        }
        // Titles, initials and further names come and go.
        let same = |own: &Words| {
            let both = said.iter().filter(|w| own.contains(w)).count();
            both >= 2 || (both >= 1 && (said.len() == 1 || own.len() == 1))
        };
        Some(self.names.iter().any(same))
    }

    /// Whether a date is the patient's birth date, in any order of day and month, as far as it is
    /// known.
    pub fn is_birth(&self, text: &str) -> Option<bool> {
        (!self.births.is_empty()).then(|| self.births.iter().any(|own| same_date(own, text)))
    }

    /// Whether the id is known; `None` if none of this kind is.
    pub fn is_id(&self, kind: Kind, text: &str) -> Option<bool> {
        let said = Zeroizing::new(fold(text));
        if self.ids.iter().any(|(_, own)| *own == said) {
            return Some(true);
        }
        self.ids.iter().any(|(k, _)| *k == kind).then_some(false)
    }

    /// Whether an e-mail address holds the patient's family name.
    pub fn is_in_mail(&self, mail: &str) -> bool {
        /// Shorter names are parts of other words, too.
        const MIN_NAME: usize = 4;
        let local = fold(mail.split('@').next().unwrap_or(""));
        let family = self.names.iter().filter_map(|words| words.first());
        family.filter(|w| w.len() >= MIN_NAME).any(|w| local.contains(w.as_str()))
    }
}

/// The words of a name, folded; single letters say nothing.
fn words(text: &str) -> Words {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '-'))
        .map(|word| Zeroizing::new(fold(word)))
        .filter(|word| word.chars().nth(1).is_some() || !word.is_ascii() && !word.is_empty())
        .take(MAX_WORDS)
        .collect()
}

/// Whether `text` is the day `own` (`19591102`) in any notation.
fn same_date(own: &str, text: &str) -> bool {
    let (Some(year), Some(month), Some(day)) = (own.get(..4), own.get(4..6), own.get(6..8)) else {
        // A year, or a year and month.
        return text.contains(own);
    };
    let runs: SmallVec<[&str; 4]> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|r| !r.is_empty()).take(3).collect();
    let bare = |run: &str| run.trim_start_matches('0').to_owned();
    let is = |run: &str, part: &str| bare(run) == bare(part);
    let is_year = |run: &str| run == year || (run.len() == 2 && year.ends_with(run));
    match runs.as_slice() {
        [whole, ..] if whole.len() >= 8 => whole.starts_with(own),
        [a, b, c] => {
            (is_year(a) && (is(b, month) && is(c, day) || is(b, day) && is(c, month)))
                || (is_year(c) && (is(a, month) && is(b, day) || is(a, day) && is(b, month)))
        }
        // The month as a word.
        [a, b] => (is(a, day) && is_year(b)) || (is_year(a) && is(b, day)),
        [a] => is_year(a),
        [] => false,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_order() {
        let mut own = PatientContext::default();
        assert_eq!(own.known().is_name("Peter Adams"), None);
        own.note(Kind::Name, "Adams^Peter^J^^Dr.");
        for same in ["Peter Adams", "ADAMS, PETER", "Mr. Peter J. Adams", "Adams", "Peter"] {
            assert_eq!(own.known().is_name(same), Some(true), "{same}");
        }
        for other in ["Paula Adams-Miller", "Paula Adams", "Sara Erickson"] {
            assert_eq!(own.known().is_name(other), Some(false), "{other}");
        }
    }

    #[test]
    fn dates_in_any_notation() {
        for same in [
            "19591102",
            "1959-11-02",
            "02.11.1959",
            "11/02/1959",
            "2/11/59",
            "11/2/59",
            "2 Nov 1959",
            "195911021530",
        ] {
            assert!(same_date("19591102", same), "{same}");
        }
        for other in ["19591103", "03.11.1959", "1958-11-02", "3 Nov 1959", "", "soon"] {
            assert!(!same_date("19591102", other), "{other}");
        }
    }
}
