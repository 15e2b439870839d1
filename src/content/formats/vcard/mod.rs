//! vCard (RFC 6350, and 2.1 and 3.0 before it) and iCalendar (RFC 5545): lines of properties between
//! `BEGIN` and `END`. A person in an address book or at a meeting is no patient; one whose card or
//! appointment says so is.

mod lines;

use crate::content::extract::labels::Labels;
use crate::content::extract::record::Marks;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use lines::{Lines, Property};
use zeroize::Zeroizing;

/// Deepest component that is distinguished (`VCALENDAR`, `VEVENT`, `VALARM`).
const MAX_NESTING: usize = 8;

/// Lines read of one text property.
const MAX_LINES: usize = 200;

/// Contacts.
pub const VCARD: Cards = Cards {
    name: "vcard",
    begin: b"BEGIN:VCARD",
    types: &["vcard", "directory"],
    suffixes: &["vcf", "vcard"],
};

/// Appointments.
pub const ICALENDAR: Cards = Cards {
    name: "icalendar",
    begin: b"BEGIN:VCALENDAR",
    types: &["calendar"],
    suffixes: &["ics", "ical"],
};

/// A format made of such lines.
pub struct Cards {
    name: &'static str,
    begin: &'static [u8],
    types: &'static [&'static str],
    suffixes: &'static [&'static str],
}

impl Format for Cards {
    fn name(&self) -> &'static str {
        self.name
    }

    fn first(&self) -> &'static [u8] {
        b"Bb"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let begins =
            |begin: &[u8]| head.get(..begin.len()).is_some_and(|h| h.eq_ignore_ascii_case(begin));
        // Undeclared, the first line is sign enough.
        begins(self.begin)
            || (begins(b"BEGIN:")
                && self.types.iter().any(|t| media::says(media, t, self.suffixes)))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(CardDocument {
            lines: Lines::default(),
            reader: Reader {
                content: self.name,
                labels: Labels::new(self.name),
                around: Marks::default(),
                depth: 0,
                at: 0,
                whole: None,
                structured: false,
                attendee: Attendee::None,
            },
            path: media::path(media),
        })
    }
}

struct CardDocument {
    lines: Lines,
    reader: Reader,
    path: Option<Box<str>>,
}

struct Reader {
    content: &'static str,
    /// What is said of the person of the open card or appointment.
    labels: Labels,
    /// What is said of all of them.
    around: Marks,
    /// Open components, and which of them the person belongs to.
    depth: usize,
    at: usize,
    /// `FN`, which is used where `N` is missing.
    whole: Option<Zeroizing<String>>,
    structured: bool,
    attendee: Attendee,
}

/// Who is expected at an appointment.
enum Attendee {
    None,
    One { name: Zeroizing<String>, mail: Zeroizing<String> },
    Several,
}

impl Reader {
    fn property(&mut self, property: &Property<'_>, scope: &mut Scope<'_>) {
        let name = property.name;
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("BEGIN") {
            self.depth = (self.depth + 1).min(MAX_NESTING);
            let component = property.raw.trim_ascii();
            let person = [b"VCARD".as_slice(), b"VEVENT", b"VTODO", b"VJOURNAL", b"VFREEBUSY"];
            if person.iter().any(|p| component.eq_ignore_ascii_case(p)) {
                self.finish(scope);
                self.at = self.depth;
            }
        } else if is("END") {
            if self.depth == self.at {
                self.finish(scope);
            }
            self.depth = self.depth.saturating_sub(1);
        } else if self.at == 0 {
            // Of the calendar as a whole.
            if is("X-WR-CALNAME") || is("X-WR-CALDESC") || is("NAME") {
                let mut labels = Labels::new(self.content);
                labels.heading(&property.text(), scope);
                self.around = self.around.and(labels.around());
            }
        } else if self.depth == self.at {
            self.person(property, scope);
        }
    }

    /// A property of a card or an appointment.
    fn person(&mut self, property: &Property<'_>, scope: &mut Scope<'_>) {
        let name = property.name;
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("N") {
            let parts: Vec<_> = property.components().collect();
            let part = |at: usize| parts.get(at).map_or("", |p| p.as_str());
            self.structured = !part(0).trim().is_empty();
            if self.structured {
                self.labels.pair("vcard.n_family", part(0), scope);
                self.labels.pair("vcard.n_given", part(1), scope);
            } else if !part(1).trim().is_empty() {
                self.whole.get_or_insert_with(|| Zeroizing::new(part(1).to_owned()));
            }
        } else if is("FN") {
            self.whole = Some(property.text());
        } else if is("ADR") {
            let parts: Vec<_> = property.components().collect();
            let mut address = Zeroizing::new(String::new());
            for part in parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()) {
                if !address.is_empty() {
                    address.push_str(", ");
                }
                address.push_str(part);
            }
            self.labels.pair("vcard.adr", &address, scope);
        } else if is("TEL") || is("EMAIL") || is("BDAY") || is("DEATHDATE") || is("GENDER") {
            let text = property.text();
            // RFC 6350 6.4.1: a URI; 6.2.7: sex and its text.
            let value = text.split_once(':').map_or(text.as_str(), |(_, bare)| bare);
            let value = if is("BDAY") || is("DEATHDATE") { text.as_str() } else { value };
            let value = if is("GENDER") { value.split(';').next().unwrap_or("") } else { value };
            self.labels.pair(&format!("vcard.{}", name.to_ascii_lowercase()), value, scope);
        } else if is("ATTENDEE") {
            let mail = property.text();
            let mail = mail.split_once(':').map_or("", |(_, mail)| mail);
            let name = property.parameter("CN").unwrap_or("").trim_matches('"');
            self.attendee = match self.attendee {
                Attendee::None => Attendee::One {
                    name: Zeroizing::new(name.to_owned()),
                    mail: Zeroizing::new(mail.to_owned()),
                },
                _ => Attendee::Several,
            };
        } else if is("CATEGORIES") || is("ROLE") || is("TITLE") {
            for word in property.text().split(',').take(MAX_LINES) {
                self.labels.category(word, scope);
            }
        } else if is("SUMMARY") || is("DESCRIPTION") || is("NOTE") || is("COMMENT") {
            let text = property.text();
            for line in text.lines().take(MAX_LINES) {
                self.labels.line(line, scope);
            }
            self.labels.forget();
        } else if let Some(own) = name.get(2..).filter(|_| name.starts_with(['X', 'x'])) {
            self.labels.pair(own, &property.text(), scope);
        }
    }

    /// The open card or appointment is complete.
    fn finish(&mut self, scope: &mut Scope<'_>) {
        if let Some(whole) = self.whole.take().filter(|_| !self.structured) {
            self.labels.pair("vcard.fn", &whole, scope);
        }
        self.structured = false;
        // With several people at an appointment, the patient is unknown.
        if let Attendee::One { name, mail } = std::mem::replace(&mut self.attendee, Attendee::None)
        {
            let known = self.labels.has(crate::rules::Kind::Name);
            if !known {
                self.labels.pair("icalendar.attendee", &name, scope);
                self.labels.pair("vcard.email", &mail, scope);
            }
        }
        self.labels.mark(self.around);
        self.labels.emit(scope);
        self.labels = Labels::new(self.content);
        self.at = 0;
    }
}

impl Document for CardDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.reader.around = media::about(&path, scope);
        }
        let reader = &mut self.reader;
        self.lines.read(bytes, &mut |property| reader.property(property, scope));
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        self.lines.lose();
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let reader = &mut self.reader;
        if ending == Ending::Complete {
            self.lines.finish(&mut |property| reader.property(property, scope));
        }
        reader.finish(scope);
    }

    fn memory(&self) -> usize {
        self.lines.memory() + self.reader.labels.memory()
    }
}

#[cfg(test)]
mod tests;
