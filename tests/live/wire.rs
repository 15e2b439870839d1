//! Sends captures: every packet of a file, in order, at a given rate, over one veth pair or two.

use crate::lab::{TestHarness, inside};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The packets of a capture.
pub struct Recording {
    packets: Vec<Vec<u8>>,
    /// Total bytes.
    pub bytes: u64,
}

impl Recording {
    /// Reads a pcap file of Ethernet frames.
    pub fn of(path: &Path) -> Arc<Self> {
        let mut file = pcap::Capture::from_file(path).expect("a capture");
        let mut packets = Vec::new();
        while let Ok(packet) = file.next_packet() {
            packets.push(packet.data.to_vec());
        }
        let bytes = packets.iter().map(|p| p.len() as u64).sum();
        assert!(!packets.is_empty(), "{}", path.display());
        Arc::new(Self { packets, bytes })
    }

    /// How many packets there are.
    pub fn len(&self) -> u64 {
        self.packets.len() as u64
    }
}

/// The direction of a packet, as on the two fibres of a TAP.
fn is_downward(packet: &[u8]) -> bool {
    let mut at = 12;
    while matches!(packet.get(at..at + 2), Some([0x81 | 0x91, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    match packet.get(at..at + 2) {
        Some([0x08, 0x00]) => packet.get(at + 14..at + 18) > packet.get(at + 18..at + 22),
        Some([0x86, 0xdd]) => packet.get(at + 10..at + 26) > packet.get(at + 26..at + 42),
        _ => false,
    }
}

/// How to send.
#[derive(Clone, Copy)]
pub struct Sending {
    /// Bits per second; `None` for full speed.
    pub rate: Option<u64>,
    /// Whether each direction uses its own pair.
    pub split: bool,
    /// How often the recording is sent.
    pub times: u32,
}

impl Sending {
    /// Once, over one pair, at a moderate rate.
    pub const ONCE: Self = Self { rate: Some(100_000_000), split: false, times: 1 };
}

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub packets: u64,
    pub bytes: u64,
    pub seconds: f64,
}

/// Packets between checks of the clock.
const LOOK_EVERY: u64 = 16;
/// How far ahead of its rate the sender may be: it sends bursts of that length, as a switch does.
const AHEAD: Duration = Duration::from_micros(200);

/// Sends a recording from the client's ends of the pairs.
pub fn send_recording(lab: &TestHarness, recording: &Arc<Recording>, how: Sending) -> Sent {
    let recording = Arc::clone(recording);
    let send = move || {
        let open = |name| pcap::Capture::from_device(name).and_then(pcap::Capture::open);
        let mut cables = vec![open("far0").expect("far0")];
        if how.split {
            cables.push(open("far1").expect("far1"));
        }
        let started = Instant::now();
        let mut sent = Sent { packets: 0, bytes: 0, seconds: 0.0 };
        for _ in 0..how.times {
            for packet in &recording.packets {
                let cable = usize::from(how.split && is_downward(packet));
                // A full queue of the pair is not a loss yet.
                while cables[cable].sendpacket(packet.as_slice()).is_err() {
                    std::thread::sleep(Duration::from_micros(50));
                    assert!(started.elapsed() < Duration::from_secs(300), "the cable is stuck");
                }
                sent.packets += 1;
                sent.bytes += packet.len() as u64;
                if let Some(rate) = how.rate
                    && sent.packets.is_multiple_of(LOOK_EVERY)
                {
                    let due = Duration::from_secs_f64(sent.bytes as f64 * 8.0 / rate as f64);
                    // The reader needs the core that waiting in a loop would take.
                    if let Some(early) = due.checked_sub(started.elapsed())
                        && early > AHEAD
                    {
                        std::thread::sleep(early);
                    }
                }
            }
        }
        sent.seconds = started.elapsed().as_secs_f64();
        sent
    };
    inside(&lab.client, send).join().expect("sent")
}
