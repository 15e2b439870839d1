//! Two network namespaces connected by a veth pair, with the program watching one end.

use crate::ending::Bounded as _;
use crate::exposition::{self, Exposition};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The program under test.
pub const PHITAP: &str = env!("CARGO_BIN_EXE_phitap");
/// Set to 1 to skip these tests.
pub const LEAVE_OUT: &str = "PHITAP_NO_NETNS";
/// Prefix of the namespaces' names; the id of the test's process follows.
const PREFIX: &str = "phitap-test-";

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A client and a server, each in a namespace, and the veth pairs between them.
pub struct TestHarness {
    pub client: String,
    pub server: String,
}

impl TestHarness {
    /// Creates the first pair, `span0`. `None` if skipped on request.
    ///
    /// # Panics
    /// The system does not permit it.
    pub fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if std::env::var(LEAVE_OUT).is_ok_and(|v| v == "1") {
            println!("left out on request ({LEAVE_OUT}=1)");
            return None;
        }
        sweep();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let lab = Self { client: format!("{name}-c"), server: format!("{name}-s") };
        for side in [&lab.client, &lab.server] {
            if let Err(said) = try_ip(&["netns", "add", side]) {
                panic!(
                    "live capture is tested in network namespaces of its own, which needs root (or \
                     CAP_NET_ADMIN and CAP_SYS_ADMIN) and `ip` (package iproute2): {said}\nSet \
                     {LEAVE_OUT}=1 to leave these tests out."
                );
            }
            ip(&["-n", side, "link", "set", "lo", "up"]);
        }
        lab.plug(0);
        Some(lab)
    }

    /// Creates pair `n`: `span0` at the server, 198.51.`n`.1, and `far0` at the client,
    /// 198.51.`n`.2.
    pub fn plug(&self, n: u8) {
        let (near, far) = (format!("span{n}"), format!("far{n}"));
        ip(&[
            "link",
            "add",
            &near,
            "netns",
            &self.server,
            "type",
            "veth",
            "peer",
            "name",
            &far,
            "netns",
            &self.client,
        ]);
        for (side, port, host) in [(&self.server, &near, 1), (&self.client, &far, 2)] {
            // Without IPv6, only the test sends on the pair.
            run(
                "ip",
                &[
                    "netns",
                    "exec",
                    side,
                    "sysctl",
                    "-qw",
                    &format!("net.ipv6.conf.{port}.disable_ipv6=1"),
                ],
            );
            ip(&["-n", side, "addr", "add", &format!("198.51.{n}.{host}/24"), "dev", port]);
            // Recordings contain segments that an interface merged.
            ip(&["-n", side, "link", "set", port, "mtu", "65535"]);
            ip(&["-n", side, "link", "set", port, "up"]);
        }
    }

    /// Deletes pair `n`.
    pub fn pull(&self, n: u8) {
        ip(&["-n", &self.server, "link", "del", &format!("span{n}")]);
    }
}

impl Drop for TestHarness {
    fn drop(&mut self) {
        for side in [&self.client, &self.server] {
            let _ = try_ip(&["netns", "del", side]);
        }
    }
}

/// Removes the namespaces of killed test runs.
fn sweep() {
    let Ok(list) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists()) {
            let _ = try_ip(&["netns", "del", name]);
        }
    }
}

/// Runs `ip`.
pub fn ip(arguments: &[&str]) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &[&str]) {
    if let Err(said) = try_run(program, arguments) {
        panic!("{program} {}: {said}", arguments.join(" "));
    }
}

fn try_ip(arguments: &[&str]) -> Result<(), String> {
    try_run("ip", arguments)
}

fn try_run(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// Runs `work` in a thread in namespace `name`.
pub fn inside<R: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> R + Send + 'static,
) -> JoinHandle<R> {
    let space = File::open(format!("/run/netns/{name}")).expect("namespace");
    let enter = move || {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
        work()
    };
    std::thread::spawn(enter)
}

/// The program running in the server's namespace.
pub struct Sensor {
    child: Child,
    space: String,
    /// Until it is read.
    out: Option<ChildStdout>,
    events: Receiver<(Instant, Value)>,
    seen: Vec<Value>,
    messages: Receiver<String>,
    pub said: Vec<String>,
    metrics: SocketAddr,
}

impl Sensor {
    /// Starts it on `interfaces` and waits until it captures.
    pub fn start(lab: &TestHarness, interfaces: &[&str], more: &[&str]) -> Self {
        let mut sensor = Self::start_unread(lab, interfaces, more);
        sensor.read();
        sensor
    }

    /// The same without reading its events.
    pub fn start_unread(lab: &TestHarness, interfaces: &[&str], more: &[&str]) -> Self {
        let mut command = Command::new("ip");
        // Measurements need an optimised build.
        let program = std::env::var("PHITAP_PROGRAM").unwrap_or_else(|_| PHITAP.to_owned());
        command.args(["netns", "exec", &lab.server, &program, "live", "--format", "json"]);
        command.args(["--metrics", "127.0.0.1:0"]).args(more);
        if !more.contains(&"--detail") {
            command.args(["--detail", "flows"]);
        }
        for interface in interfaces {
            command.args(["-i", interface]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.start();
        let out = child.stdout.take();
        let messages = read_messages(child.stderr.take().expect("piped"));
        let mut sensor = Self {
            child,
            space: lab.server.clone(),
            out,
            events: channel().1,
            seen: Vec::new(),
            messages,
            said: Vec::new(),
            metrics: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let serving = sensor.message("serving metrics at http://");
        let address = serving.split("http://").nth(1).and_then(|a| a.split('/').next());
        sensor.metrics = address.and_then(|a| a.parse().ok()).expect("an address");
        sensor.message("watching ");
        sensor
    }

    /// Starts reading its events.
    pub fn read(&mut self) {
        self.events = read_events(self.out.take().expect("nobody reads yet"));
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).expect("signal");
    }

    /// Sends a signal that the kernel delivers to the thread of this name, once there is one.
    pub fn signal_thread(&self, name: &str, signal: rustix::process::Signal) {
        let until = Instant::now() + PATIENCE;
        let thread = loop {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
            let mut tasks = tasks.expect("threads").map(|task| task.expect("a thread").path());
            let is_called = |task: &std::path::PathBuf| {
                std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
            };
            if let Some(task) = tasks.find(is_called) {
                break task;
            }
            assert!(Instant::now() < until, "no thread {name}");
            std::thread::sleep(Duration::from_millis(5));
        };
        let id = thread.file_name().and_then(|id| id.to_str()?.parse().ok());
        let id = id.and_then(rustix::process::Pid::from_raw).expect("its number");
        rustix::process::kill_process(id, signal).expect("signal");
    }

    /// Waits for its end without reading its events.
    pub fn ends(mut self) -> ExitStatus {
        self.child.wait().expect("status")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard error that contains `part`.
    pub fn message(&mut self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("no {part:?} ({error}); it said {:#?}", self.said),
            }
        }
    }

    /// Waits for an event for which `is` holds. Also returns when it arrived.
    pub fn event(&mut self, is: impl Fn(&Value) -> bool) -> (Instant, Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((at, event)) => {
                    self.seen.push(event.clone());
                    if is(&event) {
                        return (at, event);
                    }
                }
                Err(error) => panic!("no such event ({error}); events: {:#?}", self.seen),
            }
        }
    }

    /// Sends a request to its web server.
    pub fn get(&self, path: &str) -> (u16, String) {
        let (address, path) = (self.metrics, path.to_owned());
        inside(&self.space, move || get(address, &path)).join().expect("answer")
    }

    /// Waits until its metrics are as wanted.
    pub fn counts(&self, what: &str, wanted: impl Fn(&Exposition) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, text) = self.get("/metrics");
            if wanted(&exposition::parse(&text)) {
                return;
            }
            assert!(Instant::now() < until, "{what}: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it has read this many packets.
    pub fn has_read(&self, packets: u64) {
        let read = |metrics: &Exposition| metrics.sum("phitap_packets_total");
        self.counts("packets", |metrics| read(metrics) >= packets as f64);
    }

    /// Sends a signal and waits for the end: status, and every event of the run.
    pub fn stop(self, signal: rustix::process::Signal) -> (ExitStatus, Vec<Value>, Vec<String>) {
        self.signal(signal);
        self.end()
    }

    /// Waits for the end: status, and every event of the run.
    pub fn end(mut self) -> (ExitStatus, Vec<Value>, Vec<String>) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((_, event)) => self.seen.push(event),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        let status = self.child.wait().expect("status");
        self.said.extend(self.messages.iter());
        (status, std::mem::take(&mut self.seen), std::mem::take(&mut self.said))
    }
}

impl Sensor {
    /// Sends a signal and waits for the end without reading its events.
    pub fn stop_unread(mut self, signal: rustix::process::Signal) -> (ExitStatus, Vec<String>) {
        self.signal(signal);
        let status = self.child.wait().expect("status");
        self.said.extend(self.messages.iter());
        (status, std::mem::take(&mut self.said))
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_events(out: ChildStdout) -> Receiver<(Instant, Value)> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            let line = line.expect("UTF-8");
            let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if send.send((Instant::now(), event)).is_err() {
                break;
            }
        }
    });
    receive
}

fn read_messages(err: ChildStderr) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(err).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    receive
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
    (status, body.to_owned())
}
