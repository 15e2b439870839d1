//! What a hub says of its source before it begins, and what is documented of a NATS server.

use super::common::nats::left_out;
use super::common::{Bounded as _, ROOT, phitap};
use std::path::Path;
use std::process::Command;

#[test]
fn the_source_of_a_hub_is_checked_before_it_begins() {
    let folder = tempfile::tempdir().expect("folder");
    let store = folder.path().join("hub.db");
    let refused = |source: &[&str]| {
        let run = phitap([&["hub", "--store", &store.display().to_string()], source].concat());
        (run.status, run.err)
    };
    let (status, text) = refused(&[]);
    assert!(status == Some(2) && text.contains("--nats"), "{text}");
    let (status, text) = refused(&["--nats", "nats://127.0.0.1:1", "--kafka", "127.0.0.1:1"]);
    assert!(status == Some(2) && text.contains("cannot be used with"), "{text}");
    let (status, text) = refused(&["--kafka", "me:hidden@127.0.0.1:1"]);
    assert!(status == Some(2) && text.contains("credentials"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
    let (status, text) = refused(&["--kafka", "127.0.0.1:1", "--topic", "a b"]);
    assert!(status == Some(2) && text.contains("letters, digits"), "{text}");
    let (status, text) = refused(&["--kafka", "192.0.2.1:1", "--kafka-credentials", "/none"]);
    assert!(status == Some(2) && text.contains("in cleartext"), "{text}");
    let (status, text) = refused(&["--kafka", "192.0.2.1:1", "--kafka-ca", "/none"]);
    assert!(status == Some(2) && text.contains("tls://"), "{text}");
    let (status, text) = refused(&["--kafka", "192.0.2.1:1,tls://192.0.2.2:1"]);
    assert!(status == Some(2) && text.contains("before the first broker"), "{text}");
    if cfg!(not(feature = "kafka-tls")) && cfg!(feature = "kafka") {
        let (status, text) = refused(&["--kafka", "tls://192.0.2.1:1"]);
        assert!(status == Some(1) && text.contains("--features kafka-tls"), "{text}");
    }
    if cfg!(not(feature = "kafka")) {
        let (status, text) = refused(&["--kafka", "127.0.0.1:1"]);
        assert!(status == Some(1) && text.contains("--features kafka"), "{text}");
    }
}

#[test]
fn what_is_said_of_limits_of_jetstream_holds_at_small_size() {
    if left_out() {
        return;
    }
    let script = Path::new(ROOT).join("scripts/jetstream-limits.py");
    let run = Command::new("python3").arg(script).arg("--check").finish();
    let text = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && run.stdout.ends_with(b"ok\n"), "{text}");
}
