//! A block of captured bytes, shared by reference count.

#[cfg(target_os = "linux")]
use super::live::Lease;
#[cfg(target_os = "linux")]
use super::window::Window;
use std::sync::Arc;

/// Bytes of packets. Clones are cheap. Dropping the last one frees the bytes, unmaps the file
/// window, or returns a ring block to the kernel.
#[derive(Clone)]
pub struct Block(Bytes);

#[derive(Clone)]
enum Bytes {
    Owned(Arc<Vec<u8>>),
    #[cfg(target_os = "linux")]
    Ring(Arc<Lease>),
    #[cfg(target_os = "linux")]
    Mapped(Arc<Window>),
}

impl Block {
    /// Wraps a heap buffer.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(Arc::new(bytes)))
    }
    /// Wraps a block of a ring.
    #[cfg(target_os = "linux")]
    pub(super) fn leased(lease: Lease) -> Self {
        Self(Bytes::Ring(Arc::new(lease)))
    }
    /// Wraps a window of a mapped file.
    #[cfg(target_os = "linux")]
    pub(super) const fn mapped(window: Arc<Window>) -> Self {
        Self(Bytes::Mapped(window))
    }
    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Owned(bytes) => bytes,
            #[cfg(target_os = "linux")]
            Bytes::Ring(lease) => lease.bytes(),
            #[cfg(target_os = "linux")]
            Bytes::Mapped(window) => window.bytes(),
        }
    }
    /// Prefetches the bytes at `at`; those of a mapped file may not be in the cache yet.
    #[inline]
    pub(super) fn fetch(&self, at: usize) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(window) = &self.0 {
            window.fetch(at);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = at;
    }
    /// Returns the buffer if this is the last reference to it.
    pub(super) fn reclaim(self) -> Result<Vec<u8>, Self> {
        match self.0 {
            Bytes::Owned(bytes) => Arc::try_unwrap(bytes).map_err(|b| Self(Bytes::Owned(b))),
            #[cfg(target_os = "linux")]
            Bytes::Ring(_) | Bytes::Mapped(_) => Err(self),
        }
    }
    /// Index of this block in `blocks`, to which it is added unless it is the last one. A batch has
    /// at most one block per packet, and far fewer than 2^16 packets.
    #[inline]
    pub fn place_in(&self, blocks: &mut Vec<Self>) -> u16 {
        if !blocks.last().is_some_and(|last| last.same(self)) {
            blocks.push(self.clone());
        }
        (blocks.len() - 1) as u16
    }
    /// Whether both are the same block.
    #[inline]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Bytes::Owned(a), Bytes::Owned(b)) => Arc::ptr_eq(a, b),
            #[cfg(target_os = "linux")]
            (Bytes::Ring(a), Bytes::Ring(b)) => Arc::ptr_eq(a, b),
            #[cfg(target_os = "linux")]
            (Bytes::Mapped(a), Bytes::Mapped(b)) => Arc::ptr_eq(a, b),
            #[cfg(target_os = "linux")]
            _ => false,
        }
    }
}
