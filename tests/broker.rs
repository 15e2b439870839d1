//! Connections to a real NATS server, and messages if there is none. `PHITAP_NO_NATS=1` skips this.
#![cfg(feature = "nats")]

mod common;

use common::nats::{Nats, left_out};
use phitap::broker::{Access, BrokerError, Settings};
use phitap::remote::TlsFiles;
use std::future::Future;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A seed from the documentation of NATS, and its public key.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(work)
}

fn to(url: &str) -> Settings {
    Settings {
        servers: vec![url.to_owned()],
        name: "phitap test".to_owned(),
        ..Settings::default()
    }
}

/// A file that only its owner can read.
fn secret(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).mode(0o600).open(&path).expect("file");
    file.write_all(content.as_bytes()).expect("written");
    path
}

/// Connects and makes a round trip.
fn connect(settings: &Settings) -> Result<(), BrokerError> {
    let access = Access::open(settings)?;
    run(async {
        let client = access.connect().await?;
        client.flush().await.expect("the server answers");
        Ok(())
    })
}

fn refusal(settings: &Settings) -> String {
    connect(settings).expect_err("no connection").to_string()
}

#[test]
fn what_is_published_is_kept_and_a_server_that_comes_back_is_found() {
    if left_out() {
        return;
    }
    let mut nats = Nats::start();
    let access = Access::open(&to(&nats.url())).expect("settings");
    run(async {
        let client = access.connect().await.expect("connected");
        let context = async_nats::jetstream::new(client);
        let config = async_nats::jetstream::stream::Config {
            name: "events".to_owned(),
            subjects: vec!["phitap.>".to_owned()],
            ..Default::default()
        };
        let mut stream = context.create_stream(config).await.expect("a stream");
        let publish = async || {
            let sent = context.publish("phitap.events", "one".into()).await.expect("sent");
            sent.await.map(|ack| ack.sequence)
        };
        assert_eq!(publish().await.expect("kept"), 1);
        nats.restart();
        let mut again = publish().await;
        for _ in 0..600 {
            if again.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            again = publish().await;
        }
        assert!(again.expect("kept after the restart") >= 2);
        assert!(stream.info().await.expect("info").state.messages >= 2);
    });
}

#[test]
fn credentials_of_each_kind_are_accepted_and_wrong_ones_refused_in_one_line() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let file = |name: &str, content: &str| secret(folder.path(), name, content);
    for (authorization, right, wrong) in [
        ("user: sensor, password: right", "sensor\nright\n", "sensor\nhidden-wrong\n"),
        ("token: right-token", "right-token\n", "hidden-token\n"),
        (&format!("users: [{{nkey: {PUBLIC}}}]"), SEED, "hidden-token\n"),
    ] {
        let nats = Nats::with(&format!("authorization {{ {authorization} }}"));
        let mut settings = to(&nats.url());
        let nobody = refusal(&settings);
        assert!(nobody.contains("asks for credentials"), "{nobody}");
        settings.credentials = Some(file("right", right));
        connect(&settings).unwrap_or_else(|error| panic!("{authorization}: {error}"));
        settings.credentials = Some(file("wrong", wrong));
        let refused = refusal(&settings);
        assert!(refused.contains("refused the credentials") && refused.contains("wrong"));
        assert!(!refused.contains("hidden") && refused.lines().count() == 1, "{refused}");
        for name in ["right", "wrong"] {
            std::fs::remove_file(folder.path().join(name)).expect("removed");
        }
    }
}

#[test]
fn tls_needs_the_right_ca_and_a_server_that_has_it() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: String| secret(folder.path(), name, &text);
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("certificate");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("other");
    let certificate = write("cert.pem", made.cert.pem());
    let key = write("key.pem", made.signing_key.serialize_pem());
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let nats = Nats::with(&format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}"));
    let with = |ca: PathBuf, url: &str| {
        let tls = TlsFiles { ca: Some(ca), certificate: None };
        Settings { tls, ..to(url) }
    };
    let right = with(certificate.into(), &nats.url());
    connect(&right).expect("TLS");
    let unknown = refusal(&with(write("other.pem", other.cert.pem()), &nats.url()));
    assert!(unknown.contains("unknown CA"), "{unknown}");
    let platform = refusal(&to(&nats.url()));
    assert!(platform.contains("unknown CA"), "{platform}");
    let plain = Nats::start();
    let none = refusal(&Settings { servers: vec![plain.url()], ..right });
    assert!(none.contains("offers no TLS"), "{none}");
}

#[test]
fn a_server_that_is_away_or_no_nats_server_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let url = format!("nats://127.0.0.1:{port}");
    let speaks = std::thread::spawn(move || {
        let mut peer = common::ending::client(&listener);
        peer.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").expect("written");
        // Until the other side has read it and disconnects.
        peer.set_read_timeout(Some(Duration::from_secs(30))).expect("time-out");
        let _ = std::io::copy(&mut peer, &mut std::io::sink());
    });
    let foreign = connect(&to(&url)).expect_err("no NATS");
    assert!(foreign.is_passing() && foreign.to_string().contains(&url), "{foreign}");
    assert!(foreign.to_string().contains("no NATS server"), "{foreign}");
    speaks.join().expect("listener");
    let away = connect(&to(&url)).expect_err("nobody").to_string();
    assert!(away.contains(&url) && away.contains("refused"), "{away}");
}
