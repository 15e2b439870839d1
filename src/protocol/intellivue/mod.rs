//! Data Export of Philips IntelliVue monitors over UDP (Data Export Interface Programming Guide, 4535 642 59271):
//! what central stations, gateways and research recorders request from monitors. Its header is that of remote
//! operations (ISO/IEC 9072); its patient data is read as content.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::datagrams::{DatagramParser, Datagrams, frame_datagram, framed_datagram};
use super::{
    ContentSink, Direction, Hint, Media, ParseError, Parser, Position, Probe, Protocol, Speaker,
};

/// Media type given to a data datagram. Not registered.
pub const MEDIA_TYPE: &str = "application/x-intellivue-data-export";
/// Length of the headers of session and presentation (SPpdu) and of the operation (ROapdus).
pub const HEADER: usize = 8;

/// Data Export.
pub struct IntelliVue;

impl Protocol for IntelliVue {
    fn name(&self) -> &'static str {
        "intellivue"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        // It has no streams: this sees its frames only.
        match framed_datagram(data) {
            Some((datagram, _)) if at == Position::Start => match kind(datagram) {
                Some(kind) => Probe::yes(kind.speaker()),
                None => Probe::No,
            },
            _ => Probe::No,
        }
    }

    fn datagram(&self, data: &[u8], frame: &mut Vec<u8>) -> bool {
        let found = kind(data).is_some();
        if found {
            frame_datagram(data, frame);
        }
        found
    }

    fn owns_datagrams(&self) -> bool {
        true
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(Datagrams(IntelliVueParser))
    }
}

/// Kind of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A client asks for an association.
    Connect,
    /// A monitor accepts it.
    Accept,
    /// A monitor announces itself.
    Indication,
    /// A request of a client.
    Invoke,
    /// An answer of a monitor, in one datagram or in several.
    Result,
}

impl Kind {
    const fn speaker(self) -> Speaker {
        match self {
            Self::Connect => Speaker::Client,
            Self::Accept | Self::Result | Self::Indication => Speaker::Server,
            // Event reports are invoked by the monitor.
            Self::Invoke => Speaker::Any,
        }
    }
}

fn kind(data: &[u8]) -> Option<Kind> {
    // The rest of a session header: user requirements and selectors of a fixed form.
    const ASSOCIATION: &[u8] = b"\x05\x08\x13\x01\x00\x16\x01\x02\x80\x00\x14\x02\x00\x02";
    let length = |at: usize| Some(usize::from(u16::from_be_bytes(*data.get(at..)?.first_chunk()?)));
    match data {
        [0xe1, 0, 0, 2, 0, operation @ (1 | 2 | 3 | 5), ..]
            if length(6)? + HEADER == data.len() =>
        {
            Some(if *operation == 1 { Kind::Invoke } else { Kind::Result })
        }
        [kind @ (0x0d | 0x0e), ..] => {
            // One byte, or 255 and two more.
            let head = if data.get(1) == Some(&0xff) { 4 } else { 2 };
            let fits = data.get(head..)?.starts_with(ASSOCIATION);
            fits.then_some(if *kind == 0x0d { Kind::Connect } else { Kind::Accept })
        }
        // Nomenclature 1.0, then an event report of the class of the monitor itself.
        [0, 1, 0, 0, 0, 1, ..] => {
            let event = length(6)? + HEADER == data.len() && length(10)? == 0;
            (event && data.get(14..16) == Some(&[0, 0x21])).then_some(Kind::Indication)
        }
        _ => None,
    }
}

struct IntelliVueParser;

impl DatagramParser for IntelliVueParser {
    fn datagram(
        &mut self,
        direction: Direction,
        datagram: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError> {
        match kind(datagram) {
            Some(Kind::Connect) => sink.unit("request"),
            Some(Kind::Accept) => sink.unit("response"),
            Some(Kind::Indication | Kind::Invoke | Kind::Result) if names(datagram) => {
                sink.unit("message");
                let media = Media::Type { content_type: MEDIA_TYPE, name: "" };
                let hint = Hint { direction, media, operation: "POLL", codings: &[], layer: "" };
                ContentWriter::whole(&hint, datagram, sink);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a datagram may name a patient. Most hold waves and numerics; those that name one have a number, a family
/// or a given name (attributes 0x095A, 0x095C, 0x095D).
fn names(datagram: &[u8]) -> bool {
    let values = datagram.get(HEADER..).unwrap_or_default();
    memchr::memchr_iter(0x09, values)
        .any(|at| matches!(values.get(at + 1), Some(0x5a | 0x5c | 0x5d)))
}
