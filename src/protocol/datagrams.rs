//! Parsers of datagrams: each datagram reaches the parser's stream in a frame that keeps its boundaries.

use super::{ContentSink, Direction, End, ParseError, Parser, Progress, Resync};

/// Writes a datagram to `frame` for the parser's stream: its length in two bytes, then its bytes. Protocols with
/// [`Protocol::owns_datagrams`](super::Protocol::owns_datagrams) get datagrams like this.
pub fn frame_datagram(data: &[u8], frame: &mut Vec<u8>) {
    // No datagram is longer (RFC 768).
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(data.get(..usize::from(len)).unwrap_or(data));
}

/// The datagram at the front of a stream, and the bytes it takes there.
pub fn framed_datagram(data: &[u8]) -> Option<(&[u8], usize)> {
    let (len, rest) = data.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes(*len));
    Some((rest.get(..len)?, 2 + len))
}

/// Reads the datagrams of one flow, one by one.
pub trait DatagramParser: Send {
    /// Reads one datagram.
    ///
    /// # Errors
    /// If the direction cannot be read on.
    fn datagram(
        &mut self,
        direction: Direction,
        datagram: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError>;

    /// A direction has ended.
    fn close(&mut self, direction: Direction, sink: &mut dyn ContentSink) {
        let _ = (direction, sink);
    }

    /// Bytes of heap it holds, roughly.
    fn memory(&self) -> usize {
        0
    }
}

/// A [`DatagramParser`] as the parser of a flow.
pub struct Datagrams<P>(pub P);

impl<P: DatagramParser> Parser for Datagrams<P> {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some((datagram, len)) = data.get(at..).and_then(framed_datagram) {
            self.0.datagram(direction, datagram, sink)?;
            at += len;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, _direction: Direction, _len: u64, _sink: &mut dyn ContentSink) -> Resync {
        // A datagram is either complete or missing.
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        None
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.0.close(direction, sink);
    }

    fn memory(&self) -> usize {
        self.0.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_of_a_stream_as_they_went_in() {
        let mut stream = Vec::new();
        frame_datagram(b"one", &mut stream);
        frame_datagram(b"", &mut stream);
        assert_eq!(framed_datagram(&stream), Some((&b"one"[..], 5)));
        assert_eq!(framed_datagram(&stream[5..]), Some((&b""[..], 2)));
        assert_eq!(framed_datagram(&stream[..4]), None);
        assert_eq!(framed_datagram(&[]), None);
    }
}
