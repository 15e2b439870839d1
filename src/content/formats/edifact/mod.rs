//! EDIFACT (ISO 9735): medical messages of European standards (MEDRPT, MEDREQ, MEDDIS...), those of German
//! hospitals and insurers (AUFN, ENTL, RECH, SLLA...), and NCPDP SCRIPT in its older form. Which
//! segments name a patient, and where, is said by rules; all others are passed over.

mod json;
mod syntax;

#[cfg(test)]
mod tests;

pub use json::Json;

use crate::content::extract::person::Person;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, ServiceFacts, Want};
use crate::rules::{EdifactField, Holder, Kind};
use crate::syntax::Match;
use crate::syntax::edifact::begins;
use smallvec::SmallVec;
use syntax::{Repetition, Segment, Syntax};
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_SEGMENT: usize = 16 << 10;
/// The usual terminator of segments.
const APOSTROPHE: u8 = b'\'';
/// Longest type of a message kept, bytes.
const MAX_TYPE: usize = 12;

/// The component of a number that names its code list (C206, C082: who is responsible for it).
const LIST: usize = 4;

/// The format.
pub struct Interchange;

impl Format for Interchange {
    fn name(&self) -> &'static str {
        "edifact"
    }

    fn first(&self) -> &'static [u8] {
        b"U"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::Type { .. } | Media::Unknown) && begins(head).is_yes()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

#[derive(Default)]
struct Reader {
    /// The segment being collected.
    segment: Zeroizing<Vec<u8>>,
    /// The last byte releases the next one.
    released: bool,
    /// What follows an apostrophe, until it shows whether the segment ended.
    ahead: Option<SmallVec<[u8; 4]>>,
    /// An apostrophe within the segment was text.
    quoted: bool,
    lost: bool,
    /// A gap has taken the beginning of the message: nothing before the next one counts.
    after_gap: bool,
    syntax: Syntax,
    message: String,
    entity: Entity,
    person: Person,
}

/// The person of the last segment that named one.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Entity {
    /// Somebody else: what follows is not the patient's.
    #[default]
    Other,
    /// No person in this section of the message.
    Nobody,
    Patient,
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        for &byte in bytes {
            self.byte(byte, scope);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.segment.clear();
        self.segment.push(b'?');
        (self.released, self.lost, self.after_gap) = (false, true, true);
        self.ahead = None;
        self.end_message(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.finish(scope);
        self.end_message(scope);
    }

    fn memory(&self) -> usize {
        self.segment.capacity()
    }
}

impl Reader {
    /// The next byte. Behind an apostrophe, the next ones show whether it ends the segment: not all senders release
    /// those in names (`SU:O'SHEA`).
    fn byte(&mut self, byte: u8, scope: &mut Scope<'_>) {
        let Some(mut ahead) = self.ahead.take() else { return self.next(byte, scope) };
        ahead.push(byte);
        match self.syntax.continues(&ahead, self.quoted) {
            Match::More => {
                self.ahead = Some(ahead);
                return;
            }
            Match::Yes(()) => self.finish(scope),
            Match::No => {
                self.quoted = true;
                self.push(APOSTROPHE, scope);
            }
        }
        // At most four bytes, one of which is used up each time.
        for byte in ahead {
            self.byte(byte, scope);
        }
    }

    fn next(&mut self, byte: u8, scope: &mut Scope<'_>) {
        if self.segment.is_empty() && !self.released && byte.is_ascii_whitespace() {
            return;
        }
        let released = std::mem::take(&mut self.released);
        // UNA is as long as it is, and holds delimiters.
        let declares = self.segment.starts_with(b"UNA");
        let ends = match declares {
            true => self.segment.len() + 1 == syntax::UNA,
            false => !released && self.syntax.ends(&self.segment, byte),
        };
        if ends && declares {
            self.segment.push(byte);
        }
        if ends {
            let last = [&b"UNT"[..], b"UNZ", b"UIT", b"UIZ"];
            let sure = declares || last.iter().any(|name| self.segment.starts_with(name));
            if byte == APOSTROPHE && !sure {
                self.ahead = Some(SmallVec::new());
            } else {
                self.finish(scope);
            }
            return;
        }
        self.released = !released && self.syntax.releases(byte) && !declares;
        self.push(byte, scope);
    }

    fn push(&mut self, byte: u8, scope: &mut Scope<'_>) {
        if self.segment.len() < MAX_SEGMENT {
            self.segment.push(byte);
        } else if !std::mem::replace(&mut self.lost, true) {
            scope.give_up(Reason::Limit);
        }
    }

    /// The segment that was collected is complete.
    fn finish(&mut self, scope: &mut Scope<'_>) {
        let raw = std::mem::take(&mut self.segment);
        (self.ahead, self.quoted) = (None, false);
        if !std::mem::take(&mut self.lost) {
            self.read(&raw, scope);
        }
        self.segment = raw;
        self.segment.clear();
    }

    fn end_message(&mut self, scope: &mut Scope<'_>) {
        self.person.end(scope);
        self.entity = Entity::Other;
    }

    fn read(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        if raw.starts_with(b"UNA") {
            self.end_message(scope);
            self.syntax = Syntax::declared(raw);
            return;
        }
        let Some(name) = raw.get(..3).filter(|n| n.iter().all(u8::is_ascii_alphanumeric)) else {
            return;
        };
        if matches!(name, b"UNB" | b"UIB") {
            self.end_message(scope);
            self.syntax.begin(raw);
        }
        let heading = matches!(name, b"UNH" | b"UIH");
        if self.after_gap && !heading {
            return;
        }
        let Ok(name) = std::str::from_utf8(name) else { return };
        let rules = scope.rules;
        let (party, about) = (rules.edifact.segment(name), rules.edifact.about(name));
        let wanted = !party.is_empty()
            || about.is_some()
            || name.starts_with('S')
            || name.starts_with('U')
            || rules.edifact.party(name, "", "").is_some();
        if !wanted {
            return;
        }
        let syntax = self.syntax;
        let text = syntax.decode(raw);
        let segment = Segment::new(&text, &syntax);
        match name {
            "UNB" | "UIB" => self.interchange(&segment, scope),
            "UNH" | "UIH" => self.begin_message(&segment, scope),
            "UNT" | "UNZ" | "UIT" | "UIZ" => self.end_message(scope),
            // Section 1 starts a transaction (ENV 1613); in any section, parties are named again.
            "S01" => {
                self.person.end(scope);
                self.entity = Entity::Nobody;
            }
            _ if is_section(name) => self.entity = Entity::Nobody,
            _ => {
                if let Some(about) = about {
                    self.person.mark(about, scope);
                }
                self.identify(name, &segment, scope);
            }
        }
    }

    /// UNB: syntax, sender, recipient.
    fn interchange(&self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        let facts = scope.facts().messages();
        ServiceFacts::set(&mut facts.sending_application, &segment.get(2, 1));
        ServiceFacts::set(&mut facts.receiving_application, &segment.get(3, 1));
    }

    /// UNH+reference+type:version, UIH+SCRIPT:version:release:type.
    fn begin_message(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        self.end_message(scope);
        self.after_gap = false;
        let kind = match segment.get(0, 1).as_ref() {
            "UIH" => segment.get(1, 4),
            _ => segment.get(2, 1),
        };
        self.message.clear();
        if kind.len() <= MAX_TYPE && kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
            self.message.push_str(&kind);
            scope.set_operation(&kind);
            ServiceFacts::add_shared(&mut scope.facts().messages().types, &kind);
        }
    }

    fn identify(&mut self, name: &str, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let qualifier = segment.get(1, 1);
        let fields = rules.edifact.segment(name);
        // Once for all that is asked of them below.
        let applying: SmallVec<[&EdifactField; 32]> =
            fields.iter().filter(|f| f.applies(&qualifier, &self.message)).collect();
        match rules.edifact.party(name, &qualifier, &self.message) {
            Some(Holder::Other) => {
                self.entity = Entity::Other;
                return;
            }
            Some(Holder::Patient) => {
                self.entity = Entity::Patient;
                let names = |f: &EdifactField| f.rule.kind == Kind::Name;
                let mut all = applying.iter().filter(|f| names(f));
                let named = all.any(|f| match f.letters {
                    true => !segment.get(f.element, f.component).is_empty(),
                    false => segment.len() > f.element || f.element == 1,
                });
                // Another patient of the same message.
                let mut ids = applying.iter().filter(|f| f.rule.kind.is_strong_id());
                let numbered = |f: &EdifactField| !segment.get(f.element, f.component).is_empty();
                let again = named || ids.any(|f| name != "NAD" || numbered(f));
                if self.person.is_named() && again {
                    self.person.end(scope);
                }
            }
            None => {}
        }
        let filled = |element: &usize| !segment.get(*element, 1).is_empty();
        let fits = |f: &EdifactField| f.with.iter().all(filled) && !f.without.iter().any(filled);
        // C058 holds the lines of an address, or a name.
        let is_name = |element: usize| {
            let mut names = applying.iter().filter(|f| f.element == element && f.letters);
            names.any(|f| {
                f.rule.kind == Kind::Name && fits(f) && {
                    let whole = segment.get(element, 1);
                    !whole.is_empty() && !whole.contains(char::is_numeric)
                }
            })
        };
        for field in &applying {
            let name = field.letters && field.rule.kind == Kind::Name;
            if (name || field.rule.kind == Kind::Address) && name != is_name(field.element) {
                continue;
            }
            if !fits(field) || (!field.anybody && self.entity == Entity::Other) {
                continue;
            }
            let last = if field.onwards { segment.len() } else { field.element };
            for element in field.element..=last {
                for repetition in segment.repetitions(element) {
                    if let Some(value) = value_of(field, fields, &repetition) {
                        self.person.add("edifact", &field.rule, field.part, &value, scope);
                    }
                }
            }
        }
    }
}

/// What an entry means in one repetition of its element. Where a code list says what a number is
/// (`0101701234:::CPR`), entries about that list come before those about any.
fn value_of(
    field: &EdifactField,
    fields: &[EdifactField],
    repetition: &Repetition<'_, '_>,
) -> Option<Zeroizing<String>> {
    let at = |n: usize| repetition.get(n);
    if field.component == 0 {
        let separator = if field.rule.kind == Kind::BirthDate { "-" } else { " " };
        let whole = Zeroizing::new(repetition.whole(separator));
        return field.value(&whole).map(|value| Zeroizing::new(value.to_owned()));
    }
    let value = at(field.component);
    if value.is_empty() {
        return None;
    }
    let list = at(LIST);
    let of_list = fields.iter().any(|f| {
        (f.element, f.component) == (field.element, field.component) && f.is_of_list(&list)
    });
    if of_list != field.is_of_list(&list) || (field.has_list() && !of_list) {
        return None;
    }
    let before = field.component.checked_sub(1).map_or_else(Default::default, at);
    let stands = field.stands_between(&before, &at(field.component + 1), fields);
    field.value(&value).filter(|_| stands).map(|value| Zeroizing::new(value.to_owned()))
}

/// `S02`: a section of a message.
fn is_section(name: &str) -> bool {
    name.strip_prefix('S').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
}
