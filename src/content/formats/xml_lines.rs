//! Messages in XML that has an element for each segment or record, with its text as in the message: `<segment>PID|1||77
//! </segment>`, `<PID>1||77</PID>`, `<record>P|1||77</record>`.

use super::markup::{Attributes, Markup, Receiver};
use super::shown_messages::ShownMessages;
use super::xml_members::is_xml;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_LINE: usize = 64 << 10;
/// Levels of elements whose names are known.
const MAX_DEPTH: usize = 64;

/// How the first segment or record begins in its element, and what would begin the next one in the same text.
const BEGINS: [(&[u8], &[u8]); 5] = [
    (b"MSH|^~", b"PID|"),
    (b"^~\\&amp;|", b"PID|"),
    (b"|^~\\&amp;|", b"PID|"),
    (b"H|\\^&amp;|", b"P|1"),
    (b"H|\\^&amp;</", b"P|1"),
];

/// The format.
pub struct XmlLines;

impl Format for XmlLines {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn first(&self) -> &'static [u8] {
        b"<"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let begins = |(begin, next): &(&[u8], &[u8])| {
            let Some(at) = memmem::find(head, begin) else { return false };
            let before = head.get(..at).unwrap_or_default().trim_ascii_end();
            if !before.ends_with(b">") && !before.ends_with(b"<![CDATA[") {
                return false;
            }
            let text = head.get(at..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'<', text) else { return false };
            let (text, behind) = text.split_at(end);
            if !behind.starts_with(b"</") {
                return false;
            }
            let text = text.trim_ascii();
            let whole = text.iter().any(|b| matches!(b, b'\r' | b'\n'))
                || memmem::find(text, b"&#").is_some()
                || memmem::find(text, next).is_some();
            !whole
        };
        matches!(media, Media::Type { .. } | Media::Unknown)
            && is_xml(head)
            && BEGINS.iter().any(begins)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Lines {
            markup: Markup::in_pieces(),
            text: Zeroizing::default(),
            names: Vec::new(),
            deeper: 0,
            shown: ShownMessages::default(),
        })
    }
}

struct Lines {
    markup: Markup,
    text: Zeroizing<String>,
    /// The segments that open elements name.
    names: Vec<Option<[u8; 3]>>,
    /// Levels beyond those whose names are known.
    deeper: usize,
    shown: ShownMessages,
}

/// The name of a segment.
fn segment(text: &str) -> Option<[u8; 3]> {
    let name: [u8; 3] = text.as_bytes().try_into().ok()?;
    let rest = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (name[0].is_ascii_uppercase() && name.iter().all(rest)).then_some(name)
}

struct Reader<'a, 'b> {
    lines: &'a mut Lines,
    scope: &'a mut Scope<'b>,
}

impl Lines {
    /// The text of an element is complete.
    fn line(&mut self, scope: &mut Scope<'_>) {
        let text = Zeroizing::new(std::mem::take(&mut *self.text));
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let own = text.get(..3).and_then(segment).is_some() && text.get(3..4) == Some("|");
        match self.names.last().copied().flatten().filter(|_| !own) {
            Some(name) => {
                let name = std::str::from_utf8(&name).unwrap_or("");
                let sign = if text.starts_with('|') { "" } else { "|" };
                let line = Zeroizing::new([name, sign, text].concat());
                self.shown.line(line.as_bytes(), true, scope);
            }
            None => {
                self.shown.line(text.as_bytes(), true, scope);
            }
        }
    }
}

impl Receiver for Reader<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        self.lines.text.clear();
        if closed {
            return;
        }
        if self.lines.names.len() >= MAX_DEPTH {
            self.lines.deeper += 1;
            return;
        }
        let named = || attributes.iter().find_map(|(_, value)| segment(&value));
        self.lines.names.push(segment(name).or_else(named));
    }

    fn end(&mut self, _name: &str) {
        self.lines.line(self.scope);
        match self.lines.deeper.checked_sub(1) {
            Some(deeper) => self.lines.deeper = deeper,
            None => {
                self.lines.names.pop();
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.lines.text.len() + text.len() <= MAX_LINE {
            self.lines.text.push_str(text);
        }
    }
}

impl Document for Lines {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut markup = std::mem::take(&mut self.markup);
        markup.read(bytes, &mut Reader { lines: self, scope });
        self.markup = markup;
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let mut markup = std::mem::take(&mut self.markup);
        markup.finish(&mut Reader { lines: self, scope });
        self.shown.end(ending, scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory() + self.text.capacity() + self.names.len() * 4 + self.shown.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const SEGMENTS: [&str; 4] = [
        "MSH|^~\\&amp;|A|B|C|D|2026||ADT^A04|M1|P|2.5",
        "EVN|A04|2026",
        "PID|1||H-77^^^H^MR||Roe^Jane||19700131|F",
        "PV1|1|I|W||||7^Doe^Max",
    ];

    #[test]
    fn an_element_for_each_segment() {
        let file = |write: fn(&str) -> String| {
            format!("<batch><m>{}</m></batch>", SEGMENTS.map(write).concat())
        };
        for text in [
            file(|s| format!("<segment>{s}</segment>")),
            file(|s| format!("\n  <line n='1'>\n    {s}\n  </line>")),
            file(|s| format!("<{0}>{1}</{0}>", &s[..3], &s[4..])),
            file(|s| format!("<segment name='{}'>{}</segment>", &s[..3], &s[4..])),
            file(|s| format!("<{0}>{1}</{0}>", &s[..3], &s[3..])),
        ] {
            let got = records("application/xml", text.as_bytes());
            let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
            assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
            for end in 0..text.len() {
                records("application/xml", &text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn an_element_for_each_record() {
        let records_of = ["H|\\^&amp;|||X", "P|1|H-77|||Roe^Jane||19700131|F", "O|1|S", "L|1|N"];
        let text = records_of.map(|r| format!("<record>{r}</record>")).concat();
        let got = records("application/xml", format!("<astm>{text}</astm>").as_bytes());
        assert!(got.len() == 1 && got[0].contains("H-77") && got[0].contains("Roe"), "{got:?}");
    }
}
