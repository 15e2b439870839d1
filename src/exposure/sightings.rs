//! Services and assets, each reported once.

use super::types::{Asset, Event, EventId, Role, Service, Sighting, ip, socket};
use crate::flow::Transport;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Services remembered as reported; further ones are counted, not reported.
pub const MAX_SERVICES: usize = 65_536;
/// Hosts in a role remembered as reported.
pub const MAX_ASSETS: usize = 65_536;

/// What was reported.
#[derive(Default)]
pub(in crate::exposure) struct Sightings {
    services: BTreeSet<(SocketAddr, u8, &'static str)>,
    assets: BTreeSet<(IpAddr, Role)>,
    /// Sightings passed over because a cap was reached.
    pub unreported: u64,
}

impl Sightings {
    /// Reports what `sighting` shows for the first time.
    pub fn see(&mut self, key: &[u8; 32], sighting: &Sighting<'_>, out: &mut Vec<Event>) {
        let flow = sighting.flow;
        let transport = flow.transport;
        let service = (flow.server, transport.number(), sighting.protocol);
        if !self.services.contains(&service) {
            if self.services.len() >= MAX_SERVICES {
                self.unreported += 1;
            } else {
                self.services.insert(service);
                out.push(self::service(key, sighting, transport));
            }
        }
        let (server, client) = roles(sighting);
        for (address, role) in [(flow.server.ip(), Some(server)), (flow.client.ip(), client)] {
            let Some(role) = role else { continue };
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

fn service(key: &[u8; 32], sighting: &Sighting<'_>, transport: Transport) -> Event {
    let flow = sighting.flow;
    let parts: [&[u8]; 3] =
        [&socket(flow.server), &[transport.number()], sighting.protocol.as_bytes()];
    Event::Service(Box::new(Service {
        id: EventId::derive(key, "service", sighting.time, &parts),
        time: sighting.time,
        server: flow.server,
        transport,
        protocol: sighting.protocol,
        facts: sighting.facts.clone(),
    }))
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
        "astm" | "poct1a" => (Role::LabInterface, None),
        "smtp" => (Role::MailServer, None),
        "ftp" | "smb" | "tftp" => (Role::FileServer, None),
        _ => (Role::Server, None),
    }
}
