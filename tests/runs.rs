//! Results of several runs are one: each exposure, patient, service and host once. And results that are damaged, that
//! come through a pipe, or whose answer is not read to its end.
#![cfg(feature = "store")]

mod common;

use common::Bounded as _;
use common::{Key, PHITAP, ROOT, Run, events, hospital, phitap};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

fn lines(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn replay(key: &Key, more: &[&str]) -> Run {
    let key = key.path();
    let run = phitap(["replay", "--quiet", "--key-file", &key].iter().chain(more));
    assert_eq!(run.status, Some(0), "{}", run.err);
    run
}

/// A folder for files of a test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// What a row says, apart from the runs that saw it.
fn fact(row: &Value) -> Value {
    let mut row = row.clone();
    for of_run in ["runs", "sensors"] {
        row.as_object_mut().expect("an object").remove(of_run);
    }
    row
}

#[test]
fn what_several_runs_saw_is_listed_once() {
    let (key, folder) = (Key::new(), Folder::new());
    let (one, two) = (folder.at("one.db"), folder.at("two.db"));
    let capture = hospital().display().to_string();
    replay(&key, &["--store", &one, &capture]);
    replay(&key, &["--store", &two, "--sensor", "ward", &capture]);
    replay(&key, &["--store", &two, "--sensor", "core", &capture]);
    for (listing, rows) in [("exposures", 33), ("patients", 229), ("services", 0), ("assets", 0)] {
        let of = |store: &str, more: &[&str]| {
            let ask = ["query", store, listing, "--format", "json"];
            let run = phitap(ask.iter().chain(more));
            assert_eq!(run.status, Some(0), "{listing}: {}", run.err);
            lines(&run)
        };
        let (alone, both, apart) = (of(&one, &[]), of(&two, &[]), of(&two, &["--by-run"]));
        assert!(rows == 0 || alone.len() == rows, "{listing}: {}", alone.len());
        assert_eq!((both.len(), apart.len()), (alone.len(), 2 * alone.len()), "{listing}");
        let facts = |rows: &[Value]| -> BTreeSet<String> {
            rows.iter().map(|row| fact(row).to_string()).collect()
        };
        // The same traffic twice counts once.
        assert_eq!(facts(&both), facts(&alone), "{listing}");
        for row in &both {
            assert_eq!(row["runs"], serde_json::json!([1, 2]), "{row}");
            assert_eq!(row["sensors"], serde_json::json!(["core", "ward"]), "{row}");
        }
        assert!(apart.iter().all(|row| row["runs"].as_array().is_some_and(|runs| runs.len() == 1)));
        assert_eq!(of(&two, &["--run", "2"]).len(), alone.len(), "{listing}");
        assert_eq!(of(&two, &["--sensor", "core"]).len(), alone.len(), "{listing}");
    }
    let table = phitap(["query", &two, "exposures"]);
    assert!(table.out.lines().next().is_some_and(|head| head.contains("Runs")), "{}", table.out);
    assert!(table.out.contains("1, 2"), "{}", table.out);
    // And so is where a person was seen.
    let revealed = replay(&key, &["--format", "json", "--reveal", &capture]);
    let finding = events(&revealed.out).into_iter().find(|e| common::is(e, "phi-finding"));
    let finding = finding.expect("a finding");
    let name = common::list(&finding["phi"]["patient"]["identifiers"])
        .iter()
        .find(|i| i["kind"] == "name")
        .map(|i| common::string(&i["value"]).to_owned())
        .expect("a name");
    let list = folder.at("person.txt");
    std::fs::write(&list, format!("name: {name}\n")).expect("written");
    let key = key.path();
    let find = |store: &str| {
        let ask = ["find", store, "--key-file", &key, "--from", &list, "--format", "json"];
        let run = phitap(ask);
        assert_eq!(run.status, Some(10), "{}", run.err);
        lines(&run).iter().map(|row| row["finding"].to_string()).collect::<Vec<_>>()
    };
    assert!(!find(&one).is_empty());
    assert_eq!(find(&two), find(&one));
    // A report has each of them once, too.
    let report = phitap(["report", &two]);
    assert_eq!(report.status, Some(0), "{}", report.err);
    let (_, model) = report.out.split_once("id=\"data\">").expect("a model");
    let (model, _) = model.split_once("</script>").expect("its end");
    let model: Value = serde_json::from_str(model).expect("JSON");
    assert_eq!(model["exposures"].as_array().map(Vec::len), Some(33));
    assert_eq!(model["patients"], 229);
}

/// Two captures, one after the other, with patients in common.
#[test]
fn runs_over_different_traffic_are_added_up_and_their_patients_counted_once() {
    let (key, folder) = (Key::new(), Folder::new());
    let capture = std::fs::read(hospital()).expect("the hour");
    // The same hour a day later: times are moved, nothing else.
    let mut later = capture.clone();
    let mut at = 24;
    while let Some(head) = later.get_mut(at..at + 16) {
        let time = u32::from_le_bytes(head[..4].try_into().expect("4 bytes"));
        head[..4].copy_from_slice(&(time + 86_400).to_le_bytes());
        at += 16 + u32::from_le_bytes(head[8..12].try_into().expect("4 bytes")) as usize;
    }
    let path = folder.at("later.pcap");
    std::fs::write(&path, later).expect("written");
    let first = hospital().display().to_string();
    for source in ["runs.db", "runs.json"] {
        let to = folder.at(source);
        let mut all = String::new();
        for capture in [&first, &path] {
            if source.ends_with("db") {
                replay(&key, &["--store", &to, capture]);
            } else {
                all += &replay(&key, &["--format", "json", "--detail", "flows", capture]).out;
                std::fs::write(&to, &all).expect("written");
            }
        }
        let of = |more: &[&str]| {
            let ask = ["query", &to, "exposures", "--format", "json"];
            let run = phitap(ask.iter().chain(more));
            assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{source}");
            lines(&run)
        };
        let (all, days) = (of(&[]), of(&["--by-run"]));
        assert_eq!((all.len(), days.len()), (33, 66), "{source}");
        for row in &all {
            let same: Vec<&Value> =
                days.iter().filter(|day| day["fingerprint"] == row["fingerprint"]).collect();
            let [one, other] = &same[..] else { panic!("{source}: {row} of {same:?}") };
            let sum = |name: &str| one[name].as_u64().zip(other[name].as_u64()).map(|(a, b)| a + b);
            for name in ["records", "flows", "findings"] {
                assert_eq!(row[name].as_u64(), sum(name), "{source}: {name} of {row}");
            }
            assert_eq!(
                row["patients"], one["patients"],
                "{source}: the same people both days: {row}"
            );
            assert_eq!(row["patients_low"], row["patients_high"], "{source}: {row}");
            let times = |name: &str| [one, other].map(|day| day[name].as_str().expect("a time"));
            assert_eq!(row["first"].as_str(), times("first").into_iter().min(), "{source}: {row}");
            assert_eq!(row["last"].as_str(), times("last").into_iter().max(), "{source}: {row}");
        }
    }
    // Events without findings do not say who the patients were: the truth is between two numbers.
    let lean =
        |capture: &str| replay(&key, &["--format", "json", "--detail", "exposures", capture]).out;
    let to = folder.at("lean.json");
    std::fs::write(&to, lean(&first) + &lean(&path)).expect("written");
    for row in lines(&phitap(["query", &to, "exposures", "--format", "json"])) {
        let n = |name: &str| row[name].as_u64().expect("a number");
        assert_eq!((n("patients"), n("patients_high")), (n("patients_low"), 2 * n("patients")));
    }
}

#[test]
fn runs_of_different_keys_are_listed_apart_with_the_reason() {
    let folder = Folder::new();
    let store = folder.at("two.db");
    let capture = hospital().display().to_string();
    for _ in 0..2 {
        // Each makes a key of its own.
        let run = phitap(["replay", "--quiet", "--store", &store, &capture]);
        assert_eq!(run.status, Some(0), "{}", run.err);
    }
    let run = phitap(["query", &store, "exposures", "--format", "json"]);
    assert_eq!((run.status, lines(&run).len()), (Some(0), 66), "{}", run.err);
    assert!(run.err.contains("2 keys") && run.err.contains("--key-file"), "{}", run.err);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start();
    let mut to = packer.stdin.take().expect("stdin");
    std::thread::scope(|scope| {
        scope.spawn(move || to.write_all(bytes).expect("written"));
        packer.wait_with_output().expect("ended").stdout
    })
}

/// What is whole of a file that was cut off while it was copied is read; what is missing is said everywhere.
#[test]
fn a_compressed_file_that_is_cut_off_is_read_as_far_as_it_goes() {
    let (key, folder) = (Key::new(), Folder::new());
    let (whole, cut) = (folder.at("whole.json.gz"), folder.at("cut.json.gz"));
    let capture = hospital().display().to_string();
    let run = replay(&key, &["--format", "json", "--summaries", &capture]);
    let packed = gzip(run.out.as_bytes());
    std::fs::write(&whole, &packed).expect("written");
    std::fs::write(&cut, &packed[..packed.len() * 3 / 4]).expect("written");
    let person = "name: Nobody^Ever\n";
    let list = folder.at("person.txt");
    std::fs::write(&list, person).expect("written");
    let key = key.path();
    for ask in [
        vec!["query", "FILE", "patients"],
        vec!["report", "FILE"],
        vec!["find", "FILE", "--key-file", &key, "--from", &list],
        vec!["diff", "FILE", "FILE"],
    ] {
        let of =
            |file: &str| phitap(ask.iter().map(|part| if *part == "FILE" { file } else { *part }));
        let (good, bad) = (of(&whole), of(&cut));
        assert!(!good.err.contains("cut off"), "{ask:?}: {}", good.err);
        assert!(bad.err.contains("damaged or cut off"), "{ask:?}: {}", bad.err);
        let status = if ask[0] == "diff" { 10 } else { 3 };
        assert_eq!(bad.status, Some(status), "{ask:?}: {}", bad.err);
        assert!(!bad.out.is_empty(), "{ask:?}");
    }
    let merged = phitap(["merge", &cut]);
    assert!(merged.err.contains("cut off"), "{}", merged.err);
    assert!(matches!(merged.status, Some(1 | 3)), "{}", merged.err);
    // The page says so first of all.
    let page = phitap(["report", &cut]).out;
    let (_, model) = page.split_once("id=\"data\">").expect("a model");
    assert!(model.contains("\"lost\":[") && model.contains("damaged or cut off"), "no loss in it");
    assert!(page.contains("<p>Not judged: the file is compressed"), "without scripts, too");
    for headless in [&packed[..4], &packed[..30]] {
        std::fs::write(&cut, headless).expect("written");
        let run = phitap(["query", &cut, "runs"]);
        assert_eq!(run.status, Some(1), "{}", run.out);
        assert!(run.err.contains("cut off before the first event"), "{}", run.err);
    }
}

#[test]
fn merge_says_what_a_file_is_that_it_cannot_merge() {
    let (key, folder) = (Key::new(), Folder::new());
    let (store, text) = (folder.at("s.db"), folder.at("summary.txt"));
    let capture = hospital().display().to_string();
    let run = replay(&key, &["--store", &store, &capture]);
    std::fs::write(&text, run.out).expect("written");
    let plain = folder.at("events.json");
    std::fs::write(&plain, replay(&key, &["--format", "json", &capture]).out).expect("written");
    let packed = folder.at("events.json.zst");
    std::fs::write(&packed, b"\x28\xb5\x2f\xfd\x04\x00\x00\x00").expect("written");
    for (file, part) in [
        (&store, "it is a store"),
        (&text, "it is a summary"),
        (&plain, "--summaries"),
        (&packed, "unpack it first"),
        (&capture, "it is a capture"),
    ] {
        let run = phitap(["merge", file]);
        assert_eq!(run.status, Some(1), "{}", run.out);
        assert!(run.err.contains(part), "{part}: {}", run.err);
    }
}

/// Runs the program with a reader of its output that has gone already.
fn unread(arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = Command::new(PHITAP)
        .args(arguments)
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .start();
    let mut said = String::new();
    let err = child.stderr.take();
    err.expect("stderr").read_to_string(&mut said).expect("text");
    (child.wait().expect("ended").code(), said)
}

/// `phitap diff ... | head` ends as it would if all was read: 0 would mean that nothing remains.
#[test]
fn the_status_of_an_answer_does_not_depend_on_who_reads_it() {
    let (key, folder) = (Key::new(), Folder::new());
    let store = folder.at("s.db");
    let capture = hospital().display().to_string();
    replay(&key, &["--store", &store, &capture]);
    let empty = folder.at("empty.pcap");
    std::fs::write(&empty, common::packets::pcap_header(1)).expect("written");
    let key = key.path();
    let run = phitap(["replay", "--quiet", "--key-file", &key, "--store", &store, &empty]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    let (first, second) = (format!("{store}@1"), format!("{store}@2"));
    let unsure = unread(&["report", &store]);
    assert_eq!(unsure.0, Some(3), "{}", unsure.1);
    for (ask, status) in [
        (vec!["diff", &first, &first], 10),
        (vec!["diff", &first, &second], 3),
        (vec!["query", &store, "patients"], 0),
        (vec!["query", &store, "patients", "--format", "csv"], 0),
        (vec!["explain", "hl7-patient"], 0),
        (vec!["rules", "list"], 0),
        (vec!["replay", "--quiet", &capture], 0),
        // What was not written may have been an exposure.
        (vec!["replay", "--quiet", "--format", "json", "--fail-on", "high", &capture], 3),
    ] {
        let (ended, said) = unread(&ask);
        assert_eq!(ended, Some(status), "{ask:?}: {said}");
        assert!(!said.contains("pipe") && !said.contains("panic"), "{ask:?}: {said}");
    }
}

/// A capture from another place shows none of the services, and proves no fix.
#[test]
fn a_service_whose_host_was_not_seen_again_is_no_proof_of_a_fix() {
    let (key, folder) = (Key::new(), Folder::new());
    let (before, after, other) = (folder.at("b.json"), folder.at("a.json"), folder.at("o.json"));
    let of = |name: &str, to: &str| {
        let capture = Path::new(ROOT).join(format!("fixtures/captures/{name}.pcap"));
        let run = replay(&key, &["--format", "json", &capture.display().to_string()]);
        std::fs::write(to, run.out).expect("written");
    };
    of("hl7-adt-a01", &before);
    of("hl7-ack-only", &other);
    let run = phitap(["diff", &before, &other]);
    assert_eq!(run.status, Some(3), "{} {}", run.out, run.err);
    assert!(run.out.starts_with("0 remain, 0 new, 1 gone"), "{}", run.out);
    assert!(run.err.contains("neither the service nor its host"), "{}", run.err);
    // The same host with another service: its port is closed, or the service has moved.
    let text = std::fs::read_to_string(&before).expect("events");
    let clean: Vec<String> = text
        .lines()
        .filter(|line| !line.contains("phi-exposure") && !line.contains("phi-finding"))
        .map(|line| line.replace("\"port\":2575", "\"port\":2576"))
        .collect();
    std::fs::write(&after, clean.join("\n")).expect("written");
    let run = phitap(["diff", &before, &after]);
    assert!(run.err.contains("but its host was"), "{} {}", run.out, run.err);
    assert_eq!(run.status, Some(0), "{} {}", run.out, run.err);
}

/// A pipe is read once; what needs to read it again, or what has gone through it, says so and does not wait.
#[test]
fn a_pipe_is_read_once_and_never_waited_for() {
    let (key, folder) = (Key::new(), Folder::new());
    let capture = hospital().display().to_string();
    let text = replay(&key, &["--format", "json", &capture]).out;
    let pipe = folder.at("pipe");
    let made = Command::new("mkfifo").arg(&pipe).finish();
    assert!(made.status.success());
    let fed = |arguments: &[&str]| {
        let (pipe, text) = (pipe.clone(), text.clone());
        let writer = std::thread::spawn(move || {
            // Its reader may have gone.
            let _ = std::fs::write(pipe, text);
        });
        let run = phitap(arguments);
        (run, writer)
    };
    let id =
        events(&text).iter().find(|e| common::is(e, "phi-exposure")).expect("one")["event"]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
    let out = folder.at("cut.pcapng");
    for ask in [
        vec!["query", &pipe, "exposures", "--protocol", "dicmo"],
        vec!["report", &pipe],
        vec!["explain", &id, &pipe],
        vec!["cut", &pipe, "--exposure", &id, "--output", &out],
    ] {
        let (run, writer) = fed(&ask);
        writer.join().expect("written");
        assert_eq!(run.status, Some(0), "{ask:?}: {}", run.err);
    }
    // It has no writer.
    let key = key.path();
    let run = phitap(["find", &pipe, "--key-file", &key, "--from", "/dev/null"]);
    assert_eq!(run.status, Some(1), "{}", run.out);
    assert!(run.err.contains("only once") && run.err.contains("a file"), "{}", run.err);
    // Captures that were pipes.
    for file in [&pipe, "standard input"] {
        let moved = text.replace(&capture, file);
        let (results, out) = (folder.at("moved.json"), folder.at("none.pcapng"));
        std::fs::write(&results, moved).expect("written");
        let run = phitap(["cut", &results, "--exposure", &id, "--output", &out]);
        assert_eq!(run.status, Some(1), "{}", run.out);
        assert!(run.err.contains("came through a pipe"), "{}", run.err);
        assert!(!Path::new(&out).exists());
    }
}

/// RLIMIT_FSIZE acts like a full disk for one process.
#[test]
fn a_report_that_finds_no_room_leaves_nothing_behind_and_the_old_one_whole() {
    let (key, folder) = (Key::new(), Folder::new());
    let (store, report) = (folder.at("s.db"), folder.at("report.html"));
    let capture = hospital().display().to_string();
    replay(&key, &["--store", &store, &capture]);
    for before in [None, Some("the old report")] {
        if let Some(text) = before {
            std::fs::write(&report, text).expect("written");
        }
        for (ask, option) in [
            (format!("replay --quiet --report {report} {capture}"), "--report"),
            (format!("report {store} --output {report}"), "--output"),
            (format!("replay --quiet --assets {} {capture}", folder.at("a.json")), "--assets"),
        ] {
            // SQLite needs 32 KiB to read.
            let kib = if option == "--assets" { 4 } else { 64 };
            let script = format!("trap '' XFSZ; ulimit -f {kib}; exec {PHITAP} {ask}");
            let out = Command::new("bash").args(["-c", &script]).current_dir(ROOT).finish();
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(1), "{ask}: {said}");
            assert!(said.contains("free some space") && said.contains(option), "{ask}: {said}");
            assert_eq!(std::fs::read_to_string(&report).ok().as_deref(), before, "{ask}");
            let left = std::fs::read_dir(folder.0.path()).expect("list").filter(|of| {
                let name = of.as_ref().expect("an entry").file_name();
                let name = name.to_string_lossy();
                name.ends_with(".tmp") || name.starts_with("a.json")
            });
            assert_eq!(left.count(), 0, "{ask}");
        }
    }
}

/// What the program writes to a terminal of so many columns: a program of Python gives it one.
fn on_terminal(columns: u16, arguments: &[&str]) -> (Option<i32>, String) {
    const TERMINAL: &str = "
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    try:
        data = os.read(fd, 1 << 16)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
    let columns = columns.to_string();
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, &columns, PHITAP]).args(arguments).stdin(Stdio::null());
    let run = command.finish();
    assert!(run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
    (run.status.code(), String::from_utf8_lossy(&run.stdout).replace("\r\n", "\n"))
}

#[test]
fn answers_fit_a_terminal_and_lose_nothing() {
    let (key, folder) = (Key::new(), Folder::new());
    let (store, summaries) = (folder.at("s.db"), folder.at("s.json"));
    let capture = hospital().display().to_string();
    let events = ["--format", "ecs", "--summaries", "--output", &summaries];
    replay(&key, &[&events[..], &["--store", &store, &capture]].concat());
    let whole = phitap(["query", store.as_str(), "exposures"]).out;
    let id = whole.split_whitespace().last().expect("an id").to_owned();
    for columns in [60, 80, 200] {
        for arguments in [
            &["query", &store, "exposures"][..],
            &["query", &store, "patients"],
            &["query", &store, "services"],
            &["query", &store, "runs"],
            &["diff", &store, &store],
            &["explain", &id, &store],
            &["merge", &summaries],
            &["rules", "list"],
            &["doctor", "-i", "nope7"],
        ] {
            let (_, text) = on_terminal(columns, arguments);
            assert!(text.lines().count() > 1, "{arguments:?}: {text}");
            let wide = text.lines().find(|line| {
                // A path or the id of a rule is not broken, and remarks are left to the terminal.
                let is_word = line.split_whitespace().count() < 2 || line.contains(&store);
                line.chars().count() > usize::from(columns)
                    && !is_word
                    && !line.starts_with("phitap: ")
            });
            assert_eq!(wide, None, "{arguments:?} on {columns} columns");
        }
        let (_, text) = on_terminal(columns, &["query", &store, "exposures"]);
        let words =
            |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        let missing: Vec<_> = words(&whole).difference(&words(&text)).cloned().collect();
        assert!(missing.is_empty(), "{columns}: {missing:?}");
    }
    // A page of HTML is nothing for a terminal.
    let (status, text) = on_terminal(80, &["report", &store]);
    assert!(status == Some(2) && text.contains("--output FILE.html"), "{text}");
}

#[test]
fn a_question_that_would_look_like_an_all_clear_is_refused_or_explained() {
    let (key, folder) = (Key::new(), Folder::new());
    let store = folder.at("s.db");
    replay(&key, &["--store", &store, &hospital().display().to_string()]);
    let ask = |more: &[&str]| phitap(["query", store.as_str(), "exposures"].iter().chain(more));
    let none = ask(&["--limit", "0"]);
    assert!(none.status == Some(2) && none.err.contains("from 1 on"), "{}", none.err);
    let some = ask(&["--limit", "5"]);
    assert!(some.err.contains("28 more; --limit N"), "{}", some.err);
    assert!(ask(&["--limit", "33"]).err.is_empty());
    // As the column of services has it.
    let port = ask(&["--server", "10.80.86.130:8000"]);
    let hint = "10.80.86.130 and --port 8000";
    assert!(port.status == Some(2) && port.err.contains(hint), "{}", port.err);
    // Why not everything was judged.
    let nothing = ask(&["--since", "2030-01-01"]);
    assert!(nothing.out == "Nothing.\n", "{}", nothing.out);
    assert!(nothing.err.contains("everything: 848 B missing in streams"), "{}", nothing.err);
    let people = folder.at("people.txt");
    std::fs::write(&people, "name: Nobody^Ever\n\nname: Nobody^Else\n").expect("written");
    let find = ["find", &store, "--key-file", &key.path(), "--from", &people];
    let run = phitap(find);
    assert_eq!(run.out, "NONE of 2 people FOUND in what was read\n", "{}", run.err);
    std::fs::remove_file(&people).expect("removed");
    let run = phitap(find);
    assert!(run.status == Some(1) && run.err.contains("people.txt: "), "{}", run.err);
    let file = phitap(["explain", store.as_str()]);
    assert!(file.status == Some(1) && file.err.contains("is a file"), "{}", file.err);
}
