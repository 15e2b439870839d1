//! `--summaries` and `phitap merge`: the result does not depend on how captures are divided over
//! sensors and workers.

mod common;

use common::Bounded as _;
use common::conversations::conversations;
use common::packets::{ethernet, pcap_header, push_record, tcp};
use common::summaries::{self, found, merge};
use common::{Key, events, hospital, is, list, phitap, split};
use phitap::decode::Side;
use phitap::decode::tcp_flags::{ACK, FIN, SYN};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;

/// Replays a capture as a sensor and keeps the events with summaries.
fn replay(key: &Key, sensor: &str, workers: &str, capture: &Path, to: &Path) {
    let events = summaries::replay(key, sensor, capture, &["--workers", workers]);
    std::fs::write(to, events).expect("written");
}

#[test]
fn a_merged_run_says_what_the_run_said() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let to = folder.path().join("all.json");
    replay(&key, "s", "2", &hospital(), &to);
    let all = events(&std::fs::read_to_string(&to).expect("events"));
    let summary = all.iter().find(|event| is(event, "run-summary")).expect("run summary");
    let merged = merge(&[&to]);
    let of = &merged["keys"][0];
    assert_eq!(of["patients"]["value"], summary["phi"]["run"]["patients"]);
    assert_eq!(of["findings"]["value"], summary["phi"]["run"]["findings"]);
    assert_eq!(of["exposures"], summary["phi"]["run"]["exposures"]);
    assert_eq!(of["key_id"], summary["phi"]["key_id"]);
    assert!(
        list(&merged["exposures"]).iter().any(|e| e["patients"]["value"].as_u64() >= Some(10)),
        "one has the points for 10 patients"
    );
    let ended = all.iter().filter(|e| is(e, "phi-exposure"));
    let ended: Vec<&Value> = ended.filter(|e| e["phi"]["exposure"]["state"] == "ended").collect();
    assert_eq!(ended.len(), 33);
    for event in ended {
        let same = |e: &&Value| {
            e["client"] == event["client"]["ip"]
                && e["server"] == event["server"]
                && e["protocol"] == event["network"]["protocol"]
        };
        let merged = list(&merged["exposures"]).iter().find(same).expect("the same exposure");
        let exposure = &event["phi"]["exposure"];
        for name in ["patients", "findings", "records", "flows"] {
            assert_eq!(merged[name]["value"], exposure[name], "{name} of {event}");
        }
        assert_eq!(merged["kinds"], exposure["identifiers"], "{event}");
        assert_eq!(merged["severity"], event["event"]["severity"], "{event}");
    }
    assert_eq!(list(&merged["runs"]).len(), 1, "runs say how much they read");
    let run = &merged["runs"][0];
    assert_eq!(run["figures"]["packets"], summary["phi"]["run"]["packets"]["read"]);
    assert_eq!(run["figures"]["over"], true);
}

#[test]
fn three_sensors_over_split_and_overlapping_traffic_give_the_numbers_of_one() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let whole = folder.path().join("whole.json");
    replay(&key, "all", "1", &hospital(), &whole);
    let truth = found(&merge(&[&whole]));
    let parts = split::over_sensors(&hospital(), 3, folder.path());
    let mut files = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let to = folder.path().join(format!("{n}.json"));
        replay(&key, &format!("s{n}"), ["1", "2", "4"][n], part, &to);
        files.push(to);
    }
    let alone = found(&merge(&files[..1]));
    assert_ne!(alone, truth, "one of them did not see everything");
    assert_eq!(found(&merge(&files)), truth);
    files.reverse();
    assert_eq!(found(&merge(&files)), truth, "in any order");
    files.push(files[0].clone());
    files.push(whole.clone());
    let twice = merge(&files);
    assert_eq!(found(&twice), truth, "twice is once");
    assert_eq!(list(&twice["runs"]).len(), 4);
    // Merged results can be merged again.
    let first = phitap(
        ["merge", "--format=summaries"]
            .map(str::to_owned)
            .into_iter()
            .chain(files[..2].iter().map(|file| file.display().to_string())),
    );
    let again = folder.path().join("again.json");
    std::fs::write(&again, first.out).expect("written");
    assert_eq!(found(&merge(&[&again, &files[2]])), truth);
}

/// For any division of a capture, sensors merged in any order give the numbers of one. Each round
/// divides it differently; `PHITAP_ROUNDS` sets how many.
#[test]
fn any_split_over_sensors_gives_the_numbers_of_one() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let truth = summaries::alone(&key, &hospital(), folder.path());
    let rounds = std::env::var("PHITAP_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut all = Vec::new();
    for round in 0..rounds {
        let sensors = 2 + round % 4;
        let parts = split::at_random(&hospital(), sensors, round as u64, folder.path());
        let numbered: Vec<(usize, &std::path::PathBuf)> = parts.iter().enumerate().collect();
        let mut files = common::on_all(&numbered, |(n, part)| {
            let to = part.with_extension("json");
            replay(&key, &format!("r{round}s{n}"), ["1", "2", "3"][n % 3], part, &to);
            to
        });
        files.rotate_left(round % sensors);
        assert_eq!(found(&merge(&files)), truth, "round {round}, {sensors} sensors");
        all.extend(files);
    }
    all.reverse();
    assert_eq!(found(&merge(&all)), truth, "all of them together");
}

#[test]
fn any_number_of_workers_writes_the_same_summaries() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let mut all = Vec::new();
    for workers in ["1", "3"] {
        let to = folder.path().join(workers);
        replay(&key, "s", workers, &hospital(), &to);
        let text = std::fs::read_to_string(&to).expect("events");
        let mut summaries: Vec<String> =
            text.lines().filter(|line| line.contains("phi-summary")).map(str::to_owned).collect();
        summaries.sort_unstable();
        all.push(summaries);
    }
    assert!(all[0].len() > 1);
    assert_eq!(all[0], all[1]);
}

#[test]
fn another_key_another_version_and_garbage_are_counted_and_said() {
    let folder = tempfile::tempdir().expect("folder");
    let key = Key::new();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    replay(&key, "s", "1", &hospital(), &ours);
    // The random key of another run.
    let (capture, to) = (hospital().display().to_string(), theirs.display().to_string());
    let args = ["replay", "--quiet", "--format=ecs", "--summaries", "-o", &to, &capture];
    assert_eq!(phitap(args).status, Some(0));
    let both = phitap(["merge", "--format=json", &ours.display().to_string(), &to]);
    assert_eq!(both.status, Some(3));
    assert!(both.err.contains("2 keys") && both.err.contains("--key-file"), "{}", both.err);
    let merged: Value = serde_json::from_str(&both.out).expect("JSON");
    assert_eq!(list(&merged["keys"]).len(), 2);
    for key in list(&merged["keys"]) {
        assert_eq!(key["patients"]["value"], 229, "counted apart");
    }
    let text = std::fs::read_to_string(&ours).expect("events");
    let newer =
        text.replace(r#""summary":{"version":1,"facts""#, r#""summary":{"version":9,"facts""#);
    assert_ne!(newer, text);
    let mixed = folder.path().join("mixed");
    std::fs::write(
        &mixed,
        format!("{text}{newer}garbage\n{{\"event\":{{\"action\":\"phi-summary\"}}}}\n"),
    )
    .expect("written");
    let run = phitap(["merge", &mixed.display().to_string()]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    assert!(run.err.contains("2 lines: no event") && run.err.contains("version 9"), "{}", run.err);
    assert!(run.out.contains("229 patients in 33 exposures"), "{}", run.out);
    let plain = folder.path().join("plain");
    std::fs::write(&plain, text.lines().filter(|l| !l.contains("phi-summary")).collect::<String>())
        .expect("written");
    let run = phitap(["merge", &plain.display().to_string()]);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("--summaries"), "{}", run.err);
    let run = phitap(["replay", "--summaries", &capture]);
    assert_eq!(run.status, Some(2));
    assert!(run.err.contains("--format ecs"), "{}", run.err);
}

/// The summaries of a capture with further options, and the exit status of the run.
fn replay_as(key: &Key, sensor: &str, to: &Path, capture: &Path, more: &[&str]) -> Option<i32> {
    let (key, to, capture) = (key.path(), to.display().to_string(), capture.display().to_string());
    let options =
        ["replay", "--quiet", "--format=ecs", "--summaries", "--key-file", &key, "-o", &to];
    phitap(options.iter().chain(&["--sensor", sensor, capture.as_str()]).chain(more)).status
}

/// What a run could not read is missing in the merged result, too.
#[test]
fn a_run_that_could_not_read_everything_makes_no_merged_all_clear() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let at = |name: &str| folder.path().join(name);
    let bytes = std::fs::read(hospital()).expect("fixture");
    let capture = at("cut short.pcap");
    std::fs::write(&capture, &bytes[..4_889]).expect("written");
    assert_eq!(replay_as(&key, "t", &at("t"), &capture, &[]), Some(3));
    let told = "sensor t could not judge everything: 1 input could not be read to the end";
    let path = at("t").display().to_string();
    let run = phitap(["merge", &path]);
    assert_eq!(run.status, Some(3), "{}", run.out);
    assert!(run.out.contains(told) && run.err.contains(told), "{}{}", run.out, run.err);
    assert!(run.out.contains("No patient data seen in what could be judged."), "{}", run.out);
    assert!(!run.out.contains("Nothing."), "{}", run.out);
    // A merged result says it again, and so does one of more runs.
    let again = phitap(["merge", "--format=summaries", &path]);
    assert_eq!(again.status, Some(3));
    std::fs::write(at("again"), again.out).expect("written");
    assert_eq!(replay_as(&key, "w", &at("w"), &hospital(), &[]), Some(0));
    let files = [at("again"), at("t"), at("w")].map(|file| file.display().to_string());
    let run = phitap(["merge", "--format=json"].into_iter().chain(files.iter().map(|f| &**f)));
    assert_eq!(run.status, Some(3), "{}", run.err);
    let merged: Value = serde_json::from_str(&run.out).expect("JSON");
    let partial: Vec<&Value> =
        list(&merged["not_judged"]).iter().filter(|run| run["partial"] == true).collect();
    assert_eq!(partial.len(), 1, "{}", merged["not_judged"]);
    assert_eq!(
        (&partial[0]["sensor"], &partial[0]["verdict"]),
        (&"t".into(), &"incomplete".into())
    );
    assert_eq!(partial[0]["unjudged"][0]["cause"], "input");
}

#[test]
fn a_run_that_read_nothing_counts_and_does_not_hinder_the_others() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let at = |name: &str| folder.path().join(name);
    let empty = at("empty.pcap");
    std::fs::write(&empty, &std::fs::read(hospital()).expect("fixture")[..24]).expect("written");
    assert_eq!(replay_as(&key, "a", &at("a"), &hospital(), &[]), Some(0));
    assert_eq!(replay_as(&key, "c", &at("c"), &empty, &[]), Some(3));
    assert_eq!(replay_as(&key, "f", &at("f"), &hospital(), &["--filter", "arp"]), Some(3));
    let files = ["a", "c", "f"].map(|name| at(name).display().to_string());
    let run = phitap(["merge"].into_iter().chain(files.iter().map(|f| &**f)));
    assert_eq!(run.status, Some(3), "{}", run.err);
    assert!(run.out.contains("3 runs of 3 sensors"), "{}", run.out);
    assert!(run.out.contains("229 patients in 33 exposures"), "{}", run.out);
    for sensor in ["sensor c read nothing", "sensor f read nothing"] {
        assert!(run.err.contains(sensor) && run.out.contains(sensor), "{}{}", run.out, run.err);
    }
    let run = phitap(["merge", &files[1]]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    assert!(!run.out.contains("Nothing."), "{}", run.out);
}

#[test]
fn facts_of_a_run_that_has_not_ended_do_not_pass_for_those_of_no_run() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let (to, facts) = (folder.path().join("all.json"), folder.path().join("facts.json"));
    replay(&key, "s", "1", &hospital(), &to);
    let text = std::fs::read_to_string(&to).expect("events");
    let found = text.lines().filter(|l| l.contains("phi-summary") && !l.contains("\"figures\""));
    let lines: String = found.map(|line| format!("{line}\n")).collect();
    std::fs::write(&facts, lines).expect("written");
    let run = phitap(["merge", &facts.display().to_string()]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(
        run.out.starts_with("How much was read is not known: no run has ended.\n"),
        "{}",
        run.out
    );
    assert!(run.out.contains("229 patients in 33 exposures"), "{}", run.out);
    assert!(!run.out.contains("0 runs"), "{}", run.out);
}

#[test]
fn the_model_of_scale_holds_at_small_size() {
    let script = Path::new(common::ROOT).join("scripts/scale.py");
    let run = std::process::Command::new("python3").arg(script).arg("--check").finish();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Records of a capture with the first association of a fixture, between other hosts and with this calling title. A
/// refusal says that the title is not known.
fn association(fixture: &str, (host, port): (u8, u16), title: &str, second: u32) -> Vec<u8> {
    let path = Path::new(common::ROOT).join(format!("fixtures/captures/{fixture}.pcap"));
    let mut recorded = conversations(&path).into_iter().next().expect("an association");
    let ends = |side: Side| match side == recorded.client {
        true => SocketAddr::from(([10, 9, 0, host], port)),
        false => SocketAddr::from(([10, 9, 1, 1], 104)),
    };
    // A-ASSOCIATE-RQ and A-ASSOCIATE-RJ (PS3.8 9.3.2, 9.3.4).
    recorded.turns[0].1[26..42].copy_from_slice(format!("{title:16}").as_bytes());
    if let Some((_, answer)) = recorded.turns.get_mut(1).filter(|(_, answer)| answer[0] == 3) {
        answer[9] = 3;
    }
    let [ours, theirs] = [recorded.client, recorded.client.other()];
    let mut sent = vec![(ours, SYN, Vec::new()), (theirs, SYN | ACK, Vec::new())];
    for (side, bytes) in &recorded.turns {
        sent.extend(bytes.chunks(1_400).map(|piece| (*side, ACK, piece.to_vec())));
    }
    sent.extend([ours, theirs].map(|side| (side, FIN | ACK, Vec::new())));
    let (mut next, mut records) = ([1_000, 9_000], Vec::new());
    for (n, (side, flags, payload)) in sent.into_iter().enumerate() {
        let (seq, ack) = (next[side.index()], next[side.other().index()]);
        let frame = ethernet(&tcp(ends(side), ends(side.other()), seq, ack, flags, &payload));
        next[side.index()] += payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        push_record(&mut records, 1_772_360_000 + second, n as u32 * 1_000, &frame);
    }
    records
}

/// What proves that a service answers anyone makes all its exposures worse, whichever sensor saw it, and where each saw a
/// part only. A refusal before it counts in the same way.
#[test]
fn a_proof_counts_wherever_it_was_seen() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let find = |second: u32| {
        (second, association("dicom-cfind-patient-pynetdicom", (9, 40_000), "WS2", second))
    };
    let echo = |host: u8, title: &str, second: u32| {
        let port = 41_000 + second as u16;
        (second, association("dicom-echo-dcmtk", (host, port), title, second))
    };
    let refused =
        |second: u32| (second, association("dicom-rejected", (7, 42_000), "CT01", second));
    let cases = [
        (vec![vec![find(0)], vec![echo(8, "ECHOSCU", 10)]], true),
        (vec![vec![find(20)], vec![echo(8, "ECHOSCU", 10)]], true),
        (vec![vec![find(0), echo(8, "WARD1", 5)], vec![echo(8, "WARD2", 10)]], true),
        (vec![vec![find(0), echo(8, "WARD1", 5)], vec![echo(6, "WARD2", 10)]], false),
        (vec![vec![find(0)], vec![echo(8, "WARD1", 5)], vec![echo(8, "WARD1", 10)]], false),
        (
            vec![vec![find(0), echo(8, "WARD1", 5)], vec![echo(8, "WARD2", 10)], vec![refused(20)]],
            true,
        ),
        (
            vec![vec![find(4), echo(8, "WARD1", 5)], vec![echo(8, "WARD2", 10)], vec![refused(0)]],
            false,
        ),
    ];
    for (n, (sensors, open)) in cases.into_iter().enumerate() {
        let mut all: Vec<_> = sensors.iter().flatten().cloned().collect();
        all.sort();
        let captures = std::iter::once(&all).chain(&sensors).enumerate();
        let files: Vec<_> = captures
            .map(|(sensor, associations)| {
                let at = folder.path().join(format!("{n}-{sensor}.pcap"));
                let records = associations.iter().flat_map(|(_, records)| records);
                let bytes: Vec<u8> = pcap_header(1).into_iter().chain(records.copied()).collect();
                std::fs::write(&at, bytes).expect("written");
                let to = at.with_extension("json");
                replay(&key, &format!("s{sensor}"), "1", &at, &to);
                to
            })
            .collect();
        let truth = found(&merge(&files[..1]));
        assert_eq!(truth["exposures"][0]["open"], open, "case {n}: {truth}");
        assert_eq!(found(&merge(&files[1..])), truth, "case {n}");
        assert_eq!(found(&merge(&files)), truth, "case {n}, each seen twice");
        // Merged results keep it.
        let parts = files[1..].iter().map(|file| file.display().to_string());
        let merged =
            phitap(["merge", "--format=summaries"].map(str::to_owned).into_iter().chain(parts));
        let again = folder.path().join("again.json");
        std::fs::write(&again, merged.out).expect("written");
        assert_eq!(found(&merge(&[again])), truth, "case {n}, merged twice");
    }
}
