//! Messages of a run on standard error: lines for people, or JSON objects for a log collector.

use crate::config::{Config, LogFormat};
use crate::output::clock::{stopwatch, wall_clock};
use crate::output::text::count;
use std::io::{self, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Most lines written per [`PERIOD`].
const MOST: u32 = 60;
/// The period over which lines are counted.
const PERIOD: Duration = Duration::from_secs(10);

/// Format of lines; plain text unless set.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();
static LIMIT: Mutex<Limit> = Mutex::new(Limit { since: None, lines: 0, held: 0 });

/// Sets the format of lines; only the first call has an effect.
pub fn set_log_format(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// Writes a message, unless `--quiet` was given.
pub(super) fn say(config: &Config, text: &str) {
    if !config.quiet {
        line("info", text);
    }
}

/// Writes a notice of a hub or a worker.
pub fn inform(text: &str) {
    line("info", text);
}

/// Writes an error.
pub fn complain(text: &str) {
    line("warning", text);
}

fn line(level: &str, text: &str) {
    let held = match LIMIT.lock().unwrap_or_else(PoisonError::into_inner).admit(stopwatch()) {
        Some(held) => held,
        None => return,
    };
    let format = FORMAT.get().copied().unwrap_or_default();
    if held > 0 {
        let said = format!("{} suppressed: more than {MOST} in 10 s", count(held, "message"));
        write(format, "warning", &said);
    }
    write(format, level, text);
}

/// A message whose foreign names (of files, sensors, entries) cannot steer a terminal. Line ends
/// stay.
pub fn escaped(text: &str) -> String {
    let lines = text.split('\n').map(|line| crate::output::text::foreign(line, usize::MAX));
    lines.collect::<Vec<_>>().join("\n")
}

fn write(format: LogFormat, level: &str, text: &str) {
    let line = match format {
        LogFormat::Human => format!("phitap: {}\n", escaped(text)),
        LogFormat::Json => {
            let time = wall_clock().to_string();
            let object = serde_json::json!({"timestamp": time, "level": level, "message": text});
            format!("{object}\n")
        }
    };
    // If standard error is closed, the message is lost.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Limits the rate of lines, so that a repeated fault fills no disk.
struct Limit {
    since: Option<Instant>,
    lines: u32,
    held: u64,
}

impl Limit {
    /// Whether a line may be written, with the number of lines suppressed before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= PERIOD {
            self.since = Some(now);
            self.lines = 0;
        }
        if self.lines >= MOST {
            self.held += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_counted_and_said_later() {
        let mut limit = Limit { since: None, lines: 0, held: 0 };
        let start = stopwatch();
        let admitted = (0..200).filter(|_| limit.admit(start).is_some()).count();
        assert_eq!(admitted, MOST as usize);
        assert_eq!(limit.admit(start + PERIOD), Some(200 - u64::from(MOST)));
        assert_eq!(limit.admit(start + PERIOD), Some(0));
    }
}
