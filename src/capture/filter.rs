//! BPF expressions (`--filter`), compiled by libpcap and run on packets wherever they come from.

use super::LinkType;
use std::collections::HashMap;

/// A filter, compiled for each link type it meets.
pub struct Filter {
    expression: String,
    programs: HashMap<u16, Option<pcap::BpfProgram>>,
}

/// An expression that libpcap refuses.
#[derive(Debug, thiserror::Error)]
#[error("--filter {expression:?}: {reason}; see pcap-filter(7)")]
pub struct FilterError {
    expression: String,
    reason: String,
}

impl Filter {
    /// Compiles `expression`, for Ethernet at first.
    ///
    /// # Errors
    /// If libpcap refuses it.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        let program = compile(expression, LinkType::ETHERNET)
            .map_err(|reason| FilterError { expression: expression.to_owned(), reason })?;
        let programs = HashMap::from([(LinkType::ETHERNET.0, Some(program))]);
        Ok(Self { expression: expression.to_owned(), programs })
    }

    /// Whether a packet is to be looked at. Where the expression means nothing for the link type
    /// (`ether host` on raw IP), no packet is.
    pub fn takes(&mut self, link: LinkType, bytes: &[u8]) -> bool {
        let expression = &self.expression;
        self.programs
            .entry(link.0)
            .or_insert_with(|| compile(expression, link).ok())
            .as_ref()
            .is_some_and(|program| program.filter(bytes))
    }
}

fn compile(expression: &str, link: LinkType) -> Result<pcap::BpfProgram, String> {
    pcap::Capture::dead(pcap::Linktype(i32::from(link.0)))
        .and_then(|dead| dead.compile(expression, true))
        .map_err(|e| e.to_string())
}
