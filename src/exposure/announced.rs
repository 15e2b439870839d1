//! Which findings were written, so that each patient is written once per exposure, and again only with something new.

use super::lists::{Lists, PatientList};
use super::open::Pair;
use super::types::{EventId, FindingEvent, NetworkDirection, PatientKey};
use crate::config::Detail;
use crate::content::MarkSet;
use crate::identify::Identifier;
use crate::rules::KindSet;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Clients of a service above which its findings are folded: one for each patient, with the number of clients,
/// instead of one for each patient and client.
pub const FOLD_CLIENTS: usize = 4;
/// Findings of a service that are written one by one. Beyond them patients are listed ([`PatientList`]), unless
/// `--reveal` asks for values, which a list does not have.
pub const FOLD_FINDINGS: usize = 256;
/// Clients of one service that are counted separately.
const MAX_CLIENTS: usize = 65_536;
/// Clients of one patient that are counted separately; the number in the event stops there.
const MAX_PATIENT_CLIENTS: usize = 1_024;

/// Bytes of heap that a service takes, and one of its clients, roughly.
const SERVICE: usize = 256;
const CLIENT: usize = 64;

/// The findings written so far, with their identifiers as shown: each revision repeats all of them.
#[derive(Default)]
pub(in crate::exposure) struct Announced {
    services: HashMap<(SocketAddr, u8, &'static str), Service, RandomState>,
    /// Bytes of heap, roughly.
    bytes: usize,
    /// Findings kept.
    len: usize,
    lists: Lists,
    /// Whether events are also passed on that are not written.
    observed: bool,
}

/// How a finding is written.
pub(in crate::exposure) enum Admitted {
    /// As an event of this severity.
    Written(u8),
    /// It completed a list.
    Listed(Box<PatientList>),
    /// Not at all: it contains nothing new at the level of detail, or waits in a list.
    Nothing,
}

#[derive(Default)]
struct Service {
    clients: HashMap<IpAddr, u32, RandomState>,
    patients: HashMap<PatientKey, SmallVec<[Finding; 1]>, RandomState>,
    /// Findings written, revisions not counted.
    findings: usize,
    folded: bool,
}

struct Finding {
    /// Index of the client in [`Service::clients`].
    client: u32,
    /// Its exposure. After that has ended early, the patient is written again for the next one.
    exposure: EventId,
    kinds: KindSet,
    health: MarkSet,
    severity: u8,
    records: u64,
    /// Its event; `None` for a patient of a list, which names kinds only. A busy service has thousands of these, and
    /// they are looked up with every finding.
    event: Option<Box<WrittenEvent>>,
}

/// A finding that has an event of its own.
struct WrittenEvent {
    id: EventId,
    identifiers: Arc<Vec<Identifier>>,
    /// The clients of a folded finding, sorted.
    clients: SmallVec<[u32; 4]>,
    /// Number of clients at which the next revision is written.
    clients_due: usize,
}

/// Properties of a finding that its event does not carry.
#[derive(Clone, Copy)]
pub(in crate::exposure) struct FindingContext<'a> {
    /// Keys event ids.
    pub key: &'a [u8; 32],
    /// The person.
    pub person: PatientKey,
    /// The exposure.
    pub exposure: EventId,
    /// The finding's severity.
    pub severity: u8,
    /// Seen from the home networks.
    pub direction: NetworkDirection,
}

impl FindingContext<'_> {
    /// The id of the event of a finding whose first record came at `time`.
    fn event_id(&self, time: Timestamp) -> EventId {
        let exposure = self.exposure.0.to_be_bytes();
        EventId::derive(self.key, "finding", time, &[&exposure, self.person.bytes()])
    }
}

impl Announced {
    /// Without any finding. `observed`: events are also passed on that are not written.
    pub fn new(observed: bool) -> Self {
        Self { observed, ..Self::default() }
    }

    /// Decides what to write of the patient of `event` at this level of detail.
    pub fn admit(
        &mut self,
        detail: Detail,
        event: &mut FindingEvent,
        place: &FindingContext<'_>,
    ) -> Admitted {
        match detail {
            Detail::Exposures => Admitted::Nothing,
            Detail::Flows => Admitted::Written(place.severity),
            Detail::Patients => self.patient(event, place),
        }
    }

    fn patient(&mut self, event: &mut FindingEvent, place: &FindingContext<'_>) -> Admitted {
        let (client, server) = event.flow.parties();
        let name = (server, event.flow.transport.number(), event.protocol);
        let bytes = &mut self.bytes;
        let service = self.services.entry(name).or_insert_with(|| {
            *bytes += SERVICE;
            Service::default()
        });
        let clients = service.clients.len();
        let client = service.client(client.ip());
        self.bytes += (service.clients.len() - clients) * CLIENT;
        let busy = service.findings >= FOLD_FINDINGS;
        service.folded |= busy && service.clients.len() > FOLD_CLIENTS;
        let folded = service.folded;
        let findings = service.patients.entry(place.person).or_default();
        let known = findings
            .iter_mut()
            .find(|f| folded || (f.client == client && f.exposure == place.exposure));
        if let Some(known) = known {
            let before = known.identifiers();
            let news = known.revise(event, client, place);
            self.bytes += (known.identifiers() - before) * size_of::<Identifier>();
            return match (news, &known.event) {
                (false, _) => Admitted::Nothing,
                (true, Some(_)) => Admitted::Written(known.severity),
                (true, None) => list(&mut self.lists, event, place, known.kinds, folded),
            };
        }
        // All are masked or none is.
        let masked = event.finding.identifiers.first().is_none_or(|i| i.shown.masked());
        let listed = busy && masked;
        if !listed || self.observed {
            event.id = place.event_id(event.finding.time);
        }
        let new = Finding::new(event, client, place, listed);
        let kinds = new.kinds;
        self.bytes += new.memory();
        self.len += 1;
        service.findings += 1;
        findings.push(new);
        match listed {
            true => list(&mut self.lists, event, place, kinds, folded),
            false => Admitted::Written(place.severity),
        }
    }

    /// Loads what [`Self::admit`] will need of a patient of this service.
    pub fn warm(&self, pair: &Pair, patients: impl Iterator<Item = PatientKey>) {
        let name = (pair.server, pair.transport.number(), pair.protocol);
        let Some(service) = self.services.get(&name) else { return };
        for patient in patients {
            black_box(service.patients.get(&patient).map(SmallVec::len));
        }
    }

    /// The next list of patients that fell due by `now`, or the next of all lists.
    pub fn next_list(&mut self, now: Option<Timestamp>) -> Option<PatientList> {
        match now {
            Some(now) => self.lists.due(now),
            None => self.lists.next(),
        }
    }

    /// Adds records of a patient that contained nothing new.
    pub fn records(&mut self, pair: Pair, person: PatientKey, records: u32) {
        let Some(service) =
            self.services.get_mut(&(pair.server, pair.transport.number(), pair.protocol))
        else {
            return;
        };
        let folded = service.folded;
        let client = service.clients.get(&pair.client).copied();
        let Some(findings) = service.patients.get_mut(&person) else { return };
        let known = match folded {
            true => findings.first_mut(),
            // An earlier one of the same client belongs to an exposure that has ended.
            false => findings.iter_mut().rfind(|f| Some(f.client) == client),
        };
        if let Some(known) = known {
            known.records += u64::from(records);
        }
    }

    /// Bytes of heap held, roughly.
    pub const fn memory(&self) -> usize {
        self.bytes
    }

    /// Forgets everything. Returns how many findings may therefore be written again.
    pub fn clear(&mut self) -> u64 {
        let forgotten = self.len as u64;
        let lists = std::mem::take(&mut self.lists);
        *self = Self { lists, ..Self::new(self.observed) };
        forgotten
    }
}

impl Service {
    /// The number of a client. Those beyond the cap share one.
    fn client(&mut self, address: IpAddr) -> u32 {
        let next = self.clients.len();
        match self.clients.get(&address) {
            Some(&client) => client,
            None if next >= MAX_CLIENTS => u32::MAX,
            None => {
                self.clients.insert(address, next as u32);
                next as u32
            }
        }
    }
}

impl Finding {
    fn new(
        event: &mut FindingEvent,
        client: u32,
        place: &FindingContext<'_>,
        listed: bool,
    ) -> Self {
        let finding = &mut event.finding;
        finding.update = false;
        event.records = finding.new_records.into();
        let written = || WrittenEvent {
            id: event.id,
            identifiers: Arc::clone(&finding.identifiers),
            clients: SmallVec::from_slice(&[client]),
            clients_due: 10,
        };
        Self {
            client,
            exposure: place.exposure,
            kinds: finding.kinds,
            health: finding.marks.health(),
            severity: place.severity,
            records: event.records,
            event: (!listed).then(|| Box::new(written())),
        }
    }

    /// Number of identifiers kept.
    fn identifiers(&self) -> usize {
        self.event.as_ref().map_or(0, |event| event.identifiers.len())
    }

    /// Merges what is new, and makes `event` the next revision. False if nothing is new.
    fn revise(
        &mut self,
        event: &mut FindingEvent,
        client: u32,
        place: &FindingContext<'_>,
    ) -> bool {
        let finding = &mut event.finding;
        self.records += u64::from(finding.new_records);
        let new = finding.kinds.without(self.kinds);
        let health = finding.marks.health().without(self.health);
        let many = self.event.as_mut().is_some_and(|written| written.is_due_for(client));
        if new.is_empty() && health.is_empty() && place.severity <= self.severity && !many {
            return false;
        }
        self.kinds = self.kinds.union(new);
        self.health = self.health.union(health);
        self.severity = self.severity.max(place.severity);
        event.records = self.records;
        let Some(written) = &mut self.event else { return true };
        let more = finding.identifiers.iter().filter(|i| new.contains(i.kind)).cloned();
        Arc::make_mut(&mut written.identifiers).extend(more);
        finding.identifiers = Arc::clone(&written.identifiers);
        finding.update = true;
        event.id = written.id;
        event.clients = written.clients.len() as u64;
        true
    }

    /// Bytes of heap, roughly. Masks and field names are shared.
    fn memory(&self) -> usize {
        let event = size_of::<WrittenEvent>() + self.identifiers() * size_of::<Identifier>();
        2 * size_of::<(PatientKey, SmallVec<[Self; 1]>)>()
            + self.event.as_ref().map_or(0, |_| event)
    }
}

impl WrittenEvent {
    /// Notes a client. True if their number alone is worth a revision.
    fn is_due_for(&mut self, client: u32) -> bool {
        if self.clients.len() < MAX_PATIENT_CLIENTS
            && let Err(at) = self.clients.binary_search(&client)
        {
            self.clients.insert(at, client);
        }
        let many = self.clients.len() >= self.clients_due;
        if many {
            self.clients_due *= 10;
        }
        many
    }
}

/// Adds the patient of a finding to a list.
fn list(
    lists: &mut Lists,
    event: &FindingEvent,
    place: &FindingContext<'_>,
    kinds: KindSet,
    folded: bool,
) -> Admitted {
    match lists.add(event, place, kinds, folded) {
        Some(list) => Admitted::Listed(Box::new(list)),
        None => Admitted::Nothing,
    }
}
