//! The scanner for identifiers in text, compared with other methods. Most text has no hits, because that is
//! what networks carry.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use aho_corasick::AhoCorasick;
use common::text;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use phitap::rules::{ALL_REGIONS, DEFAULT_REGIONS, RuleSet};
use regex::bytes::{RegexSet, RegexSetBuilder};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Size of each text, bytes.
const SIZE: usize = 4 << 20;

/// Length of text in a segment or a piece of a body.
const PIECE: usize = 16 << 10;

/// CPU time of this thread, where the system reports it, so that other work does not count.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Text of the given kind without patients, `SIZE` bytes.
fn bodies(sort: &str) -> String {
    let conversation = match sort {
        "html" => text::html(400),
        "json" => text::json(400),
        _ => unreachable!("{sort}"),
    };
    let answers = conversation.0.into_iter().filter(|(client, _)| !client);
    let mut text = String::from_utf8(answers.flat_map(|(_, bytes)| bytes).collect()).unwrap();
    assert!(text.len() >= SIZE && text.is_ascii(), "{sort}: {}", text.len());
    text.truncate(SIZE);
    text
}

/// Random letters and digits in lines: as many candidates as possible.
fn noise() -> String {
    let mut numbers = common::Numbers::new(7);
    let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyz .-/\n";
    (0..SIZE).map(|_| alphabet[numbers.below(alphabet.len())] as char).collect()
}

/// Words and patterns of `rules/identifiers.toml`.
fn written() -> (Vec<String>, Vec<String>) {
    let file: toml::Table = include_str!("../rules/identifiers.toml").parse().unwrap();
    let entries = file["identifier"].as_array().unwrap();
    let words = entries.iter().flat_map(|e| e["words"].as_array().unwrap());
    let patterns = entries.iter().map(|e| format!(r"\b(?:{})\b", e["pattern"].as_str().unwrap()));
    (words.map(|w| w.as_str().unwrap().to_lowercase()).collect(), patterns.collect())
}

fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    let with = |regions: &[&str]| RuleSet::shipped().unwrap().in_regions(regions).unwrap();
    let (us, europe, all) =
        (with(DEFAULT_REGIONS), with(&["us", "gb", "de", "fr"]), with(&[ALL_REGIONS]));
    let (words, patterns) = written();
    let set: RegexSet =
        RegexSetBuilder::new(&patterns).unicode(false).case_insensitive(true).build().unwrap();
    let words = AhoCorasick::builder().ascii_case_insensitive(true).build(words).unwrap();
    for (name, text) in [("html", bodies("html")), ("json", bodies("json")), ("noise", noise())] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let pieces: Vec<&str> =
            text.as_bytes().chunks(PIECE).map(|p| std::str::from_utf8(p).unwrap()).collect();
        let mut run = |what: &str, find: &dyn Fn(&str) -> usize| {
            group.bench_function(format!("{name}/{what}"), |bencher| {
                bencher.iter_custom(|rounds| {
                    let (cpu, wall) = (cpu_time(), Instant::now());
                    for _ in 0..rounds {
                        black_box(pieces.iter().map(|p| find(black_box(p))).sum::<usize>());
                    }
                    match (cpu, cpu_time()) {
                        (Some(before), Some(after)) => after - before,
                        _ => wall.elapsed(),
                    }
                });
            });
        };
        for (what, rules) in [("us", &us), ("us,gb,de,fr", &europe), ("all", &all)] {
            run(what, &|piece| {
                let mut hits = 0;
                rules.identifiers.scan(piece, &mut |hit| hits += usize::from(hit.near.is_some()));
                hits
            });
        }
        run("other: one byte (memchr)", &|piece| {
            memchr::memchr_iter(b'@', piece.as_bytes()).count()
        });
        run("other: words (aho-corasick)", &|piece| words.find_iter(piece).count());
        run("other: patterns (regex set)", &|piece| set.matches(piece.as_bytes()).iter().count());
    }
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = scan }
criterion_main!(benches);
