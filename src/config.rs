//! Validated settings and every limit, each with its unit.

use crate::time::Span;

/// Limits of state that input can fill. Each bounds memory or work; each loss behind one is counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// All flow state of all workers together, bytes.
    pub memory: u64,
    /// Flows of one worker.
    pub flows: usize,
    /// Out-of-order bytes held for one direction of a flow.
    pub window: usize,
    /// Unconsumed bytes a parser may leave in one direction.
    pub parser_buffer: usize,
    /// Bytes of one direction looked at before a flow counts as unrecognised.
    pub recognise: usize,
    /// A TCP flow without packets for this long is over.
    pub tcp_idle: Span,
    /// A UDP flow without packets for this long is over.
    pub udp_idle: Span,
    /// Patients told apart within one flow.
    pub patients_per_flow: usize,
    /// Identifiers kept of one patient in one flow.
    pub identifiers_per_patient: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            flows: 1 << 20,
            window: 4 << 20,
            parser_buffer: 4 << 20,
            recognise: 64 << 10,
            tcp_idle: Span::seconds(600),
            udp_idle: Span::seconds(60),
            patients_per_flow: 65_536,
            identifiers_per_patient: 64,
        }
    }
}
