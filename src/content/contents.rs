//! The open contents of one flow: recognises formats, undoes codings, nests.

use super::{
    ContentId, Document, FORMATS, FieldSink, PROBE_BYTES, Reason, Scope, ServiceFacts, Tally, Want,
};
use crate::protocol::Hint;
use crate::rules::RuleSet;

/// How deep contents may nest (HTTP > gzip > multipart > DICOM is 3).
pub const MAX_DEPTH: usize = 8;

/// What the contents of a flow work with; borrowed anew for each packet.
pub struct Env<'a> {
    /// The rules in force.
    pub rules: &'a RuleSet,
    /// Takes the fields.
    pub sink: &'a mut dyn FieldSink,
    /// Facts of the service.
    pub facts: &'a mut ServiceFacts,
    /// What is counted.
    pub tally: &'a mut Tally,
}

/// The open contents of one flow.
#[derive(Default)]
pub struct Contents {
    open: Vec<Option<Open>>,
}

/// One open content.
struct Open {
    direction: crate::flow::Direction,
    operation: String,
    layers: Vec<&'static str>,
    state: State,
}

enum State {
    /// Its first bytes, until a format is recognised.
    Probing(Vec<u8>),
    Reading(Box<dyn Document>),
    Passed,
}
