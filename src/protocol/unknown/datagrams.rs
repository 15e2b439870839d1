//! The same in datagrams, each of which is searched by itself: nothing goes on from one to the next.

use super::{Carver, next};
use crate::protocol::expected::framed_datagram;
use crate::protocol::{ContentSink, Direction, End, ParseError, Parser, Progress, Resync};
use crate::syntax::Search;

/// Searches the datagrams of one flow.
pub struct DatagramCarver;

impl DatagramCarver {
    /// Whether something in a datagram is worth a search of all that follow.
    pub fn finds(datagram: &[u8]) -> bool {
        matches!(next(datagram), Some(Search::Found(..)))
    }
}

impl Parser for DatagramCarver {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some((datagram, len)) = data.get(at..).and_then(framed_datagram) {
            let mut carver = Carver::default();
            let read = carver.data(direction, datagram, sink)?.consumed;
            carver.close(direction, datagram.get(read..).unwrap_or_default(), End::Fin, sink);
            at += len;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, _direction: Direction, _len: u64, _sink: &mut dyn ContentSink) -> Resync {
        // Datagrams are whole or not there at all.
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        None
    }

    fn close(&mut self, _: Direction, _: &[u8], _: End, _: &mut dyn ContentSink) {}

    fn memory(&self) -> usize {
        0
    }
}
