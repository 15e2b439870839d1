//! Archives in an object store: jobs over `s3://`, streamed from a server that emulates S3 (moto).
#![cfg(feature = "archives")]
// The tests wait for servers by the system clock.
#![allow(clippy::disallowed_methods)]

mod common;

use common::Bounded as _;
use common::nats::{Nats, left_out};
use common::summaries::{alone, found};
use common::{Key, PHITAP, hospital, list, split};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A server that is killed when this is dropped.
struct S3 {
    child: Child,
    port: u16,
}

impl S3 {
    fn start() -> Self {
        let port = common::ports::port_for_a_program();
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server is not installed: pip install 'moto[server]'");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(180), "moto_server does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        Self { child, port }
    }

    fn put(&self, path: &str, body: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        write!(
            stream,
            "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .expect("sent");
        stream.write_all(body).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// The program, configured for the server.
    fn phitap(&self, arguments: &[&str]) -> Output {
        Command::new(PHITAP)
            .args(arguments)
            .env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "someone")
            .env("AWS_SECRET_ACCESS_KEY", "nothing")
            .stdin(Stdio::null())
            .finish()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn captures_in_a_bucket_give_what_they_give_as_files() {
    if left_out() {
        return;
    }
    let (key, folder, nats, s3) =
        (Key::new(), tempfile::tempdir().expect("folder"), Nats::start(), S3::start());
    let parts = split::over_sensors(&hospital(), 3, folder.path());
    s3.put("/hospital", b"");
    for part in &parts {
        let name = part.file_name().and_then(|name| name.to_str()).expect("name");
        s3.put(&format!("/hospital/2026/{name}"), &std::fs::read(part).expect("capture"));
    }
    s3.put("/hospital/2026/notes.txt", b"no capture");
    s3.put("/hospital/broken/cut.pcap.gz", b"\x1f\x8b\x08 garbage");
    let truth = alone(&key, &hospital(), folder.path());

    let url = nats.url();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let submitted = s3.phitap(&[
        "jobs",
        "submit",
        "--nats",
        &url,
        "s3://hospital/2026",
        "s3://hospital/broken/cut.pcap.gz",
    ]);
    assert!(submitted.status.success(), "{}", said(&submitted));
    let text = String::from_utf8_lossy(&submitted.stdout).into_owned();
    assert!(text.contains("2 jobs of 4 captures"), "what rotates is one job: {text}");
    let none = s3.phitap(&["jobs", "submit", "--nats", &url, "s3://hospital/nowhere"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(said(&none).contains("s3://hospital/nowhere"), "{}", said(&none));

    let before: Vec<_> = list_of(std::env::temp_dir().as_path());
    let worked = s3.phitap(&[
        "worker",
        "--nats",
        &url,
        "--key-file",
        &key.path(),
        "--until-empty",
        "--tries",
        "1",
        "--workers",
        "1",
    ]);
    assert!(worked.status.success(), "{}", said(&worked));
    let after: Vec<_> = list_of(std::env::temp_dir().as_path());
    assert_eq!(before, after, "no capture is left on the disk");
    let status = s3.phitap(&["jobs", "status", "--json", "--nats", &url]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(
        status["done"]["jobs"].as_u64().unwrap_or(0)
            + status["failed"]["jobs"].as_u64().unwrap_or(0),
        2,
        "{status}"
    );
    let named = list(&status["given_up"]).iter().chain(list(&status["partly_read"]));
    let named: Vec<&str> = named.filter_map(|of| of["file"].as_str()).collect();
    assert_eq!(named, ["s3://hospital/broken/cut.pcap.gz"], "{status}");
    let result = s3.phitap(&["jobs", "result", "--format", "json", "--nats", &url]);
    assert_eq!(result.status.code(), Some(3), "one is cut: {}", said(&result));
    let result: Value = serde_json::from_slice(&result.stdout).expect("JSON");
    assert_eq!(found(&result), truth);
}

/// Folders of feeds in a folder.
fn list_of(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder).expect("folder").flatten().map(|e| e.file_name());
    let mut names: Vec<_> =
        entries.filter(|name| name.to_string_lossy().starts_with("phitap-")).collect();
    names.sort();
    names
}
