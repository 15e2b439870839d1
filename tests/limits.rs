//! Memory stays below the user's ceiling, and evictions are counted.

mod common;

use common::packets::{ethernet, pcap_header, push_record, tcp};
use common::{Key, events, is, phitap};
use phitap::capture::PacketRef;
use phitap::decode::{Decoded, Endpoint, FlowKey, Transport, tcp_flags};
use phitap::flow::{Arrival, End, FlowHead, Handler, Side, Table, TableLimits};
use phitap::time::{Span, Timestamp};

/// Bytes that each flow holds after a gap.
const HELD: usize = 1000;

/// A handler that keeps every byte, like a parser with an endless message.
#[derive(Default)]
struct Keep {
    closed: Vec<u64>,
}

impl Handler<Vec<u8>> for Keep {
    fn open(&mut self, _flow: &FlowHead) -> Vec<u8> {
        Vec::new()
    }
    fn data(
        &mut self,
        _flow: &FlowHead,
        state: &mut Vec<u8>,
        _side: Side,
        bytes: &[u8],
        _packet: PacketRef,
    ) -> u64 {
        state.extend_from_slice(bytes);
        0
    }
    fn gap(&mut self, _flow: &FlowHead, _state: &mut Vec<u8>, _side: Side, _len: u64) -> u64 {
        0
    }
    fn end(&mut self, _flow: &FlowHead, _state: &mut Vec<u8>, _side: Side, _end: End) {}
    fn datagram(&mut self, _: &FlowHead, _: &mut Vec<u8>, _: Side, _bytes: &[u8]) -> bool {
        true
    }
    fn close(&mut self, flow: &FlowHead, _state: Vec<u8>, _end: End) {
        self.closed.push(flow.first_packet);
    }
    fn memory(&self, state: &Vec<u8>) -> usize {
        state.capacity()
    }
}

/// A segment of flow `n` at `seq`.
fn segment(n: u32, seq: u32) -> Decoded {
    let [_, a, b, c] = n.to_be_bytes();
    let client = Endpoint::v4([10, a, b, c], 40_000);
    let server = Endpoint::v4([192, 168, 0, 1], 2575);
    let (key, from) = FlowKey::new(client, server, Transport::Tcp);
    let len = HELD as u32;
    Decoded {
        key,
        from,
        seq,
        ack: 0,
        flags: tcp_flags::ACK,
        ttl: 64,
        options: 0,
        vlan: 0,
        inner_vlan: 0,
        offset: 0,
        len,
        missing: 0,
    }
}

fn limits(flows: usize, memory: usize) -> TableLimits {
    let window = 1 << 20;
    TableLimits { flows, memory, window, tcp_idle: Span::seconds(600), udp_idle: Span::seconds(60) }
}

/// Sends two segments of each of `flows` flows, the second after a gap.
fn fill(table: &mut Table<Vec<u8>>, keep: &mut Keep, flows: u32, mut check: impl FnMut(usize)) {
    let payload = [b'x'; HELD];
    for n in 0..flows {
        for (step, seq) in [(0, 1), (1, 5000)] {
            let arrival = Arrival {
                number: u64::from(2 * n + step + 1),
                clock: Timestamp(i64::from(n)),
                hash: u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                packet: PacketRef::default(),
                segment: &segment(n, seq),
                options: &[],
                payload: &payload,
            };
            table.packet(&arrival, keep);
            check(table.memory());
        }
    }
}

#[test]
fn the_table_stays_below_its_memory_and_gives_up_the_oldest_flow_first() {
    const CEILING: usize = 4 << 20;
    let (mut table, mut keep) = (Table::new(limits(1 << 20, CEILING)), Keep::default());
    let mut most = 0;
    fill(&mut table, &mut keep, 20_000, |memory| {
        assert!(memory <= CEILING, "{memory} bytes");
        most = most.max(memory);
    });
    assert!(most > CEILING * 9 / 10, "the ceiling was never reached: {most}");
    let stats = table.take_stats();
    assert_eq!(stats.opened, 20_000);
    assert_eq!(stats.evicted + table.active() as u64, 20_000);
    assert!(stats.evicted > 10_000, "{}", stats.evicted);
    let oldest: Vec<u64> = (0..stats.evicted).map(|n| 2 * n + 1).collect();
    assert_eq!(keep.closed, oldest);
}

/// libpcap would take minutes and gigabytes for it.
#[test]
fn a_filter_of_thousands_of_hosts_is_refused_at_once() {
    let hosts = |n: u32| (0..n).map(|n| format!("host 10.0.{}.{}", n / 256, n % 256));
    let long = hosts(6000).collect::<Vec<_>>().join(" or ");
    let refused = phitap(["replay", "--filter", &long, "-"]);
    assert_eq!(refused.status, Some(2));
    assert!(refused.err.contains("bytes") && refused.err.len() < 400, "{}", refused.err);
    let short = hosts(200).collect::<Vec<_>>().join(" or ");
    let filter = phitap::capture::Filter::new(&short);
    let ethernet = phitap::capture::LinkType::ETHERNET;
    let packet = |host| ethernet_frame([10, 0, 0, host]);
    let mut filter = filter.expect("a filter of two hundred hosts");
    assert!(filter.takes(ethernet, &packet(199)));
    assert!(!filter.takes(ethernet, &packet(200)));
}

/// A segment from this address.
fn ethernet_frame(from: [u8; 4]) -> Vec<u8> {
    ethernet(&tcp((from, 40_000).into(), ([192, 168, 0, 1], 80).into(), 1, 1, 0x10, b"x"))
}

#[test]
fn the_table_holds_no_more_flows_than_it_may() {
    let (mut table, mut keep) = (Table::new(limits(100, 1 << 30)), Keep::default());
    fill(&mut table, &mut keep, 1000, |_| {});
    assert_eq!((table.active(), table.take_stats().evicted), (100, 900));
}

/// The bytes that the budget left out of a stream of events, in packets of this many messages.
fn unpaid(messages: usize, each: usize) -> f64 {
    let mut file = pcap_header(1);
    let (client, server) = (([10, 0, 0, 1], 40_000).into(), ([192, 168, 0, 1], 80).into());
    let mut next = [1, 1];
    let mut say = |from_server: bool, bytes: &[u8]| {
        let (this, other) = if from_server { (server, client) } else { (client, server) };
        let (seq, ack) = (next[usize::from(from_server)], next[usize::from(!from_server)]);
        let packet = ethernet(&tcp(this, other, seq, ack, tcp_flags::ACK, bytes));
        push_record(&mut file, 1_772_438_400, 0, &packet);
        next[usize::from(from_server)] += bytes.len() as u32;
    };
    say(false, b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    say(true, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    for _ in 0..messages / each {
        say(true, &b"data: {\"mrn\":7}\n\n".repeat(each));
    }
    let folder = tempfile::tempdir().expect("folder");
    let [capture, metrics] = ["events.pcap", "metrics"].map(|name| folder.path().join(name));
    std::fs::write(&capture, file).expect("capture");
    let [capture, metrics] = [capture, metrics].map(|path| path.display().to_string());
    let run = phitap(["replay", "-q", "--metrics-file", &metrics, &capture]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let metrics = std::fs::read_to_string(metrics).expect("metrics");
    let unpaid = "phitap_content_skipped_bytes_total{reason=\"budget\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(unpaid));
    line.map_or(0.0, |count| count.parse().expect("a number"))
}

#[test]
fn tiny_messages_in_one_packet_are_counted_when_nothing_pays_for_them() {
    const MESSAGES: usize = 8_000;
    let left = unpaid(MESSAGES, 80);
    assert!(left > MESSAGES as f64 && left < 10.0 * MESSAGES as f64, "{left}");
    // Each in a packet of its own: its headers pay for it.
    assert!(unpaid(MESSAGES, 1) < 1.0);
}

/// A capture of `flows` connections, each with one missing segment.
fn capture(flows: u32) -> Vec<u8> {
    let mut file = pcap_header(1);
    for n in 0..flows {
        let [_, a, b, c] = n.to_be_bytes();
        for seq in [1, 5000] {
            let (from, to) = (([10, a, b, c], 40_000).into(), ([192, 168, 0, 1], 2575).into());
            let packet = tcp(from, to, seq, 1, tcp_flags::ACK, &[b'x'; HELD]);
            // All within one second, so that nothing times out.
            push_record(&mut file, 1_772_438_400, n, &ethernet(&packet));
        }
    }
    file
}

#[test]
fn what_the_ceiling_costs_is_in_the_run_summary() {
    const FLOWS: u32 = 12_000;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("gaps.pcap");
    std::fs::write(&path, capture(FLOWS)).expect("capture");
    let (path, key) = (path.display().to_string(), Key::new());
    let lost = |memory: &str, workers: &str| {
        let run = phitap([
            "replay",
            "--format=json",
            "--key-file",
            &key.path(),
            "--memory",
            memory,
            "--workers",
            workers,
            &path,
        ]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        let last = events(&run.out).pop().expect("summary");
        assert!(is(&last, "run-summary"));
        let run = &last["phi"]["run"];
        assert_eq!(run["packets"]["read"], 2 * FLOWS, "{run}");
        assert_eq!(run["flows"]["total"], FLOWS, "{run}");
        run["streams"]["opaque"]["unknown"]["memory"].as_u64().unwrap_or(0)
    };
    assert_eq!(lost("1GiB", "1"), 0);
    // The thousand bytes of each flow, with their bookkeeping, exceed that.
    assert!(lost("16MiB", "1") > 0);
    assert!(lost("16MiB", "2") > 0);
}
