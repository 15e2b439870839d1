//! The packets that events name, compared with an independent decoder: `frame.number` of tshark,
//! which Wireshark shows.
//!
//! `PHITAP_NO_TSHARK=1` skips the tests that need it.

mod common;

use common::Bounded as _;
use common::{ROOT, events, is, on_all, phitap};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A unit that tshark reassembles: the frame in which it is complete, and the frame of its first
/// segment.
struct Unit {
    first: u64,
    last: u64,
    time: f64,
}

fn fixtures(part: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(Path::new(ROOT).join("fixtures/captures")).expect("fixtures");
    let mut captures: Vec<PathBuf> = folder
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"))
        .filter(|path| path.file_stem().is_some_and(|s| s.to_string_lossy().contains(part)))
        .collect();
    captures.sort();
    captures
}

fn tshark(capture: &Path, filter: &str, decode_as: &[String]) -> Vec<Unit> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-n", "-Y", filter, "-T", "fields", "-E", "occurrence=a"])
        .args(["-e", "frame.number", "-e", "tcp.segment", "-e", "frame.time_epoch"])
        .args(decode_as.iter().flat_map(|what| ["-d", what.as_str()]))
        .stdin(Stdio::null())
        .finish();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let unit = |line: &str| {
        let mut parts = line.split('\t');
        let last = parts.next()?.parse().ok()?;
        let segments = parts.next()?.split(',').filter_map(|n| n.parse().ok());
        let first = segments.min().unwrap_or(last);
        Some(Unit { first, last, time: parts.next()?.parse().ok()? })
    };
    text.lines().filter_map(unit).collect()
}

/// First and last packet of every finding, as they were written.
fn findings(capture: &Path, more: &[&str]) -> Vec<(u64, u64, Value)> {
    let path = capture.to_str().expect("a path in UTF-8");
    let mut arguments = vec!["replay", "--format", "json", "--detail", "flows"];
    arguments.extend(more);
    arguments.push(path);
    let found = events(&phitap(&arguments).out).into_iter().filter(|e| is(e, "phi-finding"));
    let packets = |event: Value| {
        let evidence = &event["phi"]["evidence"];
        assert_eq!(evidence["file"], path);
        assert!(evidence.get("last_file").is_none(), "one file only");
        let number = |name: &str| evidence[name].as_u64().expect("a number");
        (number("first_packet"), number("last_packet"), event)
    };
    found.map(packets).collect()
}

fn seconds(event: &Value) -> f64 {
    let text = event["@timestamp"].as_str().expect("a time");
    let (_, time) = text.trim_end_matches('Z').split_once('T').expect("date and time");
    time.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
}

/// Whether the finding is from one record; several records span all of their packets.
fn of_one_message((_, _, event): &(u64, u64, Value)) -> bool {
    event["phi"]["records"] == 1
}

#[test]
fn findings_name_the_packets_in_which_wireshark_shows_their_messages() {
    if std::env::var_os("PHITAP_NO_TSHARK").is_some() {
        return;
    }
    let captures = fixtures("hl7");
    assert!(captures.len() > 20, "{}", captures.len());
    let timed = std::sync::atomic::AtomicUsize::new(0);
    let checked: usize = on_all(&captures, |capture| {
        let found = findings(capture, &[]);
        let mut found: Vec<_> = found.into_iter().filter(of_one_message).collect();
        found.retain(|(_, _, event)| event["network"]["protocol"] == "hl7");
        let port = |(_, _, event): &(u64, u64, Value)| {
            format!("tcp.port=={},hl7", event["server"]["port"])
        };
        let mut ports: Vec<String> = found.iter().map(port).collect();
        ports.sort();
        ports.dedup();
        let units = tshark(capture, "hl7", &ports);
        let mut checked = 0;
        for (first, last, event) in found {
            let of = units.iter().find(|unit| unit.first <= first && last <= unit.last);
            let Some(unit) = of else {
                // tshark's dissector reads only MLLP framing, and no message without its end.
                assert!(!units.iter().any(|unit| unit.first <= last && first <= unit.last));
                continue;
            };
            // The frame around the message (MLLP: 1 byte before, 2 after) may take additional
            // packets.
            assert!(
                first - unit.first <= 1 && unit.last - last <= 2,
                "{capture:?}: {first} to {last}"
            );
            if unit.last == last {
                timed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let time = unit.time.rem_euclid(86_400.0);
                assert!((seconds(&event) - time).abs() < 0.000_01, "{capture:?}: {event}");
            }
            checked += 1;
        }
        checked
    })
    .into_iter()
    .sum();
    assert!(checked > 80, "{checked}");
    assert!(timed.into_inner() > 0, "the time of a record is that of its last packet");
}

#[test]
fn documents_over_http_lie_within_the_packets_of_their_message() {
    if std::env::var_os("PHITAP_NO_TSHARK").is_some() {
        return;
    }
    let captures = fixtures("http-fhir");
    let checked: usize = on_all(&captures, |capture| {
        let units = tshark(capture, "http", &[]);
        let found = findings(capture, &[]);
        let found: Vec<_> = found.into_iter().filter(of_one_message).collect();
        for (first, last, _) in &found {
            let inside = units.iter().any(|unit| unit.first <= *first && *last <= unit.last);
            assert!(inside, "{capture:?}: {first} to {last}");
        }
        found.len()
    })
    .into_iter()
    .sum();
    assert!(checked > 5, "{checked}");
}

#[test]
fn packets_that_a_filter_excludes_count_in_the_numbers() {
    let capture = Path::new(ROOT).join("fixtures/hospital.pcap");
    let all = findings(&capture, &[]);
    let some = findings(&capture, &["--filter", "tcp port 2575"]);
    assert!(!some.is_empty() && some.len() < all.len());
    for (first, last, event) in &some {
        let same = all.iter().find(|(_, _, other)| other["event"]["id"] == event["event"]["id"]);
        let numbers = |other: &(u64, u64, Value)| (other.0, other.1);
        // An id depends on the key; flow and packets identify the finding as well.
        let known = same.map(numbers).unwrap_or_else(|| {
            let of_flow = |other: &&(u64, u64, Value)| {
                other.2["network"]["community_id"] == event["network"]["community_id"]
                    && (other.0, other.1) == (*first, *last)
            };
            all.iter().find(of_flow).map(numbers).expect("the same finding without a filter")
        });
        assert_eq!(known, (*first, *last));
    }
}

#[test]
fn an_exposure_over_several_files_names_both() {
    let folder = tempfile::tempdir().expect("folder");
    let capture = Path::new(ROOT).join("fixtures/captures/hl7-adt-a08-persistent.pcap");
    let bytes = std::fs::read(&capture).expect("capture");
    // The same conversation split into two files between two packets.
    let mut at = 24;
    for _ in 0..12 {
        let length = bytes[at + 8..at + 12].try_into().map(u32::from_le_bytes).expect("four bytes");
        at += 16 + length as usize;
    }
    let (one, two) = (folder.path().join("1.pcap"), folder.path().join("2.pcap"));
    std::fs::write(&one, &bytes[..at]).expect("written");
    std::fs::write(&two, [&bytes[..24], &bytes[at..]].concat()).expect("written");
    let [one, two] = [&one, &two].map(|path| path.to_str().expect("UTF-8"));
    let out = events(&phitap(["replay", "--format", "json", one, two]).out);
    let last = out.iter().rfind(|e| is(e, "phi-exposure")).expect("an exposure");
    let whole =
        events(&phitap(["replay", "--format", "json", capture.to_str().expect("UTF-8")]).out);
    let whole = whole.iter().rfind(|e| is(e, "phi-exposure")).expect("an exposure");
    let (cut, whole) = (&last["phi"]["evidence"], &whole["phi"]["evidence"]);
    assert_eq!((cut["file"].as_str(), cut["last_file"].as_str()), (Some(one), Some(two)));
    assert_eq!(cut["first_packet"], whole["first_packet"]);
    assert_eq!(
        cut["last_packet"].as_u64().map(|n| n + 12),
        whole["last_packet"].as_u64(),
        "packets count from 1 in each file"
    );
}

/// A block of pcapng, little-endian.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (12 + body.len().next_multiple_of(4)) as u32;
    let mut bytes = [kind.to_le_bytes(), len.to_le_bytes()].concat();
    bytes.extend(body);
    bytes.resize(len as usize - 4, 0);
    bytes.extend(len.to_le_bytes());
    bytes
}

#[test]
fn what_wireshark_lists_among_the_packets_counts_too() {
    if std::env::var_os("PHITAP_NO_TSHARK").is_some() {
        return;
    }
    let source = Path::new(ROOT).join("fixtures/captures/hl7-adt-a08-persistent.pcap");
    let bytes = std::fs::read(source).expect("capture");
    let word = |at: usize| bytes[at..at + 4].try_into().map(u32::from_le_bytes).expect("a word");
    let numbers =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let mut out = block(0x0a0d_0d0a, &numbers(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    out.extend(block(1, &numbers(&[word(20), 65_535])));
    // Not listed: names, statistics, secrets, unknown blocks.
    let silent = [(4, numbers(&[0])), (5, numbers(&[0, 0, 0])), (0x77, b"abcd".to_vec())];
    let entry = b"__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=x\n".to_vec();
    let custom = [numbers(&[32_473]), b"abcd".to_vec()].concat();
    let listed = [(9, entry), (0xbad, custom.clone()), (0x4000_0bad, custom)];
    let (mut at, mut n) = (24, 0);
    while at + 16 <= bytes.len() {
        for (kind, body) in silent.iter().chain(&listed[..n % 4]) {
            out.extend(block(*kind, body));
        }
        let micros = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        let (caplen, len) = (word(at + 8), word(at + 12));
        let head = numbers(&[0, (micros >> 32) as u32, micros as u32, caplen, len]);
        let data = &bytes[at + 16..at + 16 + caplen as usize];
        out.extend(block(6, &[&head, data].concat()));
        (at, n) = (at + 16 + caplen as usize, n + 1);
    }
    let folder = tempfile::tempdir().expect("folder");
    let capture = folder.path().join("mixed.pcapng");
    std::fs::write(&capture, out).expect("written");
    let units = tshark(&capture, "hl7", &[]);
    let found = findings(&capture, &[]);
    let agree = found.iter().filter(|(_, last, _)| units.iter().any(|unit| unit.last == *last));
    // tshark recognises the protocol from the second message on.
    assert!(found.len() > 5 && agree.count() >= found.len() - 1);
}
