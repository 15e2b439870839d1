//! HL7 v2 in JSON whose members are fields: `{"PID-3": "77", "PID-5.1": "Roe"}`, `{"PID": {"PID_5": "Roe^Eva"}}`,
//! `{"PID": {"5": {"1": "Roe"}}}`, `{"pid": {"pid5": [{"xpn1": "Roe"}]}}`, with the names of the standard,
//! `{"patientName": [{"familyName": "Roe"}]}`, and as the HL7v2 stores of cloud services parse it, `{"segmentId": "PID",
//! "fields": {"3[0].1": "77"}}`. An object may also say of which field it is, `{"field": "PID.5", "value": "Roe^Eva"}`.

#[cfg(test)]
mod tests;
mod values;

use super::joined;
use super::message::Message;
use super::names::{self, Names};
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::formats::json::{is_among, is_plain_json};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use memchr::memmem;
pub(super) use values::{Place, Values};

/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 64;
/// Levels of objects and arrays that are distinguished.
const MAX_DEPTH: usize = 64;
/// Highest number of a field, a repetition or a part.
const MAX_NUMBER: u16 = 255;

/// The format.
pub struct JsonFields;

impl Format for JsonFields {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memmem::find(head, mark).is_some();
        let named = |sign: u8| {
            let field = |number: u8| {
                // As HAPI's Terser names it.
                let terser = || sign == b'-' && has(&[b'/', b'P', b'I', b'D', sign, number]);
                has(&[b'"', b'P', b'I', b'D', sign, number]) || terser()
            };
            field(b'3') && (field(b'5') || field(b'7'))
        };
        let parsed = || {
            [&b"\"segmentId\""[..], b"\"PID\"", b"\"fields\""].iter().all(|mark| has(mark))
                && [&b"\"3[0]"[..], b"\"3.1\"", b"\"5.1\""].iter().any(|mark| has(mark))
        };
        let short =
            || has(b"\"pid\"") && has(b"\"pid3\"") && (has(b"\"pid5\"") || has(b"\"pid7\""));
        let worded = || LISTS.iter().any(|mark| has(mark)) && NAMES.iter().any(|mark| has(mark));
        let typed =
            || has(b"\"PID\"") && [&b"\"field_3"[..], b"\"field3"].iter().any(|mark| has(mark));
        is_plain_json(media, head)
            && has_marks(head)
            && (named(b'-')
                || named(b'_')
                || named(b'.')
                || parsed()
                || short()
                || worded()
                || typed()
                || is_numbered(head)
                || is_counted(head) && !has(br"^~\\"))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<FieldDocument>::default()
    }
}

#[derive(Default)]
struct FieldDocument {
    tokens: Tokens,
    levels: Levels,
}

/// The names of PID-3 and PID-5, as libraries write them.
const LISTS: [&[u8]; 3] =
    [b"atientIdentifierList", b"atient_identifier_list", b"atient Identifier List"];
const NAMES: [&[u8]; 3] = [b"atientName\"", b"atient_name\"", b"atient Name\""];

/// Whether the name of a segment or of a field is in a text. All forms need one of them, and nearly all documents have
/// none.
fn has_marks(head: &[u8]) -> bool {
    memchr::memchr2_iter(b'P', b'p', head).any(|at| {
        let rest = head.get(at + 1..).unwrap_or_default();
        let segment = matches!(rest, [b'I', b'D', ..] | [b'i', b'd', ..]);
        let before = at.checked_sub(1).and_then(|at| head.get(at));
        segment && matches!(before, Some(b'"' | b'/' | b'.'))
            || LISTS.iter().any(|list| rest.starts_with(list))
    })
}

/// Whether a segment is an object whose members are numbers: `"PID": {"3": ...`.
fn is_numbered(head: &[u8]) -> bool {
    let Some(at) = memmem::find(head, b"\"PID\"") else { return false };
    let behind = head.get(at + b"\"PID\"".len()..).unwrap_or_default().trim_ascii_start();
    let Some(value) = behind.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { return false };
    let first = value.strip_prefix(b"[").map_or(value, <[u8]>::trim_ascii_start);
    let Some(object) = first.strip_prefix(b"{") else { return false };
    let Some(name) = object.trim_ascii_start().strip_prefix(b"\"") else { return false };
    let end = name.iter().take(MAX_KEY).position(|b| *b == b'"').unwrap_or(0);
    let name = std::str::from_utf8(name.get(..end).unwrap_or_default()).unwrap_or("");
    unnamed(name).starts_with(|c: char| c.is_ascii_digit())
}

/// Whether the fields of PID say their numbers: `"name": "PID", "fields": [{"index": 3, ...`.
fn is_counted(head: &[u8]) -> bool {
    let has = |mark: &[u8]| memmem::find(head, mark).is_some();
    has(b"\"PID\"")
        && has(b"\"fields\"")
        && POSITIONS.iter().any(|name| has(&[b"\"", name.as_bytes(), b"\""].concat()))
}

/// An open object or array.
#[derive(Default)]
struct Level {
    object: bool,
    /// The segment that the object names, or that its members do.
    name: Option<[u8; 3]>,
    values: Values,
    /// The object has the fields of the one around it.
    fields: bool,
    /// What it is a part of.
    at: Option<At>,
    /// Items of an array so far.
    items: u16,
    /// The field that the object says it is of.
    said: Option<([u8; 3], Place)>,
    /// The segment or field whose parts are in it, each in an object with its number or as the items of a list.
    within: Option<At>,
}

/// A segment, a field, or a part of one.
#[derive(Clone, Copy)]
struct At {
    /// The open level that keeps the values of the segment.
    owner: usize,
    name: [u8; 3],
    place: Place,
    /// 0 for a segment, 1 for a field, 2 for a component, 3 for a subcomponent.
    depth: usize,
}

impl At {
    const fn segment(owner: usize, name: [u8; 3]) -> Self {
        Self { owner, name, place: [0, 1, 1, 1], depth: 0 }
    }

    /// The part that a member names.
    fn part(self, key: &str) -> Option<Self> {
        if UNIONS.contains(&key) {
            return Some(self);
        }
        if self.depth == 0 {
            let key = unnamed(key);
            let own = field(key).filter(|(name, _)| *name == self.name).map(|(_, place)| place);
            let numbered = || names::number(key).and_then(place);
            let place = own.or_else(|| place(key)).or_else(numbered).or_else(|| {
                let number = (&self.name == b"PID").then(|| names::field(key, Names::All))??;
                Some([number, 1, 1, 1])
            })?;
            return Some(Self { place, depth: 1, ..self });
        }
        let slot = self.depth + 1;
        let whole = field(key).map(|(_, place)| place);
        let number = || names::number(key)?.parse().ok();
        let named = || names::part(self.place[0], self.depth, key);
        let number: u16 = match whole {
            Some(place) => *place.get(slot)?,
            None => number().or_else(named)?,
        };
        self.numbered(number)
    }

    /// The part with this number.
    fn numbered(mut self, number: u16) -> Option<Self> {
        let slot = if self.depth == 0 { 0 } else { self.depth + 1 };
        *self.place.get_mut(slot)? = number;
        self.depth += 1;
        (1..=MAX_NUMBER).contains(&number).then_some(self)
    }

    /// The same in an item of an array: a segment of its own, or a repetition of a field.
    fn item(self, level: usize, items: u16) -> Self {
        let mut at = self;
        match self.depth {
            0 => at.owner = level,
            1 => at.place[1] = items.min(MAX_NUMBER),
            _ => {}
        }
        at
    }
}

/// Members that name the segment whose fields are beside them, or in a member `fields`.
const SEGMENTS: [&str; 8] = [
    "segmentId",
    "segmentType",
    "segmentName",
    "segment",
    "segment_id",
    "segment_type",
    "segment_name",
    "name",
];

/// Members with the value of a union in the JSON of Avro, by its type.
const UNIONS: [&str; 3] = ["string", "array", "bytes"];

/// Members that say of which field an object is, and that hold its value.
const DESCRIBING: [&str; 7] = ["field", "id", "path", "location", "key", "position", "name"];
const VALUES: [&str; 8] =
    ["value", "values", "data", "content", "text", "val", "fieldValue", "field_value"];

/// Members with the parts of a segment or a field, and with the number of a part.
const LISTS_OF_PARTS: [&str; 8] = [
    "fields",
    "field",
    "components",
    "component",
    "subcomponents",
    "subcomponent",
    "children",
    "elements",
];
const POSITIONS: [&str; 8] =
    ["position", "index", "number", "no", "num", "fieldNumber", "sequence", "seq"];

#[derive(Default)]
struct Levels {
    message: Message,
    open: Vec<Level>,
    /// Levels beyond those that are distinguished.
    deeper: usize,
    key: Box<str>,
}

/// The name of a segment.
pub(super) fn segment(text: &str) -> Option<[u8; 3]> {
    let name: [u8; 3] = text.as_bytes().try_into().ok()?;
    let rest = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (name[0].is_ascii_uppercase() && name.iter().all(rest)).then_some(name)
}

/// The place that a name of a member gives, without its segment: `3`, `3[0].1`, `5.1.1`, `5_1`. Repetitions are
/// counted from zero.
pub(super) fn place(text: &str) -> Option<Place> {
    let mut place = [0, 1, 1, 1];
    let (front, behind) = match text.split_once('[') {
        Some((front, rest)) => {
            let (repetition, behind) = rest.split_once(']')?;
            let number: u16 = repetition.parse().ok()?;
            place[1] = number.checked_add(1)?;
            (front, behind)
        }
        None => {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text.split_at_checked(end)?
        }
    };
    place[0] = front.parse().ok()?;
    let mut parts = behind.split(['.', '-', '_']).filter(|part| !part.is_empty());
    for slot in &mut place[2..] {
        if let Some(part) = parts.next() {
            *slot = part.parse().ok()?;
        }
    }
    let fits = place.iter().all(|number| (1..=MAX_NUMBER).contains(number));
    (fits && parts.next().is_none()).then_some(place)
}

/// A name of a member without the word for a field: `field_3_1`, `f5`.
fn unnamed(key: &str) -> &str {
    let behind = ["field", "Field", "fld", "f", "F"].iter().find_map(|word| key.strip_prefix(word));
    let number = behind.map(|rest| rest.trim_start_matches(['_', '-', '.']));
    number.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(key)
}

/// The segment that a member is, whose members are its fields.
fn segment_of(key: &str) -> Option<[u8; 3]> {
    let lower = || {
        let name: [u8; 3] = key.as_bytes().try_into().ok()?;
        let upper = name.map(|letter| letter.to_ascii_uppercase());
        joined::is_known(upper).then_some(upper)
    };
    let own = segment(key).filter(|name| joined::is_known(*name) || name[0] == b'Z');
    own.or_else(lower).or_else(|| names::is_patient_segment(key).then_some(*b"PID"))
}

/// The segment and the place of `PID-3`, `PID_5.1`, `PID.5.1.1`, and of `/PATIENT/PID-5-1`, as HAPI's Terser names it.
pub(super) fn field(key: &str) -> Option<([u8; 3], Place)> {
    let key = key.rsplit('/').next().unwrap_or(key).trim_start_matches('.');
    let name = segment(key.get(..3)?)?;
    let rest = key.get(3..)?.strip_prefix(['-', '_', '.'])?;
    Some((name, place(rest)?))
}

impl Levels {
    fn emit(&mut self, name: [u8; 3], values: &Values, scope: &mut Scope<'_>) {
        if &name == b"PID" && !values.are_said() {
            return;
        }
        let text = std::str::from_utf8(&name).unwrap_or("");
        self.message.begins(name, scope);
        if self.message.wants(name, scope.rules) {
            let raw = values.er7(text);
            self.message.segment(raw.as_bytes(), scope);
        }
        if values.cut {
            scope.give_up(Reason::Limit);
        }
    }

    /// Adds a value to the segment that a level keeps; a flat object holds several, one behind the other.
    fn add(&mut self, at: At, text: &str, scope: &mut Scope<'_>) {
        let Some(level) = self.open.get_mut(at.owner) else { return };
        if level.name.is_some_and(|known| known != at.name) {
            let (known, values) = (level.name.take(), std::mem::take(&mut level.values));
            if let Some(known) = known {
                self.emit(known, &values, scope);
            }
        }
        if let Some(level) = self.open.get_mut(at.owner) {
            level.name = Some(at.name);
            level.values.add(at.place, text);
        }
    }

    /// What a value with the current key is, in the innermost level.
    fn target(&self) -> Option<At> {
        let last = self.open.len().checked_sub(1)?;
        let level = self.open.get(last)?;
        if let Some(within) = level.within.filter(|_| !level.object && level.at.is_none()) {
            return within.numbered(level.items);
        }
        if !level.object {
            return level.at.map(|at| at.item(last, level.items)).filter(|at| at.depth > 0);
        }
        let within = |(name, place)| At { owner: last, name, place, depth: 1 };
        if let Some(at) = level.at {
            let wraps = || is_among(&VALUES, &self.key).then_some(at).filter(|at| at.depth > 0);
            return at.part(&self.key).or_else(wraps);
        }
        if let Some(said) = level.said.filter(|_| is_among(&VALUES, &self.key)) {
            return Some(At { owner: last.saturating_sub(1), ..within(said) });
        }
        let named = || {
            let number = names::field(&self.key, Names::Distinct)?;
            Some((*b"PID", [number, 1, 1, 1]))
        };
        field(&self.key).or_else(named).map(within)
    }

    fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        if self.deeper > 0 {
            return;
        }
        if self.whole(text, scope) {
            return;
        }
        let last = self.open.len().saturating_sub(1);
        let Some(level) = self.open.last_mut() else { return };
        level.items = level.items.saturating_add(u16::from(!level.object));
        if level.object
            && level.at.is_none()
            && let Some(within) = level.within.filter(|_| is_among(&POSITIONS, &self.key))
        {
            level.at = text.trim().parse().ok().and_then(|number| within.numbered(number));
            return;
        }
        if level.object {
            if SEGMENTS.contains(&&*self.key)
                && let Some(name) = segment(text).filter(|name| joined::is_known(*name))
            {
                level.name = Some(name);
                level.at.get_or_insert(At::segment(last, name));
                return;
            }
            if level.fields
                && let Some(place) = place(&self.key)
            {
                level.values.add(place, text);
                return;
            }
            if level.at.is_none() && is_among(&DESCRIBING, &self.key) {
                level.said = field(text).or(level.said);
            }
        }
        if let Some(at) = self.target() {
            self.add(at, text, scope);
        }
    }

    /// A text that is a segment in ER7: `PID|1||77`.
    fn whole(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let name = || text.get(..3).and_then(segment).filter(|name| joined::is_known(*name));
        let Some(name) = name().filter(|_| text.as_bytes().get(3) == Some(&b'|')) else {
            return false;
        };
        self.message.begins(name, scope);
        if self.message.wants(name, scope.rules) {
            self.message.segment(text.as_bytes(), scope);
        }
        true
    }

    /// Bytes of heap held, roughly.
    fn memory(&self) -> usize {
        let held = self.open.iter().map(|level| size_of::<Level>() + 2 * level.values.bytes);
        self.message.memory() + held.sum::<usize>()
    }

    fn key(&mut self, key: &str) {
        self.key = if key.len() <= MAX_KEY { key.into() } else { Box::default() };
    }

    fn close(&mut self, scope: &mut Scope<'_>) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let Some(level) = self.open.pop() else { return };
        if level.fields && level.name.is_none() {
            // The name may follow.
            if let Some(around) = self.open.last_mut() {
                around.values = level.values;
            }
        } else if let Some(name) = level.name {
            self.emit(name, &level.values, scope);
        }
    }

    fn open(&mut self, object: bool) {
        if self.open.len() >= MAX_DEPTH {
            self.deeper += 1;
            return;
        }
        let last = self.open.len();
        let mut level = Level { object, ..Level::default() };
        if let Some(around) = self.open.last_mut() {
            around.items = around.items.saturating_add(u16::from(!around.object));
            level.fields = object && around.object && &*self.key == "fields";
            let inside = around.at.is_some();
            let array = !around.object;
            level.within = match array {
                true => around.within,
                false => around.at.filter(|_| is_among(&LISTS_OF_PARTS, &self.key)),
            };
            level.at = match self.target() {
                _ if level.within.is_some() => None,
                Some(at) => Some(at),
                None if array => self.open.last().and_then(|l| Some(l.at?.item(last, l.items))),
                None if inside => None,
                None => segment_of(&self.key).map(|name| At::segment(last, name)),
            };
        }
        self.open.push(level);
    }
}

/// The fields of messages in a document of another syntax.
#[derive(Default)]
pub struct FieldTree(Levels);

impl FieldTree {
    /// A mapping or a list begins.
    pub fn open(&mut self, mapping: bool) {
        self.0.open(mapping);
    }
    /// The innermost one ends.
    pub fn close(&mut self, scope: &mut Scope<'_>) {
        self.0.close(scope);
    }
    /// The key of the next value.
    pub fn key(&mut self, key: &str) {
        self.0.key(key);
    }
    /// A text or a number.
    pub fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.0.value(text, scope);
    }
    /// The document ends.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        self.0.message.end(scope);
    }
    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}

struct Reader<'a, 'b> {
    levels: &'a mut Levels,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        self.levels.open(object);
    }

    fn close(&mut self) {
        self.levels.close(self.scope);
    }

    fn key(&mut self, key: &str) {
        self.levels.key(key);
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        self.levels.value(text, self.scope);
    }

    fn prose(&mut self, text: &str) {
        self.value(text);
    }
}

impl Document for FieldDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let read = self.tokens.read(bytes, &mut Reader { levels: &mut self.levels, scope });
        want_after(read, scope)
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.tokens.finish(&mut Reader { levels: &mut self.levels, scope });
        self.levels.message.end(scope);
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + self.levels.memory()
    }
}

/// Whether the names of PID-3 and PID-5 are elements of XML.
pub(super) fn has_names(head: &[u8]) -> bool {
    const NAMES: [&[u8]; 2] = [b"<PatientIdentifierList>", b"<patientIdentifierList>"];
    NAMES.iter().any(|name| memmem::find(head, name).is_some())
        && memmem::find(head, b"atientName>").is_some()
}

/// Whether names of fields are keys of a YAML text.
pub fn has_field_keys(head: &[u8]) -> bool {
    let has = |mark: &[u8]| memmem::find(head, mark).is_some();
    has(b"PID")
        && ([&b"PID.3"[..], b"PID-3", b"PID_3", b"PID_5", b"PID.5", b"fields:", b"PID|"]
            .iter()
            .any(|mark| has(mark)))
        || LISTS.iter().any(|mark| has(mark)) && has(b"atient")
}
