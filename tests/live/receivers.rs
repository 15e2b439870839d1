//! TLS receivers in the sensor's namespace, which can be stopped and restarted, and a name server.

use super::lab::{TestHarness, inside};
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Name of every receiver; only the namespace's name server knows it.
pub const HOST: &str = "siem.hospital.test";

/// How often a receiver checks whether it must stop.
const TURN: Duration = Duration::from_millis(20);

/// A self-signed certificate and its key, in a folder that only root can enter.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    private: Vec<u8>,
}

impl Certificate {
    /// For [`HOST`] and loopback.
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir(folder).expect("folder");
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).expect("mode");
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned(), "127.0.0.1".into()]);
        let made = made.expect("certificate");
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            let mut file = std::fs::OpenOptions::new();
            let file = file.write(true).create_new(true).mode(0o600).open(&path);
            file.expect("file").write_all(text.as_bytes()).expect("written");
            path
        };
        Self {
            certificate: write("tls.pem", made.cert.pem()),
            key: write("tls.key", made.signing_key.serialize_pem()),
            chain: vec![made.cert.der().clone()],
            private: made.signing_key.serialize_der(),
        }
    }

    /// A server that requires the same certificate of its clients.
    fn server(&self) -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.chain[0].clone()).expect("a root");
        let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        );
        let key = rustls::pki_types::PrivateKeyDer::try_from(self.private.clone()).expect("key");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("verifier"))
            .with_single_cert(self.chain.clone(), key)
            .expect("server");
        Arc::new(config)
    }
}

/// Protocol of a receiver over TLS.
#[derive(Clone, Copy)]
pub enum Speaks {
    Syslog,
    Http,
}

/// A running receiver.
pub struct Receiver {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// Listens on `port` in the sensor's namespace, and appends what it receives to `text`.
    pub fn start(
        lab: &TestHarness,
        port: u16,
        certificate: &Certificate,
        speaks: Speaks,
        text: &Arc<Mutex<String>>,
    ) -> Self {
        let config = certificate.server();
        let (stop, text) = (Arc::new(AtomicBool::new(false)), Arc::clone(text));
        let stopped = Arc::clone(&stop);
        let (ready, listens) = std::sync::mpsc::channel();
        let thread = inside(&lab.server, move || {
            let listener = TcpListener::bind(("127.0.0.1", port)).expect("listen");
            listener.set_nonblocking(true).expect("listener");
            ready.send(()).expect("ready");
            let mut open: Vec<(TcpStream, JoinHandle<()>)> = Vec::new();
            while !stopped.load(Ordering::Acquire) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(TURN);
                    continue;
                };
                stream.set_nonblocking(false).expect("stream");
                let other = stream.try_clone().expect("stream");
                let connection =
                    rustls::ServerConnection::new(Arc::clone(&config)).expect("server");
                let (tls, text) = (rustls::StreamOwned::new(connection, stream), Arc::clone(&text));
                let read = std::thread::spawn(move || match speaks {
                    Speaks::Syslog => stream_of(tls, &text),
                    Speaks::Http => requests(tls, &text),
                });
                open.push((other, read));
            }
            for (stream, read) in open {
                let _ = stream.shutdown(Shutdown::Both);
                read.join().expect("reader");
            }
        });
        listens.recv_timeout(super::PATIENCE).expect("the receiver listens");
        Self { stop, thread }
    }

    /// Disconnects and frees its port.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("receiver");
    }
}

fn stream_of(mut tls: impl Read, text: &Mutex<String>) {
    let mut piece = [0; 65_536];
    loop {
        match tls.read(&mut piece) {
            Ok(0) => return,
            Ok(n) => text.lock().expect("lock").push_str(&String::from_utf8_lossy(&piece[..n])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Answers each request with 200.
fn requests(tls: impl Read + Write, text: &Mutex<String>) {
    let mut wire = BufReader::new(tls);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if wire.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.and_then(|text| text.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        if wire.read_exact(&mut body).is_err() {
            return;
        }
        text.lock().expect("lock").push_str(&String::from_utf8_lossy(&body));
        let answer = wire.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        if answer.and_then(|()| wire.get_mut().flush()).is_err() {
            return;
        }
    }
}

/// A name server in the sensor's namespace: [`HOST`] resolves to loopback. It counts queries.
pub struct NameServer {
    pub asked: Arc<AtomicU64>,
    /// `ip netns exec` mounts its contents over /etc (ip-netns(8)).
    folder: PathBuf,
}

impl NameServer {
    pub fn start(lab: &TestHarness) -> Self {
        let folder = Path::new("/etc/netns").join(&lab.server);
        std::fs::create_dir_all(&folder).expect("folder of the namespace");
        std::fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n").expect("written");
        let asked: Arc<AtomicU64> = Arc::default();
        let count = Arc::clone(&asked);
        let (ready, listens) = std::sync::mpsc::channel();
        inside(&lab.server, move || {
            let socket = UdpSocket::bind("127.0.0.1:53").expect("port");
            ready.send(()).expect("ready");
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = socket.send_to(&answer(&question[..length]), from);
            }
        });
        listens.recv_timeout(super::PATIENCE).expect("the name server listens");
        Self { asked, folder }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The answer to a query (RFC 1035 section 4): loopback for A, nothing for other types; other names
/// do not exist.
fn answer(question: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = HOST
        .split('.')
        .flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes()))
        .chain([0])
        .collect();
    let end = 12 + name.len();
    let known = question.get(12..end).is_some_and(|asked| asked.eq_ignore_ascii_case(&name));
    let is_a = question.get(end..end + 2) == Some(&[0, 1]);
    // The question is repeated without the EDNS part after it.
    let labels = question.iter().skip(12).position(|byte| *byte == 0).unwrap_or_default();
    let mut reply = question.get(..12 + labels + 5).unwrap_or(question).to_vec();
    reply[2] = 0x85;
    reply[3] = if known { 0x80 } else { 0x83 };
    reply[6..12].copy_from_slice(&[0, u8::from(known && is_a), 0, 0, 0, 0]);
    if known && is_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    reply
}
