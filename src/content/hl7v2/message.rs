//! Messages and the patients in them.

use super::charset::Charset;
use super::value::{Delimiters, MAX_REPETITIONS, Syntax, Value, pieces};
use crate::content::{Direction, Field, Mark, Scope, ServiceFacts};
use crate::protocol::mllp::start::is_delimiter;
use crate::rules::{Hl7Field, Hl7Subject, Hl7Type, Kind, RuleSet};
use smallvec::SmallVec;

/// Fields of one patient that are handed on; the rest of a record that repeats without end is not.
const MAX_RECORD_FIELDS: u32 = 512;
/// Fields of a segment that are looked at.
const MAX_FIELDS: usize = 256;
/// Query parameters that are put together (QPD-3).
const MAX_PARAMETERS: usize = 32;

/// The fields of a segment; 0 is its name. Most segments have fewer than are held inline.
type Fields<'s> = SmallVec<[&'s str; 48]>;

/// The message being read.
#[derive(Default)]
pub struct Message {
    delimiters: Delimiters,
    charset: Charset,
    test: bool,
    /// MSH-9 has no trigger event: EVN-1 has it (before v2.3).
    eventless: bool,
    /// An answer, which repeats the question.
    answer: bool,
    /// The last segment name looked up, and whether rules name it: they come in runs.
    known: ([u8; 3], bool),
    record: Option<Record>,
}

/// The patient whose segments are being read.
#[derive(Default)]
struct Record {
    marks: [bool; 3],
    query: bool,
    fields: u32,
    insured_is_patient: bool,
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

    /// Whether a segment has to be read. (Names as arrays of bytes: compared without a call, as this
    /// is done for every segment.)
    pub fn wants(&mut self, name: [u8; 3], rules: &RuleSet) -> bool {
        match name {
            [b'M', b'S', b'H'] | [b'P', b'I', b'D'] => true,
            [b'E', b'V', b'N'] => self.eventless,
            [b'Q', b'P', b'D'] | [b'Q', b'R', b'D'] | [b'Q', b'R', b'F'] => {
                !self.answer && !rules.hl7v2.segment(name).is_empty()
            }
            _ if self.record.is_none() => false,
            _ => {
                if self.known.0 != name {
                    self.known = (name, !rules.hl7v2.segment(name).is_empty());
                }
                self.known.1
            }
        }
    }

    /// A segment begins: what its name alone says. It is not read yet.
    pub fn begins(&mut self, name: [u8; 3], scope: &mut Scope<'_>) {
        match name {
            // A header, the next patient, the end of a batch.
            [b'M', b'S', b'H']
            | [b'F', b'H', b'S']
            | [b'B', b'H', b'S']
            | [b'B', b'T', b'S']
            | [b'F', b'T', b'S']
            | [b'P', b'I', b'D']
            | [b'Q', b'P', b'D'] => self.end(scope),
            [b'M', b'S', b'A'] => {
                self.answer = true;
                scope.facts().acknowledged = Some(true);
            }
            [b'D', b'G', b'1'] | [b'P', b'R', b'B'] | [b'A', b'L', b'1'] | [b'I', b'A', b'M'] => {
                self.mark(0, Mark::Diagnosis, scope)
            }
            [b'O', b'B', b'X'] => self.mark(1, Mark::Result, scope),
            [b'R', b'X', b'A']
            | [b'R', b'X', b'E']
            | [b'R', b'X', b'O']
            | [b'R', b'X', b'D']
            | [b'R', b'X', b'G'] => self.mark(2, Mark::Medication, scope),
            _ => {}
        }
    }

    fn mark(&mut self, slot: usize, mark: Mark, scope: &mut Scope<'_>) {
        if let Some(seen) = self.record.as_mut().and_then(|r| r.marks.get_mut(slot))
            && !std::mem::replace(seen, true)
        {
            scope.mark(mark);
        }
    }

    /// A whole segment.
    pub fn segment(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        let Some(name) = raw.first_chunk::<3>().copied() else { return };
        if &name == b"MSH" {
            return self.header(raw, scope);
        }
        let text = self.charset.decode(raw, self.delimiters.escape_byte());
        let fields: Fields<'_> = pieces(&text, self.delimiters.field).take(MAX_FIELDS).collect();
        match &name {
            b"EVN" => self.event(fields.get(1).copied().unwrap_or(""), scope),
            b"PID" => {
                self.begin(scope);
                self.fields(name, &fields, scope);
            }
            b"QPD" | b"QRD" | b"QRF" => self.query(name, &fields, scope),
            _ => self.fields(name, &fields, scope),
        }
    }

    fn begin(&mut self, scope: &mut Scope<'_>) {
        scope.begin("hl7v2");
        self.record = Some(Record::default());
        if self.test {
            scope.mark(Mark::Test);
        }
    }

    /// The patient's last segment has been read.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        if self.record.take().is_some() {
            scope.end();
        }
    }

    // --- header ------------------------------------------------------------------------------

    /// MSH (chapter 2.14.9).
    fn header(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        let Some(&field) = raw.get(3).filter(|b| is_delimiter(**b)) else { return };
        let mut undecoded = raw.split(|b| *b == field);
        let encoding = undecoded.nth(1).unwrap_or(&[]);
        self.delimiters = Delimiters::declared(field, encoding);
        // The declarations themselves are ASCII; what stands before them may not be.
        let ascii = |piece: Option<&'_ [u8]>| {
            piece.and_then(|p| std::str::from_utf8(p).ok()).unwrap_or("").to_owned()
        };
        let country = ascii(undecoded.nth(14));
        let declared = ascii(undecoded.next());
        self.charset =
            Charset::declared(declared.split(self.delimiters.repetition)).or_of_country(&country);
        let text = self.charset.decode(raw, self.delimiters.escape_byte());
        let fields: Fields<'_> = pieces(&text, self.delimiters.field).take(MAX_FIELDS).collect();
        // MSH-1 is the separator itself: MSH-n is the piece before n.
        let get = |n: usize| fields.get(n - 1).copied().unwrap_or("");
        let first = |n: usize| self.namespace(get(n));
        let named = [first(3), first(4), first(5), first(6)];
        let version = first(12);

        let processing = get(11).split(self.delimiters.component).next().unwrap_or("").trim();
        self.answer = false;
        self.test = matches!(processing, "T" | "D");
        let mut kind = get(9).split(self.delimiters.component);
        let code = kind.next().map(str::trim).filter(|c| is_code(c, 3)).unwrap_or("");
        let event = kind.next().map(str::trim).filter(|c| is_code(c, 4)).unwrap_or("");
        self.eventless = event.is_empty() && !code.is_empty() && code != "ACK";
        let operation = if event.is_empty() { code.to_owned() } else { format!("{code}^{event}") };
        scope.set_operation(&operation);

        let answer = code == "ACK" || scope.direction() == Direction::ServerToClient;
        let facts = scope.facts();
        if code != "ACK" || facts.message_types.is_empty() {
            ServiceFacts::add(&mut facts.message_types, &operation);
        }
        // The facts are the client's view: an answer has sender and receiver the other way round.
        if !answer || facts.sending_application.is_none() && facts.sending_facility.is_none() {
            let [application, facility, to_application, to_facility] = named;
            ServiceFacts::set(&mut facts.sending_application, application);
            ServiceFacts::set(&mut facts.sending_facility, facility);
            ServiceFacts::set(&mut facts.receiving_application, to_application);
            ServiceFacts::set(&mut facts.receiving_facility, to_facility);
            ServiceFacts::set(&mut facts.version, version);
            if matches!(processing, "P" | "T" | "D") {
                ServiceFacts::set(&mut facts.processing_id, processing);
            }
        }
    }

    /// HD: the namespace, or the universal id.
    fn namespace<'t>(&self, field: &'t str) -> &'t str {
        field
            .split([self.delimiters.component, self.delimiters.subcomponent])
            .find(|p| !p.is_empty() && *p != "\"\"")
            .unwrap_or("")
    }

    fn event(&mut self, event: &str, scope: &mut Scope<'_>) {
        if is_code(event.trim(), 4) && !event.trim().is_empty() {
            let operation = format!("{}^{}", scope.operation(), event.trim());
            scope.set_operation(&operation);
            ServiceFacts::add(&mut scope.facts().message_types, &operation);
        }
        self.eventless = false;
    }

    // --- fields ------------------------------------------------------------------------------

    /// What is needed to read values of this message.
    pub const fn syntax(&self) -> Syntax {
        Syntax { delimiters: self.delimiters, charset: self.charset }
    }

    /// Hands on what the rules name in a segment of the open record.
    fn fields(&mut self, name: [u8; 3], fields: &[&str], scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let relation = |n: usize| {
            let code = fields.get(n).copied().unwrap_or("");
            let code = code.split(self.delimiters.component).next().unwrap_or("").trim();
            // Tables 0063 and 0344, and what X12 writes.
            ["SEL", "SE", "SELF", "S", "18", "01", "1"].iter().any(|c| c.eq_ignore_ascii_case(code))
        };
        let own = match &name {
            b"NK1" => relation(3),
            b"GT1" => relation(11),
            b"IN1" => {
                let own = relation(17);
                if let Some(record) = &mut self.record {
                    record.insured_is_patient = own;
                }
                own
            }
            _ => self.record.as_ref().is_some_and(|r| r.insured_is_patient),
        };
        let syntax = self.syntax();
        let first = fields.get(1).copied().unwrap_or("");
        for (number, field) in rules.hl7v2.segment(name) {
            let Some(raw) = fields.get(usize::from(*number)).filter(|raw| !raw.is_empty()) else {
                continue;
            };
            if field.applies(first) {
                for raw in pieces(raw, syntax.delimiters.repetition).take(MAX_REPETITIONS) {
                    self.emit(&syntax, field, own, raw, rules, scope);
                }
            }
        }
    }

    /// Hands on one repetition.
    fn emit(
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
            let Some(kind) = kind_of(&value, field, own, rules) else { return };
            // A pattern (`SMI*`) is nobody's name.
            if record.query && value.text.contains(['*', '%']) {
                return;
            }
            if record.fields < MAX_RECORD_FIELDS {
                record.fields += 1;
                let found = Field::declared(&field.rule, value.text);
                scope.field(found.with_kind(kind).with_issuer(value.issuer));
            }
        });
    }

    // --- queries -----------------------------------------------------------------------------

    /// QPD (chapter 5.4.2) and QRD/QRF: what is asked may name a person.
    fn query(&mut self, name: [u8; 3], fields: &[&str], scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let syntax = self.syntax();
        let parameters = fields.get(3).copied().unwrap_or("");
        if &name == b"QPD" && parameters.trim_start().starts_with('@') {
            return self.parameters(&syntax, parameters, scope);
        }
        let asks = rules.hl7v2.segment(name).iter().any(|(number, field)| {
            let raw = fields.get(usize::from(*number)).copied().unwrap_or("");
            field.applies(fields.get(1).copied().unwrap_or(""))
                && raw.split(syntax.delimiters.repetition).any(|r| syntax.says_something(field, r))
        });
        if asks {
            self.ask(scope);
            self.fields(name, fields, scope);
        }
        if &name == b"QPD" || self.record.as_ref().is_some_and(|r| r.fields == 0) {
            self.end(scope);
        }
    }

    fn ask(&mut self, scope: &mut Scope<'_>) {
        if self.record.is_none() {
            self.begin(scope);
            if let Some(record) = &mut self.record {
                record.query = true;
            }
            scope.mark(Mark::Query);
        }
    }

    /// QIP, `@PID.5.1^SMITH`: puts the parts of each field together and reads it as such.
    fn parameters(&mut self, syntax: &Syntax, raw: &str, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let d = &syntax.delimiters;
        let mut asked: Vec<([u8; 3], u16, Vec<&str>)> = Vec::new();
        for parameter in raw.split(d.repetition).take(MAX_PARAMETERS) {
            let Some((target, value)) = parameter.split_once(d.component) else { continue };
            let Some((segment, number, component)) = target_of(target) else { continue };
            let known = asked.iter().position(|(s, n, _)| *s == segment && *n == number);
            let at = known.unwrap_or_else(|| {
                asked.push((segment, number, Vec::new()));
                asked.len() - 1
            });
            let Some((_, _, parts)) = asked.get_mut(at) else { continue };
            if parts.len() < component {
                parts.resize(component, "");
            }
            if let Some(slot) = parts.get_mut(component - 1) {
                *slot = value.split(d.component).next().unwrap_or("");
            }
        }
        for (segment, number, parts) in asked {
            let whole = parts.join(d.component.encode_utf8(&mut [0; 4]));
            for (n, field) in rules.hl7v2.segment(segment) {
                if *n == number && syntax.says_something(field, &whole) {
                    self.ask(scope);
                    self.emit(syntax, field, true, &whole, rules, scope);
                }
            }
        }
        self.end(scope);
    }
}

impl Syntax {
    fn says_something(&self, field: &Hl7Field, raw: &str) -> bool {
        let mut found = false;
        self.read(field.datatype, field.rule.kind, raw, &mut |_| found = true);
        found
    }
}

/// `@PID.5.1`, also written with dashes: segment, field and component.
fn target_of(target: &str) -> Option<([u8; 3], u16, usize)> {
    /// Components a parameter may name.
    const MAX_COMPONENT: usize = 16;
    let mut parts = target.trim().trim_start_matches('@').split(['.', '-']);
    let segment = parts.next()?.as_bytes().try_into().ok()?;
    let number = parts.next()?.parse().ok()?;
    let component = parts.next().map_or(Some(1), |c| c.parse().ok())?;
    (1..=MAX_COMPONENT).contains(&component).then_some((segment, number, component))
}

/// Message codes and trigger events, so that no other text is taken for one.
fn is_code(text: &str, max: usize) -> bool {
    text.len() <= max && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// What a value identifies by: its type code knows better than the field, and what belongs to a
/// relative is not the patient's.
fn kind_of(value: &Value<'_>, field: &Hl7Field, own: bool, rules: &RuleSet) -> Option<Kind> {
    let mut kind = value.kind;
    if matches!(field.datatype, Hl7Type::CX | Hl7Type::XCN) && !field.fixed {
        let stated = rules.hl7v2.identifier_type(value.code);
        let by_authority = || match value.issuer.split_once('.') {
            Some(("1" | "2", _)) => rules.fhir.system(&format!("urn:oid:{}", value.issuer)),
            _ => None,
        };
        kind = stated.or_else(by_authority).unwrap_or(kind);
    }
    // PID-19 holds other national numbers outside the United States.
    if kind == Kind::Ssn && value.text.bytes().filter(u8::is_ascii_digit).count() != 9 {
        kind = Kind::NationalId;
    }
    if field.subject == Hl7Subject::Patient || own {
        return Some(kind);
    }
    match kind {
        Kind::Name => Some(Kind::NextOfKinName),
        Kind::Phone => Some(Kind::NextOfKinPhone),
        Kind::NextOfKinName | Kind::NextOfKinPhone => Some(kind),
        // A relative's number must never make two patients one.
        k if k.is_strong_id() => Some(Kind::OtherId),
        _ => None,
    }
}
