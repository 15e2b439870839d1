//! POCT1-A (CLSI POCT01-A2, ISO/IEEE 11073-90101): point-of-care devices send XML messages over TCP, one after the
//! other; the receiver answers each with one of its own. There is no framing.

#[cfg(test)]
mod tests;

use super::unframed::{OnGap, Unframed, UnframedParser};
use super::{Media, Parser, Position, Probe, Protocol, Role, Roles, ServiceFacts, Speaker};
use crate::syntax::poct1a;

/// POCT1-A.
pub struct Poct1a;

impl Protocol for Poct1a {
    fn name(&self) -> &'static str {
        "poct1a"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Start {
            return poct1a::begins(data).into();
        }
        match poct1a::find(data) {
            Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
            None => Probe::No,
        }
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::LabInterface)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(UnframedParser::new(Unframed {
            unit: "message",
            media: Media::Type { content_type: "application/xml", name: "" },
            layer: "tcp",
            on_gap: OnGap::NextMessage,
            find: poct1a::find,
        }))
    }
}
