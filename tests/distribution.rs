//! `phitap rules publish` and `phitap rules follow` with a real NATS server.
#![cfg(feature = "nats")]

mod common;

use common::nats::{Nats, left_out};
use common::signing::keys;
use common::{Run, phitap};
use std::path::Path;

const RULE: &str = r#"
[[key]]
id = "key-own"
title = "Visit number"
kind = "encounter_id"
names = ["besuchsnummer"]
confidence = 0.8
reference = "Portal manual"
match = ["Besuchsnummer"]
"#;

fn publish(nats: &Nats, rules: &Path, key: &str) -> Run {
    let rules = rules.display().to_string();
    phitap(["rules", "publish", "--rules", &rules, "--sign-key", key, "--nats", &nats.url()])
}

fn follow(nats: &Nats, into: &Path, key: &str) -> Run {
    let metrics = into.with_extension("prom").display().to_string();
    let into = into.display().to_string();
    phitap([
        "rules",
        "follow",
        "--once",
        "--into",
        &into,
        "--rules-key",
        key,
        "--metrics-file",
        &metrics,
        "--nats",
        &nats.url(),
    ])
}

#[test]
fn signed_rules_reach_the_sensor_and_nothing_else_does() {
    if left_out() {
        return;
    }
    let (folder, nats) = (tempfile::tempdir().expect("folder"), Nats::start());
    let (private, public) = keys(folder.path(), "ours");
    let (stranger, _) = keys(folder.path(), "theirs");
    let (rules, into) = (folder.path().join("rules"), folder.path().join("sensor"));
    std::fs::create_dir(&rules).expect("folder");
    let none = follow(&nats, &into, &public);
    assert_eq!(none.status, Some(1));
    assert!(none.err.contains("no rules were published"), "{}", none.err);

    std::fs::write(rules.join("own.toml"), RULE).expect("written");
    let run = publish(&nats, &rules, &private);
    assert_eq!(
        (run.status, run.out.as_str()),
        (Some(0), "published as version 1\n"),
        "{}",
        run.err
    );
    let run = follow(&nats, &into, &public);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let current = into.join("current");
    let text = || std::fs::read_to_string(current.join("own.toml")).expect("rules");
    assert_eq!(text(), RULE);
    let listed = phitap(["rules", "list", "--rules", &current.display().to_string()]);
    assert!(listed.out.contains("key-own"), "{}", listed.err);

    // What cannot be loaded is not published.
    std::fs::write(rules.join("own.toml"), "[[key]]\nnonsense = 1\n").expect("written");
    let run = publish(&nats, &rules, &private);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("own.toml"), "{}", run.err);

    // A stranger may write to the bucket, and is refused.
    let newer = RULE.replace("Visit number", "Number of a visit");
    std::fs::write(rules.join("own.toml"), &newer).expect("written");
    assert_eq!(publish(&nats, &rules, &stranger).status, Some(0));
    let run = follow(&nats, &into, &public);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("signature") && run.err.lines().count() == 1, "{}", run.err);
    assert_eq!(text(), RULE);
    let metrics = std::fs::read_to_string(into.with_extension("prom")).expect("metrics");
    assert!(metrics.contains("phitap_rules_followed_total{result=\"signature\"} 1"), "{metrics}");

    let run = publish(&nats, &rules, &private);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert_eq!(follow(&nats, &into, &public).status, Some(0));
    assert_eq!(text(), newer);
    let wrong = follow(&nats, &into, &private);
    assert_eq!(wrong.status, Some(1));
    assert!(wrong.err.contains("no public key"), "{}", wrong.err);
    let run = phitap(["rules", "publish", "--sign-key", &private, "--nats", &nats.url()]);
    assert_eq!(run.status, Some(2));
}
