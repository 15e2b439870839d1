//! A stretch of captured bytes, shared by reference count.

use std::sync::Arc;

/// Bytes that packets stand in. Cloning is cheap; the last clone frees.
#[derive(Clone)]
pub struct Block(Arc<Vec<u8>>);

impl Block {
    /// A buffer of its own.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    /// The buffer, if nobody else has the block any more.
    pub(super) fn reclaim(self) -> Result<Vec<u8>, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }
    /// Its index in `blocks`, to which it is added if it is not the last one. A batch has at most one
    /// block a packet, and far fewer than 2^16 packets.
    pub fn place_in(&self, blocks: &mut Vec<Self>) -> u16 {
        if !blocks.last().is_some_and(|last| last.same(self)) {
            blocks.push(self.clone());
        }
        (blocks.len() - 1) as u16
    }
    /// Whether both are the same block.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
