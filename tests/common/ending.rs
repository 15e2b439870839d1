//! Runs programs for tests. One that does not end is killed and named, so that it does not hold up
//! the other tests.

// The tests use the system clock, and only part of this.
#![allow(clippy::disallowed_methods, clippy::print_stderr, dead_code)]

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time after which a program is killed. No test's program takes nearly as long.
pub const END_WITHIN: Duration = Duration::from_secs(900);
/// Time for a killed program to disappear.
const GONE_WITHIN: Duration = Duration::from_secs(30);
/// First and longest pause between checks whether a program has ended.
const LOOK_AFTER: Duration = Duration::from_millis(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes shown from the end of a killed program's output.
const MAX_SHOWN: usize = 4_000;

/// Longest wait for a client to connect. Programs give up a connection much sooner.
const CLIENT_WITHIN: Duration = Duration::from_secs(300);

/// The next client of a listener. The test fails if none comes, instead of waiting for ever.
#[track_caller]
pub fn client(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("listener");
    let (stream, _) = next_client(|| listener.accept());
    stream.set_nonblocking(false).expect("stream");
    stream
}

/// The same for any listener that does not block.
#[track_caller]
pub fn next_client<T>(mut accept: impl FnMut() -> io::Result<T>) -> T {
    let begun = Instant::now();
    loop {
        match accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            accepted => return accepted.expect("a client"),
        }
        assert!(begun.elapsed() < CLIENT_WITHIN, "no client connects");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Programs that end.
pub trait Bounded {
    /// Like [`Command::output`]: runs the program and returns its standard output and standard
    /// error. A program that does not end within [`END_WITHIN`] is killed, and the test fails with
    /// the command and its output.
    fn finish(&mut self) -> Output;

    /// Like [`Command::spawn`]. The program is killed after [`END_WITHIN`], so that waiting for it
    /// or reading its output ends.
    fn start(&mut self) -> Child;
}

impl Bounded for Command {
    #[track_caller]
    fn finish(&mut self) -> Output {
        let child = self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let what = format!("{self:?}");
        collect_within(child.unwrap_or_else(|error| panic!("{what}: {error}")), &what, END_WITHIN)
    }

    #[track_caller]
    fn start(&mut self) -> Child {
        let child = self.spawn().unwrap_or_else(|error| panic!("{self:?}: {error}"));
        // A process number could be reused by then; a pidfd cannot.
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let process = process.expect("a kernel with pidfd_open");
        let what = format!("{self:?}");
        std::thread::spawn(move || {
            std::thread::sleep(END_WITHIN);
            if pidfd_send_signal(&process, Signal::KILL).is_ok() {
                eprintln!("{what} did not end within {END_WITHIN:?} and was killed");
            }
        });
        child
    }
}

/// The bytes of a pipe, readable before it ends.
#[derive(Clone, Default)]
struct Piped(Arc<Mutex<Vec<u8>>>);

impl Piped {
    /// Reads in a thread, which signals the end.
    fn read(mut from: impl Read + Send + 'static, over: SyncSender<()>) -> Self {
        let all = Self::default();
        let to = all.clone();
        std::thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(read @ 1..) = from.read(&mut piece) {
                to.0.lock().unwrap_or_else(PoisonError::into_inner).extend(&piece[..read]);
            }
            let _ = over.send(());
        });
        all
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The end of it, as text.
    fn end(&self) -> String {
        let all = self.take();
        String::from_utf8_lossy(&all[all.len().saturating_sub(MAX_SHOWN)..]).into_owned()
    }
}

/// Waits for a program whose output is piped, and kills it after `limit`.
///
/// # Panics
/// It was killed; `what` names it.
#[track_caller]
pub fn collect_within(mut child: Child, what: &str, limit: Duration) -> Output {
    let begun = Instant::now();
    drop(child.stdin.take());
    let (over, ends) = sync_channel(2);
    let out = Piped::read(child.stdout.take().expect("piped"), over.clone());
    let err = Piped::read(child.stderr.take().expect("piped"), over);
    let whole = [(); 2].iter().all(|()| {
        ends.recv_timeout(limit.saturating_sub(begun.elapsed())) != Err(RecvTimeoutError::Timeout)
    });
    let status = status_within(&mut child, limit.saturating_sub(begun.elapsed()));
    if let Some(status) = status.filter(|_| whole) {
        return Output { status, stdout: out.take(), stderr: err.take() };
    }
    let _ = child.kill();
    status_within(&mut child, GONE_WITHIN);
    panic!(
        "{what} did not end within {limit:?} and was killed\nstandard output:\n{}\nstandard error:\n{}",
        out.end(),
        err.end()
    );
}

fn status_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let (begun, mut pause) = (Instant::now(), LOOK_AFTER);
    loop {
        if let Some(status) = child.try_wait().expect("status") {
            return Some(status);
        }
        if begun.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOK_EVERY);
    }
}
