//! The main loop of a hub.

use super::connection::{Access as Broker, Connection};
use super::lease::{LASTS, RENEW_EVERY};
use super::notices::{Notice, Notices};
use super::state::State;
use super::store::Store;
use super::stream::Unacknowledged;
use super::view::{self, Hub, Shown};
use super::{HubError, Settings};
use crate::broker::unless_stopped;
use crate::distribution::PublicKey;
use crate::merge::Numbers;
use crate::output::health::{Check, Problem, SensorHealth};
use crate::output::metrics::Metrics;
use crate::output::{Access, Context, Dashboard, HubView, Server};
use crate::pipeline::{complain, inform, stopwatch, wall_clock};
use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Interval between attempts to reach the broker or to write the store.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Shortest interval between computations of all numbers, and the same as a multiple of the time that the last one took.
const COUNT_EVERY: Duration = Duration::from_secs(2);
const COUNT_SHARE: u32 = 10;
/// Interval between updates of metrics and API.
const SHOW_EVERY: Duration = Duration::from_secs(2);

/// Runs a hub until it is stopped.
///
/// # Errors
/// A fault that does not pass by itself.
pub fn run(settings: &Settings) -> Result<(), HubError> {
    let broker = Broker::open(settings)?;
    let system = |error: std::io::Error| HubError::System(error.to_string());
    let files = &settings.access;
    let certificate = files.certificate.as_deref().zip(files.key.as_deref());
    let served = Access::load(files.token.as_deref(), certificate)?;
    let rules_key = settings.rules_key.as_deref().map(PublicKey::load).transpose()?;
    let (store, state) = Store::open(&settings.store)?;
    let metrics = Metrics::new().map_err(|error| HubError::System(error.to_string()))?;
    let health = SensorHealth::new(None);
    // A hub waits for no packets.
    health.capturing();
    let dashboard = Arc::new(Dashboard::new(Arc::new(metrics), Arc::new(health)));
    dashboard.describe(
        Context { sensor: Some(settings.name.as_str().into()), ..Context::default() },
        false,
    );
    // Not ready until it has shown something.
    dashboard.publish(HubView::default());
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(system)?;
    }
    let server = match settings.listen {
        Some(address) => Some(Server::start(address, Arc::clone(&dashboard), served)?),
        None => None,
    };
    if let Some(server) = &server
        && !settings.quiet
    {
        inform(&format!("serving the page, metrics and API at {}", server.address()));
    }
    // The connection has its own thread, which answers the broker and receives the next batch while one is written.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let mut running = Running {
        durable: format!("{}-{}", durable(&settings.name), store.id()),
        hub: Hub {
            name: settings.name.clone(),
            silent_after: i64::try_from(settings.silent_after.as_nanos()).unwrap_or(i64::MAX),
            ..Hub::default()
        },
        settings,
        store,
        state,
        dashboard,
        numbers: Numbers::default(),
        shown: Shown::default(),
        counted: None,
        showed: None,
        notices: Notices::default(),
        started: stopwatch(),
        said: None,
        problem: None,
        again: settings.again,
        rules_key,
    };
    runtime.map_err(system)?.block_on(running.serve(&broker, &stop))
}

/// The name of the consumer: no dot, star or space (NATS naming).
fn durable(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("hub-{}", name.chars().map(kept).collect::<String>())
}

struct Running<'a> {
    settings: &'a Settings,
    durable: String,
    hub: Hub,
    store: Store,
    state: State,
    dashboard: Arc<Dashboard>,
    numbers: Numbers,
    shown: Shown,
    /// When the numbers were last computed, and how long that took.
    counted: Option<(Instant, Duration)>,
    showed: Option<Instant>,
    notices: Notices,
    started: Instant,
    /// The current fault, which was written once.
    said: Option<String>,
    /// Why it is not ready.
    problem: Option<Problem>,
    /// Read the stream from its beginning with the next connection.
    again: bool,
    rules_key: Option<PublicKey>,
}

impl Running<'_> {
    async fn serve(&mut self, broker: &Broker, stop: &AtomicBool) -> Result<(), HubError> {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).map_err(|error| HubError::System(error.to_string()))?;
        let holder = format!("{} {:016x}", self.settings.name, u64::from_le_bytes(salt));
        self.refresh();
        while !stop.load(Ordering::Relaxed) {
            let opening = broker.connect(self.settings, &self.durable, &holder, self.again);
            // A broker that does not answer must not delay the shutdown.
            let Some(link) = unless_stopped(stop, Duration::ZERO, opening).await else {
                break;
            };
            match link? {
                Ok(link) => {
                    self.again = false;
                    self.set_connected(true);
                    let fault = self.read(link, stop).await?;
                    if let Some(fault) = fault {
                        self.fault(&fault);
                    }
                }
                Err(fault) => self.fault(&fault),
            }
            self.set_connected(false);
            self.refresh();
            if !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(RETRY_EVERY).await;
            }
        }
        self.store.commit(&mut self.state)?;
        Ok(())
    }

    /// Reads until the hub is stopped or the broker is away. Returns the fault.
    async fn read(
        &mut self,
        mut link: Connection,
        stop: &AtomicBool,
    ) -> Result<Option<String>, HubError> {
        let (mut asked, mut renewed): (Option<Instant>, Option<Instant>) = (None, None);
        let mut fault = None;
        while !stop.load(Ordering::Relaxed) && fault.is_none() {
            if asked.is_none_or(|at| at.elapsed() >= RENEW_EVERY) {
                asked = Some(stopwatch());
                let held = link.renew().await;
                renewed = if held { asked } else { renewed.filter(|at| at.elapsed() < LASTS) };
                self.set_active(held);
                if let Some(key) = &self.rules_key {
                    self.hub.rules = link.rules(key).await.or(self.hub.rules.take());
                }
            }
            let mut batch = Unacknowledged::default();
            let taken = link.take(&mut self.state, &mut batch).await;
            self.hub.pending = batch.pending;
            self.hub.redelivered += batch.redelivered;
            self.hub.missed += batch.missed;
            self.hub.full = batch.full.take();
            self.commit(stop).await?;
            if !self.state.dirty.is_empty() {
                // Stopped while the store cannot be written: the broker will deliver these messages again.
                break;
            }
            link.acknowledge(&mut batch).await;
            match taken {
                Ok(_) if link.is_connected() => {
                    self.set_connected(true);
                    match batch.fault.take() {
                        Some(fault) => self.fault(&fault),
                        None => self.well(),
                    }
                }
                Ok(_) => {
                    self.set_connected(false);
                    self.fault(&link.away());
                }
                Err(error) => fault = Some(error),
            }
            self.refresh();
        }
        self.set_active(false);
        link.release().await;
        Ok(fault)
    }

    /// Writes the changes, and tries again while the disk is full.
    async fn commit(&mut self, stop: &AtomicBool) -> Result<(), HubError> {
        loop {
            match self.store.commit(&mut self.state) {
                Ok(()) => return Ok(()),
                Err(
                    error @ (crate::output::store::StoreError::Corrupt(_)
                    | crate::output::store::StoreError::Foreign(_)),
                ) => {
                    return Err(error.into());
                }
                Err(error) => self.fault_of(Check::Store, &error.to_string()),
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            tokio::time::sleep(RETRY_EVERY).await;
            self.refresh();
        }
    }

    fn fault(&mut self, fault: &str) {
        self.fault_of(Check::Broker, fault);
    }

    fn fault_of(&mut self, check: Check, fault: &str) {
        let problem = Problem { check, subject: String::new(), text: fault.to_owned() };
        if self.problem.as_ref() != Some(&problem) {
            // Show it at once.
            self.showed = None;
        }
        self.problem = Some(problem);
        if self.said.as_deref() != Some(fault) {
            complain(fault);
            self.said = Some(fault.to_owned());
        }
    }

    fn well(&mut self) {
        if self.problem.take().is_some() {
            self.showed = None;
        }
        if self.said.take().is_some() {
            inform("it works again");
        }
    }

    fn set_connected(&mut self, connected: bool) {
        self.hub.connected = connected;
    }

    fn set_active(&mut self, active: bool) {
        if self.hub.active != active {
            self.hub.active = active;
            if !self.settings.quiet {
                inform(if active { "this hub is active" } else { "this hub stands by" });
            }
            self.showed = None;
        }
    }

    /// Computes the numbers and shows what has changed, if that is due.
    fn refresh(&mut self) {
        let rest = |took: Duration| COUNT_EVERY.max(took * COUNT_SHARE);
        let due = self.counted.is_none_or(|(at, took)| at.elapsed() >= rest(took));
        if self.state.stale && due {
            let begun = stopwatch();
            self.state.stale = false;
            self.numbers = Numbers::from(&self.state.summary);
            let Self { shown, state, numbers, dashboard, .. } = self;
            shown.changes(state, numbers, &mut |event| dashboard.show(event));
            self.dashboard.people(view::people(&self.numbers));
            self.counted = Some((stopwatch(), begun.elapsed()));
            self.showed = None;
        }
        if self.showed.is_some_and(|at| at.elapsed() < SHOW_EVERY) {
            return;
        }
        self.showed = Some(stopwatch());
        let now = wall_clock();
        self.say(now);
        self.dashboard.publish(HubView {
            api: view::api(&self.state, &self.numbers, &self.hub, now),
            metrics: view::metrics(&self.state, &self.numbers, &self.hub, now),
            page: view::page(&self.state, &self.numbers, &self.hub, now),
            active: self.hub.active,
            problems: self.problem.iter().cloned().collect(),
        });
    }

    /// Writes what is wrong with messages, keys and sensors.
    fn say(&mut self, now: Timestamp) {
        let stream = self.settings.events();
        let (notices, at) = (&mut self.notices, self.started.elapsed());
        let mut lines = notices.messages(&self.state, &stream, at);
        lines.extend(notices.missed(self.hub.missed, &stream, at));
        lines.extend(notices.full(self.hub.full.as_deref(), at));
        let keys = self.numbers.keys.iter().map(|key| key.key_id.as_str());
        lines.extend(notices.keys(keys, &self.state.sensors, at));
        lines.extend(notices.sensors(&view::troubles(&self.state, &self.hub, now), at));
        for line in lines {
            match line {
                Notice::Complaint(text) => complain(&text),
                Notice::Information(text) if !self.settings.quiet => inform(&text),
                Notice::Information(_) => {}
            }
        }
    }
}
