//! Chooses what a worker leaves unread when packets arrive faster than it can read them.
//!
//! Encrypted and unknown traffic goes first. Then long segments of general-purpose protocols
//! (bodies of HTTP, mail, files), then all of those protocols. Medical protocols are read as long
//! as the kernel's ring has room. Each unread packet is counted by class.

use super::analysis::State;
use crate::decode::Decoded;
use crate::flow::FlowHead;
use crate::output::metrics::SHED;

/// Protocols whose flows are shed last.
const MEDICAL: [&str; 6] = ["dicom", "hl7", "astm", "poct1a", "x12", "ncpdp"];
/// Payload length from which a segment is probably part of a body, bytes.
const BULK: u32 = 1_000;
/// Bytes of a flow after which recognition is unlikely.
const UNKNOWN: u64 = 64 << 10;

/// Class of an unread packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Shed {
    /// Encrypted, or of no known protocol.
    Unknown,
    /// A long segment of a general-purpose protocol.
    Bulk,
    /// Other segments of such protocols.
    Other,
}

impl Shed {
    /// The metric label: one of `SHED` of the metrics.
    pub const fn as_str(self) -> &'static str {
        let [unknown, bulk, other] = SHED;
        match self {
            Self::Unknown => unknown,
            Self::Bulk => bulk,
            Self::Other => other,
        }
    }
}

/// The load of a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Pressure {
    /// The worker keeps up, or the ring has room for the burst.
    #[default]
    None,
    /// The ring is at least three quarters full.
    High,
    /// The ring is at least seven eighths full.
    Higher,
    /// The ring is almost full.
    Highest,
}

impl Pressure {
    /// From the fill level of a ring, 0 to 1.
    pub const fn of(fullness: f64) -> Self {
        match fullness {
            f if f < 0.75 => Self::None,
            f if f < 0.875 => Self::High,
            f if f < 0.95 => Self::Higher,
            _ => Self::Highest,
        }
    }

    /// The class under which this segment is left unread, or `None` to read it.
    pub fn sheds(self, flow: &FlowHead, state: &State, segment: &Decoded) -> Option<Shed> {
        if self == Self::None {
            return None;
        }
        let protocol = match state {
            State::Reading(analysis) => analysis.driver.protocol(),
            State::Silent | State::Datagrams { looks: 0, .. } => None,
            State::Datagrams { .. } | State::PassedOver { .. } | State::Broken => {
                return Some(Shed::Unknown);
            }
        };
        match protocol {
            Some(protocol) if MEDICAL.contains(&protocol) => None,
            Some(_) if self >= Self::Higher && segment.len >= BULK => Some(Shed::Bulk),
            Some(_) if self == Self::Highest => Some(Shed::Other),
            None if flow.bytes > UNKNOWN => Some(Shed::Unknown),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_rises_with_the_ring() {
        let pressures = [0.0, 0.74, 0.75, 0.9, 1.0].map(Pressure::of);
        let expected =
            [Pressure::None, Pressure::None, Pressure::High, Pressure::Higher, Pressure::Highest];
        assert_eq!(pressures, expected);
    }

    #[test]
    fn every_medical_protocol_is_one() {
        let names: Vec<&str> = crate::protocol::PROTOCOLS.iter().map(|p| p.name()).collect();
        for medical in MEDICAL {
            assert!(names.contains(&medical), "{medical}");
        }
    }
}
