//! Multipart bodies (RFC 2046 5.1): uploads (RFC 7578), DICOMweb (`multipart/related`, PS3.18 8.6.1), mail. Each part
//! is a payload of its own; the plain fields of an upload form make one record.

use super::mime::Entity;
use super::{encoded_words, form};
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::stack::{charset, media};
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};
use memchr::memmem;

/// Longest boundary, bytes (RFC 2046 5.1.1 allows 70).
const MAX_BOUNDARY: usize = 256;

/// Longest header block of a part, bytes.
const MAX_HEADERS: usize = 16 << 10;

/// Longest plain field kept, bytes.
const MAX_FIELD: usize = 1024;

/// Any `multipart/*`.
pub struct Multipart;

impl Format for Multipart {
    fn name(&self) -> &'static str {
        "multipart"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let declared = media::essence(media);
        let multipart = declared.get(..10).is_some_and(|t| t.eq_ignore_ascii_case("multipart/"));
        (multipart && declared_boundary(media).is_some()) || first_boundary(head).is_some()
    }

    fn is_hasty(&self) -> bool {
        true
    }

    fn at_once(&self, media: &Media<'_>, _head: &[u8]) -> bool {
        // Each part replaces the previous one, when something new arrives.
        let stream = media::essence(media).eq_ignore_ascii_case("multipart/x-mixed-replace");
        stream && declared_boundary(media).is_some()
    }

    fn cost(&self) -> u64 {
        1
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Parts {
            delimiter: declared_boundary(media).map(|b| [b"--", b.as_bytes()].concat()),
            path: media::path(media),
            state: State::Preamble,
            held: Vec::new(),
            fresh: true,
            part: Part::None,
            form: CandidateRecord::default(),
            charset: None,
            afar: Marks::default(),
        })
    }
}

fn declared_boundary<'a>(media: &Media<'a>) -> Option<&'a str> {
    match media {
        Media::Type { content_type, .. } => media::parameter(content_type, "boundary"),
        _ => None,
    }
    .filter(|b| !b.is_empty() && b.len() <= MAX_BOUNDARY)
}

/// The boundary line at the start of an undeclared body, if a part's header follows it.
fn first_boundary(head: &[u8]) -> Option<&[u8]> {
    if !head.starts_with(b"--") {
        return None;
    }
    let line = head.split(|b| *b == b'\n').next()?;
    let rest = head.get(line.len() + 1..)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let header = rest.get(..8)?;
    (line.len() > 6 && line.len() <= MAX_BOUNDARY && header.eq_ignore_ascii_case(b"content-"))
        .then_some(line)
}

struct Parts {
    /// `--` and the boundary, once known.
    delimiter: Option<Vec<u8>>,
    path: Option<Box<str>>,
    state: State,
    /// Buffered bytes: a possible boundary, or an incomplete header.
    held: Vec<u8>,
    /// What comes next begins a line.
    fresh: bool,
    part: Part,
    form: CandidateRecord,
    charset: Option<&'static encoding_rs::Encoding>,
    /// What the path says about it.
    afar: Marks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary, in the headers of a part.
    Headers,
    /// In the body of a part.
    Body,
    /// Behind the last boundary.
    Done,
}

enum Part {
    None,
    /// A plain field and its value so far.
    Field(Meaning, Vec<u8>),
    /// The name of the form's character set (RFC 7578 4.6).
    Charset(Vec<u8>),
    /// A payload, and how many of its next bytes to skip.
    Content(Box<Nested>, u64),
}

impl Document for Parts {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.afar = media::about(&path, scope);
        }
        let joined;
        let mut rest = bytes;
        if !self.held.is_empty() {
            self.held.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.held);
            rest = &joined;
        }
        if self.delimiter.is_none() {
            match first_boundary(rest) {
                Some(line) => self.delimiter = Some(line.to_vec()),
                None if rest.len() <= MAX_BOUNDARY + 16 => {
                    self.held = rest.to_vec();
                    return Want::ALL;
                }
                None => {
                    scope.give_up(Reason::Malformed);
                    return Want::NOTHING;
                }
            }
        }
        let Some(delimiter) = self.delimiter.clone() else { return Want::NOTHING };
        let finder = memmem::Finder::new(&delimiter);
        loop {
            match self.state {
                State::Done => return Want::NOTHING,
                State::Preamble | State::Body => match boundary(rest, self.fresh, &finder) {
                    Boundary::At { body, next } => {
                        self.deliver(rest.get(..body).unwrap_or_default(), scope);
                        self.end_part(Ending::Complete, scope);
                        rest = rest.get(next..).unwrap_or_default();
                        self.state = State::Headers;
                    }
                    Boundary::Last { body } => {
                        self.deliver(rest.get(..body).unwrap_or_default(), scope);
                        self.end_part(Ending::Complete, scope);
                        self.state = State::Done;
                    }
                    Boundary::None { sure } => {
                        self.deliver(rest.get(..sure).unwrap_or_default(), scope);
                        self.fresh &= sure == 0;
                        self.held = rest.get(sure..).unwrap_or_default().to_vec();
                        return Want::ALL;
                    }
                },
                State::Headers => match headers_end(rest, &finder) {
                    HeadersEnd::At(end) => {
                        self.fresh = true;
                        self.start_part(rest.get(..end).unwrap_or_default(), scope);
                        rest = rest.get(end..).unwrap_or_default();
                        self.state = State::Body;
                    }
                    HeadersEnd::Never => {
                        self.fresh = true;
                        scope.give_up(Reason::Limit);
                        self.state = State::Body;
                    }
                    HeadersEnd::Later => {
                        self.held = rest.to_vec();
                        return Want::ALL;
                    }
                },
            }
        }
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        // Bytes held back as a possible boundary were data.
        let held = std::mem::take(&mut self.held);
        self.fresh = true;
        if self.state == State::Body {
            self.deliver(&held, scope);
        }
        match &mut self.part {
            Part::Content(nested, skip) => {
                let hidden = len.min(*skip);
                *skip -= hidden;
                if len > hidden {
                    *skip = nested.gap(len - hidden, scope).skip;
                }
            }
            part => *part = Part::None,
        }
        if self.state == State::Headers {
            self.state = State::Body;
        }
        if self.delimiter.is_some() { Want::ALL } else { Want::NOTHING }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let held = std::mem::take(&mut self.held);
        if self.state == State::Body {
            self.deliver(&held, scope);
        }
        self.end_part(ending.and(self.state == State::Done), scope);
        self.form.mark_from_afar(self.afar);
        self.form.emit("form", scope);
    }

    fn memory(&self) -> usize {
        let part = match &self.part {
            Part::None => 0,
            Part::Field(_, value) | Part::Charset(value) => value.capacity(),
            Part::Content(nested, _) => nested.memory(),
        };
        self.held.capacity() + self.form.memory() + part
    }
}

/// Where the headers of a part end.
enum HeadersEnd {
    /// This many bytes further, including the empty line.
    At(usize),
    /// The next part begins before, or there is no end to them.
    Never,
    Later,
}

enum Boundary {
    /// The part's bytes end at `body`, the next part's headers start at `next`.
    At { body: usize, next: usize },
    /// The part's bytes end at `body`, and there is no other.
    Last { body: usize },
    /// Incomplete; a boundary may begin behind the first `sure` bytes.
    None { sure: usize },
}

/// The first boundary line in `data` (RFC 2046 5.1.1): at the start of a line, followed by white space only. The line
/// break before it belongs to it. `fresh`: `data` begins a line.
fn boundary(data: &[u8], fresh: bool, finder: &memmem::Finder<'_>) -> Boundary {
    let len = finder.needle().len();
    let mut from = 0;
    while let Some(at) = data.get(from..).and_then(|d| finder.find(d)).map(|at| from + at) {
        let before = data.get(..at).unwrap_or_default();
        let body = match before {
            [.., b'\r', b'\n'] => at - 2,
            [.., b'\n'] => at - 1,
            [] if fresh => 0,
            _ => {
                from = at + 1;
                continue;
            }
        };
        let after = data.get(at + len..).unwrap_or_default();
        match after {
            [b'-', b'-', ..] => return Boundary::Last { body },
            [] | [b'-'] | [b'\r'] => return Boundary::None { sure: body },
            _ => {}
        }
        let blank = after.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
        match after.get(blank) {
            Some(b'\n') => return Boundary::At { body, next: at + len + blank + 1 },
            None if blank < MAX_BOUNDARY => return Boundary::None { sure: body },
            _ => from = at + 1,
        }
    }
    // A line break and part of a boundary.
    Boundary::None { sure: data.len().saturating_sub(len + 3).max(from.saturating_sub(1)) }
}

/// The end of a part's headers. The search stops at the next boundary, or else each boundary without headers would
/// cause another search of everything behind it.
fn headers_end(data: &[u8], finder: &memmem::Finder<'_>) -> HeadersEnd {
    match data {
        // A part without headers.
        [b'\r', b'\n', ..] => return HeadersEnd::At(2),
        [b'\n', ..] => return HeadersEnd::At(1),
        _ => {}
    }
    let window = data.get(..MAX_HEADERS).unwrap_or(data);
    let next = match boundary(window, true, finder) {
        Boundary::At { body, .. } | Boundary::Last { body } => Some(body),
        Boundary::None { .. } => None,
    };
    let own = next.and_then(|next| window.get(..next)).unwrap_or(window);
    match crate::protocol::http::head::find_end(own, 0) {
        Some(end) => HeadersEnd::At(end),
        None if next.is_some() || data.len() > MAX_HEADERS => HeadersEnd::Never,
        None => HeadersEnd::Later,
    }
}

impl Parts {
    fn start_part(&mut self, headers: &[u8], scope: &mut Scope<'_>) {
        let entity = Entity::new(headers);
        let name = encoded_words::parameter(&entity.disposition, "name").unwrap_or_default();
        let name = name.as_str();
        // RFC 7578 4.4: a plain field needs no type, and is text.
        let plain = entity.file.is_empty() && !name.is_empty();
        if plain && name == "_charset_" {
            self.part = Part::Charset(Vec::new());
            return;
        }
        self.part = match form::field_key(name, scope.rules).filter(|_| plain) {
            Some(key) => Part::Field(Meaning::from(key), Vec::new()),
            None => Part::Content(Box::new(entity.body()), 0),
        };
        if plain {
            form::parents(name, &mut self.form, scope.rules);
        }
        if plain && let Some(about) = scope.rules.keys.context(name) {
            self.form.mark(Marks::about(about));
        }
    }

    fn deliver(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        match &mut self.part {
            Part::None => {}
            Part::Field(_, value) | Part::Charset(value) => {
                let room = MAX_FIELD.saturating_sub(value.len());
                value.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            }
            Part::Content(nested, skip) => {
                let hidden = skip.min(&mut (bytes.len() as u64)).to_owned();
                if *skip != u64::MAX {
                    *skip -= hidden;
                }
                let bytes = bytes.get(hidden as usize..).unwrap_or_default();
                if !bytes.is_empty() {
                    *skip = nested.data(bytes, scope).skip;
                }
            }
        }
    }

    fn end_part(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        match std::mem::replace(&mut self.part, Part::None) {
            Part::None => {}
            Part::Field(meaning, value) => {
                self.form.add(&meaning, 0, &charset::text(&value, self.charset));
            }
            Part::Charset(label) => {
                self.charset = std::str::from_utf8(&label).ok().and_then(charset::known);
            }
            Part::Content(mut nested, _) => nested.end(ending, scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn a_form_with_a_file() {
        let body = b"--Xbound\r\nContent-Disposition: form-data; name=\"patient_name\"\r\n\r\nLaura D\r\n\
            --Xbound \r\ncontent-disposition: form-data; name=\"ssn\"\r\n\r\n206-66-2431\r\n--Xbound\r\n\
            Content-Disposition: form-data; name=\"f\"; filename=\"a.json\"\r\n\r\n\
            [{\"mrn\":\"5--Xbound\",\"name\":\"L D\",\n--XboundX\n\"dob\":\"1970-01-01\"}]\r\n--Xbound--\r\nepilogue";
        let got = records("multipart/form-data; boundary=\"Xbound\"", body);
        let form = "http>multipart:~form [PatientContext] name=Laura D ssn=206-66-2431";
        // What looks like a boundary inside the file is none; it is broken JSON, and cut there.
        let file = "http>multipart>json:~json [PatientContext] patient_id=5--Xbound name=L D";
        assert_eq!(got, [file, form]);
        assert_eq!(records("", &body[..body.len() - 24]), got);
    }

    #[test]
    fn parts_of_related() {
        let body = b"preamble\r\n--b\r\nContent-Type: application/json\r\n\r\n{\"mrn\":\"7\",\"dob\":\"1970-01-01\"}\r\n\
            --b\n\n{\"mrn\":\"8\",\"dob\":\"1970-01-02\"}\n--b--";
        assert_eq!(
            records("multipart/related; boundary=b", body),
            [
                "http>multipart>json:~json [PatientContext] patient_id=7 birth_date=1970-01-01",
                "http>multipart>json:~json [PatientContext] patient_id=8 birth_date=1970-01-02",
            ]
        );
    }

    #[test]
    fn a_boundary_within_a_line_is_none_whatever_pieces_it_comes_in() {
        let body = b"--X\r\nContent-Disposition: form-data; name=\"patient_name\"\r\n\r\nRoe --X\r\nJane\r\n\
            --X\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n206-66-2431\r\n--X--\r\n";
        let got = records("multipart/form-data; boundary=X", body);
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(got[0].contains("name=Roe --X") && got[0].contains("ssn=206-66-2431"), "{got:?}");
    }

    #[test]
    fn a_part_without_headers_does_not_swallow_the_next_one() {
        let body = b"--b\nno header\n--b\nContent-Type: application/json\n\n{\"mrn\":\"7\",\"dob\":\"1970-01-01\"}\n--b--";
        assert_eq!(
            records("multipart/related; boundary=b", body),
            ["http>multipart>json:~json [PatientContext] patient_id=7 birth_date=1970-01-01"]
        );
    }
}
