//! `[[astm]]`: fields of ASTM E1394 (LIS2-A2) records that identify a patient. Entries look like those
//! of HL7 v2.

use super::hl7v2::{Entry, Hl7Field};
use super::load::{ClaimedSubjects, Compiled, LoadError, RuleInfo, faulty, info};

/// Fields by record type and number.
#[derive(Debug, Default)]
pub struct AstmRules {
    fields: Vec<(u8, u16, Hl7Field)>,
}

impl AstmRules {
    /// The identifying fields of a record type, in order of number. The record type is field 1.
    pub fn record(&self, record: u8) -> impl Iterator<Item = (u16, &Hl7Field)> {
        self.fields.iter().filter(move |(r, ..)| *r == record).map(|(_, number, f)| (*number, f))
    }
}

pub(in crate::rules) fn compile(
    fields: Compiled<Entry>,
    list: &mut Vec<RuleInfo>,
) -> Result<AstmRules, LoadError> {
    let mut rules = AstmRules::default();
    let mut taken = ClaimedSubjects::default();
    for (_, (entry, source)) in fields {
        let subject = entry.field().to_owned();
        let (record, number) = parse_field(&subject)
            .ok_or_else(|| faulty(&source, format!("field {subject:?}: write P-n")))?;
        taken.take(subject.clone(), &entry.common.id, &source)?;
        list.push(info("astm", &entry.common, Some(entry.kind()), subject, &source));
        rules.fields.push((record, number, entry.into_field(&source)?));
    }
    rules.fields.sort_by_key(|(_, number, _)| *number);
    Ok(rules)
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
