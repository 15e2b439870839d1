//! The program over captures of every kind: exit status, messages about faulty input, and that the
//! form of a capture does not change the findings.

mod common;

use assert_cmd::Command;
use common::Bounded as _;
use common::packets::{ethernet, pcap_header, push_record, tcp};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const MESSAGE: &str = "MSH|^~\\&|LAB|WARD|EHR|MAIN|20260301101500||ADT^A01|77|P|2.5\r\
    PID|1||4711022^^^MAIN^MR||MARLOWE^EDITHA||19540312|F|||12 HARBOUR RD^^SPRINGFIELD^IL^62701\r";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }
}

/// An Ethernet frame of a TCP segment; the side of the higher port is the client.
fn frame(from: u16, to: u16, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (client, server) = ([203, 0, 113, 9], [10, 1, 2, 3]);
    let ends = if from > to { [client, server] } else { [server, client] };
    let (from, to) = ((ends[0], from).into(), (ends[1], to).into());
    ethernet(&tcp(from, to, seq, ack, flags, payload))
}

/// An HL7 message over MLLP, as frames.
fn conversation() -> Vec<Vec<u8>> {
    let message = format!("\u{b}{MESSAGE}\u{1c}\r").into_bytes();
    let (head, tail) = message.split_at(100);
    let (c, s) = (50_112, 2575);
    let end = 101 + message.len() as u32;
    vec![
        frame(c, s, 100, 0, 0x02, b""),
        frame(s, c, 500, 101, 0x12, b""),
        frame(c, s, 101, 501, 0x10, b""),
        frame(c, s, 101, 501, 0x18, head),
        frame(c, s, 201, 501, 0x18, tail),
        frame(s, c, 501, end, 0x10, b""),
        frame(c, s, end, 501, 0x11, b""),
        frame(s, c, 501, end + 1, 0x11, b""),
    ]
}

fn pcap_of<'a>(frames: impl IntoIterator<Item = (usize, &'a Vec<u8>)>) -> Vec<u8> {
    let mut bytes = pcap_header(1);
    for (n, frame) in frames {
        push_record(&mut bytes, 1_772_360_102, n as u32 * 1000, frame);
    }
    bytes
}

fn pcap() -> Vec<u8> {
    pcap_of(conversation().iter().enumerate())
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let size = 12 + body.len().next_multiple_of(4);
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend((size as u32).to_be_bytes());
    bytes.extend(body);
    bytes.resize(size - 4, 0);
    bytes.extend((size as u32).to_be_bytes());
    bytes
}

/// Two interfaces with different units and losses. The last block has 48 bytes.
fn pcapng() -> Vec<u8> {
    let mut section = vec![0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0];
    section.extend([0xff; 8]);
    let mut bytes = block(0x0a0d_0d0a, &section);
    bytes.extend(block(1, &[0, 1, 0, 0, 0, 0, 0, 0]));
    bytes.extend(block(1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0]));
    for (n, frame) in conversation().iter().enumerate() {
        let micros = 1_772_360_102_000_000 + n as u64 * 1000;
        let (index, units) = if n % 2 == 0 { (0, micros) } else { (1, micros * 1000) };
        let mut body = u32::to_be_bytes(index).to_vec();
        body.extend(units.to_be_bytes());
        body.extend((frame.len() as u32).to_be_bytes());
        body.extend((frame.len() as u32).to_be_bytes());
        body.extend(frame);
        bytes.extend(block(6, &body));
    }
    let mut statistics = vec![0; 12];
    statistics.extend([0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
    statistics.extend([0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 4, 1]);
    bytes.extend(block(5, &statistics));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// `phitap replay` with a fixed key.
fn phitap(folder: &Folder) -> Command {
    use std::os::unix::fs::PermissionsExt as _;
    let key = folder.file("key-of-this-test", &std::array::from_fn::<u8, 32, _>(|n| n as u8));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("set");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("phitap"));
    command.args(["replay", "--key-file"]).arg(key);
    command
}

/// Exit status, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.timeout(common::ending::END_WITHIN).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code().expect("exits"), text(&output.stdout), text(&output.stderr))
}

fn ecs(folder: &Folder, paths: &[&Path]) -> (i32, String, String) {
    run(phitap(folder).args(["--format", "ecs"]).args(paths))
}

/// All events except the run summary, without the file and the numbers of their packets.
fn events(output: &str) -> Vec<String> {
    let events = output.lines().filter(|l| !l.contains("\"run-summary\""));
    let parsed = events.map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"));
    let without_file = parsed.map(|mut event| {
        event["phi"].as_object_mut().expect("object").remove("evidence");
        event.to_string()
    });
    without_file.collect()
}

#[test]
fn the_form_of_a_capture_does_not_matter() {
    let folder = Folder::new();
    let plain = folder.file("plain", &pcap());
    let (status, expected, errors) = ecs(&folder, &[&plain]);
    assert_eq!((status, errors.as_str()), (0, ""));
    let expected = events(&expected);
    assert!(expected.iter().any(|e| e.contains("phi-finding")), "{expected:?}");

    let frames = conversation();
    let odd = pcap_of(frames.iter().enumerate().filter(|(n, _)| n % 2 == 1));
    let even = pcap_of(frames.iter().enumerate().filter(|(n, _)| n % 2 == 0));
    std::fs::create_dir(folder.path("set")).expect("made");
    for (n, frame) in frames.iter().enumerate() {
        // The names have another order than the times.
        let name = format!("set/cap.pcap{}", frames.len() - n);
        folder.file(&name, &gzip(&pcap_of([(n, frame)])));
    }
    for (what, paths) in [
        ("pcapng", vec![folder.file("ng", &pcapng())]),
        ("gzip of pcapng", vec![folder.file("looks-like-nothing", &gzip(&pcapng()))]),
        ("gzip members", vec![folder.file("members", &[gzip(b""), gzip(&pcap())].concat())]),
        ("two files", vec![folder.file("odd", &odd), folder.file("even", &gzip(&even))]),
        ("a rotated set", vec![folder.path("set")]),
    ] {
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let (status, output, errors) = ecs(&folder, &paths);
        assert_eq!((status, errors.as_str()), (0, ""), "{what}");
        assert_eq!(events(&output), expected, "{what}");
    }
    for bytes in [pcap(), pcapng(), gzip(&pcap())] {
        let (status, output, errors) =
            run(phitap(&folder).args(["--format", "ecs", "-"]).write_stdin(bytes));
        assert_eq!((status, errors.as_str()), (0, ""));
        assert_eq!(events(&output), expected);
    }
}

#[test]
fn what_the_capturing_host_lost_is_reported() {
    let folder = Folder::new();
    let (status, page, _) = run(phitap(&folder).arg(folder.file("ng", &pcapng())));
    assert_eq!(status, 0);
    let page: String = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = "Never seen 1,032 packets: interface 7, kernel 1,025";
    assert!(page.contains(line), "{page}");
}

#[test]
fn each_fault_is_one_line() {
    let folder = Folder::new();
    let whole = pcap();
    let end = whole.len();
    let last = 16 + conversation().last().map_or(0, Vec::len);
    let mut long = whole.clone();
    long.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]);
    let ng = pcapng();
    let mut lie = ng.clone();
    lie[ng.len() - 1] ^= 4;
    let mut version = whole.clone();
    version[4] = 9;
    let packed = gzip(&whole);
    let mut damaged = packed.clone();
    damaged[packed.len() - 8] ^= 1;
    let cut = packed.len() - 30;
    let cases: [(&str, &[u8], i32, &str); 16] = [
        (
            "text",
            b"hello, world",
            1,
            "is not a capture at byte 0: it starts with 68 65 6c 6c; give a pcap or pcapng file",
        ),
        (
            "zip",
            b"PK\x03\x04....",
            1,
            "is not a capture at byte 0: it starts with 50 4b 03 04; a ZIP archive: unpack it first",
        ),
        ("empty", b"", 1, "is empty (0 bytes); capture again"),
        ("header", &whole[..20], 1, "ends within its file header at byte 0;"),
        ("ng-header", &ng[..20], 1, "ends within its file header at byte 0;"),
        ("usb", &pcap_header(220), 1, "has link type 220 (USB, Linux) at byte 0, which"),
        (
            "nordic",
            &pcap_header(272),
            1,
            "has link type 272 (Nordic Bluetooth Low Energy) at byte 0, which",
        ),
        ("version", &version, 1, "has format version 9.4 at byte 0; convert it"),
        ("record", &whole[..end - 3], 3, &format!("ends within a packet at byte {};", end - last)),
        ("long", &long, 3, &format!("has a packet of impossible length 2147483647 at byte {end};")),
        (
            "ng-cut",
            &ng[..ng.len() - 1],
            3,
            &format!("ends within a packet at byte {};", ng.len() - 48),
        ),
        (
            "ng-lie",
            &lie,
            3,
            &format!("has a block whose two lengths differ at byte {};", ng.len() - 48),
        ),
        ("gz-cut", &packed[..cut], 3, &format!("ends within its gzip data at byte {cut};")),
        ("gz-damaged", &damaged, 3, "has damaged gzip data at byte "),
        ("gz-text", &gzip(b"hello, world"), 1, "is not a capture at byte 0 of the unpacked data:"),
        ("gz-twice", &gzip(&packed), 1, "is compressed twice: gzip within"),
    ];
    let good = folder.file("good", &whole);
    for (name, bytes, status, line) in cases {
        let path = folder.file(name, bytes);
        let (got, _, errors) = ecs(&folder, &[&path]);
        assert_eq!(got, status, "{name}: {errors}");
        let expected = format!("phitap: {}: {line}", path.display());
        assert!(errors.starts_with(&expected), "{name}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{name}: {errors}");
        // Beside a good input, it is the part that could not be read.
        let (got, output, _) = ecs(&folder, &[&good, &path]);
        assert_eq!(got, 3, "{name}");
        assert!(output.contains("phi-finding"), "{name}");
        let summary = output.lines().last().unwrap_or_default();
        assert!(summary.contains("\"faulty\":[{"), "{name}: {summary}");
    }
}

#[test]
fn what_cannot_be_opened_is_one_line_too() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).expect("made");
    for (path, line) in [
        ("folder", "is a folder without captures"),
        ("missing", "No such file or directory (os error 2); check the path"),
    ] {
        let path = folder.path(path);
        let (status, _, errors) = ecs(&folder, &[&path]);
        assert_eq!(status, 1);
        assert!(errors.starts_with(&format!("phitap: {}: {line}", path.display())), "{errors}");
        assert_eq!(errors.lines().filter(|l| l.contains("phitap:")).count(), 1, "{errors}");
    }
    for (bytes, line) in [(&b""[..], "is empty (0 bytes)"), (b"nothing", "is not a capture")] {
        let (status, _, errors) = run(phitap(&folder).arg("-").write_stdin(bytes));
        assert_eq!(status, 1);
        assert!(errors.starts_with(&format!("phitap: standard input: {line}")), "{errors}");
    }
}

#[test]
fn packets_before_a_fault_count() {
    let folder = Folder::new();
    // Cut inside the last packet; everything important comes before it.
    let whole = pcap();
    for bytes in [whole[..whole.len() - 1].to_vec(), gzip(&whole[..whole.len() - 1])] {
        let (status, output, _) = ecs(&folder, &[&folder.file("cut", &bytes)]);
        assert_eq!(status, 3);
        assert!(output.contains("phi-finding"));
    }
}

/// Whether a running program prints a line with `what` within some seconds.
#[expect(clippy::disallowed_methods, reason = "a test must end when nothing comes")]
fn comes(child: &mut std::process::Child, what: &str) -> bool {
    use std::io::BufRead as _;
    let output = child.stdout.take().expect("piped");
    let (sender, receiver) = std::sync::mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        for line in std::io::BufReader::new(output).lines().map_while(Result::ok) {
            // Keep reading, because a closed pipe would end the program.
            let _ = sender.send(line);
        }
    });
    let until = Instant::now() + Duration::from_secs(180);
    while let Ok(line) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if line.contains(what) {
            return true;
        }
    }
    false
}

fn interrupt(child: &std::process::Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("sent");
}

fn spawn(arguments: &[&str], path: &Path) -> std::process::Child {
    std::process::Command::new(assert_cmd::cargo::cargo_bin!("phitap"))
        .args(["replay", "--format", "ecs"])
        .args(arguments)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .start()
}

#[test]
fn a_file_is_followed_until_the_interrupt() {
    let folder = Folder::new();
    let whole = pcap();
    let (head, tail) = whole.split_at(300);
    let path = folder.file("growing", head);
    for workers in ["1", "2"] {
        folder.file("growing", head);
        let mut child = spawn(&["--follow", "--workers", workers], &path);
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().expect("known").is_none(), "it waits");
        let mut file = std::fs::File::options().append(true).open(&path).expect("open");
        file.write_all(tail).expect("written");
        assert!(comes(&mut child, "phi-finding"));
        interrupt(&child);
        assert_eq!(child.wait().expect("exits").code(), Some(0));
    }
}

#[test]
fn a_pipe_is_read_as_it_comes() {
    let mut child = spawn(&[], Path::new("-"));
    let mut input = child.stdin.take().expect("piped");
    input.write_all(&pcap()).expect("written");
    // The pipe stays open: events must not wait for its end.
    assert!(comes(&mut child, "phi-finding"));
    interrupt(&child);
    // The pipe might have brought more, which was not read.
    assert_eq!(child.wait().expect("exits").code(), Some(3));
}
