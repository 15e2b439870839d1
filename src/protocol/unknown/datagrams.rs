//! Payloads in datagrams, each of which is searched by itself: no payload continues in the next one.

use super::{Carver, Found, next};
use crate::protocol::datagrams::DatagramParser;
use crate::protocol::{ContentSink, Direction, End, ParseError, Parser as _};
use crate::syntax::Search;

/// Searches the datagrams of one flow.
pub struct DatagramCarver {
    /// The payload in the first datagram that made the flow worth a search.
    first: Option<(usize, Found)>,
}

impl DatagramCarver {
    /// A carver for the flow of this datagram, if a payload begins in it.
    pub fn of(datagram: &[u8]) -> Option<Self> {
        match next(datagram) {
            Some(Search::Found(offset, found)) => Some(Self { first: Some((offset, found)) }),
            _ => None,
        }
    }
}

impl DatagramParser for DatagramCarver {
    fn datagram(
        &mut self,
        direction: Direction,
        datagram: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError> {
        let mut carver = Carver::default();
        let mut at = 0;
        if let Some((offset, found)) = self.first.take() {
            carver.begin(direction, &found, sink);
            at = offset;
        }
        let rest = datagram.get(at..).unwrap_or_default();
        let read = carver.data(direction, rest, sink)?.consumed;
        carver.close(direction, rest.get(read..).unwrap_or_default(), End::Fin, sink);
        Ok(())
    }
}
