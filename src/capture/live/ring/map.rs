//! The memory of a ring. The kernel and phitap share it; each block belongs to one of them at a
//! time.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// Offset of `block_status` in a block (`struct tpacket_block_desc`).
const STATUS: usize = 8;
/// Offset of the last packet's time: seconds, then nanoseconds.
const LAST: usize = 40;
/// Owners of a block (`TP_STATUS_KERNEL`, `TP_STATUS_USER`).
const KERNEL: u32 = 0;
const USER: u32 = 1;

/// Mapped blocks.
pub(super) struct Map {
    start: NonNull<u8>,
    /// Size of a block, bytes.
    block: usize,
    /// Blocks with a [`Lease`]; the kernel's status does not distinguish them from new ones.
    leased: Vec<AtomicBool>,
    count: AtomicUsize,
}

// SAFETY: the mapping belongs to this value alone. Its bytes are reached through a `Lease`, of which there
// is one a block at a time, and through atomic reads of the status.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the ring of a socket.
    pub fn new(socket: BorrowedFd<'_>, blocks: usize, block: usize) -> io::Result<Self> {
        Self::of(blocks, block, libc::MAP_SHARED, socket.as_raw_fd())
    }

    /// A ring in plain memory, for tests.
    #[cfg(test)]
    pub fn anonymous(blocks: usize, block: usize) -> Self {
        Self::of(blocks, block, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1).expect("memory")
    }

    /// Delivers block `index` like the kernel, with packets at `times` (milliseconds).
    #[cfg(test)]
    pub fn hand_over(&self, index: usize, times: &[u32]) {
        let put = |at, value: u32| self.word(index, at).store(value, Ordering::Relaxed);
        put(12, times.len() as u32);
        put(16, 48);
        for (n, time) in times.iter().enumerate() {
            let at = 48 + n * 160;
            put(at, if n + 1 == times.len() { 0 } else { 160 });
            put(at + 4, time / 1000);
            put(at + 8, time % 1000 * 1_000_000);
            put(at + 12, 60);
            put(at + 16, 60);
            put(at + 20, 0);
            put(at + 24, u32::from_ne_bytes([80, 0, 94, 0]));
        }
        let last = times.last().copied().unwrap_or(0);
        put(LAST, last / 1000);
        put(LAST + 4, last % 1000 * 1_000_000);
        self.word(index, STATUS).store(USER, Ordering::Release);
    }

    fn of(blocks: usize, block: usize, flags: i32, fd: i32) -> io::Result<Self> {
        let len = blocks.checked_mul(block).ok_or(io::ErrorKind::InvalidInput)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let leased = (0..blocks).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { start, block, leased, count: AtomicUsize::new(0) })
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.leased.len()
    }

    /// Number of leased blocks.
    pub fn leased(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A word of a block that both the kernel and phitap may write.
    fn word(&self, index: usize, offset: usize) -> &AtomicU32 {
        assert!(index < self.blocks() && offset + 4 <= self.block && offset.is_multiple_of(4));
        // SAFETY: inside the mapping and aligned, as was checked, and blocks start on pages; the kernel
        // writes these words as a whole.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(index * self.block + offset).cast()) }
    }

    /// Whether the kernel has delivered the block and no lease holds it.
    pub fn is_ready(&self, index: usize) -> bool {
        self.word(index, STATUS).load(Ordering::Acquire) & USER != 0
            && !self.leased[index].load(Ordering::Acquire)
    }

    /// Number of delivered blocks from `index` on, and the time of the last packet of the last one:
    /// seconds and nanoseconds.
    pub fn waiting(&self, index: usize) -> (usize, Option<(u32, u32)>) {
        let blocks = self.blocks();
        let is_ready = |n: usize| self.is_ready((index + n) % blocks);
        // The kernel delivers in order, and leased blocks are behind `index`: what is ready comes
        // first, so few blocks of a full ring need a look.
        let (mut ready, mut beyond) = (0, 1);
        while beyond <= blocks && is_ready(beyond - 1) {
            (ready, beyond) = (beyond, beyond * 2);
        }
        beyond = beyond.min(blocks + 1);
        while ready + 1 < beyond {
            let middle = usize::midpoint(ready, beyond);
            match is_ready(middle - 1) {
                true => ready = middle,
                false => beyond = middle,
            }
        }
        let last = ready.checked_sub(1).map(|n| (index + n) % blocks);
        let time = |at| {
            let word = |offset| self.word(at, offset).load(Ordering::Relaxed);
            (word(LAST), word(LAST + 4))
        };
        (ready, last.map(time))
    }

    /// Leases a block that the kernel has delivered.
    pub fn lease(self: &Arc<Self>, index: usize) -> Option<Lease> {
        if !self.is_ready(index) {
            return None;
        }
        self.leased[index].store(true, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        Some(Lease { map: Arc::clone(self), index })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let len = self.blocks() * self.block;
        // SAFETY: the mapping made in `of`; leases hold this value, so none is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), len) };
    }
}

/// A block of a ring that phitap owns. Dropping it returns the block to the kernel.
pub struct Lease {
    map: Arc<Map>,
    index: usize,
}

impl Lease {
    /// The block's bytes, its header included.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let at = self.index * self.map.block;
        // SAFETY: inside the mapping. The kernel does not write to a block that it handed over, and
        // `bytes_mut` needs the only reference to the one lease of this block.
        unsafe { std::slice::from_raw_parts(self.map.start.as_ptr().add(at), self.map.block) }
    }

    /// The block's bytes, mutable.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let at = self.index * self.map.block;
        // SAFETY: as above; the lease is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.map.start.as_ptr().add(at), self.map.block) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.map.word(self.index, STATUS).store(KERNEL, Ordering::Release);
        self.map.count.fetch_sub(1, Ordering::Relaxed);
        self.map.leased[self.index].store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 4096;

    #[test]
    fn a_block_is_leased_once_and_goes_back_with_the_lease() {
        let map = Arc::new(Map::anonymous(3, BLOCK));
        assert!(map.lease(0).is_none(), "it is the kernel's");
        map.hand_over(0, &[7]);
        let mut lease = map.lease(0).expect("ready");
        lease.bytes_mut()[BLOCK - 1] = 9;
        assert_eq!((lease.bytes().len(), lease.bytes()[BLOCK - 1]), (BLOCK, 9));
        assert!(map.lease(0).is_none(), "the ring came round, and it is still in use");
        assert_eq!(map.leased(), 1);
        drop(lease);
        assert_eq!((map.leased(), map.word(0, STATUS).load(Ordering::Relaxed)), (0, KERNEL));
        assert!(map.lease(0).is_none());
    }

    #[test]
    fn what_waits_is_counted_over_the_end_of_the_ring() {
        let map = Arc::new(Map::anonymous(3, BLOCK));
        assert_eq!(map.waiting(0), (0, None));
        map.hand_over(2, &[5000]);
        map.hand_over(0, &[6000]);
        assert_eq!(map.waiting(2), (2, Some((6, 0))));
        let _lease = map.lease(2).expect("ready");
        assert_eq!(map.waiting(0), (1, Some((6, 0))));
    }

    #[test]
    fn any_number_of_blocks_may_wait() {
        for blocks in 1..20 {
            for start in [0, blocks / 2, blocks - 1] {
                let map = Arc::new(Map::anonymous(blocks, BLOCK));
                for n in 0..blocks {
                    assert_eq!(map.waiting(start).0, n, "{blocks} from {start}");
                    map.hand_over((start + n) % blocks, &[1000 * (n as u32 + 1)]);
                    let last = Some((n as u32 + 1, 0));
                    assert_eq!(map.waiting(start), (n + 1, last), "{blocks} from {start}");
                }
            }
        }
    }
}
