//! Community ID v1: an identifier of a flow that many tools share (Corelight, "Community ID Flow Hashing").

use crate::flow::FlowInfo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use std::net::{IpAddr, SocketAddr};

/// `1:` and the base64 of SHA-1 over seed (0), the lower end's address, the other's, the IP protocol
/// number, a zero byte and the ports in the same order.
pub fn community_id(flow: &FlowInfo) -> String {
    community_id_of(flow.client, flow.server, flow.transport.number())
}

/// The same from two ends and the number of an IP protocol.
pub fn community_id_of(a: SocketAddr, b: SocketAddr, protocol: u8) -> String {
    let (a, b) = (canonical(a), canonical(b));
    let (low, high) = if bytes(a) <= bytes(b) { (a, b) } else { (b, a) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for end in [low, high] {
        match end.ip() {
            IpAddr::V4(v4) => hash.update(v4.octets()),
            IpAddr::V6(v6) => hash.update(v6.octets()),
        }
    }
    hash.update([protocol, 0]);
    hash.update(low.port().to_be_bytes());
    hash.update(high.port().to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

/// Order as the specification has it: address as a number, then port.
fn bytes(end: SocketAddr) -> (u128, u16) {
    match end.ip() {
        IpAddr::V4(v4) => (v4.to_bits().into(), end.port()),
        IpAddr::V6(v6) => (v6.to_bits(), end.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, protocol: u8, expect: &str) {
        let (a, b) = (a.parse().expect("address"), b.parse().expect("address"));
        assert_eq!(community_id_of(a, b, protocol), expect);
        assert_eq!(community_id_of(b, a, protocol), expect, "either way");
    }

    #[test]
    fn published_test_vectors_are_matched() {
        check("128.232.110.120:34855", "66.35.250.204:80", 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check("192.168.1.52:54585", "8.8.8.8:53", 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        check("192.168.170.8:7", "192.168.170.56:7", 132, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=");
    }

    #[test]
    fn the_same_address_twice_is_ordered_by_port() {
        let id = community_id_of(
            "10.0.0.1:80".parse().expect("a"),
            "10.0.0.1:1025".parse().expect("a"),
            6,
        );
        check("10.0.0.1:1025", "10.0.0.1:80", 6, &id);
    }
}
