//! Printing over HTTP: IPP (RFC 8010, RFC 8011). A request contains attributes of the job and, behind them, the
//! document; a response contains the attributes of jobs and printers.

#[cfg(test)]
mod tests;

use crate::content::extract::labels::Labels;
use crate::content::stack::{coding, media};
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};
use crate::protocol::ServiceFacts;
use crate::syntax::Match;
use zeroize::Zeroizing;

/// Version, operation or status, and request number (RFC 8010 3.1.1).
const HEADER: usize = 8;
/// Most bytes of attributes before the document.
const MAX_ATTRIBUTES: usize = 1 << 20;
/// Longest value of an attribute that is read, bytes.
const MAX_VALUE: usize = 1024;

/// Delimiter tags (RFC 8010 3.5.1).
const JOB: u8 = 2;
const END: u8 = 3;
const LAST_DELIMITER: u8 = 0x0f;
/// Attributes whose text may name the person a job is about.
const NAMES: [&[u8]; 6] = [
    b"job-name",
    b"document-name",
    b"job-message-from-operator",
    b"document-message",
    b"job-sheet-message",
    b"job-message-to-operator",
];

/// IPP.
pub struct Ipp;

impl Format for Ipp {
    fn name(&self) -> &'static str {
        "ipp"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        media::essence(media).eq_ignore_ascii_case("application/ipp")
            && matches!(head, [1 | 2, 0..=9, ..])
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Message {
            held: Zeroizing::default(),
            begun: false,
            job: Job::default(),
            labels: Labels::new("ipp"),
            document: None,
        })
    }
}

/// What the attributes show of a job and its document.
#[derive(Default)]
struct Job {
    format: String,
    compression: String,
    name: String,
    /// The group is that of a job.
    in_job: bool,
    /// The name of the last attribute, to which further values may follow.
    attribute: Vec<u8>,
}

struct Message {
    held: Zeroizing<Vec<u8>>,
    /// The header was read.
    begun: bool,
    job: Job,
    labels: Labels,
    document: Option<Nested>,
}

/// The item at the front of the attributes.
enum Item<'a> {
    Group(u8),
    /// Name, value, and bytes used.
    Attribute(&'a [u8], &'a [u8], usize),
}

fn item(data: &[u8]) -> Match<Item<'_>> {
    let Some(tag) = data.first() else { return Match::More };
    if *tag <= LAST_DELIMITER {
        return Match::Yes(Item::Group(*tag));
    }
    let text = |at: usize| -> Option<(&[u8], usize)> {
        let (len, rest) = data.get(at..)?.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len));
        Some((rest.get(..len)?, at + 2 + len))
    };
    match text(1).map(|(name, at)| (name, text(at))) {
        Some((_, None)) | None if data.len() > 1 << 17 => Match::No,
        Some((name, Some((value, end)))) => Match::Yes(Item::Attribute(name, value, end)),
        _ => Match::More,
    }
}

/// The text of a value; in a value with a language, the text follows it (RFC 8010 3.9).
fn text(tag: u8, value: &[u8]) -> &[u8] {
    if !matches!(tag, 0x35 | 0x36) {
        return value;
    }
    let inner = || {
        let (len, rest) = value.split_first_chunk::<2>()?;
        rest.get(usize::from(u16::from_be_bytes(*len)) + 2..)
    };
    inner().unwrap_or(value)
}

impl Message {
    /// A value of an attribute; one without a name is a further value of the last.
    fn attribute(&mut self, name: &[u8], tag: u8, value: &[u8], scope: &mut Scope<'_>) {
        if !name.is_empty() {
            self.job.attribute = name.to_vec();
        }
        let value = text(tag, value);
        let value = String::from_utf8_lossy(value.get(..MAX_VALUE).unwrap_or(value));
        match self.job.attribute.as_slice() {
            b"document-format" | b"document-format-supplied" => {
                self.job.format = value.into_owned()
            }
            b"compression" | b"compression-supplied" => self.job.compression = value.into_owned(),
            b"requesting-user-name" if !value.is_empty() => {
                ServiceFacts::set(&mut scope.facts().files().user, &value);
            }
            name if NAMES.contains(&name) => {
                if self.job.name.is_empty() {
                    self.job.name = value.clone().into_owned();
                }
                // Programs put file names there, with underscores between words.
                let line = Zeroizing::new(value.replace('_', " "));
                self.labels.line(&line, scope);
            }
            _ => {}
        }
    }

    fn begin(&self) -> Nested {
        let content_type = match self.job.format.as_str() {
            "application/octet-stream" => "",
            format => format,
        };
        let name = if content_type.is_empty() { "" } else { &self.job.name };
        coding::undo(&[&self.job.compression], &Media::Type { content_type, name })
    }

    /// Reads the buffered attributes: bytes used, or `None` if they are malformed.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> Option<usize> {
        let mut at = 0;
        if !self.begun {
            let Some(header) = data.get(..HEADER) else { return Some(0) };
            let code =
                header.get(2..4).and_then(|c| <[u8; 2]>::try_from(c).ok()).map(u16::from_be_bytes);
            if scope.direction() == crate::protocol::Direction::ClientToServer
                && let Some(operation) = code.and_then(operation)
            {
                scope.set_operation(operation);
            }
            self.begun = true;
            at = HEADER;
        }
        while self.document.is_none() {
            match item(data.get(at..).unwrap_or_default()) {
                Match::More => return Some(at),
                Match::No => return None,
                Match::Yes(Item::Group(END)) => {
                    at += 1;
                    self.labels.emit(scope);
                    self.document = Some(self.begin());
                }
                Match::Yes(Item::Group(tag)) => {
                    // Each job of a list is about another person.
                    if tag == JOB || self.job.in_job {
                        self.labels.emit(scope);
                    }
                    self.job.in_job = tag == JOB;
                    at += 1;
                }
                Match::Yes(Item::Attribute(name, value, used)) => {
                    let tag = data.get(at).copied().unwrap_or(0);
                    self.attribute(name, tag, value, scope);
                    at += used;
                }
            }
        }
        Some(at)
    }
}

/// Operations with documents or job names (RFC 8011 5.4.15).
const fn operation(code: u16) -> Option<&'static str> {
    Some(match code {
        2 => "Print-Job",
        3 => "Print-URI",
        4 => "Validate-Job",
        5 => "Create-Job",
        6 => "Send-Document",
        7 => "Send-URI",
        8 => "Cancel-Job",
        9 => "Get-Job-Attributes",
        10 => "Get-Jobs",
        11 => "Get-Printer-Attributes",
        _ => return None,
    })
}

impl Document for Message {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(document) = &mut self.document {
            return document.data(bytes, scope);
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let Some(used) = self.read(&held, scope) else {
            scope.give_up(Reason::Malformed);
            return Want::NOTHING;
        };
        let rest = held.get(used..).unwrap_or_default();
        if let Some(document) = &mut self.document {
            return document.data(rest, scope);
        }
        if rest.len() > MAX_ATTRIBUTES {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        held.drain(..used);
        self.held = held;
        Want::ALL
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        match &mut self.document {
            Some(document) => document.gap(len, scope),
            None => Want::NOTHING,
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.labels.emit(scope);
        if let Some(mut document) = self.document.take() {
            document.end(ending, scope);
        }
    }

    fn memory(&self) -> usize {
        self.held.capacity()
            + self.labels.memory()
            + self.document.as_ref().map_or(0, Nested::memory)
    }
}
