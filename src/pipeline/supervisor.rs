//! A thread that supervises the others. It reports what keeps a sensor from its work, updates the
//! health metrics, and notifies the service manager's watchdog.

use super::log::{complain, say};
use super::notify::Notify;
use super::setup::Parts;
use crate::config::{Config, Source};
use crate::output::SensorHealth;
use crate::output::clock::stopwatch;
use crate::output::health::{Check, Problem};
use crate::output::metrics::Metrics;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it checks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Supervises the run until dropped.
pub struct Supervisor {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

struct Watcher {
    health: Arc<SensorHealth>,
    metrics: Arc<Metrics>,
    notify: Arc<Notify>,
    config: Config,
    known: Vec<Problem>,
    /// Whether stalls are reported. A replay may wait for its reader as long as it likes.
    speaks: bool,
    /// Whether `READY=1` was sent.
    ready: bool,
}

impl Supervisor {
    /// Starts the supervisor.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start(config: &Config, parts: &Parts) -> io::Result<Self> {
        let mut watch = Watcher {
            health: Arc::clone(&parts.health),
            metrics: Arc::clone(&parts.metrics),
            notify: Arc::clone(&parts.notify),
            config: config.clone(),
            known: Vec::new(),
            speaks: matches!(config.source, Source::Interfaces(_)),
            ready: false,
        };
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let run = move || {
            // Half the watchdog's interval, so that one late check does no harm.
            let watchdog = watch.notify.watchdog().map_or(LOOK_EVERY, |every| every / 2);
            let every = LOOK_EVERY.min(watchdog);
            let (lock, wake) = &*stopped;
            let mut over = lock.lock().unwrap_or_else(PoisonError::into_inner);
            while !*over {
                watch.check();
                let waited = wake.wait_timeout(over, every);
                over = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        };
        let thread = std::thread::Builder::new().name("supervisor".into()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let (lock, wake) = &*self.stop;
        *lock.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watcher {
    fn check(&mut self) {
        let now = stopwatch();
        let status = self.health.status(now);
        self.metrics.sensor().process().refresh();
        self.metrics.sensor().update(&status, &self.health.waits(now));
        for problem in new_problems(&self.known, &status.problems) {
            if is_thread(problem.check) {
                self.metrics.sensor().stalled(problem.check);
            }
            if self.speaks && !is_reported_elsewhere(problem.check) {
                complain(&format!("not ready: {}", sentence(problem)));
            }
        }
        for problem in new_problems(&status.problems, &self.known) {
            if self.speaks && !is_reported_elsewhere(problem.check) && !self.health.is_stopping() {
                say(&self.config, &format!("no longer so: {}", sentence(problem)));
            }
        }
        self.report(&status.problems);
        self.known = status.problems;
    }

    /// Reports to the service manager, which restarts a service that does not respond: one whose
    /// threads are stuck, but not one whose cable was pulled.
    fn report(&mut self, problems: &[Problem]) {
        if self.health.is_stopping() {
            return self.notify.say("STOPPING=1");
        }
        if !self.ready && problems.iter().all(|p| p.check != Check::Start) {
            self.ready = true;
            self.notify.say("READY=1");
        }
        let state = match problems {
            [] => "ready".to_owned(),
            [first, ..] => format!("not ready: {}", sentence(first)),
        };
        self.notify.say(&format!("STATUS={state}"));
        if !problems.iter().any(|p| is_thread(p.check)) {
            self.notify.say("WATCHDOG=1");
        }
    }
}

/// The problems of `now` that are not in `before`, regardless of how long they have lasted.
fn new_problems<'a>(
    before: &'a [Problem],
    now: &'a [Problem],
) -> impl Iterator<Item = &'a Problem> {
    let same = |a: &Problem, b: &Problem| a.check == b.check && a.subject == b.subject;
    now.iter().filter(move |p| !before.iter().any(|known| same(known, p)))
}

const fn is_thread(check: Check) -> bool {
    matches!(check, Check::Reader | Check::Worker | Check::Collector)
}

/// Problems that other parts report themselves; the capture, for example, reports those of an
/// interface.
const fn is_reported_elsewhere(check: Check) -> bool {
    matches!(check, Check::Start | Check::Interface | Check::Rules)
}

fn sentence(problem: &Problem) -> String {
    let Problem { check, subject, text } = problem;
    match subject.as_str() {
        "" => format!("{}: {text}", check.as_str()),
        subject => format!("{} {subject}: {text}", check.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_news_once_however_long_it_lasts() {
        let problem = |subject: &str, text: &str| Problem {
            check: Check::Packets,
            subject: subject.into(),
            text: text.into(),
        };
        let before = [problem("span0", "no packet for 301 s")];
        let after = [problem("span0", "no packet for 302 s"), problem("span1", "no packet")];
        let subjects: Vec<_> = new_problems(&before, &after).map(|p| p.subject.as_str()).collect();
        assert_eq!(subjects, ["span1"]);
        assert_eq!(new_problems(&after, &before).count(), 0);
    }
}
