//! A real NATS server on a loopback port, with JetStream in a temporary folder, for the duration of
//! a test.

// The tests wait for servers, and must report what was skipped.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use super::ROOT;
use super::ports::port_for_a_program;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time that the server may take to start.
const START_WITHIN: Duration = Duration::from_secs(120);

/// Whether tests that need the server are skipped, on request only.
pub fn left_out() -> bool {
    let left_out = std::env::var_os("PHITAP_NO_NATS").is_some_and(|v| v == "1");
    if left_out {
        println!("LEFT OUT: PHITAP_NO_NATS is set");
    }
    left_out
}

/// A server that is stopped when dropped.
pub struct Nats {
    folder: tempfile::TempDir,
    configuration: String,
    port: u16,
    child: Option<Child>,
}

impl Nats {
    /// Starts a server with JetStream and without authentication.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts a server with JetStream and further configuration: `authorization {...}`, `tls
    /// {...}`.
    pub fn with(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let configuration = configuration.to_owned();
        let port = port_for_a_program();
        let mut nats = Self { folder, configuration, port, child: None };
        nats.restart();
        nats
    }

    /// Its address: `nats://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's folder, where tests may also put files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("the server ends");
        }
    }

    /// Kills the server and removes all that its streams hold.
    pub fn lose_everything(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.folder.path().join("jetstream")).expect("streams");
    }

    /// Restarts it on the same port with its streams.
    pub fn restart(&mut self) {
        self.kill();
        let folder = self.folder.path().to_path_buf();
        let text = format!(
            "host: 127.0.0.1\nport: {2}\nports_file_dir: \"{0}\"\nlog_file: \"{0}/log\"\n\
             jetstream {{ store_dir: \"{0}/jetstream\", max_file_store: 1GB }}\n{1}\n",
            folder.display(),
            self.configuration,
            self.port
        );
        let configuration = folder.join("nats.conf");
        std::fs::write(&configuration, text).expect("configuration");
        let child = Command::new(program())
            .arg("--config")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is not installed: run scripts/prepare.sh --tests, or set PHITAP_NO_NATS=1");
        let ports = folder.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        let start = Instant::now();
        while !self.listens(&ports) {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(start.elapsed() < START_WITHIN, "the server does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it has written its port and accepts connections.
    fn listens(&self, ports: &Path) -> bool {
        let Ok(text) = std::fs::read_to_string(ports) else { return false };
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return false };
        value["nats"][0].is_string()
            && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Debian installs servers in a folder outside a user's path.
fn program() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let further = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut all = std::env::split_paths(&paths).chain(further).map(|p| p.join("nats-server"));
    all.find(|path| path.is_file()).unwrap_or_else(|| Path::new(ROOT).join("nats-server"))
}
