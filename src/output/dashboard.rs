//! Data of the web page and the API: the state of the run, a table of exposures, and the [`PageModel`] of the page.
//! The table contains addresses and counts only; the model contains masks and pseudonyms, never values.

use super::clock::stopwatch;
use super::health::{Problem, SensorHealth};
use super::metrics::Metrics;
use super::page::PageModel;
use super::{Context, Output, RunSummary, ecs};
use crate::exposure::{
    Answers, Conversation, Count, Event, EventId, Exposure, ExposureState, PatientObservation,
};
use crate::severity::Severity;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Exposures shown. Beyond it closed ones are dropped first, then the least severe.
pub const MAX_ROWS: usize = 1_000;

/// Shared between the pipeline, which fills it, and the server, which shows it.
pub struct Dashboard {
    metrics: Arc<Metrics>,
    sensor: Arc<SensorHealth>,
    started: Instant,
    /// Milliseconds after `started`, plus one; 0 for none yet.
    last_packet: AtomicU64,
    rows: Mutex<BTreeMap<EventId, Row>>,
    page: Mutex<Page>,
    hub: Mutex<Option<HubView>>,
}

/// Data of a hub, beside the page.
#[derive(Clone, Debug, Default)]
pub struct HubView {
    /// The answer at `/api/v1/hub`.
    pub api: serde_json::Value,
    /// Its metrics, in the Prometheus text format.
    pub metrics: String,
    /// What the page shows beside exposures, services and hosts.
    pub page: serde_json::Value,
    /// Whether it is the active hub; another one is on standby.
    pub active: bool,
    /// What keeps it from its work.
    pub problems: Vec<Problem>,
}

/// The page's model, and the context in which events are written.
#[derive(Default)]
struct Page {
    model: PageModel,
    context: Context,
}

/// One exposure.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Row {
    /// The exposure's id.
    pub id: String,
    /// `open`, `update`, `idle` or `ended`.
    pub state: &'static str,
    /// `low` to `critical`.
    pub severity: &'static str,
    /// 0 to 100.
    pub score: u8,
    /// The client.
    pub client: IpAddr,
    /// The service.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: &'static str,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// Seen from the home networks.
    pub direction: &'static str,
    /// Distinct patients.
    pub patients: u64,
    /// Whether that is an estimate.
    pub patients_estimated: bool,
    /// Patients by flow.
    pub findings: u64,
    /// Records.
    pub records: u64,
    /// Flows with findings.
    pub flows: u64,
    /// Identifiers by kind.
    pub identifiers: BTreeMap<&'static str, u64>,
    /// How the client authenticated.
    pub authentication: &'static str,
    /// A secret crossed the wire in cleartext.
    pub credentials_in_clear: bool,
    /// Open services: those that answer anyone, and what a web service reveals about itself.
    pub open: Vec<String>,
    /// First finding.
    pub first: String,
    /// Last finding.
    pub last: String,
}

fn open(e: &Exposure) -> Vec<String> {
    let shown = e.facts.interfaces.iter().filter(|i| i.open);
    let shown: Vec<_> = shown.map(|i| format!("{} ({})", i.kind.as_str(), i.product)).collect();
    // An open interface says the same, and more.
    match e.access.answers() {
        Answers::Anyone if shown.is_empty() => vec!["answers anyone".to_owned()],
        _ => shown,
    }
}

impl From<&Exposure> for Row {
    fn from(e: &Exposure) -> Self {
        let Count { value, estimate } = e.patients;
        Self {
            id: e.id.to_string(),
            state: e.state.as_str(),
            severity: Severity::of(e.severity).as_str(),
            score: e.severity,
            client: e.client,
            server: e.server,
            transport: e.transport.as_str(),
            protocol: e.protocol,
            direction: e.direction.as_str(),
            patients: value,
            patients_estimated: estimate,
            findings: e.findings,
            records: e.records,
            flows: e.flows,
            identifiers: e.kinds.iter().map(|(kind, n)| (kind.as_str(), *n)).collect(),
            authentication: e.facts.authentication.as_str(),
            credentials_in_clear: e.facts.credentials_in_clear,
            open: open(e),
            first: e.first.to_string(),
            last: e.last.to_string(),
        }
    }
}

/// What a [`Row`] says, of an exposure event that is whole.
fn row_of(event: &serde_json::Value) -> serde_json::Value {
    let at = |path: &str| event.pointer(path).cloned().unwrap_or_default();
    let of = |name: &str| at(&format!("/phi/exposure/{name}"));
    let address = at("/server/ip").as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
    let port = at("/server/port").as_u64().and_then(|port| u16::try_from(port).ok());
    let server = address.zip(port).map(|(ip, port)| SocketAddr::new(ip, port));
    let estimated = of("patients_estimated").as_bool().unwrap_or(false);
    let in_clear = at("/phi/service/credentials_in_clear").as_bool().unwrap_or(false);
    serde_json::json!({
        "id": of("id"), "state": of("state"), "severity": of("severity"), "score": at("/event/severity"),
        "client": at("/client/ip"), "server": server, "transport": at("/network/transport"),
        "protocol": at("/network/protocol"), "direction": at("/network/direction"),
        "patients": of("patients"), "patients_estimated": estimated, "findings": of("findings"),
        "records": of("records"), "flows": of("flows"), "identifiers": of("identifiers"),
        "authentication": at("/phi/service/authentication"), "credentials_in_clear": in_clear,
        "open": at("/open"), "first": at("/event/start"), "last": at("/event/end"),
    })
}

/// State of the run.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// `ok` or `stopping`.
    pub status: &'static str,
    /// Since the start.
    pub uptime_seconds: f64,
    /// Since the last packet was read; `None` before the first.
    pub last_packet_age_seconds: Option<f64>,
}

/// Whether a sensor works properly.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Readiness {
    /// `ready`, `not ready`, `stopping`, or, of a hub while another is active, `standing by`.
    pub status: &'static str,
    /// What prevents it from working.
    pub problems: Vec<Problem>,
}

impl Dashboard {
    /// An empty one.
    pub fn new(metrics: Arc<Metrics>, sensor: Arc<SensorHealth>) -> Self {
        Self {
            metrics,
            sensor,
            started: stopwatch(),
            last_packet: AtomicU64::new(0),
            rows: Mutex::default(),
            page: Mutex::default(),
            hub: Mutex::default(),
        }
    }

    /// Health of its parts.
    pub fn sensor(&self) -> &SensorHealth {
        &self.sensor
    }

    /// Sets the context of the run before it starts; `reveal` as on the command line.
    pub fn describe(&self, context: Context, reveal: bool) {
        *self.page() = Page { model: PageModel::new(reveal), context };
    }

    /// Shows an exposure of an earlier run: an event as `--format ecs` writes it.
    pub fn earlier(&self, event: serde_json::Value) {
        self.page().model.take_earlier(event);
    }

    /// Shows an event as `--format ecs` writes it.
    pub fn show(&self, event: serde_json::Value) {
        self.page().model.take(event);
    }

    /// Shows the total number of people.
    pub fn people(&self, people: u64) {
        self.page().model.people(people);
        self.metrics.patients_distinct(people);
    }

    /// Shows the data of a hub.
    pub fn publish(&self, view: HubView) {
        *self.hub() = Some(view);
    }

    /// The data of a hub, if this is one.
    pub fn hub(&self) -> MutexGuard<'_, Option<HubView>> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `of` with the page's model.
    pub fn with_board<T>(&self, of: impl FnOnce(&PageModel) -> T) -> T {
        of(&self.page().model)
    }

    /// The status of a running sensor, in the form of the page.
    pub fn figures(&self) -> serde_json::Value {
        let (health, (packets, bytes)) = (self.health(), self.metrics.totals());
        let Readiness { status, problems } = self.readiness();
        let losses: serde_json::Map<String, serde_json::Value> =
            self.metrics.losses().into_iter().map(|(name, n)| (name.into(), n.into())).collect();
        let page = self.page();
        serde_json::json!({
            "status": status,
            "problems": problems,
            "uptime": health.uptime_seconds,
            "age": health.last_packet_age_seconds,
            "packets": packets,
            "bytes": bytes,
            "findings": page.model.found(),
            "records": page.model.records(),
            "losses": losses,
            "interfaces": self.sensor.interface_states(),
        })
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics of the run.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Every metric as it is now, in the Prometheus text format.
    pub fn render_metrics(&self) -> String {
        let now = stopwatch();
        let mut status = self.sensor.status(now);
        if let Some(hub) = &*self.hub() {
            (status.ready, status.problems) = (self.is_ready(hub), hub.problems.clone());
        }
        self.metrics.sensor().update(&status, &self.sensor.waits(now));
        let hub = self.hub().as_ref().map(|hub| hub.metrics.clone());
        self.metrics.render() + &hub.unwrap_or_default()
    }

    /// Packets have been read. Call it per batch.
    pub fn packets_seen(&self) {
        let millis = self.started.elapsed().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).saturating_add(1);
        self.last_packet.store(millis, Ordering::Relaxed);
    }

    /// The run is being stopped: `/healthz` says 503 from now on.
    pub fn stopping(&self) {
        self.sensor.stopping();
    }

    /// The state of the run.
    pub fn health(&self) -> Health {
        let uptime = self.started.elapsed().as_secs_f64();
        let last = self.last_packet.load(Ordering::Relaxed);
        let age = last.checked_sub(1).map(|at| (uptime - at as f64 / 1e3).max(0.0));
        let stopping = self.sensor.is_stopping();
        Health {
            status: if stopping { "stopping" } else { "ok" },
            uptime_seconds: uptime,
            last_packet_age_seconds: age,
        }
    }

    /// Whether the sensor works properly.
    pub fn readiness(&self) -> Readiness {
        let problems = self.sensor.check(stopwatch());
        // A hub has no packets to wait for.
        if let Some(hub) = &*self.hub() {
            let status = match (self.sensor.is_stopping(), self.is_ready(hub)) {
                (true, _) => "stopping",
                (false, true) => "ready",
                (false, false) if hub.problems.is_empty() => "standing by",
                (false, false) => "not ready",
            };
            return Readiness { status, problems: hub.problems.clone() };
        }
        let status = match (self.sensor.is_stopping(), problems.is_empty()) {
            (true, _) => "stopping",
            (false, true) => "ready",
            (false, false) => "not ready",
        };
        Readiness { status, problems }
    }

    /// Whether a hub is the one to ask.
    fn is_ready(&self, hub: &HubView) -> bool {
        hub.active && hub.problems.is_empty() && !self.sensor.is_stopping()
    }

    /// The exposures as JSON, the worst first: of a hub, those of all sensors.
    pub fn exposures(&self) -> serde_json::Value {
        if self.hub().is_none() {
            return serde_json::json!(self.rows());
        }
        let mut rows: Vec<serde_json::Value> =
            self.with_board(|page| page.worst().into_iter().map(row_of).collect());
        let rank = |row: &serde_json::Value| (row["score"].as_u64(), row["patients"].as_u64());
        rows.sort_by_key(|row| std::cmp::Reverse(rank(row)));
        rows.into()
    }

    /// The exposures, the worst first.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.lock().values().cloned().collect();
        rows.sort_by(|a, b| {
            (b.score, b.patients).cmp(&(a.score, a.patients)).then_with(|| a.id.cmp(&b.id))
        });
        rows
    }

    fn see(&self, exposure: &Exposure) {
        let mut rows = self.lock();
        rows.insert(exposure.id, exposure.into());
        if rows.len() > MAX_ROWS {
            let ended = ExposureState::Ended.as_str();
            let least = rows.iter().min_by_key(|(id, r)| (r.state != ended, r.score, **id));
            if let Some(id) = least.map(|(id, _)| *id) {
                rows.remove(&id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EventId, Row>> {
        // Rows are consistent at any moment, so a panic elsewhere leaves nothing half done.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills the table.
impl Output for Arc<Dashboard> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Exposure(exposure) = event {
            self.see(exposure);
        }
        let Page { model, context } = &mut *self.page();
        model.event(event, context);
        Ok(())
    }
    fn observation(&mut self, observation: &PatientObservation) -> io::Result<()> {
        self.page().model.observation(observation);
        Ok(())
    }
    fn conversation(&mut self, of: &Conversation) -> io::Result<()> {
        self.page().model.conversation(of);
        Ok(())
    }
    fn finish(&mut self, run: &RunSummary) -> io::Result<()> {
        let Page { model, context } = &mut *self.page();
        model.take(ecs::run_value(run, context));
        Ok(())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
