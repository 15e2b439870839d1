//! The command line as its users meet it: an error is one line with the file, the offset and the
//! remedy, and has the exit status of the contract.

mod common;

use common::Bounded as _;
use common::{Key, PHITAP, ROOT, Run, events, is, phitap};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small capture with one patient.
const SAMPLE: &str = "fixtures/captures/hl7-adt-a01.pcap";

fn sample() -> String {
    Path::new(ROOT).join(SAMPLE).display().to_string()
}

/// A folder of faulty inputs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(&path, content).expect("file");
        path.display().to_string()
    }
    fn mode(&self, name: &str, mode: u32) {
        let path = self.0.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
    }
}

/// The sample with `bytes` written at `offset`.
fn patched(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut capture = std::fs::read(sample()).expect("sample");
    capture[offset..offset + bytes.len()].copy_from_slice(bytes);
    capture
}

/// The only line that the program printed, which must not be from a panic.
fn only_line(run: &Run, what: &str) -> String {
    assert_eq!(run.err.lines().count(), 1, "{what}: {:?}", run.err);
    for word in ["panic", "internal error", "RUST_BACKTRACE", "unwrap", "src/"] {
        assert!(!run.err.contains(word), "{what}: {}", run.err);
    }
    assert!(run.err.starts_with("phitap: "), "{what}: {}", run.err);
    run.err.trim_end().to_owned()
}

#[test]
fn faulty_inputs_are_named_with_offset_and_remedy() {
    let folder = Folder::new();
    let whole = std::fs::read(sample()).expect("sample");
    // Input, exit status, words of the line.
    let cases: &[(String, i32, &[&str])] = &[
        (folder.path("missing.pcap"), 1, &["No such file", "check the path"]),
        (folder.file("letter.txt", "Dear colleague"), 1, &["not a capture", "at byte 0", "pcap"]),
        (folder.file("empty.pcap", ""), 1, &["is empty", "tcpdump"]),
        (folder.file("magic.pcap", &whole[..4]), 1, &["file header", "again"]),
        (folder.file("header.pcap", &whole[..20]), 1, &["file header", "again"]),
        (folder.file("link.pcap", patched(20, &[231, 3, 0, 0])), 1, &["link type 999", "Ethernet"]),
        (folder.file("version.pcap", patched(4, &[9, 0])), 1, &["version 9", "editcap"]),
        (folder.file("packet.pcap", &whole[..60]), 3, &["within a packet", "at byte 24", "again"]),
        (folder.file("last.pcap", &whole[..whole.len() - 1]), 3, &["within a packet", "at byte"]),
        (folder.file("record.pcap", &whole[..30]), 3, &["within a packet", "at byte 24"]),
        (
            folder.file("length.pcap", patched(32, &[0xff; 4])),
            3,
            &["impossible length 4294967295", "at byte 24", "editcap"],
        ),
    ];
    for (input, status, expected) in cases {
        let run = phitap(["replay", input]);
        assert_eq!(run.status, Some(*status), "{input}: {}", run.err);
        let line = only_line(&run, input);
        assert!(line.contains(input.as_str()), "{line}");
        for part in *expected {
            assert!(line.contains(part), "no {part:?}: {line}");
        }
        // What could be read is reported.
        assert_eq!(run.out.contains("TOTALS"), *status == 3, "{input}: {}", run.out);
    }
}

#[test]
fn a_folder_without_captures_is_named() {
    let folder = Folder::new();
    folder.file("inner/notes.txt", "nothing here");
    let run = phitap(["replay", &folder.path("inner")]);
    assert_eq!(run.status, Some(1));
    let line = only_line(&run, "folder");
    assert!(line.contains("folder without captures") && line.contains("/inner"), "{line}");
}

#[test]
fn one_faulty_input_does_not_stop_the_others() {
    let folder = Folder::new();
    folder.file("a/letter.pcap", "Dear colleague");
    let cut = std::fs::read(sample()).expect("sample");
    folder.file("a/cut.pcap", &cut[..cut.len() - 5]);
    folder.file("a/deep/whole.pcap", &cut);
    let letter = folder.path("a/letter.pcap");
    let run = phitap(["replay", "--format", "json", &folder.path("a"), &letter]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    assert!(run.err.contains("letter.pcap: is not a capture"), "{}", run.err);
    assert!(run.err.contains("cut.pcap: ends within a packet"), "{}", run.err);
    let events = events(&run.out);
    assert!(events.iter().any(|e| is(e, "phi-finding")));
    let faulty = &events.last().expect("summary")["phi"]["run"]["inputs"]["faulty"];
    assert_eq!(faulty.as_array().map(Vec::len), Some(2), "{faulty}");
}

/// Runs the program as a user other than root, so that file modes apply.
fn as_nobody(folder: &Folder, arguments: &[&str]) -> Run {
    let me = std::fs::metadata(folder.0.path()).expect("folder").uid();
    let mut command;
    if me == 0 {
        // Other users may have no access to the build folder.
        let copy = folder.0.path().join("phitap");
        if !copy.exists() {
            std::fs::copy(PHITAP, &copy).expect("copy of the program");
        }
        std::fs::set_permissions(folder.0.path(), std::fs::Permissions::from_mode(0o755))
            .expect("mode");
        command = Command::new(copy);
        command.uid(65_534).gid(65_534);
    } else {
        command = Command::new(PHITAP);
    }
    command.args(arguments).current_dir("/").stdin(Stdio::null());
    command.finish().into()
}

#[test]
fn what_the_system_forbids_is_said_with_the_remedy() {
    let folder = Folder::new();
    let secret = folder.file("secret.pcap", std::fs::read(sample()).expect("sample"));
    let open = folder.file("open.pcap", std::fs::read(sample()).expect("sample"));
    folder.file("locked/events.json", "");
    folder.mode("secret.pcap", 0o000);
    folder.mode("open.pcap", 0o644);
    folder.mode("locked", 0o500);
    let run = as_nobody(&folder, &["replay", &secret]);
    assert_eq!(run.status, Some(1));
    let line = only_line(&run, "unreadable");
    assert!(line.contains(&secret) && line.contains("ermission denied"), "{line}");
    assert!(line.contains("user who may read it"), "{line}");

    let locked = folder.path("locked/new.json");
    let run = as_nobody(&folder, &["replay", "--output", &locked, &open]);
    assert_eq!(run.status, Some(1));
    let line = only_line(&run, "unwritable");
    assert!(line.contains(&locked) && line.contains("who may write there"), "{line}");
    folder.mode("locked", 0o700);
}

#[test]
fn unwritable_outputs_are_named_with_the_remedy() {
    let folder = Folder::new();
    folder.file("inner/x", "");
    let (inner, nowhere) = (folder.path("inner"), folder.path("none/out.json"));
    let sample = sample();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--output", "/dev/full"], "/dev/full", "free some space"),
        (&["--output", "/dev/full", "--format", "json"], "/dev/full", "free some space"),
        (&["--output", &inner], &inner, "name a file in it"),
        (&["--output", &nowhere], &nowhere, "create the folder first"),
        (&["--metrics-file", &inner], &inner, "name a file in it"),
        (&["--metrics-file", &nowhere], &nowhere, "create the folder first"),
    ];
    for (options, name, remedy) in cases {
        let run = phitap(["replay"].iter().chain(*options).chain(&[sample.as_str()]));
        assert_eq!(run.status, Some(1), "{options:?}: {}", run.err);
        let line = only_line(&run, name);
        assert!(line.contains(name) && line.contains(remedy), "{line}");
    }
    // Reported before the first packet, not after the last one.
    let events = folder.path("events.json");
    let run = phitap(["replay", "--metrics-file", &nowhere, "--output", &events, &sample]);
    assert!(run.status == Some(1) && !Path::new(&events).exists(), "{}", run.err);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut command = Command::new(PHITAP);
    command.args(["replay", &sample]).stdout(full).stderr(Stdio::piped());
    let run = Run::from(command.start().wait_with_output().expect("its output"));
    assert_eq!(run.status, Some(1));
    assert!(only_line(&run, "standard output").contains("standard output"), "{}", run.err);
}

#[test]
fn faulty_settings_are_named_with_the_remedy() {
    let folder = Folder::new();
    folder.file("rules/own.toml", "[[dicom]]\nid = \"x\"\nsurprise = 1\n");
    folder.file("syntax/own.toml", "\n\nthis is no rule\n");
    let config = folder.file("phitap.toml", "workers = 2\nspeed = \"high\"\n");
    let key: Vec<u8> = (0..32).collect();
    let open = folder.file("open.key", &key);
    folder.mode("open.key", 0o644);
    let short = folder.file("short.key", &key[..16]);
    folder.mode("short.key", 0o600);
    let (rules, syntax, none) = (folder.path("rules"), folder.path("syntax"), folder.path("none"));
    let sample = sample();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["--rules", &rules], 1, &["own.toml:"]),
        (&["--rules", &syntax], 1, &["own.toml:3"]),
        (&["--rules", &none], 1, &[&none, "check the path"]),
        (&["--key-file", &open], 1, &[&open, "mode 644", "chmod 600"]),
        (&["--key-file", &short], 1, &[&short, "/dev/urandom"]),
        (&["--key-file", &none], 1, &[&none, "check the path"]),
        (&["--filter", "tcp porty 104"], 2, &["tcp porty 104", "pcap-filter"]),
        (&["--regions", "us,xx"], 2, &["\"xx\"", "gb"]),
        (&["--config", &config], 2, &["phitap.toml:2", "speed"]),
        (&["--config", &none], 1, &[&none, "check the path"]),
    ];
    for (options, status, expected) in cases {
        let run = phitap(["replay"].iter().chain(*options).chain(&[sample.as_str()]));
        assert_eq!(run.status, Some(*status), "{options:?}: {}", run.err);
        let line = only_line(&run, options[1]);
        for part in *expected {
            assert!(line.contains(part), "no {part:?}: {line}");
        }
        assert!(run.out.is_empty(), "{options:?}: {}", run.out);
    }
    let run = phitap(["rules", "check", "--rules", &syntax]);
    assert_eq!(run.status, Some(1));
    assert!(only_line(&run, "rules check").contains("own.toml:3"), "{}", run.err);
    let run = phitap(["live", "-i", "no-such-interface0"]);
    assert_eq!(run.status, Some(1));
    let line = only_line(&run, "interface");
    assert!(line.contains("no-such-interface0") && line.contains("no such interface"), "{line}");
    // The message lists the right names.
    assert!(line.contains("lo"), "{line}");
}

#[test]
fn a_format_that_is_not_there_names_all_that_are() {
    for format in ["xml", "jso"] {
        let run = phitap(["replay", "--format", format, "x"]);
        let names = ["summary", "ecs", "json", "ocsf", "cef", "eve", "suricata", "zeek", "csv"];
        assert!(names.iter().all(|name| run.err.contains(name)), "{format}: {}", run.err);
        let run = phitap(["replay", "--output", &format!("a,format={format}"), "x"]);
        assert!(names.iter().all(|name| run.err.contains(name)), "{format}: {}", run.err);
    }
    let run = phitap(["replay", "--format", "jso", "x"]);
    assert!(run.err.contains("similar value exists: 'json'"), "{}", run.err);
}

#[test]
fn wrong_usage_ends_with_status_2() {
    let sample = sample();
    for arguments in [
        &[][..],
        &["replay"],
        &["replay", "--no-such-option", &sample],
        &["replay", "--format", "xml", &sample],
        &["replay", "--output", "bogus:x", &sample],
        &["replay", "--regions", "england", &sample],
        &["replay", "--state", "ids", &sample],
        &["live", "-i", "lo", "--filter", "tcp porty 104"],
        &["replay", "--fail-on", "awful", &sample],
        &["replay", "--memory", "1MiB", &sample],
        &["replay", "--workers", "0", &sample],
        &["invent"],
        &["completions", "nosuchshell"],
    ] {
        let run = phitap(arguments);
        assert_eq!(run.status, Some(2), "{arguments:?}: {}", run.err);
        assert!(!run.err.is_empty() && !run.err.contains("panic"), "{arguments:?}: {}", run.err);
        assert!(run.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn fail_on_ends_with_status_10_from_that_severity_up() {
    let sample = sample();
    let json = phitap(["replay", "--format", "json", &sample]);
    let worst = events(&json.out)
        .iter()
        .filter(|e| is(e, "phi-exposure"))
        .filter_map(|e| e["event"]["severity"].as_u64())
        .max();
    assert!(matches!(worst, Some(40..=69)), "the sample is of medium severity: {worst:?}");
    for (severity, status) in [("low", 10), ("medium", 10), ("high", 0), ("critical", 0)] {
        let run = phitap(["replay", "--fail-on", severity, &sample]);
        assert_eq!(run.status, Some(status), "{severity}");
        assert!(run.err.is_empty() && run.out.contains("TOTALS"), "{severity}: {}", run.err);
    }
    let harmless = Path::new(ROOT).join("fixtures/captures/hl7-ack-only.pcap");
    let run = phitap(["replay", "--fail-on", "low", &harmless.display().to_string()]);
    assert_eq!(run.status, Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let captures = Path::new(ROOT).join("fixtures/captures").display().to_string();
    for format in ["summary", "json"] {
        let mut child = Command::new(PHITAP)
            .args(["replay", "-q", "--format", format, &captures, &captures])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .start();
        let mut start = [0; 10];
        child.stdout.take().expect("pipe").read_exact(&mut start).expect("some output");
        // The pipe is closed here.
        let run = Run::from(child.wait_with_output().expect("end"));
        // The folder holds a truncated capture; the test is that the pipe is not mentioned.
        assert!(matches!(run.status, Some(0 | 3)), "{format}: {:?} {}", run.status, run.err);
        assert!(!run.err.contains("pipe") && !run.err.contains("panic"), "{format}: {}", run.err);
    }
}

#[test]
fn help_version_completions_and_manual_are_there() {
    for (arguments, expected) in [
        (&["--help"][..], "replay"),
        (&["--help"], "Exit status"),
        (&["replay", "--help"], "--reveal"),
        (&["live", "--help"], "--interface"),
        (&["rules", "--help"], "check"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["man"], ".SH \"PHITAP REPLAY\""),
        (&["completions", "bash"], "_phitap"),
        (&["completions", "zsh"], "#compdef phitap"),
        (&["completions", "fish"], "complete -c phitap"),
        (&["rules", "list"], "hl7v2-pid-5"),
        (&["rules", "check"], ""),
        (&["rules", "test"], ""),
    ] {
        let run = phitap(arguments);
        assert_eq!(run.status, Some(0), "{arguments:?}: {}", run.err);
        assert!(run.err.is_empty(), "{arguments:?}: {}", run.err);
        assert!(!run.out.is_empty() && run.out.contains(expected), "{arguments:?}: {}", run.out);
    }
}

#[test]
fn a_filter_leaves_out_what_it_does_not_match_and_counts_it() {
    let run = phitap(["replay", "--format", "json", "--filter", "udp port 9", &sample()]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    let events = events(&run.out);
    assert!(!events.iter().any(|e| is(e, "phi-finding")));
    let packets = &events.last().expect("summary")["phi"]["run"]["packets"];
    assert!(packets["read"].as_u64() > Some(0), "{packets}");
    let skipped: u64 =
        packets["skipped"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    assert_eq!(packets["read"].as_u64(), Some(skipped), "{packets}");
}

/// The client of the offload fixture left all TCP checksums to the interface.
#[test]
fn wrong_checksums_matter_only_when_asked() {
    let folder = Folder::new();
    let config = folder.file("phitap.toml", "checksums = \"strict\"\n");
    let typo = folder.file("typo.toml", "\nchecksums = \"strickt\"\n");
    let capture = Path::new(ROOT).join("fixtures/captures/torture-bad-checksum-offload-dicom.pcap");
    let capture = capture.display().to_string();
    let replay = |options: &[&str]| {
        let arguments = ["replay", "--format", "json"].iter().chain(options);
        let run = phitap(arguments.chain(&[capture.as_str()]));
        assert_eq!(run.status, Some(0), "{options:?}: {}", run.err);
        let events = events(&run.out);
        let findings = events.iter().filter(|e| is(e, "phi-finding")).count();
        let run = &events.last().expect("summary")["phi"]["run"];
        (findings, run["packets"]["skipped"]["bad_checksum"].as_u64(), run["flows"].clone())
    };
    let (all, bad, flows) = replay(&[]);
    assert_eq!((all, bad), (2, None), "two patients, whatever the checksums");
    assert_eq!(replay(&["--checksums", "accept"]), (all, bad, flows));
    let strict = replay(&["--checksums", "strict"]);
    assert_eq!(strict.0, 0, "the client sent all patient data");
    // All packets of the client and none of the server, whose checksums are right.
    assert_eq!(strict.1, Some(client_packets(&capture)));
    assert_eq!(replay(&["--config", &config]), strict);
    assert_eq!(replay(&["--config", &config, "--checksums", "accept"]).0, all);
    let run = phitap(["replay", "--config", &typo, &capture]);
    assert_eq!(run.status, Some(2));
    let line = only_line(&run, "typo");
    assert!(line.contains("typo.toml:2") && line.contains("accept or strict"), "{line}");
}

/// Packets of the client of the offload fixture.
fn client_packets(capture: &str) -> u64 {
    let arguments = ["replay", "--format", "json", "--filter", "tcp src port 44285", capture];
    let events = events(&phitap(arguments).out);
    let packets = &events.last().expect("summary")["phi"]["run"]["packets"];
    let read = packets["read"].as_u64().expect("read");
    read - packets["skipped"]["filtered"].as_u64().expect("filtered")
}

#[test]
fn files_with_findings_are_for_their_owner_only() {
    let (folder, key) = (Folder::new(), Key::new());
    let output = PathBuf::from(folder.path("events.json"));
    let arguments = ["replay", "--format", "json", "--key-file", &key.path(), "--output"];
    let run = phitap(arguments.iter().copied().chain([&*output.to_string_lossy(), &sample()]));
    assert_eq!(run.status, Some(0), "{}", run.err);
    let mode = std::fs::metadata(&output).expect("events").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn values_are_revealed_only_where_somebody_asked_for_them() {
    let folder = Folder::new();
    let (sample, file) = (sample(), folder.path("revealed.json"));
    let revealed = |run: &Run| events(&run.out).iter().any(|e| e["phi"]["run"]["reveal"] == true);

    let run = phitap(["replay", "--reveal", &sample]);
    assert_eq!(run.status, Some(2), "{}", run.err);
    let line = only_line(&run, "no format");
    assert!(line.contains("--output") && line.contains("--format"), "{line}");
    assert!(run.out.is_empty());

    let run = phitap(["replay", "--reveal", "--format", "json", &sample]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(revealed(&run));
    assert!(only_line(&run, "warning").contains("holds patient data"), "{}", run.err);
    let run = phitap(["replay", "-q", "--reveal", "--output", &file, "--format", "ecs", &sample]);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));

    // A file that other users may read is written, with a warning.
    folder.mode("revealed.json", 0o644);
    let run = phitap(["replay", "--reveal", "--output", &file, "--format", "json", &sample]);
    assert!(run.err.contains("mode 644") && run.err.contains("chmod 600"), "{}", run.err);

    // A journal is a socket.
    let (journal, peer) = std::os::unix::net::UnixStream::pair().expect("sockets");
    let mut command = Command::new(PHITAP);
    command.args(["replay", "--reveal", "--format", "json", &sample]);
    command.stdin(Stdio::null()).stdout(std::os::fd::OwnedFd::from(journal));
    let child = command.stderr(Stdio::piped()).start();
    // The command holds the other end of the journal's socket.
    drop(command);
    let run: Run = child.wait_with_output().expect("its output").into();
    drop(peer);
    assert_eq!(run.status, Some(2), "{}", run.err);
    assert!(only_line(&run, "socket").contains("journal"), "{}", run.err);

    let run = phitap(["live", "--reveal", "--format", "json", "-i", "lo"]);
    assert_eq!(run.status, Some(2), "{}", run.err);
    assert!(only_line(&run, "live").contains("live capture is no terminal"), "{}", run.err);

    // These formats only hold masks, so there is nothing to protect.
    for format in ["cef", "ocsf", "summary", "csv"] {
        let run = phitap(["replay", "--reveal", "--output", &file, "--format", format, &sample]);
        assert!(only_line(&run, format).contains("--format ecs only"), "{format}: {}", run.err);
    }
    for format in ["cef", "ocsf", "summary"] {
        let run = phitap(["replay", "--reveal", "--format", format, &sample]);
        assert!(run.out.to_lowercase().contains("reveal"), "{format}: {}", run.out);
    }
}

#[test]
fn a_systemd_credential_is_the_key_and_exposures_name_it() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..32).collect();
    folder.file("credentials/phitap.key", &bytes);
    folder.mode("credentials/phitap.key", 0o440);
    let (sample, key) = (sample(), Key::new());
    let with = |credentials: Option<String>, more: &[&str]| -> Run {
        let mut command = Command::new(PHITAP);
        command.args(["replay", "--format", "json", &sample]).args(more).stdin(Stdio::null());
        command.env_remove("CREDENTIALS_DIRECTORY");
        if let Some(path) = credentials {
            command.env("CREDENTIALS_DIRECTORY", path);
        }
        command.finish().into()
    };
    let ids = |run: &Run| -> std::collections::BTreeSet<String> {
        assert_eq!(run.status, Some(0), "{}", run.err);
        events(&run.out)
            .iter()
            // A finding refers to its exposure, which names it.
            .filter(|e| !is(e, "phi-finding"))
            .map(|e| e["phi"]["key_id"].to_string())
            .collect()
    };
    let given = ids(&with(None, &["--key-file", &key.path()]));
    assert_eq!(given.len(), 1, "{given:?}");
    assert!(!given.contains("null"));
    assert_eq!(ids(&with(Some(folder.path("credentials")), &[])), given);
    // Without the credential and without a key file, each run has its own key.
    assert_ne!(ids(&with(Some(folder.path("empty")), &[])), given);
    assert_ne!(ids(&with(None, &[])), ids(&with(None, &[])));
    for format in ["cef", "ocsf"] {
        let run = phitap(["replay", "--format", format, "--key-file", &key.path(), &sample]);
        let id = given.first().expect("one").trim_matches('"');
        assert!(run.out.lines().all(|line| line.contains(id)), "{format}: {}", run.out);
    }
    // The command line takes precedence; a credential that everyone can read is refused.
    folder.mode("credentials/phitap.key", 0o444);
    let path = key.path();
    let own = ["--key-file", path.as_str()];
    assert_eq!(ids(&with(Some(folder.path("credentials")), &own)), given);
    let run = with(Some(folder.path("credentials")), &[]);
    assert_eq!(run.status, Some(1));
    assert!(only_line(&run, "credential").contains("mode 444"), "{}", run.err);
}

#[test]
fn a_program_that_does_not_end_is_killed_and_named_with_what_it_wrote() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo begun; echo fault >&2; exec sleep 1000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).start();
    let process = child.id();
    // It may not have written anything before that.
    let limit = std::time::Duration::from_secs(5);
    let caught = std::panic::catch_unwind(|| {
        common::ending::collect_within(child, "sleep 1000", limit);
    });
    let caught = caught.expect_err("it does not end");
    let message = caught.downcast_ref::<String>().expect("text");
    assert!(message.contains("sleep 1000 did not end within 5s"), "{message}");
    assert!(message.contains("begun") && message.contains("fault"), "{message}");
    assert!(!Path::new(&format!("/proc/{process}")).exists(), "it is gone");
}

/// Whoever names files, or writes events, must not steer the terminal of who reads the errors.
#[test]
fn names_in_errors_cannot_steer_a_terminal() {
    let folder = tempfile::tempdir().expect("folder");
    let name = "e\u{1b}]0;pwn\u{7}\u{9b}31m\u{202e}.json";
    let path = folder.path().join(name);
    std::fs::write(&path, "no event\n").expect("written");
    let (there, gone) = (path.display().to_string(), format!("{}2", path.display()));
    for arguments in [
        vec!["replay", &there],
        vec!["replay", &gone],
        vec!["query", &there, "runs"],
        vec!["query", &gone, "runs"],
        vec!["merge", &there],
        vec!["merge", &gone],
        vec!["report", &gone],
    ] {
        let run = common::phitap(&arguments);
        assert_ne!(run.status, Some(0), "{}", arguments[0]);
        let steering = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.err.contains(steering), "{}: {:?}", arguments[0], run.err);
        assert!(run.err.contains(r"\u{1b}]0;pwn"), "{}: {}", arguments[0], run.err);
    }
}

#[cfg(feature = "store")]
#[test]
fn a_file_that_is_no_store_gets_advice_that_fits_the_command() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("other.db");
    // The header of SQLite, and nothing of it behind.
    std::fs::write(&path, [b"SQLite format 3\0".as_slice(), &[7; 4_080]].concat())
        .expect("written");
    let path = path.display().to_string();
    for arguments in [vec!["query", &path, "runs"], vec!["report", &path]] {
        let run = common::phitap(arguments);
        assert_eq!(run.status, Some(1), "{}", run.err);
        assert!(run.err.contains("no store of phitap; name another file"), "{}", run.err);
        assert!(!run.err.contains("--store"), "{}", run.err);
    }
}
