//! Parts that every byte or record passes through, each measured alone: JSON tokens, records of known and new
//! patients, the driver.

#![allow(missing_docs)]

mod common;

use common::{NOW, SEGMENT, dicom, person, shared, text};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use phitap::capture::{PacketRef, PacketSpan};
use phitap::content::formats::json::tokens::{Receiver, Tokens};
use phitap::content::{ContentId, Direction, Evidence, Field, FieldSink, RecordHead};
use phitap::identify::{Collector, IdentifyCounters, Patients, ValueCache};
use phitap::phi::Phi;
use phitap::protocol::ServiceFacts;
use phitap::rules::Kind;
use std::hint::black_box;

/// Counts tokens; every string is read, as in the worst case.
#[derive(Default)]
struct Count(usize);

impl Receiver for Count {
    fn open(&mut self, _object: bool) {
        self.0 += 1;
    }
    fn close(&mut self) {
        self.0 += 1;
    }
    fn key(&mut self, key: &str) {
        self.0 += key.len();
    }
    fn wants(&mut self) -> bool {
        true
    }
    fn value(&mut self, text: &str) {
        self.0 += text.len();
    }
    fn passed(&mut self) {
        self.0 += 1;
    }
    fn number(&mut self, text: &str) {
        self.0 += text.len();
    }
    fn null(&mut self) {
        self.0 += 1;
    }
    fn inner_begin(&mut self, _front: &[u8]) -> bool {
        false
    }
    fn inner(&mut self, _bytes: &[u8]) {}
    fn inner_end(&mut self) {}
}

fn tokens(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokens");
    for (name, conversation) in [("fhir", text::fhir(40, false)), ("json", text::json(40))] {
        // The bodies of the answers.
        let bodies: Vec<&[u8]> = conversation
            .0
            .iter()
            .filter(|(client, _)| !client)
            .filter_map(|(_, bytes)| {
                bytes.get(bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4..)
            })
            .collect();
        group.throughput(Throughput::Bytes(bodies.iter().map(|b| b.len() as u64).sum()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut count = Count::default();
                for body in &bodies {
                    let mut tokens = Tokens::default();
                    for piece in body.chunks(SEGMENT) {
                        let _ = tokens.read(black_box(piece), &mut count);
                    }
                }
                count.0
            });
        });
    }
    group.finish();
}

/// A record of eight fields.
fn record(sink: &mut Collector<'_>, n: usize) {
    let person = person(n);
    let name = format!("{}^{}", person.family, person.given);
    let (year, month, day) = person.birth;
    let birth = format!("{year:04}{month:02}{day:02}");
    let account = format!("ACC-{:07}", n + 1_000_000);
    let (at, facts) = (ContentId(1), ServiceFacts::default());
    let head = RecordHead {
        content: "hl7v2",
        structured: true,
        direction: Direction::ClientToServer,
        operation: "ADT^A08",
        carrier: &["mllp", "hl7v2"],
    };
    sink.begin(at, head);
    for (kind, value) in [
        (Kind::PatientId, person.id.as_str()),
        (Kind::Name, &name),
        (Kind::BirthDate, &birth),
        (Kind::Sex, "F"),
        (Kind::Address, "12 Main St^^Springfield^IL^62701"),
        (Kind::Phone, "(475) 555-0132"),
        (Kind::AccountNumber, &account),
        (Kind::NextOfKinName, "Abernethy^Eve"),
    ] {
        let field = Field {
            kind,
            value: Phi::new(value),
            name: "PID",
            rule: "rule",
            issuer: "",
            authority: "",
            confidence: 1.0,
            evidence: Evidence::Declared,
        };
        sink.field(at, field);
    }
    sink.end(at, &facts);
}

fn records(criterion: &mut Criterion) {
    let rules = shared().rules.current();
    let mut group = criterion.benchmark_group("records");
    group.throughput(Throughput::Elements(1));
    for (name, people) in [("known", 100), ("new", usize::MAX)] {
        let (mut patients, mut values) = (Patients::default(), ValueCache::default());
        let (mut counters, mut out) = (IdentifyCounters::default(), Vec::new());
        let mut n = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut sink = Collector {
                    settings: &shared().identify,
                    rules: &rules,
                    now: NOW,
                    packets: PacketSpan::of(PacketRef { time: NOW, ..PacketRef::default() }),
                    since: PacketRef { time: NOW, ..PacketRef::default() },
                    patients: &mut patients,
                    values: &mut values,
                    out: &mut out,
                    counters: &mut counters,
                };
                record(&mut sink, n % people);
                n += 1;
                out.clear();
            });
        });
    }
    group.finish();
}

/// Segments of pixels, which the driver skips.
fn driver(criterion: &mut Criterion) {
    let conversation = dicom::store(4, 512 << 10);
    let mut group = criterion.benchmark_group("driver");
    group.throughput(Throughput::Bytes(conversation.bytes()));
    group.bench_function("pixels", |bencher| {
        bencher.iter(|| common::play(black_box(&conversation)));
    });
    // An unknown protocol, which is searched once.
    let noise = common::Numbers::new(1).bytes(64 << 10);
    group.throughput(Throughput::Bytes(noise.len() as u64));
    group.bench_function("unrecognised", |bencher| {
        bencher.iter(|| {
            let mut conversation = common::Conversation::default();
            conversation.client(noise.clone());
            common::play(black_box(&conversation))
        });
    });
    // Numbers and short names of an unknown protocol, which are all searched.
    let mut numbers = common::Numbers::new(2).bytes(256 << 10);
    for (at, byte) in numbers.iter_mut().enumerate() {
        *byte = match at % 16 {
            0..6 => 0,
            6..10 => *byte & 0x0f,
            _ => b'a' + *byte % 26,
        };
    }
    group.throughput(Throughput::Bytes(numbers.len() as u64));
    group.bench_function("searched", |bencher| {
        bencher.iter(|| {
            let mut conversation = common::Conversation::default();
            conversation.client(numbers.clone());
            common::play(black_box(&conversation))
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = tokens, records, driver }
criterion_main!(benches);
