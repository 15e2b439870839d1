//! HL7 v2 in JSON whose members are fields: `{"PID-3": "77", "PID-5.1": "Roe"}`, `{"PID": {"PID_5": "Roe^Eva"}}`, and
//! as the HL7v2 stores of cloud services parse it, `{"segmentId": "PID", "fields": {"3[0].1": "77"}}`.

use super::json::may_be_hl7;
use super::message::Message;
use crate::content::formats::json::tokens::{Receiver, Tokens, want_after};
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use memchr::memmem;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_SEGMENT: usize = 64 << 10;
/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 32;
/// Levels of objects and arrays that are distinguished.
const MAX_DEPTH: usize = 64;
/// Highest number of a field, a repetition or a part.
const MAX_NUMBER: u16 = 255;
/// Values of one segment.
const MAX_VALUES: usize = 512;

/// The format.
pub struct JsonFields;

impl Format for JsonFields {
    fn name(&self) -> &'static str {
        "hl7v2"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let has = |mark: &[u8]| memmem::find(head, mark).is_some();
        let named = |sign: u8| {
            let field = |number: u8| has(&[b'"', b'P', b'I', b'D', sign, number]);
            field(b'3') && (field(b'5') || field(b'7'))
        };
        let parsed = || {
            [&b"\"segmentId\""[..], b"\"PID\"", b"\"fields\""].iter().all(|mark| has(mark))
                && [&b"\"3[0]"[..], b"\"3.1\"", b"\"5.1\""].iter().any(|mark| has(mark))
        };
        let begins = may_be_hl7(media, head) && has(b"\"PID");
        begins && (named(b'-') || named(b'_') || named(b'.') || parsed())
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

/// Field, repetition, component, subcomponent; each from one on.
type Place = [u16; 4];

/// The values of a segment by their places.
#[derive(Default)]
struct Values {
    values: BTreeMap<Place, Zeroizing<String>>,
    bytes: usize,
    cut: bool,
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
}

#[derive(Default)]
struct Levels {
    message: Message,
    open: Vec<Level>,
    /// Levels beyond those that are distinguished.
    deeper: usize,
    key: Box<str>,
}

/// The name of a segment.
fn segment(text: &str) -> Option<[u8; 3]> {
    let name: [u8; 3] = text.as_bytes().try_into().ok()?;
    let rest = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (name[0].is_ascii_uppercase() && name.iter().all(rest)).then_some(name)
}

/// The place that a name of a member gives, without its segment: `3`, `3[0].1`, `5.1.1`, `5_1`. Repetitions are
/// counted from zero.
fn place(text: &str) -> Option<Place> {
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

/// The segment and the place of `PID-3`, `PID_5.1`, `PID.5.1.1`.
fn field(key: &str) -> Option<([u8; 3], Place)> {
    let name = segment(key.get(..3)?)?;
    let rest = key.get(3..)?.strip_prefix(['-', '_', '.'])?;
    Some((name, place(rest)?))
}

impl Values {
    fn add(&mut self, place: Place, text: &str) {
        if self.values.len() >= MAX_VALUES || self.bytes + text.len() > MAX_SEGMENT {
            self.cut = true;
            return;
        }
        self.bytes += text.len();
        self.values.entry(place).or_insert_with(|| Zeroizing::new(text.to_owned()));
    }

    /// The segment in ER7. A value that is a whole field may have components of its own.
    fn er7(&self, name: &str) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(self.bytes + 64));
        out.push_str(name);
        let mut at: Place = [0, 1, 1, 1];
        if name == "MSH" {
            // MSH-1 and MSH-2 are the separators: those that are used here. Some count MSH-2 as the first.
            out.push_str("|^~\\&");
            let first = self.values.get(&[1, 1, 1, 1]);
            at[0] = if first.is_some_and(|text| text.starts_with('^')) { 1 } else { 2 };
        }
        let before = at[0];
        for (place, text) in self.values.iter().filter(|(place, _)| place[0] > before) {
            for (level, sign) in ['|', '~', '^', '&'].into_iter().enumerate() {
                let (Some(&to), Some(from)) = (place.get(level), at.get_mut(level)) else {
                    continue;
                };
                if *from == to {
                    continue;
                }
                out.extend(std::iter::repeat_n(sign, usize::from(to.saturating_sub(*from))));
                *from = to;
                for below in at.iter_mut().skip(level + 1) {
                    *below = 1;
                }
            }
            let part = place[2..] != [1, 1] || self.has_parts(place);
            for c in text.chars() {
                match c {
                    '|' => out.push_str("\\F\\"),
                    '^' if part => out.push_str("\\S\\"),
                    c if c.is_control() => out.push(' '),
                    c => out.push(c),
                }
            }
        }
        out
    }

    /// Whether a repetition has several components.
    fn has_parts(&self, place: &Place) -> bool {
        let [field, repetition, ..] = *place;
        let parts = [field, repetition, 1, 2]..[field, repetition, MAX_NUMBER, MAX_NUMBER];
        self.values.range(parts).next().is_some()
    }

    /// Whether these are values of a patient, and no description of the fields (`"PID-3": "Patient identifier list"`).
    fn are_said(&self) -> bool {
        let begins = |number: u16| {
            let of = self.values.range([number, 1, 1, 1]..[number + 1, 1, 1, 1]);
            of.map(|(_, text)| text.as_str()).next().unwrap_or("")
        };
        let id = begins(3);
        let date = begins(7).bytes().take_while(u8::is_ascii_digit).count() >= 4;
        date || id.bytes().any(|b| b.is_ascii_digit()) && !id.contains([' ', '.'])
    }
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

    fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        let Some(level) = self.open.last_mut().filter(|_| self.deeper == 0) else { return };
        if !level.object {
            return;
        }
        if &*self.key == "segmentId" {
            level.name = segment(text);
            return;
        }
        if level.fields
            && let Some(place) = place(&self.key)
        {
            level.values.add(place, text);
            return;
        }
        let Some((name, place)) = field(&self.key) else { return };
        // A flat object holds the fields of several segments, one behind the other.
        if level.name.is_some_and(|known| known != name) {
            let (known, values) = (level.name.take(), std::mem::take(&mut level.values));
            if let Some(known) = known {
                self.emit(known, &values, scope);
            }
        }
        if let Some(level) = self.open.last_mut() {
            level.name = Some(name);
            level.values.add(place, text);
        }
    }
}

struct Reader<'a, 'b> {
    levels: &'a mut Levels,
    scope: &'a mut Scope<'b>,
}

impl Receiver for Reader<'_, '_> {
    fn open(&mut self, object: bool) {
        let levels = &mut *self.levels;
        if levels.open.len() >= MAX_DEPTH {
            levels.deeper += 1;
            return;
        }
        let inside = levels.open.last().is_some_and(|level| level.object);
        let fields = object && inside && &*levels.key == "fields";
        levels.open.push(Level { object, fields, ..Level::default() });
    }

    fn close(&mut self) {
        let levels = &mut *self.levels;
        if levels.deeper > 0 {
            levels.deeper -= 1;
            return;
        }
        let Some(level) = levels.open.pop() else { return };
        if level.fields && level.name.is_none() {
            // The name may follow.
            if let Some(around) = levels.open.last_mut() {
                around.values = level.values;
            }
        } else if let Some(name) = level.name {
            levels.emit(name, &level.values, self.scope);
        }
    }

    fn key(&mut self, key: &str) {
        self.levels.key = if key.len() <= MAX_KEY { key.into() } else { Box::default() };
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        self.levels.value(text, self.scope);
    }

    fn number(&mut self, text: &str) {
        self.value(text);
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
        let held = self.levels.open.iter().map(|level| size_of::<Level>() + 2 * level.values.bytes);
        self.tokens.memory() + self.levels.message.memory() + held.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";

    #[test]
    fn fields_by_their_names() {
        for text in [
            r#"{"MSH-9":"ADT^A01","PID-3":"H-77","PID-5.1":"Roe","PID-5.2":"Jane","PID-7":"19700131","PID-8":"F","PV1-2":"I"}"#,
            r#"{"fields":{"MSH-9":"ADT^A01","PID-3":"H-77","PID-5":"Roe^Jane","PID-7":"19700131","PID-8":"F"}}"#,
            r#"{"segments":{"MSH":{"MSH_9":"ADT^A01"},"PID":{"PID_3":"H-77^^^H^MR","PID_5":"Roe^Jane","PID_7":19700131,"PID_8":"F"}}}"#,
            r#"{"PID.3.1":"H-77","PID.5.1.1":"Roe","PID.5.2":"Jane","PID.7":"19700131","PID.8":"F"}"#,
            r#"{"parsedData":{"segments":[{"segmentId":"MSH","fields":{"8.1":"ADT","0":"MSH","1":"^~\\\\&","8.2":"A01"}},{"segmentId":"PID","setId":"1","fields":{"0":"PID","3[0].1":"H-77","3[0].4":"H","5[0].1":"Roe","5[0].2":"Jane","7":"19700131","8":"F"}}]}}"#,
            r#"[{"fields":{"3[0].1":"H-77","5[0].1":"Roe","5[0].2":"Jane","7":"19700131","8":"F"},"segmentId":"PID"}]"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
        }
    }

    #[test]
    fn descriptions_and_mappings_have_no_patient() {
        for text in [
            r#"{"PID-3":"Patient Identifier List","PID-5":"Patient Name","PID-7":"Date/Time of Birth","PID-8":"Administrative Sex"}"#,
            r#"{"PID-3.1":"patient.identifier.0","PID-5.1":"patient.name.family","PID-7":"patient.birthDate"}"#,
        ] {
            let got = records("application/json", text.as_bytes());
            assert_eq!(got, [""; 0], "{text}");
        }
    }

    #[test]
    fn places_of_members() {
        assert_eq!(place("3[1].4.2"), Some([3, 2, 4, 2]));
        assert_eq!(field("PID_5_2"), Some((*b"PID", [5, 1, 2, 1])));
        for no in ["", "x", "0", "3[", "3[a]", "3.1.2.4", "999", "3[65535]"] {
            assert_eq!(place(no), None, "{no}");
        }
    }

    #[test]
    fn cuts_and_nesting() {
        let whole = br#"{"a":[{"fields":{"3[0].1":"H-77","7":[1,{"x":{}}]},"segmentId":"PID"}],"PID-3":"7","PID-5":{"a":1},"PID_7":null}"#;
        for end in 0..whole.len() {
            records("application/json", &whole[..end]);
        }
        let deep = [r#"{"PID-3":"7","PID-5":"#, &"[".repeat(200), &"]".repeat(200), "}"].concat();
        records("application/json", deep.as_bytes());
    }
}
