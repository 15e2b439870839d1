//! A parser for messages without framing: each direction is one content, passed on as it comes. After a
//! hole a new content begins with the next message.

use super::content_writer::Outlet;
use super::{Direction, End, Hint, Host, Media, ParseError, Parser, Progress, Resync};

/// One flow; answers are messages, too.
pub struct Unframed {
    sides: [Option<Outlet>; 2],
    content_type: &'static str,
    find: fn(&[u8]) -> Option<usize>,
}

impl Unframed {
    /// Messages declared as `content_type`; `find` tells where the first one begins in what follows a hole.
    pub const fn new(content_type: &'static str, find: fn(&[u8]) -> Option<usize>) -> Self {
        Self { sides: [const { None }; 2], content_type, find }
    }
}

impl Parser for Unframed {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        host: &mut dyn Host,
    ) -> Result<Progress, ParseError> {
        let Some(side) = self.sides.get_mut(direction.index()) else {
            return Ok(Progress::consumed(data.len()));
        };
        let outlet = side.get_or_insert_with(|| {
            host.unit("message");
            let media = Media::Type { content_type: self.content_type, name: "" };
            Outlet::open(
                &Hint { direction, media, operation: "", codings: &[], layer: "tcp" },
                host,
            )
        });
        outlet.data(data, host);
        Ok(Progress::consumed(data.len()))
    }

    fn gap(&mut self, direction: Direction, _len: u64, host: &mut dyn Host) -> Resync {
        if let Some(outlet) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            outlet.close(false, host);
        }
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        (self.find)(data)
    }

    fn close(&mut self, direction: Direction, rest: &[u8], end: End, host: &mut dyn Host) {
        if let Some(mut outlet) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            if !rest.is_empty() {
                outlet.data(rest, host);
            }
            outlet.close(end == End::Fin, host);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
