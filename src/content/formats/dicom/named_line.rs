//! Elements in lines that name them: the tag, the name or keyword of the attribute, and its value, in any order and with
//! any signs: `0010,0010  Patient's Name: Doe^Jane` (ImageJ), `Patient's Name (0010,0010): Doe^Jane`, `(0010,0010) PN 8
//! bytes - PatientName [Doe^Jane]`, `DICOM_0010_0010_PatientName:=Doe^Jane` (NRRD).

use super::described::{keyword_of, known};
use super::element::vr_of;

/// Bytes of a line in front of the tag.
const MAX_BEFORE: usize = 64;
/// Words of the name of an attribute.
const MAX_WORDS: usize = 8;

/// The tag and the value of a line.
pub(super) fn parse(line: &str) -> Option<(u32, &str)> {
    let (before, tag, after) = tag(line)?;
    let keyword = keyword_of(tag)?;
    let keyword = keyword.as_str();
    // The name is in front of the tag, or behind it.
    if let Some(end) = title(before, keyword)
        && before
            .get(end..)
            .is_some_and(|rest| rest.trim_matches([' ', '\t', '(', '[', '-', ':']).is_empty())
    {
        // Statements of conformance and modules are tables of such lines.
        return Some((tag, if is_type(after.trim()) { "" } else { value(after) }));
    }
    let end = title(after, keyword)?;
    Some((tag, value(after.get(end..)?)))
}

/// Whether a cell is the type of an attribute or of a key (PS3.5 7.4, PS3.4 C.2.2.1).
fn is_type(cell: &str) -> bool {
    matches!(cell, "1" | "1C" | "2" | "2C" | "3" | "M" | "O" | "R" | "U" | "RC")
}

/// The first tag of a line, and what is in front of it and behind it.
fn tag(line: &str) -> Option<(&str, u32, &str)> {
    const GROUP: usize = 4;
    let bytes = line.as_bytes();
    let hex = |at: usize| {
        let digits = bytes.get(at..at + GROUP)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())
    };
    let apart = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_none_or(|b| !b.is_ascii_alphanumeric())
    };
    for at in 0..bytes.len().min(MAX_BEFORE) {
        if hex(at).is_none() || !apart(at.checked_sub(1)) {
            continue;
        }
        let sign = bytes.get(at + GROUP)?;
        let blank = usize::from(*sign == b',' && bytes.get(at + GROUP + 1) == Some(&b' '));
        let second = at + GROUP + 1 + blank;
        if !matches!(sign, b',' | b'|' | b'_' | b' ' | b':') || hex(second).is_none() {
            continue;
        }
        let end = second + GROUP;
        let last = bytes.get(end);
        if !apart(Some(end)) {
            continue;
        }
        let text = format!("{},{}", line.get(at..at + GROUP)?, line.get(second..end)?);
        let behind = match last {
            Some(b')' | b']' | b'_') => end + 1,
            _ => end,
        };
        return Some((line.get(..at)?, known(&text)?, line.get(behind..)?));
    }
    None
}

/// Where the name of an attribute ends that a text begins with, behind signs, a value representation and numbers.
fn title(text: &str, keyword: &str) -> Option<usize> {
    let starts = text.char_indices().filter(|(at, c)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        c.is_alphabetic() && before.is_none_or(|b| !b.is_alphanumeric() && b != '\'' && b != '’')
    });
    let from = |start: usize| {
        let mut letters = keyword.bytes();
        let mut rest = text.get(start..)?;
        loop {
            // The possessive is no part of the keyword.
            rest = rest.strip_prefix("'s").or_else(|| rest.strip_prefix("’s")).unwrap_or(rest);
            let c = rest.chars().next();
            match c {
                Some(c) if c.is_ascii_alphanumeric() => {
                    let letter = letters.next()?;
                    if !letter.eq_ignore_ascii_case(&(c as u8)) {
                        return None;
                    }
                    rest = rest.get(1..)?;
                    if letters.len() == 0 {
                        let ends = rest.chars().next().is_none_or(|c| !c.is_alphanumeric());
                        return ends.then_some(text.len() - rest.len());
                    }
                }
                Some(' ' | '-' | '/' | '(' | ')' | '\'') => rest = rest.get(1..)?,
                _ => return None,
            }
        }
    };
    starts.take(MAX_WORDS).find_map(|(start, _)| from(start))
}

/// The value behind the name: in brackets, or behind signs, a value representation and a length.
fn value(text: &str) -> &str {
    let text = text.trim();
    if let Some((front, inside)) = text.split_once('[')
        && let Some(end) = inside.rfind(']')
        && !front.contains(['^', '='])
    {
        return inside.get(..end).unwrap_or("").trim();
    }
    let signs = |c: char| matches!(c, ':' | '=' | '-' | '|' | '>' | ' ' | '\t' | ')' | ']' | '.');
    let mut rest = text.trim_start_matches(signs);
    // `PN  8  Doe^Jane`
    if let Some((word, behind)) = rest.split_once(' ')
        && word.as_bytes().try_into().ok().and_then(vr_of).is_some()
    {
        rest = behind.trim_start_matches(signs);
        if let Some((length, behind)) = rest.split_once(' ')
            && length.bytes().all(|b| b.is_ascii_digit())
            && !behind.trim().is_empty()
        {
            rest = behind;
        }
    }
    let value = rest.trim();
    value.trim_matches(['"', '\'']).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    #[test]
    fn lines_that_name_their_attribute() {
        for line in [
            "0010,0010  Patient's Name: Doe^Jane ",
            "Patient's Name (0010,0010): Doe^Jane",
            "[0010,0010] Patient’s Name: Doe^Jane",
            "(0010,0010) : PN : Patient's Name = Doe^Jane",
            "0000040      0  (0010,0010)  PN     8 bytes - PatientName         [Doe^Jane]",
            "(0010,0010)[PatientName] PN 8 [Doe^Jane]",
            "|--0010,0010 Patient's Name       PN    8 Doe^Jane",
            "(0010,0010)  PN       8  Patient's Name        Doe^Jane",
            "0010 0010  PN  Patient's Name: Doe^Jane",
            "DICOM_0010_0010_PatientName:=Doe^Jane",
        ] {
            assert_eq!(parse(line), Some((0x0010_0010, "Doe^Jane")), "{line}");
        }
        for line in [
            "REMOVE (0010,0010) Patient",
            "see 0010,0010 for the name",
            "2026 0301 Patient's Name: x",
            "Patient's Name: Doe^Jane",
            "",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
        assert_eq!(parse("(0010,0040) CS Patient's Sex: F"), Some((0x0010_0040, "F")));
        assert_eq!(parse("Patient ID    (0010,0020)  U"), Some((0x0010_0020, "")));
        assert_eq!(parse("Patient ID (0010,0020): 1"), Some((0x0010_0020, "1")));
        assert_eq!(parse("REMOVE (0010,0010) Patient's Name"), Some((0x0010_0010, "")));
    }

    #[test]
    fn a_text_of_such_lines() {
        let text = "0008,0060  Modality: CT \n0010,0010  Patient's Name: Doe^Jane \n0010,0020  Patient ID: H-77 \n0010,0030  Patient's Birth Date: 19700131 \n0010,0040  Patient's Sex: F \n \nTitle: x\n";
        let got = records("text/plain", text.as_bytes());
        let fields = "name=Doe^Jane patient_id=H-77 birth_date=19700131 sex=F";
        assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
    }
}
