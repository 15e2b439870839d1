//! Data sets as toolkits print them, one element per line, in tickets and logs:
//!
//! ```text
//! (0010,0010) PN [Doe^Jane]                  #   8, 1 PatientName          DCMTK, GDCM
//! 132: (0010,0010) PN #8 [Doe^Jane] PatientName                            dcm4che
//! (0010, 0010) Patient's Name                      PN: 'Doe^Jane'          pydicom
//! (0010,0010) PN  Doe^Jane                         worklist files of DCMTK
//! W: (0010,0010) PN [Doe^Jane]  #  8, 1 PatientName                        logs of DCMTK
//! PatientName (0010,0010) PN   1   8 bytes: "Doe^Jane"                     dicom-rs
//! (0x0010,0x0010) PN Patient's Name  VR=<PN>  VL=<0x0008>  <Doe^Jane>      dicom3tools
//! 0010,0010<tab>Patient's Name<tab>PN<tab>Doe^Jane                         viewers
//! 0010|0010 Doe^Jane                                                       ITK
//! dcm:Patient'sName: Doe^Jane                                              ImageMagick
//! Tag: (0010,0010) ... Value: [Doe^Jane], in lines of their own            a library for Go
//! ```

use super::described::{attribute, is_person, known, names, tag_of};
use super::element::vr_of;
use super::model::Model;
use super::named_line;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use dicom_core::VR;
use memchr::memchr;
use smallvec::SmallVec;
use zeroize::Zeroizing;

/// Longest line that is read, bytes; the rest of a longer one is passed over.
const MAX_LINE: usize = 8 << 10;
/// Lines of elements that make a text a dump.
const MIN_ELEMENTS: usize = 2;
/// Levels of sequences around an element that are distinguished.
const MAX_DEPTH: usize = 32;

/// The format.
pub struct Dump;

impl Format for Dump {
    fn name(&self) -> &'static str {
        "dicom"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let essence = media::essence(media);
        let text = essence.is_empty()
            || essence.eq_ignore_ascii_case("text/plain")
            || essence.eq_ignore_ascii_case("application/octet-stream");
        let element = |line: &&str| {
            Line::parse(line).is_some() || apart(line, "Tag").and_then(tag_of).is_some()
        };
        text && head
            .split(|b| *b == b'\n')
            .filter_map(|line| std::str::from_utf8(line).ok())
            .filter(element)
            .nth(MIN_ELEMENTS - 1)
            .is_some()
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

/// A printed element.
#[derive(PartialEq, Eq, Debug)]
struct Line<'t> {
    /// Characters before the tag: more of them inside a sequence.
    indent: usize,
    tag: u32,
    vr: VR,
    value: &'t str,
}

impl<'t> Line<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        Self::printed(line)
            .or_else(|| Self::in_cells(line))
            .or_else(|| Self::piped(line))
            .or_else(|| Self::property(line))
            .or_else(|| Self::named(line))
    }

    /// `(0010,0010)<tab>Patient's Name<tab>PN<tab>Doe^Jane`, `'00100010'<tab>PN<tab>8<tab>'Doe^Jane'<tab># PatientName`.
    fn in_cells(line: &'t str) -> Option<Self> {
        let (first, rest) = line.split_once('\t')?;
        let tag = known(first)?;
        let cells = || rest.split('\t').map(str::trim).filter(|cell| !cell.starts_with('#'));
        let quoted = cells().find(|cell| cell.len() > 1 && cell.starts_with(['\'', '"']));
        let last = cells().next_back().filter(|_| quoted.is_none());
        let value = quoted.map(|cell| cell.trim_matches(['\'', '"'])).or(last)?;
        let vr = if cells().any(is_person) { VR::PN } else { VR::LO };
        // A dictionary has no values.
        let value = if names(value, tag) || vr_of_cell(value) { "" } else { value };
        Some(Self { indent: 0, tag, vr, value })
    }

    /// `0010|0010 Doe^Jane`, `(0010|0010) = = "Doe^Jane"`.
    fn piped(line: &'t str) -> Option<Self> {
        let (first, value) = line.trim().split_once([' ', ':', '='])?;
        let tag = tag_of(first).filter(|_| first.contains('|'))?;
        let value = value.trim_start_matches(['=', ':', ' ']).trim_matches('"');
        Some(Self { indent: 0, tag, vr: VR::LO, value })
    }

    /// `dcm:Patient'sName: Doe^Jane`.
    fn property(line: &'t str) -> Option<Self> {
        let (name, value) = line.trim().strip_prefix("dcm:")?.split_once(':')?;
        Some(Self { indent: 0, tag: attribute(name)?, vr: VR::LO, value: value.trim() })
    }

    /// A line that names its attribute.
    fn named(line: &'t str) -> Option<Self> {
        // Rows of drawn tables have headings.
        if line.trim_start().starts_with("| ") {
            return None;
        }
        let (tag, value) = named_line::parse(line)?;
        Some(Self { indent: 0, tag, vr: VR::LO, value })
    }

    fn printed(line: &'t str) -> Option<Self> {
        let open = line.bytes().take(MAX_DEPTH * 4).position(|b| b == b'(')?;
        let before = line.get(..open)?;
        // Blanks, the offset of the element, and signs of nesting; in logs, the level of the entry.
        let nested = |b: u8| matches!(b, b' ' | b'\t' | b'>');
        let plain = before.bytes().all(|b| b.is_ascii_digit() || b == b':' || nested(b));
        let blanks = |text: &str| text.bytes().filter(|b| nested(*b)).count();
        let (tag, rest) = line.get(open + 1..)?.split_once(')')?;
        let indent = match before.as_bytes() {
            [b'I' | b'W' | b'D' | b'E' | b'T', b':', rest @ ..]
                if rest.iter().all(|b| nested(*b)) =>
            {
                blanks(before)
            }
            _ if plain => blanks(before),
            // The keyword comes first.
            _ if rest.contains(" bytes: \"") => {
                let word = before.trim();
                let keyword = word.bytes().all(|b| b.is_ascii_alphanumeric());
                keyword.then(|| before.len() - before.trim_start().len())?
            }
            // A time, a level and more.
            _ => {
                let printed = before.ends_with(' ') && rest.contains('#') && rest.contains(']');
                printed.then(|| before.len() - before.trim_end().len())?
            }
        };
        let (group, element) = tag.split_once(',')?;
        let hex = |part: &str| {
            let part = part.trim();
            let part = part.strip_prefix("0x").unwrap_or(part);
            (part.len() == 4).then(|| u32::from_str_radix(part, 16).ok()).flatten()
        };
        let tag = hex(group)? << 16 | hex(element)?;
        let rest = rest.strip_prefix(' ')?;
        let found = Self::described(rest).or_else(|| Self::bracketed(rest));
        let (vr, value) = found.or_else(|| Self::quoted(rest))?;
        Some(Self { indent, tag, vr, value })
    }

    /// `PN     1   8 bytes: "Doe^Jane"`, `PN Patient's Name  VR=<PN>  VL=<0x0008>  <Doe^Jane>`.
    fn described(rest: &'t str) -> Option<(VR, &'t str)> {
        let vr = vr_of(rest.get(..2)?.as_bytes().try_into().ok()?)?;
        let behind = rest.get(2..)?;
        if let Some((_, value)) = behind.split_once(" bytes: \"") {
            return Some((vr, value.trim_end().strip_suffix('"')?.trim()));
        }
        let (_, value) = behind.split_once("VL=<")?;
        let (_, value) = value.split_once('>')?;
        let value = value.trim().strip_prefix('<').and_then(|value| value.strip_suffix('>'));
        Some((vr, value.unwrap_or("").trim()))
    }

    /// `PN [Doe^Jane]   #  8, 1 PatientName`, `PN #8 [Doe^Jane] PatientName`.
    fn bracketed(rest: &'t str) -> Option<(VR, &'t str)> {
        let vr = vr_of(rest.get(..2)?.as_bytes().try_into().ok()?)?;
        let rest = rest.get(2..)?;
        if rest.trim().is_empty() {
            return Some((vr, ""));
        }
        let rest = rest.strip_prefix([' ', '\t'])?;
        let Some((before, behind)) = rest.split_once('[') else { return Some((vr, bare(rest))) };
        if before.bytes().any(|b| b.is_ascii_alphabetic()) {
            return Some((vr, ""));
        }
        let end = behind.find("] ").or_else(|| behind.rfind(']'))?;
        Some((vr, behind.get(..end)?.trim()))
    }

    /// `Patient's Name      PN: 'Doe^Jane'`.
    fn quoted(rest: &'t str) -> Option<(VR, &'t str)> {
        let colon = rest.match_indices(": ").map(|(at, _)| at).find_map(|at| {
            let name = rest.get(at.checked_sub(2)?..at)?;
            let vr = vr_of(name.as_bytes().try_into().ok()?)?;
            rest.get(..at - 2)?.ends_with(' ').then_some((at, vr))
        });
        let (at, vr) = colon?;
        let value = rest.get(at + 2..)?.trim();
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let value = match quote {
            Some(quote) => value.trim_matches(quote),
            None => value,
        };
        Some((vr, value))
    }
}

/// Whether a cell is a value representation.
fn vr_of_cell(cell: &str) -> bool {
    cell.as_bytes().try_into().ok().and_then(vr_of).is_some()
}

/// The tag or the value in a line of its own: `Tag: (0010,0010)`, `Value: [Doe^Jane]`.
fn apart<'t>(line: &'t str, name: &str) -> Option<&'t str> {
    line.trim().strip_prefix(name)?.strip_prefix(':').map(str::trim)
}

/// A value without brackets; `(no value available)` and `=CTImageStorage` are none.
fn bare(text: &str) -> &str {
    let value = text.split_once(" #").map_or(text, |(value, _)| value).trim();
    if value.starts_with(['(', '=', '#']) { "" } else { value }
}

#[derive(Default)]
struct Reader {
    line: Zeroizing<Vec<u8>>,
    model: Option<Model>,
    /// Open sequences: their indentation and their tags.
    around: SmallVec<[(usize, u32); 4]>,
    /// A tag in a line of its own.
    tag: Option<u32>,
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if end.is_some() {
                self.finish(scope);
            }
            rest = rest.get(piece.len() + usize::from(end.is_some())..).unwrap_or(&[]);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.line.clear();
        self.close(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.finish(scope);
        self.close(scope);
    }

    fn memory(&self) -> usize {
        self.line.capacity()
    }
}

impl Reader {
    fn finish(&mut self, scope: &mut Scope<'_>) {
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line).unwrap_or("");
        if let Some(line) = Line::parse(text) {
            self.element(&line, scope);
        } else if let Some(tag) = apart(text, "Tag").and_then(tag_of) {
            self.tag = Some(tag);
        } else if let (Some(tag), Some(value)) = (self.tag, apart(text, "Value")) {
            let value = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
            let value = value.unwrap_or("").trim();
            self.tag = None;
            self.element(&Line { indent: 0, tag, vr: VR::LO, value }, scope);
        }
        self.line = line;
        self.line.clear();
    }

    fn element(&mut self, line: &Line<'_>, scope: &mut Scope<'_>) {
        // File meta information, or a tag that is not above the previous one, begins another data set.
        let depth = self.around.iter().take_while(|(indent, _)| *indent < line.indent).count();
        if line.tag >> 16 == 0xFFFE {
            return;
        }
        if line.tag >> 16 == 2 {
            return self.close(scope);
        }
        let model = self.model.get_or_insert_with(|| Model::begin(scope));
        if depth < self.around.len() {
            self.around.truncate(depth);
            model.leave(depth, scope);
        }
        let around = self.around.last().map_or(0, |(_, tag)| *tag);
        if line.vr == VR::SQ {
            model.sequence(line.tag, depth, around, scope);
            if depth < MAX_DEPTH {
                self.around.push((line.indent, line.tag));
            }
            return;
        }
        model.element((line.tag, line.vr == VR::PN), depth, around, line.value, scope);
    }

    fn close(&mut self, scope: &mut Scope<'_>) {
        self.around.clear();
        if let Some(model) = self.model.take() {
            model.end(scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_as_toolkits_print_them() {
        let name = |line: &str| Line::parse(line).map(|l| (l.indent, l.tag, l.value.to_owned()));
        let expected = |indent| Some((indent, 0x0010_0010, "Doe^Jane".to_owned()));
        assert_eq!(name("(0010,0010) PN [Doe^Jane]              #  8, 1 PatientName"), expected(0));
        assert_eq!(name("    (0010,0010) PN [Doe^Jane]          #  8, 1 PatientName"), expected(4));
        assert_eq!(name("132: (0010,0010) PN #8 [Doe^Jane] PatientName"), expected(1));
        assert_eq!(name("(0010, 0010) Patient's Name             PN: 'Doe^Jane'"), expected(0));
        assert_eq!(name("(0010,0010) PN  Doe^Jane     # worklist"), expected(0));
        assert_eq!(name("(0010,0010) PN Doe^Jane"), expected(0));
        assert_eq!(name("W: (0010,0010) PN [Doe^Jane]   #  8, 1 PatientName"), expected(1));
        assert_eq!(name("W:   (0010,0010) PN [Doe^Jane]   #  8, 1 PatientName"), expected(3));
        assert_eq!(
            name("PatientName   (0010,0010) PN     1    8 bytes: \"Doe^Jane\""),
            expected(0)
        );
        let described = "(0x0010,0x0010) PN Patient's Name \t VR=<PN>   VL=<0x0008>  <Doe^Jane> ";
        assert_eq!(name(described), expected(0));
        let logged = "2026-05-17 08:15:30 INFO - (0010,0010) PN #8 [Doe^Jane] PatientName";
        assert_eq!(name(logged), expected(1));
        for line in [
            "0010,0010\tPatient's Name\tDoe^Jane",
            "(0010,0010)\tPatient's Name\tPN\tDoe^Jane",
            "'00100010'\tPN\t8\t1\t0x8c\t'Doe^Jane'\t# PatientName",
            "0010|0010 Doe^Jane",
            "(0010|0010) = = \"Doe^Jane\"",
            "    dcm:Patient'sName: Doe^Jane",
        ] {
            assert_eq!(name(line), expected(0), "{line}");
        }
        let dictionary = "(0010,0010)\tPN\tPatientName\tPatient's Name";
        assert_eq!(name(dictionary), Some((0, 0x0010_0010, String::new())));
        let empty = "(0010,0020) LO (no value available)         #   0, 0 PatientID";
        assert_eq!(name(empty), Some((0, 0x0010_0020, String::new())));
        for no in
            ["(0010,0010)", "see (0010,0010) PN [x]", "# Dicom-Data-Set", "(12,34) PN [x]", ""]
        {
            assert_eq!(name(no), None, "{no}");
        }
    }
}
