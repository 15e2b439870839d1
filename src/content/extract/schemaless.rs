//! Values without names (fields of protocol buffers, cells of a table without a heading): what they
//! look like, and whether they are a patient's together.

use super::record::{CandidateRecord, Marks, Meaning};
use crate::rules::{Kind, RuleSet};
use zeroize::Zeroizing;

/// Texts kept of one message and what it holds.
const MAX_TEXTS: usize = 64;

/// Texts that may each be a name or a number.
const MAX_WORDS: usize = 4;

/// Longest name, bytes.
const MAX_NAME: usize = 64;

/// Plausible birth years of living people, roughly.
const YEARS: std::ops::RangeInclusive<u64> = 1880..=2100;

/// Days of the era before 1970 (for dates in microseconds, as FHIR has them).
const MICROS_A_DAY: i64 = 86_400_000_000;

/// What is known of one message.
#[derive(Default)]
pub struct Node {
    texts: Vec<Text>,
    numbers: [Option<u64>; 4],
    labelled: Vec<(Meaning, Zeroizing<String>)>,
    marks: Marks,
    /// Messages read so far, to distinguish their texts.
    groups: u32,
    fields: u32,
}

struct Text {
    group: u32,
    number: u32,
    value: Zeroizing<String>,
}

/// Bytes that read as text.
pub fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.is_empty() && !text.contains(control)).then_some(text)
}

impl Node {
    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let texts = self.texts.iter().map(|t| size_of::<Text>() + t.value.capacity());
        let labelled = self.labelled.iter().map(|(_, v)| 64 + v.capacity());
        texts.chain(labelled).sum()
    }

    /// A number in the field of this number.
    pub fn number(&mut self, number: u32, value: u64) {
        self.fields += 1;
        if let Some(slot) = self.numbers.get_mut(number as usize) {
            *slot = Some(value);
        }
    }

    /// A text in the field of this number.
    pub fn text(&mut self, number: u32, value: &str) {
        self.fields += 1;
        if self.texts.len() < MAX_TEXTS {
            let value = Zeroizing::new(value.to_owned());
            self.texts.push(Text { group: 0, number, value });
        }
    }

    /// Something said of it.
    pub fn mark(&mut self, marks: Marks) {
        self.marks = self.marks.and(marks);
    }

    /// A value that has a name after all.
    pub fn labelled(&mut self, meaning: Meaning, value: &str) {
        if self.labelled.len() < MAX_TEXTS {
            self.labelled.push((meaning, Zeroizing::new(value.to_owned())));
        }
    }

    /// The name and the value of an entry of a map: fields 1 and 2, and no other.
    pub fn pair(&self) -> Option<(&str, &str)> {
        match self.texts.as_slice() {
            [name, value]
                if self.fields == 2
                    && (name.group, name.number) == (0, 1)
                    && (value.number == 2 || value.group != 0) =>
            {
                Some((&name.value, &value.value))
            }
            _ => None,
        }
    }

    /// Takes over what a message inside holds, which is no person by itself: a wrapped string, a
    /// date, a name.
    pub fn select_protocol(&mut self, number: u32, inner: Self) {
        self.fields += 1;
        self.groups += 1;
        let group = self.groups;
        self.mark(inner.marks);
        let date = date_of(&inner);
        for (meaning, value) in inner.labelled {
            self.labelled(meaning, &value);
        }
        let room = MAX_TEXTS.saturating_sub(self.texts.len());
        if let Some(date) = date {
            let date = Text { group, number, value: date };
            self.texts.extend(std::iter::once(date).take(room));
            return;
        }
        // `StringValue`: the message is its text.
        let wrapped = inner.texts.len() == 1 && inner.groups == 0;
        for text in inner.texts.into_iter().take(room) {
            let (group, number) = if wrapped { (0, number) } else { (group, text.number) };
            self.texts.push(Text { group, number, value: text.value });
        }
    }

    /// Puts together what is said of one person; false if it is not enough.
    pub fn person(&mut self, around: Marks, record: &mut CandidateRecord, rules: &RuleSet) -> bool {
        let keys = &rules.keys;
        let mut marks = around.and(self.marks);
        let mut id = None;
        for (at, text) in self.texts.iter().enumerate() {
            // `type.googleapis.com/google.fhir.r4.core.Patient`, `Patient`.
            let word = text.value.rsplit(['.', '/']).next().unwrap_or("");
            if let Some(said) = keys.scope_of(word) {
                marks = marks.and(Marks::about(said.ahead()).ahead());
            }
            // A number that begins with the name of its kind: `MRN0012345`.
            let front = text.value.trim_end_matches(|c: char| !c.is_alphabetic());
            let front = front.trim_end_matches(['-', ':', ' ']);
            let known = || keys.get(front).filter(|key| key.rule.kind == Kind::PatientId);
            if id.is_none() && is_id(&text.value) && !front.is_empty() && known().is_some() {
                id = Some(at);
                marks = marks.and(Marks::PATIENT);
            }
        }
        for (meaning, value) in &self.labelled {
            if meaning.patient {
                marks = marks.and(Marks::PATIENT);
            }
            record.add(meaning, 0, value);
        }
        let name = self.name(rules);
        let birth = self.birth();
        let shaped = name.is_some() && birth.is_some() && marks.is_patient();
        if !shaped && self.labelled.is_empty() {
            return false;
        }
        record.mark(marks);
        let mut add = |rule: &str, value: &str| {
            if let Some(key) = keys.get(rule) {
                record.add(&Meaning::from(key), 0, value);
            }
        };
        if let (true, Some(name), Some(birth)) = (shaped, &name, birth) {
            let free = |text: &&Text| is_id(&text.value) && text.number <= MAX_WORDS as u32;
            let id = id
                .and_then(|at| self.texts.get(at))
                .or_else(|| self.texts.iter().find(|t| t.group == 0 && free(t)));
            if let Some(id) = id {
                add("shape.patient_id", &id.value);
            }
            add("shape.name", name);
            add("shape.birth_date", birth);
            for text in &self.texts {
                let sex = ["male", "female", "m", "f"];
                if sex.iter().any(|s| text.value.eq_ignore_ascii_case(s)) {
                    add("shape.sex", &text.value);
                }
            }
            // What says itself what it is.
            for text in &self.texts {
                rules.text.find(&text.value, |recogniser, value| {
                    if !recogniser.labelled && value.len() == text.value.len() {
                        record.add(&Meaning::whole(&recogniser.rule), 0, value);
                    }
                });
            }
        }
        *self = Self::default();
        true
    }

    /// The earliest date: nothing in a patient's record comes before the birth.
    fn birth(&self) -> Option<&str> {
        let dates = self.texts.iter().filter_map(|t| Some((date(&t.value)?, t.value.as_str())));
        dates.min_by_key(|(key, _)| *key).map(|(_, text)| text)
    }

    /// The first text, or the first two beside each other, that are written like a name.
    fn name(&self, rules: &RuleSet) -> Option<Zeroizing<String>> {
        let known = |word: &str| {
            rules.keys.scope_of(word).is_some()
                || rules.keys.get(word).is_some()
                || rules.placeholders.contains(Kind::Name, &word.to_lowercase())
        };
        for (at, text) in self.texts.iter().enumerate() {
            let words = text.value.split_whitespace().count();
            if !is_name(&text.value) || text.value.split_whitespace().any(known) {
                continue;
            }
            if (2..=MAX_WORDS).contains(&words) {
                return Some(text.value.clone());
            }
            let Some(next) = self.texts.get(at + 1) else { continue };
            let beside = next.group == text.group && next.number.abs_diff(text.number) == 1;
            if words == 1 && beside && is_name(&next.value) && !known(&next.value) {
                return Some(Zeroizing::new(format!("{} {}", *text.value, *next.value)));
            }
        }
        None
    }
}

/// Words of letters with a capital each; particles may do without one.
fn is_name(text: &str) -> bool {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().is_some_and(char::is_alphabetic);
        first && letters.all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.' | ','))
    };
    let capital = |word: &str| word.starts_with(|c: char| !c.is_lowercase());
    let mut words = text.split_whitespace();
    let last = text.split_whitespace().next_back().unwrap_or("");
    let shouted = text.chars().filter(|c| c.is_alphabetic()).count() < 2
        || (text.len() <= 4 && text.chars().all(char::is_uppercase));
    (2..=MAX_NAME).contains(&text.len())
        && !shouted
        && words.clone().all(word)
        && words.next().is_some_and(capital)
        && capital(last)
}

/// A number with letters, as records have it: no date, no UUID.
fn is_id(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (4..=24).contains(&text.len())
        && digits >= 3
        && date(text).is_none()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'_'))
}

/// A date without a time: `1970-01-31`, `19700131`, `01/31/1970`, `31.01.1970`; as a number that can be compared.
fn date(text: &str) -> Option<u64> {
    if let [_, _, a, _, _, b, _, _, _, _] = text.as_bytes()
        && a == b
        && matches!(a, b'/' | b'.' | b'-')
    {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        let (first, second, year) = (number(0, 2)?, number(3, 5)?, number(6, 10)?);
        // Which one is the month is unknown where both can be.
        let (month, day) = if first > 12 { (second, first) } else { (first, second) };
        let valid = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        return valid.then_some(year * 10_000 + month * 100 + day);
    }
    let digits: &[u8] = match text.as_bytes() {
        bytes @ [_, _, _, _, b'-', _, _, b'-', _, _] => bytes,
        bytes if bytes.len() == 8 => bytes,
        _ => return None,
    };
    let number = digits
        .iter()
        .filter(|b| **b != b'-')
        .try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let valid = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then_some(number)
}

/// A message that is a date: `google.type.Date`, or `Date` of FHIR (microseconds, zone, precision).
fn date_of(node: &Node) -> Option<Zeroizing<String>> {
    match (node.numbers, node.texts.as_slice()) {
        ([_, Some(year), Some(month), Some(day)], [])
            if YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) =>
        {
            Some(Zeroizing::new(format!("{year:04}-{month:02}-{day:02}")))
        }
        ([_, Some(micros), None, Some(precision)], [zone])
            if zone.number == 2 && precision <= 4 && zone.value.len() <= 32 =>
        {
            let days = (micros as i64).div_euclid(MICROS_A_DAY);
            let days = i32::try_from(days).ok().filter(|d| (-40_000..60_000).contains(d))?;
            let date = time::Date::from_julian_day(days + 2_440_588).ok()?;
            let (year, month, day) = date.to_calendar_date();
            Some(Zeroizing::new(format!("{year:04}-{:02}-{day:02}", u8::from(month))))
        }
        _ => None,
    }
}
