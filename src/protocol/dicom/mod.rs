//! DICOM upper layer and DIMSE (PS3.8, PS3.7).
//!
//! * `pdu`: PDU headers, and where one may begin in the middle of a stream;
//! * `associate`: what the A-ASSOCIATE, A-ABORT and A-ASSOCIATE-RJ PDUs say; `contexts`: the
//!   presentation contexts they agree on;
//! * `dimse`: command sets; `status`: the status codes of responses;
//! * `ledger`: what commands say of the service, and what came of them;
//! * `message`: the messages whose fragments are under way in one direction;
//! * `association`: the parser that puts them together.
//!
//! Data sets are streamed to the sink as their fragments arrive, never collected. Unwanted bytes are skipped to the
//! end of each fragment (PDV), so that of an image only the PDV headers are touched.

mod associate;
mod association;
mod contexts;
mod dimse;
mod facts;
mod ledger;
mod message;
mod pdu;
mod status;

#[cfg(test)]
mod tests;

use super::{Parser, Position, Probe, Protocol, Roles, ServiceFacts};
pub use facts::{Association, DicomFacts, Outcome};

/// DICOM upper layer and DIMSE (PS3.8, PS3.7).
pub struct Dicom;

impl Protocol for Dicom {
    fn name(&self) -> &'static str {
        "dicom"
    }
    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start { pdu::probe_start(data) } else { pdu::probe_middle(data) }
    }
    fn roles(&self, facts: &ServiceFacts, _content: &str) -> Roles {
        facts::roles(facts.dicom.as_deref().unwrap_or(&DicomFacts::default()))
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(association::Association::default())
    }
}
