//! Hosts in a role, each reported once.

use super::inventory::{Inventory, Worth};
use super::types::{Asset, Event, EventId, Role, ServiceObservation, ip};
use crate::rules::ServiceKind;
use std::net::IpAddr;

/// Hosts in a role remembered as reported.
pub const MAX_ASSETS: usize = 65_536;

/// Bytes of heap that one takes, roughly.
const ASSET: usize = 256;

/// Hosts in a role that are remembered however short memory is.
const MIN_ASSETS: usize = 64;

/// What was reported.
pub(in crate::exposure) struct ServiceObservations {
    /// Whether it was reported.
    assets: Inventory<(IpAddr, Role), bool>,
}

impl ServiceObservations {
    /// As many as a share of `memory` bytes holds.
    pub fn within(memory: usize) -> Self {
        Self { assets: Inventory::new((memory / ASSET).clamp(MIN_ASSETS, MAX_ASSETS)) }
    }

    /// How many were passed over, as all that are remembered are worth more.
    pub const fn unreported(&self) -> u64 {
        self.assets.refused
    }

    /// Reports what `sighting` shows for the first time.
    pub fn see(&mut self, key: &[u8; 32], sighting: &ServiceObservation<'_>, out: &mut Vec<Event>) {
        let flow = sighting.flow;
        let worth = Worth::of(sighting.protocol, sighting.content, sighting.facts);
        let (server, client) = roles(sighting);
        let shown = sighting.facts.interfaces.iter().map(|i| interface_role(i.kind));
        let servers = shown.chain([server]).map(|role| (flow.server.ip(), role));
        for (address, role) in servers.chain(client.map(|role| (flow.client.ip(), role))) {
            let Some(reported) = self.assets.see((address, role), worth) else { continue };
            if std::mem::replace(reported, true) {
                continue;
            }
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

/// SOP classes that tell a role (PS3.4 annexes B, C, H, J, K, CC), by the start of their UIDs.
const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
const QUERY_RETRIEVE: &str = "1.2.840.10008.5.1.4.1.2.";
const WORKLIST: &str = "1.2.840.10008.5.1.4.31";
const PROCEDURE_STEP: &str = "1.2.840.10008.5.1.4.34.6";
const COMMITMENT: &str = "1.2.840.10008.1.20.";
const PRINT: &str = "1.2.840.10008.5.1.1.";

/// The role of the server, and that of the client where it says anything.
fn roles(sighting: &ServiceObservation<'_>) -> (Role, Option<Role>) {
    match sighting.protocol {
        "dicom" => {
            let uses =
                |prefix: &str| sighting.facts.sop_classes.iter().any(|c| c.starts_with(prefix));
            let (storage, retrieve) = (uses(STORAGE), uses(QUERY_RETRIEVE));
            // Who stores because a third host asked it to is the archive, and who gets it is not.
            let association = sighting.facts.association.as_ref();
            if association.is_some_and(|a| !a.move_originators.is_empty()) {
                return (Role::DicomServer, Some(Role::Pacs));
            }
            // The report of a commitment comes from the archive, too (PS3.4 J.3.3).
            let did = |operation: &str| sighting.facts.dimse.iter().any(|o| o == operation);
            if uses(COMMITMENT) && did("N-EVENT-REPORT") && !did("N-ACTION") {
                return (Role::DicomServer, Some(Role::Pacs));
            }
            let server = if storage || retrieve || uses(COMMITMENT) {
                Role::Pacs
            } else if uses(WORKLIST) || uses(PROCEDURE_STEP) {
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
