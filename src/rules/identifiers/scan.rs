//! Searches text for numbers that may be identifiers, in one pass.
//!
//! Most text has few digits. Digits are counted by blocks, sixteen or more bytes at a time, and
//! blocks with too few are skipped. In the others, runs of letters, digits and single separators
//! are classified eight bytes at a time. Groups with enough digits are joined to numbers of a
//! length that some rule has. Then come the check digits, which most numbers fail, then the
//! pattern, and finally the words around the number.

use super::bare::Bare;
use super::{IdentifierRule, IdentifierRules, words_of};
use crate::rules::validators::MAX_NUMBER;
use smallvec::SmallVec;

/// Bytes counted at once. A number lies within two blocks.
const BLOCK: usize = 64;

/// Bytes classified at once; classifying the last of 64 needs the byte after it.
const WINDOW: usize = 63;

/// Fewest digits of a number searched for. Shorter numbers are found by label only.
pub(super) const MIN_DIGITS: usize = 5;

/// Most groups of a number (`2 95 10 99 126 111 93`).
const MAX_GROUPS: usize = 8;

/// Longest group of letters only; a longer one is a word.
const MAX_LETTERS: usize = 6;

/// Bytes before and after a number that are searched for context words.
const NEAR: (usize, usize) = (48, 24);

/// A number in a text.
pub struct Hit<'r, 't> {
    /// The number as written.
    pub value: &'t str,
    /// Its offset in the text.
    pub start: usize,
    /// The lengths of its groups, as a number; equal for numbers written alike.
    pub shape: u64,
    /// The rule that nearby words point to.
    pub near: Option<&'r IdentifierRule>,
    /// The rules whose check it passes, those with the rarest random matches first.
    pub valid: SmallVec<[&'r IdentifierRule; 4]>,
}

/// The rules searched for, by number of letters and digits.
#[derive(Clone, Copy)]
struct ScanSet<'e> {
    lengths: &'e [Vec<u16>],
    bare: &'e [Bare],
}

/// A number while its groups are joined.
struct Number {
    /// Upper case, without separators.
    compact: [u8; MAX_NUMBER],
    len: usize,
    digits: usize,
    groups: usize,
    shape: u64,
}

impl IdentifierRules {
    /// Calls `found` with each number in `text` that has an enabled form.
    pub fn scan<'r, 't>(&'r self, text: &'t str, found: &mut dyn FnMut(Hit<'r, 't>)) {
        self.scan_for(ScanSet { lengths: &self.enabled, bare: &self.bare }, text, found);
    }

    /// Whether the rule `id` accepts a number in `text`, or `text` itself.
    pub fn takes(&self, id: &str, text: &str) -> bool {
        let Some(at) = self.rules.iter().position(|r| *r.rule.id == *id) else { return false };
        let Some(rule) = self.rules.get(at) else { return false };
        let mut taken = rule.verify(text) == Some(true) && rule.pattern.is_match(text.as_bytes());
        let mut only = vec![Vec::new(); MAX_NUMBER + 1];
        for bucket in only.iter_mut().take(rule.length.1 + 1).skip(rule.length.0) {
            bucket.extend(u16::try_from(at));
        }
        let bare = Bare::tables(&only, &self.rules);
        self.scan_for(ScanSet { lengths: &only, bare: &bare }, text, &mut |hit| {
            let this = |r: &&IdentifierRule| r.rule.id == rule.rule.id;
            taken |= hit.near.as_ref().is_some_and(this) || hit.valid.iter().any(this);
        });
        // For a rule of numbers that are not a patient's, accepting means that the number is
        // dropped.
        taken || (!rule.personal && rule.verify(text).is_none() && self.denies(rule, text))
    }

    /// Whether a word marks a number in `text` as one of a rule for numbers that are not a
    /// patient's.
    fn denies(&self, rule: &IdentifierRule, text: &str) -> bool {
        let Some((word, number)) = text.rsplit_once(' ') else { return false };
        let word = words_of(word);
        rule.words.iter().any(|w| word.contains(w.as_str()))
            && rule.pattern.is_match(number.as_bytes())
    }

    fn scan_for<'r, 't>(
        &'r self,
        enabled: ScanSet<'_>,
        text: &'t str,
        found: &mut dyn FnMut(Hit<'r, 't>),
    ) {
        if enabled.lengths.iter().all(Vec::is_empty) {
            return;
        }
        let bytes = text.as_bytes();
        // End of the text searched so far.
        let mut seen = 0;
        let mut before = 0;
        for (index, block) in bytes.chunks(BLOCK).enumerate() {
            let digits = count_digits(block);
            if before + digits >= MIN_DIGITS {
                let start = (index * BLOCK).saturating_sub(BLOCK).max(seen);
                let end = (index * BLOCK + block.len()).max(seen);
                seen = self.stretches(enabled, text, start, end, found);
            }
            before = digits;
        }
    }

    /// Finds runs with enough digits that start in a part of a text. Returns how far it searched.
    fn stretches<'r, 't>(
        &'r self,
        enabled: ScanSet<'_>,
        text: &'t str,
        from: usize,
        to: usize,
        found: &mut dyn FnMut(Hit<'r, 't>),
    ) -> usize {
        let bytes = text.as_bytes();
        // The start of the next window, and the end of the text searched so far.
        let (mut at, mut seen) = (from, from);
        while at < to {
            let Classes { digits, parts, joined } = Classes::of(bytes, at);
            let mut left = joined;
            let mut next = at + WINDOW;
            while left != 0 {
                let start = left.trailing_zeros() as usize;
                let len = (left >> start).trailing_ones() as usize;
                let open = start + len >= WINDOW;
                if open && start > 0 {
                    // The run may continue, so the next window begins at its start.
                    next = at + start;
                    break;
                }
                let mask = (u64::MAX >> (64 - len.clamp(1, 64))) << start;
                left &= !mask;
                // A single group of a length that no rule has.
                let odd =
                    parts & mask == mask && enabled.lengths.get(len).is_none_or(Vec::is_empty);
                if open || !odd && (digits & mask).count_ones() as usize >= MIN_DIGITS {
                    let first = (at + start).max(seen);
                    let end = at + start + len;
                    if !open
                        && digits & mask == mask
                        && first == at + start
                        && let Some(bare) = enabled.bare.get(len).filter(|bare| bare.is_whole())
                    {
                        self.bare(bare, text, first, end, found);
                        seen = end;
                        continue;
                    }
                    seen = self.walk(enabled, text, first, at + start + len, found).max(seen);
                }
            }
            at = next;
        }
        at.max(seen)
    }

    /// Checks a digit-only number.
    fn bare<'r, 't>(
        &'r self,
        bare: &Bare,
        text: &'t str,
        start: usize,
        end: usize,
        found: &mut dyn FnMut(Hit<'r, 't>),
    ) {
        let bytes = text.as_bytes();
        let Some(value) = text.get(start..end) else { return };
        if !starts_here(bytes, start)
            || !ends_here(bytes, start, end, 1)
            || is_made_up(value.as_bytes())
        {
            return;
        }
        let rules = bare.rules(value.as_bytes()).filter_map(|index| self.get(index));
        let valid: SmallVec<_> =
            rules.filter(|r| r.validator.is_none_or(|v| v.check(value))).collect();
        let shape = group_shape(0, value.len());
        let hit = if valid.is_empty() {
            Some(Hit { value, start, shape, near: None, valid })
        } else {
            self.explain(text, start, end, shape, valid)
        };
        if let Some(hit) = hit {
            found(hit);
        }
    }

    /// Checks the groups that start in a run of text. Returns how far it searched.
    fn walk<'r, 't>(
        &'r self,
        enabled: ScanSet<'_>,
        text: &'t str,
        from: usize,
        to: usize,
        found: &mut dyn FnMut(Hit<'r, 't>),
    ) -> usize {
        let bytes = text.as_bytes();
        let mut at = from;
        while at < to {
            if !is_part(bytes, at) {
                at += 1;
                continue;
            }
            let end = group_end(bytes, at);
            at = self.at(enabled, text, at, end, found).unwrap_or(end);
        }
        at
    }

    /// Checks the numbers that start at `start`. Returns the end of the one found.
    fn at<'r, 't>(
        &'r self,
        enabled: ScanSet<'_>,
        text: &'t str,
        start: usize,
        first_end: usize,
        found: &mut dyn FnMut(Hit<'r, 't>),
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        if !starts_here(bytes, start) {
            return None;
        }
        let mut number =
            Number { compact: [0; MAX_NUMBER], len: 0, digits: 0, groups: 0, shape: 0 };
        let (mut at, mut end) = (start, first_end);
        let mut longest = None;
        loop {
            let group = bytes.get(at..end)?;
            if !number.add(group) {
                break;
            }
            let rules = enabled.lengths.get(number.len).map_or(&[][..], Vec::as_slice);
            if number.digits >= MIN_DIGITS
                && !rules.is_empty()
                && ends_here(bytes, start, end, number.groups)
                && !number.is_made_up()
                && let Some(hit) = self.judge(text, start, end, &number, rules)
            {
                let whole = hit.near.is_some() || hit.valid.iter().any(|r| r.alone.is_some());
                found(hit);
                if whole {
                    longest = Some(end);
                }
            }
            let separator = bytes.get(end).copied().unwrap_or(0);
            if !b" -./(".contains(&separator) || !is_part(bytes, end + 1) {
                break;
            }
            number.shape = number.shape.wrapping_mul(31).wrapping_add(u64::from(separator));
            at = end + 1;
            end = group_end(bytes, at);
        }
        longest
    }

    /// Finds the rules that a number satisfies.
    fn judge<'r, 't>(
        &'r self,
        text: &'t str,
        start: usize,
        end: usize,
        number: &Number,
        rules: &[u16],
    ) -> Option<Hit<'r, 't>> {
        let compact = std::str::from_utf8(number.compact.get(..number.len)?).ok()?;
        let value = text.get(start..end)?;
        let valid: SmallVec<[&IdentifierRule; 4]> = rules
            .iter()
            .filter_map(|index| self.get(*index))
            .filter(|rule| match rule.validator {
                Some(_) if rule.signs => rule.verify(value) == Some(true),
                Some(validator) => validator.check(compact),
                None => true,
            })
            .filter(|rule| rule.pattern.is_match(value.as_bytes()))
            .collect();
        if valid.is_empty() {
            // Only counted, to tell a list of numbers from random matches.
            let plain = number.digits == number.len;
            return plain.then(|| Hit { value, start, shape: number.shape, near: None, valid });
        }
        self.explain(text, start, end, number.shape, valid)
    }

    /// Evaluates the words around a valid number.
    fn explain<'r, 't>(
        &'r self,
        text: &'t str,
        start: usize,
        end: usize,
        shape: u64,
        mut valid: SmallVec<[&'r IdentifierRule; 4]>,
    ) -> Option<Hit<'r, 't>> {
        let value = text.get(start..end)?;
        valid.sort_by(|a, b| a.chance.total_cmp(&b.chance));
        let mut places: SmallVec<[Option<usize>; 4]> = SmallVec::from_elem(None, valid.len());
        let mut other = None;
        let mut place = |rule: u16, place: usize| {
            let Some(rule) = self.get(rule) else { return };
            if let Some(at) = valid.iter().position(|v| std::ptr::eq(*v, rule))
                && let Some(held) = places.get_mut(at)
            {
                *held = (*held).max(Some(place));
            }
        };
        // The nearest word before the number decides.
        self.context().each(&words_of(before(text, start)), |at, rule| match rule {
            Some(rule) => place(rule, at),
            None => other = other.max(Some(at)),
        });
        self.context().each(&words_of(after(text, end)), |_, rule| {
            if let Some(rule) = rule {
                place(rule, 0);
            }
        });
        let near = places.iter().zip(&valid).filter_map(|(place, rule)| Some(((*place)?, *rule)));
        let near = near.max_by(|a, b| a.0.cmp(&b.0).then(b.1.chance.total_cmp(&a.1.chance)));
        let near = match (near, other) {
            (Some((place, _)), Some(other)) if other > place => return None,
            (None, Some(_)) => return None,
            (near, _) => near.map(|(_, rule)| rule),
        };
        if near.is_some_and(|rule| !rule.personal) {
            return None;
        }
        valid.retain(|rule| rule.personal && rule.is_checked());
        Some(Hit { value, start, shape, near, valid })
    }
}

impl Number {
    /// Adds a group if it can be part of a number.
    fn add(&mut self, group: &[u8]) -> bool {
        let digits = group.iter().filter(|b| b.is_ascii_digit()).count();
        let word = digits == 0 && group.len() > MAX_LETTERS;
        let Some(room) = self.compact.get_mut(self.len..self.len + group.len()) else {
            return false;
        };
        if word || self.groups == MAX_GROUPS {
            return false;
        }
        room.copy_from_slice(group);
        room.make_ascii_uppercase();
        self.len += group.len();
        self.digits += digits;
        self.groups += 1;
        self.shape = group_shape(self.shape, group.len());
        true
    }

    fn is_made_up(&self) -> bool {
        self.compact.get(..self.len).is_none_or(is_made_up)
    }
}

/// A shape extended by a group of this length.
const fn group_shape(shape: u64, len: usize) -> u64 {
    shape.wrapping_mul(31).wrapping_add(len as u64 * 2 + 1)
}

/// Whether all digits are equal, or each is one more or one less than the one before.
fn is_made_up(all: &[u8]) -> bool {
    let step = |by: u8| all.windows(2).all(|w| matches!(w, [a, b] if b.wrapping_sub(*a) == by));
    if !matches!(all, [a, b, ..] if matches!(b.wrapping_sub(*a), 0 | 1 | u8::MAX)) {
        return false;
    }
    // In `1234567890` the zero continues the row.
    let body = all.strip_suffix(b"0").filter(|body| body.last() == Some(&b'9')).unwrap_or(all);
    let up = body.windows(2).all(|w| matches!(w, [a, b] if b.wrapping_sub(*a) == 1));
    up || step(0) || step(u8::MAX)
}

/// Bit masks of a window, one bit per byte.
struct Classes {
    digits: u64,
    /// Letters and digits.
    parts: u64,
    /// Letters, digits, and separators that may join them: single, and beside a digit.
    joined: u64,
}

impl Classes {
    /// Classifies the 64 bytes from `at` on; beyond the end are blanks.
    fn of(bytes: &[u8], at: usize) -> Self {
        let (mut digits, mut letters, mut separators) = (0, 0, 0);
        let rest = bytes.get(at..).unwrap_or_default();
        let mut add = |place: usize, word: u64| {
            let (d, l, s) = classes(word);
            digits |= d << (place * 8);
            letters |= l << (place * 8);
            separators |= s << (place * 8);
        };
        if let Some(window) = rest.first_chunk::<64>() {
            for (place, word) in window.as_chunks::<8>().0.iter().enumerate() {
                add(place, u64::from_le_bytes(*word));
            }
        } else {
            for (place, part) in rest.chunks(8).enumerate() {
                let mut word = [b'\n'; 8];
                for (slot, byte) in word.iter_mut().zip(part) {
                    *slot = *byte;
                }
                add(place, u64::from_le_bytes(word));
            }
        }
        // The byte before the window counts as a separator, and so does the one before the text.
        let parts = digits | letters;
        let beside = (digits << 1) | (digits >> 1);
        let joined = parts | (separators & (parts << 1) & (parts >> 1) & beside);
        Self { digits, parts, joined: joined & (u64::MAX >> 1) }
    }
}

/// Classifies eight bytes: one bit each for digits, letters, and separators (blank, `(`, `-`, `.`,
/// `/`).
fn classes(word: u64) -> (u64, u64, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let ascii = !word & HIGH;
    let low = word & !HIGH;
    // The high bit of each byte that is `least` or more.
    let from = |bytes: u64, least: u8| bytes + ONES * u64::from(0x80 - least);
    let within =
        |bytes: u64, least: u8, most: u8| from(bytes, least) & !from(bytes, most + 1) & ascii;
    let bits = |high: u64| ((high >> 7).wrapping_mul(0x0102_0408_1020_4080)) >> 56;
    let digits = within(low, b'0', b'9');
    let letters = within(low | (ONES * 0x20), b'a', b'z');
    let separators = within(low, b'-', b'/') | within(low, b' ', b' ') | within(low, b'(', b'(');
    (bits(digits), bits(letters), bits(separators))
}

/// Counts the digits of a block. The loop has no branches, so that it is vectorised.
fn count_digits(block: &[u8]) -> usize {
    let digits = block.iter().fold(0u8, |n, b| n.wrapping_add(u8::from(b.wrapping_sub(b'0') < 10)));
    usize::from(digits)
}

fn is_part(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// The end of the group of letters and digits at `at`.
fn group_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len())
}

/// Whether a number may start here: not inside a version, UID, path, UUID, amount or escape.
fn starts_here(bytes: &[u8], at: usize) -> bool {
    let Some(last) = at.checked_sub(1).and_then(|i| bytes.get(i)) else { return true };
    let earlier = at.checked_sub(2).is_some_and(|i| is_part(bytes, i));
    match last {
        b'_' | b'@' | b'+' | b'%' | b'\\' | b'$' => false,
        b'-' | b'.' | b'/' => !earlier,
        _ => !last.is_ascii_alphanumeric(),
    }
}

/// Whether a number may end here, and is not part of a longer one of the same form.
fn ends_here(bytes: &[u8], start: usize, end: usize, groups: usize) -> bool {
    let next = bytes.get(end).copied().unwrap_or(b' ');
    let part = is_part(bytes, end + 1);
    let open = match next {
        b'_' | b'@' | b'%' => true,
        b'-' | b'/' | b'\\' => part,
        b'.' | b',' | b':' => bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
        _ => false,
    };
    // Further digit groups on either side: a 16-digit card number is not a 12-digit number.
    let digit = |at: Option<usize>| at.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    let goes_on = groups > 1
        && ((next == b' ' && digit(Some(end + 1)))
            || (bytes.get(start.wrapping_sub(1)) == Some(&b' ') && digit(start.checked_sub(2))));
    !open && !goes_on
}

/// The text before a number, on its line.
fn before(text: &str, start: usize) -> &str {
    let mut from = start.saturating_sub(NEAR.0);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let near = text.get(from..start).unwrap_or("");
    near.rsplit('\n').next().unwrap_or(near)
}

/// The text after it.
fn after(text: &str, end: usize) -> &str {
    let mut to = (end + NEAR.1).min(text.len());
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    let near = text.get(end..to).unwrap_or("");
    near.split('\n').next().unwrap_or(near)
}
