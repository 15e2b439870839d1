//! ASTM E1394 (CLSI LIS2-A2): records of laboratory analysers. H starts a message and names the delimiters, P is a
//! patient, to whom the following O, R and C records belong, L ends the message.

mod json;
#[cfg(test)]
mod tests;

use super::hl7v2::charset::Charset;
use super::hl7v2::value::{Delimiters, MAX_REPETITIONS, Syntax};
use crate::content::{
    Document, Ending, Extent, Field, Format, Mark, MarkSet, Media, Reason, Scope, ServiceFacts,
    Want,
};
use crate::rules::Kind;
use crate::syntax::astm::header;
pub use json::Json;
use memchr::memchr2;
use zeroize::Zeroizing;

/// Longest record that is read completely, bytes.
const MAX_RECORD: usize = 16 << 10;
/// Orders of one patient that are kept until a result follows.
const MAX_WAITING: usize = 32;
/// Fields of a record that are read.
const MAX_FIELDS: usize = 64;

/// The format.
pub struct Records;

impl Format for Records {
    fn name(&self) -> &'static str {
        "astm"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        match media {
            Media::Type { content_type, .. } if content_type.contains("astm") => true,
            Media::Type { .. } | Media::Unknown => header(head).is_yes(),
            Media::Hl7v2 | Media::DicomDataSet { .. } | Media::Target => false,
        }
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader {
            record: Zeroizing::default(),
            line_start: true,
            keep: false,
            cut: false,
            delimiters: delimiters(b"|\\^&"),
            patient: None,
            waiting: Vec::new(),
        })
    }
}

/// Whether a Q record asks for a patient, by the start of the range, its end, and the test (LIS2-A2
/// 11.3 to 11.5). Some analysers report quality controls in Q records: test, lot and level where
/// the patient is due, then the value and its unit.
fn asks([start, end, test]: [&str; 3], component: char) -> bool {
    let id = start.split(component).next().unwrap_or("");
    let test = test.trim();
    let unit = !test.is_empty() && test != "ALL" && !test.starts_with(component);
    let measured = end.trim().parse::<f64>().is_ok() && unit;
    !measured && (id.contains(char::is_numeric) || !start.contains(component))
}

/// Fields of P: the mother's maiden name, the birth date, the sex.
const MAIDEN: usize = 7;
const BIRTH: usize = 8;
const SEX: usize = 9;

/// Whether a P record lacks the mother's maiden name: the birth date and the sex are one field too far in front.
fn is_short(fields: &[&str]) -> bool {
    let get = |n: usize| fields.get(n - 1).copied().unwrap_or("").trim();
    let date = get(MAIDEN);
    (8..=14).contains(&date.len())
        && date.bytes().all(|b| b.is_ascii_digit())
        && matches!(get(BIRTH), "M" | "F" | "U")
        && get(SEX).len() != 1
}

/// Whether an id field has the parts of a name.
fn is_person(field: &str) -> bool {
    let words = field.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).count();
    words >= 2 && !field.contains(char::is_numeric)
}

/// By the characters behind `H`: field, repeat, component, escape; there are no subcomponents. Or
/// five, as in HL7 (component, repeat, escape, subcomponent), which HPRIM Santé writes `~^\&` or `\^&~`.
fn delimiters(declared: &[u8]) -> Delimiters {
    // `\^&~`: component, repeat, escape, subcomponent.
    if let [field, b'\\', b'^', b'&', b'~'] = *declared {
        return Delimiters {
            field: char::from(field),
            component: '\\',
            repetition: '^',
            escape: '&',
            subcomponent: '~',
        };
    }
    let declared = declared.get(..4).unwrap_or(declared);
    // The backslash was lost.
    let declared = if declared == b"|^&|" { b"|\\^&".as_slice() } else { declared };
    if let [field, component @ (b'^' | b'~'), repetition @ (b'^' | b'~'), b'\\'] = *declared {
        return Delimiters {
            field: char::from(field),
            component: char::from(component),
            repetition: char::from(repetition),
            ..Delimiters::default()
        };
    }
    let at = |i: usize, recommended: char| declared.get(i).map_or(recommended, |b| char::from(*b));
    Delimiters {
        field: at(0, '|'),
        repetition: at(1, '\\'),
        component: at(2, '^'),
        escape: at(3, '&'),
        subcomponent: '\0',
    }
}

struct Reader {
    /// The current record.
    record: Zeroizing<Vec<u8>>,
    line_start: bool,
    /// The current record is buffered.
    keep: bool,
    /// The current record was cut at the cap.
    cut: bool,
    delimiters: Delimiters,
    patient: Option<Patient>,
    /// The patient and the orders, kept until the next records decide their operation.
    waiting: Vec<Zeroizing<Vec<u8>>>,
}

/// The current patient.
#[derive(Default)]
struct Patient {
    /// Health marks that were already set.
    noted: MarkSet,
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if self.line_start {
                if matches!(first, b'\r' | b'\n' | 0) {
                    rest = rest.get(1..).unwrap_or(&[]);
                    continue;
                }
                self.line_start = false;
                self.keep = self.begins(first, scope);
            }
            let end = memchr2(b'\r', b'\n', rest);
            let (line, tail) =
                rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            if self.keep {
                let room = MAX_RECORD.saturating_sub(self.record.len());
                self.cut |= line.len() > room;
                self.record.extend_from_slice(line.get(..room).unwrap_or(line));
            }
            if end.is_some() {
                self.finish(scope);
                self.line_start = true;
            }
            rest = tail;
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        // The rest of the record behind the gap does not begin with its type.
        self.record.clear();
        (self.keep, self.line_start) = (false, false);
        self.proceed(false, scope);
        self.end_patient(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.finish(scope);
        self.proceed(false, scope);
        self.end_patient(scope);
    }

    fn memory(&self) -> usize {
        self.record.capacity() + self.waiting.iter().map(|r| r.capacity()).sum::<usize>()
    }
}

impl Reader {
    /// A record of type `record` begins. Returns whether it must be read.
    fn begins(&mut self, record: u8, scope: &mut Scope<'_>) -> bool {
        match record {
            b'H' | b'P' | b'L' | b'Q' => {
                self.proceed(false, scope);
                self.end_patient(scope);
            }
            record => {
                if record == b'R' {
                    self.proceed(true, scope);
                }
                if let Some(health) = scope.rules.health.astm(record)
                    && let Some(patient) = &mut self.patient
                    && patient.noted.insert(health.into())
                {
                    scope.mark(health.into());
                }
            }
        }
        record == b'H' || scope.rules.astm.record(record).next().is_some()
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        if std::mem::take(&mut self.keep) {
            let record = std::mem::take(&mut self.record);
            let order = record.first() == Some(&b'O') && !self.waiting.is_empty();
            let held: usize = self.waiting.iter().map(|r| r.len()).sum();
            let waits = record.first() == Some(&b'P')
                || (order && self.waiting.len() < MAX_WAITING && held <= MAX_RECORD);
            if order && !waits {
                self.proceed(false, scope);
            }
            if waits {
                self.waiting.push(record);
            } else {
                self.read(&record, scope);
                self.record = record;
                self.record.clear();
            }
        }
        if std::mem::take(&mut self.cut) {
            scope.give_up(Reason::Limit);
        }
    }

    /// Reads the kept records. ASTM has no message types: with results the orders are answered, without results they
    /// are orders, and without orders there is only a patient.
    fn proceed(&mut self, results: bool, scope: &mut Scope<'_>) {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return;
        }
        scope.set_operation(match (results, waiting.len()) {
            (true, _) => "RESULT",
            (false, 1) => "PATIENT",
            (false, _) => "ORDER",
        });
        for record in &waiting {
            self.read(record, scope);
        }
    }

    fn read(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        let Some(&record) = raw.first() else { return };
        if record == b'H' {
            return self.header(raw, scope);
        }
        let syntax = Syntax { delimiters: self.delimiters, charset: Charset::Undeclared };
        let text = syntax.charset.decode(raw, self.delimiters.escape_byte());
        let mut fields: Vec<&str> = text.split(self.delimiters.field).take(MAX_FIELDS).collect();
        if record == b'P' && is_short(&fields) {
            fields.insert(MAIDEN - 1, "");
        }
        // The record type is field 1 and a single letter; text that begins with that letter is no record.
        if fields.first().is_none_or(|name| name.trim().len() != 1) {
            return;
        }
        if record == b'P' {
            scope.begin("astm");
            self.patient = Some(Patient::default());
        }
        let get = |n: u16| fields.get(usize::from(n).wrapping_sub(1)).copied().unwrap_or("");
        if record == b'Q' && !asks([get(3), get(4), get(5)], self.delimiters.component) {
            return;
        }
        let born = get(8).bytes().filter(u8::is_ascii_digit).count() >= 4;
        let component = self.delimiters.component;
        let ids = [3, 4, 5].map(|n| get(n).split(component).next().unwrap_or(""));
        let names = [get(6), if is_person(get(5)) { get(5) } else { "" }];
        if record == b'P'
            && scope.rules.placeholders.is_material_record(names.into_iter(), ids.into_iter(), born)
        {
            scope.mark(Mark::Phantom);
        }
        let hprim = self.delimiters.component == '~';
        let moved = record == b'P' && !hprim && is_person(get(5)) && get(6).trim().is_empty();
        let rules = scope.rules;
        for (number, field) in rules.astm.record(record) {
            let raw = match field.moved {
                Some(0) if moved => "",
                Some(place) if moved => get(place),
                _ => get(number),
            };
            for raw in raw.split(self.delimiters.repetition).take(MAX_REPETITIONS) {
                syntax.read(field.datatype, field.rule.kind, raw, &mut |value| {
                    // `ALL` asks for every patient (LIS2-A2 11.3).
                    if record == b'Q' && value.text == "ALL" {
                        return;
                    }
                    if self.patient.is_none() {
                        if record != b'Q' {
                            return;
                        }
                        scope.set_operation("QUERY");
                        scope.begin("astm");
                        scope.mark(Mark::Query);
                        self.patient = Some(Patient::default());
                    }
                    // HPRIM has the patient's own birth name there.
                    if hprim && value.kind == Kind::MothersMaidenName {
                        return;
                    }
                    // Analysers with only one number often put it into the third field.
                    let alone = record == b'P'
                        && value.kind == Kind::OtherId
                        && [2, 3].iter().all(|at| fields.get(*at).is_none_or(|f| f.is_empty()));
                    let kind = match value.kind {
                        _ if alone => Kind::PatientId,
                        // There, P-4 is the laboratory's file number.
                        Kind::PatientId if hprim && number == 4 => Kind::AccessionNumber,
                        kind => kind,
                    };
                    let found = Field::declared(&field.rule, value.text);
                    let found = found.with_kind(kind).with_issuer(value.issuer);
                    scope.field(found.with_authority(value.authority));
                });
            }
        }
    }

    /// H: delimiters, sender (field 5), receiver (10), processing (12), version (13).
    fn header(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        if !header(raw).is_yes() && raw.len() != 5 {
            return;
        }
        self.delimiters = delimiters(raw.get(1..6).or_else(|| raw.get(1..5)).unwrap_or(&[]));
        let text = Charset::Undeclared.decode(raw, 0);
        let fields: Vec<&str> = text.split(self.delimiters.field).take(MAX_FIELDS).collect();
        let first = |n: usize| {
            let field = fields.get(n - 1).copied().unwrap_or("");
            field.split(self.delimiters.component).next().unwrap_or("")
        };
        let facts = scope.facts().messages();
        ServiceFacts::set(&mut facts.sending_application, first(5));
        ServiceFacts::set(&mut facts.receiving_application, first(10));
        ServiceFacts::set(&mut facts.version, first(13));
    }

    fn end_patient(&mut self, scope: &mut Scope<'_>) {
        if self.patient.take().is_some() {
            scope.end();
        }
    }
}
