//! A stretch of captured bytes, shared by reference count.

use std::sync::Arc;

enum Bytes {
    Map(memmap2::Mmap),
    Owned(Vec<u8>),
}

/// Bytes that packets stand in. Cloning is cheap; the last clone unmaps or frees.
#[derive(Clone)]
pub struct Block(Arc<Bytes>);

impl Block {
    /// A mapped file.
    pub(super) fn map(map: memmap2::Mmap) -> Self {
        Self(Arc::new(Bytes::Map(map)))
    }
    /// A buffer of its own.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Bytes::Owned(bytes)))
    }
    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &*self.0 {
            Bytes::Map(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
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
