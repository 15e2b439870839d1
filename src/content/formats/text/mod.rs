//! Plain text: notes and letters with labelled values, tables drawn with bars (Markdown, database consoles).

use crate::content::extract::embedded;
use crate::content::extract::labels::{self, Place};
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::formats::hl7v2::carried;
use crate::content::formats::{edifact, x12};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};

/// Longest line kept, bytes; the rest of a longer one is passed over.
const MAX_LINE: usize = 8 << 10;

/// Plain text of no other format.
pub struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let essence = media::essence(media);
        let declared = essence.eq_ignore_ascii_case("text/plain")
            || essence.eq_ignore_ascii_case("text/markdown")
            || essence.eq_ignore_ascii_case("text/rtf");
        let named = ["txt", "text", "log", "md", "asc", "lst"];
        let unknown = essence.is_empty()
            || essence.eq_ignore_ascii_case("application/octet-stream")
            || essence.eq_ignore_ascii_case("binary/octet-stream");
        let suffix = media::suffix(media);
        let wanted = declared
            || named.iter().any(|n| n.eq_ignore_ascii_case(suffix))
            || (unknown && suffix.is_empty());
        wanted && is_text(head, declared)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(TextDocument {
            sheet: Sheet::new("text"),
            line: zeroize::Zeroizing::default(),
            path: media::path(media),
            lost: false,
            returned: false,
            messages: ["", "txt", "text", "log", "asc", "lst", "out", "dat", "hl7"]
                .iter()
                .any(|suffix| suffix.eq_ignore_ascii_case(media::suffix(media))),
            message: None,
            interchange: None,
        })
    }
}

/// A number of bytes without control characters that binary formats do not reach by chance.
const MIN_TEXT: usize = 128;

/// No control bytes but those of lines, and almost only readable characters.
fn is_text(head: &[u8], declared: bool) -> bool {
    let control = |b: &u8| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n' | 0x0c);
    if head.iter().any(|b| control(b) || *b == 0x7f) {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) if e.error_len().is_none() => true,
        // Another character set; in a few bytes, letters beyond ASCII are rare.
        Err(_) => {
            let ascii = head.iter().filter(|b| b.is_ascii()).count();
            let few = (head.len() - ascii) * 5 < head.len();
            // Every script has blanks and line breaks.
            declared || few || (head.len() >= MIN_TEXT && ascii * 16 >= head.len())
        }
    }
}

struct TextDocument {
    sheet: Sheet,
    line: zeroize::Zeroizing<Vec<u8>>,
    path: Option<Box<str>>,
    /// The beginning of the line is missing.
    lost: bool,
    /// The last line ended with CR: LF is part of its end.
    returned: bool,
    /// It may hold HL7 v2 messages: manuals and programs only show some.
    messages: bool,
    /// The current message.
    message: Option<Nested>,
    /// The current interchange, and how its last segment begins.
    interchange: Option<(Nested, &'static [u8])>,
}

/// Beginning of an HL7 v2 message, escaped or not.
const HEADER: &[u8] = br"MSH|^~\";

/// Beginning of an HL7 v2 message with the usual delimiters (chapter 2.5.4).
const MESSAGE: &[u8] = b"MSH|^~\\&|";

/// The same in a string of a program or a log, whose backslash is escaped.
const ESCAPED: &[u8] = br"MSH|^~\\&|";

/// Segment ends as logs write them.
const SEGMENT_ENDS: [&str; 7] = ["<CR>", "<cr>", "[CR]", "\\x0d", "\\x0D", "\\u000d", "&#13;"];

impl TextDocument {
    fn end_line(&mut self, piece: &[u8], scope: &mut Scope<'_>) {
        if std::mem::take(&mut self.lost) {
            self.line.clear();
        } else if self.line.is_empty() {
            self.read(piece, scope);
        } else {
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            let line = std::mem::take(&mut self.line);
            self.read(&line, scope);
            self.line = line;
            self.line.clear();
        }
    }

    fn read(&mut self, line: &[u8], scope: &mut Scope<'_>) {
        if !self.interchange(line, scope) && !self.message(line, scope) {
            read(&mut self.sheet, line, scope);
        }
    }

    /// Takes a line of an interchange (X12, EDIFACT) in a log or between the words of a mail.
    fn interchange(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let (mut line, mut whole) = (line, false);
        if self.interchange.is_none() {
            let begins = self.messages.then(|| begin_of_interchange(line)).flatten();
            let Some((at, end)) = begins else { return false };
            self.end_message(Ending::Complete, scope);
            self.interchange = Some((interchange(end), end));
            line = line.get(at..).unwrap_or_default();
            // Behind a time and a level, a line of a log has all of it.
            whole = at > 0;
        }
        let Some((nested, end)) = &mut self.interchange else { return false };
        nested.data(line, scope);
        nested.data(b"\n", scope);
        if whole || memchr::memmem::find(line, end).is_some() {
            self.end_interchange(Ending::Complete, scope);
        }
        true
    }

    fn end_interchange(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some((mut nested, _)) = self.interchange.take() {
            nested.end(ending, scope);
        }
    }

    /// Takes a line that begins or continues an HL7 v2 message, as in logs of interface engines, and in files of
    /// messages with remarks between them.
    fn message(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        // Most lines have no bars.
        if self.message.is_none() && memchr::memchr(b'|', line).is_none() {
            return false;
        }
        let header = self.messages.then(|| memchr::memmem::find(line, HEADER)).flatten();
        let front = header.and_then(|at| line.get(at..)).unwrap_or_default();
        if front.starts_with(ESCAPED) && header.is_some_and(|at| is_quoted(line, at)) {
            self.end_message(Ending::Complete, scope);
            let text = String::from_utf8_lossy(front.get(..MAX_LINE).unwrap_or(front));
            let text = zeroize::Zeroizing::new(text.replace("\\\\", "\\"));
            segments(self.message.insert(carried::nested(MESSAGE)), text.as_bytes(), scope);
            self.end_message(Ending::Complete, scope);
            return true;
        }
        let begins = header.filter(|_| front.starts_with(MESSAGE));
        let goes_on = self.message.is_some() && is_segment(line);
        let begins = begins.or_else(|| {
            (self.messages && !goes_on).then(|| carried::patient_segment(line)).flatten()
        });
        if let Some(at) = begins {
            self.end_message(Ending::Complete, scope);
            let message = self.message.insert(carried::nested(MESSAGE));
            segments(message, line.get(at..).unwrap_or_default(), scope);
            return true;
        }
        let Some(message) = &mut self.message else { return false };
        let goes_on = goes_on || line.trim_ascii().is_empty();
        if goes_on {
            message.data(b"\r", scope);
            segments(message, line, scope);
        } else {
            self.end_message(Ending::Complete, scope);
        }
        goes_on
    }

    fn end_message(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(mut message) = self.message.take() {
            message.end(ending, scope);
        }
    }
}

/// How the last segments of X12 and EDIFACT interchanges begin.
const X12_END: &[u8] = b"IEA*";
const UN_END: &[u8] = b"UNZ+";

/// The reader of an interchange that ends like this.
fn interchange(end: &[u8]) -> Nested {
    let format: &dyn Format =
        if end == X12_END { &x12::Interchange } else { &edifact::Interchange };
    Nested::reading(format.name(), format.open(&Media::Unknown))
}

/// Where an interchange begins in a line, behind no letter, and how its last segment begins.
fn begin_of_interchange(line: &[u8]) -> Option<(usize, &'static [u8])> {
    memchr::memchr2(b'*', b'+', line)?;
    const BEGINS: [(&[u8], &[u8]); 4] =
        [(b"ISA*00*", X12_END), (b"ISA*03*", X12_END), (b"UNA:+", UN_END), (b"UNB+UNO", UN_END)];
    BEGINS.into_iter().find_map(|(begin, end)| {
        let at = memchr::memmem::find(line, begin)?;
        let before = at.checked_sub(1).and_then(|at| line.get(at));
        let fits = before.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'"' | b'\''));
        fits.then_some((at, end))
    })
}

/// Whether a message at this offset is in a quoted string; one in an object of JSON is read with the object.
fn is_quoted(line: &[u8], at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    matches!(before, [.., b'"' | b'\'' | b'`']) && memchr::memmem::find(before, b"{\"").is_none()
}

/// Passes on the segments of a line.
fn segments(message: &mut Nested, line: &[u8], scope: &mut Scope<'_>) {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    if !line.iter().any(|b| matches!(b, b'<' | b'[' | b'\\' | b'&')) {
        message.data(line, scope);
        return;
    }
    let mut text = zeroize::Zeroizing::new(String::from_utf8_lossy(line).into_owned());
    for end in SEGMENT_ENDS {
        if text.contains(end) {
            text = zeroize::Zeroizing::new(text.replace(end, "\r"));
        }
    }
    message.data(text.as_bytes(), scope);
}

/// Whether a line begins like a segment: `PID|`.
fn is_segment(line: &[u8]) -> bool {
    matches!(line, [a, b, c, b'|', ..] if a.is_ascii_uppercase()
        && [b, c].iter().all(|d| d.is_ascii_uppercase() || d.is_ascii_digit()))
}

/// Reads a line: labelled values, or a row of a table that is drawn.
pub(super) fn read(sheet: &mut Sheet, line: &[u8], scope: &mut Scope<'_>) {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    // Ends in front of a character that a cap cut.
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(e) => {
            std::str::from_utf8(line.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or("")
        }
    };
    let tag = labels::tag(Place::File, line, scope).filter(|_| sheet.is_plain());
    if tag.is_some_and(|tag| scope.counters.lines.knows(tag)) {
        return sheet.pass(text);
    }
    let bare = text.trim();
    if bare.is_empty() {
        labelled(sheet, text, scope);
        return;
    }
    if object(bare, scope) {
        return;
    }
    match requested(bare, scope).or_else(|| quoted(bare, scope)) {
        // What is beside it is a line of its own.
        Some([before, behind]) => {
            let rest = zeroize::Zeroizing::new(format!("{before} {behind}"));
            labelled(sheet, rest.trim(), scope);
        }
        None => {
            if labelled(sheet, text, scope)
                && let Some(tag) = tag
            {
                scope.counters.lines.note(tag);
            }
        }
    }
}

/// Reads a line of nothing else. True if it said nothing, whatever is around it.
fn labelled(sheet: &mut Sheet, text: &str, scope: &mut Scope<'_>) -> bool {
    let bare = text.trim();
    let drawn = bare.starts_with('|') && bare.len() > 1;
    // Most lines have neither.
    let parted = memchr::memchr2(b'|', b'\t', bare.as_bytes()).is_some();
    if drawn || parted && bare.matches(" | ").nth(1).is_some() {
        let cells = bare.trim_start_matches('|').trim_end_matches('|').split('|');
        let cells: Vec<&str> = cells.map(str::trim).take(MAX_COLUMNS).collect();
        let ruler = |c: char| matches!(c, '-' | ':' | '=' | '+' | ' ');
        if cells.iter().all(|cell| cell.chars().all(ruler)) {
            return false;
        }
        if drawn || sheet.in_table() || sheet.names(&cells, scope) {
            sheet.row(&cells, scope);
            return false;
        }
    }
    // A line between a heading and its rows, or around them.
    if !bare.is_empty()
        && bare.starts_with(['+', '-'])
        && bare.chars().all(|c| matches!(c, '-' | '+' | '='))
    {
        return false;
    }
    if sheet.in_table() {
        sheet.end_table(scope);
    }
    // `Patient name<tab>Jane Roe`.
    if parted
        && let Some((label, value)) = bare.split_once(['\t', '|'])
        && !value.contains(['\t', '|'])
        && Sheet::known(&[label], scope) == 1
        && Sheet::known(&[value], scope) == 0
    {
        sheet.row(&[label, value], scope);
        return false;
    }
    if parted && pairs(bare, sheet, scope) {
        return false;
    }
    sheet.read_line(text, scope)
}

/// Reads a line of labels and values in turn: `Patient name|Jane Roe|MRN|77`.
fn pairs(line: &str, sheet: &mut Sheet, scope: &mut Scope<'_>) -> bool {
    const MIN_PAIRS: usize = 2;
    let Some(separator) = line.find(['|', '\t']).and_then(|at| line.get(at..=at)) else {
        return false;
    };
    let cells: Vec<&str> = line.split(separator).map(str::trim).take(MAX_COLUMNS).collect();
    let (pairs, rest) = cells.as_chunks::<2>();
    let fits = |[label, value]: &[&str; 2]| {
        Sheet::known(&[*label], scope) == 1 && Sheet::known(&[*value], scope) == 0
    };
    let fit = rest.is_empty() && pairs.len() >= MIN_PAIRS && pairs.iter().all(fits);
    if fit {
        for pair in pairs {
            sheet.row(pair, scope);
        }
    }
    fit
}

/// Reads a statement of SQL or an element of XML in a line of a log: `LOG:  statement: INSERT INTO patients ...`,
/// `DEBUG sent <Patient mrn="77" lastName="Roe"/>`. Returns what is before and behind it.
fn quoted<'a>(line: &'a str, scope: &mut Scope<'_>) -> Option<[&'a str; 2]> {
    // Setting up a search costs more than reading a short line.
    const MIN_STATEMENT: usize = "INSERT INTO t VALUES(1)".len();
    let read = |at: usize, content_type: &'static str, scope: &mut Scope<'_>| {
        let (before, quoted) = line.split_at_checked(at)?;
        scope.whole(&Media::Type { content_type, name: "" }, quoted.as_bytes());
        Some([before, ""])
    };
    if line.len() >= MIN_STATEMENT
        && let Some(at) = line.find("INSERT INTO ").filter(|at| *at > 0)
        && line.contains(" VALUES")
    {
        return read(at, "application/sql", scope);
    }
    let at = line.find('<').filter(|at| *at > 0)?;
    let element = line.get(at + 1..).unwrap_or("");
    let name = element.split([' ', '>', '/']).next().unwrap_or("");
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-'));
    let whole = line.ends_with("/>") || line.ends_with(&format!("</{name}>"));
    (named && whole && element.contains("=\"")).then(|| read(at, "application/xml", scope))?
}

/// Reads the query of a request in the log of a web server (Common Log Format):
/// `"GET /patients?lastName=Roe&dob=1970-01-31 HTTP/1.1"`. Returns what is before and behind it.
fn requested<'a>(line: &'a str, scope: &mut Scope<'_>) -> Option<[&'a str; 2]> {
    const METHODS: [&str; 3] = ["\"GET /", "\"POST /", "\"PUT /"];
    if !line.contains('?') {
        return None;
    }
    let at = METHODS.iter().find_map(|method| Some(line.find(method)? + method.len() - 1))?;
    let (before, request) = line.split_at_checked(at)?;
    let (target, behind) = request.split_once(" HTTP/")?;
    let (path, query) = target.split_once('?')?;
    let media = Media::Type { content_type: "application/x-www-form-urlencoded", name: path };
    scope.whole(&media, query.as_bytes());
    // Without the method, the version and their quotation marks.
    let before = before.rsplit_once('"').map_or("", |(before, _)| before);
    Some([before, behind.split_once('"').map_or("", |(_, behind)| behind)])
}

/// Reads the JSON object in a line of a log: `INFO Patient created {"mrn": "77"} []`.
fn object(line: &str, scope: &mut Scope<'_>) -> bool {
    // Most lines have none, and looking for one byte is quicker than for two.
    if !line.contains('{') {
        return false;
    }
    let Some(at) = line.find("{\"").filter(|at| *at > 0) else { return false };
    let object = line.get(at..).unwrap_or("");
    let Some(len) = embedded::object_len(object.as_bytes()) else { return false };
    if object.contains("\"=>") {
        hash(object.get(..len).unwrap_or(""), scope);
        return true;
    }
    let media = Media::Type { content_type: "application/json", name: "" };
    scope.whole(&media, object.as_bytes().get(..len).unwrap_or_default());
    true
}

/// Reads a hash of Ruby as logs of Rails have it: `Parameters: {"patient"=>{"mrn"=>"77", "ward"=>nil}}`.
fn hash(text: &str, scope: &mut Scope<'_>) {
    let json = zeroize::Zeroizing::new(text.replace("\"=>nil", "\":null").replace("\"=>", "\":"));
    let media = Media::Type { content_type: "application/json", name: "" };
    scope.whole(&media, json.as_bytes());
}

impl Document for TextDocument {
    fn data(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.sheet.mark(media::about(&path, scope));
        }
        while let Some(lf) = memchr::memchr2(b'\n', b'\r', bytes) {
            let feed = bytes.get(lf) == Some(&b'\n');
            let second = feed && self.returned && lf == 0 && self.line.is_empty();
            self.returned = !feed;
            if !second {
                self.end_line(bytes.get(..lf).unwrap_or_default(), scope);
            }
            bytes = bytes.get(lf + 1..).unwrap_or_default();
        }
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.line.clear();
        self.end_message(Ending::Cut, scope);
        self.end_interchange(Ending::Cut, scope);
        self.sheet.lose();
        (self.lost, self.returned) = (true, false);
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.end_line(&[], scope);
        }
        self.end_message(ending, scope);
        self.end_interchange(ending, scope);
        self.sheet.end(scope);
    }

    fn memory(&self) -> usize {
        let nested = self.message.iter().chain(self.interchange.as_ref().map(|(nested, _)| nested));
        self.line.capacity() + self.sheet.memory() + nested.map(Nested::memory).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
