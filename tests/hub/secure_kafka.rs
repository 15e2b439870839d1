//! The hub and a sensor at a Kafka broker over TLS with SCRAM: a proxy before librdkafka's mock cluster, which
//! has neither.

use super::common::{Bounded as _, Key, PHITAP, hospital, list, phitap};
use super::lab::Hub;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use ring::{digest, hmac, pbkdf2};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const TOPIC: &str = "phitap-events";
const USER: &str = "ward";
const PASSWORD: &str = "hidden-word";
const SALT: &[u8] = b"salt of the broker";
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).expect("not zero");
/// Longest request or answer, bytes.
const MAX_FRAME: usize = 64 << 20;
/// Requests of Kafka by their keys.
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;

/// A broker that is reached over TLS only, by one user.
struct SecureBroker {
    _cluster: MockCluster<'static, DefaultProducerContext>,
    address: String,
    /// The certificate of its CA, PEM.
    ca: PathBuf,
}

impl SecureBroker {
    fn start(folder: &Path) -> Self {
        let cluster = MockCluster::new(1).expect("mock cluster");
        cluster.create_topic(TOPIC, 2, 1).expect("topic");
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("certificate");
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, made.cert.pem()).expect("written");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("configuration");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("address").port();
        let behind = cluster.bootstrap_servers();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (config, behind) = (Arc::clone(&config), behind.clone());
                // A client that goes away ends its connection.
                std::thread::spawn(move || serve(stream, config, &behind, port));
            }
        });
        Self { _cluster: cluster, address: format!("127.0.0.1:{port}"), ca }
    }
}

/// A request or an answer, without its length.
fn frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    from.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    assert!(size <= MAX_FRAME, "no frame of Kafka");
    let mut frame = vec![0; size];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn send(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    to.write_all(&u32::try_from(frame.len()).expect("small").to_be_bytes())?;
    to.write_all(frame)?;
    to.flush()
}

/// Serves one connection, request by request.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, behind: &str, port: u16) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, stream);
    let mut broker = TcpStream::connect(behind)?;
    let mut scram = Scram::default();
    loop {
        let request = frame(&mut client)?;
        let key = i16::from_be_bytes([request[0], request[1]]);
        let version = i16::from_be_bytes([request[2], request[3]]);
        let correlation = &request[4..8];
        let answer = match key {
            // UNSUPPORTED_VERSION: the client asks again in the oldest form.
            API_VERSIONS if version > 0 => {
                [correlation, &35i16.to_be_bytes(), b"\0\0\0\x01\0\x12\0\0\0\0"].concat()
            }
            API_VERSIONS => {
                send(&mut broker, &request)?;
                with_sasl(frame(&mut broker)?)
            }
            SASL_HANDSHAKE => [correlation, b"\0\0\0\0\0\x01\0\x0dSCRAM-SHA-512"].concat(),
            SASL_AUTHENTICATE => {
                let said = authentication(&request);
                match scram.answer(&said) {
                    Some(text) => {
                        let length = u32::try_from(text.len()).expect("small").to_be_bytes();
                        [correlation, b"\0\0\xff\xff", &length, text.as_bytes()].concat()
                    }
                    // SASL_AUTHENTICATION_FAILED.
                    None => [correlation, b"\0\x3a\0\x02no\0\0\0\0"].concat(),
                }
            }
            _ => {
                assert!(scram.passed, "request {key} without a login");
                send(&mut broker, &request)?;
                let answer = frame(&mut broker)?;
                match key {
                    METADATA | FIND_COORDINATOR => readdressed(&answer, behind, port),
                    _ => answer,
                }
            }
        };
        send(&mut client, &answer)?;
    }
}

/// The answer to `ApiVersions`, version 0, with the requests of SASL.
fn with_sasl(mut answer: Vec<u8>) -> Vec<u8> {
    let count: [u8; 4] = answer[6..10].try_into().expect("a count");
    answer[6..10].copy_from_slice(&(u32::from_be_bytes(count) + 2).to_be_bytes());
    for (key, most) in [(SASL_HANDSHAKE, 1i16), (SASL_AUTHENTICATE, 0)] {
        answer.extend([key.to_be_bytes(), [0, 0], most.to_be_bytes()].concat());
    }
    answer
}

/// The bytes of `SaslAuthenticate`, version 0, which end the request.
fn authentication(request: &[u8]) -> String {
    let name = usize::from(u16::from_be_bytes([request[8], request[9]]));
    String::from_utf8(request[10 + name + 4..].to_vec()).expect("text")
}

/// An answer that names the broker, with the port of the proxy in place of its own.
fn readdressed(answer: &[u8], behind: &str, port: u16) -> Vec<u8> {
    let (host, own) = behind.rsplit_once(':').expect("HOST:PORT");
    let place = |port: u16| [host.as_bytes(), &u32::from(port).to_be_bytes()].concat();
    let (from, to) = (place(own.parse().expect("a port")), place(port));
    let mut answer = answer.to_vec();
    let at =
        answer.windows(from.len()).position(|bytes| bytes == from).expect("the broker's address");
    answer[at..at + to.len()].copy_from_slice(&to);
    answer
}

/// The server's side of SCRAM-SHA-512 (RFC 5802, RFC 7677).
#[derive(Default)]
struct Scram {
    /// The first messages of both, without the client's header.
    first: Option<String>,
    passed: bool,
}

impl Scram {
    /// Answers a message; none if it is refused.
    fn answer(&mut self, said: &str) -> Option<String> {
        let part = |text: &str, name: &str| {
            text.split(',').find_map(|part| part.strip_prefix(name).map(str::to_owned))
        };
        let Some(first) = self.first.take() else {
            let bare = said.strip_prefix("n,,")?;
            let nonce = part(bare, "r=")?;
            let answer = format!("r={nonce}server,s={},i={ITERATIONS}", BASE64.encode(SALT));
            self.first = Some(format!("{bare},{answer}"));
            return Some(answer);
        };
        if part(&first, "n=")? != USER {
            return None;
        }
        let (unproven, proof) = said.rsplit_once(",p=")?;
        let whole = format!("{first},{unproven}");
        let mut salted = [0; digest::SHA512_OUTPUT_LEN];
        let password = PASSWORD.as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ITERATIONS, SALT, password, &mut salted);
        let sign = |key: &[u8], text: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key), text).as_ref().to_vec()
        };
        let stored = digest::digest(&digest::SHA512, &sign(&salted, b"Client Key"));
        let signature = sign(stored.as_ref(), whole.as_bytes());
        let proof = BASE64.decode(proof).ok()?;
        let key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        self.passed = digest::digest(&digest::SHA512, &key).as_ref() == stored.as_ref();
        let server = sign(&sign(&salted, b"Server Key"), whole.as_bytes());
        self.passed.then(|| format!("v={}", BASE64.encode(server)))
    }
}

fn credentials(folder: &Path, name: &str, password: &str) -> String {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).mode(0o600).open(&path).expect("file");
    write!(file, "{USER}\n{password}\n").expect("written");
    path.display().to_string()
}

#[test]
fn over_kafka_with_tls_and_scram_what_a_sensor_publishes_reaches_the_hub() {
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let broker = SecureBroker::start(folder.path());
    let (address, ca) = (&broker.address, broker.ca.display().to_string());
    let secret = credentials(folder.path(), "credentials", PASSWORD);
    let brokers = format!("tls://{address}");
    let source = [
        "--kafka",
        &brokers,
        "--kafka-ca",
        &ca,
        "--kafka-credentials",
        &secret,
        "--kafka-sasl",
        "scram-sha-512",
    ];
    let store = folder.path().join("hub.db");
    let mut hub = Hub::run(Command::new(PHITAP), &source, "one", &store, &[]);
    hub.wait("it is there", |api| api["hub"]["connected"] == true);
    let capture = hospital().display().to_string();
    let output = format!("kafka:{brokers},ca={ca},credentials={secret},sasl=scram-sha-512");
    let sensor = ["replay", "--quiet", "--format", "ecs", "--summaries", "--key-file", &key.path()]
        .map(str::to_owned);
    let run = phitap(sensor.iter().chain(&["--output".to_owned(), output, capture]));
    assert_eq!(run.status, Some(0), "{}", run.err);
    let api = hub.wait("all of it", |api| api["keys"][0]["patients"]["value"] == 229);
    assert_eq!(list(&api["exposures"]).len(), 33);
    hub.wait("it is active", |api| api["hub"]["active"] == true);
}

#[test]
fn over_kafka_a_wrong_password_or_an_unknown_ca_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("folder");
    let broker = SecureBroker::start(folder.path());
    let (address, ca) = (&broker.address, broker.ca.display().to_string());
    let brokers = format!("tls://{address}");
    let wrong = credentials(folder.path(), "wrong", "another-word");
    let mut refused = Command::new(PHITAP);
    refused
        .args(["hub", "--kafka", &brokers, "--kafka-ca", &ca, "--kafka-credentials", &wrong])
        .args(["--kafka-sasl", "scram-sha-512", "--store"])
        .arg(folder.path().join("refused.db"));
    let run = refused.finish();
    let text = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("{address}: the broker refused the credentials")), "{text}");
    assert!(!text.contains("another-word") && text.lines().count() == 1, "{text}");

    let other = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).expect("certificate");
    let unknown = folder.path().join("other.pem");
    std::fs::write(&unknown, other.cert.pem()).expect("written");
    let unknown = unknown.display().to_string();
    let cluster = MockCluster::new(1).expect("mock cluster");
    let plain = format!("tls://{}", cluster.bootstrap_servers());
    for (name, brokers, said) in
        [("ca", &brokers, "give its CA"), ("plain", &plain, "offers no TLS there")]
    {
        let source = ["--kafka", brokers, "--kafka-ca", &unknown];
        let store = folder.path().join(format!("{name}.db"));
        let hub = Hub::run(Command::new(PHITAP), &source, name, &store, &[]);
        hub.said(said);
        let lines = hub.log().lines().filter(|line| line.contains(said)).count();
        assert_eq!(lines, 1, "{}", hub.log());
    }
}
