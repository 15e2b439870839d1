//! BPF expressions (`--filter`), compiled by libpcap.
//!
//! Linux removes the outermost VLAN tag of a live packet before it filters, so `port 2575` matches
//! tagged packets. In a file the tag is still there, and the same expression would match none of
//! them. To make both agree, an expression without VLAN primitives runs here on the packet without
//! its outermost tag.

use super::LinkType;
use std::collections::HashMap;

/// Offset in an Ethernet frame of the EtherType, or of the VLAN tag before it.
const ETHER_TYPE: usize = 12;
/// Length of a VLAN tag (IEEE 802.1Q 9.3), bytes.
const TAG: usize = 4;

/// Longest expression, bytes. libpcap takes time and memory with the square of its length or worse: seconds at this
/// one, minutes at four times as much.
const MAX_EXPRESSION: usize = 4 << 10;
/// Longest expression that is optimised, bytes. For a list of 300 hosts that takes 4 s, and compiling a tenth of one.
const MAX_OPTIMISED: usize = 1 << 10;

/// Characters of a longer one that its error shows.
const MAX_SHOWN: usize = 40;

/// Link types whose expressions do not compile for Ethernet.
const OTHER_LINKS: [LinkType; 2] = [LinkType::IEEE802_11_RADIOTAP, LinkType::LINUX_SLL];

/// A filter, compiled on first use for each link type.
pub struct Filter {
    expression: String,
    /// Whether it has the primitive `vlan` and so handles tags itself.
    names_vlans: bool,
    programs: HashMap<u16, Option<pcap::BpfProgram>>,
    /// Buffer for a packet without its outermost tag.
    untagged: Vec<u8>,
}

/// libpcap refused the expression.
#[derive(Debug, thiserror::Error)]
#[error("--filter {expression:?}: {reason}; see pcap-filter(7)")]
pub struct FilterError {
    expression: String,
    reason: String,
}

impl FilterError {
    /// Whether a name could not be resolved, which may succeed later.
    pub fn is_lookup(&self) -> bool {
        ["unknown host", "unknown network"].iter().any(|said| self.reason.contains(said))
    }
}

impl Filter {
    /// Compiles `expression`, first for Ethernet.
    ///
    /// # Errors
    /// It is too long, or libpcap refuses it for Ethernet and for all other link types (`wlan type data`, `inbound`).
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        if expression.len() > MAX_EXPRESSION {
            let start = expression.chars().take(MAX_SHOWN).chain("...".chars()).collect();
            let reason = format!(
                "it has {} bytes, and libpcap takes minutes for more than {MAX_EXPRESSION}; write networks \
                 (net 10.1.0.0/16) instead of single hosts, or several runs",
                expression.len()
            );
            return Err(FilterError { expression: start, reason });
        }
        let program = compile(expression, LinkType::ETHERNET);
        let elsewhere = || OTHER_LINKS.into_iter().any(|link| compile(expression, link).is_ok());
        let program = match program {
            Err(reason) if !elsewhere() => {
                return Err(FilterError { expression: expression.to_owned(), reason });
            }
            program => program.ok(),
        };
        let programs = HashMap::from([(LinkType::ETHERNET.0, program)]);
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric());
        let names_vlans = words.into_iter().any(|word| word.eq_ignore_ascii_case("vlan"));
        Ok(Self { expression: expression.to_owned(), names_vlans, programs, untagged: Vec::new() })
    }

    /// Whether a packet matches. None does if the expression does not compile for the link type
    /// (`ether host` on raw IP).
    pub fn takes(&mut self, link: LinkType, bytes: &[u8]) -> bool {
        let expression = &self.expression;
        let program = self.programs.entry(link.0).or_insert_with(|| compile(expression, link).ok());
        let Some(program) = program else { return false };
        if link != LinkType::ETHERNET || self.names_vlans || !is_tagged(bytes, ETHER_TYPE) {
            return program.filter(bytes);
        }
        let (head, tail) = bytes.split_at(ETHER_TYPE);
        self.untagged.clear();
        self.untagged.extend_from_slice(head);
        self.untagged.extend_from_slice(tail.get(TAG..).unwrap_or(&[]));
        program.filter(&self.untagged)
    }

    /// Whether a packet has more VLAN tags than the expression looks behind.
    pub fn is_behind_tags(&self, link: LinkType, bytes: &[u8]) -> bool {
        let at = if self.names_vlans { ETHER_TYPE } else { ETHER_TYPE + TAG };
        link == LinkType::ETHERNET && is_tagged(bytes, ETHER_TYPE) && is_tagged(bytes, at)
    }
}

/// Whether a complete VLAN tag is at `at`: 802.1Q, 802.1ad or the older type that libpcap also
/// knows.
fn is_tagged(bytes: &[u8], at: usize) -> bool {
    let tag = bytes.get(at..at + TAG);
    matches!(tag, Some([0x81 | 0x91, 0x00, ..] | [0x88, 0xa8, ..]))
}

/// Whether libpcap is to optimise the program of an expression.
pub(super) const fn is_optimised(expression: &str) -> bool {
    expression.len() <= MAX_OPTIMISED
}

fn compile(expression: &str, link: LinkType) -> Result<pcap::BpfProgram, String> {
    pcap::Capture::dead(pcap::Linktype(i32::from(link.0)))
        .and_then(|dead| dead.compile(expression, is_optimised(expression)))
        .map_err(|e| e.to_string())
}
