//! Patient data in Data Export of IntelliVue monitors (IntelliVue Data Export Interface Programming Guide): responses
//! to polls, reports and settings as lists of attributes, of objects or of one object.

#[cfg(test)]
mod tests;

use crate::content::extract::person::Person;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::protocol::intellivue::{HEADER, MEDIA_TYPE};
use crate::rules::Health;
use zeroize::Zeroizing;

/// Longest datagram, bytes.
const MAX_DATAGRAM: usize = 64 << 10;
/// Objects read per datagram.
const MAX_OBJECTS: usize = 512;
/// Attributes read per object.
const MAX_ATTRIBUTES: usize = 256;

/// Operations: responses, and responses in several datagrams.
const RESULT: u16 = 2;
const LINKED_RESULT: u16 = 5;
/// Commands.
const EVENT: u16 = 0;
const CONFIRMED_EVENT: u16 = 1;
const GET: u16 = 3;
const SET: u16 = 4;
const CONFIRMED_SET: u16 = 5;
const CONFIRMED_ACTION: u16 = 7;
/// The action that answers a poll with a number for each of its datagrams.
const POLL_EXTENDED: u16 = 0xf13b;
/// Attributes: dates, sexes; all others of interest are text.
const BIRTH: u16 = 0x0958;
const SEX: u16 = 0x0961;

/// The format.
pub struct DataExport;

impl Format for DataExport {
    fn name(&self) -> &'static str {
        "intellivue"
    }

    fn probe(&self, media: &Media<'_>, _head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::Type { content_type, .. } if *content_type == MEDIA_TYPE)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Datagram>::default()
    }
}

#[derive(Default)]
struct Datagram {
    bytes: Zeroizing<Vec<u8>>,
}

impl Document for Datagram {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.bytes.len() + bytes.len() > MAX_DATAGRAM {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        self.bytes.extend_from_slice(bytes);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        message(&mut Values(&self.bytes), scope);
        self.bytes.clear();
    }

    fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Reads consecutive numbers, all of which are big-endian.
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    fn skip(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A list: its count, and the available part of its bytes.
    fn list(&mut self) -> Option<(u16, Self)> {
        let (count, len) = (self.u16()?, self.u16()?);
        let len = usize::from(len).min(self.0.len());
        Some((count, Values(self.skip(len)?)))
    }
}

fn message(values: &mut Values<'_>, scope: &mut Scope<'_>) -> Option<()> {
    values.skip(4)?;
    let operation = values.u16()?;
    values.skip(HEADER - 6)?;
    if operation == LINKED_RESULT {
        values.skip(2)?;
    }
    let _number = values.u16()?;
    let command = values.u16()?;
    let _length = values.u16()?;
    // The object: class, context, handle.
    values.skip(6)?;
    match command {
        CONFIRMED_ACTION if matches!(operation, RESULT | LINKED_RESULT) => poll(values, scope),
        EVENT | CONFIRMED_EVENT => {
            // Time, type, length, then the object of the event.
            values.skip(8)?;
            let mut plain = Values(values.0);
            values.skip(6)?;
            // Some events have no object in front of the attributes.
            person(values, scope).or_else(|| person(&mut plain, scope))
        }
        GET => person(values, scope),
        SET | CONFIRMED_SET if operation == 1 => {
            values.skip(4)?;
            let (count, mut list) = values.list()?;
            let mut person = Person::default();
            for _ in 0..usize::from(count).min(MAX_ATTRIBUTES) {
                let _how = list.u16()?;
                attribute(&mut list, &mut person, scope)?;
            }
            person.end(scope);
            Some(())
        }
        SET | CONFIRMED_SET => person(values, scope),
        _ => None,
    }
}

/// The answer to a poll: contexts of objects with attributes.
fn poll(values: &mut Values<'_>, scope: &mut Scope<'_>) -> Option<()> {
    let action = values.u16()?;
    let _length = values.u16()?;
    let _poll = values.u16()?;
    if action == POLL_EXTENDED {
        values.u16()?;
    }
    // Relative and absolute time, requested attributes.
    values.skip(4 + 8 + 4 + 2)?;
    let (contexts, mut contexts_list) = values.list()?;
    let mut objects = 0;
    for _ in 0..contexts {
        let _context = contexts_list.u16()?;
        let (count, mut list) = contexts_list.list()?;
        for _ in 0..count {
            objects += 1;
            if objects > MAX_OBJECTS {
                scope.give_up(Reason::Limit);
                return None;
            }
            let _handle = list.u16()?;
            person(&mut list, scope)?;
        }
    }
    Some(())
}

/// Attributes of one object; a record, if they identify a person.
fn person(values: &mut Values<'_>, scope: &mut Scope<'_>) -> Option<()> {
    let (count, mut list) = values.list()?;
    let mut person = Person::default();
    let mut read = Some(());
    for _ in 0..usize::from(count).min(MAX_ATTRIBUTES) {
        read = attribute(&mut list, &mut person, scope);
        if read.is_none() {
            break;
        }
    }
    person.end(scope);
    read
}

fn attribute(list: &mut Values<'_>, person: &mut Person, scope: &mut Scope<'_>) -> Option<()> {
    let (id, len) = (list.u16()?, list.u16()?);
    let value = list.skip(usize::from(len))?;
    let rules = scope.rules();
    // Few attributes have a rule, all of them in one block.
    if id >> 8 != 0x09 {
        return Some(());
    }
    let Some(field) = rules.recordings.field("intellivue", &format!("{id:04X}")) else {
        return Some(());
    };
    let (rule, part) = (std::sync::Arc::clone(&field.rule), field.part);
    let text = Zeroizing::new(match id {
        BIRTH => date(value).unwrap_or_default(),
        SEX => match value {
            [.., 0, 1] => "M".to_owned(),
            [.., 0, 2] => "F".to_owned(),
            _ => String::new(),
        },
        _ => string(value),
    });
    if !text.is_empty() {
        // A monitor shows what it measures.
        person.mark(Health::Result, scope);
        person.add("intellivue", &rule, part, &text, scope);
    }
    Some(())
}

/// A string: its length, then null-terminated UTF-16.
fn string(value: &[u8]) -> String {
    let units = value.get(2..).unwrap_or_default().chunks_exact(2);
    let units = units.map(|c| u16::from_be_bytes([c[0], c[1]])).take_while(|unit| *unit != 0);
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.collect::<String>().trim().to_owned()
}

/// Century, year, month, day, each as two BCD digits; all ones if unknown.
fn date(value: &[u8]) -> Option<String> {
    let head = value.get(..4)?;
    let decimal = |b: &u8| b >> 4 <= 9 && b & 0xf <= 9;
    let [.., month, day] = *head else { return None };
    let known =
        head.iter().all(decimal) && (1..=0x12).contains(&month) && (1..=0x31).contains(&day);
    known.then(|| head.iter().map(|b| format!("{b:02x}")).collect())
}
