//! Streams to findings: protocol, content and identify together, one flow, without output.

#![allow(missing_docs)]

mod common;

use common::{Conversation, dicom, play, text};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn protocols(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("protocols");
    // Name, conversation, and whether it contains patients.
    let cases: [(&str, Conversation, bool); 7] = [
        ("dicom_store_pixels", dicom::store(40, 512 << 10), true),
        ("dicom_find", dicom::find(1000), true),
        ("hl7_feed", text::hl7(1000), true),
        ("fhir_json", text::fhir(100, false), true),
        ("fhir_json_gzip", text::fhir(100, true), true),
        ("html_without_hits", text::html(60), false),
        ("json_without_hits", text::json(60), false),
    ];
    for (name, conversation, hits) in cases {
        let patients = play(&conversation);
        assert_eq!(patients > 0, hits, "{name}: {patients} patients");
        group.throughput(Throughput::Bytes(conversation.bytes()));
        group.bench_function(name, |bencher| bencher.iter(|| play(black_box(&conversation))));
    }
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = protocols }
criterion_main!(benches);
