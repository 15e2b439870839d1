//! The README is true: its commands run, its sample is the program's output, and it names every
//! protocol and format.
//!
//! `PHITAP_BLESS=1 cargo test --test readme` updates the sample.

mod common;

use clap::Parser as _;
use common::Bounded as _;
use common::{PHITAP, ROOT, phitap};
use std::path::Path;
use std::process::{Command, Stdio};

/// Exposures shown in the sample; the rest is left out.
const SHOWN: usize = 3;
/// Marks the omission.
const LEFT_OUT: &str = "[...]";
const SAMPLE: &str = "<!-- sample: phitap replay fixtures/hospital.pcap -->\n```text\n";

fn readme() -> String {
    std::fs::read_to_string(Path::new(ROOT).join("README.md")).expect("README.md")
}

fn guide() -> String {
    std::fs::read_to_string(Path::new(ROOT).join("docs/guide.md")).expect("docs/guide.md")
}

/// The fenced blocks of the README: the info string, and the lines.
fn blocks(readme: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in readme.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(_), true) => open = false,
            (Some(info), false) => {
                open = true;
                blocks.push((info.to_owned(), Vec::new()));
            }
            (None, true) => {
                if let Some(block) = blocks.last_mut() {
                    block.1.push(line.to_owned());
                }
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block without end");
    blocks
}

/// A command, and the exit status in its comment.
fn command(line: &str) -> (&str, i32) {
    match line.split_once(" # exit status ") {
        Some((command, status)) => (command.trim_end(), status.trim().parse().expect("a number")),
        None => (line, 0),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder").map(|e| e.expect("entry")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copy");
        }
    }
}

/// Runs the commands of a page in a temporary folder with the fixtures. Returns their number, and
/// the folder.
fn run_all(page: &str) -> (usize, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("folder");
    let here = folder.path();
    copy(&Path::new(ROOT).join("fixtures"), &here.join("fixtures"));
    let blocks = blocks(page);
    for (info, lines) in &blocks {
        if let Some(name) = info.strip_prefix("toml ") {
            let path = here.join(name);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            std::fs::write(path, lines.join("\n")).expect("file");
        }
    }
    let bin = Path::new(PHITAP).parent().expect("folder").display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let mut run = 0;
    for line in blocks.iter().filter(|(info, _)| info == "sh").flat_map(|(_, lines)| lines) {
        let (command, status) = command(line);
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(here)
            .env("PATH", &path)
            .stdin(Stdio::null())
            .finish();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{command}: {said}");
        run += 1;
    }
    (run, folder)
}

#[test]
fn every_command_of_the_guide_runs_as_documented() {
    let (run, folder) = run_all(&guide());
    assert!(run >= 10, "only {run} commands");
    for made in
        ["exposures.csv", "patients.csv", "case-17.pcapng", "case-17.pcapng.json", "case.html"]
    {
        let len = std::fs::metadata(folder.path().join(made)).map_or(0, |m| m.len());
        assert!(len > 500, "{made}: {len} bytes");
    }
}

#[test]
fn every_command_runs_as_documented() {
    let (run, folder) = run_all(&readme());
    let here = folder.path();
    assert!(run >= 10, "only {run} commands");
    for made in
        ["events.json", "phitap.prom", "monday.json", "revealed.json", "report.html", "monday.html"]
    {
        let len = std::fs::metadata(here.join(made)).map_or(0, |m| m.len());
        assert!(len > 1000, "{made}: {len} bytes");
    }
}

#[test]
fn commands_that_need_a_network_are_at_least_right_usage() {
    let mut checked = 0;
    let all = readme() + &guide();
    for (_, lines) in blocks(&all).iter().filter(|(info, _)| info == "sh no-run") {
        for line in lines {
            let command = line.split(" #").next().unwrap_or(line);
            let words: Vec<&str> = command.split_whitespace().collect();
            if words.first() == Some(&"phitap") {
                let cli = phitap::cli::Cli::try_parse_from(&words);
                let task = cli.map_err(|e| e.to_string()).and_then(|cli| {
                    phitap::cli::Task::try_from(cli).map_err(|error| error.to_string())
                });
                assert!(task.is_ok(), "{line}: {:?}", task.err());
                checked += 1;
            } else if let Some(script) = words.first().and_then(|w| w.strip_prefix("./")) {
                let path = Path::new(ROOT).join(script);
                let syntax = Command::new("bash").arg("-n").arg(&path).status().expect("bash");
                assert!(syntax.success(), "{script}");
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::metadata(path).expect("script").permissions().mode();
                assert_eq!(mode & 0o111, 0o111, "{script} is not executable");
                checked += 1;
            }
        }
    }
    assert!(checked >= 4, "only {checked} lines");
}

/// The first exposures and the totals, without what differs between runs.
fn excerpt(page: &str) -> String {
    let paragraphs: Vec<&str> = page.trim_end().split("\n\n").collect();
    let is_exposure =
        |p: &&str| ["CRITICAL ", "HIGH ", "MEDIUM ", "LOW "].iter().any(|s| p.starts_with(s));
    let mut shown = 0;
    let mut kept: Vec<String> = Vec::new();
    for paragraph in &paragraphs {
        shown += usize::from(is_exposure(paragraph));
        if !is_exposure(paragraph) || shown <= SHOWN {
            kept.push(paragraph.lines().map(without_chance).collect::<Vec<_>>().join("\n"));
        } else if shown == SHOWN + 1 {
            kept.push(LEFT_OUT.into());
        }
    }
    assert!(shown > SHOWN, "{shown} exposures");
    kept.join("\n\n") + "\n"
}

/// A line without speed and key.
fn without_chance(line: &str) -> String {
    let line = line.split(", read in ").next().unwrap_or(line);
    match line.split_once("made with key ") {
        Some((start, _)) => format!("{start}made with a key of this run"),
        None => line.to_owned(),
    }
}

#[test]
fn the_sample_is_what_the_program_prints() {
    let mut page = Command::new(PHITAP);
    page.args(["replay", "fixtures/hospital.pcap"]).current_dir(ROOT);
    let output = page.finish();
    assert_eq!(output.status.code(), Some(0));
    let expected = excerpt(&String::from_utf8(output.stdout).expect("UTF-8"));
    let readme = readme();
    let (before, rest) = readme.split_once(SAMPLE).expect("the place of the sample");
    let end = if rest.starts_with("```\n") { 0 } else { rest.find("\n```\n").expect("end") + 1 };
    let (sample, after) = rest.split_at(end);
    if std::env::var_os("PHITAP_BLESS").is_some() {
        let text = format!("{before}{SAMPLE}{expected}{after}");
        std::fs::write(Path::new(ROOT).join("README.md"), text).expect("README.md");
        return;
    }
    let differs = sample.lines().zip(expected.lines()).find(|(old, new)| old != new);
    assert!(
        sample == expected,
        "the sample is stale from {differs:?} on; PHITAP_BLESS=1 cargo test --test readme writes it anew"
    );
}

#[test]
fn every_protocol_and_format_is_named() {
    let readme = readme();
    let protocols = phitap::protocol::PROTOCOLS.iter().map(|p| p.name());
    let contents = phitap::content::FORMATS.iter().map(|f| f.name());
    let outputs = phitap::output::FORMATS.iter().map(|f| f.name);
    let missing: Vec<&str> = protocols
        .chain(contents)
        .chain(outputs)
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "the README does not name {missing:?}");
    for status in [0, 1, 2, 3, 10] {
        assert!(readme.contains(&format!("\n| {status} | ")), "exit status {status}");
    }
    // The README names no option that does not exist. `--encrypt-to` comes with the feature `age`,
    // the others with cargo.
    let commands = [
        "replay",
        "live",
        "report",
        "query",
        "find",
        "diff",
        "explain",
        "cut",
        "doctor",
        "merge",
        "hub",
        "rules publish",
        "rules follow",
        "jobs submit",
        "jobs status",
        "jobs result",
        "jobs clear",
        "worker",
    ];
    let help = commands.map(|c| phitap(c.split(' ').chain(["--help"])).out).concat();
    for word in readme.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if word.starts_with("--")
            && !word.starts_with("---")
            && word.len() > 2
            && !["--release", "--help", "--features", "--encrypt-to"].contains(&word)
        {
            assert!(help.contains(word), "{word} is no option");
        }
    }
}

#[test]
fn the_table_of_protocols_names_every_protocol_payload_and_capture() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/protocols.md")).expect("page");
    let (protocols, payloads) = page.split_once("## Payloads").expect("two tables");
    let cells = |table: &str, at: usize| -> Vec<String> {
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.filter_map(|row| row.split('|').nth(at));
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        cells.flat_map::<Vec<String>, _>(quoted).collect()
    };
    let (named, named_payloads) = (cells(protocols, 1), cells(payloads, 1));
    for protocol in phitap::protocol::PROTOCOLS.iter().map(|p| p.name()) {
        assert!(named.iter().any(|n| n == protocol), "{protocol} is missing");
    }
    for format in phitap::content::FORMATS.iter().map(|f| f.name()) {
        assert!(named_payloads.iter().any(|n| n == format), "{format} is missing");
    }
    for capture in cells(protocols, 3).into_iter().chain(cells(payloads, 3)) {
        let file = Path::new(ROOT).join(format!("fixtures/captures/{capture}.pcap"));
        assert!(file.is_file(), "{capture} is no fixture");
    }
}
