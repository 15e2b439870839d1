//! xDT, the formats of German practices: GDT (devices), LDT (laboratories), BDT and KVDT (records and billing). A
//! line contains its own length (3 digits), the id of a field (4 digits) and its content; field 8000 starts a record.

mod charset;
mod json;
mod rows;

#[cfg(test)]
mod tests;
mod xml;

use crate::content::extract::person::Person;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, ServiceFacts, Want};
use crate::rules::{Holder, Kind};
use crate::syntax::xdt::begins;
use charset::Charset;
pub use json::Json;
use memchr::memchr2;
pub use rows::Rows;
use smallvec::SmallVec;
pub use xml::Xml;
use zeroize::Zeroizing;

/// Longest line that is read, bytes. Three digits of length allow 999.
const MAX_LINE: usize = 4 << 10;
/// Length and field id.
const HEAD: usize = 7;
/// Levels of nested objects that are distinguished (LDT 3).
const MAX_OBJECTS: usize = 32;

/// The format.
pub struct Xdt;

impl Format for Xdt {
    fn name(&self) -> &'static str {
        "xdt"
    }

    fn first(&self) -> &'static [u8] {
        b"0123456789"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::Type { .. } | Media::Unknown) && begins(head).is_yes()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

#[derive(Default)]
struct Reader {
    /// The current line.
    line: Zeroizing<Vec<u8>>,
    /// The current line is too long, or was hit by a gap.
    lost: bool,
    /// A gap hit the beginning of the record: nothing before the next one counts.
    after_gap: bool,
    charset: Charset,
    person: Person,
    /// Open objects, the innermost last.
    objects: SmallVec<[(LineOwner, ObjectName); 4]>,
    /// Further open objects.
    deeper: u32,
}

/// `Obj_0045`.
type ObjectName = SmallVec<[u8; 12]>;

/// Whose data a line contains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineOwner {
    Patient,
    Other,
    /// Undeclared.
    Nobody,
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = memchr2(b'\r', b'\n', rest);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            match end {
                Some(_) if self.line.is_empty() && !self.lost => self.read(piece, scope),
                Some(_) => {
                    self.collect(piece, scope);
                    self.finish(scope);
                }
                None => self.collect(piece, scope),
            }
            rest = rest.get(piece.len() + usize::from(end.is_some())..).unwrap_or(&[]);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.line.clear();
        (self.lost, self.after_gap) = (true, true);
        self.end_record(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.finish(scope);
        self.end_record(scope);
    }

    fn memory(&self) -> usize {
        self.line.capacity()
    }
}

impl Reader {
    fn collect(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        if self.lost {
            return;
        }
        if self.line.len() + bytes.len() > MAX_LINE {
            self.lost = true;
            self.line.clear();
            scope.give_up(Reason::Limit);
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    /// The current line is complete.
    fn finish(&mut self, scope: &mut Scope<'_>) {
        let line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.lost) {
            self.read(&line, scope);
        }
        self.line = line;
        self.line.clear();
    }

    fn end_record(&mut self, scope: &mut Scope<'_>) {
        self.person.end(scope);
        self.objects.clear();
        self.deeper = 0;
    }

    fn read(&mut self, line: &[u8], scope: &mut Scope<'_>) {
        let line = line.trim_ascii_start();
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let line = line.strip_prefix(b"\x02").unwrap_or(line);
        let (Some(head), Some(value)) = (line.get(..HEAD), line.get(HEAD..)) else { return };
        // Lengths are often wrong, by the line end or by the bytes of UTF-8, and are not needed.
        let Some(id) = std::str::from_utf8(head).ok().and_then(|h| h.get(3..)) else { return };
        if !head.iter().all(u8::is_ascii_digit) {
            return;
        }
        if self.after_gap && id != "8000" {
            return;
        }
        match id {
            "8000" => self.begin_record(value, scope),
            "8001" => self.end_record(scope),
            "8002" => self.open_object(value, scope),
            "8003" => self.close_object(value),
            "9106" | "9206" => self.charset = Charset::declared(value).unwrap_or(self.charset),
            "8315" | "8316" | "9212" | "9218" => self.fact(id, value, scope),
            _ => self.field(id, value, scope),
        }
    }

    /// 8000: the type of a new record.
    fn begin_record(&mut self, value: &[u8], scope: &mut Scope<'_>) {
        self.end_record(scope);
        self.after_gap = false;
        let kind = value.trim_ascii();
        if let (4, Ok(kind)) = (kind.len(), std::str::from_utf8(kind))
            && kind.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            scope.set_operation(kind);
            ServiceFacts::add_shared(&mut scope.facts().messages().types, kind);
        }
    }

    fn fact(&self, id: &str, value: &[u8], scope: &mut Scope<'_>) {
        let text = self.charset.decode(value);
        let facts = scope.facts().messages();
        let slot = match id {
            "8315" => &mut facts.receiving_application,
            "8316" => &mut facts.sending_application,
            _ => &mut facts.version,
        };
        ServiceFacts::set(slot, &text);
    }

    /// 8002: an object of LDT 3 (KBV LDT 3.2, 4.3).
    fn open_object(&mut self, value: &[u8], scope: &mut Scope<'_>) {
        let name = value.trim_ascii();
        if self.objects.len() >= MAX_OBJECTS {
            self.deeper = self.deeper.saturating_add(1);
            return;
        }
        let known = std::str::from_utf8(name).ok().and_then(|n| scope.rules().xdt.holder(n));
        let whose = match (known, self.objects.last()) {
            (Some(Holder::Patient), _) => LineOwner::Patient,
            (Some(Holder::Other), _) => LineOwner::Other,
            (None, Some((around, _))) => *around,
            (None, None) => LineOwner::Nobody,
        };
        self.objects.push((whose, name.iter().copied().take(12).collect()));
    }

    fn close_object(&mut self, value: &[u8]) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let name = value.trim_ascii();
        // An unclosed object ends with its parent.
        match self.objects.iter().rposition(|(_, open)| open.as_slice() == name) {
            Some(at) => self.objects.truncate(at),
            None => {
                self.objects.pop();
            }
        }
    }

    fn field(&mut self, id: &str, value: &[u8], scope: &mut Scope<'_>) {
        let rules = scope.rules;
        if let Some(about) = rules.xdt.about(id) {
            self.person.mark(about, scope);
        }
        let fields = rules.xdt.field(id);
        if fields.is_empty() || self.deeper > 0 {
            return;
        }
        // Outside of objects, all fields are the patient's; those of physicians have other ids.
        let whose = self.objects.last().map_or(LineOwner::Patient, |(whose, _)| *whose);
        let text = self.charset.decode(value);
        for field in fields {
            // Orders are described in objects about no person.
            let order = matches!(field.rule.kind, Kind::AccessionNumber | Kind::EncounterId);
            if whose == LineOwner::Patient || (whose == LineOwner::Nobody && order) {
                self.person.add("xdt", &field.rule, field.part, &text, scope);
            }
        }
    }
}
