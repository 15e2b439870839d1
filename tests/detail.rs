//! Levels of detail, on a generated capture with many clients and repeated patients.

mod common;

use common::packets::{ethernet, pcap_header, push_record, tcp};
use common::{Key, Run, events, is, phitap};
use serde_json::Value;
use std::io::Write as _;

/// Patients of the capture.
const PATIENTS: usize = 40;
/// Clients, each with several connections.
const CLIENTS: usize = 12;
/// Messages per connection; every patient occurs more than once in each.
const MESSAGES: usize = 100;

fn message(patient: usize, n: usize) -> Vec<u8> {
    let text = format!(
        "MSH|^~\\&|ADT|WARD|ENGINE|MAIN|20260301101502||ADT^A08^ADT_A01|{n}|P|2.5\r\
         PID|1||MRN{:06}^^^WARD^MR||Testmann^Anna{patient}||19{:02}0412|F|||\
         {patient} Elm Street^^Springfield^IL^62701||(217)555-{:04}\r",
        4711 + patient,
        30 + patient,
        1000 + patient,
    );
    [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()
}

/// A segment from `client` to the service, in an Ethernet frame.
fn frame(client: usize, port: u16, seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let client = u8::try_from(client).expect("few clients");
    let (from, to) = (([10, 1, 0, client], port).into(), ([10, 1, 2, 3], 2575).into());
    ethernet(&tcp(from, to, seq, 0, flags, payload))
}

/// A capture of the frames that `fill` sends, one every ten milliseconds.
fn capture_of(fill: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Vec<u8> {
    let mut bytes = pcap_header(1);
    let mut n = 0u32;
    let mut put = |frame: &[u8]| {
        push_record(&mut bytes, 1_772_360_102 + n / 100, n % 100 * 10_000, frame);
        n += 1;
    };
    fill(&mut put);
    bytes
}

/// Every client opens two connections, one after the other, and sends the patients in turn.
fn capture() -> Vec<u8> {
    capture_of(|put| {
        for connection in 0..2u16 {
            for client in 0..CLIENTS {
                let messages = (0..MESSAGES).map(|n| message((client + n) % PATIENTS, n));
                connection_of(client, 40_000 + connection, messages, put);
            }
        }
    })
}

/// A connection of `client` with these messages, one per packet.
fn connection_of(
    client: usize,
    port: u16,
    messages: impl Iterator<Item = Vec<u8>>,
    put: &mut dyn FnMut(&[u8]),
) {
    let mut seq = 1;
    put(&frame(client, port, 0, 2, b""));
    for message in messages {
        put(&frame(client, port, seq, 0x18, &message));
        seq += u32::try_from(message.len()).expect("short");
    }
    put(&frame(client, port, seq, 0x11, b""));
}

struct Made {
    key: Key,
    folder: tempfile::TempDir,
}

impl Made {
    fn new() -> Self {
        Self::with(&capture())
    }

    fn with(capture: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut file = std::fs::File::create(folder.path().join("made.pcap")).expect("file");
        file.write_all(capture).expect("written");
        Self { key: Key::new(), folder }
    }

    fn run(&self, options: &[&str]) -> Run {
        let capture = self.folder.path().join("made.pcap").display().to_string();
        let key = self.key.path();
        let given = ["replay", "-q", "--format", "json", "--key-file", &key];
        phitap(given.iter().chain(options).chain(&[capture.as_str()]))
    }

    fn events(&self, options: &[&str]) -> Vec<Value> {
        let run = self.run(options);
        assert_eq!(run.status, Some(0), "{}", run.err);
        events(&run.out)
    }
}

fn of<'a>(events: &'a [Value], action: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| is(e, action)).collect()
}

/// The median size of these events, bytes of JSON with the end of the line.
fn median(events: &[&Value]) -> usize {
    let mut sizes: Vec<usize> = events.iter().map(|e| e.to_string().len() + 1).collect();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

#[test]
fn counts_are_the_same_at_every_level_and_exact() {
    let made = Made::new();
    let levels = ["exposures", "patients", "flows"].map(|l| made.events(&["--detail", l]));
    let counts = levels.each_ref().map(|all| {
        let exposures: Vec<Value> =
            of(all, "phi-exposure").into_iter().map(|e| e["phi"].clone()).collect();
        (exposures, all.last().expect("summary")["phi"]["run"].clone())
    });
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[1], counts[2]);
    let (exposures, run) = &counts[0];
    let ended: Vec<&Value> =
        exposures.iter().map(|e| &e["exposure"]).filter(|e| e["state"] == "ended").collect();
    assert_eq!(ended.len(), CLIENTS);
    for exposure in ended {
        assert_eq!(exposure["records"], 2 * MESSAGES);
        assert_eq!(exposure["patients"], PATIENTS);
        assert_eq!(exposure["flows"], 2);
        assert_eq!(exposure["findings"], 2 * PATIENTS);
        assert_eq!(exposure["identifiers"]["phone"], 2 * PATIENTS);
    }
    assert_eq!(run["patients"], PATIENTS);
    assert_eq!(run["findings"], 2 * PATIENTS * CLIENTS);
    let findings = levels.each_ref().map(|all| of(all, "phi-finding").len());
    // With `patients`, the findings of this busy service are folded after the first few clients.
    assert_eq!((findings[0], findings[2]), (0, 2 * PATIENTS * CLIENTS));
    assert!((PATIENTS..4 * PATIENTS * 3).contains(&findings[1]), "{findings:?}");
}

#[test]
fn the_default_of_replay_is_patients_and_the_file_can_say_so_too() {
    let made = Made::new();
    let default = made.run(&[]).out;
    assert!(default == made.run(&["--detail", "patients"]).out);
    let config = made.folder.path().join("phitap.toml").display().to_string();
    std::fs::write(&config, "detail = \"exposures\"\n").expect("written");
    assert!(of(&made.events(&["--config", &config]), "phi-finding").is_empty());
    assert!(made.run(&["--config", &config, "--detail", "patients"]).out == default);
}

#[test]
fn how_many_workers_there_are_changes_nothing_at_any_level() {
    let made = Made::new();
    for level in ["exposures", "patients", "flows"] {
        let [one, three] = ["1", "3"].map(|n| made.run(&["--detail", level, "--workers", n]).out);
        let differs = one.lines().zip(three.lines()).find(|(one, three)| one != three);
        assert!(one == three, "{level}: {differs:?}");
    }
}

#[test]
fn connections_that_the_end_of_the_capture_cuts_end_at_one_time_for_any_number_of_workers() {
    let made = Made::with(&capture_of(|put| {
        for client in 0..CLIENTS {
            put(&frame(client, 40_000, 0, 2, b""));
            put(&frame(client, 40_000, 1, 0x18, &message(client, client)));
        }
    }));
    let one = made.run(&["--workers", "1"]).out;
    assert!(events(&one).iter().any(|e| is(e, "service-seen")), "{one}");
    for workers in ["2", "3", "5"] {
        let many = made.run(&["--workers", workers]).out;
        let differs = one.lines().zip(many.lines()).find(|(one, many)| one != many);
        assert!(one == many, "{workers}: {differs:?}");
    }
}

#[test]
fn events_are_lean() {
    let all = Made::new().events(&[]);
    let findings = of(&all, "phi-finding");
    assert!(median(&findings) <= 1_300, "{}", median(&findings));
    for exposure in of(&all, "phi-exposure") {
        assert!(exposure.to_string().len() < 3_000, "{exposure}");
    }
    for finding in &findings {
        assert_eq!(finding["event"]["kind"], "event");
        assert!(finding["phi"].get("service").is_none());
        let exposure = &finding["phi"]["exposure"];
        assert_eq!(exposure.as_object().expect("object").len(), 1, "{exposure}");
        let is_its = |e: &&&Value| e["phi"]["exposure"]["id"] == exposure["id"];
        assert!(of(&all, "phi-exposure").iter().any(|e| is_its(&e)));
    }
    assert_eq!(of(&all, "phi-exposure")[0]["event"]["kind"], "alert");
    assert!(is(all.last().expect("events"), "run-summary"));
}

#[test]
fn thousands_of_patients_of_a_service_are_listed_and_each_is_named_once() {
    const MANY: usize = 3_000;
    // Laboratory results: a kilobyte and a half each.
    let result = "OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|136-145|N|||F\r".repeat(25);
    let laboratory = |n: usize| {
        let mut message = message(n, n);
        message.truncate(message.len() - 2);
        [message.as_slice(), result.as_bytes(), b"\x1c\r"].concat()
    };
    let capture = capture_of(|put| connection_of(0, 40_000, (0..MANY).map(laboratory), put));
    let made = Made::with(&capture);
    let run = made.run(&["--detail", "patients"]);
    assert!(run.out.len() < capture.len() * 15 / 100, "{} of {}", run.out.len(), capture.len());
    let all = events(&run.out);
    let findings = of(&all, "phi-finding");
    let token = |event: &Value| event["phi"]["patient"]["token"].as_str().map(str::to_owned);
    let mut named: Vec<String> = findings.iter().filter_map(|e| token(e)).collect();
    let lists = findings.iter().filter_map(|e| e["phi"]["patients"].as_array()).flatten();
    let listed = lists.flat_map(|group| group["tokens"].as_array().expect("tokens"));
    named.extend(listed.map(|token| token.as_str().expect("a token").to_owned()));
    assert_eq!(named.len(), MANY);
    named.sort();
    named.dedup();
    assert_eq!(named.len(), MANY);
    // The same people as with full detail.
    let every = made.run(&["--detail", "flows"]);
    let mut flows: Vec<String> = events(&every.out).iter().filter_map(token).collect();
    flows.sort();
    flows.dedup();
    assert!(named == flows);
}
