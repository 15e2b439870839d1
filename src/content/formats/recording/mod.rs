//! Files of biosignals and image volumes, by the header that identifies the patient: SCP-ECG (EN 1064), MFER (ISO
//! 22077-1), EDF and EDF+, BDF, ISHNE (Holter electrocardiograms), NIfTI and ANALYZE. The rest of a file is skipped.

mod edf;
mod fixed;
mod mfer;
mod scp;

#[cfg(test)]
mod tests;

use crate::content::extract::person::Person;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::rules::Health;
use crate::syntax::recording;
use encoding_rs::{Encoding, WINDOWS_1252};
use zeroize::Zeroizing;

/// Most bytes read of a header.
const MAX_HEAD: usize = 64 << 10;
/// Longest text of a field, bytes.
const MAX_TEXT: usize = 256;

/// Electrocardiograms, EN 1064.
pub const SCP_ECG: Recording = Recording {
    name: "scp-ecg",
    // A checksum.
    first: b"",
    begins: |head| recording::scp(head).is_yes() || head.starts_with(recording::SCP),
    read: scp::read,
    shows: Some(Health::Result),
};

/// Biosignals, ISO 22077-1.
pub const MFER: Recording = Recording {
    name: "mfer",
    first: b"@",
    begins: |head| recording::mfer(head).is_yes(),
    read: mfer::read,
    shows: Some(Health::Result),
};

/// EDF, EDF+ and BDF.
pub const EDF: Recording = Recording {
    name: "edf",
    first: b"0",
    begins: |head| recording::edf(head).is_yes(),
    read: edf::read,
    shows: Some(Health::Result),
};

/// Holter electrocardiograms (ISHNE, Badilini 1998).
pub const ISHNE: Recording = Recording {
    name: "ishne",
    first: b"I",
    begins: |head| recording::ishne(head).is_yes(),
    read: fixed::ishne,
    shows: Some(Health::Result),
};

/// NIfTI-1, NIfTI-2 and ANALYZE 7.5.
pub const NIFTI: Recording = Recording {
    name: "nifti",
    first: b"\\",
    begins: |head| recording::volume(head).is_some(),
    read: fixed::nifti,
    shows: None,
};

/// A kind of file.
pub struct Recording {
    name: &'static str,
    first: &'static [u8],
    begins: fn(&[u8]) -> bool,
    /// Reads the available part of the header.
    read: fn(&[u8], &mut Values) -> Read,
    shows: Option<Health>,
}

/// Result of reading a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Read {
    /// This many bytes of the file are needed.
    Need(usize),
    /// All identifying fields were read.
    Done,
}

/// Fields of a header, by their names in the rules.
#[derive(Default)]
struct Values(Vec<(&'static str, Zeroizing<String>)>);

impl Values {
    fn add(&mut self, field: &'static str, value: String) {
        let value = Zeroizing::new(value);
        let text = value.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        if !text.is_empty() {
            self.0.push((field, Zeroizing::new(text.to_owned())));
        }
    }

    /// Null-terminated text, in this character set unless it is UTF-8.
    fn text(&mut self, field: &'static str, bytes: &[u8], charset: &'static Encoding) {
        let end = memchr::memchr(0, bytes).unwrap_or(bytes.len()).min(MAX_TEXT);
        let bytes = bytes.get(..end).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => self.add(field, text.to_owned()),
            Err(_) => self.add(field, charset.decode_without_bom_handling(bytes).0.into_owned()),
        }
    }

    fn latin(&mut self, field: &'static str, bytes: &[u8]) {
        self.text(field, bytes, WINDOWS_1252);
    }

    /// A date, unless it is missing.
    fn date(&mut self, field: &'static str, year: u16, month: u16, day: u16) {
        let known = (1..=12).contains(&month) && (1..=31).contains(&day);
        if known && (1850..=2200).contains(&year) {
            self.add(field, format!("{year:04}{month:02}{day:02}"));
        }
    }

    /// 1 is male and 2 is female, in all of these formats.
    fn sex(&mut self, field: &'static str, code: u16) {
        match code {
            1 => self.add(field, "M".to_owned()),
            2 => self.add(field, "F".to_owned()),
            _ => {}
        }
    }
}

impl Format for Recording {
    fn name(&self) -> &'static str {
        self.name
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::Type { .. } | Media::Unknown) && (self.begins)(head)
    }

    fn first(&self) -> &'static [u8] {
        self.first
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Header {
            name: self.name,
            read: self.read,
            shows: self.shows,
            head: Zeroizing::default(),
            need: 1,
        })
    }
}

/// A header that is buffered until it is complete.
struct Header {
    name: &'static str,
    read: fn(&[u8], &mut Values) -> Read,
    shows: Option<Health>,
    head: Zeroizing<Vec<u8>>,
    need: usize,
}

impl Header {
    fn hand_on(&mut self, values: &Values, scope: &mut Scope<'_>) {
        let mut person = Person::default();
        if let Some(shows) = self.shows {
            person.mark(shows, scope);
        }
        let rules = scope.rules;
        for (field, value) in &values.0 {
            if let Some(field) = rules.recordings.field(self.name, field) {
                person.add(self.name, &field.rule, field.part, value, scope);
            }
        }
        person.end(scope);
        self.head.clear();
        self.need = 0;
    }
}

impl Document for Header {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.need == 0 {
            return Want::NOTHING;
        }
        let room = MAX_HEAD - self.head.len();
        self.head.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or(bytes));
        if self.head.len() < self.need.min(MAX_HEAD) {
            return Want::ALL;
        }
        let mut values = Values::default();
        match (self.read)(&self.head, &mut values) {
            // It is parsed again from its beginning, so not for every byte.
            Read::Need(need) if self.head.len() < MAX_HEAD => {
                self.need = need.max(self.head.len() + self.head.len() / 4 + 1);
                Want::ALL
            }
            _ => {
                self.hand_on(&values, scope);
                Want::NOTHING
            }
        }
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.end(Ending::Cut, scope);
        Want::NOTHING
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if self.need > 0 {
            let mut values = Values::default();
            (self.read)(&self.head, &mut values);
            self.hand_on(&values, scope);
        }
    }

    fn memory(&self) -> usize {
        self.head.capacity()
    }
}

/// Number of two bytes at `at`, little-endian.
fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// Number of four bytes at `at`, little-endian.
fn u32_at(data: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?) as usize)
}
