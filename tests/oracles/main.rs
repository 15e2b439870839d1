//! Compares phitap with independent programs that read or write the same formats.
//!
//! Each module has a Python script of the same name, which makes the other program write and
//! reports what it wrote. `scripts/prepare.sh --tests` installs the programs. `PHITAP_NO_ORACLES=1`
//! skips these tests, with a message.

// Skipped tests must be reported.
#![allow(clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;
mod dicom;
mod hl7v2;
mod identifiers;
mod ocsf;
mod page;
mod records;
mod web;

use common::Bounded as _;
use common::ROOT;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Python with the packages of `requirements.txt`. `None` if these tests are skipped.
#[allow(dead_code)]
fn python() -> Option<PathBuf> {
    if std::env::var_os("PHITAP_NO_ORACLES").is_some_and(|v| v == "1") {
        println!("LEFT OUT: PHITAP_NO_ORACLES is set");
        return None;
    }
    let python = Path::new(ROOT).join("target/oracles/bin/python");
    assert!(
        python.exists(),
        "the oracles are not installed: run scripts/prepare.sh --tests, or set PHITAP_NO_ORACLES=1"
    );
    Some(python)
}

/// Runs `script` (in `tests/oracles/`) with `arguments` and returns its output.
#[allow(dead_code)]
fn oracle(python: &Path, script: &str, arguments: &[&str]) -> String {
    let run = Command::new(python)
        .arg(Path::new(ROOT).join("tests/oracles").join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .finish();
    let err = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{script} {arguments:?}: {}\n{err}", run.status);
    String::from_utf8(run.stdout).expect("scripts print UTF-8")
}
