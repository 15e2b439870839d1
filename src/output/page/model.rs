//! The model of the page: the latest of each exposure, service, host and of the run, and some findings of
//! each exposure.

use super::timeline::Timeline;
use crate::exposure::{Conversation, Event, PatientObservation};
use crate::output::remedy::Remedy;
use crate::output::shares::Shares;
use crate::output::{Context, MAX_WEIGHT, ecs, weight};
use crate::rules::Kind;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// Exposures of a page. Beyond it the least severe are dropped.
const MAX_EXPOSURES: usize = 800;
/// Services, and hosts in a role, of a page.
const MAX_LISTED: usize = 1_000;
/// Findings shown of an exposure.
const MAX_FINDINGS: usize = 10;
/// Bytes of all of them as JSON.
const MAX_FINDING_BYTES: usize = 1_500_000;
/// Identifiers shown of a finding.
const MAX_IDENTIFIERS: usize = 24;
/// Largest event, bytes of JSON; larger ones are ignored. The program writes none.
const MAX_EVENT: usize = 64 << 10;
/// Ids of exposures that are gone, for pages that still show them.
const MAX_GONE: usize = 4_096;
/// Exposures of earlier runs that are recognised in this one.
const MAX_EARLIER: usize = 16_384;

/// Facts of a service that contain no free text. Under `--reveal` the others are left out.
const PLAIN_FACTS: [&str; 15] = [
    "encrypted",
    "authentication",
    "credentials_in_clear",
    "credentials",
    "interfaces",
    "dimse",
    "modalities",
    "sop_classes",
    "sop_class_names",
    "transfer_syntaxes",
    "message_types",
    "acknowledged",
    "method",
    "status",
    "access",
];

/// An event and the time of its last change.
struct VersionedEvent {
    changed: u64,
    event: Value,
}

/// What earlier runs saw of an exposure.
struct EarlierExposure {
    id: String,
    /// Its id, times and counts, as a page reads them.
    shown: Value,
}

/// The content of a page.
#[derive(Default)]
pub struct PageModel {
    exposures: BTreeMap<String, VersionedEvent>,
    /// Their severities and ids: the first is dropped first.
    ranks: BTreeSet<(Option<u64>, String)>,
    services: BTreeMap<String, VersionedEvent>,
    assets: BTreeMap<String, VersionedEvent>,
    findings: BTreeMap<String, Vec<Value>>,
    finding_bytes: usize,
    timeline: Timeline,
    shares: Shares,
    run: Option<Value>,
    gone: VecDeque<(u64, String)>,
    /// By fingerprint.
    earlier: BTreeMap<String, EarlierExposure>,
    /// People of several runs.
    people: Option<u64>,
    /// What several runs, or one without a summary, could judge.
    runs: Option<Value>,
    /// What of the file that the page is made from could not be read.
    lost: Vec<String>,
    /// Findings, revisions not counted.
    found: u64,
    /// Records of this run. Events of exposures, which are written once a minute, say it later.
    records: u64,
    /// Counts every change.
    clock: u64,
    /// Values were shown, so texts from the wire may also be values.
    revealed: bool,
    /// Exposures and findings beyond the limits.
    left: (u64, u64),
}

/// An identifier as a page shows it.
#[derive(Clone, Copy, Debug)]
pub struct ShownIdentifier<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its mask; `None` if the value itself was shown.
    pub value: Option<&'a str>,
    /// Its place.
    pub field: &'a str,
}

/// A patient as a page shows it.
#[derive(Clone, Copy, Debug)]
pub struct Patient<'a> {
    /// Of the finding; the same for its revisions.
    pub id: &'a str,
    /// RFC 3339.
    pub time: &'a str,
    /// `p_...`.
    pub token: &'a str,
    /// `C-FIND`.
    pub operation: &'a str,
    /// What was seen of it.
    pub identifiers: &'a [ShownIdentifier<'a>],
    /// Numbers of the first and the last packet.
    pub packets: Option<(u64, u64)>,
}

/// Changes since a point, and the point to continue from.
pub struct Changes {
    /// The point to continue from.
    pub until: u64,
    /// None if nothing changed.
    pub data: Option<Map<String, Value>>,
}

impl PageModel {
    /// Empty; `reveal` as on the command line.
    pub fn new(reveal: bool) -> Self {
        Self { revealed: reveal, ..Self::default() }
    }

    /// Takes an event of the run. Findings come as patient observations, which are the same at every level of detail.
    pub fn event(&mut self, event: &Event, context: &Context) {
        if !matches!(event, Event::Finding { .. } | Event::Patients(_)) {
            self.keep(ecs::value(event, context));
        }
    }

    /// Takes a patient of an exposure.
    pub fn observation(&mut self, observation: &PatientObservation) {
        self.records += observation.records;
        let Some(news) = &observation.news else { return };
        let (event, finding) = (&news.event, &news.event.finding);
        if !finding.update {
            self.count(finding.time.0.div_euclid(1_000_000_000), 1);
        }
        let exposure = observation.exposure.to_string();
        let id = event.id.to_string();
        if !self.has_room(&exposure, &id) {
            self.left.1 += u64::from(!finding.update);
            return;
        }
        let identifiers = finding.identifiers.iter().map(|i| ShownIdentifier {
            kind: i.kind.as_str(),
            value: Some(i.shown.text()).filter(|_| i.shown.masked()),
            field: &i.field,
        });
        self.show(
            &exposure,
            &Patient {
                id: &id,
                time: &finding.time.to_string(),
                token: &format!("p_{}", observation.person),
                operation: &finding.operation,
                identifiers: &identifiers.take(MAX_IDENTIFIERS).collect::<Vec<_>>(),
                packets: Some((finding.packets.first.number, finding.packets.last.number)),
            },
        );
    }

    /// Takes an event as `--format ecs` writes it, from a file or a store, which may be forged. False if it is no
    /// event, or incomplete.
    pub fn take(&mut self, event: Value) -> bool {
        // The summary of a run lists its files.
        let lists = event.pointer("/event/action").is_some_and(|action| action == "run-summary");
        let fits = |text: String| {
            text.len() <= MAX_EVENT && (lists || weight(text.as_bytes()) <= MAX_WEIGHT)
        };
        serde_json::to_string(&event).is_ok_and(fits) && self.keep(event)
    }

    /// Takes an exposure of earlier runs. It is listed until this run sees the same (by its fingerprint), which then
    /// shows what was seen before.
    pub fn take_earlier(&mut self, mut event: Value) -> bool {
        if let Some(event) = event.as_object_mut() {
            event.insert("earlier".into(), true.into());
        }
        let (id, fingerprint) = (whole_exposure(&event), fingerprint(&event).map(str::to_owned));
        let at = |path: &str| event.pointer(path).cloned().unwrap_or_default();
        let of = |name: &str| at(&format!("/phi/exposure/{name}"));
        let shown = json!({
            "id": of("id"), "first": at("/event/start"), "last": at("/event/end"),
            "records": of("records"), "patients": of("patients"),
        });
        if !self.take(event) {
            return false;
        }
        if let (Some(id), Some(fingerprint)) = (id, fingerprint)
            && self.earlier.len() < MAX_EARLIER
        {
            self.earlier.insert(fingerprint, EarlierExposure { id, shown });
        }
        true
    }

    fn keep(&mut self, event: Value) -> bool {
        match event.pointer("/event/action").and_then(Value::as_str) {
            Some("phi-exposure") => self.exposure(event),
            Some("service-seen") => self.listed(event, "/server/ip", |model| &mut model.services),
            Some("asset-seen") => self.listed(event, "/host/ip/0", |model| &mut model.assets),
            Some("run-summary") => self.run(event),
            _ => false,
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn count(&mut self, second: i64, n: u64) {
        self.timeline.add(second, n);
        self.found += n;
        self.tick();
    }

    fn exposure(&mut self, mut event: Value) -> bool {
        let Some(id) = whole_exposure(&event) else { return false };
        let open = open(&event);
        // With --state the id stays, and the counts go on: nothing is to be added.
        let before = fingerprint(&event).and_then(|of| self.earlier.get(of));
        let before =
            before.filter(|of| of.id != id).map(|of| (of.id.clone(), of.shown.clone())).unzip();
        if let Some(event) = event.as_object_mut() {
            event.insert("open".into(), json!(open));
            if let Some(shown) = before.1 {
                event.insert("before".into(), shown);
            }
        }
        let changed = self.tick();
        if let Some(id) = before.0
            && let Some(gone) = self.exposures.remove(&id)
        {
            self.ranks.remove(&(severity(&gone.event), id.clone()));
            self.leave(changed, id);
        }
        let rank = severity(&event);
        let replaced = self.exposures.insert(id.clone(), VersionedEvent { changed, event });
        if let Some(replaced) = replaced {
            self.ranks.remove(&(severity(&replaced.event), id.clone()));
        }
        self.ranks.insert((rank, id));
        if self.exposures.len() > MAX_EXPOSURES
            && let Some((_, id)) = self.ranks.pop_first()
        {
            self.exposures.remove(&id);
            self.left.0 += 1;
            self.leave(changed, id);
        }
        true
    }

    /// Notes that an exposure is no longer listed.
    fn leave(&mut self, changed: u64, id: String) {
        self.findings.remove(&id);
        self.gone.push_back((changed, id));
        if self.gone.len() > MAX_GONE {
            self.gone.pop_front();
        }
    }

    /// Takes a flow that has ended.
    pub fn conversation(&mut self, of: &Conversation) {
        self.shares.take(of);
    }

    /// Number of people in earlier runs, if no run summary contains it.
    pub const fn people(&mut self, people: u64) {
        self.people = Some(people);
    }

    /// What the runs could judge, if no run summary contains it.
    pub fn runs(&mut self, coverage: Value) {
        self.runs = Some(coverage);
    }

    /// What of the file that the page is made from could not be read, for people.
    pub fn lost(&mut self, texts: Vec<String>) {
        self.lost = texts;
    }

    /// Takes a patient that an earlier run saw with an exposure at `second` since 1970.
    pub fn patient(&mut self, exposure: &str, second: i64, patient: &Patient<'_>) {
        self.count(second, 1);
        if self.has_room(exposure, patient.id) {
            self.show(exposure, patient);
        } else {
            self.left.1 += 1;
        }
    }

    fn has_room(&self, exposure: &str, id: &str) -> bool {
        self.finding_bytes < MAX_FINDING_BYTES
            && self.findings.get(exposure).is_none_or(|list| {
                list.len() < MAX_FINDINGS || list.iter().any(|known| known["id"] == id)
            })
    }

    /// Keeps the part of a finding that a page shows, instead of an earlier revision.
    fn show(&mut self, exposure: &str, patient: &Patient<'_>) {
        if !is_id(exposure) {
            return;
        }
        let identifiers = patient.identifiers.iter().take(MAX_IDENTIFIERS);
        let shown =
            identifiers.map(|i| json!({"kind": i.kind, "value": i.value, "field": i.field}));
        let finding = json!({
            "id": patient.id,
            "time": patient.time,
            "patient": patient.token,
            "operation": patient.operation,
            "identifiers": shown.collect::<Vec<_>>(),
            "first": patient.packets.map(|(first, _)| first),
            "last": patient.packets.map(|(_, last)| last),
        });
        self.finding_bytes += serde_json::to_string(&finding).map_or(0, |text| text.len());
        let list = self.findings.entry(exposure.to_owned()).or_default();
        match list.iter_mut().find(|known| known["id"] == finding["id"]) {
            Some(known) => *known = finding,
            None => list.push(finding),
        }
    }

    fn listed(
        &mut self,
        event: Value,
        address: &str,
        of: impl Fn(&mut Self) -> &mut BTreeMap<String, VersionedEvent>,
    ) -> bool {
        let id = event.pointer("/event/id").and_then(Value::as_str).map(str::to_owned);
        let protocol = event.pointer("/network/protocol").is_some_and(Value::is_string);
        let whole = event.pointer(address).is_some_and(Value::is_string) && protocol;
        let (Some(id), true) = (id, whole) else { return false };
        let changed = self.tick();
        let table = of(self);
        if table.len() < MAX_LISTED || table.contains_key(&id) {
            table.insert(id, VersionedEvent { changed, event });
        }
        true
    }

    fn run(&mut self, event: Value) -> bool {
        let objects = ["packets", "coverage", "flows", "streams", "identifiers", "inputs"];
        let of =
            |name: &str| event.pointer(&format!("/phi/run/{name}")).is_some_and(Value::is_object);
        if !objects.into_iter().all(of) {
            return false;
        }
        self.revealed |= event.pointer("/phi/run/reveal") == Some(&Value::Bool(true));
        self.run = Some(event);
        self.tick();
        true
    }

    /// What of the file that the page is made from could not be read.
    pub fn unread(&self) -> &[String] {
        &self.lost
    }

    /// How many findings there were.
    pub const fn found(&self) -> u64 {
        self.found
    }

    /// How many records of this run there were.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The findings shown of an exposure.
    pub fn findings(&self, exposure: &str) -> &[Value] {
        self.findings.get(exposure).map_or(&[], Vec::as_slice)
    }

    /// Exposures, the worst first.
    pub fn worst(&self) -> Vec<&Value> {
        let mut all: Vec<&Value> = self.exposures.values().map(|held| &held.event).collect();
        all.sort_by_key(|e| std::cmp::Reverse(severity(e)));
        all
    }

    /// The run, once it has ended.
    pub const fn run_summary(&self) -> Option<&Value> {
        self.run.as_ref()
    }

    /// The whole model, as a page reads it.
    pub fn data(&self) -> Map<String, Value> {
        let mut data = self.changes(0).data.unwrap_or_default();
        let findings: Map<String, Value> =
            self.findings.iter().map(|(id, list)| (id.clone(), json!(list))).collect();
        data.insert("findings".into(), Value::Object(findings));
        let letters: Map<String, Value> = Kind::ALL
            .iter()
            .map(|k| (k.as_str().into(), k.safe_harbor().to_string().into()))
            .collect();
        data.insert("letters".into(), Value::Object(letters));
        data.insert("remedies".into(), Remedy::ALL.map(Remedy::as_str).to_vec().into());
        data.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        if let Some(people) = self.people {
            data.insert("patients".into(), people.into());
        }
        if let Some(runs) = &self.runs {
            data.insert("runs".into(), runs.clone());
        }
        if !self.lost.is_empty() {
            data.insert("lost".into(), json!(self.lost));
        }
        if self.left != (0, 0) {
            let left = json!({"exposures": self.left.0, "findings": self.left.1});
            data.insert("left".into(), left);
        }
        data
    }

    /// Number of changes so far: the argument of [`Self::changes`].
    pub const fn clock(&self) -> u64 {
        self.clock
    }

    /// Changes after `since`.
    pub fn changes(&self, since: u64) -> Changes {
        if self.clock <= since && since > 0 {
            return Changes { until: since, data: None };
        }
        let mut data = Map::new();
        for (name, table) in
            [("exposures", &self.exposures), ("services", &self.services), ("assets", &self.assets)]
        {
            let changed = table.values().filter(|held| held.changed > since);
            let events: Vec<Value> = changed.map(|held| self.shown(&held.event)).collect();
            if !events.is_empty() || since == 0 {
                data.insert(name.into(), events.into());
            }
        }
        let gone: Vec<&str> =
            self.gone.iter().filter(|(at, _)| *at > since).map(|(_, id)| id.as_str()).collect();
        if !gone.is_empty() && since > 0 {
            data.insert("gone".into(), json!(gone));
        }
        data.insert("shares".into(), Value::Object(self.encryption()));
        data.insert("timeline".into(), self.timeline.json());
        data.insert("run".into(), self.run.clone().unwrap_or(Value::Null));
        Changes { until: self.clock, data: Some(data) }
    }

    /// Share of encrypted traffic of each service of the page, in words.
    fn encryption(&self) -> Map<String, Value> {
        let services = self.services.values().filter_map(|held| {
            let text = |at: &str| held.event.pointer(at).and_then(Value::as_str);
            let port = held.event.pointer("/server/port").and_then(Value::as_u64)?;
            let server = SocketAddr::new(text("/server/ip")?.parse().ok()?, port.try_into().ok()?);
            let protocol = text("/network/protocol")?;
            let share = self.shares.of(server, protocol).text()?;
            Some((format!("{server} {protocol}"), share.into()))
        });
        services.collect()
    }

    /// The part of an event that a page may show.
    fn shown(&self, event: &Value) -> Value {
        let mut event = event.clone();
        if self.revealed
            && let Some(facts) = event.pointer_mut("/phi/service").and_then(Value::as_object_mut)
        {
            facts.retain(|name, _| PLAIN_FACTS.contains(&name.as_str()));
        }
        if self.revealed
            && let Some(dicom) = event.pointer_mut("/phi/dicom").and_then(Value::as_object_mut)
        {
            dicom.retain(|name, _| !name.ends_with("_titles"));
        }
        event
    }
}

/// The same for one client, service and protocol in all runs under one key.
fn fingerprint(event: &Value) -> Option<&str> {
    event.pointer("/phi/exposure/fingerprint").and_then(Value::as_str)
}

/// How severe an exposure is, 0 to 100.
fn severity(event: &Value) -> Option<u64> {
    event.pointer("/event/severity").and_then(Value::as_u64)
}

/// Open services: those that answer anyone, and what a web service reveals about itself.
fn open(event: &Value) -> Vec<String> {
    let anyone = event.pointer("/phi/service/access/answers").is_some_and(|v| v == "anyone");
    let shown = event.pointer("/phi/service/interfaces").and_then(Value::as_array);
    let shown = shown.into_iter().flatten().filter(|i| i["open"] == true).filter_map(|i| {
        Some(format!("{} ({})", i.get("kind")?.as_str()?, i.get("product")?.as_str()?))
    });
    let shown: Vec<String> = shown.collect();
    // An open interface says the same, and more.
    if anyone && shown.is_empty() { vec!["answers anyone".to_owned()] } else { shown }
}

/// The id of an exposure event that has all fields the page needs.
fn whole_exposure(event: &Value) -> Option<String> {
    const TEXTS: [&str; 6] = [
        "/client/ip",
        "/server/ip",
        "/network/protocol",
        "/event/start",
        "/event/end",
        "/phi/exposure/state",
    ];
    const NUMBERS: [&str; 6] = [
        "/server/port",
        "/event/severity",
        "/phi/exposure/patients",
        "/phi/exposure/records",
        "/phi/exposure/findings",
        "/phi/exposure/flows",
    ];
    const LISTS: [&str; 3] = ["/phi/exposure/remedies", "/phi/exposure/operations", "/phi/marks"];
    let at = |path: &str| event.pointer(path);
    let strings = |list: &Value| list.as_array().is_some_and(|l| l.iter().all(Value::is_string));
    let lists = LISTS.iter().all(|path| at(path).is_none_or(strings));
    let objects = ["/phi/service", "/phi/evidence", "/phi/dicom", "/phi/exposure/coverage"];
    let objects = objects.iter().all(|path| at(path).is_none_or(Value::is_object));
    let reason = at("/event/reason").is_none_or(Value::is_string);
    let texts = TEXTS.iter().all(|path| at(path).is_some_and(Value::is_string));
    let numbers = NUMBERS.iter().all(|path| at(path).is_some_and(Value::is_u64));
    let severity = at("/phi/exposure/severity")?.as_str()?;
    let graded = crate::severity::Severity::ALL.iter().any(|s| s.as_str() == severity);
    let counted = at("/phi/exposure/identifiers")?.as_object()?.values().all(Value::is_u64);
    let id = at("/phi/exposure/id")?.as_str()?;
    let shaped = lists && objects && reason;
    (shaped && texts && numbers && graded && counted && is_id(id)).then(|| id.to_owned())
}

/// A ULID, which is safe in a URL.
fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
