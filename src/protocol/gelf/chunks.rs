//! Chunked messages: magic, message id, chunk number, number of chunks.

use crate::time::{Span, Timestamp};
use zeroize::Zeroizing;

/// Most chunks of a message, as in the specification.
const MAX_CHUNKS: u8 = 128;
/// Time in which all chunks must arrive, as in the specification.
const WITHIN: Span = Span::seconds(5);
/// Incomplete messages of a flow.
pub const MAX_WAITING: usize = 16;
/// Bytes of chunks held per flow.
const MAX_BYTES: usize = 2 << 20;
/// Magic, id, number, count.
const HEAD: usize = 12;

/// A chunk.
pub struct Chunk<'a> {
    id: [u8; 8],
    number: u8,
    count: u8,
    bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The chunk in a datagram.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let (head, bytes) = data.split_first_chunk::<HEAD>()?;
        let [0x1e, 0x0f, id @ .., number, count] = *head else { return None };
        let fits = number < count && count <= MAX_CHUNKS && !bytes.is_empty();
        fits.then_some(Self { id, number, count, bytes })
    }
}

/// An incomplete message.
struct Waiting {
    id: [u8; 8],
    since: Timestamp,
    missing: u8,
    chunks: Vec<Zeroizing<Vec<u8>>>,
}

/// The incomplete messages of one flow, the oldest first.
#[derive(Default)]
pub struct Chunks {
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl Chunks {
    /// Adds a chunk. Returns the message, if it is now complete, and how many messages were given up.
    pub fn add(
        &mut self,
        chunk: &Chunk<'_>,
        now: Timestamp,
    ) -> (Option<Zeroizing<Vec<u8>>>, usize) {
        let mut lost = 0;
        while self.waiting.first().is_some_and(|oldest| {
            oldest.since + WITHIN < now || self.bytes + chunk.bytes.len() > MAX_BYTES
        }) {
            self.remove(0);
            lost += 1;
        }
        let known = self.waiting.iter().position(|w| w.id == chunk.id);
        let at = known.unwrap_or_else(|| {
            if self.waiting.len() == MAX_WAITING {
                self.remove(0);
                lost += 1;
            }
            self.waiting.push(Waiting {
                id: chunk.id,
                since: now,
                missing: chunk.count,
                chunks: vec![Zeroizing::default(); usize::from(chunk.count)],
            });
            self.waiting.len() - 1
        });
        let Some(waiting) = self.waiting.get_mut(at) else { return (None, lost) };
        if let Some(place) = waiting.chunks.get_mut(usize::from(chunk.number))
            && place.is_empty()
        {
            place.extend_from_slice(chunk.bytes);
            waiting.missing = waiting.missing.saturating_sub(1);
            self.bytes += chunk.bytes.len();
        }
        let complete = waiting.missing == 0;
        let message = complete.then(|| {
            let waiting = self.remove(at);
            let mut message = Zeroizing::new(Vec::with_capacity(size(&waiting.chunks)));
            waiting.chunks.iter().for_each(|chunk| message.extend_from_slice(chunk));
            message
        });
        (message, lost)
    }

    fn remove(&mut self, at: usize) -> Waiting {
        let waiting = self.waiting.remove(at);
        self.bytes = self.bytes.saturating_sub(size(&waiting.chunks));
        waiting
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let chunks = self.waiting.iter().map(|w| w.chunks.capacity());
        self.bytes + chunks.sum::<usize>() * size_of::<Vec<u8>>()
    }
}

fn size(chunks: &[Zeroizing<Vec<u8>>]) -> usize {
    chunks.iter().map(|chunk| chunk.len()).sum()
}
