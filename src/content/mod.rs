//! The content of protocols, and the fields in it that identify a person.
//!
//! A format is a file or folder plus one line in [`FORMATS`]. It gets its bytes in pieces of any size,
//! removes one layer (a coding, an archive, a document format), and either opens what is inside as a further
//! payload or pushes [`Field`]s to the [`FieldSink`]. [`crate::rules`] defines which tags, fields, paths and
//! key names matter, never this module. Only what is wanted is kept, and every buffer is capped by a named
//! constant.

pub mod extract;
pub mod formats;
mod mark;
mod remembered;
mod repeats;
pub mod stack;
pub mod testing;

#[cfg(test)]
mod tests;

pub use crate::protocol::{
    ContentId, Direction, Ending, Media, Object, Reason, ServiceFacts, Want,
};

pub use formats::FORMATS;
pub use formats::hl7v2::PartNote;
pub use mark::{Mark, MarkSet};
pub use repeats::{PartBytes, Repeats, UnitCounts};
pub use stack::{Budget, Contents, Env, MAX_DEPTH, Nested, Reserve};

use crate::closed_set::closed_set;
use crate::phi::Phi;
use crate::rules::{FieldRule, IdentifierRule, Kind, RuleSet};
use std::sync::Arc;

/// A format: how to recognise it and how to start reading it.
pub trait Format: Sync {
    /// The layer's name in `phi.carrier`, and a metric label: `dicom`, `hl7v2`, `json`, `gzip`.
    fn name(&self) -> &'static str;

    /// Whether a payload declared as `media` that starts with `head` is in this format. `head` has at least
    /// [`PROBE_BYTES`] bytes unless it is the whole payload.
    fn probe(&self, media: &Media<'_>, head: &[u8], extent: Extent) -> bool;

    /// The printable ASCII characters with which a payload of unknown or declared type may begin for
    /// [`Format::probe`] to accept it; empty for any. Blanks, control characters and byte order marks may precede
    /// them, so every format is probed for payloads that begin with those.
    fn first(&self) -> &'static [u8] {
        &[]
    }

    /// Whether it overrides [`Format::at_once`].
    fn is_hasty(&self) -> bool {
        false
    }

    /// Whether a payload declared as `media` that starts with `head`, however short, is certainly in this format: for
    /// example a stream of events, whose first one must not wait for the second.
    fn at_once(&self, media: &Media<'_>, head: &[u8]) -> bool {
        let _ = (media, head);
        false
    }

    /// Whether it is a text format: its probe and its reader get UTF-8, whatever the wire has.
    fn is_text(&self) -> bool {
        false
    }

    /// The cost of reading a byte, in units of the flow's budget.
    fn cost(&self) -> u64 {
        2
    }

    /// A reader for one payload.
    fn open(&self, media: &Media<'_>) -> Box<dyn Document>;
}

/// Whether bytes are a whole payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// The whole payload.
    Whole,
    /// Its beginning: more may come.
    Beginning,
}

/// How many bytes a probe gets, if the payload has them.
pub const PROBE_BYTES: usize = 1024;

/// Reads one payload.
pub trait Document: Send {
    /// The next bytes. All of them are consumed; bytes that must wait are copied, within a cap. Bytes that a [`Want`]
    /// skips are not delivered later: the next bytes are those behind them. After [`Want::NOTHING`] only
    /// [`Document::end`] follows, at once.
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want;

    /// `len` bytes are missing here. By default the rest is given up.
    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        let _ = (len, scope);
        Want::NOTHING
    }

    /// The end of the payload.
    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>);

    /// Bytes of heap held, roughly.
    fn memory(&self) -> usize;
}

/// A named value in a payload that identifies a person.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The kind of identifier.
    pub kind: Kind,
    /// The value as text.
    pub value: Phi<'a>,
    /// Where it was found, in the notation of the format: `(0010,0010)`, `PID-5`, `Patient.birthDate`. Comes from a
    /// rule, never from the wire.
    pub name: &'a str,
    /// The rule's id.
    pub rule: &'a str,
    /// Assigning authority, `system` or OID of an id; empty if missing.
    pub issuer: &'a str,
    /// Universal id of the issuer (OID, UUID), if there is one beside the name; else empty.
    pub authority: &'a str,
    /// 0 to 1.
    pub confidence: f32,
    /// Why it is an identifier.
    pub evidence: Evidence,
}

impl<'a> Field<'a> {
    /// A field with `value`, as `rule` names it.
    pub fn declared(rule: &'a FieldRule, value: &'a str) -> Self {
        Self {
            kind: rule.kind,
            value: Phi::new(value),
            name: &rule.field,
            rule: &rule.id,
            issuer: "",
            authority: "",
            confidence: rule.confidence,
            evidence: Evidence::Declared,
        }
    }
    /// The same with another kind (from HL7 CX-5, or a FHIR `system`).
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
    /// The same with its issuer.
    pub fn with_issuer(mut self, issuer: &'a str) -> Self {
        self.issuer = issuer;
        self
    }
    /// The same with the universal id of its issuer.
    pub fn with_authority(mut self, authority: &'a str) -> Self {
        self.authority = authority;
        self
    }
}

closed_set! {
    /// Why a value is an identifier, by increasing weakness of the evidence.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Evidence {
        /// A standard defines the field, and the number is valid for its kind.
        DeclaredValid = "declared-valid",
        /// A standard defines the field.
        Declared = "declared",
        /// A standard defines the field, but the number fails the check of its kind.
        DeclaredWrong = "declared-wrong",
        /// A key name, a heading or a label, and the number is valid for its kind.
        LabelledValid = "labelled-valid",
        /// A key name, a heading or a label.
        Labelled = "labelled",
        /// A key name, a heading or a label, but the number fails the check of its kind.
        LabelledWrong = "labelled-wrong",
        /// Nearby words, and the number is valid for their kind.
        NearValid = "near-valid",
        /// Nearby words.
        Near = "near",
        /// Its check digits, which are seldom valid by chance.
        Checked = "checked",
        /// Nearly all numbers with this pattern in the flow are valid, which cannot be chance.
        Listed = "listed",
        /// Its pattern.
        Pattern = "pattern",
    }
}

impl Evidence {
    /// Every slug that [`Evidence::slugs`] may return: a closed set, which the schema of events lists.
    pub const SLUGS: &'static [&'static str] = &[
        "declared-field",
        "label",
        "context",
        "list",
        "pattern",
        "check-digit",
        "check-digit-failed",
    ];

    /// The reasons as separate slugs, as in events: the source of the meaning, then the result of the check, if the
    /// number was checked.
    pub const fn slugs(self) -> &'static [&'static str] {
        match self {
            Self::DeclaredValid => &["declared-field", "check-digit"],
            Self::Declared => &["declared-field"],
            Self::DeclaredWrong => &["declared-field", "check-digit-failed"],
            Self::LabelledValid => &["label", "check-digit"],
            Self::Labelled => &["label"],
            Self::LabelledWrong => &["label", "check-digit-failed"],
            Self::NearValid => &["context", "check-digit"],
            Self::Near => &["context"],
            Self::Checked => &["check-digit"],
            Self::Listed => &["list", "check-digit"],
            Self::Pattern => &["pattern"],
        }
    }

    /// The same with the result of the check.
    pub const fn verified(self, valid: bool) -> Self {
        match (self, valid) {
            (Self::Declared, true) => Self::DeclaredValid,
            (Self::Declared, false) => Self::DeclaredWrong,
            (Self::Labelled, true) => Self::LabelledValid,
            (Self::Labelled, false) => Self::LabelledWrong,
            (other, _) => other,
        }
    }

    /// Whether a standard defines the field.
    pub const fn is_declared(self) -> bool {
        matches!(self, Self::DeclaredValid | Self::Declared | Self::DeclaredWrong)
    }

    /// Whether it may add to what is known of a person, but proves nothing in a loose record.
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Checked | Self::Pattern)
    }

    /// Whether it rests on the value and the text around it, not on a field or a label.
    pub const fn is_found(self) -> bool {
        matches!(self, Self::NearValid | Self::Near | Self::Checked | Self::Listed | Self::Pattern)
    }
}

/// The origin of a record.
#[derive(Clone, Copy)]
pub struct RecordHead<'a> {
    /// The format that found it: `dicom`, `hl7v2`, `fhir`, `json`, `form`...
    pub content: &'static str,
    /// A structured medical record (data set, message, resource), which suffices alone; a loose one (form,
    /// CSV, text) needs combined evidence.
    pub structured: bool,
    /// Its direction.
    pub direction: Direction,
    /// `C-FIND`, `ADT^A01`, `GET`...
    pub operation: &'a str,
    /// The layers outside in: `["http", "gzip", "json"]`.
    pub carrier: &'a [&'static str],
}

/// Receives the fields of records. `at` identifies a payload among those that are open at the same time; records of
/// one payload nest like brackets.
pub trait FieldSink {
    /// A record starts: its fields belong to one person.
    fn begin(&mut self, at: ContentId, head: RecordHead<'_>);
    /// A field of the innermost open record of `at`; ignored if there is none.
    fn field(&mut self, at: ContentId, field: Field<'_>);
    /// A mark of the innermost open record of `at`.
    fn mark(&mut self, at: ContentId, mark: Mark);
    /// The innermost open record of `at` is complete; `facts` are the facts about the service so far.
    fn end(&mut self, at: ContentId, facts: &ServiceFacts);
    /// An object was named; distinct ones are counted. Its `uid` is not kept.
    fn object(&mut self, object: Object, uid: &str) {
        let _ = (object, uid);
    }
    /// Repeats the results of a unit of a document, if one with the same bytes was read before; `around` represents
    /// everything else on which its records depend. If it is unknown, its results are noted until
    /// [`FieldSink::keep_unit`].
    fn repeat_unit(
        &mut self,
        unit: &[u8],
        around: u64,
        head: &RecordHead<'_>,
        facts: &ServiceFacts,
    ) -> Option<UnitCounts> {
        let _ = (unit, around, head, facts);
        None
    }
    /// The unit has ended; with its counts it can be repeated.
    fn keep_unit(&mut self, counts: Option<UnitCounts>) {
        let _ = counts;
    }
    /// The key of a part of a record (a segment of HL7 v2), whose fields depend on nothing but its bytes and `around`.
    fn part_key(&mut self, part: &[u8], around: u64) -> Option<u64> {
        let _ = (part, around);
        None
    }
    /// Adds the fields of a part that was read before to the innermost open record of `at`. If it is unknown, its fields
    /// may be noted until [`FieldSink::keep_part`].
    fn repeat_part(
        &mut self,
        at: ContentId,
        key: u64,
        part: &[u8],
        repeats: Repeats,
    ) -> Option<Arc<PartNote>> {
        let _ = (at, key, part, repeats);
        None
    }
    /// The part has ended; with the reader's note it can be repeated.
    fn keep_part(&mut self, note: Option<PartNote>) {
        let _ = note;
    }
    /// Notes a number in text, its pattern, and the kinds for which it is valid. Returns the index in `valid` of the
    /// kind of which this flow has a list of such numbers, if any.
    fn listed(&mut self, direction: Direction, number: &Numbered<'_>) -> Option<usize> {
        let _ = (direction, number);
        None
    }
}

/// A number for which check digits may be the only evidence.
#[derive(Clone, Copy)]
pub struct Numbered<'a> {
    /// As it is written.
    pub value: Phi<'a>,
    /// Its pattern: equal for numbers written alike.
    pub shape: u64,
    /// The kind for which it is valid.
    pub valid: &'a [&'a IdentifierRule],
}

/// What a [`Document`] uses while it reads.
pub struct Scope<'a> {
    pub(in crate::content) id: ContentId,
    pub(in crate::content) direction: Direction,
    pub(in crate::content) operation: &'a mut String,
    /// Layers outside in; the document's own is the last.
    pub(in crate::content) layers: &'a mut Vec<&'static str>,
    pub(in crate::content) rules: &'a RuleSet,
    pub(in crate::content) sink: &'a mut dyn FieldSink,
    pub(in crate::content) facts: &'a mut ServiceFacts,
    pub(in crate::content) counters: &'a mut ContentCounters,
}

/// Counters of payloads; the pipeline adds them to the metrics.
#[derive(Debug, Default)]
pub struct ContentCounters {
    /// Messages read, by type; a closed set.
    pub messages: Vec<(&'static str, u64)>,
    /// Records and units read, by format.
    pub records: Vec<(&'static str, u64)>,
    /// Payloads that were given up, by reason.
    pub given_up: Vec<(Reason, u64)>,
    /// Bytes that were skipped unread (pixel data, images).
    pub skipped_bytes: u64,
    /// Bytes that were not read because the budget was used up.
    pub unpaid_bytes: u64,
    /// Work done so far; it wraps.
    pub work: u64,
    /// What flows may spend beyond their own budgets; kept between flows.
    pub reserve: Reserve,
    /// The budget of the current flow.
    pub(in crate::content) budget: Budget,
    /// Names of people whom the format declares to be patients.
    pub(in crate::content) people: u64,
    /// The open record is one of those.
    pub(in crate::content) certain: bool,
    /// A FHIR resource of a person was read in the current step.
    pub(in crate::content) fhir: bool,
    /// The current unit, and whether it had effects that cannot be repeated.
    pub(in crate::content) unit: Option<bool>,
    /// A buffer for decoded bytes, reused between payloads.
    pub(in crate::content) piece: Vec<u8>,
    /// A ring buffer of brotli, reused between payloads.
    pub(in crate::content) window: stack::coding::SpareWindow,
    /// Declarations of the last HL7 v2 header.
    pub(in crate::content) syntax: formats::hl7v2::value::LastSyntax,
    /// A buffer for the patient of an HL7 v2 message, reused between messages.
    pub(in crate::content) patient: formats::hl7v2::PatientContext,
    /// Names that were looked up; kept between documents.
    pub(in crate::content) names: extract::tree::NamePool,
    /// Answers that showed nothing of a web service.
    pub(in crate::content) answers: extract::web_service::PlainAnswers,
    /// Lines and cells that said nothing.
    pub(in crate::content) lines: extract::labels::PlainLines,
}

impl ContentCounters {
    /// The rules were replaced: results of the old ones are forgotten.
    pub fn forget(&mut self) {
        self.names.clear();
        self.answers.forget();
        self.lines.forget();
    }
    /// The current step has failed.
    pub fn abandon(&mut self) {
        self.unit = None;
    }
    /// The current unit, if any, depends on more than its bytes.
    pub(in crate::content) fn spoil(&mut self) {
        if let Some(spoilt) = &mut self.unit {
            *spoilt = true;
        }
    }
    /// One more record of `format`.
    pub fn record(&mut self, format: &'static str) {
        bump(&mut self.records, format);
    }
    /// One more payload was given up.
    pub fn give_up(&mut self, reason: Reason) {
        bump(&mut self.given_up, reason);
    }
}

fn bump<K: PartialEq>(list: &mut Vec<(K, u64)>, key: K) {
    bump_by(list, key, 1);
}

fn bump_by<K: PartialEq>(list: &mut Vec<(K, u64)>, key: K, by: u64) {
    match list.iter_mut().find(|(k, _)| *k == key) {
        Some((_, n)) => *n += by,
        None => list.push((key, by)),
    }
}

impl Scope<'_> {
    /// The active rules for this flow.
    pub fn rules(&self) -> &RuleSet {
        self.rules
    }
    /// The direction of the payload.
    pub fn direction(&self) -> Direction {
        self.direction
    }
    /// `phi.operation` so far.
    pub fn operation(&self) -> &str {
        self.operation
    }
    /// Names the operation (an HL7 message type).
    pub fn set_operation(&mut self, operation: &str) {
        self.counters.spoil();
        self.operation.clear();
        self.operation.push_str(operation);
    }
    /// Facts about the service, from formats that contain some (MSH-3, MSH-4).
    pub fn facts(&mut self) -> &mut ServiceFacts {
        self.counters.spoil();
        self.facts
    }
    /// Starts a record of a structured format.
    pub fn begin(&mut self, content: &'static str) {
        self.begin_as(content, true);
    }
    /// Starts a record that needs combined evidence.
    pub fn begin_loose(&mut self, content: &'static str) {
        self.begin_as(content, false);
    }
    fn begin_as(&mut self, content: &'static str, structured: bool) {
        self.counters.record(content);
        self.counters.budget.record(&mut self.counters.reserve);
        self.counters.certain = structured;
        self.counters.fhir |= content == "fhir";
        let head = RecordHead {
            content,
            structured,
            direction: self.direction,
            operation: self.operation,
            carrier: self.layers,
        };
        self.sink.begin(self.id, head);
    }
    /// A field of the open record.
    pub fn field(&mut self, field: Field<'_>) {
        if !field.value.is_blank() {
            let name = field.kind == Kind::Name && self.counters.certain;
            self.counters.people += u64::from(name);
            self.sink.field(self.id, field);
        }
    }
    /// The index in `valid` of the kind of which this flow has a list of such numbers, if any.
    pub fn listed(&mut self, number: &Numbered<'_>) -> Option<usize> {
        self.sink.listed(self.direction, number)
    }
    /// A mark of the open record.
    pub fn mark(&mut self, mark: Mark) {
        self.sink.mark(self.id, mark);
    }
    /// The open record is complete.
    pub fn end(&mut self) {
        self.sink.end(self.id, self.facts);
    }
    /// An object was named; distinct ones are counted.
    pub fn object(&mut self, object: Object, uid: &str) {
        self.sink.object(object, uid);
    }
    /// A message of this type was read; the types are a closed set.
    pub fn message(&mut self, kind: &'static str) {
        self.counters.spoil();
        bump(&mut self.counters.messages, kind);
    }
    /// `bytes` were skipped unread.
    pub fn skipped(&mut self, bytes: u64) {
        self.counters.spoil();
        self.counters.skipped_bytes = self.counters.skipped_bytes.saturating_add(bytes);
    }
    /// Takes `work` from the flow's budget; false if it does not suffice.
    pub(in crate::content) fn spend(&mut self, work: u64) -> bool {
        self.counters.work = self.counters.work.wrapping_add(work);
        self.counters.budget.spend(work, &mut self.counters.reserve)
    }
    /// Runs `act` on unpacked bytes.
    pub(in crate::content) fn unpacked<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        self.counters.budget.enter_unpacked();
        let result = act(self);
        self.counters.budget.leave_unpacked();
        result
    }
    /// The flow's remaining budget.
    pub(in crate::content) fn work_left(&self) -> u64 {
        self.counters.budget.left(&self.counters.reserve)
    }
    /// `bytes` are not read, because the budget is used up.
    pub(in crate::content) fn leave(&mut self, bytes: u64) {
        self.counters.unpaid_bytes = self.counters.unpaid_bytes.saturating_add(bytes);
        self.counters.give_up(Reason::Budget);
    }
    /// The payload, or part of it, was given up.
    pub fn give_up(&mut self, reason: Reason) {
        self.counters.spoil();
        self.counters.give_up(reason);
    }
}
