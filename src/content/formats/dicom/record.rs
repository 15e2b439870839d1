//! The attributes of a data set that identify a person: elements from the walker become fields.

use super::charset::Charset;
use super::document::Encapsulated;
use super::element::{UNDEFINED, is_text, uses_charset};
use super::items::{Blocks, Concept, is_creator, is_private};
use super::tags::*;
use super::text::Findings;
use super::value::{PADDING, Text, is_person_name, is_printable, says_something, split};
use super::walker::{Element, Interest, Visitor};
use crate::content::{Ending, Field, Mark, MarkSet, Object, Reason, Scope, ServiceFacts};
use crate::phi::PhiBuf;
use crate::rules::{FieldRule, Kind, RuleSet};
use dicom_core::VR;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes kept of an attribute that a rule names (PS3.5 table 6.2-1: LT, the longest but UT, has
/// 10,240 characters).
const MAX_VALUE: usize = 10 << 10;
/// Bytes kept of a text without a limit of its own (UT), as in reports.
const MAX_UNLIMITED: usize = 64 << 10;
/// Shorter texts are not searched, bytes.
const MIN_TEXT: u32 = 6;
/// Bytes kept of attributes that the structure needs.
const MAX_STRUCTURAL: usize = 256;
/// Nested items with their own character sets.
const MAX_CHARSETS: usize = 8;
/// Pixel data follows this tag (PS3.5 8.1), and no rule names anything after it.
const LAST_BEFORE_PIXELS: u32 = 0x7FDF_FFFF;
/// Identifiers kept for comparison.
const MAX_OWN: usize = 8;

/// Largest encapsulated document that is read, bytes. It is passed on as it arrives.
const MAX_DOCUMENT: u32 = 64 << 20;

/// An id whose issuer may follow.
struct Pending {
    rule: Arc<FieldRule>,
    values: Vec<PhiBuf>,
    issued: &'static Issued,
    depth: usize,
    /// The value before the attribute was corrected.
    former: bool,
    issuer: String,
    /// Universal entity id of the issuer, usually an OID.
    authority: String,
}

/// The current record.
pub(super) struct Record {
    query: bool,
    /// Values come as text in UTF-8.
    is_text: bool,
    open: bool,
    charset: Charset,
    /// Character sets of items, with the number of items around them.
    inner: Vec<(usize, Charset)>,
    pending: Option<Pending>,
    /// A patient of a media directory has begun.
    directory: bool,
    /// A name or number of the patient was found.
    identified: bool,
    texts: Findings,
    blocks: Blocks,
    concept: Concept,
    document: Option<Encapsulated>,
    /// Name and number of the patient module, to recognise repetitions.
    own: Vec<PhiBuf>,
    /// Context of the whole data set.
    said: DataSetFacts,
}

/// Context of a whole data set.
#[derive(Default)]
struct DataSetFacts {
    /// (0012,0062).
    identity_removed: Option<bool>,
    deidentified: bool,
    phantom: bool,
    /// The patient's number is a phantom's.
    phantom_id: bool,
    /// The patient's name reads like that of a phantom.
    named: bool,
    /// Health marks that were already set.
    noted: MarkSet,
}

impl Record {
    pub fn new(query: bool) -> Self {
        Self {
            query,
            is_text: false,
            open: false,
            charset: Charset::default(),
            inner: Vec::new(),
            pending: None,
            directory: false,
            identified: false,
            texts: Findings::default(),
            blocks: Blocks::default(),
            concept: Concept::default(),
            document: None,
            own: Vec::new(),
            said: DataSetFacts::default(),
        }
    }

    /// For values that are already text.
    pub fn of_text() -> Self {
        Self { charset: Charset::declared(b"ISO_IR 192"), is_text: true, ..Self::new(false) }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.texts.memory() + self.document.as_ref().map_or(0, Encapsulated::memory)
    }

    pub fn begin(&mut self, scope: &mut Scope<'_>) {
        scope.begin("dicom");
        if self.query {
            scope.mark(Mark::Query);
        }
        self.open = true;
    }

    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        self.tear_document(scope);
        self.flush(scope);
        if std::mem::take(&mut self.open) {
            let identified = std::mem::take(&mut self.identified);
            let said = std::mem::take(&mut self.said);
            self.own.clear();
            self.texts.pass_on(identified, said.deidentified, scope);
            if said.phantom || said.phantom_id && !said.named {
                scope.mark(Mark::Phantom);
            }
            scope.end();
        }
    }

    /// The current document ends before its last byte.
    pub fn tear_document(&mut self, scope: &mut Scope<'_>) {
        if let Some(document) = self.document.take() {
            document.end(Ending::Cut, scope);
        }
    }

    /// Elements are missing here: the enclosing items are over.
    pub fn gap(&mut self, scope: &mut Scope<'_>) {
        self.flush(scope);
        self.inner.clear();
        self.blocks = Blocks::default();
        self.concept = Concept::default();
    }

    fn charset(&self) -> &Charset {
        self.inner.last().map_or(&self.charset, |(_, c)| c)
    }

    /// The waiting id is complete.
    fn flush(&mut self, scope: &mut Scope<'_>) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let issuer = if pending.issuer.is_empty() { &pending.authority } else { &pending.issuer };
        let kind = [&pending.authority, &pending.issuer]
            .into_iter()
            .find_map(|name| kind_of_issuer(scope.rules(), name))
            .unwrap_or(pending.rule.kind);
        self.identified |= kind.is_strong_id() && !pending.values.is_empty();
        let former = pending.former;
        for value in &pending.values {
            if former && self.own.iter().any(|o| o.as_phi().expose() == value.as_phi().expose()) {
                continue;
            }
            let field = Field::declared(&pending.rule, value.as_phi().expose());
            let field = field.with_kind(kind).with_issuer(issuer);
            scope.field(field.with_authority(&pending.authority));
        }
    }
}

/// The kind of an issuer's ids, if the issuer determines it (a social security administration, a national health
/// service).
fn kind_of_issuer(rules: &RuleSet, issuer: &str) -> Option<Kind> {
    if issuer.is_empty() {
        return None;
    }
    let oid = issuer.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    rules
        .fhir
        .system(issuer)
        .or_else(|| oid.then(|| rules.fhir.system(&format!("urn:oid:{issuer}"))).flatten())
}

/// A record with what it writes to.
pub(super) struct Recording<'r, 's, 'e> {
    record: &'r mut Record,
    scope: &'s mut Scope<'e>,
}

impl<'r, 's, 'e> Recording<'r, 's, 'e> {
    pub fn new(record: &'r mut Record, scope: &'s mut Scope<'e>) -> Self {
        Self { record, scope }
    }

    /// The rule for an element. Ids inside a sequence of ids have the meaning of the sequence.
    fn rule(&self, element: &Element) -> Option<&Arc<FieldRule>> {
        let rules = &self.scope.rules().dicom;
        if element.tag == PATIENT_ID
            && let Some(rule) = rules.get(element.sequence)
        {
            return Some(rule);
        }
        rules
            .get(element.tag)
            .or_else(|| self.record.blocks.rule(element, rules))
            .or_else(|| self.record.concept.rule(element, rules))
    }

    /// Passes on the waiting id once `element` cannot belong to it.
    fn settle(&mut self, element: &Element) {
        if self.record.pending.as_ref().is_some_and(|p| {
            element.depth < p.depth || element.depth == p.depth && element.tag > p.issued.qualifiers
        }) {
            self.record.flush(self.scope);
        }
    }

    fn text<'b>(&self, element: &Element, bytes: &'b [u8]) -> Text<'b> {
        if let Some(text) = Charset::plain(bytes) {
            return Text::Plain(text);
        }
        let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
        if uses_charset(element.vr) {
            self.record.charset().decode(bytes, &mut text);
        } else {
            Charset::default().decode(bytes, &mut text);
        }
        Text::Decoded(text)
    }

    fn identifying(&mut self, rule: &Arc<FieldRule>, element: &Element, bytes: &[u8]) {
        let text = self.text(element, bytes);
        let query = self.record.query;
        let values = split(&text, element.vr).filter(|v| says_something(v, query, rule.kind));
        let former = element.sequence == MODIFIED_ATTRIBUTES_SEQUENCE;
        let Some(issued) = ISSUED.iter().find(|i| i.id == element.tag) else {
            let sequence = former.then(|| self.scope.rules().dicom.get(element.sequence)).flatten();
            let place = sequence.map(|s| Arc::clone(&s.field));
            for value in values {
                if element.tag == PATIENT_NAME {
                    self.record.subject(element, value, self.scope);
                }
                if former && self.record.own.iter().any(|o| o.as_phi().expose() == value) {
                    continue;
                }
                self.record.identified |=
                    matches!(rule.kind, Kind::Name | Kind::OtherId) || rule.kind.is_strong_id();
                let reachable_by_mail = rule.kind == Kind::Phone && value.contains('@');
                let kind = if reachable_by_mail { Kind::Email } else { rule.kind };
                let mut field = Field::declared(rule, value).with_kind(kind);
                field.name = place.as_deref().unwrap_or(field.name);
                self.scope.field(field);
            }
            return;
        };
        let values: Vec<PhiBuf> = values.map(|v| PhiBuf::new(v.to_owned())).collect();
        if element.tag == PATIENT_ID {
            for value in &values {
                self.record.subject(element, value.as_phi().expose(), self.scope);
            }
        }
        self.record.flush(self.scope);
        self.record.pending = Some(Pending {
            rule: Arc::clone(rule),
            values,
            issued,
            depth: element.depth,
            former,
            issuer: String::new(),
            authority: String::new(),
        });
    }

    /// Whether the element names the issuer of the waiting id.
    fn names_issuer(&self, element: &Element) -> bool {
        self.record.pending.as_ref().is_some_and(|p| {
            element.depth == p.depth && element.tag == p.issued.issuer
                || element.depth == p.depth + 1
                    && element.sequence == p.issued.qualifiers
                    && matches!(element.tag, LOCAL_NAMESPACE | UNIVERSAL_ENTITY_ID)
        })
    }

    fn issuer(&mut self, element: &Element, bytes: &[u8]) {
        let text = self.text(element, bytes);
        let Some(pending) = &mut self.record.pending else {
            return;
        };
        let slot = if element.tag == UNIVERSAL_ENTITY_ID {
            &mut pending.authority
        } else {
            &mut pending.issuer
        };
        if slot.is_empty() {
            slot.push_str(text.trim_matches(PADDING));
        }
    }

    fn structural(&mut self, element: &Element, bytes: &[u8]) {
        let yes = || {
            let text = bytes.trim_ascii_end();
            text.strip_suffix(&[0]).unwrap_or(text).trim_ascii().eq_ignore_ascii_case(b"YES")
        };
        match element.tag {
            // Text is in the encoding of its document, whatever the data set had.
            SPECIFIC_CHARACTER_SET if self.record.is_text => {}
            SPECIFIC_CHARACTER_SET if element.depth == 0 => {
                self.record.charset = Charset::declared(bytes);
            }
            SPECIFIC_CHARACTER_SET if self.record.inner.len() < MAX_CHARSETS => {
                self.record.inner.push((element.depth, Charset::declared(bytes)));
            }
            PATIENT_IDENTITY_REMOVED => {
                self.record.said.identity_removed = Some(yes());
                if yes() {
                    self.record.deidentified(self.scope);
                }
            }
            DEIDENTIFICATION_METHOD if !bytes.trim_ascii().is_empty() => {
                self.record.method_of_deidentification(self.scope);
            }
            QUALITY_CONTROL_SUBJECT | QUALITY_CONTROL_IMAGE if yes() => {
                self.record.said.phantom = true;
            }
            BURNED_IN_ANNOTATION if yes() => self.scope.mark(Mark::BurnedIn),
            DIRECTORY_RECORD_TYPE if bytes.trim_ascii() == b"PATIENT" => self.next_patient(),
            SOP_INSTANCE_UID | STUDY_INSTANCE_UID | REFERENCED_SOP_INSTANCE_UID => {
                let object = match element.tag {
                    SOP_INSTANCE_UID => Object::Instance,
                    STUDY_INSTANCE_UID => Object::Study,
                    _ => Object::Commitment,
                };
                let text = self.text(element, bytes);
                self.scope.object(object, &text);
            }
            SOP_CLASS_UID | MODALITY | STATION_NAME | INSTITUTION_NAME => {
                let text = self.text(element, bytes);
                let facts = self.scope.facts().dicom();
                match element.tag {
                    SOP_CLASS_UID => ServiceFacts::add(&mut facts.sop_classes, &text),
                    MODALITY => ServiceFacts::add(&mut facts.modalities, &text),
                    STATION_NAME => ServiceFacts::set(&mut facts.station, &text),
                    _ => ServiceFacts::set(&mut facts.institution, &text),
                }
            }
            _ => {}
        }
    }

    /// Marks what an element says about a person's health, each once.
    fn health(&mut self, element: &Element) {
        if element.depth > 0 || element.len == 0 || self.record.query {
            return;
        }
        let Some(health) = self.scope.rules().dicom.health(element.tag) else { return };
        if self.record.said.noted.insert(health.into()) {
            self.scope.mark(health.into());
        }
    }

    /// A media directory (PS3.3 F.3) lists patients one after the other.
    fn next_patient(&mut self) {
        if std::mem::replace(&mut self.record.directory, true) {
            self.record.finish(self.scope);
            self.record.begin(self.scope);
        }
    }
}

impl Visitor for Recording<'_, '_, '_> {
    fn element(&mut self, element: &Element) -> Interest {
        self.settle(element);
        self.record.concept.element(element);
        self.health(element);
        if element.tag == DEIDENTIFICATION_METHOD_CODE_SEQUENCE
            && element.depth == 0
            && element.len > 0
        {
            self.record.method_of_deidentification(self.scope);
        }
        let interest = self.interest(element);
        if !matches!(interest, Interest::Keep(_) | Interest::Stream)
            && element.vr != Some(VR::SQ)
            && element.len != UNDEFINED
        {
            self.scope.skipped(u64::from(element.len));
        }
        interest
    }

    fn value(&mut self, element: &Element, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(rule) = self.rule(element).cloned() {
            self.identifying(&rule, element, bytes);
        } else if self.names_issuer(element) {
            self.issuer(element, bytes);
        } else if self.record.concept.wants(element) {
            let text = self.text(element, bytes);
            self.record.concept.value(element, text.trim_matches(PADDING));
        } else if is_creator(element.tag) {
            let text = self.text(element, bytes);
            let rules = &self.scope.rules().dicom;
            self.record.blocks.reserve(element, text.trim_matches(PADDING), rules);
        } else if let Some(field) = self.scope.rules().dicom.text(element.tag).cloned() {
            if element.vr.is_some_and(|vr| vr != VR::UN) || is_printable(bytes) {
                let text = self.text(element, bytes);
                if is_private(element.tag) && is_person_name(&text, element.vr) {
                    self.record.texts.suspect(&field, text.trim_matches(PADDING));
                }
                self.record.texts.search(self.scope.rules(), &field, &text);
            }
        } else {
            self.structural(element, bytes);
        }
    }

    fn part(&mut self, bytes: &[u8], last: bool) -> bool {
        if self.record.document.is_none() {
            self.record.flush(self.scope);
        }
        let document = self.record.document.get_or_insert_with(Encapsulated::new);
        let wanted = document.part(bytes, self.scope);
        if (last || !wanted)
            && let Some(document) = self.record.document.take()
        {
            document.end(Ending::complete_if(last), self.scope);
        }
        wanted
    }

    fn item_end(&mut self, depth: usize) {
        self.record.blocks.leave(depth);
        self.record.concept.leave(depth);
        while self.record.inner.last().is_some_and(|(d, _)| *d > depth) {
            self.record.inner.pop();
        }
        if self.record.pending.as_ref().is_some_and(|p| p.depth > depth) {
            self.record.flush(self.scope);
        }
    }

    fn limit(&mut self) {
        self.scope.give_up(Reason::Limit);
    }
}

impl Recording<'_, '_, '_> {
    fn interest(&mut self, element: &Element) -> Interest {
        let last = self.scope.rules().dicom.last_tag().max(LAST_BEFORE_PIXELS);
        if element.depth == 0 && element.tag > last {
            return Interest::Stop;
        }
        if element.tag == ENCAPSULATED_DOCUMENT && element.depth == 0 {
            if element.len <= MAX_DOCUMENT {
                return Interest::Stream;
            }
            self.scope.give_up(Reason::Limit);
            return Interest::Pass;
        }
        if element.vr == Some(VR::SQ) || !is_text(element.vr) {
            return Interest::Pass;
        }
        if self.rule(element).is_some() {
            return Interest::Keep(MAX_VALUE);
        }
        if !self.record.query
            && element.len >= MIN_TEXT
            && uses_charset(element.vr)
            && (element.vr != Some(VR::PN) || is_private(element.tag))
            && self.scope.rules().dicom.text(element.tag).is_some()
        {
            let unlimited = element.vr == Some(VR::UT);
            return Interest::Keep(if unlimited { MAX_UNLIMITED } else { MAX_VALUE });
        }
        let structural = match element.tag {
            tag if !is_structural(tag) => false,
            SPECIFIC_CHARACTER_SET => true,
            SOP_CLASS_UID | MODALITY | STATION_NAME | INSTITUTION_NAME => {
                element.depth == 0 && !self.record.query
            }
            PATIENT_IDENTITY_REMOVED
            | DEIDENTIFICATION_METHOD
            | QUALITY_CONTROL_SUBJECT
            | QUALITY_CONTROL_IMAGE
            | BURNED_IN_ANNOTATION => element.depth == 0,
            DIRECTORY_RECORD_TYPE => element.sequence == DIRECTORY_RECORD_SEQUENCE,
            STUDY_INSTANCE_UID => element.depth == 0 && !self.record.query,
            // A list of instances (C-FIND) transfers none of them.
            SOP_INSTANCE_UID => {
                element.depth == 0 && !self.record.query && self.scope.operation() != "C-FIND"
            }
            // Of N-ACTION and N-EVENT-REPORT (PS3.4 J.3).
            REFERENCED_SOP_INSTANCE_UID => {
                element.sequence == REFERENCED_SOP_SEQUENCE
                    && self.scope.operation().starts_with("N-")
            }
            tag if is_creator(tag) => true,
            _ => self.names_issuer(element) || self.record.concept.wants(element),
        };
        if structural { Interest::Keep(MAX_STRUCTURAL) } else { Interest::Pass }
    }
}

impl Record {
    /// The source says that the data set was de-identified.
    fn deidentified(&mut self, scope: &mut Scope<'_>) {
        if !std::mem::replace(&mut self.said.deidentified, true) {
            scope.mark(Mark::Deidentified);
        }
    }

    /// It holds a method of de-identification: present only where it was applied (PS3.3 C.7.1.1).
    fn method_of_deidentification(&mut self, scope: &mut Scope<'_>) {
        if self.said.identity_removed != Some(false) {
            self.deidentified(scope);
        }
    }

    /// Name or number of the patient module.
    fn subject(&mut self, element: &Element, value: &str, scope: &mut Scope<'_>) {
        if element.depth > 0 && element.sequence != DIRECTORY_RECORD_SEQUENCE {
            return;
        }
        if self.own.len() < MAX_OWN {
            self.own.push(PhiBuf::new(value.to_owned()));
        }
        let placeholders = &scope.rules().placeholders;
        let phantom = placeholders.is_phantom(value);
        if element.tag == PATIENT_ID {
            self.said.phantom_id |= phantom;
            return;
        }
        self.said.phantom |= phantom;
        let lower = Zeroizing::new(value.trim_matches(['^', ' ']).to_lowercase());
        self.said.named |= !placeholders.contains(Kind::Name, &lower);
        if placeholders.says_deidentified(&lower) {
            self.deidentified(scope);
        }
    }
}
