//! A record of a known patient with nothing new allocates nothing, however many fields it has.

// A global allocator needs `unsafe`.
#![allow(unsafe_code, clippy::expect_used)]

use phitap::capture::{PacketRef, PacketSpan};
use phitap::config::Limits;
use phitap::content::{
    ContentCounters, ContentId, Contents, Direction, Ending, Env, Evidence, Field, FieldSink,
    Media, RecordHead,
};
use phitap::identify::{Collector, Finding, IdentifyCounters, Key, Patients, Settings, ValueCache};
use phitap::phi::Phi;
use phitap::protocol::{Hint, ServiceFacts};
use phitap::rules::{Kind, RuleSet};
use phitap::time::Timestamp;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the thread's allocations.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000); // 2026-03-01

const FIELDS: [(Kind, &str); 12] = [
    (Kind::PatientId, "H0709380"),
    (Kind::Name, "Hartman^Jason^Q"),
    (Kind::BirthDate, "19591102"),
    (Kind::Sex, "M"),
    (Kind::Address, "12 Main St^^Springfield^IL^62701"),
    (Kind::Phone, "(475) 555-0132"),
    (Kind::Ssn, "536-90-4399"),
    (Kind::AccountNumber, "ACC-000123"),
    (Kind::EncounterId, "V55120"),
    (Kind::NextOfKinName, "Hartman^Eve"),
    (Kind::NextOfKinPhone, "(475) 555-0133"),
    (Kind::Email, "jason.hartman@example.org"),
];

/// Fields of PID with values.
const PID: [(usize, &str); 9] = [
    (3, "H0709380^^^HOSP&1.2.3&ISO^MR"),
    (5, "Hartman^Jason^Q^^^^L"),
    (7, "19591102"),
    (8, "M"),
    (11, "12 Main St^^Springfield^IL^62701^USA^H"),
    (13, "(475)555-0132^PRN^PH~^NET^Internet^jason.hartman@example.org"),
    (18, "ACC-000123^^^HOSP^AN"),
    (19, "536-90-4399"),
    (6, "Miller"),
];

/// A message whose patient has the first `fields` of [`PID`].
fn message(fields: usize) -> String {
    let mut pid = vec![""; 31];
    PID[..fields].iter().for_each(|(at, value)| pid[*at] = value);
    pid[0] = "PID";
    format!(
        "MSH|^~\\&|ADT|WARD|ENGINE|MAIN|20260301101502||ADT^A08^ADT_A01|4711|P|2.5\r{}\r",
        pid.join("|")
    )
}

/// State for identifying the patients of one flow.
struct Identification {
    rules: RuleSet,
    settings: Settings,
    patients: Patients,
    values: ValueCache,
    counters: IdentifyCounters,
    findings: Vec<Finding>,
}

impl Identification {
    fn new(reveal: bool) -> Self {
        Self {
            rules: RuleSet::shipped().expect("shipped rules"),
            settings: settings(reveal),
            patients: Patients::default(),
            values: ValueCache::default(),
            counters: IdentifyCounters::default(),
            findings: Vec::new(),
        }
    }

    fn collector(&mut self) -> Collector<'_> {
        Collector {
            settings: &self.settings,
            rules: &self.rules,
            now: NOW,
            packets: PacketSpan::of(PacketRef { time: NOW, ..PacketRef::default() }),
            since: PacketRef { time: NOW, ..PacketRef::default() },
            patients: &mut self.patients,
            values: &mut self.values,
            out: &mut self.findings,
            counters: &mut self.counters,
        }
    }
}

/// Allocations of 100 calls of `read`, after three warm-up calls.
fn allocations_of(mut read: impl FnMut()) -> u64 {
    for _ in 0..3 {
        read();
    }
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        read();
    }
    ALLOCATIONS.get() - before
}

/// Allocations of 100 messages with the first `fields` of [`PID`], after warm-up; and the number of
/// findings.
fn of_messages(fields: usize) -> (u64, usize) {
    let mut identification = Identification::new(false);
    let rules = RuleSet::shipped().expect("shipped rules");
    let mut contents = Contents::default();
    let (mut counted, mut facts) = (ContentCounters::default(), ServiceFacts::default());
    let message = message(fields);
    let hint = Hint {
        direction: Direction::ClientToServer,
        media: Media::Hl7v2,
        operation: "",
        codings: &[],
        layer: "mllp",
    };
    let allocations = allocations_of(|| {
        let mut sink = identification.collector();
        let mut env =
            Env { rules: &rules, sink: &mut sink, facts: &mut facts, counters: &mut counted };
        let id = contents.open(&hint);
        contents.data(id, message.as_bytes(), &mut env);
        contents.close(id, Ending::Complete, &mut env);
    });
    (allocations, identification.findings.len())
}

#[test]
fn a_known_field_of_a_message_allocates_nothing() {
    let (few, findings) = of_messages(3);
    assert_eq!(findings, 1);
    for fields in [5, PID.len()] {
        assert_eq!(of_messages(fields), (few, 1), "{fields} fields");
    }
}

fn settings(reveal: bool) -> Settings {
    let limits = Limits::default();
    Settings {
        key: Key::generate().expect("random numbers"),
        reveal,
        patients_per_flow: limits.patients_per_flow,
        identifiers_per_patient: limits.identifiers_per_patient,
    }
}

/// Allocations of 100 records with the first `fields` fields, after warm-up; and the number of
/// findings.
fn allocations(fields: usize, reveal: bool) -> (u64, usize) {
    let mut identification = Identification::new(reveal);
    let facts = ServiceFacts::default();
    let mut collector = identification.collector();
    let at = ContentId(1);
    let allocations = allocations_of(|| {
        let head = RecordHead {
            content: "hl7v2",
            structured: true,
            direction: Direction::ClientToServer,
            operation: "ADT^A08",
            carrier: &["mllp", "hl7v2"],
        };
        collector.begin(at, head);
        for (kind, value) in &FIELDS[..fields] {
            let field = Field {
                kind: *kind,
                value: Phi::new(value),
                name: "PID",
                rule: "rule",
                issuer: "HOSP",
                authority: "1.2.3",
                confidence: 1.0,
                evidence: Evidence::Declared,
            };
            collector.field(at, field);
        }
        collector.end(at, &facts);
    });
    (allocations, identification.findings.len())
}

#[test]
fn a_known_record_allocates_nothing() {
    for reveal in [false, true] {
        for fields in [2, 6, FIELDS.len()] {
            assert_eq!(allocations(fields, reveal), (0, 1), "{fields} fields, reveal {reveal}");
        }
    }
}
