use super::*;
use crate::cli::{Cli, Task};
use clap::Parser as _;

fn config(arguments: &[&str]) -> Config {
    let all = ["phitap", "doctor"].iter().chain(arguments);
    let cli = Cli::try_parse_from(all).expect("arguments");
    match Task::try_from(cli).expect("a task") {
        Task::Doctor { config, .. } => *config,
        other => panic!("{other:?}"),
    }
}

fn of<'a>(all: &'a [Diagnosis], check: &str) -> Vec<&'a Diagnosis> {
    all.iter().filter(|d| d.check == check).collect()
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("open.key"), [7u8; 16].repeat(2)).expect("written");
    std::fs::set_permissions(path("open.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("mode");
    std::fs::create_dir(path("rules")).expect("folder");
    std::fs::write(path("rules/own.toml"), "[[key]]\nid = 7\n").expect("written");
    let all = examine(&config(&[
        "-i",
        "nope7",
        "--key-file",
        &path("open.key"),
        "--rules",
        &path("rules"),
        "--output",
        &path("missing/events.json"),
    ]));
    for (check, found, remedy) in [
        ("interface", "nope7", "there are: "),
        ("key", "open to group or others", "chmod 600"),
        ("rules", "own.toml", "phitap rules check"),
        ("output", "there is no folder", "mkdir -p"),
    ] {
        let faults: Vec<_> =
            of(&all, check).into_iter().filter(|d| d.verdict == Verdict::Fault).collect();
        let [one] = faults[..] else { panic!("{check}: {all:#?}") };
        let whole = format!("{} {:?}", one.found, one.remedy);
        assert!(whole.contains(found) && whole.contains(remedy), "{check}: {one:#?}");
    }
    assert_eq!(worst(&all), Verdict::Fault);
    let text = text(&all, None);
    assert!(text.contains("fault   interface nope7"), "{text}");
    assert!(text.contains("must be changed"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&json(&all)).expect("JSON");
    assert_eq!(json["verdict"], "fault");
    assert_eq!(json["checks"].as_array().map(Vec::len), Some(all.len()));
}

#[test]
fn a_filter_that_means_nothing_and_rules_that_are_not_there_have_their_own_remedies() {
    let folder = tempfile::tempdir().expect("folder");
    let none = folder.path().join("none").display().to_string();
    let all = examine(&config(&["-i", "nope7", "--filter", "tcp porty 104", "--rules", &none]));
    let make = format!("mkdir -p {none}");
    for (check, found, remedy) in
        [("filter", "tcp porty 104", "pcap-filter(7)"), ("rules", "none", make.as_str())]
    {
        let [one] = of(&all, check)[..] else { panic!("{check}: {all:#?}") };
        assert_eq!(one.verdict, Verdict::Fault);
        let whole = format!("{} {:?}", one.found, one.remedy);
        assert!(whole.contains(found) && whole.contains(remedy), "{one:#?}");
    }
    assert!(of(&all, "interface").is_empty(), "{all:#?}");
    let all = examine(&config(&["-i", "nope7", "--regions", "xx"]));
    let [rules] = of(&all, "rules")[..] else { panic!("{all:#?}") };
    assert!(format!("{:?}", rules.remedy).contains("--regions"), "{rules:#?}");
}

#[test]
fn credentials_of_a_receiver_that_others_can_read_are_a_fault() {
    let folder = tempfile::tempdir().expect("folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "secret-token\n").expect("written");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("mode");
    let output = format!("http://127.0.0.1:1/,name=hook,credentials={}", token.display());
    let all = examine(&config(&["-i", "lo", "--output", &output]));
    let found = of(&all, "output");
    let fault = found.iter().find(|d| d.verdict == Verdict::Fault).expect("a fault");
    assert_eq!(fault.subject.as_deref(), Some("hook"));
    assert!(fault.found.contains("chmod 600") && !fault.found.contains("secret-token"));
}

#[test]
fn what_is_as_it_should_be_is_said_too() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let bytes: Vec<u8> = (0..32).collect();
    std::fs::write(path("key"), bytes).expect("written");
    std::fs::set_permissions(path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("mode");
    let all = examine(&config(&[
        "--key-file",
        &path("key"),
        "--output",
        &path("events.json"),
        "--state",
        &path("state.json"),
        "--metrics",
        "127.0.0.1:0",
    ]));
    for check in ["key", "rules", "metrics"] {
        assert_eq!(
            of(&all, check).iter().map(|d| d.verdict).max(),
            Some(Verdict::Good),
            "{check}: {all:#?}"
        );
    }
    // A disk may be nearly full, but is writable.
    assert!(of(&all, "output")[0].found.contains("can be written"), "{all:#?}");
    let interfaces = of(&all, "interface");
    assert!(interfaces[0].found.contains("none was chosen"), "{all:#?}");
}

#[test]
fn a_state_without_a_key_that_lasts_is_a_fault() {
    let all = examine(&config(&["--state", "state.json"]));
    assert_eq!(of(&all, "key")[0].verdict, Verdict::Fault, "{all:#?}");
}
