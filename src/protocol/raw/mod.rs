//! A connection that carries nothing but a document: data connections of FTP (RFC 959 3.3), transfers
//! by netcat, and print jobs on the port for them (JetDirect, 9100). Asked after all others.

mod probe;

#[cfg(test)]
mod tests;

use super::unframed::{OnGap, Unframed, UnframedParser};
use super::{Media, Parser, Probe, Protocol};

/// A bare document.
pub struct Raw;

/// Print jobs without a protocol; those of label printers, which are text.
pub struct JetDirect;

impl Protocol for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        // In the middle, anything may look like a beginning.
        if at_start { probe::document(data) } else { Probe::No }
    }

    fn needs_begin(&self) -> bool {
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        bare("tcp")
    }
}

impl Protocol for JetDirect {
    fn name(&self) -> &'static str {
        "jetdirect"
    }

    fn probe(&self, data: &[u8], at_start: bool) -> Probe {
        if at_start { probe::label(data) } else { Probe::No }
    }

    fn open(&self) -> Box<dyn Parser> {
        bare("jetdirect")
    }
}

/// One payload each way. In the middle of a document nothing shows where another begins.
fn bare(layer: &'static str) -> Box<dyn Parser> {
    let media = Media::Unknown;
    let (on_gap, find) = (OnGap::Continue, |_: &[u8]| None);
    Box::new(UnframedParser::new(Unframed { unit: "message", media, layer, on_gap, find }))
}
