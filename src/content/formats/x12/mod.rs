//! X12 interchanges (HIPAA 5010: claims, payments, eligibility, enrolment). The ISA segment defines the
//! delimiters; loops, which start with HL, INS, CLP or NM1, show what belongs to one patient. An insured person
//! whose loop has dependents and no claim or question of its own is no patient, but a relative whose plan
//! the patients share.

mod attachment;
mod envelope;
mod insured;
mod json;
#[cfg(test)]
mod tests;
mod xml;

pub use json::Json;
pub use xml::Xml;

use self::attachment::Attachment;
use self::insured::{Insured, Waiting};
use super::hl7v2::charset::Charset;
use crate::content::{
    Document, Ending, Extent, Field, Format, MarkSet, Media, Reason, Scope, ServiceFacts, Want,
};
use crate::rules::{Kind, X12Element};
use crate::syntax::Match;
use crate::syntax::x12::transaction;
use memchr::{memchr, memchr2};
use zeroize::Zeroizing;

/// Longest segment that is read, bytes.
const MAX_SEGMENT: usize = 16 << 10;
/// Longest ISA, bytes. Its elements have fixed lengths, 106 bytes in all, which not every sender
/// keeps to.
const MAX_ISA: usize = 512;
/// Element separators within ISA.
const ISA_ELEMENTS: usize = 16;
/// Longest first segment of a transaction set without an envelope, bytes.
const MAX_BARE: usize = 128;
/// Elements of a segment that are looked at.
const MAX_ELEMENTS: usize = 32;
/// Qualifier (REF01) of the number of a medical record.
const RECORD_NUMBER: &str = "EA";
/// Entity code (NM101) of a corrected name.
const CORRECTED: &str = "74";
/// Fields of one patient that are passed on.
const MAX_RECORD_FIELDS: u32 = 256;

/// The format.
pub struct Interchange;

impl Format for Interchange {
    fn name(&self) -> &'static str {
        "x12"
    }

    fn first(&self) -> &'static [u8] {
        b"IGS"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let at = head.iter().take_while(|b| is_filler(**b)).count();
        // `ISA*00*`: the first element is a code of two characters.
        let begins = match head.get(at..) {
            Some([b'I', b'S', b'A', separator, a, b, again, ..]) => {
                separator == again
                    && is_separator(*separator)
                    && [a, b].iter().all(|c| c.is_ascii_alphanumeric())
            }
            Some(bare) => transaction(bare).is_yes(),
            None => false,
        };
        begins && matches!(media, Media::Type { .. } | Media::Unknown)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

/// Framing and white space before an interchange.
const fn is_filler(byte: u8) -> bool {
    matches!(byte, 0x0B | 0xEF | 0xBB | 0xBF) || byte.is_ascii_whitespace()
}

const fn is_separator(byte: u8) -> bool {
    byte.is_ascii_punctuation() || byte.is_ascii_control()
}

#[derive(Clone, Copy)]
struct Delimiters {
    element: u8,
    terminator: u8,
}

#[derive(Default)]
struct Reader {
    /// None within ISA.
    delimiters: Option<Delimiters>,
    /// The beginning of a segment whose end has not come yet.
    pending: Zeroizing<Vec<u8>>,
    /// The segment at hand is too long, or was hit by a gap.
    lost: bool,
    /// The document of the segment at hand.
    attachment: Option<Attachment>,
    loops: Loops,
}

/// Position of the reader among the loops of a transaction.
#[derive(Default)]
struct Loops {
    /// What is read belongs to a subscriber, dependent, member or claim.
    of_patient: bool,
    entity: Entity,
    record: Option<Record>,
    /// The record's person is the patient, whoever is insured: named as such, or owns a claim.
    is_patient: bool,
    /// Another insured person was named beside the patient.
    insured_named: bool,
    /// Hierarchical levels were seen: INS is then a segment within one.
    levels: bool,
    /// A subscriber's loop, until it is known whether the subscriber is a patient.
    waiting: Option<Waiting>,
    /// The subscriber whose dependents follow.
    insured: Option<Insured>,
    /// N3, until N4 completes it.
    address: Zeroizing<String>,
}

/// Whom the last NM1 or N1 of the loop named.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Entity {
    /// No one yet.
    #[default]
    None,
    Patient,
    Other,
}

#[derive(Default)]
struct Record {
    named: bool,
    name: Zeroizing<String>,
    /// A member number of its own was said.
    numbered: bool,
    /// Health data that was noted.
    noted: MarkSet,
    fields: u32,
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(delimiters) = self.delimiters else {
                match self.header(rest) {
                    Ok(used) => {
                        rest = rest.get(used..).unwrap_or(&[]);
                        if let Some(delimiters) = self.delimiters {
                            let first = std::mem::take(&mut self.pending);
                            self.segment(&first, delimiters.element, scope);
                        }
                    }
                    Err(reason) => {
                        self.pending = Zeroizing::default();
                        scope.give_up(reason);
                        return Want::NOTHING;
                    }
                }
                continue;
            };
            if let Some(attachment) = &mut self.attachment {
                let used = attachment.data(rest, scope);
                rest = rest.get(used..).unwrap_or(&[]);
                if attachment.is_complete() {
                    self.end_attachment(Ending::Complete, scope);
                }
                continue;
            }
            if !self.lost {
                match attachment::front(&self.pending, rest, delimiters.element) {
                    Match::Yes((len, attachment)) => {
                        let used = len.saturating_sub(self.pending.len());
                        rest = rest.get(used..).unwrap_or(&[]);
                        self.pending.clear();
                        self.attachment = Some(attachment);
                        continue;
                    }
                    Match::More if memchr(delimiters.terminator, rest).is_none() => {
                        self.collect(rest, scope);
                        break;
                    }
                    Match::More | Match::No => {}
                }
            }
            let end = memchr(delimiters.terminator, rest);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            match end {
                Some(_) if self.pending.is_empty() && !self.lost => {
                    self.segment(piece, delimiters.element, scope);
                }
                Some(_) => {
                    self.collect(piece, scope);
                    let pending = std::mem::take(&mut self.pending);
                    if !std::mem::take(&mut self.lost) {
                        self.segment(&pending, delimiters.element, scope);
                    }
                    self.pending = pending;
                    self.pending.clear();
                }
                None => self.collect(piece, scope),
            }
            rest = rest.get(piece.len() + usize::from(end.is_some())..).unwrap_or(&[]);
        }
        Want::ALL
    }

    /// The loop that the gap lies in is over; the next one that starts is read.
    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.pending.clear();
        self.end_attachment(Ending::Cut, scope);
        self.loops.settle(scope);
        self.loops.start(false, scope);
        if self.delimiters.is_none() {
            return Want::NOTHING;
        }
        self.lost = true;
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.end_attachment(ending, scope);
        if let (Some(delimiters), false) = (self.delimiters, self.lost) {
            let pending = std::mem::take(&mut self.pending);
            self.segment(&pending, delimiters.element, scope);
        }
        self.loops.settle(scope);
        self.loops.start(false, scope);
    }

    fn memory(&self) -> usize {
        let attachment = self.attachment.as_ref().map_or(0, Attachment::memory);
        self.pending.capacity() + self.loops.memory() + attachment
    }
}

impl Reader {
    /// The document of a segment ends, or is cut; the rest of the segment is passed over.
    fn end_attachment(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(attachment) = self.attachment.take() {
            attachment.end(ending, scope);
            self.lost = true;
        }
    }

    fn collect(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        if self.lost {
            return;
        }
        if self.pending.len() + bytes.len() > MAX_SEGMENT {
            self.lost = true;
            self.pending.clear();
            scope.give_up(Reason::Limit);
            return;
        }
        self.pending.extend_from_slice(bytes);
    }

    fn segment(&mut self, raw: &[u8], element: u8, scope: &mut Scope<'_>) {
        let mut raw = raw.trim_ascii();
        // Line ends that a string of a program has escaped.
        while let [b'\\', b'r' | b'n', rest @ ..] = raw {
            raw = rest;
        }
        if raw.is_empty() {
            return;
        }
        // Some senders break lines wherever they are full.
        let unbroken: Zeroizing<Vec<u8>>;
        let raw = if memchr2(b'\r', b'\n', raw).is_some() {
            let text = raw.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n'));
            unbroken = Zeroizing::new(text.collect());
            unbroken.as_slice()
        } else {
            raw
        };
        let text = Charset::Undeclared.decode(raw, 0);
        let elements: Vec<&str> =
            text.split(char::from(element)).map(str::trim).take(MAX_ELEMENTS).collect();
        self.loops.segment(&Segment(&elements), scope);
        if elements.first() == Some(&"IEA") {
            // The next interchange may have other delimiters.
            self.delimiters = None;
        }
    }
}

/// The elements of a segment; 0 is its name.
#[derive(Clone, Copy)]
struct Segment<'s>(&'s [&'s str]);

impl<'s> Segment<'s> {
    fn get(&self, number: usize) -> &'s str {
        self.0.get(number).copied().unwrap_or("")
    }
}

impl Loops {
    /// Bytes of heap held.
    fn memory(&self) -> usize {
        self.address.capacity() + self.waiting.as_ref().map_or(0, Waiting::memory)
    }

    fn segment(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        if self.waits(segment, scope) {
            return;
        }
        let name = segment.get(0);
        if name != "N4" {
            self.flush_address(scope);
        }
        if let Some(record) = &mut self.record {
            let rules = scope.rules;
            for health in rules.health.x12(name, segment.0) {
                if record.noted.insert(health.into()) {
                    scope.mark(health.into());
                }
            }
        }
        match name {
            "ST" => {
                self.start(false, scope);
                self.levels = false;
                self.insured = None;
                let code = segment.get(1);
                if code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()) {
                    scope.set_operation(code);
                    ServiceFacts::add_shared(&mut scope.facts().messages().types, code);
                }
            }
            "HL" => self.level(segment, scope),
            "INS" | "CLP" if !self.levels => {
                self.start(true, scope);
                self.elements(segment, scope);
            }
            "SE" | "GE" | "IEA" => {
                self.start(false, scope);
                self.insured = None;
            }
            "NM1" => self.named(segment, scope),
            "N1" => self.entity = Entity::Other,
            "CLM" => {
                self.is_patient = true;
                self.insured_named = false;
                // A claim belongs to the loop, whoever was named last (the payer).
                self.entity = Entity::None;
                self.elements(segment, scope);
            }
            "N3" if self.speaks_of_patient() => {
                self.address.push_str(segment.get(1));
                self.address.push('^');
                self.address.push_str(segment.get(2));
            }
            "N4" if self.speaks_of_patient() => {
                if self.address.is_empty() {
                    self.address.push('^');
                }
                for number in 1..=3 {
                    self.address.push('^');
                    self.address.push_str(segment.get(number));
                }
                self.flush_address(scope);
            }
            "PER" => self.contacts(segment, scope),
            // The number of a medical record is the patient's, whoever was named last (the provider).
            "REF" if segment.get(1) == RECORD_NUMBER && self.record.is_some() => {
                let entity = std::mem::replace(&mut self.entity, Entity::Patient);
                self.elements(segment, scope);
                self.entity = entity;
            }
            _ => self.elements(segment, scope),
        }
    }

    /// HL. Level codes: 22 subscriber, 23 dependent; EV and SS are events within theirs (278).
    fn level(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        self.levels = true;
        match segment.get(3) {
            "EV" | "SS" => self.entity = Entity::Other,
            level => {
                self.start(matches!(level, "22" | "23" | "PT"), scope);
                if level != "23" {
                    self.insured = None;
                }
                // HL04: 0 says that no level is below this one.
                if level == "22" && segment.get(4) != "0" {
                    self.waiting = Some(Waiting::default());
                }
            }
        }
    }

    /// Whether `segment` was put off because it is of a subscriber who may turn out to be no patient.
    fn waits(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) -> bool {
        let Some(waiting) = &mut self.waiting else { return false };
        if insured::begins_dependent(segment) {
            self.insured = self.waiting.take().and_then(|waiting| waiting.insured());
            return false;
        }
        if !waiting.decided_by(segment) && waiting.push(segment) {
            return true;
        }
        self.settle(scope);
        false
    }

    /// The subscriber of the loop at hand is a patient.
    fn settle(&mut self, scope: &mut Scope<'_>) {
        for held in self.waiting.take().into_iter().flat_map(Waiting::into_segments) {
            self.segment(&Segment(&held.elements()), scope);
        }
    }

    fn speaks_of_patient(&self) -> bool {
        match self.entity {
            Entity::Patient => true,
            Entity::None => self.of_patient,
            Entity::Other => false,
        }
    }

    /// A loop starts, so the patient of the one before is complete.
    fn start(&mut self, of_patient: bool, scope: &mut Scope<'_>) {
        self.flush_address(scope);
        if self.record.take().is_some() {
            scope.end();
        }
        self.of_patient = of_patient;
        self.is_patient = false;
        self.insured_named = false;
        self.entity = Entity::None;
    }

    /// NM1: entity, 1 for a person, name, id.
    fn named(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        if !rules.x12.is_patient(segment.get(1)) || segment.get(2) != "1" {
            self.entity = Entity::Other;
            return;
        }
        let named = self.record.as_ref().is_some_and(|r| r.named);
        let insured = rules.x12.is_insured(segment.get(1));
        if segment.get(1) == CORRECTED && named {
            // A better name of the current person; which of two is not stated.
            if self.insured_named {
                self.entity = Entity::Other;
                return;
            }
        } else if named && insured && self.is_patient {
            // 837 2330A, 835 2100: the holder of a plan, who may be the patient.
            self.insured_named = true;
            self.entity = Entity::Other;
            self.insured_person(&Insured::of(segment), scope);
            return;
        } else if named {
            // Another person of the same loop.
            let of_patient = self.of_patient;
            self.start(of_patient, scope);
        }
        self.entity = Entity::Patient;
        let name = Zeroizing::new(insured::whole_name(segment));
        for (number, element) in rules.x12.segment("NM1") {
            match number {
                3 => self.emit(element, &name, scope),
                n => self.element(element, segment, usize::from(*n), scope),
            }
        }
        if let Some(record) = &mut self.record {
            record.named = true;
            record.name = name;
        }
        self.is_patient |= !insured;
        if let Some(insured) = self.insured.take() {
            self.insured_person(&insured, scope);
            self.insured = Some(insured);
        }
    }

    /// The holder of the patient's plan: a relative, unless the name is the patient's own.
    fn insured_person(&mut self, insured: &Insured, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        let entity = std::mem::replace(&mut self.entity, Entity::Patient);
        let elements = insured.elements();
        let segment = Segment(&elements);
        let name = Zeroizing::new(insured::whole_name(&segment));
        let own = self.record.as_ref().is_some_and(|record| **record.name == **name);
        for (number, element) in rules.x12.plan_holder() {
            match number {
                3 if own => {}
                // The patient's own number, where one was said, is the better one.
                9 if self.record.as_ref().is_some_and(|record| record.numbered) => {}
                3 => self.emit(element, &name, scope),
                n => self.element(element, &segment, usize::from(*n), scope),
            }
        }
        self.entity = entity;
    }

    fn elements(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        for (number, element) in rules.x12.segment(segment.get(0)) {
            self.element(element, segment, usize::from(*number), scope);
        }
    }

    /// PER: up to three numbers, each behind its qualifier.
    fn contacts(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_>) {
        let rules = scope.rules;
        for number in [4, 6, 8] {
            for (_, element) in rules.x12.segment("PER") {
                self.element(element, segment, number, scope);
            }
        }
    }

    fn flush_address(&mut self, scope: &mut Scope<'_>) {
        if self.address.is_empty() {
            return;
        }
        let address = std::mem::take(&mut self.address);
        let rules = scope.rules;
        for (_, element) in rules.x12.segment("N3") {
            self.emit(element, address.trim_end_matches('^'), scope);
        }
    }

    fn element(
        &mut self,
        element: &X12Element,
        segment: &Segment<'_>,
        number: usize,
        scope: &mut Scope<'_>,
    ) {
        if element.applies(segment.get(number.saturating_sub(1))) {
            self.emit(element, segment.get(number), scope);
        }
    }

    fn emit(&mut self, element: &X12Element, value: &str, scope: &mut Scope<'_>) {
        if value.is_empty() || !self.speaks_of_patient() {
            return;
        }
        let record = self.record.get_or_insert_with(|| {
            scope.begin("x12");
            Record::default()
        });
        if record.fields >= MAX_RECORD_FIELDS {
            return;
        }
        record.fields += 1;
        record.numbered |= element.rule.kind == Kind::InsuranceNumber;
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        let kind = match element.rule.kind {
            Kind::Ssn if digits != 9 => Kind::OtherId,
            kind => kind,
        };
        scope.field(Field::declared(&element.rule, value).with_kind(kind));
    }
}
