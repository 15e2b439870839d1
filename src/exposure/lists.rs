//! Patients of a busy service, listed together. One more patient among thousands matters by pseudonym and kinds of
//! identifiers; a full event with masked values for each would be too much.

use super::announced::FindingContext;
use super::open::Pair;
use super::types::{EventId, FindingEvent, NetworkDirection, PatientKey, socket};
use crate::capture::PacketSpan;
use crate::content::Mark;
use crate::flow::Transport;
use crate::identify::Token;
use crate::rules::KindSet;
use crate::time::{Span, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Patients of one list.
pub const MAX_LISTED: usize = 64;
/// Packet time for which a list collects patients.
pub const LIST_EVERY: Span = Span::seconds(60);

/// Patients seen in cleartext with one service, by the kinds of their identifiers.
#[derive(Clone)]
pub struct PatientList {
    /// Of its own.
    pub id: EventId,
    /// Packet time of the first patient's record.
    pub first: Timestamp,
    /// Packet time of the last patient's record.
    pub last: Timestamp,
    /// The client, if there is only one.
    pub client: Option<IpAddr>,
    /// Address and port of the service.
    pub server: SocketAddr,
    /// `tcp` or `udp`.
    pub transport: Transport,
    /// `dicom`, `hl7`, `http`.
    pub protocol: &'static str,
    /// Seen from the home networks, if there is only one client.
    pub direction: Option<NetworkDirection>,
    /// The exposure, if there is only one client.
    pub exposure: Option<EventId>,
    /// Number of different clients.
    pub clients: u64,
    /// Number of patients.
    pub patients: u64,
    /// Their records so far.
    pub records: u64,
    /// Their highest severity.
    pub severity: u8,
    /// Marks of any of them.
    pub marks: Vec<Mark>,
    /// The packets of their records.
    pub packets: PacketSpan,
    /// The patients, by kinds of identifiers in order of appearance.
    pub groups: Vec<PatientGroup>,
}

/// Patients with the same kinds of identifiers.
#[derive(Clone)]
pub struct PatientGroup {
    /// The kinds.
    pub kinds: KindSet,
    /// Their pseudonyms.
    pub patients: Vec<PatientKey>,
    /// Pseudonyms of the numbers that each identify one of them.
    pub numbers: Vec<Token>,
}

/// The lists that are being filled.
#[derive(Default)]
pub(in crate::exposure) struct Lists {
    /// In order of their beginnings.
    open: VecDeque<Open>,
    /// Lists begun so far.
    begun: u64,
    /// Index of each by service, or by exposure.
    places: HashMap<Key, u64, RandomState>,
}

type Key = (SocketAddr, u8, &'static str, Option<EventId>);

struct Open {
    number: u64,
    key: Key,
    clients: Vec<IpAddr>,
    list: PatientList,
}

impl Lists {
    /// Adds the patient of a finding to its list. `folded`: together with those of other clients.
    pub fn add(
        &mut self,
        event: &FindingEvent,
        place: &FindingContext<'_>,
        kinds: KindSet,
        folded: bool,
    ) -> Option<PatientList> {
        let (flow, finding) = (&event.flow, &event.finding);
        let exposure = (!folded).then_some(place.exposure);
        let (client, server) = flow.parties();
        let key = (server, flow.transport.number(), event.protocol, exposure);
        let begun = self.begun;
        let number = *self.places.entry(key).or_insert(begun);
        if number == begun {
            self.begun += 1;
            self.open.push_back(Open::new(number, key, event, place));
        }
        let at = self.open.partition_point(|open| open.number < number);
        let open = self.open.get_mut(at)?;
        let list = &mut open.list;
        list.first = list.first.min(finding.time);
        list.last = list.last.max(finding.time);
        list.patients += 1;
        list.records += event.records;
        list.severity = list.severity.max(place.severity);
        list.packets.extend(finding.packets);
        for mark in finding.marks.iter() {
            if !list.marks.contains(&mark) {
                list.marks.push(mark);
            }
        }
        let client = client.ip();
        if !open.clients.contains(&client) {
            open.clients.push(client);
            list.clients = open.clients.len() as u64;
        }
        let group = match list.groups.iter_mut().position(|group| group.kinds == kinds) {
            Some(at) => list.groups.get_mut(at),
            None => {
                let empty = PatientGroup { kinds, patients: Vec::new(), numbers: Vec::new() };
                list.groups.push(empty);
                list.groups.last_mut()
            }
        };
        if let Some(group) = group {
            group.patients.push(place.person);
            let strong = finding.identifiers.iter().filter(|i| i.kind.is_strong_id());
            group.numbers.extend(strong.map(|i| i.token));
        }
        (list.patients >= MAX_LISTED as u64).then(|| self.take(at)).flatten()
    }

    /// The next list that has waited long enough by `now`.
    pub fn due(&mut self, now: Timestamp) -> Option<PatientList> {
        let first = self.open.front()?;
        if now - first.list.first < LIST_EVERY { None } else { self.take(0) }
    }

    /// The next list, whether or not it is full.
    pub fn next(&mut self) -> Option<PatientList> {
        self.take(0)
    }

    fn take(&mut self, at: usize) -> Option<PatientList> {
        let open = self.open.remove(at)?;
        self.places.remove(&open.key);
        Some(open.list)
    }
}

impl Open {
    fn new(number: u64, key: Key, event: &FindingEvent, place: &FindingContext<'_>) -> Self {
        let (flow, finding) = (&event.flow, &event.finding);
        let pair = Pair::of(flow, event.protocol);
        let alone = key.3.is_some();
        let parts: [&[u8]; 4] = [
            &socket(pair.server),
            &[pair.transport.number()],
            pair.protocol.as_bytes(),
            &number.to_be_bytes(),
        ];
        Self {
            number,
            key,
            clients: Vec::new(),
            list: PatientList {
                id: EventId::derive(place.key, "list", finding.time, &parts),
                first: finding.time,
                last: finding.time,
                client: alone.then_some(pair.client),
                server: pair.server,
                transport: pair.transport,
                protocol: pair.protocol,
                direction: alone.then_some(place.direction),
                exposure: key.3,
                clients: 0,
                patients: 0,
                records: 0,
                severity: 0,
                marks: Vec::new(),
                packets: finding.packets,
                groups: Vec::new(),
            },
        }
    }
}
