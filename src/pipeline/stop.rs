//! How signals end a run.

use super::log::complain;
use crate::output::clock::stopwatch;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Signals this close together count as one: `timeout` signals both the process and its group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);
/// Longest time a sensor takes to stop. Test builds are ten times slower.
const END_WITHIN: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 60_000 } else { 4_800 });
/// The same of a replay, whose reader may be slow.
const REPLAY_ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The first SIGINT or SIGTERM ends the run in order; a second one ends it at once.
pub(super) struct Stop {
    pub flag: Arc<AtomicBool>,
    signals: Vec<signal_hook::SigId>,
}

impl Stop {
    /// Registers the signals, which set `flag`. A sensor ends within [`END_WITHIN`], a replay within
    /// [`REPLAY_ENDS_WITHIN`], even if a reader of its events hangs or a thread is stuck.
    ///
    /// # Errors
    /// The signals cannot be registered.
    pub fn on_signals(sensor: bool, flag: Arc<AtomicBool>) -> io::Result<Self> {
        // The kernel may deliver a signal to any thread, also to one that parses and may not use
        // sockets, so the handler writes to a pipe.
        let (mut received, pipe) = io::pipe()?;
        let second = pipe.try_clone()?;
        let signals = vec![
            signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, pipe)?,
            signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, second)?,
        ];
        let stop = Self { flag: Arc::clone(&flag), signals };
        let listen = move || {
            let mut first = None;
            while received.read_exact(&mut [0]).is_ok() {
                if !flag.swap(true, Ordering::Relaxed) {
                    let within = if sensor { END_WITHIN } else { replay_ends_within() };
                    std::thread::spawn(move || {
                        std::thread::sleep(within);
                        complain(
                            "could not stop in time: an output does not accept its events, or a thread is stuck",
                        );
                        signal_hook::low_level::exit(1);
                    });
                }
                if first.get_or_insert_with(stopwatch).elapsed() > SAME_SIGNAL {
                    signal_hook::low_level::exit(130);
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen)?;
        Ok(stop)
    }
}

/// In unoptimised builds, a test may shorten it (milliseconds).
fn replay_ends_within() -> Duration {
    let test = || std::env::var("PHITAP_TEST_ENDS_WITHIN").ok()?.parse::<u64>().ok();
    let shorter = if cfg!(debug_assertions) { test() } else { None };
    shorter.map_or(REPLAY_ENDS_WITHIN, Duration::from_millis)
}

impl Drop for Stop {
    fn drop(&mut self) {
        // This closes the pipe, which ends the thread.
        for signal in self.signals.drain(..) {
            signal_hook::low_level::unregister(signal);
        }
    }
}
