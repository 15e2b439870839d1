//! A stretch of captured bytes, shared by reference count.

#[cfg(target_os = "linux")]
use super::live::Lease;
#[cfg(target_os = "linux")]
use super::window::Window;
use std::sync::Arc;

/// Bytes of packets. Cloning is cheap; the last clone frees them, ends the mapping of a file, or gives a
/// block of a ring back to the kernel.
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
    /// A buffer of its own.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(Arc::new(bytes)))
    }
    /// A block of a ring.
    #[cfg(target_os = "linux")]
    pub(super) fn leased(lease: Lease) -> Self {
        Self(Bytes::Ring(Arc::new(lease)))
    }
    /// A part of a file.
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
    /// Bytes at `at` are needed soon: those of a mapped file may still have to come from memory.
    #[inline]
    pub(super) fn fetch(&self, at: usize) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(window) = &self.0 {
            window.fetch(at);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = at;
    }
    /// The buffer, if this is the last reference to the block.
    pub(super) fn reclaim(self) -> Result<Vec<u8>, Self> {
        match self.0 {
            Bytes::Owned(bytes) => Arc::try_unwrap(bytes).map_err(|b| Self(Bytes::Owned(b))),
            #[cfg(target_os = "linux")]
            Bytes::Ring(_) | Bytes::Mapped(_) => Err(self),
        }
    }
    /// Its index in `blocks`, to which it is added if it is not the last one. A batch has at most one
    /// block a packet, and far fewer than 2^16 packets.
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
