//! A connection that carries only a document: data connections of FTP (RFC 959 3.3), transfers by netcat. Probed
//! after all others.

mod probe;

#[cfg(test)]
mod tests;

use super::{Parser, Position, Probe, Protocol};

/// A bare document.
pub struct Raw;

impl Protocol for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        // Mid-stream, anything may look like a beginning.
        if at == Position::Start { probe::document(data) } else { Probe::No }
    }

    fn needs_begin(&self) -> bool {
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        super::unframed::bare("tcp")
    }
}
