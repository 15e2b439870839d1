//! Identifiers of flows in the form of Suricata and Zeek: the same for every event of a flow.

use super::community_id;
use crate::flow::FlowInfo;
use sha1::{Digest as _, Sha1};

/// Bits that every reader of JSON holds exactly (RFC 8259, section 6).
const EXACT: u64 = (1 << 53) - 1;
/// Characters of a connection's UID behind its `C`.
const LETTERS: usize = 17;

/// Suricata's `flow_id`.
pub(in crate::output) fn number(flow: &FlowInfo) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = digest(flow);
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) & EXACT
}

/// Zeek's `uid`: `C` and base 62.
pub(in crate::output) fn uid(flow: &FlowInfo) -> String {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = digest(flow).iter().take(16).fold(0u128, |n, b| n << 8 | u128::from(*b));
    let mut text = String::with_capacity(LETTERS + 1);
    text.push('C');
    for _ in 0..LETTERS {
        text.push(char::from(BASE62[(left % 62) as usize]));
        left /= 62;
    }
    text
}

/// From ends, transport and the time of the first packet, since the same ends may use the same ports again.
fn digest(flow: &FlowInfo) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(community_id(flow));
    hash.update(flow.started.0.to_be_bytes());
    hash.update(flow.vlan.to_be_bytes());
    hash.update(flow.inner_vlan.to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure::samples::{Sample, at};

    #[test]
    fn flows_with_the_same_ports_differ_by_their_start() {
        let flow = Sample::default().build().flow;
        let mut later = flow;
        later.started = at(500);
        assert_eq!((number(&flow), uid(&flow)), (number(&flow), uid(&flow)));
        assert_ne!(number(&flow), number(&later));
        assert_ne!(uid(&flow), uid(&later));
        assert!(number(&flow) <= EXACT);
        assert!(uid(&flow).starts_with('C') && uid(&flow).len() == 18);
    }
}
