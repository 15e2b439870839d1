//! Capture file to events: the whole pipeline, output to `/dev/null`.
//!
//! `PHITAP_BENCH_PCAP` names a capture to read beside those that come with the project.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clap::Parser as _;
use common::packets::{frames, write_pcap};
use common::{Numbers, dicom, text};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use phitap::cli::{Cli, Task};
use phitap::config::Config;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// A capture of conversations of all kinds.
fn generated(folder: &Path) -> PathBuf {
    let path = folder.join("generated.pcap");
    let mut flows = Vec::new();
    for n in 0..12 {
        flows.push(frames(&dicom::store(5, 256 << 10), n, 104));
        flows.push(frames(&dicom::find(100), 20 + n, 11_112));
        flows.push(frames(&text::hl7(300), 40 + n, 2575));
        flows.push(frames(&text::fhir(40, n % 2 == 0), 60 + n, 8080));
        flows.push(frames(&text::html(30), 80 + n, 80));
        // Encrypted: a TLS record header (RFC 8446 5.1) and noise, in full records.
        let mut tls = common::Conversation::default();
        for record in 0..60 {
            let mut bytes = vec![if record == 0 { 22 } else { 23 }, 3, 3, 0x40, 0];
            bytes.extend(Numbers::new(record).bytes(0x4000));
            if record == 0 {
                // A ClientHello of the length that the record has.
                bytes[5..11].copy_from_slice(&[1, 0, 0x3f, 0xfc, 3, 3]);
            }
            tls.client(bytes);
        }
        flows.push(frames(&tls, 100 + n, 443));
    }
    let file = std::fs::File::create(&path).unwrap();
    write_pcap(&mut BufWriter::new(file), &flows).unwrap();
    path
}

fn config(capture: &Path, workers: Option<usize>) -> Config {
    let capture = capture.to_str().unwrap();
    let mut arguments =
        vec!["phitap", "replay", capture, "--format=ecs", "--output=/dev/null", "--quiet"];
    let workers = workers.map(|n| format!("--workers={n}"));
    arguments.extend(workers.as_deref());
    match Task::try_from(Cli::parse_from(arguments)) {
        Ok(Task::Run(config)) => *config,
        other => panic!("{other:?}"),
    }
}

/// Checks that the generated capture is read as intended.
fn check(config: &Config) {
    let summary = phitap::pipeline::run(config).map(|o| o.summary).unwrap_or_default();
    for protocol in ["dicom", "hl7", "http"] {
        assert!(summary.streams.contains_key(protocol), "{protocol}: {:?}", summary.streams);
    }
    assert_eq!(summary.encrypted_flows, 12);
    assert_eq!(summary.gap_bytes, 0);
}

fn end_to_end(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut captures = vec![("generated".to_owned(), generated(folder.path()))];
    let hospital = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hospital.pcap");
    captures.push(("hospital".to_owned(), hospital));
    if let Some(path) = std::env::var_os("PHITAP_BENCH_PCAP") {
        captures.push(("given".to_owned(), path.into()));
    }
    let mut group = criterion.benchmark_group("end_to_end");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for (name, path) in captures {
        let size = std::fs::metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        group.throughput(Throughput::Bytes(size.len()));
        for (label, workers) in [("one_worker", Some(1)), ("all_cores", None)] {
            let config = config(&path, workers);
            let run = || match phitap::pipeline::run(&config) {
                Ok(outcome) => outcome.summary.packets_read,
                Err(error) => panic!("{}: {error}", path.display()),
            };
            assert!(run() > 0, "{name}");
            if name == "generated" {
                check(&config);
            }
            group.bench_function(BenchmarkId::new(label, &name), |bencher| bencher.iter(run));
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = end_to_end }
criterion_main!(benches);
