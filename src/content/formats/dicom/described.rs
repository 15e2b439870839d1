//! Elements that objects or XML elements describe in words of their own: `{"group": "0010", "element": "0010", "value":
//! "Doe^Jane"}`, `<Tag Name="PatientName" Value="Doe^Jane"/>`. And the tags that programs write: `(0010,0010)`,
//! `0010|0010`, `0x00100010`.

use super::element::vr_of;
use super::model::Model;
use super::syntax::dictionary_vr;
use crate::content::Scope;
use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use zeroize::Zeroizing;

/// Longest name of an attribute, bytes.
const MAX_NAME: usize = 64;
/// Longest value that is kept, bytes.
const MAX_VALUE: usize = 4 << 10;

/// Members with the parts of a tag, with a tag, with the name of an attribute, and with its value.
const GROUPS: [&str; 3] = ["group", "groupnumber", "grp"];
const ELEMENTS: [&str; 4] = ["element", "elementnumber", "elem", "el"];
const TAGS: [&str; 6] = ["tag", "id", "tagid", "tagnumber", "dicomtag", "key"];
const NAMES: [&str; 8] = [
    "keyword",
    "name",
    "tagname",
    "attribute",
    "attributename",
    "description",
    "alias",
    "displayname",
];
const VALUES: [&str; 6] = ["value", "values", "val", "data", "content", "rawvalue"];

/// Members of rules that say what becomes of an attribute, as profiles of de-identification have them.
const ACTIONS: [&str; 6] = ["action", "operation", "method", "replacement", "rule", "profile"];

/// Whether a member or a heading is of a rule about an attribute.
pub(super) fn is_action(name: &str) -> bool {
    is_among(&ACTIONS, name)
}

/// Whether a name is in a list, whatever its case and the signs in it.
fn is_among(list: &[&str], name: &str) -> bool {
    let folded = || {
        let letters = name.trim_start_matches('@').bytes();
        letters.filter(|b| !matches!(b, b'_' | b'-' | b' ')).map(|b| b.to_ascii_lowercase())
    };
    list.iter().any(|other| folded().eq(other.bytes()))
}

/// Whether a member or an XML element holds values.
pub(super) fn is_value(name: &str) -> bool {
    is_among(&VALUES, name)
}

/// Whether a member holds a tag.
pub(super) fn is_tag(name: &str) -> bool {
    is_among(&TAGS, name)
}

/// A number of 16 bits: four hexadecimal digits, also behind `0x`, or fewer decimal ones.
fn number(text: &str) -> Option<u32> {
    let digits = text.trim();
    let bare = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    match bare {
        Some(hex) if (1..=4).contains(&hex.len()) => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if digits.len() == 4 => hex(digits),
        None if digits.len() < 4 => digits.parse().ok(),
        None => None,
    }
}

/// Four hexadecimal digits.
fn hex(text: &str) -> Option<u32> {
    let fits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// The tag that a text is: `(0010,0010)`, `0010,0010`, `0010|0010`, `00100010`, `0x00100010`, `x00100010`.
pub(super) fn tag_of(text: &str) -> Option<u32> {
    let text = text.trim().trim_matches(['\'', '"']);
    let bare = text.strip_prefix('(').and_then(|bare| bare.strip_suffix(')')).unwrap_or(text);
    if let Some((group, element)) = bare.split_once([',', '|', ':']) {
        let part = |part: &str| {
            let part = part.trim();
            hex(part.strip_prefix("0x").unwrap_or(part))
        };
        return Some(part(group)? << 16 | part(element)?);
    }
    let digits = ["0x", "0X", "x"].iter().find_map(|sign| bare.strip_prefix(sign)).unwrap_or(bare);
    let (group, element) = digits.split_at_checked(4)?;
    Some(hex(group)? << 16 | hex(element)?)
}

/// The same for attributes of the standard: eight digits may also be a date, or a number.
pub(super) fn known(text: &str) -> Option<u32> {
    tag_of(text).filter(|tag| text.contains([',', '|']) || dictionary_vr(*tag).is_some())
}

/// The attribute with this keyword or name: `PatientName`, `Patient's Name`, `Patient'sName`.
pub(super) fn attribute(name: &str) -> Option<u32> {
    if name.len() > MAX_NAME || !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let name = name.replace("'s", "").replace("\u{2019}s", "").replace("&apos;s", "");
    let keyword: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let tag = StandardDataDictionary.by_name(&keyword)?.tag();
    Some(u32::from(tag.0) << 16 | u32::from(tag.1))
}

/// The keyword of an attribute of the standard.
pub(super) fn keyword_of(tag: u32) -> Option<String> {
    let tag = dicom_core::Tag((tag >> 16) as u16, (tag & 0xFFFF) as u16);
    StandardDataDictionary.by_tag(tag).map(|entry| entry.alias().to_owned())
}

/// Whether a text only names the attribute, as dictionaries do.
pub(super) fn names(text: &str, tag: u32) -> bool {
    attribute(text.trim()) == Some(tag)
}

/// What an object says of an element.
#[derive(Default)]
pub(super) struct Described {
    group: Option<u32>,
    element: Option<u32>,
    tag: Option<u32>,
    named: Option<u32>,
    person: bool,
    /// It is a rule about the attribute.
    rule: bool,
    value: Option<Zeroizing<String>>,
}

impl Described {
    /// A member of the object.
    pub(super) fn member(&mut self, name: &str, text: &str) {
        if is_among(&GROUPS, name) {
            self.group = number(text);
        } else if is_among(&ELEMENTS, name) && self.element.is_none() {
            self.element = number(text);
        } else if is_tag(name) && self.tag.is_none() {
            self.tag = tag_of(text);
        } else if is_value(name) {
            self.value(text);
        } else if is_among(&["vr", "rawvr"], name) {
            self.person = text == "PN";
        }
        self.rule |= is_action(name);
        if is_among(&NAMES, name) || is_among(&["element", "tag"], name) {
            self.named = attribute(text).or(self.named);
        }
    }

    /// The object is a member of this name.
    pub(super) fn is_named(&mut self, name: &str) {
        self.named = attribute(name);
    }

    /// Another value of the element.
    pub(super) fn value(&mut self, text: &str) {
        let text = text.trim();
        let value = self.value.get_or_insert_with(Zeroizing::default);
        if text.is_empty() || value.len() + text.len() >= MAX_VALUE {
            return;
        }
        if !value.is_empty() {
            value.push('\\');
        }
        value.push_str(text);
    }

    /// The tag, where the object gives it.
    pub(super) fn tag(&self) -> Option<u32> {
        let parts = self.group.zip(self.element).map(|(group, element)| group << 16 | element);
        self.tag.or(parts).or(self.named)
    }

    /// Takes the values that an element around several of them collected.
    pub(super) fn take_values(&mut self, of: &Self) {
        if let Some(value) = &of.value {
            self.value(value);
        }
    }

    /// Takes the numbers of a tag that is an object of its own.
    pub(super) fn take_tag(&mut self, of: &Self) {
        self.tag = of.tag().or(self.tag);
    }
}

/// The elements of data sets in a document.
#[derive(Default)]
pub(super) struct Elements {
    model: Option<Model>,
    /// Tags of this data set so far.
    seen: Vec<u32>,
}

/// Tags of a data set that are remembered.
const MAX_SEEN: usize = 256;

impl Elements {
    /// Passes on an element that was described completely.
    pub(super) fn described(&mut self, row: &Described, scope: &mut Scope<'_>) {
        if let (Some(tag), Some(value), false) = (row.tag(), &row.value, row.rule) {
            self.element(tag, row.person, value, scope);
        }
    }

    /// Passes on an element. One that the data set has already begins another one, as does file meta information.
    pub(super) fn element(&mut self, tag: u32, person: bool, value: &str, scope: &mut Scope<'_>) {
        let meta = tag >> 16 == 2;
        let model_has = self.seen.contains(&tag);
        if model_has || meta && self.seen.iter().any(|seen| seen >> 16 != 2) {
            self.end(scope);
        }
        if self.seen.len() < MAX_SEEN {
            self.seen.push(tag);
        }
        if meta || names(value, tag) {
            return;
        }
        let model = self.model.get_or_insert_with(|| Model::begin(scope));
        model.element((tag, person), 0, 0, value, scope);
    }

    /// The data set ends.
    pub(super) fn end(&mut self, scope: &mut Scope<'_>) {
        self.seen.clear();
        if let Some(model) = self.model.take() {
            model.end(scope);
        }
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        self.seen.capacity() * size_of::<u32>()
    }
}

/// Whether a cell is the name of a value representation that holds names of people.
pub(super) fn is_person(cell: &str) -> bool {
    cell.as_bytes().try_into().ok().and_then(vr_of) == Some(VR::PN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_as_programs_write_them() {
        for text in [
            "(0010,0020)",
            "0010,0020",
            "(0010, 0020)",
            "0010|0020",
            "00100020",
            "0x00100020",
            "x00100020",
            "'00100020'",
            "(0x0010,0x0020)",
        ] {
            assert_eq!(tag_of(text), Some(0x0010_0020), "{text}");
        }
        for text in ["", "0010", "10,20", "PatientID", "0010002", "1234567Z", "(0010,0020"] {
            assert_eq!(tag_of(text), None, "{text}");
        }
    }

    #[test]
    fn attributes_by_keyword_and_by_name() {
        for text in ["PatientBirthDate", "Patient's Birth Date", "Patient'sBirthDate"] {
            assert_eq!(attribute(text), Some(0x0010_0030), "{text}");
        }
        assert_eq!(attribute("patient birth date"), None);
        assert!(names("Patient's Name", 0x0010_0010) && !names("Doe^Jane", 0x0010_0010));
    }
}
