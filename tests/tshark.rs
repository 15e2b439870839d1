//! Packets and flows, compared with an independent decoder, Wireshark's tshark.
//!
//! `PHITAP_NO_TSHARK=1` skips this.

mod common;

use common::Bounded as _;
use common::{ROOT, events, on_all, phitap};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Intended differences of the counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Differ {
    /// tshark also lists the UDP conversations that carry a tunnel; phitap counts only the
    /// innermost ones.
    TunnelOverUdp,
    /// tshark does not read this encapsulation.
    NotReadByTshark,
    /// tshark has no reader for the link type and refuses the file.
    RefusedByTshark,
    /// tshark treats the payload of the UDP datagrams as data.
    OnlyCarrierByTshark,
}
use Differ::{NotReadByTshark, OnlyCarrierByTshark, RefusedByTshark, TunnelOverUdp};

/// Captures whose counts differ, and why. One that agrees must be removed.
const DIFFERING: &[(&str, Differ)] = &[
    ("torture-vxlan-http", TunnelOverUdp),
    ("geneve", TunnelOverUdp),
    ("geneve-ip", TunnelOverUdp),
    ("geneve-options", TunnelOverUdp),
    ("gtp-u", TunnelOverUdp),
    ("gtp-u-extension", TunnelOverUdp),
    ("gtp-u-sequence", TunnelOverUdp),
    ("l2tpv2", TunnelOverUdp),
    ("l2tpv2-length-sequence-offset", TunnelOverUdp),
    ("teredo", TunnelOverUdp),
    ("tzsp", TunnelOverUdp),
    ("tzsp-wifi", TunnelOverUdp),
    ("vlan-mpls-gre-vxlan", TunnelOverUdp),
    ("vxlan", TunnelOverUdp),
    ("vxlan-8472", TunnelOverUdp),
    ("vxlan-fragments", TunnelOverUdp),
    ("capwap-ethernet", TunnelOverUdp),
    ("capwap-wifi-swapped", TunnelOverUdp),
    ("jmirror", TunnelOverUdp),
    ("lisp", TunnelOverUdp),
    ("mpls-in-udp", TunnelOverUdp),
    ("vxlan-gpe-ethernet", TunnelOverUdp),
    ("vxlan-gpe-ip", TunnelOverUdp),
    ("vxlan-group-policy", TunnelOverUdp),
    ("vxlan-reserved-bits", TunnelOverUdp),
    // tshark has a setting for swapped frame control fields.
    ("capwap-wifi", OnlyCarrierByTshark),
    // A port that must be configured.
    ("vxlan-48879", OnlyCarrierByTshark),
    // Link types 205, 206 and 219.
    ("cisco-hdlc-direction", RefusedByTshark),
    ("frame-relay-direction", RefusedByTshark),
    ("mpls-link", RefusedByTshark),
    // tshark reads the family as little-endian.
    ("nflog-big-endian-ipv6", NotReadByTshark),
    // tshark reads every frame in ERSPAN III as Ethernet, regardless of the frame type field.
    ("erspan-3-ip", NotReadByTshark),
    // The ends agree beforehand whether a session carries Ethernet; tshark does not guess.
    ("l2tpv3", NotReadByTshark),
    ("l2tpv3-cookie", NotReadByTshark),
    // The ends agree beforehand whether a label is a pseudowire; tshark guesses in fewer cases.
    ("mpls-pseudowire", NotReadByTshark),
    ("mpls-pseudowire-no-control-word-8c", NotReadByTshark),
    ("mpls-pseudowire-no-control-word-44", NotReadByTshark),
    ("mpls-pseudowire-no-control-word-60", NotReadByTshark),
    // Linux's AF_INET6 differs from those of the BSDs.
    ("null-linux-ipv6", NotReadByTshark),
];

/// Packets, and conversations by transport.
#[derive(PartialEq, Eq, Debug)]
struct Counts {
    packets: u64,
    tcp: u64,
    udp: u64,
    /// Whether tshark refuses the file.
    refused: bool,
}

/// tshark's counts. It must be installed, or skipped on request.
fn tshark(capture: &Path) -> Counts {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        // Without name resolution. 8472 is VXLAN's port on Linux, which tshark does not know by
        // default.
        .args(["-n", "-d", "udp.port==8472,vxlan"])
        .args(["-T", "fields", "-e", "frame.number", "-z", "conv,tcp", "-z", "conv,udp"])
        .stdin(Stdio::null())
        .finish();
    // Not by its status, which is 2 for a truncated capture.
    let text = String::from_utf8_lossy(&output.stdout);
    let mut counts = Counts { packets: 0, tcp: 0, udp: 0, refused: false };
    let mut tables = 0;
    let mut udp = false;
    for line in text.lines() {
        match line {
            "TCP Conversations" => (tables, udp) = (tables + 1, false),
            "UDP Conversations" => (tables, udp) = (tables + 1, true),
            _ if line.contains(" <-> ") && udp => counts.udp += 1,
            _ if line.contains(" <-> ") => counts.tcp += 1,
            _ if line.parse::<u64>().is_ok() => counts.packets += 1,
            _ => {}
        }
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let refused = tables == 0 && complaint.contains("unsupported");
    assert!(tables == 2 || refused, "{}: {complaint}", capture.display());
    counts.refused = refused;
    counts
}

/// phitap's counts of packets and flows.
fn ours(capture: &Path) -> (u64, u64) {
    let name = capture.display().to_string();
    let run = phitap(["replay", "-q", "--format", "json", "--workers", "1", &name]);
    assert!(matches!(run.status, Some(0 | 3)), "{name}: {}", run.err);
    let events = events(&run.out);
    let run = &events.last().expect("summary")["phi"]["run"];
    let count = |value: &serde_json::Value| value.as_u64().expect("count");
    (count(&run["packets"]["read"]), count(&run["flows"]["total"]))
}

/// Every capture among the fixtures.
fn captures() -> Vec<PathBuf> {
    let folders = ["fixtures/captures", "fixtures/links"];
    let files = folders.iter().flat_map(|folder| {
        std::fs::read_dir(Path::new(ROOT).join(folder))
            .expect("fixtures")
            .map(|e| e.expect("entry"))
    });
    let captures = files.map(|entry| entry.path());
    let is_capture =
        |path: &PathBuf| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng");
    let mut captures: Vec<PathBuf> = captures.filter(is_capture).collect();
    captures.sort();
    captures
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|s| s.to_str()).expect("name")
}

#[test]
#[expect(clippy::print_stderr, reason = "what was not tested must be said")]
fn packets_and_flows_are_those_that_tshark_counts() {
    if std::env::var_os("PHITAP_NO_TSHARK").is_some_and(|v| v == "1") {
        eprintln!("PHITAP_NO_TSHARK=1: packets and flows are not compared with tshark's");
        return;
    }
    let there = Command::new("tshark").arg("--version").output();
    assert!(
        there.is_ok_and(|output| output.status.success()),
        "there is no tshark to compare with. Run scripts/prepare.sh --tests, or install it: package \
         tshark (Debian, Ubuntu), wireshark-cli (Fedora, Arch), wireshark (Homebrew); or set \
         PHITAP_NO_TSHARK=1 to leave this test out"
    );
    let captures = captures();
    assert!(captures.len() > 200, "{} captures", captures.len());
    let mut listed: BTreeMap<&str, Differ> = DIFFERING.iter().copied().collect();
    assert_eq!(listed.len(), DIFFERING.len(), "a capture is listed twice");
    let counted = on_all(&captures, |capture| (tshark(capture), ours(capture)));
    let mut wrong = Vec::new();
    for (capture, (theirs, (packets, flows))) in captures.iter().zip(counted) {
        let name = stem(capture);
        let differ = listed.remove(name);
        let as_expected = match differ {
            None => theirs.tcp + theirs.udp == flows,
            Some(TunnelOverUdp) => theirs.tcp == flows && theirs.udp > 0,
            Some(NotReadByTshark) => theirs.tcp == 0 && theirs.udp == 0 && flows > 0,
            Some(RefusedByTshark) => theirs.refused && flows > 0,
            Some(OnlyCarrierByTshark) => theirs.tcp == 0 && theirs.udp > 0 && flows > 0,
        };
        if !as_expected || (theirs.packets != packets && !theirs.refused) {
            wrong.push(format!(
                "{name}: {packets} packets and {flows} flows, tshark {theirs:?}, listed {differ:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(listed.is_empty(), "listed, but there is no such capture: {listed:?}");
}
