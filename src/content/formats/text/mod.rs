//! Plain text: notes and letters with labelled values, tables drawn with bars (Markdown, database consoles).

mod blocks;
mod examples;
mod frame;
mod php;

use crate::content::extract::embedded;
use crate::content::extract::labels::{self, Place};
use crate::content::extract::objects;
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::formats::literal;
use crate::content::formats::logged_sql::LoggedSql;
use crate::content::formats::shown_messages::ShownMessages;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::rules::About;
use blocks::{Block, BlockLine};
use examples::Examples;
use frame::{Frame, FrameLine};

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
            || is_page(media)
            || essence.eq_ignore_ascii_case("text/rtf");
        let named = ["txt", "text", "log", "md", "asc", "lst", "out", "dat", "hl7", "edi", "astm"];
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
            messages: is_page(media)
                || ["", "txt", "text", "log", "asc", "lst", "out", "dat", "hl7", "edi", "astm"]
                    .iter()
                    .any(|suffix| suffix.eq_ignore_ascii_case(media::suffix(media))),
            shown: ShownMessages::default(),
            statements: LoggedSql::default(),
            examples: Examples::default(),
            block: Block::default(),
            frame: Frame::default(),
        })
    }
}

/// Whether a payload is declared as a page. Those without elements are what programs print under the type that their
/// language declares by itself, such as PHP.
fn is_page(media: &Media<'_>) -> bool {
    media::essence(media).eq_ignore_ascii_case("text/html")
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
    /// It may hold messages: manuals and programs only show some.
    messages: bool,
    shown: ShownMessages,
    statements: LoggedSql,
    examples: Examples,
    block: Block,
    frame: Frame,
}

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
        if self.examples.line(line, scope.rules) {
            return;
        }
        if self.messages {
            match self.block.line(line) {
                BlockLine::No => {}
                BlockLine::Kept => return,
                BlockLine::Ended => return self.end_block(scope),
            }
        }
        self.read_line(line, scope);
    }

    /// An object over several lines has ended, or is none: its lines are read one by one.
    fn end_block(&mut self, scope: &mut Scope<'_>) {
        if let Some(lines) = self.block.end(scope) {
            lines.lines().for_each(|line| self.read_line(line.as_bytes(), scope));
        }
    }

    fn read_line(&mut self, line: &[u8], scope: &mut Scope<'_>) {
        match self.frame.line(line, &mut self.sheet, scope) {
            FrameLine::No => {}
            FrameLine::Taken => return,
            FrameLine::Released(header) => self.read_one(header.as_bytes(), scope),
        }
        self.read_one(line, scope);
    }

    fn read_one(&mut self, line: &[u8], scope: &mut Scope<'_>) {
        let taken = self.shown.line(line, self.messages, scope)
            || self.messages && self.statements.line(line, scope);
        if taken {
            return;
        }
        let printed = if self.messages { printed_objects(line, scope) } else { None };
        read(&mut self.sheet, printed.as_ref().map_or(line, |around| around.as_bytes()), scope);
    }
}

/// Reads the objects that a program printed in a line. Returns what is around them.
fn printed_objects(line: &[u8], scope: &mut Scope<'_>) -> Option<zeroize::Zeroizing<String>> {
    // Most lines have no member of an object.
    memchr::memchr2(b'=', b':', line)?;
    let text = std::str::from_utf8(line.get(..MAX_LINE).unwrap_or(line)).ok()?;
    objects::read(text, scope)
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
    if object(bare, scope) || dictionary(bare, scope) || printed(bare, sheet, scope) {
        return;
    }
    let dated = literal::with_dates(text);
    let text = dated.as_ref().map_or(text, |plain| plain.as_str());
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

/// Reads the dictionary of Python in a line of a log: `bad patient {'mrn': '77', 'ward': None}`.
fn dictionary(line: &str, scope: &mut Scope<'_>) -> bool {
    let Some((at, json)) = literal::in_line(line) else { return false };
    // The word in front may say what it is.
    let before = line.get(..at).unwrap_or("").trim_end_matches(|c: char| !c.is_alphanumeric());
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    let patient = scope.rules.keys.context(word) == Some(About::Patient);
    let name = if patient { word } else { "" };
    scope.whole(&Media::Type { content_type: "application/json", name }, &json);
    true
}

/// Reads a member of an array that PHP printed: `[dob] => 1970-01-31`.
fn printed(line: &str, sheet: &mut Sheet, scope: &mut Scope<'_>) -> bool {
    let member = || line.strip_prefix('[')?.split_once("] => ");
    let Some((name, value)) = member() else { return false };
    // Members of objects are marked (`[dob:protected]`).
    let name = name.split(':').next().unwrap_or(name);
    let known = Sheet::known(&[name], scope) == 1;
    if known {
        sheet.row(&[name, value], scope);
    }
    known
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
        if self.block.is_open() {
            self.end_block(scope);
        }
        let _ = self.frame.release();
        self.shown.end(Ending::Cut, scope);
        self.statements.end(scope);
        self.sheet.lose();
        (self.lost, self.returned) = (true, false);
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.end_line(&[], scope);
        }
        if self.block.is_open() {
            self.end_block(scope);
        }
        if let FrameLine::Released(header) = self.frame.release() {
            self.read_one(header.as_bytes(), scope);
        }
        self.shown.end(ending, scope);
        self.statements.end(scope);
        self.sheet.end(scope);
    }

    fn memory(&self) -> usize {
        self.line.capacity()
            + self.block.memory()
            + self.frame.memory()
            + self.sheet.memory()
            + self.shown.memory()
            + self.statements.memory()
    }
}

#[cfg(test)]
mod tests;
