//! The gate that every text of the facts of a service passes before it leaves its flow.
//!
//! Hosts, paths, titles, banners and codes come from the wire and may contain a name or a number. Without `--reveal`,
//! it masks:
//!
//! 1. a valid number of a person in any country (`536-90-4399`);
//! 2. what equals or contains an identifier that was found in the flow: a word of a name, alone, with
//!    initials (`jdoe`) or joined (`johndoe`), in any case, without accents, percent-encoded; an id; a
//!    birth date in the usual orders;
//! 3. in paths every segment with a word that `[[vocabulary]]` does not know; elsewhere an unknown word
//!    that is written like a name (`Xxxx`, or in a script without capitals), unless it is beside a
//!    word of an organisation;
//! 4. other unknown words and long numbers for as long as the flow goes on: an identifier that equals
//!    them may still come. They are shown when the flow has ended, or after [`WITHHELD_FOR`].
//!
//! The flow keeps hashes of its identifiers under a secret seed, never the identifiers.

mod table;
mod text;

#[cfg(test)]
mod tests;

use super::Key;
use super::normalise::phone_digits;
use crate::phi::{WipedString, wipe};
use crate::protocol::{ServiceFacts, TextKind};
use crate::rules::{Kind, RuleSet, words};
use crate::time::Span;
use foldhash::quality::SeedableRandomState;
use foldhash::{SharedSeed, fast};
use hashbrown::HashSet;
use smallvec::SmallVec;
use std::hash::BuildHasher as _;
use std::sync::Arc;
pub use table::Texts;
use table::Verdict;
use text::{Text, fold_into, folded};

/// How long unknown words of an active flow are masked, packet time. Connections between systems last for days, and
/// their titles and facilities are needed earlier.
pub const WITHHELD_FOR: Span = Span::seconds(600);

/// Hashes of identifiers kept of a flow. Beyond it unknown words are no longer shown at all.
const MAX_KNOWN: usize = 1 << 18;

/// Texts of a flow whose masked form is kept.
const MAX_MEMO: usize = 48;

/// Names of operations of a flow whose masked form is kept.
const MAX_OPERATIONS: usize = 16;

/// Shown forms of facts that a flow keeps: senders take turns on one connection.
const MAX_SHOWN: usize = 16;

/// Shortest word of a name that is searched for, letters; in scripts without capitals two are as specific.
const MIN_NAME: usize = 3;
/// Shortest id that is searched for, letters and digits.
const MIN_ID: usize = 4;
/// Fewest digits of a number inside an id that are searched for alone.
const MIN_DIGITS: usize = 5;
/// Shortest other value that is searched for, letters and digits.
const MIN_VALUE: usize = 6;

/// Digits of a date.
const DATE_DIGITS: usize = 8;

/// The gate of one flow.
pub(super) struct Gate {
    hasher: SeedableRandomState,
    known: HashSet<u64, fast::FixedState>,
    /// Hashes for `known` that no text has been compared with yet.
    waiting: Vec<u64>,
    /// There were more identifiers than can be kept.
    overflown: bool,
    /// Earlier texts, with the part that is shown.
    memo: Vec<ShownText>,
    /// Which of them is likely asked for next: facts list their texts in one order.
    next: usize,
    /// The same of names of operations.
    operations: Vec<(Box<str>, Arc<str>)>,
    /// Parts of the first `looked_at` of these texts in which an identifier would matter; half of each hash is
    /// enough.
    watched: HashSet<u32, fast::FixedState>,
    looked_at: usize,
    /// Hashes of recent facts with their shown forms.
    recent: Vec<(u64, Arc<ServiceFacts>)>,
    /// The last form shown.
    shown: Arc<ServiceFacts>,
    settled: bool,
}

/// Hashes by which a flow recognises the value of an identifier: of its words or numbers.
pub(super) fn hashes(hasher: &SeedableRandomState, kind: Kind, value: &str) -> Arc<[u64]> {
    let mut words = Words { hasher, hashes: SmallVec::new(), folded: WipedString::default() };
    words.learn(kind, value);
    words.hashes.sort_unstable();
    words.hashes.dedup();
    match words.hashes.is_empty() {
        true => Arc::default(),
        false => words.hashes.as_slice().into(),
    }
}

/// The hasher of all gates, whose hashes depend on `key`.
pub(super) fn hasher(key: &Key) -> SeedableRandomState {
    let [a, b, c, d, e, f, g, h, ..] = key.derive("phitap gate of facts", &[]);
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    SeedableRandomState::with_seed(seed, SharedSeed::global_fixed())
}

/// The words and numbers of a value.
struct Words<'a> {
    hasher: &'a SeedableRandomState,
    hashes: SmallVec<[u64; 8]>,
    /// Room for a folded word.
    folded: WipedString,
}

impl Words<'_> {
    /// The value of an identifier.
    fn learn(&mut self, kind: Kind, value: &str) {
        match kind {
            Kind::Sex | Kind::Age | Kind::Ethnicity | Kind::Religion | Kind::Photo => {}
            Kind::Name | Kind::NextOfKinName | Kind::MothersMaidenName => self.learn_name(value),
            Kind::BirthDate | Kind::DeathDate => self.learn_date(value),
            Kind::Email => {
                self.learn_name(value.split('@').next().unwrap_or_default());
                self.learn_value(value);
            }
            Kind::Phone | Kind::NextOfKinPhone | Kind::Fax => {
                let digits = WipedString::new(phone_digits(value).collect::<String>());
                self.learn_folded(&digits, MIN_VALUE);
            }
            Kind::Address | Kind::Employer | Kind::Url | Kind::Ip | Kind::Occupation => {
                self.learn_value(value);
            }
            _ => self.learn_id(value),
        }
    }

    fn learn_name(&mut self, value: &str) {
        let words = words(value);
        for (start, end) in &words {
            self.learn_word(value.get(*start..*end).unwrap_or_default());
        }
        // Words with inner capitals (`McDonald`), an apostrophe or a hyphen also count as a whole.
        let mut start = 0;
        for word in value.split(|c: char| c.is_whitespace() || matches!(c, '^' | ',' | '=' | '&')) {
            if !words.contains(&(start, start + word.len())) {
                self.learn_word(word);
            }
            start += word.len();
            start +=
                value.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
        // Umlauts are as often written with an e as without.
        if value.contains(['ä', 'ö', 'ü', 'Ä', 'Ö', 'Ü', 'ß']) {
            let spelt = WipedString::new(value.chars().fold(String::new(), |mut text, c| {
                match c {
                    'ä' | 'Ä' => text.push_str("ae"),
                    'ö' | 'Ö' => text.push_str("oe"),
                    'ü' | 'Ü' => text.push_str("ue"),
                    'ß' => text.push_str("ss"),
                    c => text.push(c),
                }
                text
            }));
            for word in spelt.split(|c: char| !c.is_alphabetic()) {
                self.learn_word(word);
            }
        }
    }

    fn learn_word(&mut self, word: &str) {
        fold_into(word, &mut self.folded);
        let word = self.folded.as_str();
        let least = if word.is_ascii() { MIN_NAME } else { MIN_NAME - 1 };
        if word.chars().count() >= least && word.contains(char::is_alphabetic) {
            self.hashes.push(self.hasher.hash_one(word));
        }
    }

    fn learn_value(&mut self, value: &str) {
        let mut whole = std::mem::take(&mut self.folded);
        fold_into(value, &mut whole);
        self.learn_folded(&whole, MIN_VALUE);
        self.folded = whole;
    }

    fn learn_date(&mut self, value: &str) {
        let mut date = [0; DATE_DIGITS];
        let mut len = 0;
        for (place, digit) in date.iter_mut().zip(value.bytes().filter(u8::is_ascii_digit)) {
            *place = digit;
            len += 1;
        }
        self.learn_digits(date.get(..len).unwrap_or_default());
        if len == date.len() {
            let [y, e, a, r, m, month, d, day] = date;
            self.learn_digits(&[d, day, m, month, y, e, a, r]);
            self.learn_digits(&[m, month, d, day, y, e, a, r]);
        }
        wipe(&mut date);
    }

    fn learn_digits(&mut self, digits: &[u8]) {
        self.learn_folded(std::str::from_utf8(digits).unwrap_or_default(), MIN_VALUE);
    }

    fn learn_id(&mut self, value: &str) {
        // Of a composite (HL7 CX) the id is the first component.
        let id = value.split('^').find(|part| !part.trim().is_empty()).unwrap_or_default();
        let whole = folded(id);
        self.learn_folded(&whole, MIN_ID);
        let number = whole.trim_matches(|c: char| !c.is_ascii_digit());
        if number.len() < whole.len() && number.bytes().all(|b| b.is_ascii_digit()) {
            self.learn_folded(number, MIN_DIGITS);
        }
        let short = whole.trim_start_matches('0');
        if short.len() < whole.len() {
            self.learn_folded(short, MIN_DIGITS);
        }
    }

    fn learn_folded(&mut self, value: &str, least: usize) {
        if value.chars().count() >= least {
            self.hashes.push(self.hasher.hash_one(value));
        }
    }
}

struct ShownText {
    kind: TextKind,
    text: Box<str>,
    /// `None`: unchanged.
    shown: Option<Box<str>>,
    withheld: bool,
    judged: Arc<Verdict>,
}

impl Gate {
    /// One whose hashes depend on `key`.
    pub fn new(key: &Key) -> Self {
        Self {
            hasher: hasher(key),
            known: HashSet::default(),
            waiting: Vec::new(),
            overflown: false,
            memo: Vec::new(),
            next: 0,
            operations: Vec::new(),
            watched: HashSet::default(),
            looked_at: 0,
            recent: Vec::new(),
            shown: Arc::default(),
            settled: false,
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let texts =
            self.memo.iter().map(|m| m.text.len() + m.shown.as_ref().map_or(0, |t| t.len()));
        let operations = self.operations.iter().map(|(name, shown)| name.len() + shown.len());
        size_of::<Self>()
            + self.known.capacity() * 9
            + self.waiting.capacity() * size_of::<u64>()
            + self.recent.len() * size_of::<ServiceFacts>()
            + self.watched.capacity() * 5
            + self.memo.capacity() * size_of::<ShownText>()
            + self.operations.capacity() * size_of::<(Box<str>, Arc<str>)>()
            + texts.chain(operations).sum::<usize>()
    }

    /// From now on, identifiers with these [`hashes`] are shown nowhere.
    pub fn learn(&mut self, hashes: &[u64]) {
        if hashes.iter().any(|hash| self.watches(*hash)) {
            self.take_up();
            if hashes.iter().any(|hash| self.watches(*hash) && !self.known.contains(hash)) {
                self.forget();
            }
        }
        self.waiting.extend_from_slice(hashes);
        if self.waiting.len() >= MAX_KNOWN {
            self.take_up();
        }
    }

    /// Files the hashes that wait, before a text is compared with them. Most flows of many patients show few texts.
    fn take_up(&mut self) {
        for hash in std::mem::take(&mut self.waiting) {
            if self.known.len() >= MAX_KNOWN {
                self.overflown = true;
                break;
            }
            self.known.insert(hash);
        }
    }

    fn hash(&self, folded: &str) -> u64 {
        self.hasher.hash_one(folded)
    }

    /// Whether an identifier with this hash is part of an earlier text.
    fn watches(&mut self, hash: u64) -> bool {
        for memo in self.memo.iter().skip(self.looked_at) {
            self.watched.extend(memo.judged.parts.iter().map(|part| *part as u32));
        }
        self.looked_at = self.memo.len();
        self.watched.contains(&(hash as u32))
    }

    /// Forgets the shown forms of texts.
    fn forget(&mut self) {
        self.forget_texts();
        self.recent.clear();
    }

    fn forget_texts(&mut self) {
        self.memo.clear();
        self.operations.clear();
        self.watched.clear();
        self.looked_at = 0;
    }

    /// What may be shown of facts; `settled`: no further identifier is waited for.
    pub fn facts(
        &mut self,
        facts: &ServiceFacts,
        settled: bool,
        rules: &RuleSet,
        texts: &mut Texts,
    ) -> Arc<ServiceFacts> {
        if settled != self.settled {
            self.settled = settled;
            self.forget();
        }
        let hash = self.hasher.hash_one(facts);
        if let Some((_, known)) = self.recent.iter_mut().find(|(known, _)| *known == hash) {
            // Most messages only change numbers.
            if !known.counts_as(facts) {
                Arc::make_mut(known).count_as(facts);
            }
            self.shown = Arc::clone(known);
            return Arc::clone(known);
        }
        let mut shown = facts.clone();
        let mut withheld = false;
        shown.for_each_text_mut(&mut |kind, text| {
            withheld |= self.pass(kind, text, rules, texts);
        });
        shown.withheld = withheld;
        let (title, masked) = (facts.admission(), shown.admission());
        if let (Some(title), Some(masked)) = (title, masked)
            && title.title != masked.title
        {
            shown.admission_key = self.hash(title.title).max(1);
        }
        if *self.shown != shown {
            self.shown = Arc::new(shown);
        }
        if self.recent.len() >= MAX_SHOWN {
            self.recent.clear();
        }
        self.recent.push((hash, Arc::clone(&self.shown)));
        Arc::clone(&self.shown)
    }

    /// What may be shown of the name of an operation.
    pub fn operation(&mut self, operation: &str, rules: &RuleSet, texts: &mut Texts) -> Arc<str> {
        if let Some((_, shown)) = self.operations.iter().find(|(known, _)| **known == *operation) {
            return Arc::clone(shown);
        }
        let shown: Arc<str> = self.show_operation(operation, rules, texts).into();
        if self.operations.len() < MAX_OPERATIONS {
            self.operations.push((operation.into(), Arc::clone(&shown)));
        }
        shown
    }

    fn show_operation(&mut self, operation: &str, rules: &RuleSet, texts: &mut Texts) -> String {
        let mut shown = operation.to_owned();
        // `N-GET` is an operation, even if a patient has it as a number.
        let known = |&(start, end): &(usize, usize)| {
            let word = operation.get(start..end).unwrap_or_default();
            word.len() < MIN_NAME || rules.vocabulary.knows_in_path(word)
        };
        let all = words(operation);
        if all.iter().any(|(start, end)| end - start >= MIN_NAME) && all.iter().all(known) {
            return shown;
        }
        self.pass(TextKind::Code, &mut shown, rules, texts);
        shown
    }

    /// What may be shown of the name of a host.
    pub fn name(&mut self, name: &str, rules: &RuleSet, texts: &mut Texts) -> String {
        if !std::mem::replace(&mut self.settled, true) {
            self.forget();
        }
        let mut shown = name.to_owned();
        self.pass(TextKind::Name, &mut shown, rules, texts);
        shown
    }

    /// The same of a flow in which no identifier was found.
    pub fn name_alone(name: &str, rules: &RuleSet) -> String {
        Text::new(TextKind::Name, name, rules).shown().unwrap_or_else(|| name.to_owned())
    }

    /// Masks the parts of a text that must not be shown. True if more may be shown later.
    fn pass(
        &mut self,
        kind: TextKind,
        text: &mut String,
        rules: &RuleSet,
        texts: &mut Texts,
    ) -> bool {
        let is = |m: &ShownText| m.kind == kind && *m.text == **text;
        let at = match self.memo.get(self.next).is_some_and(is) {
            true => Some(self.next),
            false => self.memo.iter().position(is),
        };
        self.next = at.unwrap_or(self.memo.len()) + 1;
        if let Some(known) = at.and_then(|at| self.memo.get(at)) {
            if let Some(shown) = &known.shown {
                shown.as_ref().clone_into(text);
            }
            return known.withheld;
        }
        if self.memo.len() >= MAX_MEMO {
            self.forget_texts();
        }
        self.take_up();
        let settled = self.settled && !self.overflown;
        let judged = texts.judge(kind, text, rules, &self.hasher);
        let concerns = |part: &u64| self.known.contains(part);
        let (shown, withheld) = if !self.known.is_empty() && judged.parts.iter().any(concerns) {
            self.mask(kind, text, settled, rules)
        } else if settled {
            (judged.settled.clone(), false)
        } else {
            (judged.unsettled.clone(), judged.withheld)
        };
        let before = std::mem::take(text);
        match &shown {
            Some(shown) => text.push_str(shown),
            None => text.push_str(&before),
        }
        self.memo.push(ShownText { kind, text: before.into(), shown, withheld, judged });
        withheld
    }

    /// The shown form of a text with an identifier of the flow in it.
    fn mask(
        &self,
        kind: TextKind,
        text: &str,
        settled: bool,
        rules: &RuleSet,
    ) -> (Option<Box<str>>, bool) {
        let mut masked = Text::new(kind, text, rules);
        let withheld = !settled && masked.withhold();
        masked.clues(&mut |clue| self.known.contains(&self.hash(clue)));
        (masked.shown().map(String::into_boxed_str), withheld)
    }
}
