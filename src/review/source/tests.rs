//! Files of events with repeated, truncated and forged lines.

use super::lines;
use super::*;
use std::collections::BTreeSet;
use std::io::Cursor;

const EXPOSURE: &str = r#"{"@timestamp":"2026-03-01T10:15:02.123456Z","event":{"action":"phi-exposure","id":"01A","severity":73,"start":"2026-03-01T10:15:00.000000Z","end":"2026-03-01T10:15:02.000000Z"},"observer":{"product":"phitap","version":"0.1.0","name":"ward"},"client":{"ip":"203.0.113.9"},"server":{"ip":"10.1.2.3","port":11112},"network":{"transport":"tcp","protocol":"dicom","community_id":"1:abc","direction":"inbound"},"phi":{"service":{"encrypted":false,"authentication":"none","interfaces":[{"kind":"pacs","product":"","open":true}]},"exposure":{"id":"01A","fingerprint":"x_aaaaaaaaaaaaaaaaaaaa","state":"open","patients":1,"findings":1,"records":2,"flows":1,"operations":["C-FIND"],"identifiers":{"name":1}},"key_id":"k1"}}"#;
const FINDING: &str = r#"{"@timestamp":"2026-03-01T10:15:02.000000Z","event":{"action":"phi-finding","id":"01F","severity":73},"observer":{"name":"ward"},"client":{"ip":"203.0.113.9","port":5000},"server":{"ip":"10.1.2.3","port":11112},"network":{"transport":"tcp","protocol":"dicom"},"rule":{"id":"dicom-patient"},"phi":{"records":2,"evidence":{"file":"a.pcap","first_packet":3,"last_packet":9},"patient":{"token":"p_bbbbbbbbbbbbbbbbbbbb","identifiers":[{"kind":"name","value":"H***","token":"i_cccccccccccccccccccc","field":"(0010,0010)"}],"kinds":["sex"]},"exposure":{"id":"01A"}}}"#;
const SUMMARY: &str = r#"{"@timestamp":"2026-03-01T11:00:00.000000Z","event":{"action":"run-summary"},"observer":{"name":"ward"},"phi":{"run":{"started":"2026-03-01T10:00:00.000000Z","ended":"2026-03-01T11:00:00.000000Z"},"key_id":"k1"}}"#;

fn read_text(text: &str, filter: &Filter) -> Result<Results, ReadError> {
    lines::read(Cursor::new(text.as_bytes().to_vec()), Path::new("events.json"), filter)
}

#[test]
fn a_run_is_read_with_its_exposures_and_patients() {
    let text = format!("{FINDING}\n{EXPOSURE}\n{SUMMARY}\n");
    let results = read_text(&text, &Filter::default()).expect("reads");
    assert_eq!(results.losses, ReadLosses::default());
    let [run] = &results.runs[..] else { panic!("{:?}", results.runs) };
    assert!(run.ended && run.sensor == "ward" && run.key_id == "k1");
    assert_eq!(run.files, ["a.pcap"]);
    let [exposure] = &results.exposures[..] else { panic!() };
    assert!(exposure.open && exposure.severity == 73 && exposure.patients == 1);
    let [patient] = &results.patients[..] else { panic!() };
    assert_eq!(patient.kinds, ["sex", "name"]);
    assert_eq!(patient.seen[0].exposure, Some(0));
    assert_eq!(patient.seen[0].evidence.as_ref().map(|e| e.last_packet), Some(9));
}

#[test]
fn a_later_line_replaces_an_earlier_one_of_its_id_within_a_run_only() {
    let worse = EXPOSURE.replace("\"severity\":73", "\"severity\":90");
    let more = FINDING.replace("\"records\":2", "\"records\":5");
    let text = format!("{FINDING}\n{EXPOSURE}\n{worse}\n{more}\n{SUMMARY}\n{EXPOSURE}\n");
    let results = read_text(&text, &Filter::default()).expect("reads");
    let graded: Vec<(usize, u8)> = results.exposures.iter().map(|e| (e.run, e.severity)).collect();
    assert_eq!(graded, [(0, 90), (1, 73)]);
    assert_eq!((results.patients[0].records, results.patients[0].seen.len()), (5, 1));
    assert_eq!(results.runs.iter().map(|r| r.ended).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn garbage_is_counted_and_nothing_else_is_lost() {
    let deep = "[".repeat(100_000);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
    let forged = EXPOSURE.replace("10.1.2.3", "not-an-address");
    let unknown = SUMMARY.replace("run-summary", "something-else");
    let cut = &EXPOSURE[..200];
    let bytes = [
        EXPOSURE.as_bytes(),
        b"\n\xff\xfe\x00garbage\n\n",
        deep.as_bytes(),
        b"\n",
        long.as_bytes(),
        b"\n",
        forged.as_bytes(),
        b"\n",
        unknown.as_bytes(),
        b"\n",
        FINDING.as_bytes(),
        b"\r\n",
        cut.as_bytes(),
    ]
    .concat();
    let results =
        lines::read(Cursor::new(bytes), Path::new("e"), &Filter::default()).expect("reads");
    assert_eq!((results.losses.garbage, results.losses.too_long), (5, 1));
    assert_eq!((results.exposures.len(), results.patients.len()), (1, 1));
}

#[test]
fn a_file_without_events_is_refused() {
    for text in ["", "\n\n", "hello\n", "{\"event\":{\"action\":\"alert\"}}\n"] {
        let error = read_text(text, &Filter::default()).expect_err("refused");
        assert!(error.to_string().contains("--format json"), "{error}");
    }
}

#[test]
fn filters_leave_what_was_asked_for_with_right_places() {
    let other = EXPOSURE.replace("01A", "01B").replace("10.1.2.3", "10.9.9.9");
    let text = format!("{other}\n{EXPOSURE}\n{FINDING}\n{SUMMARY}\n");
    let of = |filter: Filter| read_text(&text, &filter).expect("reads");
    let only =
        of(Filter { servers: vec!["10.1.0.0/16".parse().expect("block")], ..Filter::default() });
    assert_eq!((only.exposures.len(), only.patients.len()), (1, 1));
    assert_eq!(only.patients[0].seen[0].exposure, Some(0), "its place after the other has gone");
    let none = of(Filter { severity: 80, ..Filter::default() });
    assert_eq!((none.exposures.len(), none.patients.len()), (0, 0));
    let late = event::time("2026-03-01T10:15:03Z");
    let none = of(Filter { since: late, ..Filter::default() });
    assert_eq!((none.exposures.len(), none.patients.len()), (0, 0));
    let some = of(Filter { until: late, tokens: vec!["p_other".into()], ..Filter::default() });
    assert_eq!((some.exposures.len(), some.patients.len()), (2, 0));
    assert!(of(Filter { sensors: vec!["other".into()], ..Filter::default() }).runs.is_empty());
    let named =
        of(Filter { exposures: vec!["x_AAAAAAAAAAAAAAAAAAAA".into()], ..Filter::default() });
    assert_eq!(named.exposures.len(), 2, "by fingerprint, in any case of letters");
}

#[test]
fn events_that_list_many_things_take_no_more_memory_than_is_granted() {
    // A list of patients whose sighting has a long text, which each of them would repeat.
    let list = |line: usize| {
        let tokens: Vec<String> = (0..1000).map(|n| format!("\"p_{line}-{n}\"")).collect();
        let list = format!("\"patients\":[{{\"kinds\":[],\"tokens\":[{}]}}]", tokens.join(","));
        let event =
            FINDING.replace("\"patient\":{", "\"unused\":{").replace("\"records\":2", &list);
        event.replace("dicom-patient", &"r".repeat(30_000))
    };
    let held = |results: &Results| -> usize {
        let seen = results.patients.iter().flat_map(|patient| &patient.seen);
        seen.map(|seen| seen.rule.len()).sum()
    };
    let lines: Vec<String> = (0..20).map(list).collect();
    let one = read_text(&lines[0], &Filter::default()).expect("reads");
    assert_eq!((one.patients.len(), one.losses.none()), (1000, true));
    let all = read_text(&lines.join("\n"), &Filter::default()).expect("reads");
    assert!(held(&all) < 300 << 20, "{} bytes", held(&all));
    assert!((5000..20_000).contains(&all.patients.len()), "{}", all.patients.len());
    assert!(all.losses.patients > 0 && all.losses.entries > 0);
    // Exposures of many values, each of which is small.
    let exposure = |n: usize, values: usize| {
        let many = format!("\"network\":{{\"more\":[{}0],", "0,".repeat(values));
        EXPOSURE.replace("01A", &format!("0{n}")).replace("\"network\":{", &many)
    };
    let lines: Vec<String> = (0..2000).map(|n| exposure(n, 4000)).collect();
    let all = read_text(&lines.join("\n"), &Filter::default()).expect("reads");
    assert_eq!(all.exposures.len() as u64 + all.losses.entries, 2000);
    assert!((1200..1900).contains(&all.exposures.len()), "{}", all.exposures.len());
    // One that would take more than any that is written.
    let one = read_text(&exposure(0, 30_000), &Filter::default()).expect("reads");
    assert_eq!((one.exposures.len(), one.losses.entries), (0, 1));
    // Kinds of identifiers: there are some 30.
    let kinds: Vec<String> = (0..3000).map(|n| format!("\"k{n}\"")).collect();
    let many = format!("\"kinds\":[{}]", kinds.join(","));
    let one = read_text(&FINDING.replace("\"kinds\":[\"sex\"]", &many), &Filter::default());
    assert!(one.expect("reads").patients[0].kinds.len() <= 64);
    // The summary of a run lists its files.
    let long =
        SUMMARY.replace("\"run\":{", &format!("\"run\":{{\"x\":\"{}\",", "x".repeat(70_000)));
    let results = read_text(&format!("{FINDING}\n{long}"), &Filter::default()).expect("reads");
    assert!(results.losses.none() && results.runs[0].ended);
    // And an event that no run writes.
    let long = EXPOSURE.replace("C-FIND", &"x".repeat(70_000));
    let text = format!("{FINDING}\n{long}");
    let results = read_text(&text, &Filter::default()).expect("reads");
    assert_eq!((results.losses.too_long, results.exposures.len()), (1, 0));
}

/// One exposure in several runs: `EXPOSURE` with these sensor, id, times and patients, and its finding.
fn seen_by(sensor: &str, id: &str, hour: u32, tokens: &[&str]) -> String {
    let of = |event: &str| {
        let event = event.replace("T10:", &format!("T{hour}:")).replace("01A", id);
        event.replace("\"name\":\"ward\"", &format!("\"name\":\"{sensor}\""))
    };
    let exposure =
        of(EXPOSURE).replace("\"patients\":1", &format!("\"patients\":{}", tokens.len()));
    let mut text = format!("{exposure}\n");
    for (n, token) in tokens.iter().enumerate() {
        let finding = of(FINDING).replace("01F", &format!("{id}{n}"));
        text += &finding.replace("p_bbbbbbbbbbbbbbbbbbbb", token);
        text.push('\n');
    }
    text + &of(SUMMARY) + "\n"
}

fn joined(text: &str) -> Results {
    let mut results = read_text(text, &Filter::default()).expect("reads");
    results.join_runs();
    results
}

#[test]
fn runs_at_different_times_are_added_up_and_the_same_traffic_counts_once() {
    let (one, other) =
        (seen_by("ward", "01A", 10, &["p_1", "p_2"]), seen_by("ward", "01B", 12, &["p_2", "p_3"]));
    let results = joined(&format!("{one}{other}"));
    let [exposure] = &results.exposures[..] else { panic!("{:?}", results.exposures) };
    assert_eq!((exposure.records, exposure.findings, exposure.flows), (4, 2, 2));
    assert_eq!((exposure.patients, exposure.patients_bounds), (3, (3, 3)));
    assert_eq!(exposure.runs().collect::<BTreeSet<_>>(), BTreeSet::from([0, 1]));
    assert_eq!(exposure.first.to_string(), "2026-03-01T10:15:00.000000Z");
    assert_eq!(exposure.last.to_string(), "2026-03-01T12:15:02.000000Z");
    assert_eq!(exposure.event["phi"]["exposure"]["patients"], 3, "the page reads the event");
    assert_eq!(exposure.event["event"]["start"], "2026-03-01T10:15:00.000000Z");
    let tokens: Vec<(&str, u64)> =
        results.patients.iter().map(|p| (p.token.as_str(), p.records)).collect();
    assert_eq!(tokens, [("p_1", 2), ("p_2", 4), ("p_3", 2)]);
    assert!(results.patients.iter().flat_map(|p| &p.seen).all(|seen| seen.exposure == Some(0)));
    // The same capture again, and another sensor at the same time, add nothing.
    let again = seen_by("core", "01A", 10, &["p_1", "p_2"]);
    let beside = seen_by("hall", "01C", 12, &["p_2", "p_3"]);
    let results = joined(&format!("{one}{other}{again}{beside}"));
    let [exposure] = &results.exposures[..] else { panic!("{:?}", results.exposures) };
    assert_eq!((exposure.records, exposure.findings, exposure.flows), (4, 2, 2));
    assert_eq!((exposure.patients, exposure.patients_bounds), (3, (3, 3)));
    assert_eq!((exposure.runs().count(), results.runs.len()), (4, 4));
    let records: Vec<u64> = results.patients.iter().map(|p| p.records).collect();
    assert_eq!(records, [2, 4, 2]);
}

#[test]
fn the_worst_run_is_shown_and_unknown_patients_are_between_bounds() {
    let bare = |text: String| -> String {
        let lines = text.lines().filter(|line| !line.contains("phi-finding"));
        lines.map(|line| format!("{line}\n")).collect()
    };
    let worse = bare(seen_by("ward", "01A", 10, &["p_1", "p_2"]))
        .replace("\"severity\":73", "\"severity\":90");
    let later = bare(seen_by("ward", "01B", 12, &["p_2", "p_3", "p_4"]));
    let results = joined(&format!("{worse}{later}"));
    let [exposure] = &results.exposures[..] else { panic!("{:?}", results.exposures) };
    assert_eq!((exposure.severity, exposure.id.as_str()), (90, "01A"));
    assert_eq!((exposure.patients, exposure.patients_bounds), (3, (3, 5)));
    assert_eq!(exposure.event["phi"]["exposure"]["patients_bounds"]["high"], 5);
    // Another client is another exposure, whatever else is the same.
    let fingerprint = later.replace("x_aaaaaaaaaaaaaaaaaaaa", "x_bbbbbbbbbbbbbbbbbbbb");
    assert_eq!(joined(&format!("{worse}{fingerprint}")).exposures.len(), 2);
}

#[test]
fn names_in_events_take_no_more_memory_than_is_granted() {
    const GRANT: usize = 4 << 20;
    let read = |lines: &[String]| {
        let input = Cursor::new(lines.join("\n"));
        let grant = grant::Grant::of(GRANT);
        lines::read_within(grant, input, Path::new("e"), &Filter::default()).expect("reads")
    };
    let long = |n: usize| format!("{n}-{}", "x".repeat(30_000));
    // Capture files, each of another name.
    let lines: Vec<String> = (0..200).map(|n| FINDING.replace("a.pcap", &long(n))).collect();
    let all = read(&lines);
    let held: usize = all.runs.iter().flat_map(|run| &run.files).map(String::len).sum();
    assert!((1 << 19..GRANT).contains(&held), "{held} bytes of names of files");
    assert!(all.losses.entries > 0);
    // As many sensors as events.
    let lines: Vec<String> = (0..200).map(|n| EXPOSURE.replace("ward", &long(n))).collect();
    let all = read(&lines);
    let held: usize = all.runs.iter().map(|run| run.sensor.len()).sum();
    assert!((1 << 19..GRANT).contains(&held), "{held} bytes of names of sensors");
    // Patients of a list share the id of their exposure and their kinds.
    let list = |line: usize, kinds: &str, exposure: &str| {
        let tokens: Vec<String> = (0..200).map(|n| format!("\"p_{line}-{n}\"")).collect();
        let list = format!("{{\"kinds\":[{kinds}],\"tokens\":[{}]}}", tokens.join(","));
        let event = FINDING.replace("\"records\":2", &format!("\"patients\":[{list}]"));
        event.replace("\"patient\":{", "\"unused\":{").replace("01A", exposure)
    };
    let kinds = format!("\"sex\",\"{}\"", long(0));
    let all = read(&[list(0, &kinds, "01A")]);
    assert_eq!(all.patients.len(), 200);
    assert!(all.patients.iter().all(|patient| patient.kinds == ["sex"]));
    let all = read(&[list(0, "", &long(0)), list(1, "", &long(1))]);
    assert!((50..200).contains(&all.patients.len()), "{}", all.patients.len());
    assert!(all.losses.patients > 50, "{:?}", all.losses);
}
