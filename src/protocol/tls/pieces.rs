//! Bytes that arrive in pieces, in any order.

/// Most gaps between pieces.
const MAX_PIECES: usize = 32;

/// Bytes, some of which may be missing.
#[derive(Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// The available ranges, sorted and not touching.
    have: Vec<(usize, usize)>,
}

impl Pieces {
    /// Adds a piece at `at`. False if it would end behind `most`, or leave too many gaps.
    pub fn put(&mut self, at: usize, piece: &[u8], most: usize) -> bool {
        let Some(end) = at.checked_add(piece.len()).filter(|end| *end <= most) else {
            return false;
        };
        if self.have.len() >= MAX_PIECES {
            return false;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(at..end) {
            place.copy_from_slice(piece);
        }
        self.have.push((at, end));
        self.have.sort_unstable();
        self.have.dedup_by(|next, before| {
            let touches = next.0 <= before.1;
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        true
    }

    /// The bytes from the beginning up to the first gap.
    pub fn front(&self) -> &[u8] {
        match self.have.first() {
            Some(&(0, end)) => self.bytes.get(..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Bytes of heap held.
    pub const fn memory(&self) -> usize {
        self.bytes.capacity() + self.have.capacity() * size_of::<(usize, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_join_and_nothing_is_beyond_the_limit() {
        let mut pieces = Pieces::default();
        assert!(pieces.put(6, b"world", 11));
        assert_eq!(pieces.front(), b"");
        assert!(pieces.put(0, b"hello", 11));
        assert_eq!(pieces.front(), b"hello");
        assert!(pieces.put(3, b"lo w", 11));
        assert_eq!(pieces.front(), b"hello world");
        assert!(!pieces.put(11, b"!", 11));
        assert!(!pieces.put(usize::MAX, b"!", 11));
        let mut holes = Pieces::default();
        assert_eq!((0..1_000).filter(|n| holes.put(2 * n, b"x", 4_096)).count(), MAX_PIECES);
    }
}
