//! HTTP/1.x (RFC 9112).

use super::{Parser, Probe, Protocol};

/// HTTP/1.x (RFC 9112).
pub struct Http;

impl Protocol for Http {
    fn name(&self) -> &'static str {
        "http"
    }
    fn probe(&self, _data: &[u8], _at_start: bool) -> Probe {
        Probe::No
    }
    fn open(&self) -> Box<dyn Parser> {
        unreachable!("never recognised yet")
    }
}
