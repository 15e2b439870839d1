//! Data sets in XML of programs' own: elements say in attributes or children which attribute of DICOM they are, `<Tag
//! Name="PatientName" Value="Doe^Jane"/>`, `<Attribute Group="0010" Element="0010"><Value>Doe^Jane</Value></Attribute>`,
//! `<field><tag>0010,0010</tag><value>Doe^Jane</value></field>`.

use super::described::{Described, Elements, is_value, tag_of};
use crate::content::formats::markup::{Attributes, Markup, Receiver};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use memchr::memmem;
use zeroize::Zeroizing;

/// Levels of elements that are distinguished.
const MAX_DEPTH: usize = 64;
/// Longest text of an element that is kept, bytes.
const MAX_TEXT: usize = 4 << 10;

/// The format.
pub struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "dicom"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        matches!(media, Media::Type { .. } | Media::Unknown)
            && head.starts_with(b"<")
            && describes(head)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(XmlDocument { markup: Markup::in_pieces(), rows: Rows::default() })
    }
}

/// Whether elements describe attributes of DICOM. The models of PS3.19 and of DCMTK have readers of their own.
fn describes(head: &[u8]) -> bool {
    const OTHERS: [&[u8]; 4] = [b"<NativeDicomModel", b"<data-set", b"<!DOCTYPE html", b"<html"];
    const KEYWORDS: [&[u8]; 4] =
        [b"=\"PatientName\"", b"=\"PatientID\"", b"=\"SOPClassUID\"", b"=\"StudyDate\""];
    const HOLDERS: [&[u8]; 6] =
        [b"<Tag ", b"<tag ", b"<Attribute ", b"<attribute ", b"<Element ", b"<DicomTag "];
    let has = |mark: &[u8]| memmem::find(head, mark).is_some();
    let any = |marks: &[&[u8]]| marks.iter().any(|mark| has(mark));
    if any(&OTHERS) || !any(&[&b"alue=\""[..], b"alue>", b"alue ", b"alues>"]) {
        return false;
    }
    // Names with values in attributes.
    let named = || any(&KEYWORDS) && any(&HOLDERS) && any(&[&b" Value=\""[..], b" value=\""]);
    let grouped = || any(&[&b"roup=\"0"[..], b"<group>0", b"<Group>0"]) && has(b"lement");
    let tagged = |mark: &[u8], end: u8| {
        memmem::find_iter(head, mark).take(MAX_DEPTH).any(|at| {
            let text = head.get(at + mark.len()..).unwrap_or_default();
            let text = text.get(..memchr::memchr(end, text).unwrap_or(0)).unwrap_or_default();
            let tag = std::str::from_utf8(text).ok().and_then(tag_of);
            tag.is_some_and(|tag| matches!(tag >> 16, 2 | 8 | 0x10))
        })
    };
    let described = || tagged(b" Tag=\"", b'"') && any(&[&b"<Data>"[..], b"<Value"]);
    named()
        || grouped()
        || described()
        || tagged(b" id=\"", b'"')
        || tagged(b"tag>", b'<')
        || tagged(b"Tag>", b'<')
}

struct XmlDocument {
    markup: Markup,
    rows: Rows,
}

/// An open element.
#[derive(Default)]
struct Level {
    /// What its attributes and children say.
    row: Described,
    text: Zeroizing<String>,
    children: bool,
}

#[derive(Default)]
struct Rows {
    elements: Elements,
    open: Vec<Level>,
    /// Levels beyond those that are distinguished.
    deeper: usize,
}

impl Rows {
    fn start(&mut self, attributes: Attributes<'_>) {
        let mut row = Described::default();
        for (name, value) in attributes.iter() {
            row.member(name.rsplit(':').next().unwrap_or(name), &value);
        }
        if let Some(around) = self.open.last_mut() {
            around.children = true;
        }
        self.open.push(Level { row, ..Level::default() });
    }

    fn end(&mut self, name: &str, scope: &mut Scope<'_>) {
        let Some(mut level) = self.open.pop() else { return };
        let name = name.rsplit(':').next().unwrap_or(name);
        let text = level.text.trim();
        // `<Value number="1">Doe^Jane</Value>`, at any depth below the element that has the tag.
        if level.row.tag().is_none() {
            if let Some(around) = self.open.last_mut() {
                if is_value(name) && level.children {
                    around.row.take_values(&level.row);
                } else if !text.is_empty() {
                    around.row.member(name, text);
                }
            }
            return;
        }
        if !level.children && !text.is_empty() {
            level.row.value(text);
        }
        // An element of an item is part of another one.
        let inside = self.open.iter().any(|around| around.row.tag().is_some());
        if !inside {
            self.elements.described(&level.row, scope);
        }
    }
}

struct Reader<'a, 'b> {
    rows: &'a mut Rows,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let rows = &mut *self.rows;
        if rows.open.len() >= MAX_DEPTH {
            rows.deeper += usize::from(!closed);
            return;
        }
        rows.start(attributes);
        if closed {
            rows.end(name, self.scope);
        }
    }

    fn end(&mut self, name: &str) {
        match self.rows.deeper.checked_sub(1) {
            Some(deeper) => self.rows.deeper = deeper,
            None => self.rows.end(name, self.scope),
        }
    }

    fn text(&mut self, text: &str) {
        let Some(top) = self.rows.open.last_mut().filter(|_| self.rows.deeper == 0) else { return };
        if top.text.len() + text.len() <= MAX_TEXT {
            top.text.push_str(text);
        }
    }
}

impl Document for XmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.markup.read(bytes, &mut Reader { rows: &mut self.rows, scope });
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.markup.finish(&mut Reader { rows: &mut self.rows, scope });
        self.rows.elements.end(scope);
    }

    fn memory(&self) -> usize {
        let texts = self.rows.open.iter().map(|level| size_of::<Level>() + level.text.capacity());
        self.markup.memory() + texts.sum::<usize>() + self.rows.elements.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: &str = "name=Doe^Jane patient_id=H-77 birth_date=19700131 sex=F";

    #[test]
    fn elements_in_words_of_their_own() {
        let rows = [
            ["0008", "0060", "Modality", "CT"],
            ["0010", "0010", "PatientName", "Doe^Jane"],
            ["0010", "0020", "PatientID", "H-77"],
            ["0010", "0030", "PatientBirthDate", "19700131"],
            ["0010", "0040", "PatientSex", "F"],
        ];
        let file = |write: fn(&[&str; 4]) -> String| {
            format!("<Dicom>{}</Dicom>", rows.iter().map(write).collect::<String>())
        };
        for text in [
            file(|[_, _, k, v]| format!("<Tag Name=\"{k}\" Value=\"{v}\"/>")),
            file(|[g, e, k, v]| {
                format!("<Tag id=\"{g}{e}\" vr=\"XX\" description=\"{k}\"><Value>{v}</Value></Tag>")
            }),
            file(|[g, e, _, v]| {
                format!(
                    "<Attribute Group=\"{g}\" Element=\"{e}\"><Values><Value>{v}</Value></Values></Attribute>"
                )
            }),
            file(|[g, e, _, v]| {
                format!("<Attribute group=\"0x{g}\" element=\"0x{e}\" value=\"{v}\" />")
            }),
            file(|[g, e, k, v]| {
                format!("<field><tag>({g},{e})</tag><name>{k}</name><value>{v}</value></field>")
            }),
        ] {
            let got = records("application/xml", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
            for end in 0..text.len() {
                records("application/xml", &text.as_bytes()[..end]);
            }
        }
    }
}
