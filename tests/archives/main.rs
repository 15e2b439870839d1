//! Archives in object stores: jobs over `s3://`, `az://` and `gs://`, streamed from servers that emulate S3 (moto),
//! Azure Blob Storage (Azurite) and Google Cloud Storage (`google`).
#![cfg(feature = "archives")]
// The tests wait for servers by the system clock.
#![allow(clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
mod google;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::Bounded as _;
use common::nats::{Nats, left_out};
use common::summaries::{alone, found};
use common::{Key, PHITAP, hospital, list, split};
use google::Google;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Account and key of every emulator of Azure Storage, as its documentation publishes them.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Whose protocol a server speaks.
#[derive(Clone, Copy, Debug)]
enum Provider {
    Amazon,
    Azure,
    Google,
}

/// A server with one empty bucket, `hospital`.
struct Bucket {
    provider: Provider,
    server: Server,
    port: u16,
    /// Where the program keeps what it holds for a time.
    temporary: tempfile::TempDir,
}

enum Server {
    /// Killed when the bucket is dropped.
    Program(Child),
    Thread(Google),
}

impl Bucket {
    fn start(provider: Provider) -> Self {
        let temporary = tempfile::tempdir().expect("folder");
        let (program, port, child) = match provider {
            Provider::Google => {
                let (server, port) = Google::start();
                return Self { provider, server: Server::Thread(server), port, temporary };
            }
            Provider::Amazon => {
                Self::run("moto_server", |port| vec!["-H", "127.0.0.1", "-p", port])
            }
            Provider::Azure => Self::run("azurite-blob", |port| {
                let listens = ["--blobHost", "127.0.0.1", "--blobPort", port];
                let others =
                    ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"];
                [&listens[..], &others].concat()
            }),
        };
        let bucket = Self { provider, server: Server::Program(child), port, temporary };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(180), "{program} does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        match provider {
            Provider::Azure => bucket.send_signed("/hospital", "?restype=container", "", b""),
            _ => bucket.send("PUT", "/hospital", "", b""),
        }
        bucket
    }

    fn run(
        program: &'static str,
        arguments: impl Fn(&str) -> Vec<&str>,
    ) -> (&'static str, u16, Child) {
        let port = common::ports::port_for_a_program();
        let number = port.to_string();
        let child = Command::new(program)
            .args(arguments(&number))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; .ci/run installs it"));
        (program, port, child)
    }

    /// Sends a request, which must be answered well.
    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            self.port,
            body.len()
        )
        .expect("sent");
        stream.write_all(body).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
    }

    /// A PUT with a signature of the account ("Authorize with Shared Key" of Azure Storage).
    fn send_signed(&self, path: &str, query: &str, of_blob: &str, body: &[u8]) {
        let format = time::macros::format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = time::OffsetDateTime::now_utc().format(format).expect("date");
        let headers = format!("{of_blob}x-ms-date:{date}\nx-ms-version:2021-12-02\n");
        let length = if body.is_empty() { String::new() } else { body.len().to_string() };
        let resource = query.trim_start_matches('?').replace('=', ":");
        let resource = if resource.is_empty() { resource } else { format!("\n{resource}") };
        let text = format!(
            "PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n{headers}/{ACCOUNT}/{ACCOUNT}{path}{resource}"
        );
        let key = STANDARD.decode(ACCOUNT_KEY).expect("base64");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        let signature = STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()));
        let headers = headers.replace('\n', "\r\n");
        let headers = format!("{headers}Authorization: SharedKey {ACCOUNT}:{signature}\r\n");
        self.send("PUT", &format!("/{ACCOUNT}{path}{query}"), &headers, body);
    }

    fn put(&self, key: &str, body: &[u8]) {
        match self.provider {
            Provider::Google => self.google().put(key, body),
            Provider::Amazon => self.send("PUT", &format!("/hospital/{key}"), "", body),
            Provider::Azure => {
                let path = format!("/hospital/{key}");
                self.send_signed(&path, "", "x-ms-blob-type:BlockBlob\n", body);
            }
        }
    }

    fn google(&self) -> &Google {
        match &self.server {
            Server::Thread(server) => server,
            Server::Program(_) => panic!("{:?} is a program", self.provider),
        }
    }

    /// The address of a key, or of those that begin like it.
    fn url(&self, key: &str) -> String {
        let scheme = match self.provider {
            Provider::Amazon => "s3",
            Provider::Azure => "az",
            Provider::Google => "gs",
        };
        format!("{scheme}://hospital/{key}")
    }

    /// The program, configured for the server.
    fn phitap(&self, arguments: &[&str]) -> Output {
        self.phitap_with_token(google::TOKEN, arguments)
    }

    /// `token`: what a Google user shows.
    fn phitap_with_token(&self, token: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(PHITAP);
        let server = format!("http://127.0.0.1:{}", self.port);
        match self.provider {
            Provider::Amazon => command
                .env("AWS_ENDPOINT", server)
                .env("AWS_ALLOW_HTTP", "true")
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "someone")
                .env("AWS_SECRET_ACCESS_KEY", "nothing"),
            Provider::Azure => command
                .env("AZURE_STORAGE_USE_EMULATOR", "true")
                .env("AZURITE_BLOB_STORAGE_URL", server),
            Provider::Google => command
                .env("GOOGLE_BASE_URL", server)
                .env("GOOGLE_ALLOW_HTTP", "true")
                .env("GOOGLE_BEARER_TOKEN", token),
        };
        command.env("TMPDIR", self.temporary.path());
        command.args(arguments).stdin(Stdio::null()).finish()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Server::Program(child) = &mut self.server {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn captures_in_a_bucket_of_amazon_give_what_they_give_as_files() {
    captures_in_a_bucket(Provider::Amazon);
}

#[test]
fn captures_in_a_bucket_of_azure_give_what_they_give_as_files() {
    captures_in_a_bucket(Provider::Azure);
}

/// Names of objects are not only letters, objects come in pages, and a connection may end in the middle of one.
#[test]
fn captures_in_a_bucket_of_google_give_what_they_give_as_files() {
    if left_out() {
        return;
    }
    let bucket = Bucket::start(Provider::Google);
    jobs_over(&bucket, "2026/Haus 1 + 2, S\u{fc}d 100 % #3");
    let (pages, resumed, refused) = bucket.google().seen();
    assert!(pages > 0 && resumed > 0 && refused == 0, "{pages} {resumed} {refused}");

    let nats = Nats::start();
    let url = bucket.url("2026");
    let submit = ["jobs", "submit", "--nats", &nats.url(), &url];
    let refused = bucket.phitap_with_token("another", &submit);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains(&url) && text.contains("refuse") && !text.contains("another"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

fn captures_in_a_bucket(provider: Provider) {
    if !left_out() {
        jobs_over(&Bucket::start(provider), "2026");
    }
}

/// Jobs over captures whose keys begin with `keys`, a folder in `2026`, give what the captures give as files.
fn jobs_over(bucket: &Bucket, keys: &str) {
    let (key, folder, nats) = (Key::new(), tempfile::tempdir().expect("folder"), Nats::start());
    let parts = split::over_sensors(&hospital(), 3, folder.path());
    for part in &parts {
        let name = part.file_name().and_then(|name| name.to_str()).expect("name");
        bucket.put(&format!("{keys}/{name}"), &std::fs::read(part).expect("capture"));
    }
    bucket.put(&format!("{keys}/notes.txt"), b"no capture");
    bucket.put("broken/cut.pcap.gz", b"\x1f\x8b\x08 garbage");
    let truth = alone(&key, &hospital(), folder.path());

    let (url, broken) = (nats.url(), bucket.url("broken/cut.pcap.gz"));
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let submitted =
        bucket.phitap(&["jobs", "submit", "--nats", &url, &bucket.url("2026"), &broken]);
    assert!(submitted.status.success(), "{}", said(&submitted));
    let text = String::from_utf8_lossy(&submitted.stdout).into_owned();
    assert!(text.contains("2 jobs of 4 captures"), "what rotates is one job: {text}");
    let nowhere = bucket.url("nowhere");
    let none = bucket.phitap(&["jobs", "submit", "--nats", &url, &nowhere]);
    assert_eq!(none.status.code(), Some(1));
    assert!(said(&none).contains(&nowhere), "{}", said(&none));

    let worked = bucket.phitap(&[
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
    let left: Vec<_> = std::fs::read_dir(bucket.temporary.path()).expect("folder").collect();
    assert!(left.is_empty(), "no capture is left on the disk: {left:?}");
    let status = bucket.phitap(&["jobs", "status", "--json", "--nats", &url]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(
        status["done"]["jobs"].as_u64().unwrap_or(0)
            + status["failed"]["jobs"].as_u64().unwrap_or(0),
        2,
        "{status}"
    );
    let named = list(&status["given_up"]).iter().chain(list(&status["partly_read"]));
    let named: Vec<&str> = named.filter_map(|of| of["file"].as_str()).collect();
    assert_eq!(named, [&broken], "{status}");
    let result = bucket.phitap(&["jobs", "result", "--format", "json", "--nats", &url]);
    assert_eq!(result.status.code(), Some(3), "one is cut: {}", said(&result));
    let result: Value = serde_json::from_slice(&result.stdout).expect("JSON");
    assert_eq!(found(&result), truth);
}
