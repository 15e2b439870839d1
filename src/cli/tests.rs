//! Arguments and file.

use super::load::parse;
use super::*;
use crate::config::{Config, Source};
use crate::net::HomeNets;
use clap::{CommandFactory as _, Parser as _};
use std::io::Write as _;

fn run(arguments: &[&str]) -> Result<Config, String> {
    let cli = Cli::try_parse_from(arguments).map_err(|e| e.to_string())?;
    match Task::try_from(cli).map_err(|e| e.to_string())? {
        Task::Run(config) => Ok(*config),
        _ => Err("not a run".into()),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(text.as_bytes()).expect("write");
    file
}

#[test]
fn clap_structs_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn without_options_the_defaults_hold() {
    let c = run(&["phitap", "replay", "a.pcap", "-"]).expect("good");
    assert_eq!(c.source, Source::Files(vec!["a.pcap".into(), "-".into()]));
    assert_eq!((c.format, c.limits.memory), ("summary", 2 << 30));
    assert_eq!(c.home, HomeNets::default());
    assert_eq!(c.checksums, Checksums::Accept);
    assert_eq!(c.regions, ["us"]);
    assert!(c.progress && !c.reveal && !c.quiet && c.verbose == 0);
    assert!(
        c.writes_to_stdout()
            && c.outputs.len() == 1
            && c.metrics.is_none()
            && c.fail_on.is_none()
            && c.sensor.is_none()
    );
}

#[test]
fn every_option_is_read() {
    let c = run(&[
        "phitap",
        "replay",
        "--format",
        "json",
        "--output",
        "o",
        "--metrics",
        ":9187",
        "--metrics-file",
        "m",
        "--reveal",
        "--key-file",
        "k",
        "--rules",
        "r",
        "--regions",
        "us,GB",
        "--regions",
        "de",
        "--filter",
        "tcp",
        "--checksums",
        "strict",
        "--home-net",
        "192.0.2.0/24",
        "--home-net",
        "2001:db8::/32",
        "--workers",
        "3",
        "--memory",
        "512MiB",
        "-vv",
        "--no-progress",
        "--fail-on",
        "high",
        "--sensor",
        "s1",
        "--status-every",
        "30s",
        "--update-every",
        "1h",
        "--forget",
        "2w",
        "--max-silence",
        "0",
        "x",
    ])
    .expect("good");
    assert_eq!(c.format, "ecs");
    assert_eq!(c.metrics, Some("127.0.0.1:9187".parse().expect("address")));
    assert_eq!((c.limits.memory, c.verbose), (512 << 20, 2));
    assert_eq!(c.workers.map(|n| n.get()), Some(3));
    assert_eq!(c.fail_on, Some(Severity::High));
    assert!(c.home.contains("192.0.2.1".parse().expect("address")));
    assert!(!c.home.contains("10.0.0.1".parse().expect("address")));
    assert!(c.reveal && !c.progress);
    assert_eq!(c.filter.as_deref(), Some("tcp"));
    assert_eq!(c.regions, ["us", "gb", "de"]);
    assert_eq!(c.checksums, Checksums::Strict);
    assert_eq!(c.status_every, Some(std::time::Duration::from_secs(30)));
    assert_eq!(c.max_silence, None);
    assert_eq!(c.limits.exposure_update, crate::time::Span::seconds(3600));
    assert_eq!(c.limits.exposure_forget, crate::time::Span::seconds(14 * 86_400));
}

#[test]
fn wrong_usage_is_refused_with_the_remedy() {
    let cases: &[(&[&str], &str)] = &[
        (&["phitap", "replay"], "<PATH>"),
        (&["phitap", "replay", "--format", "xml", "x"], "summary, ecs"),
        (&["phitap", "replay", "--memory", "2 apples", "x"], "512MiB"),
        (&["phitap", "replay", "--memory", "1MiB", "x"], "at least 16MiB"),
        (&["phitap", "replay", "--home-net", "10.1.2.3/8", "x"], "10.0.0.0/8"),
        (&["phitap", "replay", "--regions", "usa", "x"], "us,gb,de"),
        (&["phitap", "replay", "--workers", "0", "x"], "workers"),
        (&["phitap", "replay", "--workers", "1000", "x"], "at most 256"),
        (&["phitap", "replay", "--fail-on", "bad", "x"], "low, medium, high, critical"),
        (&["phitap", "replay", "--checksums", "some", "x"], "accept, strict"),
        (&["phitap", "replay", "--metrics", "nowhere", "x"], "127.0.0.1:9187"),
        (&["phitap", "replay", "--forget", "a month", "x"], "30d"),
        (&["phitap", "replay", "--forget", "9999999w", "x"], "30d"),
        (&["phitap", "replay", "--metrics", "0.0.0.0:9187", "x"], "--metrics-token-file"),
        (&["phitap", "replay", "--metrics", "[::]:9187", "x"], "--metrics-token-file"),
        (&["phitap", "replay", "--metrics-token-file", "t", "x"], "need --metrics"),
        (&["phitap", "replay", "--metrics", "1", "--metrics-cert", "c", "x"], "give both"),
        (&["phitap", "replay", "-v", "-q", "x"], "--quiet"),
        (&["phitap", "replay", "-", "-"], "only once"),
        (&["phitap", "replay", "--output", "a", "--metrics-file", "a", "x"], "same file"),
        (&["phitap", "replay", "--output", "a", "--state", "a", "x"], "same file"),
        (&["phitap", "live", "-i", "eth0", "-i", "eth0"], "twice"),
        (
            &["phitap", "live", "-i", "eth0", "--ring-size", "1GiB", "--memory", "1GiB"],
            "rings of 1024MiB in all take more than half of --memory 1024MiB",
        ),
        (
            &["phitap", "live", "-i", "a", "-i", "b", "--ring-size", "1GiB"],
            "rings of 2048MiB in all take",
        ),
        (&["phitap", "nothing", "x"], "unrecognized subcommand"),
    ];
    for (arguments, expected) in cases {
        let error = run(arguments).expect_err("refused");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn rings_take_half_of_the_memory_at_most() {
    let many: Vec<String> = (0..40).flat_map(|n| ["-i".to_owned(), format!("eth{n}")]).collect();
    let ring = |interfaces: usize, memory: &str| {
        let few = many.iter().take(2 * interfaces).map(String::as_str);
        let all: Vec<&str> =
            ["phitap", "live", "--memory", memory].into_iter().chain(few).collect();
        run(&all).map(|c| c.capture.ring as u64 >> 20)
    };
    assert_eq!(ring(1, "2GiB"), Ok(64));
    assert_eq!(ring(16, "2GiB"), Ok(64));
    assert_eq!(ring(40, "2GiB"), Ok(25));
    assert_eq!(ring(1, "256MiB"), Ok(16));
    let error = ring(40, "64MiB").expect_err("no room for that many");
    assert!(error.contains("lower --ring-size, or raise --memory"), "{error}");
}

#[test]
fn keys_that_a_running_sensor_does_not_take_over_are_named_and_no_others() {
    let folder = tempfile::tempdir().expect("folder");
    let spool = folder.path().join("spool");
    let sensor = |more: &[&str]| {
        let spool = spool.to_str().expect("UTF-8");
        let always = ["phitap", "live", "-i", "eth0", "--spool", spool];
        run(&[&always[..], &["--output", "http://127.0.0.1:9/x", "--format", "ecs"], more].concat())
            .expect("good")
    };
    let before = sensor(&[]);
    // The sensor itself makes the folder.
    std::fs::create_dir(&spool).expect("folder");
    assert!(before.needs_restart(&sensor(&[])).is_empty());
    for (more, key) in [
        (&["--user", "nobody"][..], "user, no-sandbox"),
        (&["--no-sandbox"], "user, no-sandbox"),
        (&["--state", "s"], "state"),
        (&["--status-every", "3s"], "status-every, max-silence"),
        (&["--max-silence", "3s"], "status-every, max-silence"),
        (&["--update-every", "1h"], "update-every, forget"),
        (&["--memory", "1GiB"], "memory"),
        (&["--metrics-file", "m"], "metrics-file"),
        (&["--log-format", "json"], "log-format"),
    ] {
        let named = before.needs_restart(&sensor(more));
        assert!(named.contains(&key), "{more:?}: {named:?}");
        // A smaller memory has smaller rings, and folders of outputs change nothing of the sandbox.
        assert!(named.len() == 1 || key == "memory", "{more:?}: {named:?}");
    }
}

#[test]
fn an_input_is_never_overwritten() {
    let input = file("not empty");
    let path = input.path().to_str().expect("path");
    for option in ["--output", "--metrics-file", "--state"] {
        let error = run(&["phitap", "replay", option, path, path]).expect_err("refused");
        assert!(error.contains("would be overwritten"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(path).expect("read"), "not empty");
    run(&["phitap", "replay", "--output", "/dev/null", "/dev/null"]).expect("no file");

    // A capture that is not even an input: the shell may have expanded `--output *.pcap` to this.
    for magic in [*b"\xd4\xc3\xb2\xa1", *b"\xa1\xb2\x3c\x4d", *b"\n\r\r\n"] {
        let mut capture = file("");
        capture.write_all(&magic).and_then(|()| capture.write_all(&[0; 20])).expect("write");
        let path = capture.path().to_str().expect("path");
        let error = run(&["phitap", "replay", "--output", path, "x"]).expect_err("refused");
        assert!(error.contains("is a capture"), "{error}");
    }
    let key = file("0123456789");
    let path = key.path().to_str().expect("path");
    let arguments = ["phitap", "replay", "--key-file", path, "--output", path, "x"];
    assert!(run(&arguments).expect_err("refused").contains("would be overwritten"));
    // The events of the last run may be replaced.
    let events = file("{}\n");
    run(&["phitap", "replay", "--output", events.path().to_str().expect("path"), "x"])
        .expect("good");
}

#[test]
fn the_file_gives_what_the_command_line_does_not() {
    let f = file(
        "format = \"ecs\"\nmemory = \"1GiB\"\nhome-net = [\"198.51.100.0/24\"]\nworkers = 4\n\
         reveal = true\nfail-on = \"low\"\nregions = [\"all\"]\nmetrics = 9187\nquiet = true\n\
         interface = [\"eth7\"]\noutput = \"events.json\"\n",
    );
    let path = f.path().to_str().expect("path");
    let c = run(&["phitap", "live", "--config", path, "--workers", "2"]).expect("good");
    assert_eq!(c.source, Source::Interfaces(vec!["eth7".into()]));
    assert_eq!((c.format, c.limits.memory), ("ecs", 1 << 30));
    assert_eq!(c.workers.map(|n| n.get()), Some(2));
    assert!(c.reveal && c.quiet && !c.progress);
    assert_eq!(c.fail_on, Some(Severity::Low));
    assert_eq!(c.regions, ["all"]);
    assert_eq!(c.metrics.map(|a| a.port()), Some(9187));
    let c = run(&["phitap", "live", "-v", "-i", "eth1", "--config", path]).expect("good");
    assert_eq!(c.source, Source::Interfaces(vec!["eth1".into()]));
    assert!(!c.quiet && c.verbose == 1, "-v on the command line wins");
}

#[test]
fn a_faulty_file_is_refused_with_its_line() {
    for (text, line, part) in [
        ("quiet = true\nspeed = 3\n", 2, "unknown field `speed`"),
        ("\n\nmemory = \"lots\"\n", 3, "512MiB"),
        ("format = \"xml\"", 1, "summary, ecs"),
        ("fail-on = \"awful\"", 1, "choose low"),
        ("\nhome-net = [\"10.1.2.3/8\"]", 2, "10.0.0.0/8"),
        ("workers = 0", 1, "nonzero"),
        ("quiet = ", 1, ""),
        ("config = \"other.toml\"", 1, "unknown field"),
    ] {
        let (at, reason) = parse(text).expect_err("refused");
        assert_eq!(at, line, "{text:?}: {reason}");
        assert!(reason.contains(part), "{text:?}: {reason}");
    }
    let f = file("x = 1");
    let path = f.path().to_str().expect("path");
    let error = run(&["phitap", "replay", "--config", path, "x"]).expect_err("refused");
    assert!(error.starts_with(&format!("{path}:1: ")), "{error}");
    let missing = Cli::try_parse_from(["phitap", "replay", "--config", "/none", "x"]);
    let error = Task::try_from(missing.expect("parses")).expect_err("refused");
    assert_eq!(error.exit_status(), exit::FAILED);
}

/// Goes through the parser's own list, so that no option can be added without a key.
#[test]
fn every_option_has_a_key() {
    let command = Cli::command();
    for name in ["replay", "live"] {
        let sub = command.find_subcommand(name).expect("command");
        for argument in sub.get_arguments() {
            let Some(long) = argument.get_long() else { continue };
            // Workers pass the last one to the replays that they start.
            if ["config", "help", "version", "ends-with"].contains(&long) {
                continue;
            }
            // A value that fits no type: the key is known if the error is not "unknown field".
            let (_, reason) = parse(&format!("{long} = {{}}")).expect_err("not a table");
            assert!(!reason.contains("unknown field"), "{long}: {reason}");
        }
    }
}

#[test]
fn sizes_have_units_and_nothing_else() {
    for (text, bytes) in [
        ("2GiB", 2 << 30),
        ("512 MiB", 512 << 20),
        ("1.5GiB", 3 << 29),
        ("2g", 2 << 30),
        ("3MB", 3_000_000),
        ("1073741824", 1 << 30),
        ("64k", 64 << 10),
    ] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "GiB", "-1", "1e9", "99999999999TiB", "1.2.3MB", "2GiBs", "."] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
}

#[test]
fn rules_and_the_rest() {
    let task = |arguments: &[&str]| {
        Task::try_from(Cli::try_parse_from(arguments).expect("good")).expect("good")
    };
    let Task::Rules { action, rules } = task(&["phitap", "rules", "test", "--rules", "d"]) else {
        panic!("not rules")
    };
    assert_eq!((action, rules), (RulesAction::Test, Some("d".into())));
    assert!(matches!(task(&["phitap", "man"]), Task::Man));
    assert!(matches!(task(&["phitap", "completions", "zsh"]), Task::Completions(_)));
}

#[test]
fn completions_and_manual_know_every_option() {
    let mut script = Vec::new();
    completions(clap_complete::Shell::Bash, &mut script).expect("memory");
    let script = String::from_utf8(script).expect("text");
    let mut page = Vec::new();
    man(&mut page).expect("memory");
    let page = String::from_utf8(page).expect("text").replace("\\-", "-");
    let command = Cli::command();
    for name in ["replay", "live"] {
        for argument in command.find_subcommand(name).expect("command").get_arguments() {
            // Hidden options are for tests.
            if let Some(long) = argument.get_long().filter(|_| !argument.is_hide_set()) {
                assert!(script.contains(&format!("--{long}")), "{long}");
                assert!(page.contains(&format!("--{long}")), "{long}");
            }
        }
    }
    assert!(
        page.starts_with(".ie") && page.contains("PHITAP LIVE") && page.contains("Exit status")
    );
}

#[test]
fn an_error_quotes_no_password_of_an_address() {
    for output in
        ["nats://me:secret@h", "https://me:secret@h/x?y=@", "nats:nats://me:secret@h:4222/a"]
    {
        let arguments = ["phitap", "replay", "x.pcap", "--output", output];
        let mut error = Cli::try_parse_from(arguments).map(drop).expect_err(output);
        hide_credentials(&mut error);
        let text = error.to_string();
        assert!(!text.contains("secret") && text.contains("://***@h"), "{text}");
    }
}
