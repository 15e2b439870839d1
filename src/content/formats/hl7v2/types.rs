//! Message types and their trigger events (HL7 table 0354): a closed set, because they become metric labels.

use smallvec::SmallVec;
use std::collections::HashSet;
use std::sync::LazyLock;

/// `ADT^A01`, and the codes alone (`ADT`) for messages without an event, or with a local one.
static KNOWN: LazyLock<HashSet<&'static str, foldhash::fast::FixedState>> =
    LazyLock::new(|| include_str!("types.txt").split_ascii_whitespace().collect());

/// Represents all other types.
pub const OTHER: &str = "other";

/// The label of a message type.
pub fn label(code: &str, event: &str) -> &'static str {
    // Acknowledgments have the event of the message that they acknowledge.
    if code == "ACK" {
        return "ACK";
    }
    let mut whole: SmallVec<[u8; 16]> = SmallVec::new();
    for part in [code, "^", event] {
        whole.extend_from_slice(part.as_bytes());
    }
    let known = std::str::from_utf8(&whole).ok().and_then(|whole| KNOWN.get(whole));
    known.or_else(|| KNOWN.get(code)).copied().unwrap_or(OTHER)
}

/// Whether `text` can be such a label.
pub fn is_label(text: &str) -> bool {
    text == OTHER || KNOWN.contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_set() {
        assert_eq!(label("ADT", "A01"), "ADT^A01");
        assert_eq!(label("ADT", "A08"), "ADT^A08");
        assert_eq!(label("ADT", "Z99"), "ADT");
        assert_eq!(label("ADT", ""), "ADT");
        assert_eq!(label("ACK", "R01"), "ACK");
        assert_eq!(label("ZZZ", "Z01"), "other");
        assert!(["ADT^A01", "ACK", "other", "ORU^R01", "PPR^PC1"].into_iter().all(is_label));
        assert!(!is_label("ADT^Z99") && !is_label(""));
    }
}
