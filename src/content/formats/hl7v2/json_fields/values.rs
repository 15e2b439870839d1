//! The values of a segment by their places, and the segment in ER7.

use super::MAX_NUMBER;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_SEGMENT: usize = 64 << 10;
/// Values of one segment.
const MAX_VALUES: usize = 512;

/// Field, repetition, component, subcomponent; each from one on.
pub(in super::super) type Place = [u16; 4];

/// The values of a segment by their places.
#[derive(Default)]
pub(in super::super) struct Values {
    values: BTreeMap<Place, Zeroizing<String>>,
    pub(super) bytes: usize,
    pub(super) cut: bool,
}

impl Values {
    pub(in super::super) fn add(&mut self, place: Place, text: &str) {
        if self.values.len() >= MAX_VALUES || self.bytes + text.len() > MAX_SEGMENT {
            self.cut = true;
            return;
        }
        self.bytes += text.len();
        self.values.entry(place).or_insert_with(|| Zeroizing::new(text.to_owned()));
    }

    /// Whether there is a value at this place.
    pub(in super::super) fn has(&self, place: Place) -> bool {
        self.values.contains_key(&place)
    }

    /// Bytes of heap held, roughly.
    pub(in super::super) fn memory(&self) -> usize {
        2 * self.bytes + self.values.len() * 64
    }

    /// The segment in ER7. A value that is a whole field may have components of its own.
    pub(in super::super) fn er7(&self, name: &str) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(self.bytes + 64));
        out.push_str(name);
        let mut at: Place = [0, 1, 1, 1];
        if name == "MSH" {
            // MSH-1 and MSH-2 are the separators: those that are used here. Some count MSH-2 as the first.
            out.push_str("|^~\\&");
            let first = self.values.get(&[1, 1, 1, 1]);
            at[0] = if first.is_some_and(|text| text.starts_with('^')) { 1 } else { 2 };
        }
        let before = at[0];
        for (place, text) in self.values.iter().filter(|(place, _)| place[0] > before) {
            for (level, sign) in ['|', '~', '^', '&'].into_iter().enumerate() {
                let (Some(&to), Some(from)) = (place.get(level), at.get_mut(level)) else {
                    continue;
                };
                if *from == to {
                    continue;
                }
                out.extend(std::iter::repeat_n(sign, usize::from(to.saturating_sub(*from))));
                *from = to;
                for below in at.iter_mut().skip(level + 1) {
                    *below = 1;
                }
            }
            let part = place[2..] != [1, 1] || self.has_parts(place);
            for c in text.chars() {
                match c {
                    '|' => out.push_str("\\F\\"),
                    '^' if part => out.push_str("\\S\\"),
                    c if c.is_control() => out.push(' '),
                    c => out.push(c),
                }
            }
        }
        out
    }

    /// Whether a repetition has several components.
    fn has_parts(&self, place: &Place) -> bool {
        let [field, repetition, ..] = *place;
        let parts = [field, repetition, 1, 2]..[field, repetition, MAX_NUMBER, MAX_NUMBER];
        self.values.range(parts).next().is_some()
    }

    /// Whether these are values of a patient, and no description of the fields (`"PID-3": "Patient identifier list"`).
    pub(in super::super) fn are_said(&self) -> bool {
        let begins = |number: u16| {
            let of = self.values.range([number, 1, 1, 1]..[number + 1, 1, 1, 1]);
            of.map(|(_, text)| text.as_str()).next().unwrap_or("")
        };
        let id = begins(3);
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        // A list may count its name as the first field: the segment is aligned where it is read.
        let date = digits(begins(7)) >= 4 || digits(begins(8)) >= 8;
        date || id.bytes().any(|b| b.is_ascii_digit()) && !id.contains([' ', '.'])
    }
}
