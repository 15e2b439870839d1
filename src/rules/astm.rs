//! `[[astm]]`: fields of ASTM E1394 (LIS2-A2) records that identify a patient. Entries have the
//! form of those of HL7 v2.

use super::compile::Compiler;
use super::error::LoadError;
use super::hl7v2::{Entry, Hl7Field};
use super::samples::Samples;
use super::sections::Section;
use super::{Kind, RuleSet};

/// Fields by record type and number.
#[derive(Debug, Default)]
pub struct AstmRules {
    fields: Vec<(u8, u16, Hl7Field)>,
}

impl AstmRules {
    /// The identifying fields of a record type, in order of number. Field 1 is the record type.
    pub fn record(&self, record: u8) -> impl Iterator<Item = (u16, &Hl7Field)> {
        self.fields.iter().filter(move |(r, ..)| *r == record).map(|(_, number, f)| (*number, f))
    }
}

/// `[[astm]]`.
pub(in crate::rules) struct Fields;

impl Section for Fields {
    const NAME: &'static str = "astm";
    type Entry = Entry;

    fn kind(entry: &Entry) -> Option<Kind> {
        Some(entry.kind())
    }
    fn subject(entry: &Entry) -> String {
        entry.place().to_owned()
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        let Some((record, number)) = parse_field(entry.place()) else {
            return to.fault(format!("field {:?}: write P-n", entry.place()));
        };
        to.claim(entry.place().to_owned())?;
        let field = entry.compile(to)?;
        to.rules.astm.fields.push((record, number, field));
        Ok(())
    }
    fn finish(rules: &mut RuleSet) {
        rules.astm.fields.sort_by_key(|(_, number, _)| *number);
    }
    /// A sample is a field in wire format.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let (record, number) = parse_field(entry.place())?;
        let mut fields = vec![""; usize::from(number) - 1];
        *fields.last_mut()? = sample;
        // All records except a query belong to the patient record before them.
        let patient = if matches!(record, b'P' | b'Q') { "" } else { "P|1\r" };
        let record = char::from(record);
        let records = format!("H|\\^&\r{patient}{record}|{}\rL|1\r", fields.join("|"));
        Some(with.takes(&entry.common.id, "text/plain", records.as_bytes()))
    }
}

fn parse_field(text: &str) -> Option<(u8, u16)> {
    match text.split_once('-')? {
        (record, number) if record.len() == 1 => {
            let record = record.bytes().next().filter(u8::is_ascii_uppercase)?;
            Some((record, number.parse().ok().filter(|n| *n > 1)?))
        }
        _ => None,
    }
}
