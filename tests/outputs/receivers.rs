//! Receivers on loopback ports: streams over TCP and TLS, and HTTP servers that answer as a test says.

use crate::common::ending::client;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `done` returns something.
pub fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A listener, and its port.
pub fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    (listener, port)
}

/// The datagrams that `receive` gives until none arrives after `over` was set. Its socket has a
/// short time-out.
pub fn datagrams(
    over: &Arc<AtomicBool>,
    mut receive: impl FnMut(&mut [u8]) -> std::io::Result<usize> + Send + 'static,
) -> JoinHandle<Vec<String>> {
    let over = Arc::clone(over);
    std::thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            let last = over.load(Ordering::Acquire);
            match receive(&mut buffer) {
                Ok(length) => {
                    all.push(String::from_utf8(buffer[..length].to_vec()).expect("UTF-8"));
                }
                Err(_) if last => return all,
                Err(_) => {}
            }
        }
    })
}

/// A file that only its owner can read.
pub fn secret(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&path).expect("file");
    file.write_all(content.as_bytes()).expect("written");
    path
}

/// A certificate for loopback, and its key, in files.
pub struct Certificate {
    pub certificate: PathBuf,
    config: Arc<rustls::ServerConfig>,
}

impl Certificate {
    pub fn new(folder: &Path, name: &str) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("certificate");
        let certificate = secret(folder, &format!("{name}.pem"), &made.cert.pem());
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.expect("key"))
            .expect("server");
        Self { certificate, config: Arc::new(config) }
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn wire(stream: TcpStream, tls: Option<&Arc<rustls::ServerConfig>>) -> Box<dyn Wire> {
    match tls {
        None => Box::new(stream),
        Some(config) => {
            let connection = rustls::ServerConnection::new(Arc::clone(config)).expect("server");
            Box::new(rustls::StreamOwned::new(connection, stream))
        }
    }
}

/// Reads everything from the first connection.
pub fn read_once(listener: TcpListener, tls: Option<&Certificate>) -> JoinHandle<Vec<u8>> {
    let config = tls.map(|tls| Arc::clone(&tls.config));
    std::thread::spawn(move || {
        let stream = client(&listener);
        let mut bytes = Vec::new();
        // A client that refuses the certificate disconnects.
        let _ = wire(stream, config.as_ref()).read_to_end(&mut bytes);
        bytes
    })
}

/// The messages of a stream with octet counting (RFC 6587).
pub fn octet_counted(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|b| *b == b' ').expect("a length");
        let length: usize =
            std::str::from_utf8(&bytes[..space]).expect("digits").parse().expect("a number");
        let message = &bytes[space + 1..space + 1 + length];
        messages.push(String::from_utf8(message.to_vec()).expect("UTF-8"));
        bytes = &bytes[space + 1 + length..];
    }
    messages
}

/// The text of a message of RFC 5424 without structured data.
pub fn message_text(message: &str) -> &str {
    let mut parts = message.splitn(8, ' ');
    let head: Vec<&str> = parts.by_ref().take(7).collect();
    assert!(head[0].starts_with('<') && head[0].ends_with(">1"), "{message}");
    assert_eq!((head[3], head[5], head[6]), ("phitap", "-", "-"), "{message}");
    parts.next().expect("a text")
}

/// A request that a server got.
#[derive(Clone)]
pub struct Got {
    pub path: String,
    pub headers: String,
    pub body: String,
}

/// Status and body.
pub type Answer = (u16, String);

/// An HTTP server.
pub struct Server {
    pub port: u16,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    /// Starts a server. `answer` also gets the number of earlier requests.
    pub fn start(
        port: u16,
        tls: Option<&Certificate>,
        answer: impl Fn(usize, &Got) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("port");
        let port = listener.local_addr().expect("address").port();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let config = tls.map(|tls| Arc::clone(&tls.config));
        let (kept, answer) = (Arc::clone(&got), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                let wire = wire(stream, config.as_ref());
                let mut wire = BufReader::new(wire);
                while let Some(request) = read_request(&mut wire) {
                    let before = kept.lock().expect("lock").len();
                    let (status, body) = answer(before, &request);
                    kept.lock().expect("lock").push(request);
                    let head =
                        format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
                    let sent = wire.get_mut().write_all((head + &body).as_bytes());
                    if sent.and_then(|()| wire.get_mut().flush()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { port, got }
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("lock").clone()
    }
}

fn read_request(wire: &mut impl std::io::BufRead) -> Option<Got> {
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") {
        if wire.read_line(&mut headers).ok()? == 0 {
            return None;
        }
    }
    let path = headers.split(' ').nth(1)?.to_owned();
    let lower = headers.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    wire.read_exact(&mut body).ok()?;
    Some(Got { path, headers, body: String::from_utf8(body).ok()? })
}
