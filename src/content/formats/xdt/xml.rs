//! xDT in XML, as libraries convert it: `<feld kennung="3101">Roe</feld>`, `<F3101>Roe</F3101>`.

use super::json::{Fields, Reader};
use crate::content::formats::markup::Markup;
use crate::content::formats::xml_members::{Members, XmlMembers, is_xml};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};

/// The format.
pub struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "xdt"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memchr::memmem::find(head, mark).is_some();
        // The family name, and the given name, the birth date, or the type of the record.
        let named = |front: &str, behind: &str| {
            let field = |id: &str| has([front, id, behind].concat().as_bytes());
            field("3101") && (field("3102") || field("3103") || field("8000"))
        };
        matches!(media, Media::Type { .. } | Media::Unknown)
            && is_xml(head)
            && has(b"3101")
            && (named("\"", "\"") || named("<F", ">") || named("_", ">") || named(">", "</"))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(XmlDocument {
            markup: Markup::default(),
            members: Members::default(),
            fields: Fields::doubted(),
        })
    }
}

struct XmlDocument {
    markup: Markup,
    members: Members,
    fields: Fields,
}

impl Document for XmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut to = Reader { fields: &mut self.fields, scope };
        self.markup.read(bytes, &mut XmlMembers { members: &mut self.members, to: &mut to });
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let mut to = Reader { fields: &mut self.fields, scope };
        self.markup.finish(&mut XmlMembers { members: &mut self.members, to: &mut to });
        self.members.finish(&mut to);
        self.fields.end(ending, scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory() + self.members.memory() + self.fields.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn fields_in_elements() {
        for text in [
            r#"<xdt><feld kennung="8000">6310</feld><feld kennung="3000">77</feld><feld kennung="3101">Roe</feld><feld kennung="3102">Eva</feld><feld kennung="3103">31011970</feld><feld kennung="3110">2</feld></xdt>"#,
            "<GDT><F8000>6310</F8000><F3000>77</F3000><F3101>Roe</F3101><F3102>Eva</F3102><F3103>31011970</F3103></GDT>",
            "<r><f><id>3000</id><content>77</content></f><f><id>3101</id><content>Roe</content></f><f><id>3102</id><content>Eva</content></f><f><id>3103</id><content>31011970</content></f></r>",
        ] {
            let got = records("application/xml", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains("Roe"), "{text}: {got:?}");
            assert!(got[0].contains("patient_id=77"), "{got:?}");
        }
        let other =
            r#"<d><row id="3101">Red</row><row id="3103">Blue</row><row id="8000">Green</row></d>"#;
        assert_eq!(records("application/xml", other.as_bytes()), [""; 0]);
    }
}
