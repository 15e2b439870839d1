//! Hosts and services as JSON, as a table and as a graph.

use super::inventory::{Encrypted, Host, Inventory, Listed};
use crate::output::csv::Row;
use crate::output::{json, text};
use crate::protocol::TlsFacts;
use crate::severity::Severity;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

/// One object: `hosts` and `services`, in the order of their addresses.
pub(super) fn json(of: &Inventory) -> io::Result<String> {
    let hosts: Vec<Value> = of
        .hosts
        .iter()
        .map(|(ip, host)| {
            json!({
                "ip": ip,
                "roles": host.roles,
                "protocols": host.protocols,
                "names": host.names,
                "peers": host.peers,
                "first_seen": host.seen.map(|(first, _)| first.to_string()),
                "last_seen": host.seen.map(|(_, last)| last.to_string()),
            })
        })
        .collect();
    let services: Vec<Value> = of
        .services
        .iter()
        .map(|((server, protocol), s)| service(of, server, protocol, s))
        .collect();
    let encrypted: Vec<Value> = of
        .encrypted()
        .into_iter()
        .map(|(server, of)| {
            json!({
                "ip": server.ip(),
                "port": server.port(),
                "flows": of.flows,
                "port_of": of.port_of,
                "tls": of.tls.map(tls),
            })
        })
        .collect();
    let all = json!({
        "encrypted_services": encrypted,
        "product": "phitap",
        "version": env!("CARGO_PKG_VERSION"),
        "hosts": hosts,
        "services": services,
        "left_out": of.left,
    });
    let mut out = Vec::new();
    json::append(&mut out, &all)?;
    out.push(b'\n');
    String::from_utf8(out).map_err(io::Error::other)
}

fn service(of: &Inventory, server: &SocketAddr, protocol: &str, s: &Listed) -> Value {
    let share = of.shares.of(*server, protocol);
    json!({
        "flows_clear": share.clear,
        "flows_encrypted": share.encrypted,
        "encryption": share.text(),
        "ip": server.ip(),
        "port": server.port(),
        "transport": s.transport,
        "protocol": protocol,
        "encrypted": false,
        "software": s.software,
        "names": s.names,
        "authentication": s.authentication,
        "credentials_in_clear": s.credentials_in_clear,
        "answers": s.answers,
        "open": s.open,
        "clients": s.clients,
        "patients": s.patients.value,
        "patients_estimated": s.patients.estimate,
        "severity": s.severity(),
        "first_seen": s.seen.0.to_string(),
        "last_seen": s.seen.1.to_string(),
    })
}

fn tls(of: &TlsFacts) -> Value {
    let certificate = of.certificate.as_ref().map(|c| {
        json!({
            "subject": c.subject,
            "names": c.names,
            "issuer": c.issuer,
            "not_before": c.not_before,
            "not_after": c.not_after,
            "self_signed": c.self_signed,
            "sha256": c.fingerprint,
        })
    });
    json!({
        "versions": versions(of),
        "server_names": of.server_names,
        "application_protocols": of.inside,
        "client_certificate": of.client_certificate,
        "certificate": certificate,
    })
}

fn versions(of: &TlsFacts) -> BTreeSet<&'static str> {
    of.versions.iter().map(|version| version.as_str()).collect()
}

fn joined<T: ToString>(of: &BTreeSet<T>) -> String {
    of.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}

/// A table: services, then hosts that serve nothing.
pub(super) fn csv(of: &Inventory) -> String {
    let mut out = String::from(
        "ip,port,transport,protocol,roles,names,software,authentication,credentials_in_clear,answers,open,\
         clients,patients,severity,first_seen,last_seen,flows_clear,flows_encrypted,tls_versions,server_names,\
         certificate_subject,certificate_issuer,certificate_not_after,certificate_self_signed\r\n",
    );
    let none = Host::default();
    for ((server, protocol), s) in &of.services {
        let host = of.hosts.get(&server.ip()).unwrap_or(&none);
        let mut row = Row::default();
        row.plain(server.ip());
        row.plain(server.port());
        row.plain(s.transport);
        row.plain(protocol);
        row.plain(joined(&host.roles));
        row.text(&joined(&s.names));
        row.text(s.software.as_deref().unwrap_or_default());
        row.plain(s.authentication);
        row.plain(s.credentials_in_clear);
        row.maybe(s.answers);
        row.text(&joined(&s.open));
        row.plain(joined(&s.clients));
        row.plain(s.patients.value);
        row.maybe(s.severity());
        row.plain(s.seen.0);
        row.plain(s.seen.1);
        let share = of.shares.of(*server, protocol);
        row.plain(share.clear);
        row.plain(share.encrypted);
        (0..6).for_each(|_| row.empty());
        row.end(&mut out);
    }
    let serves: BTreeSet<_> = of.services.keys().map(|(server, _)| server.ip()).collect();
    for (ip, host) in of.hosts.iter().filter(|(ip, _)| !serves.contains(ip)) {
        let mut row = Row::default();
        row.plain(ip);
        (0..2).for_each(|_| row.empty());
        row.plain(joined(&host.protocols));
        row.plain(joined(&host.roles));
        row.text(&joined(&host.names));
        (0..8).for_each(|_| row.empty());
        row.maybe(host.seen.map(|(first, _)| first));
        row.maybe(host.seen.map(|(_, last)| last));
        (0..8).for_each(|_| row.empty());
        row.end(&mut out);
    }
    for (server, Encrypted { flows, port_of, tls }) in of.encrypted() {
        let mut row = Row::default();
        row.plain(server.ip());
        row.plain(server.port());
        row.empty();
        row.plain(port_of.map_or_else(|| "encrypted".to_owned(), |p| format!("{p} over TLS")));
        (0..12).for_each(|_| row.empty());
        row.plain(0);
        row.plain(flows);
        row.plain(tls.map_or_else(String::new, |tls| joined(&versions(tls))));
        row.text(&tls.map_or_else(String::new, |tls| tls.server_names.join("; ")));
        let certificate = tls.and_then(|tls| tls.certificate.as_deref());
        row.text(certificate.and_then(|c| c.subject.as_deref()).unwrap_or_default());
        row.text(certificate.and_then(|c| c.issuer.as_deref()).unwrap_or_default());
        row.maybe(certificate.map(|c| &c.not_after));
        row.maybe(certificate.map(|c| c.self_signed));
        row.end(&mut out);
    }
    out
}

/// A graph: hosts are nodes; an exposure is an edge from client to server.
pub(super) fn graphml(of: &Inventory) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    for (name, on, kind) in [
        ("roles", "node", "string"),
        ("names", "node", "string"),
        ("protocols", "node", "string"),
        ("first_seen", "node", "string"),
        ("last_seen", "node", "string"),
        ("service", "edge", "string"),
        ("protocol", "edge", "string"),
        ("severity", "edge", "string"),
        ("patients", "edge", "long"),
        ("records", "edge", "long"),
    ] {
        let _ = writeln!(
            out,
            "<key id=\"{name}\" for=\"{on}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>"
        );
    }
    out.push_str("<graph id=\"phitap\" edgedefault=\"directed\">\n");
    let mut nodes: BTreeSet<_> = of.hosts.keys().copied().collect();
    nodes.extend(of.edges.keys().flat_map(|(client, server, _)| [*client, server.ip()]));
    let none = Host::default();
    for ip in nodes {
        let host = of.hosts.get(&ip).unwrap_or(&none);
        let _ = write!(out, "<node id=\"{ip}\">");
        data(&mut out, "roles", &joined(&host.roles));
        data(&mut out, "names", &joined(&host.names));
        data(&mut out, "protocols", &joined(&host.protocols));
        if let Some((first, last)) = host.seen {
            data(&mut out, "first_seen", &first.to_string());
            data(&mut out, "last_seen", &last.to_string());
        }
        out.push_str("</node>\n");
    }
    for ((client, server, protocol), edge) in &of.edges {
        let _ = write!(out, "<edge source=\"{client}\" target=\"{}\">", server.ip());
        data(&mut out, "service", &server.to_string());
        data(&mut out, "protocol", protocol);
        data(&mut out, "severity", Severity::of(edge.score).as_str());
        data(&mut out, "patients", &edge.patients.to_string());
        data(&mut out, "records", &edge.records.to_string());
        out.push_str("</edge>\n");
    }
    out.push_str("</graph>\n</graphml>\n");
    out
}

fn data(out: &mut String, key: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(out, "<data key=\"{key}\">{}</data>", text::markup(value));
    }
}
