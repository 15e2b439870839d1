//! NCPDP Telecommunication (D.0, 5.1): pharmacy claims and responses. A header of fixed length, then segments of
//! fields, each with a two-character id.

#[cfg(test)]
mod tests;

use super::hl7v2::charset::Charset;
use crate::content::extract::person::Person;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, ServiceFacts, Want};
use crate::protocol::ncpdp::MEDIA_TYPE;
use crate::rules::{FieldRule, Kind, Part};
use crate::syntax::ncpdp::{FIELD, GROUP, Header, SEGMENT, at_end, begins};
use memchr::memchr3;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest field that is read, bytes.
const MAX_FIELD: usize = 4 << 10;
/// Names of the cardholder that are kept until the patient is known.
const MAX_WAITING: usize = 4;

/// The format.
pub struct Telecom;

impl Format for Telecom {
    fn name(&self) -> &'static str {
        "ncpdp"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        match media {
            Media::Type { content_type, .. } if *content_type == MEDIA_TYPE => true,
            // Most contents have no separator at all, which is soon seen.
            Media::Type { .. } | Media::Unknown => {
                memchr::memchr2(SEGMENT, GROUP, head).is_some() && begins(head).is_yes()
            }
            _ => false,
        }
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

#[derive(Default)]
struct Reader {
    /// The text before the next separator.
    field: Zeroizing<Vec<u8>>,
    lost: bool,
    /// Behind the header of a transmission.
    inside: bool,
    /// The current segment, by its AM field.
    segment: [u8; 2],
    person: Person,
    /// Name of the cardholder, kept until the segment ends, as the relationship follows it.
    holder: Vec<(Arc<FieldRule>, Part, Zeroizing<String>)>,
    /// The cardholder is the patient (306-C6).
    is_holder: Option<bool>,
    /// The type of the next patient id (331-CX).
    qualifier: [u8; 2],
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = memchr3(SEGMENT, GROUP, FIELD, rest);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            if !self.lost && self.field.len() + piece.len() > MAX_FIELD {
                self.lost = true;
                self.field.clear();
                scope.give_up(Reason::Limit);
            } else if !self.lost {
                self.field.extend_from_slice(piece);
            }
            if let Some(separator) = end.and_then(|at| rest.get(at)) {
                self.separator(*separator, scope);
            }
            rest = rest.get(piece.len() + usize::from(end.is_some())..).unwrap_or(&[]);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.field.clear();
        self.lost = true;
        self.end_transmission(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let field = std::mem::take(&mut self.field);
        if !self.lost {
            self.read(&field, scope);
        }
        self.end_transmission(scope);
    }

    fn memory(&self) -> usize {
        self.field.capacity()
    }
}

impl Reader {
    /// The text before a separator is a field, or the header of the next transmission preceded by the last
    /// field and the framing.
    fn separator(&mut self, separator: u8, scope: &mut Scope<'_>) {
        let field = std::mem::take(&mut self.field);
        if !std::mem::take(&mut self.lost) {
            let header = if separator == FIELD { None } else { at_end(&field) };
            match header {
                Some((header, before)) => {
                    self.read(field.get(..before).unwrap_or(&[]), scope);
                    self.end_transmission(scope);
                    self.begin(header, scope);
                }
                None => self.read(&field, scope),
            }
        }
        if separator != FIELD {
            self.segment = [0; 2];
        }
        self.field = field;
        self.field.clear();
    }

    fn begin(&mut self, header: Header, scope: &mut Scope<'_>) {
        self.inside = true;
        if let Ok(transaction) = std::str::from_utf8(&header.transaction) {
            scope.set_operation(transaction);
            ServiceFacts::add_shared(&mut scope.facts().messages().types, transaction);
        }
        if let Ok(version) = std::str::from_utf8(&header.version) {
            ServiceFacts::set(&mut scope.facts().messages().version, version);
        }
    }

    fn end_transmission(&mut self, scope: &mut Scope<'_>) {
        let other = self.is_holder == Some(false);
        let named = self.person.is_named();
        for (rule, part, value) in std::mem::take(&mut self.holder) {
            // The cardholder is the patient, or another.
            if other {
                self.person.add("ncpdp", &rule, part, &value, scope);
            } else if !named {
                self.person.add_as("ncpdp", Kind::Name, &rule, part, &value, scope);
            }
        }
        self.person.end(scope);
        (self.is_holder, self.inside, self.segment) = (None, false, [0; 2]);
        self.qualifier = [0; 2];
    }

    fn read(&mut self, field: &[u8], scope: &mut Scope<'_>) {
        let (Some(&[a, b]), Some(value)) = (field.get(..2), field.get(2..)) else { return };
        let id = [a, b];
        if !self.inside || !id.iter().all(u8::is_ascii_alphanumeric) {
            return;
        }
        // Framing may follow the last field.
        let end = value.iter().position(u8::is_ascii_control).unwrap_or(value.len());
        let value = value.get(..end).unwrap_or(value).trim_ascii();
        match &id {
            b"AM" => self.segment = value.try_into().unwrap_or_default(),
            b"C6" => self.is_holder = Some(matches!(value, b"1" | b"0" | b"")),
            b"CX" => self.qualifier = value.try_into().unwrap_or_default(),
            _ => self.identify(id, value, scope),
        }
    }

    fn identify(&mut self, id: [u8; 2], value: &[u8], scope: &mut Scope<'_>) {
        let (Ok(name), Ok(segment)) =
            (std::str::from_utf8(&id), std::str::from_utf8(&self.segment))
        else {
            return;
        };
        let rules = scope.rules;
        if let Some(about) = rules.ncpdp.about(name) {
            self.person.mark(about, scope);
        }
        let fields = rules.ncpdp.field(name);
        if fields.is_empty() {
            return;
        }
        let text = Charset::Undeclared.decode(value, 0);
        // 331-CX defines the meaning of 332-CY.
        let qualified = format!("CX{}", std::str::from_utf8(&self.qualifier).unwrap_or(""));
        let bound = fields.iter().find(|f| f.is_bound_to(&qualified));
        let Some(field) = bound.or_else(|| fields.iter().find(|f| f.applies(segment))) else {
            return;
        };
        if field.rule.kind == Kind::NextOfKinName {
            if self.holder.len() < MAX_WAITING {
                let text = Zeroizing::new(text.into_owned());
                self.holder.push((Arc::clone(&field.rule), field.part, text));
            }
            return;
        }
        self.person.add("ncpdp", &field.rule, field.part, &text, scope);
    }
}
