//! The ring buffers of brotli. One of megabytes costs the system thousands of pages, so that a payload leaves its own
//! to the next one. A decoder reads no byte of it that it has not written (RFC 7932 9.2: a distance reaches back to
//! the first byte at most).

use brotli_decompressor::{Allocator, SliceWrapper as _, StandardAlloc};

/// Smaller ones are not kept, bytes.
const MIN_KEPT: usize = 256 << 10;
/// Larger ones are not kept either: a window of 4 MiB, and what the decoder adds to it.
const MAX_KEPT: usize = (4 << 20) + (8 << 10);

type Memory = <StandardAlloc as Allocator<u8>>::AllocatedMemory;

/// A ring buffer that is not in use; empty if there is none.
#[derive(Default)]
pub struct SpareWindow(Memory);

impl std::fmt::Debug for SpareWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It holds what was decoded.
        write!(f, "{} bytes", self.0.slice().len())
    }
}

impl SpareWindow {
    /// Keeps the ring buffer of a decoder that has ended, if it is larger.
    pub(super) fn keep(&mut self, memory: Memory) {
        let len = memory.slice().len();
        if (MIN_KEPT..=MAX_KEPT).contains(&len) && len > self.0.slice().len() {
            self.0 = memory;
        }
    }

    /// Bytes of it.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.slice().len()
    }

    pub(super) fn into_memory(self) -> Memory {
        self.0
    }
}

/// Allocates the bytes of one decoder.
#[derive(Default)]
pub(super) struct Windows {
    pub(super) spare: SpareWindow,
}

impl Allocator<u8> for Windows {
    type AllocatedMemory = Memory;

    fn alloc_cell(&mut self, len: usize) -> Memory {
        let spare = self.spare.0.slice().len();
        if len <= spare && len > spare / 2 {
            return std::mem::take(&mut self.spare.0);
        }
        StandardAlloc::default().alloc_cell(len)
    }

    fn free_cell(&mut self, _memory: Memory) {}
}
