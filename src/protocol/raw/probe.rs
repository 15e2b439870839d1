//! Recognises bare documents by beginnings that no protocol has.

use super::super::{Probe, Speaker, gelf, xmpp};
use crate::syntax::{Match, bci, edifact, poct1a, recording, serialized, xdt};

/// Longest heading row of a table, bytes.
const MAX_HEADING: usize = 4096;
/// Longest name of a column, bytes.
const MAX_COLUMN: usize = 40;
/// Least number of columns of a table: fewer also occur in prose and in commands.
const MIN_COLUMNS: usize = 3;
/// White space before a text.
const MAX_BLANK: usize = 16;
/// Offset of the DICOM file prefix (PS3.10 7.1).
const DICM: usize = 128;

/// Magic numbers of files.
const MAGIC: &[&[u8]] = &[
    b"%PDF-",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"<?xml ",
    b"<!DOCTYPE",
    b"<html",
    b"<ClinicalDocument",
    recording::MFER,
    recording::ISHNE,
    serialized::DOTNET_OBJECTS,
];

/// Whether a document begins at `data`.
pub fn document(data: &[u8]) -> Probe {
    let mut more = false;
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    if data.first() == Some(&b'<') && (poct1a::begins(data) == Match::More || xmpp::may_begin(data))
    {
        // The root element decides whether it is a message or a stream rather than a document.
        return Probe::More;
    }
    for magic in MAGIC {
        let head = data.get(..magic.len()).unwrap_or(data);
        if magic.get(..head.len()).is_some_and(|m| m.eq_ignore_ascii_case(head)) {
            if head.len() == magic.len() {
                return Probe::yes(Speaker::Any);
            }
            more = true;
        }
    }
    for answer in [
        namespaced(data),
        edifact::begins(data).into(),
        xdt::begins(data).into(),
        bci::begins(data).into(),
        dicom(data),
        recording::edf(data).into(),
        scp(data),
        json(data),
        table(data),
    ] {
        match answer {
            Probe::Yes { .. } => return answer,
            Probe::More => more = true,
            Probe::No => {}
        }
    }
    if more { Probe::More } else { Probe::No }
}

/// XML without a declaration: an element in a namespace, as in SOAP and FHIR.
fn namespaced(data: &[u8]) -> Probe {
    /// Longest first tag, bytes.
    const MAX_TAG: usize = 1024;
    match data {
        [b'<'] => return Probe::More,
        [b'<', letter, ..] if letter.is_ascii_alphabetic() => {}
        _ => return Probe::No,
    }
    let end = memchr::memchr(b'>', data);
    let tag = data.get(..end.unwrap_or(data.len()).min(MAX_TAG)).unwrap_or(data);
    if memchr::memmem::find(tag, b" xmlns").is_some() {
        return Probe::yes(Speaker::Any);
    }
    if end.is_none() && tag.len() < MAX_TAG { Probe::More } else { Probe::No }
}

fn dicom(data: &[u8]) -> Probe {
    let preamble = data.get(..DICM).unwrap_or(data);
    if preamble.iter().any(|b| *b != 0) {
        return Probe::No;
    }
    match data.get(DICM..).unwrap_or(b"") {
        [b'D', b'I', b'C', b'M', ..] => Probe::yes(Speaker::Any),
        rest if b"DICM".starts_with(rest) => Probe::More,
        _ => Probe::No,
    }
}

/// An SCP-ECG file, whose name follows numbers.
fn scp(data: &[u8]) -> Probe {
    let shown = data.len() >= recording::SCP_NAME + recording::SCP.len();
    if shown { recording::scp(data).into() } else { Probe::No }
}

/// An object with a name and a colon, or an array of objects.
fn json(data: &[u8]) -> Probe {
    let mut rest = data.trim_ascii_start();
    if data.len() - rest.len() > MAX_BLANK {
        return Probe::No;
    }
    if let Some(inner) = rest.strip_prefix(b"[") {
        rest = inner.trim_ascii_start();
    }
    let Some((first, inner)) = rest.split_first() else { return Probe::More };
    if *first != b'{' {
        return Probe::No;
    }
    let inner = inner.trim_ascii_start();
    let Some((first, name)) = inner.split_first() else { return Probe::More };
    if *first != b'"' {
        return Probe::No;
    }
    match memchr::memchr(b'"', name) {
        None if name.len() <= MAX_HEADING => Probe::More,
        None => Probe::No,
        Some(end) => match name.get(end + 1..).unwrap_or(b"").trim_ascii_start() {
            [] => Probe::More,
            // A log message rather than a document.
            [b':', ..] if gelf::may_begin(data) => Probe::More,
            [b':', ..] => Probe::yes(Speaker::Any),
            _ => Probe::No,
        },
    }
}

/// The heading row of a table: names of columns, and nothing else. The format judges the names.
fn table(data: &[u8]) -> Probe {
    let end = memchr::memchr(b'\n', data);
    let line = data.get(..end.unwrap_or(data.len())).unwrap_or(data);
    if line.len() > MAX_HEADING {
        return Probe::No;
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Ok(line) = std::str::from_utf8(line.get(..utf8(line)).unwrap_or(line)) else {
        return Probe::No;
    };
    let wordy = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '.' | '"' | '#' | '/' | '(' | ')')
    };
    let separators = |c: char| matches!(c, ',' | ';' | '\t' | '|');
    let mut separator = None;
    for c in line.chars() {
        match separators(c) {
            true if separator.is_some_and(|s| s != c) => return Probe::No,
            true => separator = Some(c),
            false if !wordy(c) => return Probe::No,
            false => {}
        }
    }
    if end.is_none() {
        return Probe::More;
    }
    let Some(separator) = separator else { return Probe::No };
    let mut columns = 0;
    for column in line.split(separator) {
        let column = column.trim_matches(['"', ' ']);
        if column.len() > MAX_COLUMN || !column.starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            return Probe::No;
        }
        columns += 1;
    }
    if columns >= MIN_COLUMNS { Probe::yes(Speaker::Any) } else { Probe::No }
}

/// Length without a character that is cut at the end.
fn utf8(line: &[u8]) -> usize {
    match std::str::from_utf8(line) {
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        _ => line.len(),
    }
}
