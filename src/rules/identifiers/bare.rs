//! Numbers written with digits only, the most common numbers in text. A table of the digits that
//! patterns allow at each position rejects most candidates without running a check or a pattern.

use super::IdentifierRule;
use crate::rules::validators::MAX_NUMBER;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Most digit-only forms of a pattern.
const MAX_FORMS: usize = 64;

/// A bit for each digit allowed at a position.
type Places = Vec<u16>;

/// The forms with a certain number of digits.
#[derive(Debug, Default)]
pub(super) struct Bare {
    /// The rule of each form's bit.
    rules: Vec<u16>,
    /// By position and digit: a bit for each form that allows it.
    may: Vec<[u64; 10]>,
    /// There are more forms than bits, so the table cannot decide.
    crowded: bool,
}

impl Bare {
    /// The tables for the rules in `enabled`, by number of digits.
    pub(super) fn tables(enabled: &[Vec<u16>], rules: &[IdentifierRule]) -> Vec<Self> {
        let table = |(len, bucket): (usize, &Vec<u16>)| {
            let mut table = Self { may: vec![[0; 10]; len], ..Self::default() };
            for &index in bucket {
                let Some(rule) = rules.get(usize::from(index)) else { continue };
                for form in rule.forms.iter().filter(|form| form.len() == len) {
                    table.add(index, form);
                }
                table.crowded |= rule.forms.is_empty() && rule.free;
            }
            table
        };
        enabled.iter().enumerate().map(table).collect()
    }

    fn add(&mut self, rule: u16, form: &[u16]) {
        let bit = self.rules.len();
        if bit >= u64::BITS as usize {
            self.crowded = true;
            return;
        }
        self.rules.push(rule);
        for (row, places) in self.may.iter_mut().zip(form) {
            for (digit, forms) in row.iter_mut().enumerate() {
                *forms |= u64::from(places >> digit & 1) << bit;
            }
        }
    }

    /// Whether the table alone decides.
    pub(super) const fn is_whole(&self) -> bool {
        !self.crowded
    }

    /// The rules whose pattern matches these digits, each once and in order.
    pub(super) fn rules(&self, digits: &[u8]) -> impl Iterator<Item = u16> {
        let mut forms = u64::MAX;
        for (row, byte) in self.may.iter().zip(digits) {
            forms &= row.get(usize::from(byte.wrapping_sub(b'0'))).copied().unwrap_or(0);
            if forms == 0 {
                break;
            }
        }
        if self.rules.len() < u64::BITS as usize {
            forms &= (1 << self.rules.len()) - 1;
        }
        let mut last = None;
        std::iter::from_fn(move || {
            while forms != 0 {
                let rule = self.rules.get(forms.trailing_zeros() as usize).copied();
                forms &= forms - 1;
                if rule != std::mem::replace(&mut last, rule) {
                    return rule;
                }
            }
            None
        })
    }
}

/// The digit-only forms of a pattern; none if they cannot be listed.
pub(super) fn forms(pattern: &str) -> Option<Vec<Places>> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).case_insensitive(true).build();
    let mut forms = expand(&parser.parse(pattern).ok()?)?;
    forms.sort_unstable();
    forms.dedup();
    Some(forms)
}

/// The parser limits the recursion depth.
fn expand(hir: &Hir) -> Option<Vec<Places>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => {
            let place = |b: &u8| b.is_ascii_digit().then(|| 1 << (b - b'0'));
            Some(literal.0.iter().map(place).collect::<Option<Places>>().into_iter().collect())
        }
        HirKind::Class(class) => {
            let digits = (0..10u16).filter(|d| {
                let digit = b'0' + *d as u8;
                match class {
                    Class::Bytes(class) => {
                        class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&digit))
                    }
                    Class::Unicode(class) => class
                        .ranges()
                        .iter()
                        .any(|r| (r.start()..=r.end()).contains(&char::from(digit))),
                }
            });
            let places = digits.fold(0, |places, d| places | 1 << d);
            Some(if places == 0 { Vec::new() } else { vec![vec![places]] })
        }
        HirKind::Look(_) => None,
        HirKind::Capture(capture) => expand(&capture.sub),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(expand(part)?);
            }
            (all.len() <= MAX_FORMS).then_some(all)
        }
        HirKind::Concat(parts) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                all = joined(&all, &expand(part)?)?;
            }
            Some(all)
        }
        HirKind::Repetition(repeat) => {
            let once = expand(&repeat.sub)?;
            let most = repeat.max.map_or(MAX_NUMBER, |max| max as usize).min(MAX_NUMBER + 1);
            let mut all = Vec::new();
            let mut times = vec![Vec::new()];
            for n in 0..=most {
                if n >= repeat.min as usize {
                    all.extend(times.iter().cloned());
                }
                times = joined(&times, &once)?;
                if times.is_empty() || all.len() > MAX_FORMS {
                    break;
                }
            }
            (all.len() <= MAX_FORMS).then_some(all)
        }
    }
}

/// Concatenates each of the first with each of the second; drops what is longer than any number.
fn joined(first: &[Places], second: &[Places]) -> Option<Vec<Places>> {
    let mut all = Vec::new();
    for front in first {
        for back in second.iter().filter(|back| front.len() + back.len() <= MAX_NUMBER) {
            all.push([front.as_slice(), back].concat());
        }
    }
    (all.len() <= MAX_FORMS).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_digits_alone() {
        let shapes = |pattern| {
            let forms = forms(pattern)?;
            Some(forms.into_iter().map(|f| (f.len(), f.first().copied())).collect::<Vec<_>>())
        };
        assert_eq!(shapes("[12][0-9]{2}[ -]?[0-9]"), Some(vec![(4, Some(6))]));
        assert_eq!(shapes("[0-9]{3}-[0-9]{2}|[A-Z]{4}"), Some(vec![]));
        assert_eq!(shapes("(?:19)?[0-9]{2}"), Some(vec![(4, Some(2)), (2, Some(1023))]));
        assert_eq!(shapes("[0-9]+7\\b"), None);
        assert_eq!(shapes("(?:1|[2-9]{1,9}){1,9}"), None);
    }

    #[test]
    fn the_table_says_what_the_patterns_say() {
        let mut rules = crate::rules::RuleSet::shipped().expect("shipped rules");
        rules.identifiers.enable(&[super::super::ALL_REGIONS]).expect("all regions");
        let identifiers = &rules.identifiers;
        let mut random = 7u64;
        let mut matched = 0;
        for (len, bucket) in identifiers.enabled.iter().enumerate().skip(5) {
            let table = identifiers.bare.get(len).expect("a table for each length");
            assert!(table.is_whole(), "{len}");
            for n in 0..400 {
                let digit = |at: usize| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                    // Random digits rarely form a date.
                    let most = if n % 2 == 0 || at % 2 == 1 { 10 } else { 2 };
                    b'0' + (random >> 33) as u8 % most
                };
                let number: Vec<u8> = (0..len).map(digit).collect();
                let found: Vec<u16> = table.rules(&number).collect();
                let matches = |index: &&u16| {
                    identifiers.get(**index).is_some_and(|r| r.pattern.is_match(&number))
                };
                let expected: Vec<u16> = bucket.iter().filter(matches).copied().collect();
                matched += expected.len();
                assert_eq!(found, expected, "{len}");
            }
        }
        assert!(matched > 1000, "{matched}");
    }
}
