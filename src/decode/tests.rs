//! Every link type and encapsulation on bytes built by hand, cuts and nonsense.

use super::*;
use crate::time::Span;
use etherparse::PacketBuilder;
use proptest::prelude::*;

const PAYLOAD: &[u8] = b"payload of the innermost segment";
const NOW: Timestamp = Timestamp(0);

/// An IPv4 packet with a TCP segment.
fn ipv4() -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(4000, 104, 1000, 512)
        .ack(7)
        .write(&mut out, PAYLOAD)
        .expect("a valid packet");
    out
}

/// An IPv6 packet with a TCP segment.
fn ipv6() -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv6([0x20; 16], [0x21; 16], 64)
        .tcp(4000, 104, 1000, 512)
        .write(&mut out, PAYLOAD)
        .expect("a valid packet");
    out
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An Ethernet frame of `ether_type`.
fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2; 6], &[4; 6], &ether_type.to_be_bytes(), payload])
}

fn ip_in(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len()) as u16;
    let mut head = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    head[2..4].copy_from_slice(&total.to_be_bytes());
    join(&[&head, payload])
}

fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    ip_in(
        17,
        &join(&[
            &source.to_be_bytes(),
            &destination.to_be_bytes(),
            &len.to_be_bytes(),
            &[0, 0],
            payload,
        ]),
    )
}

fn decode(link: LinkType, bytes: &[u8]) -> Outcome {
    Decoder::default().decode(NOW, link, bytes, bytes.len() as u32)
}

/// The frame holds the innermost segment, whole.
#[track_caller]
fn found(link: LinkType, bytes: &[u8]) -> Decoded {
    match decode(link, bytes) {
        Outcome::Segment(d) => {
            let payload = &bytes[d.offset as usize..(d.offset + d.len) as usize];
            assert_eq!(payload, PAYLOAD);
            assert_eq!((d.seq, d.missing, d.key.end(d.from.other()).port), (1000, 0, 104));
            d
        }
        other => panic!("not found: {other:?}"),
    }
}

#[track_caller]
fn skipped(link: LinkType, bytes: &[u8]) -> Skip {
    match decode(link, bytes) {
        Outcome::Skipped(skip) => skip,
        other => panic!("not skipped: {other:?}"),
    }
}

#[test]
fn every_link_type_leads_to_the_segment() {
    let (v4, v6) = (ipv4(), ipv6());
    found(LinkType::ETHERNET, &ethernet(0x0800, &v4));
    found(LinkType::ETHERNET, &ethernet(0x86dd, &v6));
    // Padding and trailers behind the IP packet are no payload.
    found(LinkType::ETHERNET, &join(&[&ethernet(0x0800, &v4), &[0; 30]]));
    for raw in [LinkType::RAW, LinkType::RAW_BSD, LinkType::RAW_OPENBSD, LinkType::IPV4] {
        found(raw, &v4);
    }
    found(LinkType::IPV6, &v6);
    // BSD loopback: AF_INET in either byte order, AF_INET6 as Linux, the BSDs and macOS number it
    found(LinkType::NULL, &join(&[&2u32.to_le_bytes(), &v4]));
    found(LinkType::NULL, &join(&[&2u32.to_be_bytes(), &v4]));
    for family in [10u32, 24, 28, 30] {
        found(LinkType::NULL, &join(&[&family.to_le_bytes(), &v6]));
    }
    found(LinkType::LOOP, &join(&[&2u32.to_be_bytes(), &v4]));
    let sll = [0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0];
    found(LinkType::LINUX_SLL, &join(&[&sll, &v4]));
    let sll2 = [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0];
    found(LinkType::LINUX_SLL2, &join(&[&sll2, &v4]));
    found(LinkType::PPP, &join(&[&[0xff, 0x03, 0x00, 0x21], &v4]));
    found(LinkType::PPP, &join(&[&[0x21], &v4]));
    found(LinkType::PPP_HDLC, &join(&[&[0xff, 0x03, 0x00, 0x57], &v6]));
    found(LinkType::C_HDLC, &join(&[&[0x0f, 0, 8, 0], &v4]));
    assert_eq!(skipped(LinkType(189), &v4), Skip::UnsupportedLink);
}

#[test]
fn tags_and_labels() {
    let v4 = ipv4();
    let tag = |vlan: u16, inner: u16| join(&[&vlan.to_be_bytes(), &inner.to_be_bytes()]);
    let vlan = ethernet(0x8100, &join(&[&tag(210, 0x0800), &v4]));
    assert_eq!(found(LinkType::ETHERNET, &vlan).vlan, 210);
    let qinq = ethernet(0x88a8, &join(&[&tag(7, 0x8100), &tag(210, 0x0800), &v4]));
    assert_eq!(found(LinkType::ETHERNET, &qinq).vlan, 7, "the outer tag");
    let label =
        |value: u32, bottom: bool| (value << 12 | u32::from(bottom) << 8 | 64).to_be_bytes();
    found(LinkType::ETHERNET, &ethernet(0x8847, &join(&[&label(16, true), &v4])));
    found(
        LinkType::ETHERNET,
        &ethernet(0x8847, &join(&[&label(16, false), &label(17, true), &ipv6()])),
    );
    // Ethernet pseudowire with and without control word
    let inner = ethernet(0x0800, &v4);
    found(LinkType::ETHERNET, &ethernet(0x8847, &join(&[&label(16, true), &[0; 4], &inner])));
    // ... where the MAC address may begin like a control word, IPv4 or IPv6
    for first in [0xfe, 0x00, 0x44, 0x4a, 0x60] {
        let plain = join(&[&[first; 6], &[2; 6], &[8, 0], &v4]);
        found(LinkType::ETHERNET, &ethernet(0x8847, &join(&[&label(16, true), &plain])));
    }
    // ... and an IPv4 address like an EtherType
    let mut eight = v4.clone();
    eight[12..14].copy_from_slice(&[8, 0]);
    found(LinkType::ETHERNET, &ethernet(0x8847, &join(&[&label(16, true), &eight])));
    let len = (v4.len() as u16 + 2).to_be_bytes();
    let pppoe = join(&[&[0x11, 0, 0, 1], &len, &[0x00, 0x21], &v4, &[0; 9]]);
    found(LinkType::ETHERNET, &ethernet(0x8864, &pppoe));
    // LLC and SNAP in an IEEE 802.3 frame, with padding
    let llc = join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4]);
    found(LinkType::ETHERNET, &ethernet(llc.len() as u16, &join(&[&llc, &[0; 5]])));
    assert_eq!(skipped(LinkType::ETHERNET, &ethernet(0x0806, &[0; 28])), Skip::NotIp);
    assert_eq!(skipped(LinkType::ETHERNET, &ethernet(0x88e5, &[0x0c; 40])), Skip::Encrypted);
}

#[test]
fn tunnels_over_ip() {
    let v4 = ipv4();
    let raw = LinkType::RAW;
    found(raw, &ip_in(4, &v4));
    found(raw, &ip_in(41, &ipv6()));
    found(raw, &ip_in(47, &join(&[&[0, 0, 8, 0], &v4])));
    // Checksum, key and sequence number present
    found(raw, &ip_in(47, &join(&[&[0xb0, 0, 8, 0], &[0; 12], &v4])));
    let frame = ethernet(0x0800, &v4);
    found(raw, &ip_in(47, &join(&[&[0, 0, 0x65, 0x58], &frame])));
    // ERSPAN I has no header, II eight bytes, III twelve and perhaps eight more
    found(raw, &ip_in(47, &join(&[&[0, 0, 0x88, 0xbe], &frame])));
    found(
        raw,
        &ip_in(47, &join(&[&[0x10, 0, 0x88, 0xbe], &[0; 4], &[0x10, 1, 0, 0, 0, 0, 0, 0], &frame])),
    );
    let three = [0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    found(raw, &ip_in(47, &join(&[&[0x10, 0, 0x22, 0xeb], &[0; 4], &three, &frame])));
    let mut platform = three;
    platform[11] = 1;
    found(raw, &ip_in(47, &join(&[&[0x10, 0, 0x22, 0xeb], &[0; 4], &platform, &[0; 8], &frame])));
    // PPTP: enhanced GRE with sequence and acknowledgment numbers
    let pptp = join(&[&[0x30, 0x81, 0x88, 0x0b], &[0; 12], &[0xff, 3, 0, 0x21], &v4]);
    found(raw, &ip_in(47, &pptp));
    // Authentication header: (length + 2) * 4 bytes
    let tcp = &v4[20..];
    found(raw, &ip_in(51, &join(&[&[6, 4, 0, 0], &[0; 20], tcp])));
    found(raw, &ip_in(97, &join(&[&[0x30, 0], &frame])));
    found(raw, &ip_in(137, &join(&[&[0, 1, 1, 64], &v4])));
    found(raw, &ip_in(115, &join(&[&[0, 0, 0, 9], &frame])));
    found(raw, &ip_in(115, &join(&[&[0, 0, 0, 9], &[7; 4], &frame])));
    assert_eq!(skipped(raw, &ip_in(50, &[0; 40])), Skip::Encrypted);
    assert_eq!(skipped(raw, &ip_in(1, &[8, 0, 0, 0])), Skip::NotTcpOrUdp);
}

#[test]
fn tunnels_over_udp() {
    let (v4, raw) = (ipv4(), LinkType::RAW);
    let frame = ethernet(0x0800, &v4);
    let vxlan = join(&[&[8, 0, 0, 0, 0, 19, 137, 0], &frame]);
    found(raw, &udp(50000, 4789, &vxlan));
    found(raw, &udp(50000, 8472, &vxlan));
    found(raw, &udp(50000, 6081, &join(&[&[0, 0, 0x65, 0x58, 0, 0, 1, 0], &frame])));
    // GENEVE with one option of four bytes and data
    found(raw, &udp(50000, 6081, &join(&[&[2, 0, 8, 0, 0, 0, 1, 0], &[0; 8], &v4])));
    found(raw, &udp(2152, 2152, &join(&[&[0x30, 0xff, 0, 40, 0, 0, 0, 1], &v4])));
    // GTP-U with sequence number and an extension header
    let extended = [0x34, 0xff, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0];
    found(raw, &udp(2152, 2152, &join(&[&extended, &v4])));
    found(raw, &udp(1701, 1701, &join(&[&[0x40, 2, 0, 60, 0, 1, 0, 2], &[0xff, 3, 0, 0x21], &v4])));
    found(raw, &udp(40000, 37008, &join(&[&[1, 0, 0, 1, 0x0a, 1, 9, 0, 1], &frame])));
    found(raw, &udp(40000, 3544, &ipv6()));
    // The ports alone make no tunnel.
    for port in [4789u16, 6081, 2152, 1701, 37008, 3544] {
        match decode(raw, &udp(50000, port, b"just a datagram")) {
            Outcome::Segment(d) => assert_eq!((d.key.transport, d.len), (Transport::Udp, 15)),
            other => panic!("port {port}: {other:?}"),
        }
    }
}

#[test]
fn ipv6_extension_headers() {
    let plain = ipv6();
    let (head, tcp) = plain.split_at(40);
    let with = |first: u8, extensions: &[u8]| {
        let mut head = head.to_vec();
        head[6] = first;
        head[4..6].copy_from_slice(&((extensions.len() + tcp.len()) as u16).to_be_bytes());
        join(&[&head, extensions, tcp])
    };
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    found(LinkType::RAW, &with(0, &options(6)));
    found(LinkType::RAW, &with(0, &[options(60), options(43), options(6)].concat()));
    // An atomic fragment (RFC 6946)
    found(LinkType::RAW, &with(44, &[6, 0, 0, 0, 0, 0, 0, 9]));
    let deep: Vec<u8> = (0..MAX_LAYERS).flat_map(|_| options(60)).collect();
    assert_eq!(skipped(LinkType::RAW, &with(60, &deep)), Skip::TooManyLayers);
}

#[test]
fn tunnels_nest_to_the_cap() {
    let mut packet = ipv4();
    for _ in 0..8 {
        packet = ip_in(4, &packet);
    }
    found(LinkType::RAW, &packet);
    for _ in 0..MAX_LAYERS {
        packet = ip_in(4, &packet);
    }
    assert_eq!(skipped(LinkType::RAW, &packet), Skip::TooManyLayers);
}

/// A data frame in clear: QoS or not, with the given second flags byte.
fn wifi_frame(subtype: u8, flags: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let qos: &[u8] = if subtype & 8 != 0 { &[0, 0] } else { &[] };
    let fourth: &[u8] = if flags & 3 == 3 { &[9; 6] } else { &[] };
    join(&[
        &[subtype << 4 | 8, flags, 0, 0],
        &[1; 6],
        &[2; 6],
        &[3; 6],
        &(sequence << 4).to_le_bytes(),
        fourth,
        qos,
        body,
    ])
}

fn snap(packet: &[u8]) -> Vec<u8> {
    join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], packet])
}

#[test]
fn every_wifi_capture_header_is_passed() {
    let body = snap(&ipv4());
    let link = LinkType::IEEE802_11;
    found(link, &wifi_frame(0, 1, 1, &body));
    found(link, &wifi_frame(8, 2, 1, &body));
    found(link, &wifi_frame(8, 3, 1, &body));
    let plain = wifi_frame(0, 1, 1, &body);
    // Radiotap with TSFT and flags that announce a frame check sequence
    let radiotap = [0, 0, 17, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];
    found(LinkType::IEEE802_11_RADIOTAP, &join(&[&radiotap, &plain, &[0xfc; 4]]));
    found(LinkType::IEEE802_11_RADIOTAP, &join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &plain]));
    found(LinkType::PPI, &join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &plain]));
    found(LinkType::PRISM, &join(&[&[0; 144], &plain]));
    found(
        LinkType::IEEE802_11_AVS,
        &join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &plain]),
    );
    assert_eq!(skipped(link, &wifi_frame(0, 0x41, 1, &body)), Skip::Encrypted);
    assert_eq!(skipped(link, &wifi_frame(4, 1, 1, &[])), Skip::WifiManagement);
    assert_eq!(skipped(link, &[0x80, 0, 0, 0, 1, 1, 1, 1]), Skip::WifiManagement);
}

#[test]
fn wifi_retries_are_suppressed() {
    let body = snap(&ipv4());
    let mut decoder = Decoder::default();
    let mut decode = |flags, sequence| {
        let frame = wifi_frame(8, flags, sequence, &body);
        decoder.decode(NOW, LinkType::IEEE802_11, &frame, frame.len() as u32)
    };
    assert!(matches!(decode(1, 7), Outcome::Segment(_)));
    assert!(matches!(decode(9, 7), Outcome::Skipped(Skip::WifiRetry)));
    assert!(matches!(decode(9, 8), Outcome::Segment(_)), "the first copy was not captured");
}

#[test]
fn aggregated_frames_give_every_subframe() {
    let body = snap(&ipv4());
    let sub = |pad: usize| {
        let len = (body.len() as u16).to_be_bytes();
        join(&[&[5; 6], &[6; 6], &len, &body, &vec![0; pad]])
    };
    let pad = sub(0).len().next_multiple_of(4) - sub(0).len();
    let mut frame = wifi_frame(8, 1, 1, &join(&[&sub(pad), &sub(pad), &sub(0)]));
    frame[24] = 0x80;
    let mut decoder = Decoder::default();
    let wire = frame.len() as u32;
    let mut outcomes = vec![decoder.decode(NOW, LinkType::IEEE802_11, &frame, wire)];
    while let Some(outcome) = decoder.next_subframe(NOW, &frame) {
        outcomes.push(outcome);
    }
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        let Outcome::Segment(d) = outcome else { panic!("{outcome:?}") };
        assert_eq!(&frame[d.offset as usize..(d.offset + d.len) as usize], PAYLOAD);
    }
}

#[test]
fn a_cut_frame_keeps_its_head_and_says_what_is_missing() {
    let frame = ethernet(0x0800, &ipv4());
    let cut = &frame[..frame.len() - 10];
    match Decoder::default().decode(NOW, LinkType::ETHERNET, cut, frame.len() as u32) {
        Outcome::Segment(d) => {
            assert_eq!((d.len as usize, d.missing), (PAYLOAD.len() - 10, 10));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_layer_names_its_own_fault() {
    let (v4, raw) = (ipv4(), LinkType::RAW);
    let with = |at: usize, value: u8| {
        let mut bytes = v4.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(skipped(LinkType::ETHERNET, &[0; 13]), Skip::TruncatedLink);
    assert_eq!(skipped(LinkType::ETHERNET, &ethernet(0x8100, &[0; 3])), Skip::TruncatedTag);
    assert_eq!(skipped(raw, &v4[..19]), Skip::TruncatedIp);
    assert_eq!(skipped(raw, &with(0, 0x44)), Skip::MalformedIp);
    assert_eq!(skipped(raw, &with(0, 0x95)), Skip::MalformedIp);
    assert_eq!(skipped(raw, &with(3, 10)), Skip::MalformedIp);
    assert_eq!(skipped(raw, &with(32, 0x40)), Skip::MalformedTransport);
    assert_eq!(skipped(raw, &v4[..30]), Skip::TruncatedTransport);
    assert_eq!(skipped(raw, &ip_in(47, &[0, 0])), Skip::TruncatedTunnel);
    assert_eq!(skipped(raw, &ip_in(47, &[0, 5, 8, 0])), Skip::MalformedTunnel);
    assert_eq!(
        skipped(LinkType::IEEE802_11_RADIOTAP, &[1, 0, 8, 0, 0, 0, 0, 0]),
        Skip::MalformedLink
    );
}

#[test]
fn checksums_matter_only_when_asked() {
    let good = ipv4();
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 0xff;
    let mut header = good.clone();
    header[10] ^= 1;
    let strict = |bytes: &[u8]| {
        Decoder::new(Checksums::Strict).decode(NOW, LinkType::RAW, bytes, bytes.len() as u32)
    };
    assert!(matches!(decode(LinkType::RAW, &bad), Outcome::Segment(_)));
    assert!(matches!(strict(&good), Outcome::Segment(_)));
    assert!(matches!(strict(&ipv6()), Outcome::Segment(_)));
    assert!(matches!(strict(&bad), Outcome::Skipped(Skip::BadChecksum)));
    assert!(matches!(strict(&header), Outcome::Skipped(Skip::BadChecksum)));
}

/// The fragments of an IPv4 packet, `size` payload bytes each.
fn fragments(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (head, payload) = packet.split_at(20);
    let count = payload.len().div_ceil(size);
    payload
        .chunks(size)
        .enumerate()
        .map(|(n, chunk)| {
            let more = if n + 1 < count { 0x2000 } else { 0 };
            let mut head = head.to_vec();
            head[2..4].copy_from_slice(&((20 + chunk.len()) as u16).to_be_bytes());
            head[6..8].copy_from_slice(&(((n * size / 8) as u16) | more).to_be_bytes());
            join(&[&head, chunk])
        })
        .collect()
}

#[test]
fn fragments_in_any_order_make_the_datagram() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let parts = fragments(&ipv4(), 16);
        assert_eq!(parts.len(), 4);
        let mut decoder = Decoder::default();
        for (n, index) in order.into_iter().enumerate() {
            let part = &parts[index];
            match decoder.decode(NOW, LinkType::RAW, part, part.len() as u32) {
                Outcome::Held => assert!(n < 3),
                Outcome::Whole(d, bytes) => {
                    assert_eq!(n, 3);
                    assert_eq!(&bytes[d.offset as usize..], PAYLOAD);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(decoder.take_lost_fragments(), 0);
    }
}

#[test]
fn overlapping_fragments_keep_what_came_first() {
    let parts = fragments(&ipv4(), 24);
    let mut wrong = parts[1].clone();
    for byte in &mut wrong[20..] {
        *byte = b'?';
    }
    let mut decoder = Decoder::default();
    let mut last = Outcome::Held;
    for part in [&parts[1], &wrong, &parts[2], &parts[0]] {
        last = decoder.decode(NOW, LinkType::RAW, part, part.len() as u32);
    }
    let Outcome::Whole(d, bytes) = last else { panic!("{last:?}") };
    assert_eq!(&bytes[d.offset as usize..], PAYLOAD);
}

#[test]
fn fragments_inside_fragments_are_refused() {
    let inner = fragments(&ipv4(), 24).swap_remove(0);
    let parts = fragments(&ip_in(4, &inner), 24);
    let mut decoder = Decoder::default();
    let mut last = Outcome::Held;
    for part in &parts {
        assert!(matches!(last, Outcome::Held), "{last:?}");
        last = decoder.decode(NOW, LinkType::RAW, part, part.len() as u32);
    }
    assert!(matches!(last, Outcome::Skipped(Skip::NestedFragments)), "{last:?}");
}

#[test]
fn fragments_are_given_up_in_packet_time() {
    let parts = fragments(&ipv4(), 24);
    let mut decoder = Decoder::default();
    let mut decode =
        |time, part: &[u8]| decoder.decode(time, LinkType::RAW, part, part.len() as u32);
    assert!(matches!(decode(NOW, &parts[0]), Outcome::Held));
    let late = NOW + Span::seconds(31);
    assert!(matches!(decode(late, &parts[1]), Outcome::Held));
    assert!(matches!(decode(late, &parts[2]), Outcome::Held), "the first one is gone");
    assert_eq!(decoder.take_lost_fragments(), 1);
    decoder.finish();
    assert_eq!(decoder.take_lost_fragments(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// No bytes panic, and no segment points outside its packet.
    #[test]
    fn nonsense_is_skipped(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        link in prop::sample::select(vec![0u16, 1, 9, 12, 51, 101, 104, 105, 108, 113, 119, 127, 163, 192, 276]),
    ) {
        let mut decoder = Decoder::default();
        if let Outcome::Segment(d) = decoder.decode(NOW, LinkType(link), &bytes, 2000) {
            prop_assert!((d.offset + d.len) as usize <= bytes.len());
        }
        while let Some(outcome) = decoder.next_subframe(NOW, &bytes) {
            if let Outcome::Segment(d) = outcome {
                prop_assert!((d.offset + d.len) as usize <= bytes.len());
            }
        }
    }

    /// A flipped byte in a deep stack of headers skips the packet or reads it, never more.
    #[test]
    fn damaged_headers_never_panic(at in 0usize..140, value in any::<u8>(), cut in 0usize..140) {
        let inner = ethernet(0x8100, &join(&[&[0, 9, 8, 0], &ipv4()]));
        let vxlan = udp(50000, 4789, &join(&[&[8, 0, 0, 0, 0, 19, 137, 0], &inner]));
        let mut frame = ethernet(0x8847, &join(&[&[0, 1, 1, 64], &vxlan]));
        let at = at % frame.len();
        frame[at] = value;
        frame.truncate(frame.len().saturating_sub(cut % 20));
        if let Outcome::Segment(d) = decode(LinkType::ETHERNET, &frame) {
            prop_assert!((d.offset + d.len) as usize <= frame.len());
        }
    }
}
