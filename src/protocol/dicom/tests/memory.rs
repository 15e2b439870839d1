//! What an association costs: below 64 KiB, whatever is sent, outside the data sets.

use super::*;
use crate::flow::{Orientation, Side};
use crate::protocol::driver::{Driver, DriverLimits};

const CEILING: usize = 64 << 10;

/// The most that the driver with its parser held while both sides were played in segments of `size`.
fn most(client: &[u8], server: &[u8], size: usize) -> usize {
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    let mut driver = Driver::new(limits, Orientation { client: Side::Low, sure: true });
    let mut sink = Recorder::default();
    let mut most = 0;
    for (side, bytes) in [(Side::Low, client), (Side::High, server)] {
        let mut skip = 0u64;
        for chunk in bytes.chunks(size) {
            let hidden = skip.min(chunk.len() as u64);
            skip -= hidden;
            if hidden < chunk.len() as u64 {
                skip = driver.data(side, &chunk[hidden as usize..], &mut sink);
            }
            most = most.max(driver.memory());
        }
    }
    assert_eq!(driver.protocol(), Some("dicom"));
    assert!(sink.anomalies.is_empty(), "{:?}", sink.anomalies);
    let association = sink.facts.dicom.and_then(|dicom| dicom.association).expect("association");
    assert_eq!(association.contexts, [128, 128]);
    most
}

#[test]
fn the_largest_negotiation_and_all_messages_at_once_stay_below_the_ceiling() {
    // 128 contexts, each with 60 transfer syntaxes of the longest kind, and a token of 60,000 bytes:
    // some 600,000 bytes of request.
    let long = |n: usize| format!("1.2.840.{n:0>56}");
    let syntaxes: Vec<String> = (0..60).map(long).collect();
    let syntaxes: Vec<&str> = syntaxes.iter().map(String::as_str).collect();
    let classes: Vec<String> = (1000..1128).map(long).collect();
    let contexts: Vec<(u8, &str, &[&str])> = classes
        .iter()
        .enumerate()
        .map(|(n, class)| ((2 * n + 1) as u8, class.as_str(), &syntaxes[..]))
        .collect();
    let mut identity = vec![5, 0];
    identity.extend(60_000u16.to_be_bytes());
    identity.extend([b'x'; 60_000]);
    identity.extend([0, 0]);
    let rq = request(&contexts, &item(0x58, &identity));
    assert!(rq.len() > 500_000, "{}", rq.len());
    let ac: Vec<(u8, u8, &str)> =
        contexts.iter().map(|(id, _, syntaxes)| (*id, 0, syntaxes[0])).collect();
    let ac = accept(&ac);
    // Half a command in as many contexts as are followed, in both directions.
    let title = [b'T'; 64];
    let more: [(u16, &[u8]); 3] = [(0x0600, &title), (0x1000, &title), (0x1030, &title)];
    let set = command_with(0x0021, &classes[0], true, None, &more);
    let open = |to: u8| -> Vec<u8> {
        let cut = &set[..set.len() - 1];
        (0..to).flat_map(|n| pdu(4, &pdv(2 * n + 1, 1, cut))).collect()
    };
    let (client, server) = ([rq, open(8)].concat(), [ac, open(8)].concat());
    for size in [1, 64, 1460, 9000, 65_535] {
        let most = most(&client, &server, size);
        assert!(most < CEILING, "{most} bytes with segments of {size}");
        // Nothing of the request is collected: what is held are the contexts.
        assert!(most < 40 << 10, "{most} bytes with segments of {size}");
    }
}
