//! The exposed services, one line each, and the clients that touched many of them.

use super::layout::{BLOCK, Columns, SECTION, columns, heading, item};
use super::page::severity;
use crate::exposure::{Answers, Count, Exposure};
use crate::flow::Transport;
use crate::output::Context;
use crate::output::remedy::Remedy;
use crate::output::text::{count, foreign, number};
use crate::severity::Severity;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Services kept; exposures of more are counted only.
const MAX_SERVICES: usize = 8_192;
/// Distinct clients of a service, and services of a client.
const MAX_TOLD: usize = 256;
/// Clients kept.
const MAX_CLIENTS: usize = 16_384;
/// Services that make a client one that touches many.
const MANY: usize = 5;
/// Such clients listed.
const MAX_SCANNERS: usize = 10;
/// Services named for each thing to do.
const MAX_NAMED: usize = 3;
/// Things to do listed.
const MAX_REMEDIES: usize = 6;
/// Characters of a name from the wire.
const MAX_NAME: usize = 24;

/// A service: address and port, transport, protocol.
type Name = (SocketAddr, Transport, &'static str);

/// What exposures come to by service and by client.
#[derive(Default)]
pub(in crate::output) struct Overview {
    services: HashMap<Name, Service>,
    clients: HashMap<IpAddr, BTreeSet<SocketAddr>>,
    /// Exposures of services beyond the cap.
    beyond: u64,
}

#[derive(Default)]
struct Service {
    /// With the patients of each.
    clients: BTreeMap<IpAddr, u64>,
    severity: u8,
    /// Of the client with the most.
    patients: Count,
    open: bool,
    names: Vec<String>,
    remedies: BTreeSet<Remedy>,
}

/// A service that answers any client.
pub(in crate::output) struct OpenView {
    pub server: SocketAddr,
    pub transport: Transport,
    pub protocol: &'static str,
    /// To a cap.
    pub clients: usize,
    pub severity: u8,
}

impl Overview {
    /// Services that answer any client, the worst first.
    pub fn open(&self) -> impl Iterator<Item = OpenView> {
        let open = self.sorted().into_iter().filter(|(_, service)| service.open);
        open.map(|((server, transport, protocol), service)| OpenView {
            server: *server,
            transport: *transport,
            protocol,
            clients: service.clients.len(),
            severity: service.severity,
        })
    }

    /// Clients that touched many services, with their number.
    pub fn clients_of_many(&self) -> Vec<(IpAddr, usize)> {
        let counted = self.clients.iter().map(|(ip, services)| (*ip, services.len()));
        let mut clients: Vec<_> = counted.filter(|(_, services)| *services >= MANY).collect();
        clients.sort_by_key(|(ip, services)| (std::cmp::Reverse(*services), *ip));
        clients
    }

    /// Takes what is known of an exposure by now.
    pub fn take(&mut self, e: &Exposure) {
        let name = (e.server, e.transport, e.protocol);
        if !self.services.contains_key(&name) && self.services.len() >= MAX_SERVICES {
            self.beyond += 1;
            return;
        }
        let service = self.services.entry(name).or_default();
        if service.clients.len() < MAX_TOLD || service.clients.contains_key(&e.client) {
            service.clients.insert(e.client, e.patients.value);
        }
        service.severity = service.severity.max(e.severity);
        service.patients = service.patients.max(e.patients);
        service.open |= e.access.answers() == Answers::Anyone
            || e.facts.interfaces.iter().any(|interface| interface.open);
        service.remedies.extend(Remedy::of(e));
        service.names = names(e);
        if self.clients.len() < MAX_CLIENTS || self.clients.contains_key(&e.client) {
            let touched = self.clients.entry(e.client).or_default();
            if touched.len() < MAX_TOLD {
                touched.insert(e.server);
            }
        }
    }

    /// Services with exposures.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// The worst first.
    fn sorted(&self) -> Vec<(&Name, &Service)> {
        let mut all: Vec<_> = self.services.iter().collect();
        let rank = |s: &Service| std::cmp::Reverse((s.severity, s.patients.value));
        all.sort_by_key(|((server, _, protocol), service)| (rank(service), *server, *protocol));
        all
    }

    /// What to do, the most urgent first, and where.
    pub fn remedies(&self, out: &mut String, context: &Context) {
        let mut of: BTreeMap<Remedy, Vec<SocketAddr>> = BTreeMap::new();
        for ((server, ..), service) in self.sorted() {
            for remedy in &service.remedies {
                of.entry(*remedy).or_default().push(*server);
            }
        }
        if of.is_empty() {
            return;
        }
        out.push('\n');
        heading(out, "WHAT TO DO FIRST", context);
        for (n, (remedy, servers)) in of.iter().take(MAX_REMEDIES).enumerate() {
            let named: Vec<String> =
                servers.iter().take(MAX_NAMED).map(ToString::to_string).collect();
            let mut named = named.join(", ");
            let more = servers.len().saturating_sub(MAX_NAMED);
            if more > 0 {
                let _ = write!(named, " and {} more", number(more as u64));
            }
            let label = format!("{}", n + 1);
            let text = format!("{}: {named}", remedy.as_str());
            item(out, columns(REMEDY, context), &label, &[text], "");
        }
    }

    /// One line a service.
    pub fn services(&self, out: &mut String, context: &Context) {
        out.push('\n');
        heading(out, "EXPOSED SERVICES", context);
        for ((server, transport, protocol), service) in self.sorted() {
            let clients = count(service.clients.len() as u64, "client");
            let many = if service.clients.len() >= MAX_TOLD { " or more" } else { "" };
            let about = if service.patients.estimate { "about " } else { "" };
            // Clients may have patients in common, so their sum is the most that there can be.
            let (least, most) = (service.patients.value, service.clients.values().sum::<u64>());
            let patients = match service.clients.len() {
                MAX_TOLD.. => format!("at least {about}{}", count(least, "patient")),
                _ if least < most => {
                    format!("{about}{} to {}", number(least), count(most, "patient"))
                }
                _ => format!("{about}{}", count(least, "patient")),
            };
            let over = if *transport == Transport::Udp { " over udp" } else { "" };
            let mut items = vec![
                format!("{server}"),
                format!("{protocol}{over}"),
                format!("{clients}{many}"),
                patients,
            ];
            if service.open {
                items.push("OPEN".to_owned());
            }
            items.extend(service.names.iter().cloned());
            let mut line = String::new();
            item(
                &mut line,
                columns(Columns { column: BLOCK.indent, ..BLOCK }, context),
                "",
                &items,
                ", ",
            );
            let severity =
                severity(Severity::of(service.severity), service.severity, context.colour);
            let _ = write!(out, "{severity}  {}", line.get(BLOCK.indent..).unwrap_or_default());
        }
        if self.beyond > 0 {
            let more = count(self.beyond, "event");
            item(
                out,
                columns(SECTION, context),
                "",
                &[format!("and {more} of further services")],
                "",
            );
        }
    }

    /// Clients that touched many services.
    pub fn scanners(&self, out: &mut String, context: &Context) {
        let clients = self.clients_of_many();
        if clients.is_empty() {
            return;
        }
        out.push('\n');
        heading(out, "CLIENTS OF MANY SERVICES", context);
        for (ip, services) in clients.iter().take(MAX_SCANNERS) {
            let items = [ip.to_string(), count(*services as u64, "service")];
            item(out, columns(Columns { column: 2, ..SECTION }, context), "", &items, ", ");
        }
        let more = clients.len().saturating_sub(MAX_SCANNERS) as u64;
        if more > 0 {
            item(
                out,
                columns(SECTION, context),
                "",
                &[format!("and {}", count(more, "more client"))],
                "",
            );
        }
    }
}

/// Columns of the number of a thing to do, and of what it is.
const REMEDY: Columns = Columns { indent: 2, column: 5 };

/// What the service calls itself, or what its objects say of where they come from.
fn names(e: &Exposure) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |text: Option<&str>| {
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            let text = foreign(text, MAX_NAME);
            if !all.contains(&text) {
                all.push(text);
            }
        }
    };
    let server = e.server.ip().to_string();
    let host = e.facts.web.as_deref().and_then(|w| w.host.as_deref());
    add(host.filter(|host| !host.starts_with(&server)));
    if let Some(dicom) = e.facts.dicom.as_deref() {
        for name in [&dicom.called_aet, &dicom.station, &dicom.institution] {
            add(name.as_deref());
        }
    }
    if let Some(messages) = e.facts.messages.as_deref() {
        for name in [&messages.receiving_application, &messages.receiving_facility] {
            add(name.as_deref());
        }
    }
    all
}
