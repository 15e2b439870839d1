//! Messages and the patients in them.

mod alignment;
mod header;
mod repeated;

use super::charset::Charset;
use super::patient_context::PatientContext;
use super::prose::Prose;
use super::table::Columns;
use super::value::{Delimiters, MAX_REPETITIONS, Syntax, pieces, raw_pieces, split};
use super::{display, error, kinds, query, z_segment};
use crate::content::{Field, Mark, MarkSet, Scope};
use crate::phi::PhiBuf;
use crate::rules::{FieldRule, Health, Hl7Field, Hl7Text, Hl7Type, Kind, RuleSet};
pub use repeated::PartNote;
use repeated::{Chain, Noting};
use smallvec::SmallVec;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Fields of one patient that are passed on; further ones of an endlessly repeating record are not.
const MAX_RECORD_FIELDS: u32 = 512;
/// Fields of a segment that are read.
const MAX_FIELDS: usize = 256;
/// Repetitions of a text, each of them a line.
const MAX_LINES: usize = 4096;
/// The event whose two PID segments are most often two records of one person (chapter 3.3.24).
const LINK: &str = "ADT^A24";

/// The fields of a segment; 0 is its name. Most segments have fewer than are held inline.
type Fields<'s> = SmallVec<[&'s str; 48]>;

/// The current message.
#[derive(Default)]
pub struct Message {
    delimiters: Delimiters,
    charset: Charset,
    test: bool,
    /// MSH-9 has no trigger event: EVN-1 has it (before v2.3).
    eventless: bool,
    /// A response, which repeats the query.
    answer: bool,
    /// The text was in UTF-16 and is UTF-8 now, whatever MSH-18 declares.
    unicode: bool,
    /// The last segment name looked up: equal ones are often adjacent.
    known: SegmentRules,
    /// The columns of the rows in a response.
    columns: Columns,
    /// The lines of a response for display that are read together.
    display: display::Lines,
    record: Option<Record>,
    /// The effects of the current segment, if it may come again.
    noting: Option<Noting>,
}

/// The day of a time stamp (`YYYYMMDD`) as a number; 0 if it does not give one.
fn day(text: &str) -> u32 {
    let digits = text.get(..8).filter(|day| day.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Rules for a segment name.
#[derive(Clone, Copy, Default)]
struct SegmentRules {
    name: [u8; 3],
    wanted: bool,
    health: Option<Health>,
}

/// The current patient.
#[derive(Default)]
struct Record {
    /// Health marks that were already set.
    noted: MarkSet,
    query: bool,
    fields: u32,
    insured_is_patient: bool,
    own: PatientContext,
    prose: Prose,
    /// Names asked for, until something else is: a name alone is a search term.
    asked: Vec<(Kind, Arc<FieldRule>, PhiBuf)>,
    /// Something else was asked for.
    identified: bool,
    /// What was measured is no specimen of a patient.
    material: bool,
    /// It has a birth date.
    born: bool,
    /// That date as a number, to compare by; 0 if it is not known to the day.
    birth: u32,
    /// What its next segments depend on.
    chain: Chain,
}

impl Message {
    /// The field separator.
    pub const fn field_separator(&self) -> u8 {
        self.delimiters.field as u8
    }

    /// A header segment begins.
    pub fn set_field_separator(&mut self, byte: u8) {
        self.delimiters.field = char::from(byte);
    }

    /// The text is in UTF-8, whatever the header declares.
    pub const fn is_unicode(&mut self) {
        self.unicode = true;
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.record.as_ref().map_or(0, |r| r.own.memory() + r.prose.memory())
    }

    /// Whether the open record has nothing yet.
    pub fn is_empty(&self) -> bool {
        self.record.as_ref().is_some_and(|r| r.fields == 0)
    }

    fn look_up(&mut self, name: [u8; 3], rules: &RuleSet) -> SegmentRules {
        if self.known.name != name {
            let wanted = !rules.hl7v2.segment(name).is_empty()
                || name.first() == Some(&b'Z')
                || rules.hl7v2.text(name).is_some();
            self.known = SegmentRules { name, wanted, health: rules.health.hl7v2(name) };
        }
        self.known
    }

    /// Whether a segment must be read. (Names are arrays of bytes, compared without a call, as this is done for every
    /// segment.)
    pub fn wants(&mut self, name: [u8; 3], rules: &RuleSet) -> bool {
        match name {
            [b'M', b'S', b'H'] | [b'P', b'I', b'D'] | [b'M', b'S', b'A'] | [b'R', b'D', b'F'] => {
                true
            }
            [b'E', b'V', b'N'] => self.eventless,
            [b'E', b'R', b'R'] if self.record.is_none() => true,
            [b'R', b'D', b'T'] => self.columns.is_informative(),
            [b'Q', b'P', b'D'] | [b'Q', b'R', b'D'] | [b'Q', b'R', b'F'] | [b'V', b'T', b'Q'] => {
                !self.answer
            }
            // Neither has a PID in front.
            [b'D', b'S', b'P'] | [b'Z', b'C', b'C'] => true,
            _ if self.record.is_none() => false,
            _ => self.look_up(name, rules).wanted,
        }
    }

    /// A segment begins: the effect of its name alone. It is not read yet.
    pub fn begins(&mut self, name: [u8; 3], scope: &mut Scope<'_>) {
        match name {
            [b'P', b'I', b'D'] if self.record.is_some() && scope.operation() == LINK => {}
            // A header, the next patient, the end of a batch.
            [b'M', b'S', b'H']
            | [b'F', b'H', b'S']
            | [b'B', b'H', b'S']
            | [b'B', b'T', b'S']
            | [b'F', b'T', b'S']
            | [b'P', b'I', b'D']
            | [b'Q', b'P', b'D']
            | [b'R', b'D', b'F']
            | [b'R', b'D', b'T'] => self.end(scope),
            [b'M', b'S', b'A'] => {
                self.answer = true;
                scope.facts().messages().acknowledged = Some(true);
            }
            _ if self.record.is_some() => {
                if let Some(health) = self.look_up(name, scope.rules).health
                    && let Some(record) = &mut self.record
                    && record.noted.insert(health.into())
                {
                    scope.mark(health.into());
                }
            }
            _ => {}
        }
    }

    /// A complete segment.
    pub fn segment(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        let Some(name) = raw.first_chunk::<3>().copied() else { return };
        if &name == b"MSH" {
            return self.header(raw, scope);
        }
        self.known_or_read(name, raw, scope);
    }

    fn read(&mut self, name: [u8; 3], raw: &[u8], scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let text_field = rules.hl7v2.text(name);
        if let Some(field) = text_field
            && !self.is_text(field, raw)
        {
            return;
        }
        let text = self.charset.decode(raw, self.delimiters.escape_byte());
        let mut fields: Fields<'_> = split(&text, self.delimiters.field, MAX_FIELDS);
        if matches!(name, [b'P', b'I', b'D']) {
            alignment::align(&mut fields, self.delimiters.component);
        }
        // As arrays, which are compared without a call.
        match name {
            [b'E', b'V', b'N'] => self.event(fields.get(1).copied().unwrap_or(""), scope),
            [b'M', b'S', b'A'] => {
                self.acknowledgment(fields.get(1).copied().unwrap_or(""), scope);
                error::read(&self.syntax(), &fields, &[3], scope);
            }
            [b'E', b'R', b'R'] if self.record.is_none() => {
                error::read(&self.syntax(), &fields, &[7, 8], scope)
            }
            [b'P', b'I', b'D'] => {
                if self.is_another(&fields) {
                    self.end(scope);
                }
                if self.record.is_none() {
                    self.begin(scope);
                }
                self.judge(&fields, scope.rules);
                self.fields(name, &fields, scope);
            }
            [b'Q', b'P', b'D'] | [b'Q', b'R', b'D'] | [b'Q', b'R', b'F'] | [b'V', b'T', b'Q'] => {
                query::read(self, name, &fields, scope)
            }
            [b'R', b'D', b'F'] => {
                let syntax = self.syntax();
                self.columns.define(&syntax, &fields, scope);
            }
            [b'R', b'D', b'T'] => self.row(&fields, scope),
            [b'D', b'S', b'P'] => self.displayed(&fields, scope),
            [b'Z', b'C', b'C'] if scope.operation() == display::CLAIM => self.claim(&fields, scope),
            [b'Z', ..] => {
                // In other messages, the cardholder segment of a claim is any vendor's own.
                if &name != b"ZCC" {
                    self.fields(name, &fields, scope);
                }
                let syntax = self.syntax();
                if let Some(record) = &mut self.record {
                    z_segment::read(&syntax, &fields, &mut record.own, scope);
                }
            }
            _ => {
                if &name == b"SPM" {
                    self.specimen(fields.get(11).copied().unwrap_or(""));
                }
                self.fields(name, &fields, scope);
                if let Some(field) = text_field {
                    self.text(name, field, &fields, scope);
                }
            }
        }
    }

    /// DSP: the patient in a response for display.
    fn displayed(&mut self, fields: &[&str], scope: &mut Scope<'_>) {
        if let Some(fields) = self.display.line(fields, scope.operation()) {
            self.end(scope);
            self.begin(scope);
            self.fields(*b"DSP", &fields.each_ref().map(|field| field.as_str()), scope);
        }
    }

    /// ZCC: the patient of a pharmacy claim.
    fn claim(&mut self, fields: &[&str], scope: &mut Scope<'_>) {
        self.end(scope);
        self.begin(scope);
        let name = Zeroizing::new(display::name_of_claim(fields));
        let mut fields = fields.to_vec();
        if let Some(family) = fields.get_mut(display::CLAIM_FAMILY) {
            *family = &name;
        }
        self.fields(*b"ZCC", &fields, scope);
    }

    /// Whether the text field of a segment contains text, by its second field, before anything is decoded: most
    /// results are numbers.
    fn is_text(&self, field: &Hl7Text, raw: &[u8]) -> bool {
        let mut pieces = raw_pieces(raw, self.delimiters.field as u8);
        let datatype = pieces.nth(2).unwrap_or(&[]).trim_ascii();
        std::str::from_utf8(datatype).is_ok_and(|t| field.applies(t))
    }

    /// Free text: the name of a result may give its meaning; the rest is in the text.
    fn text(&mut self, name: [u8; 3], field: &Hl7Text, fields: &[&str], scope: &mut Scope<'_>) {
        let syntax = self.syntax();
        let Some(record) = &mut self.record else { return };
        let raw = fields.get(usize::from(field.number)).copied().unwrap_or("");
        if raw.is_empty() {
            return;
        }
        if &name == b"OBX" {
            let code = fields.get(3).copied().unwrap_or("");
            for label in pieces(code, syntax.delimiters.component).take(2) {
                z_segment::labelled(&syntax, &field.field, label, raw, &mut record.own, scope);
            }
        }
        for repetition in pieces(raw, syntax.delimiters.repetition).take(MAX_LINES) {
            for line in syntax.undo(repetition).split(['\n', '\r']) {
                record.prose.line(&field.field, line, &mut record.own, scope);
            }
        }
    }

    /// A row of a response.
    fn row(&mut self, fields: &[&str], scope: &mut Scope<'_>) {
        let (rules, syntax) = (scope.rules, self.syntax());
        self.begin(scope);
        let columns = std::mem::take(&mut self.columns);
        columns.row(&syntax, fields, scope, &mut |segment, number, raw, scope| {
            for (_, field) in rules.hl7v2.segment(segment).iter().filter(|(n, _)| *n == number) {
                self.emit(&syntax, field, false, raw, rules, scope);
            }
        });
        self.columns = columns;
        self.end(scope);
    }

    /// A record that is a query.
    pub fn ask(&mut self, scope: &mut Scope<'_>) {
        if self.record.is_none() {
            self.begin(scope);
            if let Some(record) = &mut self.record {
                record.query = true;
            }
            scope.mark(Mark::Query);
        }
    }

    fn begin(&mut self, scope: &mut Scope<'_>) {
        scope.begin("hl7v2");
        let own = std::mem::take(&mut scope.counters.patient);
        self.record = Some(Record { own, ..Record::default() });
        if self.test {
            scope.mark(Mark::Test);
        }
    }

    /// The patient's last segment has been read.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        if let Some(mut record) = self.record.take() {
            record.prose.pass_on(&mut record.own, scope);
            if record.material {
                scope.mark(Mark::Phantom);
            }
            scope.end();
            record.own.clear();
            scope.counters.patient = record.own;
        }
    }

    /// Whether a second PID of a message that links two is about another person: a mother and her newborn child are
    /// linked, too.
    fn is_another(&self, fields: &[&str]) -> bool {
        let birth = day(fields.get(7).copied().unwrap_or(""));
        self.record.as_ref().is_some_and(|r| r.birth != 0 && birth != 0 && r.birth != birth)
    }

    /// Whether a PID is about a control, a calibrator or a unit of blood in place of a patient.
    fn judge(&mut self, fields: &[&str], rules: &RuleSet) {
        let Delimiters { repetition, component, .. } = self.delimiters;
        let Some(record) = &mut self.record else { return };
        let get = |n: usize| fields.get(n).copied().unwrap_or("");
        let names = pieces(get(5), repetition).take(MAX_REPETITIONS);
        let ids =
            [3, 2, 4].into_iter().flat_map(|n| pieces(get(n), repetition).take(MAX_REPETITIONS));
        let ids = ids.filter_map(|id| pieces(id, component).next());
        record.birth = day(get(7));
        record.born = get(7).bytes().filter(u8::is_ascii_digit).count() >= 4;
        record.material |= rules.placeholders.is_material_record(names, ids, record.born);
    }

    /// SPM-11 (table 0369): controls and calibrators.
    fn specimen(&mut self, role: &str) {
        let role = pieces(role, self.delimiters.component).next().unwrap_or("").trim();
        if let Some(record) = &mut self.record
            && matches!(role, "C" | "E" | "Q" | "V")
        {
            record.material |= !record.born;
        }
    }

    // --- fields ------------------------------------------------------------------------------

    /// The parameters for reading values of this message.
    pub const fn syntax(&self) -> Syntax {
        Syntax { delimiters: self.delimiters, charset: self.charset }
    }

    /// Passes on the fields that rules name in a segment of the open record.
    pub fn fields(&mut self, name: [u8; 3], fields: &[&str], scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let own = self.is_own(name, fields, rules);
        let syntax = self.syntax();
        let first = fields.get(1).copied().unwrap_or("");
        for (number, field) in rules.hl7v2.segment(name) {
            let Some(raw) = fields.get(usize::from(*number)).filter(|raw| !raw.is_empty()) else {
                continue;
            };
            // Entries for this query come before those for any.
            let known = || {
                let named = |(n, f): &(u16, Hl7Field)| n == number && !f.issued && f.applies(first);
                rules.hl7v2.segment(name).iter().any(named)
            };
            if !field.applies(first)
                || (field.counted && is_set_id(raw))
                || (field.issued && known())
            {
                continue;
            }
            let whole = raw;
            for raw in pieces(raw, syntax.delimiters.repetition).take(MAX_REPETITIONS) {
                let repeated = field.datatype == Hl7Type::XPN && raw.len() < whole.len();
                if repeated && syntax.is_shown_again(raw, whole) {
                    continue;
                }
                if !field.issued || syntax.is_issued(raw) {
                    self.emit(&syntax, field, own, raw, rules, scope);
                }
            }
        }
    }

    /// Whether a contact, guarantor or insured person is the patient: the segment declares it and the names do not
    /// contradict; or name and birth date, or name and number, are the same.
    fn is_own(&mut self, segment: [u8; 3], fields: &[&str], rules: &RuleSet) -> bool {
        let (relation, name, birth) = match &segment {
            b"NK1" => (3, 2, 16),
            b"GT1" => (11, 3, 8),
            b"CON" => (25, 24, usize::MAX),
            b"IN1" => (17, 16, 18),
            _ => return self.record.as_ref().is_some_and(|r| r.insured_is_patient),
        };
        let syntax = self.syntax();
        let Some(record) = &mut self.record else { return false };
        let get = |n: usize| fields.get(n).copied().unwrap_or("");
        let code = get(relation).split(syntax.delimiters.component).next().unwrap_or("").trim();
        // Tables 0063 and 0344, and the codes of X12.
        let stated = ["SEL", "SE", "SELF", "S", "18", "01", "1"]
            .iter()
            .any(|c| c.eq_ignore_ascii_case(code));
        let compare = |n: usize, datatype, same: &dyn Fn(&str) -> Option<bool>| {
            let mut found = None;
            for raw in pieces(get(n), syntax.delimiters.repetition).take(MAX_REPETITIONS) {
                syntax.read(datatype, Kind::Name, raw, &mut |value| {
                    found = same(value.text).max(found);
                });
            }
            found
        };
        let known = record.own.known();
        let name = compare(name, Hl7Type::XPN, &|text| known.is_name(text));
        let birth = compare(birth, Hl7Type::TS, &|text| known.is_birth(text));
        let number = || {
            rules.hl7v2.segment(segment).iter().any(|(n, field)| {
                let kind = field.rule.kind;
                let same = |text: &str| known.is_id(kind, text);
                kind.is_strong_id()
                    && !field.counted
                    && compare(usize::from(*n), field.datatype, &same) == Some(true)
            })
        };
        let own = match (name, birth) {
            (Some(false), _) | (_, Some(false)) => false,
            (Some(true), Some(true)) => true,
            (Some(true), None) => stated || number(),
            (None, _) => stated,
        };
        if &segment == b"IN1" {
            record.insured_is_patient = own;
        }
        own
    }

    /// Passes on one repetition.
    pub fn emit(
        &mut self,
        syntax: &Syntax,
        field: &Hl7Field,
        own: bool,
        raw: &str,
        rules: &RuleSet,
        scope: &mut Scope<'_>,
    ) {
        let Some(record) = &mut self.record else { return };
        syntax.read(field.datatype, field.rule.kind, raw, &mut |value| {
            let Some(kind) = kinds::kind_of(&value, field, own, rules) else { return };
            // A pattern (`SMI*`) is not a name.
            if record.query && value.text.contains(['*', '%']) {
                return;
            }
            if record.fields < MAX_RECORD_FIELDS {
                record.fields += 1;
                record.own.note(kind, value.text);
                if let Some(noting) = &mut self.noting
                    && PatientContext::keeps(kind)
                {
                    noting.named(kind, value.text);
                }
                if record.query {
                    if matches!(kind, Kind::Name | Kind::Sex | Kind::MothersMaidenName)
                        && !record.identified
                    {
                        let rule = Arc::clone(&field.rule);
                        return record.asked.push((kind, rule, PhiBuf::new(value.text.to_owned())));
                    }
                    record.identified = true;
                    for (kind, rule, text) in record.asked.drain(..) {
                        let mut name = Field::declared(&rule, "").with_kind(kind);
                        name.value = text.as_phi();
                        scope.field(name);
                    }
                }
                let found = Field::declared(&field.rule, value.text);
                let found = found.with_kind(kind).with_issuer(value.issuer);
                scope.field(found.with_authority(value.authority));
            }
        });
    }
}

/// Whether a value is the number of its segment in the message (`1`, `2`) and no id.
fn is_set_id(raw: &str) -> bool {
    let text = raw.trim();
    text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())
}
