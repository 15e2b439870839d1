//! Messages that a text shows line by line: in logs of interface engines and analysers, between the words of a mail, in
//! files with remarks between them. HL7 v2, X12, EDIFACT, records of analysers (ASTM, HPRIM), xDT, NCPDP. Times and
//! levels of logs may precede a line, and control characters may be spelled (`<STX>`). Cells of tables and elements of XML
//! that hold a segment each are lines, too.

mod literal;
mod lone;
#[cfg(test)]
mod tests;
mod xdt_lines;

use super::hl7v2::FieldLines;
use super::hl7v2::carried;
use super::{astm, edifact, hex, ncpdp, x12, xdt};
use crate::content::extract::spelled;
use crate::content::{Ending, Format, Media, Nested, Scope};
use crate::syntax;
use literal::ShownLiteral;
use lone::Dialect;
use std::borrow::Cow;
use xdt_lines::{xdt_field, xdt_line};
use zeroize::Zeroizing;

/// Longest line that is read, bytes.
const MAX_LINE: usize = 8 << 10;
/// Lines of other things between two records of an analyser (`TX <ACK>`).
const MAX_BETWEEN: u32 = 16;

/// Beginning of an HL7 v2 message, escaped or not.
const HEADER: &[u8] = br"MSH|^~\";

/// Beginning of an HL7 v2 message with the usual delimiters (chapter 2.5.4).
const MESSAGE: &[u8] = b"MSH|^~\\&|";

/// The same in a string of a program or a log, whose backslash is escaped.
const ESCAPED: &[u8] = br"MSH|^~\\&|";

/// How the last segments of X12 and EDIFACT interchanges begin.
const X12_END: &[u8] = b"IEA*";
const UN_END: &[u8] = b"UNZ+";

/// The messages of a text.
#[derive(Default)]
pub struct ShownMessages {
    open: Option<Open>,
}

/// The message at hand.
enum Open {
    Hl7(Nested),
    /// An interchange, and how its last segment begins.
    Interchange(Nested, &'static [u8]),
    /// Records of an analyser, and the lines since the last one.
    Records(Nested, u32),
    Xdt(Nested),
    /// Segments one by one, and the lines since the last one.
    Segments(Nested, u32, &'static Dialect),
    /// Lines of `xxd` and `hexdump -C`.
    Dump(Nested),
    /// Fields of segments, one in each line, and the lines since the last one.
    Fields(Box<FieldLines>, u32),
    /// Fields of xDT, one in each line, and the lines since the last one.
    XdtFields(Box<xdt::Rows>, u32),
    /// A list of lists of a program.
    Literal(ShownLiteral),
}

impl ShownMessages {
    /// Takes a line that begins or continues a message. `begins`: a message may begin here.
    pub fn line(&mut self, line: &[u8], begins: bool, scope: &mut Scope<'_>) -> bool {
        self.goes_on(line, begins, scope) || begins && self.begins(line, scope)
    }

    /// Whether the message at hand is of segments of X12 in lines of their own.
    pub fn is_in_segments(&self) -> bool {
        matches!(&self.open, Some(Open::Segments(.., dialect)) if dialect.format.name() == "x12")
    }

    /// The message at hand ends.
    pub fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        match self.open.take() {
            Some(
                Open::Hl7(mut nested)
                | Open::Interchange(mut nested, _)
                | Open::Records(mut nested, _)
                | Open::Segments(mut nested, ..)
                | Open::Xdt(mut nested)
                | Open::Dump(mut nested),
            ) => nested.end(ending, scope),
            Some(Open::Fields(mut fields, _)) => fields.end(scope),
            Some(Open::XdtFields(mut rows, _)) => rows.end(scope),
            Some(Open::Literal(mut literal)) => literal.end(scope),
            None => {}
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        match &self.open {
            Some(
                Open::Hl7(nested)
                | Open::Interchange(nested, _)
                | Open::Records(nested, _)
                | Open::Segments(nested, ..)
                | Open::Xdt(nested)
                | Open::Dump(nested),
            ) => nested.memory(),
            Some(Open::Fields(fields, _)) => size_of::<FieldLines>() + fields.memory(),
            Some(Open::XdtFields(rows, _)) => rows.memory(),
            Some(Open::Literal(literal)) => literal.memory(),
            None => 0,
        }
    }

    /// Whether the line belongs to the message at hand.
    fn goes_on(&mut self, line: &[u8], begins: bool, scope: &mut Scope<'_>) -> bool {
        let ends = match &mut self.open {
            None => return false,
            Some(Open::Interchange(nested, end)) => {
                nested.data(line, scope);
                nested.data(b"\n", scope);
                if memchr::memmem::find(line, end).is_some() {
                    self.end(Ending::Complete, scope);
                }
                return true;
            }
            Some(Open::Hl7(nested)) => {
                // The next message.
                let next = begins && memchr::memmem::find(line, HEADER).is_some();
                let goes_on = is_segment(line) || line.trim_ascii().is_empty();
                if goes_on && !next {
                    nested.data(b"\r", scope);
                    segments(nested, line, scope);
                    return true;
                }
                true
            }
            Some(Open::Records(nested, between)) => {
                if let Some(records) = Records::of(line) {
                    *between = 0;
                    records.feed(nested, scope);
                    if records.text.starts_with(b"L|") {
                        self.end(Ending::Complete, scope);
                    }
                    return true;
                }
                *between += 1;
                *between > MAX_BETWEEN
            }
            Some(Open::Fields(fields, between)) => {
                if fields.line(line, scope) {
                    *between = 0;
                    return true;
                }
                *between += 1;
                *between > MAX_BETWEEN
            }
            Some(Open::XdtFields(rows, between)) => {
                if xdt_field(line).is_some_and(|(id, text)| rows.row(&[id, text], scope)) {
                    *between = 0;
                    return true;
                }
                *between += 1;
                *between > MAX_BETWEEN
            }
            Some(Open::Literal(literal)) => {
                if literal.line(line) {
                    self.end(Ending::Complete, scope);
                }
                return true;
            }
            Some(Open::Segments(nested, between, dialect)) => match dialect.goes_on(line) {
                Some(text) => {
                    *between = 0;
                    nested.data(text, scope);
                    nested.data(dialect.terminator, scope);
                    return true;
                }
                None => {
                    *between += 1;
                    *between > MAX_BETWEEN
                }
            },
            Some(Open::Dump(nested)) if hex::is_dump(line) => {
                nested.data(line, scope);
                nested.data(b"\n", scope);
                return true;
            }
            Some(Open::Dump(_)) => true,
            Some(Open::Xdt(nested)) => match xdt_line(line) {
                Some(line) => {
                    nested.data(line, scope);
                    nested.data(b"\r\n", scope);
                    return true;
                }
                None => true,
            },
        };
        if ends {
            self.end(Ending::Complete, scope);
        }
        false
    }

    /// Whether a message begins in the line.
    fn begins(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        if self.dump(line, scope) {
            return true;
        }
        if memchr::memchr3(b'|', b'*', b'+', line).is_some() {
            let bars = memchr::memchr(b'|', line).is_some();
            let message = self.interchange(line, scope)
                || self.lone_segment(line, scope)
                || bars && (self.message(line, scope) || self.records(line, scope));
            return message || self.list(line, scope) || self.fields(line, scope);
        }
        self.xdt(line, scope)
            || self.xdt_fields(line, scope)
            || Self::claim(line, scope)
            || self.list(line, scope)
            || self.fields(line, scope)
    }

    /// A segment that names a person, without an interchange around it, or the first one of a message.
    fn lone_segment(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let Some((dialect, opening, text)) = lone::begins(line) else { return false };
        self.end(Ending::Complete, scope);
        let format = dialect.format;
        let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
        nested.data(opening, scope);
        nested.data(text, scope);
        nested.data(dialect.terminator, scope);
        self.open = Some(Open::Segments(nested, 0, dialect));
        true
    }

    /// The first line of a dump of bytes.
    fn dump(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        if !hex::begins_dump(line) {
            let Some(at) = hex::inside(line) else { return false };
            self.end(Ending::Complete, scope);
            let mut nested = hex::nested();
            nested.data(line.get(at..).unwrap_or_default(), scope);
            nested.end(Ending::Complete, scope);
            return true;
        }
        self.end(Ending::Complete, scope);
        let mut nested = hex::nested();
        nested.data(line, scope);
        nested.data(b"\n", scope);
        self.open = Some(Open::Dump(nested));
        true
    }

    /// Lists that hold the fields of segments or records.
    fn list(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let Some((mut literal, complete)) = ShownLiteral::begin(line) else { return false };
        self.end(Ending::Complete, scope);
        if complete {
            literal.end(scope);
        } else {
            self.open = Some(Open::Literal(literal));
        }
        true
    }

    /// A field of PID with its name in front.
    fn fields(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        if matches!(self.open, Some(Open::Fields(..))) {
            return false;
        }
        let Some(fields) = FieldLines::begin(line) else { return false };
        self.end(Ending::Complete, scope);
        self.open = Some(Open::Fields(Box::new(fields), 0));
        true
    }

    fn interchange(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let Some((at, end)) = begin_of_interchange(line) else { return false };
        let text = line.get(at..).unwrap_or_default();
        if at > 0 && end == UN_END && lone::is_single(text) {
            // Behind a time and a level, its segments follow in lines of their own.
            return self.lone_segment(line, scope);
        }
        self.end(Ending::Complete, scope);
        let format: &dyn Format =
            if end == X12_END { &x12::Interchange } else { &edifact::Interchange };
        let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
        nested.data(text, scope);
        nested.data(b"\n", scope);
        self.open = Some(Open::Interchange(nested, end));
        // Behind a time and a level, a line of a log has all of it.
        if at > 0 && !is_long_string(line, at) || memchr::memmem::find(text, end).is_some() {
            self.end(Ending::Complete, scope);
        }
        true
    }

    fn message(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let header = memchr::memmem::find(line, HEADER);
        let front = header.and_then(|at| line.get(at..)).unwrap_or_default();
        if front.starts_with(ESCAPED) && header.is_some_and(|at| is_quoted(line, at)) {
            self.end(Ending::Complete, scope);
            let text = String::from_utf8_lossy(front.get(..MAX_LINE).unwrap_or(front));
            let text = Zeroizing::new(text.replace("\\\\", "\\"));
            // Behind the string.
            let quote = |c: char| matches!(c, '"' | '\'' | '`' | ')' | ',' | ';');
            let text = text.trim_end().trim_end_matches(quote);
            let mut nested = carried::nested(MESSAGE);
            segments(&mut nested, text.as_bytes(), scope);
            nested.end(Ending::Complete, scope);
            return true;
        }
        let begins = header.filter(|_| front.starts_with(MESSAGE));
        let Some(at) = begins.or_else(|| carried::patient_segment(line)) else { return false };
        self.end(Ending::Complete, scope);
        let mut nested = carried::nested(MESSAGE);
        segments(&mut nested, unquoted(line, at), scope);
        self.open = Some(Open::Hl7(nested));
        true
    }

    fn records(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let patient = lone::is_patient(line);
        if !patient && !HEADERS.iter().any(|header| memchr::memmem::find(line, header).is_some()) {
            return false;
        }
        if self.frames(line, scope) {
            return true;
        }
        let Some(records) = Records::of(line) else { return false };
        if !patient && !syntax::astm::header(&records.text).is_yes() {
            return false;
        }
        self.end(Ending::Complete, scope);
        let format: &dyn Format = &astm::Records;
        let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
        if patient {
            nested.data(lone::HEADER, scope);
        }
        records.feed(&mut nested, scope);
        self.open = Some(Open::Records(nested, 0));
        true
    }

    /// All frames of a message in one line, as programs print the bytes of a connection.
    fn frames(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let text = unescaped(line.get(..MAX_LINE).unwrap_or(line));
        if memchr::memchr_iter(STX, &text).take(MIN_FRAMES).count() < MIN_FRAMES {
            return false;
        }
        self.end(Ending::Complete, scope);
        let format: &dyn Format = &astm::Records;
        let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
        for frame in text.split(|b| *b == STX).skip(1) {
            let end = frame.iter().position(|b| matches!(b, 0x03 | 0x17)).unwrap_or(frame.len());
            let number = usize::from(matches!(frame.first(), Some(b'0'..=b'7')));
            nested.data(frame.get(number..end).unwrap_or_default(), scope);
            if frame.get(end) != Some(&0x17) {
                nested.data(b"\r", scope);
            }
        }
        nested.end(Ending::Complete, scope);
        true
    }

    fn xdt(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        // Before the type of the record, of four characters.
        let line = line.trim_ascii_end();
        let field = line.len().checked_sub(8).and_then(|at| line.get(at..at + 4));
        if field != Some(b"8000") {
            return false;
        }
        let Some(text) = xdt_line(line).filter(|text| text.get(3..7) == Some(b"8000")) else {
            return false;
        };
        self.end(Ending::Complete, scope);
        let format: &dyn Format = &xdt::Xdt;
        let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
        nested.data(text, scope);
        nested.data(b"\r\n", scope);
        self.open = Some(Open::Xdt(nested));
        true
    }

    /// A field of xDT with its number in front.
    fn xdt_fields(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        if matches!(self.open, Some(Open::XdtFields(..))) {
            return false;
        }
        let Some((id, text)) = xdt_field(line) else { return false };
        let mut rows = Box::<xdt::Rows>::default();
        if !rows.row(&[id, text], scope) {
            return false;
        }
        self.end(Ending::Complete, scope);
        self.open = Some(Open::XdtFields(rows, 0));
        true
    }

    /// A claim of NCPDP, whose separators are spelled.
    fn claim(line: &[u8], scope: &mut Scope<'_>) -> bool {
        if !matches!(line.get(6..8), Some(b"D0" | b"51")) {
            return false;
        }
        let line = line.get(..MAX_LINE).unwrap_or(line);
        let Cow::Owned(text) = spelled::undo(line) else { return false };
        let text = Zeroizing::new(text);
        if !syntax::ncpdp::begins(&text).is_yes() {
            return false;
        }
        let format: &dyn Format = &ncpdp::Telecom;
        let mut nested = Nested::reading(format.name(), format.open(&Media::Unknown));
        nested.data(&text, scope);
        nested.end(Ending::Complete, scope);
        true
    }
}

/// Whether a string of several lines begins in front of this offset.
fn is_long_string(line: &[u8], at: usize) -> bool {
    let front = line.get(..at).unwrap_or_default();
    front.ends_with(b"\"\"\"") || front.ends_with(b"'''")
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
        (fits || is_long_string(line, at)).then_some((at, end))
    })
}

/// Whether a message at this offset is in a quoted string; one in an object of JSON is read with the object.
fn is_quoted(line: &[u8], at: usize) -> bool {
    const START_BLOCKS: [&[u8]; 6] = [b"\\x0b", b"\\x0B", b"\\u000b", b"\\u000B", b"\\v", b"\\013"];
    let mut before = line.get(..at).unwrap_or_default();
    for start in START_BLOCKS {
        before = before.strip_suffix(start).unwrap_or(before);
    }
    matches!(before, [.., b'"' | b'\'' | b'`']) && memchr::memmem::find(before, b"{\"").is_none()
}

/// The text from this offset on, up to the end of the string that it begins, and without a written line end there:
/// `"PID|1||77\r" +`.
fn unquoted(line: &[u8], at: usize) -> &[u8] {
    let rest = line.get(at..).unwrap_or_default();
    let quote = at.checked_sub(1).and_then(|at| line.get(at));
    let Some(quote) = quote.filter(|b| matches!(**b, b'"' | b'\'' | b'`')) else { return rest };
    let Some(end) = memchr::memrchr(*quote, rest) else { return rest };
    let mut text = rest.get(..end).unwrap_or(rest);
    // Also between several strings: `r"PID|1" "\r"`.
    loop {
        text = text.trim_ascii_end();
        let quoted = text.strip_suffix(std::slice::from_ref(quote));
        let ended = || text.strip_suffix(b"\\r").or_else(|| text.strip_suffix(b"\\n"));
        let Some(front) = quoted.or_else(ended) else { break };
        text = front;
    }
    text
}

/// Passes on the segments of a line.
fn segments(message: &mut Nested, line: &[u8], scope: &mut Scope<'_>) {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    match spelled::undo_names(line) {
        Cow::Borrowed(line) => message.data(line, scope),
        Cow::Owned(text) => message.data(&Zeroizing::new(text), scope),
    };
}

/// Whether a line begins like a segment: `PID|`.
fn is_segment(line: &[u8]) -> bool {
    matches!(line, [a, b, c, b'|', ..] if a.is_ascii_uppercase()
        && [b, c].iter().all(|d| d.is_ascii_uppercase() || d.is_ascii_digit()))
}

/// Delimiters that a header record declares, also with the backslash escaped; HPRIM.
const HEADERS: [&[u8]; 4] = [b"H|\\^&", b"H|\\\\^&", b"H|~^\\&", b"H|^~\\&|"];

/// Begins a frame.
const STX: u8 = 0x02;
/// Frames in a line that has a whole message.
const MIN_FRAMES: usize = 2;

/// The text without spelled control characters and doubled backslashes.
fn unescaped(line: &[u8]) -> Cow<'_, [u8]> {
    let text = spelled::undo(line);
    if memchr::memmem::find(&text, b"\\\\").is_none() {
        return text;
    }
    Cow::Owned(String::from_utf8_lossy(&text).replace("\\\\", "\\").into_bytes())
}

/// The records in a line of a text.
struct Records<'l> {
    text: Cow<'l, [u8]>,
    /// The last one ends here, and not in the next frame.
    complete: bool,
}

impl<'l> Records<'l> {
    fn of(line: &'l [u8]) -> Option<Self> {
        memchr::memchr(b'|', line)?;
        let text = unescaped(line.get(..MAX_LINE).unwrap_or(line));
        let from = match memchr::memrchr(STX, &text) {
            // The number of the frame.
            Some(at) if text.get(at + 1).is_some_and(|b| matches!(b, b'0'..=b'7')) => at + 2,
            Some(at) => at + 1,
            None => (0..text.len()).find(|at| is_record(&text, *at))?,
        };
        let framed = from.checked_sub(1).filter(|at| text.get(*at).is_some_and(u8::is_ascii_digit));
        let opened = framed.unwrap_or(from);
        let length = unquoted(&text, opened).len();
        let rest = text.get(from..opened + length)?;
        let end = rest.iter().position(|b| matches!(b, 0x03 | 0x17)).unwrap_or(rest.len());
        let complete = rest.get(end) != Some(&0x17);
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(from..from + end)?),
            Cow::Owned(text) => Cow::Owned(text.get(from..from + end)?.to_vec()),
        };
        Some(Self { text, complete })
    }

    fn feed(&self, nested: &mut Nested, scope: &mut Scope<'_>) {
        nested.data(&self.text, scope);
        if self.complete {
            nested.data(b"\r", scope);
        }
    }
}

/// Whether a record begins at this offset: `P|1|`, behind no letter, or behind the number of a frame.
fn is_record(text: &[u8], at: usize) -> bool {
    let [kind @ b'A'..=b'Z', b'|', rest @ ..] = text.get(at..).unwrap_or_default() else {
        return false;
    };
    let apart = |at: usize| {
        at.checked_sub(1).and_then(|at| text.get(at)).is_none_or(|b| !b.is_ascii_alphanumeric())
    };
    let framed = at.checked_sub(1).filter(|at| text.get(*at).is_some_and(u8::is_ascii_digit));
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let numbered = (1..=4).contains(&digits)
        && rest.get(digits).is_none_or(|b| *b == b'|' || b.is_ascii_control());
    (apart(at) || framed.is_some_and(apart))
        && (numbered
            || *kind == b'H' && syntax::astm::header(text.get(at..).unwrap_or_default()).is_yes())
}
