//! Files of settings with sections, as devices and programs write exports in them: INI (`[Patient]`, `Name=Jane Roe`)
//! and TOML 1.0 (`[patient]`, `name = "Jane Roe"`, `[[patients]]`). A section is read like an object of JSON. A file
//! without sections is text with labels.

use super::escapes::Escapes;
use super::text_lines::TextLines;
use crate::content::extract::texts::Texts;
use crate::content::extract::tree::Tree;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use std::borrow::Cow;
use std::ops::ControlFlow;
use zeroize::Zeroizing;

/// Lines examined to recognise it.
const MAX_LOOK: usize = 48;

/// Longest name of a key, and of a section, bytes.
const MAX_KEY: usize = 128;

/// Names in that of a section (`[a.b.c]`).
const MAX_PATH: usize = 8;

/// Inline tables and arrays inside each other.
const MAX_DEPTH: usize = 8;

/// INI and TOML.
pub struct Ini;

impl Format for Ini {
    fn name(&self) -> &'static str {
        "ini"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let essence = media::essence(media);
        let open = essence.is_empty()
            || ["text/plain", "application/octet-stream"]
                .iter()
                .any(|t| essence.eq_ignore_ascii_case(t));
        let declared = media::says(media, "toml", &["toml", "ini", "cfg", "inf"]);
        (declared || open) && has_sections(head)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(IniDocument {
            lines: TextLines::default(),
            path: media::path(media),
            reader: Reader {
                tree: Tree::new("ini"),
                texts: Texts::default(),
                section: 0,
                list: None,
                begun: false,
                quotes: None,
            },
        })
    }
}

/// What a line is.
enum Line<'a> {
    Blank,
    /// `[a.b]`; `list`: `[[a.b]]`.
    Section {
        name: &'a str,
        list: bool,
    },
    Pair {
        key: &'a str,
        value: &'a str,
    },
    Other,
}

/// Reads one line.
fn line(text: &str) -> Line<'_> {
    let text = text.trim();
    if text.is_empty() || text.starts_with(['#', ';']) || text.starts_with("//") {
        return Line::Blank;
    }
    if let Some(inner) = text.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
        let name = is_key(inner.trim()) && !inner.contains(['"', '[', ',', '=']);
        return match name {
            true => Line::Section { name: inner.trim(), list: true },
            false => Line::Other,
        };
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((inner, behind)) = rest.split_once(']') else { return Line::Other };
        let comment = behind.trim().is_empty() || behind.trim().starts_with(['#', ';']);
        // An array in several lines, or a list of JSON.
        let name = !inner.contains(['"', '[', '{', ',', '=']) || inner.starts_with('"');
        let named = comment && name && !inner.trim().is_empty() && inner.len() <= MAX_KEY;
        return match named {
            true => Line::Section { name: inner.trim(), list: false },
            false => Line::Other,
        };
    }
    match text.split_once('=') {
        Some((key, value)) if is_key(key.trim()) => {
            Line::Pair { key: key.trim().trim_matches('"'), value: value.trim() }
        }
        _ => Line::Other,
    }
}

/// Whether a text may be the name of a key.
fn is_key(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '<' | '>' | '{' | '}' | '(' | ')' | '|');
    !text.is_empty() && text.len() <= MAX_KEY && text.chars().all(plain)
}

/// Whether the first lines are sections and their keys.
fn has_sections(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) => {
            std::str::from_utf8(head.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or("")
        }
    };
    let whole = text.len() == head.len() && head.ends_with(b"\n");
    let mut lines: Vec<&str> = text.lines().take(MAX_LOOK + 1).collect();
    // The last one may be incomplete.
    if !whole && lines.len() > 2 {
        lines.pop();
    }
    let (mut sections, mut below, mut other) = (0u32, 0u32, 0u32);
    for text in lines {
        match line(text.trim_start_matches('\u{feff}')) {
            Line::Blank => {}
            Line::Section { .. } => sections += 1,
            Line::Pair { .. } if sections > 0 => below += 1,
            Line::Pair { .. } => {}
            Line::Other if sections == 0 => return false,
            Line::Other => other += 1,
        }
    }
    // Arrays and texts of several lines are few.
    sections > 0 && below > 0 && other * 2 <= below
}

/// Escapes of basic strings (TOML 1.0, String).
const ESCAPES: Escapes = Escapes {
    letters: &[('b', '\u{8}'), ('t', '\t'), ('n', '\n'), ('f', '\u{c}'), ('r', '\r')],
    code_points: &[('u', 4), ('U', 8)],
};

/// A value without its quotes, and without a comment behind it.
fn scalar(value: &str) -> Cow<'_, str> {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = value.get(1..).unwrap_or("");
            let end = end_of_quotes(inner, quote).unwrap_or(inner.len());
            let inner = inner.get(..end).unwrap_or(inner);
            match quote {
                '"' if inner.contains('\\') => ESCAPES.resolve(inner).into(),
                _ => inner.into(),
            }
        }
        _ => {
            let comment =
                [" #", " ;", "\t#", "\t;"].iter().filter_map(|sign| value.find(sign)).min();
            value.get(..comment.unwrap_or(value.len())).unwrap_or(value).trim().into()
        }
    }
}

/// Where the text in quotes ends.
fn end_of_quotes(text: &str, quote: char) -> Option<usize> {
    let mut escape = false;
    text.char_indices().find_map(|(at, c)| {
        if std::mem::take(&mut escape) {
            return None;
        }
        escape = quote == '"' && c == '\\';
        (c == quote).then_some(at)
    })
}

/// The elements of an inline table or array: separated by commas outside of quotes and brackets.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.trim().is_empty() {
            return None;
        }
        let (mut depth, mut quote, mut escape) = (0u32, None, false);
        let end = rest.char_indices().find_map(|(at, c)| {
            match (quote, c) {
                _ if std::mem::take(&mut escape) => {}
                (Some('"'), '\\') => escape = true,
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => depth = depth.saturating_sub(1),
                (None, ',') if depth == 0 => return Some(at),
                _ => {}
            }
            None
        });
        let (element, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind.get(1..).unwrap_or("");
        Some(element.trim())
    })
}

struct Reader {
    tree: Tree,
    texts: Texts,
    /// Objects that are open for the section.
    section: usize,
    /// The list whose elements are sections (`[[patients]]`); its array is open.
    list: Option<Zeroizing<String>>,
    begun: bool,
    /// The quotes of a string of several lines that is passed over.
    quotes: Option<&'static str>,
}

impl Reader {
    fn begin(&mut self, scope: &Scope<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.texts.begin(scope);
            self.tree.open(true);
        }
    }

    fn line(&mut self, text: &str, scope: &mut Scope<'_>) {
        if let Some(quotes) = self.quotes {
            if text.contains(quotes) {
                self.quotes = None;
            }
            return;
        }
        self.begin(scope);
        match line(text.trim_start_matches('\u{feff}')) {
            Line::Section { name, list } => self.section(name, list, scope),
            Line::Pair { key, value } => {
                for quotes in ["\"\"\"", "'''"] {
                    let open = value.strip_prefix(quotes);
                    if open.is_some_and(|rest| !rest.contains(quotes)) {
                        self.quotes = Some(quotes);
                        return;
                    }
                }
                self.tree.key(key, scope);
                self.value(value, 0, scope);
            }
            Line::Blank | Line::Other => {}
        }
    }

    /// The value of a key, or an element of an array.
    fn value(&mut self, value: &str, depth: usize, scope: &mut Scope<'_>) {
        let inside = |open: char, close: char| value.strip_prefix(open)?.strip_suffix(close);
        if depth < MAX_DEPTH {
            if let Some(table) = inside('{', '}') {
                self.tree.open(true);
                for element in elements(table) {
                    if let Some((key, value)) = element.split_once('=') {
                        self.tree.key(key.trim().trim_matches('"'), scope);
                        self.value(value.trim(), depth + 1, scope);
                    }
                }
                return self.tree.close(scope);
            }
            if let Some(array) = inside('[', ']') {
                self.tree.open(false);
                for element in elements(array) {
                    self.value(element, depth + 1, scope);
                }
                return self.tree.close(scope);
            }
        }
        let text = scalar(value);
        self.texts.text(&text, scope);
        match self.tree.wants() {
            true => self.tree.value(&text, scope),
            false => self.tree.number(&text, scope),
        }
    }

    fn section(&mut self, name: &str, list: bool, scope: &mut Scope<'_>) {
        self.close_section(scope);
        if self.list.as_ref().is_some_and(|open| !list || open.as_str() != name) {
            self.list = None;
            self.tree.close(scope);
        }
        let parts = || name.split('.').take(MAX_PATH).map(|part| part.trim().trim_matches('"'));
        if list {
            if self.list.is_none() {
                self.tree.key(parts().last().unwrap_or(name), scope);
                self.tree.open(false);
                self.list = Some(Zeroizing::new(name.to_owned()));
            }
            self.tree.open(true);
            self.section = 1;
            return;
        }
        for part in parts() {
            // Sections are numbered: `[Patient1]`.
            let bare = part.trim_end_matches(|c: char| c.is_ascii_digit());
            let bare = bare.trim_end_matches(['_', '-', ' ']);
            self.tree.key(if bare.is_empty() { part } else { bare }, scope);
            self.tree.open(true);
            self.section += 1;
        }
    }

    fn close_section(&mut self, scope: &mut Scope<'_>) {
        for _ in 0..std::mem::take(&mut self.section) {
            self.tree.close(scope);
        }
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        self.close_section(scope);
        self.tree.finish(scope);
        self.texts.end("ini", self.tree.around, scope);
    }
}

struct IniDocument {
    lines: TextLines,
    path: Option<Box<str>>,
    reader: Reader,
}

impl Document for IniDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.reader.tree.set_path(&path, scope);
        }
        let reader = &mut self.reader;
        self.lines.read(bytes, &mut |line| {
            reader.line(line, scope);
            ControlFlow::Continue(())
        });
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let reader = &mut self.reader;
        self.lines.finish(&mut |line| {
            reader.line(line, scope);
            ControlFlow::Continue(())
        });
        self.reader.finish(scope);
    }

    fn memory(&self) -> usize {
        self.lines.memory() + self.reader.tree.memory() + self.reader.texts.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::Media;
    use crate::content::testing::{records, records_of};

    #[test]
    fn sections_hold_people() {
        let exam = "[General]\r\nVersion=2.1\r\n\r\n[Patient]\r\nID=H-77\r\nLastName=Roe\r\nFirstName=Jane\r\n\
                    BirthDate=1970-01-31\r\n[Physician]\r\nName=Alan Poe\r\n";
        let line =
            "http>ini:~ini [PatientContext] patient_id=H-77 name=Roe^Jane birth_date=1970-01-31";
        assert_eq!(records("text/plain", exam.as_bytes()), [line]);
        let german =
            "[Patient]\nNachname=Roe\nVorname=Jane\nGeburtsdatum=31.01.1970\n[Messung]\nFVC=4.2\n";
        assert_eq!(
            records("application/octet-stream", german.as_bytes()),
            ["http>ini:~ini [PatientContext] name=Roe^Jane birth_date=31.01.1970"]
        );
    }

    #[test]
    fn toml_has_types_and_lists() {
        let one = "title = \"Referral\" # of today\n\n[patient]\nlast_name = \"Roe\"\nfirst_name = 'Jane'\n\
                   birth_date = 1970-01-31\nids = { mrn = \"H-77\" }\n\n[referring]\nname = \"Alan Poe\"\n";
        assert_eq!(
            records("application/toml", one.as_bytes()),
            ["http>ini:~ini [PatientContext] name=Roe^Jane birth_date=1970-01-31 patient_id=H-77"]
        );
        let two = "[[patients]]\nname = \"Jane Roe\"\ndob = \"1970-01-31\"\nmrn = \"H-77\"\n\n[[patients]]\n\
                   name = \"J\\u00f6rg Poe\"\ndob = \"1980-02-01\"\nmrn = \"H-78\"\n";
        assert_eq!(
            records("text/plain", two.as_bytes()),
            [
                "http>ini:~ini [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=H-77",
                "http>ini:~ini [PatientContext] name=Jörg Poe birth_date=1980-02-01 patient_id=H-78"
            ]
        );
    }

    #[test]
    fn settings_are_about_nobody() {
        for settings in [
            "[user]\nlast_name = Roe\nfirst_name = Jane\nbirth_date = 1970-01-31\n",
            "[database]\npatient_table=patients\nname_column=patient_name\n",
            "[package]\nname = \"patient\"\nauthors = [\"Jane Roe <jane@roe.example>\"]\n",
        ] {
            assert_eq!(records("text/plain", settings.as_bytes()), [""; 0], "{settings}");
        }
        // A letter that quotes a word in brackets.
        let letter = "[Draft]\nPatient: Jane Roe\nDOB: 1970-01-31\nMRN: H-77\n";
        assert!(
            records("text/plain", letter.as_bytes())
                .iter()
                .all(|line| !line.starts_with("http>ini"))
        );
    }

    #[test]
    fn pieces_of_any_size_and_cuts_anywhere() {
        let text = "[[patients]]\nward = 3\nbed = 7\nfloor = 1\nname = \"Jane Roe\"\ndob = 1970-01-31\nmrn = \"H-77\"\nnote = \"\"\"\n]}\n\"\"\"\n\
                    x = { y = [1, {z = 2}] }\n[[b.c]]\nq='''\n'''\n[";
        let media = || Media::Type { content_type: "application/toml", name: "" };
        let whole = records_of(media(), &[], text.as_bytes(), text.len());
        assert_eq!(whole.len(), 1, "{whole:?}");
        for piece in 1..8 {
            assert_eq!(
                records_of(media(), &[], text.as_bytes(), piece),
                whole,
                "pieces of {piece}"
            );
        }
        for end in 0..text.len() {
            let cut = records_of(media(), &[], text.as_bytes().get(..end).unwrap_or_default(), 16);
            assert!(cut.len() <= 1, "{end}: {cut:?}");
        }
    }
}
