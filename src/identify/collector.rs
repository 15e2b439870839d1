//! Collects the fields of all payloads into findings.

use super::counters::Loss;
use super::date::Date;
use super::mask::mask;
use super::normalise::{is_universal, issuer, normalise};
use super::numbers::{is_time, verify, weighed};
use super::patients::RecordContext;
use super::plausible::{actual_kind, is_issued_number, is_scrap, plausible};
use super::record::{Complete, EvaluatedValue, Issuer, Record, RecordIdentifier};
use super::values::ValueCache;
use super::{Finding, IdentifyCounters, Patients, Settings};
use crate::capture::{PacketRef, PacketSpan};
use crate::content::{
    ContentId, Direction, Evidence, Field, FieldSink, Mark, Numbered, Object, PartNote, RecordHead,
    Repeats, UnitCounts,
};
use crate::phi::WipedString;
use crate::protocol::ServiceFacts;
use crate::rules::{AlertRule, Deidentified, Kind, RecordEvidence, RuleSet};
use crate::time::Timestamp;
use std::sync::Arc;

/// Records open at the same time in one flow, over all payloads and depths.
const MAX_OPEN: usize = 512;

/// Longest value that is held, bytes; longer ones are held up to this length.
const MAX_VALUE: usize = 1024;

/// The sink of one flow's fields, created for each packet.
pub struct Collector<'a> {
    /// Shared by all workers.
    pub settings: &'a Settings,
    /// The active rules.
    pub rules: &'a RuleSet,
    /// Packet time.
    pub now: Timestamp,
    /// The packets that carried the current bytes.
    pub packets: PacketSpan,
    /// The first packet of the content behind the record that ended last.
    pub since: PacketRef,
    /// The flow's patients.
    pub patients: &'a mut Patients,
    /// Results for recent values.
    pub values: &'a mut ValueCache,
    /// Receives the findings.
    pub out: &'a mut Vec<Finding>,
    /// Counters.
    pub counters: &'a mut IdentifyCounters,
}

impl FieldSink for Collector<'_> {
    fn object(&mut self, object: Object, uid: &str) {
        self.values.units.spoil();
        self.counters.object(&self.settings.key, object, uid);
    }

    fn begin(&mut self, at: ContentId, head: RecordHead<'_>) {
        if self.patients.open.len() < MAX_OPEN {
            let record = self.values.record().begin(at, &head, self.span());
            self.patients.open.push(record);
            return;
        }
        self.counters.lose(Loss::OpenRecords);
        // Its fields and its end must not be taken for those of the enclosing record. Without one, fields and end
        // find nothing and are ignored.
        if let Some(record) = self.innermost(at) {
            record.shadows = record.shadows.saturating_add(1);
        }
    }

    fn field(&mut self, at: ContentId, field: Field<'_>) {
        let Some(index) = self.innermost_index(at) else { return };
        let value = cut(field.value.expose());
        if matches!(field.evidence, Evidence::Checked | Evidence::Listed) {
            // Records depend on the hour at which the unit is read.
            self.values.units.spoil();
            if is_time(value, self.now) {
                self.counters.implausible += 1;
                return;
            }
        }
        let tag = self.values.tag(&field, value, self.now, self.rules);
        let known = match self.values.get(tag) {
            Some(known) => known.clone(),
            None => {
                let evaluated = self.evaluate(&field, value).map(Arc::new);
                self.values.keep(tag, evaluated.clone());
                evaluated
            }
        };
        let Some(evaluated) = known else {
            self.counters.implausible += 1;
            self.values.parts.implausible();
            return;
        };
        let place = self.values.place(field.name, field.rule);
        let weight = weighed(&field, evaluated.valid);
        let held = RecordIdentifier::new(evaluated, place, self.values.hold(value), weight);
        self.values.parts.note(value, &held);
        let cap = self.settings.identifiers_per_patient;
        if let Some(record) = self.patients.open.get_mut(index) {
            record.packets.extend(self.packets);
            record.add(held, cap, self.counters);
        }
    }

    fn repeat_unit(
        &mut self,
        unit: &[u8],
        around: u64,
        head: &RecordHead<'_>,
        facts: &ServiceFacts,
    ) -> Option<UnitCounts> {
        // A record inside another is part of it.
        if !self.patients.open.is_empty() || self.settings.reveal {
            return None;
        }
        self.values.under(self.rules);
        let key = self.values.units.key(self.rules, unit, (around, Date::day(self.now)));
        let Some(known) = self.values.units.get(key) else {
            self.values.units.begin(key, self.counters);
            return None;
        };
        known.count(self.counters);
        self.patients.learn_hashes(&known.learnt, self.settings);
        for record in &known.records {
            let complete = Complete {
                packets: if record.follows { self.packets } else { self.span() },
                held: &record.held,
                identity: &record.identity,
                marks: record.marks,
                direction: head.direction,
                operation: head.operation,
                carrier: head.carrier,
                profile: Some(&record.profile),
            };
            self.file(&complete, &record.alert, facts);
        }
        if known.ended {
            self.since = self.packets.first;
        }
        Some(known.content)
    }

    fn keep_unit(&mut self, counts: Option<UnitCounts>) {
        self.values.units.end(counts, self.counters);
    }

    fn part_key(&mut self, part: &[u8], around: u64) -> Option<u64> {
        Some(self.values.part_key(part, around, self.now, self.rules))
    }

    fn repeat_part(
        &mut self,
        at: ContentId,
        key: u64,
        part: &[u8],
        repeats: Repeats,
    ) -> Option<Arc<PartNote>> {
        // An earlier one was left in the middle if its parser failed.
        self.values.parts.end(None);
        let index = self.innermost_index(at)?;
        let Some(known) = self.values.parts.get(key) else {
            self.values.parts.begin(key, part, repeats);
            return None;
        };
        self.counters.implausible += known.implausible;
        let cap = self.settings.identifiers_per_patient;
        let record = self.patients.open.get_mut(index)?;
        if !known.fields.is_empty() {
            record.packets.extend(self.packets);
        }
        record.held.reserve(known.fields.len());
        for field in &known.fields {
            let value = self.values.hold(field.text(part).unwrap_or_default());
            let (evaluated, place) = (Arc::clone(&field.evaluated), Arc::clone(&field.place));
            let held = RecordIdentifier::new(evaluated, place, value, field.weight());
            record.add(held, cap, self.counters);
        }
        Some(Arc::clone(&known.note))
    }

    fn keep_part(&mut self, note: Option<PartNote>) {
        self.values.parts.end(note);
    }

    fn listed(&mut self, direction: Direction, number: &Numbered<'_>) -> Option<usize> {
        self.values.units.spoil();
        if is_time(number.value.expose(), self.now) {
            return None;
        }
        self.patients.lists.count(direction, number)
    }

    fn mark(&mut self, at: ContentId, mark: Mark) {
        if let Some(index) = self.innermost_index(at)
            && let Some(record) = self.patients.open.get_mut(index)
        {
            record.marks.insert(mark);
        }
    }

    fn end(&mut self, at: ContentId, facts: &ServiceFacts) {
        if let Some(record) = self.innermost(at)
            && record.shadows > 0
        {
            record.shadows -= 1;
            return;
        }
        let position = self.patients.open.iter().rposition(|r| r.at == at);
        if let Some(position) = position {
            let mut record = self.patients.open.remove(position);
            record.packets.extend(self.packets);
            self.since = self.packets.first;
            self.close(record, facts);
            if self.patients.open.is_empty() {
                self.values.units.ended();
            }
        }
    }
}

impl Collector<'_> {
    /// The packets of a record that begins here, so far.
    fn span(&self) -> PacketSpan {
        let mut span = PacketSpan::of(self.since);
        span.extend(self.packets);
        span
    }

    /// The identifier in a value; `None` if it is not plausible.
    fn evaluate(&mut self, field: &Field<'_>, value: &str) -> Option<EvaluatedValue> {
        let kind = accepted(field, value, self.rules, self.now)?;
        let mut normal = self.values.take_normal(value.len());
        normalise(kind, value, &self.rules.placeholders, self.now, &mut normal);
        let key = &self.settings.key;
        let token = key.token(kind, &normal);
        let (mut namespace, mut universal) = (String::new(), String::new());
        if is_issued(kind) {
            // FHIR only gives the universal id, DICOM and HL7 either of them, or both.
            let named = if is_universal(field.issuer) { &mut universal } else { &mut namespace };
            issuer(field.issuer, named);
            if !field.authority.is_empty() {
                universal.clear();
                issuer(field.authority, &mut universal);
            }
        }
        let issued_by = if universal.is_empty() { &namespace } else { &universal };
        let public =
            if issued_by.is_empty() { token } else { key.issued(kind, issued_by, &normal) };
        let words = match (kind, normal.split_once(' ')) {
            (Kind::Name, Some((one, other))) => {
                Some([key.token(kind, one), key.token(kind, other)])
            }
            _ => None,
        };
        self.values.give_normal(normal);
        let words_of = match self.settings.reveal {
            true => Arc::default(),
            false => self.values.words_of(key, kind, value),
        };
        Some(EvaluatedValue {
            kind,
            words_of,
            valid: verify(field, kind, value, self.rules),
            full_date: kind == Kind::BirthDate
                && Date::parse(value, self.now).is_some_and(Date::is_full),
            token,
            public,
            issuer: Issuer::new(&namespace).or_universal(&universal),
            words,
            test: kind == Kind::Name && self.is_test_patient(value),
            mask: (!self.settings.reveal).then(|| mask(kind, value, self.now).into()),
        })
    }

    /// The flow has ended. Open records count as they are: their values were on the wire, and a missing end makes
    /// them no less exposed.
    pub fn finish(&mut self, facts: &ServiceFacts) {
        while let Some(record) = self.patients.open.pop() {
            self.close(record, facts);
        }
    }

    /// The innermost record of a payload, whether or not it takes fields.
    fn innermost(&mut self, at: ContentId) -> Option<&mut Record> {
        self.patients.open.iter_mut().rfind(|r| r.at == at)
    }

    /// The innermost record of a payload that takes fields.
    fn innermost_index(&self, at: ContentId) -> Option<usize> {
        let open = &self.patients.open;
        let index = open.iter().rposition(|r| r.at == at)?;
        open.get(index).filter(|r| r.shadows == 0).map(|_| index)
    }

    /// Ends a record: it joins the enclosing one, or is judged alone.
    fn close(&mut self, mut record: Record, facts: &ServiceFacts) {
        let cap = self.settings.identifiers_per_patient;
        if let Some(waiting) = record.waiting.take() {
            if record.identity.contradicts(&waiting.identity) {
                self.close_nested(*waiting, None, facts);
            } else {
                record.join(*waiting, cap, self.counters);
            }
        }
        let outer = self.patients.open.iter().rposition(|r| r.at == record.at);
        self.close_nested(record, outer, facts);
    }

    /// Whose record is a nested one?
    ///
    /// If the outer record has named its person, the inner one joins it unless it contradicts. If not, the inner one
    /// waits: a second inner record of another person shows that the outer one only wraps them (a list of patients),
    /// and from then on each is judged alone.
    fn close_nested(&mut self, mut record: Record, outer: Option<usize>, facts: &ServiceFacts) {
        let cap = self.settings.identifiers_per_patient;
        let Some(around) = outer.and_then(|index| self.patients.open.get_mut(index)) else {
            return self.complete(record, facts);
        };
        if around.container {
            return self.complete(record, facts);
        }
        if !around.identity.is_empty() {
            if around.exposed_by(&record) {
                record.marks.insert(Mark::Deidentified);
                record.exposed = true;
                return self.complete(record, facts);
            }
            if around.identity.contradicts(&record.identity) {
                return self.complete(record, facts);
            }
            return around.join(record, cap, self.counters);
        }
        match around.waiting.as_mut() {
            None => around.waiting = Some(Box::new(record)),
            Some(waiting) if !waiting.identity.contradicts(&record.identity) => {
                waiting.join(record, cap, self.counters);
            }
            Some(_) => {
                around.container = true;
                if let Some(first) = around.waiting.take() {
                    self.complete(*first, facts);
                }
                self.complete(record, facts);
            }
        }
    }

    /// Judges a complete record: whether it suffices for a finding, and for which patient.
    fn complete(&mut self, mut record: Record, facts: &ServiceFacts) {
        self.judge(&mut record, facts);
        self.values.recycle(record);
    }

    fn judge(&mut self, record: &mut Record, facts: &ServiceFacts) {
        self.counters.records += 1;
        if record.marks.contains(Mark::Query) {
            record.drop_patterns();
        }
        record.settle();
        if record.held.is_empty() {
            return;
        }
        if record.marks.contains(Mark::Phantom) {
            self.counters.phantoms += 1;
            return;
        }
        if record.held.iter().any(|held| held.test) {
            record.marks.insert(Mark::Test);
        }
        let deidentified = record
            .marks
            .contains(Mark::Deidentified)
            .then_some(Deidentified { burned_in: record.marks.contains(Mark::BurnedIn) });
        let kinds = match deidentified {
            Some(_) => record.kinds_of(|held| !self.is_pseudonym(record, held)),
            None => record.kinds_of(|_| true),
        };
        let evidence = RecordEvidence {
            content: record.content,
            structured: record.structured,
            kinds: &kinds,
            patient_context: record.structured || record.marks.contains(Mark::PatientContext),
            query: record.marks.contains(Mark::Query),
            deidentified,
            listed: record.held.iter().any(|h| h.evidence == Evidence::Listed),
        };
        let Some(alert) = self.rules.policy.alert(&evidence) else {
            match deidentified {
                Some(_) => self.counters.deidentified += 1,
                None => self.counters.below_policy += 1,
            }
            // No finding, but a name all the same.
            self.patients.learn(record.held.iter(), self.settings);
            self.values.units.learn(&record.held);
            return;
        };
        if deidentified.is_some() && !kinds.is_empty() {
            self.drop_pseudonyms(record);
        }
        if self.patients.open.is_empty() {
            self.values.units.record(record, alert, self.settings);
        } else {
            // Which packets carried it depends on what is open around it.
            self.values.units.spoil();
        }
        self.file(&Complete::of(record), alert, facts);
    }

    /// Files a record under its patient.
    fn file(&mut self, record: &Complete<'_>, alert: &Arc<AlertRule>, facts: &ServiceFacts) {
        let around = RecordContext {
            settings: self.settings,
            rules: self.rules,
            now: record.packets.last.time,
            facts,
        };
        let finding = self.patients.file(
            record,
            alert,
            &around,
            self.values.texts(self.rules),
            self.counters,
        );
        self.out.extend(finding);
    }

    /// Whether a name is that of a known test patient.
    fn is_test_patient(&self, name: &str) -> bool {
        let folded = WipedString::new(name.trim().to_lowercase());
        self.rules.test_patients.contains(Kind::Name, &folded)
    }

    /// Whether a value of a record that its source declares de-identified is what such records hold: a
    /// pseudonym, or a value that may remain (`[deidentified]` in the rules), and the year of birth, often
    /// written as the first of January (PS3.15 E.1, action Z). Values found in running text were never
    /// replaced.
    fn is_pseudonym(&self, record: &Record, held: &RecordIdentifier) -> bool {
        let year_only =
            |value: &str| Date::parse(value, self.now).is_none_or(|d| d.month <= 1 && d.day <= 1);
        held.evidence.is_declared()
            && !record.exposed
            && (self.rules.policy.is_pseudonymous(held.kind, &held.place.field)
                || held.kind == Kind::BirthDate && year_only(held.value.as_phi().expose()))
    }

    /// Drops the pseudonyms of a record that also holds identifiers, because they point to no person. A name
    /// that reads like a person's is kept: it may have been left behind as well.
    fn drop_pseudonyms(&self, record: &mut Record) {
        let of_person = |held: &RecordIdentifier| {
            held.kind == Kind::Name
                && held.words.is_some()
                && self.is_pseudonym(record, held)
                && !held.value.as_phi().expose().contains(|c: char| c.is_numeric())
        };
        if record.held.iter().any(of_person) {
            return;
        }
        let mut held = std::mem::take(&mut record.held);
        held.retain(|held| !held.kind.is_number_or_name() || !self.is_pseudonym(record, held));
        record.held = held;
        record.identify();
    }
}

/// The kind of a value; `None` if it is empty, a placeholder or impossible.
pub(super) fn accepted(
    field: &Field<'_>,
    value: &str,
    rules: &RuleSet,
    now: Timestamp,
) -> Option<Kind> {
    let kind = match field.evidence {
        Evidence::Declared => actual_kind(field.kind, value),
        _ => field.kind,
    };
    let scrap = || !field.evidence.is_declared() && is_scrap(kind, value);
    let issued = field.evidence.is_declared() && !field.issuer.is_empty();
    let can_be =
        plausible(kind, value, rules, now) || issued && is_issued_number(kind, value, rules);
    (can_be && !scrap()).then_some(kind)
}

/// Whether a value of this kind means little without its issuer. Social security numbers have a single issuer,
/// whatever a sender calls it.
const fn is_issued(kind: Kind) -> bool {
    (kind.is_strong_id() && !matches!(kind, Kind::Ssn))
        || matches!(
            kind,
            Kind::AccountNumber
                | Kind::EncounterId
                | Kind::AccessionNumber
                | Kind::DeviceId
                | Kind::OtherId
        )
}

/// At most [`MAX_VALUE`] bytes of `value`, complete characters only.
fn cut(value: &str) -> &str {
    let mut end = value.len().min(MAX_VALUE);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.get(..end).unwrap_or_default()
}
