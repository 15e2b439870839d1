//! Services and assets, each reported once.

use super::types::{Asset, Event, EventId, Role, Service, Sighting, ip, socket};
use crate::flow::Transport;
use crate::protocol::ServiceFacts;
use crate::rules::{Secret, ServiceKind};
use crate::time::Timestamp;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Services remembered as reported; further ones are counted, not reported.
pub const MAX_SERVICES: usize = 65_536;
/// Hosts in a role remembered as reported.
pub const MAX_ASSETS: usize = 65_536;

/// What was reported.
#[derive(Default)]
pub(in crate::exposure) struct Sightings {
    services: BTreeMap<(SocketAddr, u8, &'static str), Reported>,
    assets: BTreeSet<(IpAddr, Role)>,
    /// Sightings passed over because a cap was reached.
    pub unreported: u64,
}

/// What was reported of a service.
struct Reported {
    first: Timestamp,
    /// Kinds of interfaces, open or not, and of secrets, one bit each: a service that shows more of
    /// itself is reported again.
    facts: u32,
}

/// What of the facts is worth a second report.
fn worth(facts: &ServiceFacts) -> u32 {
    let interfaces = facts.interfaces.iter().fold(0, |bits, interface| {
        bits | 1 << (2 * interface.kind as u32 + u32::from(interface.open))
    });
    facts.credentials.iter().fold(interfaces, |bits, secret| bits | 1 << (SECRETS + *secret as u32))
}

/// The first bit of secrets.
const SECRETS: u32 = 2 * ServiceKind::ALL.len() as u32;
const _: () = assert!(SECRETS as usize + Secret::ALL.len() <= 32);

impl Sightings {
    /// Reports what `sighting` shows for the first time.
    pub fn see(&mut self, key: &[u8; 32], sighting: &Sighting<'_>, out: &mut Vec<Event>) {
        let flow = sighting.flow;
        let transport = flow.transport;
        let service = (flow.server, transport.number(), sighting.protocol);
        let facts = worth(sighting.facts);
        let room = self.services.len() < MAX_SERVICES;
        match self.services.entry(service) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if facts & !known.facts != 0 {
                    known.facts |= facts;
                    out.push(self::service(key, sighting, transport, known.first));
                }
            }
            Entry::Vacant(new) if room => {
                new.insert(Reported { first: sighting.time, facts });
                out.push(self::service(key, sighting, transport, sighting.time));
            }
            Entry::Vacant(_) => self.unreported += 1,
        }
        let (server, client) = roles(sighting);
        let shown = sighting.facts.interfaces.iter().map(|i| interface_role(i.kind));
        let servers = shown.chain([server]).map(|role| (flow.server.ip(), role));
        for (address, role) in servers.chain(client.map(|role| (flow.client.ip(), role))) {
            if self.assets.contains(&(address, role)) {
                continue;
            }
            if self.assets.len() >= MAX_ASSETS {
                self.unreported += 1;
                continue;
            }
            self.assets.insert((address, role));
            let parts: [&[u8]; 2] = [&ip(address), role.as_str().as_bytes()];
            out.push(Event::Asset(Box::new(Asset {
                id: EventId::derive(key, "asset", sighting.time, &parts),
                time: sighting.time,
                address,
                protocol: sighting.protocol,
                role,
            })));
        }
    }
}

fn service(
    key: &[u8; 32],
    sighting: &Sighting<'_>,
    transport: Transport,
    first: Timestamp,
) -> Event {
    let flow = sighting.flow;
    let parts: [&[u8]; 3] =
        [&socket(flow.server), &[transport.number()], sighting.protocol.as_bytes()];
    Event::Service(Box::new(Service {
        id: EventId::derive(key, "service", first, &parts),
        time: sighting.time,
        server: flow.server,
        transport,
        protocol: sighting.protocol,
        facts: sighting.facts.clone(),
    }))
}

/// The role of a host that serves this.
const fn interface_role(kind: ServiceKind) -> Role {
    match kind {
        ServiceKind::Directory => Role::FileServer,
        ServiceKind::Bucket => Role::ObjectStore,
        ServiceKind::SearchIndex => Role::SearchIndex,
        ServiceKind::Database => Role::Database,
        ServiceKind::Fhir => Role::FhirServer,
        ServiceKind::Dicomweb => Role::DicomwebServer,
        ServiceKind::Pacs => Role::Pacs,
        ServiceKind::Ehr => Role::HealthRecords,
        ServiceKind::IntegrationEngine => Role::IntegrationEngine,
    }
}

/// SOP classes that tell a role (PS3.4 annexes B, C, H, K), by the start of their UIDs.
const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
const QUERY_RETRIEVE: &str = "1.2.840.10008.5.1.4.1.2.";
const WORKLIST: &str = "1.2.840.10008.5.1.4.31";
const PRINT: &str = "1.2.840.10008.5.1.1.";

/// The role of the server, and that of the client where it says anything.
fn roles(sighting: &Sighting<'_>) -> (Role, Option<Role>) {
    match sighting.protocol {
        "dicom" => {
            let uses =
                |prefix: &str| sighting.facts.sop_classes.iter().any(|c| c.starts_with(prefix));
            let (storage, retrieve) = (uses(STORAGE), uses(QUERY_RETRIEVE));
            let server = if storage || retrieve {
                Role::Pacs
            } else if uses(WORKLIST) {
                Role::Worklist
            } else if uses(PRINT) {
                Role::DicomPrinter
            } else {
                Role::DicomServer
            };
            // C-GET brings storage classes too, but only next to query/retrieve.
            let modality = storage && !retrieve;
            (server, Some(if modality { Role::Modality } else { Role::DicomClient }))
        }
        "hl7" => (Role::Hl7Interface, Some(Role::Hl7Sender)),
        "http" => match sighting.content {
            content if content.starts_with("fhir") => (Role::FhirServer, None),
            content if content.starts_with("dicom") => (Role::DicomwebServer, None),
            _ => (Role::WebServer, None),
        },
        "astm" => (Role::LabInterface, None),
        "smtp" => (Role::MailServer, None),
        "ftp" | "smb" | "tftp" => (Role::FileServer, None),
        _ => (Role::Server, None),
    }
}
