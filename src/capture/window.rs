//! Maps windows of a file into memory, which saves copying every byte.
//!
//! A window is mapped at once with all its pages, which avoids page faults, and is unmapped with
//! its last packet. If a mapped file is truncated, reading the lost pages raises `SIGBUS`. The
//! handler here replaces them by zero pages, and the window reports it.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Most windows mapped at a time. Beyond it the file is read.
const MAX_WINDOWS: usize = 256;

/// Where the windows are mapped, for [`restore`].
static PLACES: [Place; MAX_WINDOWS] = [const { Place::new() }; MAX_WINDOWS];

/// The previous handling of `SIGBUS`; `None` if it could not be changed.
static BEFORE: OnceLock<Option<libc::sigaction>> = OnceLock::new();

/// The address range of one window.
struct Place {
    /// Address of its first byte; 0 if the slot is free, [`TAKEN`] until the address is known.
    start: AtomicUsize,
    /// Its length, bytes.
    len: AtomicUsize,
    /// Whether a page was missing.
    lost: AtomicBool,
}

const TAKEN: usize = 1;

impl Place {
    const fn new() -> Self {
        Self { start: AtomicUsize::new(0), len: AtomicUsize::new(0), lost: AtomicBool::new(false) }
    }

    fn take() -> Option<&'static Self> {
        let take = |place: &&Self| {
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            place.start.compare_exchange(0, TAKEN, order.0, order.1).is_ok()
        };
        let place = PLACES.iter().find(take)?;
        place.lost.store(false, Ordering::Relaxed);
        Some(place)
    }

    fn leave(&self) {
        self.len.store(0, Ordering::Release);
        self.start.store(0, Ordering::Release);
    }
}

/// A mapped part of a file.
pub struct Window {
    start: NonNull<u8>,
    /// Length of the mapping, bytes; it begins on a page.
    len: usize,
    /// Bytes before the requested ones.
    skip: usize,
    place: &'static Place,
}

// SAFETY: the mapping belongs to this value alone, and is only read.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// Maps `len` bytes of `file` from `offset` on. `None` if that is impossible; they can still be
    /// read.
    pub fn map(file: &File, offset: u64, len: usize) -> Option<Self> {
        let page = page();
        let skip = usize::try_from(offset % page as u64).ok()?;
        let len = len.checked_add(skip).filter(|len| *len > 0)?;
        let offset = libc::off_t::try_from(offset - skip as u64).ok()?;
        if !catches() {
            return None;
        }
        let place = Place::take()?;
        let flags = libc::MAP_PRIVATE | libc::MAP_POPULATE;
        let file = file.as_raw_fd();
        // SAFETY: a new mapping at an address of the kernel's choice, to be read only.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, flags, file, offset) };
        let start = NonNull::new(start.cast::<u8>()).filter(|_| start != libc::MAP_FAILED);
        let Some(start) = start else {
            place.leave();
            return None;
        };
        place.len.store(len, Ordering::Release);
        place.start.store(start.as_ptr() as usize, Ordering::Release);
        Some(Self { start, len, skip, place })
    }

    /// The requested bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: inside the mapping, which lives as long as this value. Whoever writes to the file meanwhile may
        // change what is read, as with any file; all that is read is checked where it is used.
        unsafe {
            std::slice::from_raw_parts(self.start.as_ptr().add(self.skip), self.len - self.skip)
        }
    }

    /// Prefetches the headers of the packet at `at`.
    #[inline]
    pub fn fetch(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        if at < self.len - self.skip {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let line = self.start.as_ptr().wrapping_add(self.skip + at).cast::<i8>();
            // SAFETY: a hint, which reads nothing; every processor of this kind knows it.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(line);
                _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(64));
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// Whether bytes were missing: the file was truncated, or the disk failed.
    pub fn is_broken(&self) -> bool {
        self.place.lost.load(Ordering::Acquire)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.place.leave();
        // SAFETY: the mapping made in `map`, of which nothing is borrowed any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Size of a page, bytes.
fn page() -> usize {
    static PAGE: OnceLock<usize> = OnceLock::new();
    *PAGE.get_or_init(rustix::param::page_size)
}

/// Installs the handler for `SIGBUS` on first use. Returns whether it is installed.
fn catches() -> bool {
    let before = BEFORE.get_or_init(|| {
        page();
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = restore;
        // SAFETY: a `sigaction` of zeros is a valid one: no flags, an empty mask.
        let (mut now, mut before): (libc::sigaction, libc::sigaction) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        now.sa_sigaction = handler as usize;
        now.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: both structures live as long as the call, and the handler does what a handler may.
        let result = unsafe { libc::sigaction(libc::SIGBUS, &now, &mut before) };
        (result == 0).then_some(before)
    });
    before.is_some()
}

/// Handles `SIGBUS`: replaces a missing page of a window by zeros. Other addresses get the previous
/// handling.
extern "C" fn restore(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel hands over a valid structure (`SA_SIGINFO`), and `SIGBUS` comes with an address.
    let address = unsafe { (*info).si_addr() } as usize;
    let holds = |place: &&Place| {
        let start = place.start.load(Ordering::Acquire);
        start > TAKEN && address.wrapping_sub(start) < place.len.load(Ordering::Acquire)
    };
    if let Some(place) = PLACES.iter().find(holds) {
        let page = page();
        let at = (address & !(page - 1)) as *mut libc::c_void;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: replaces one page of a mapping that is ours and only read; the call may be made in a handler.
        let put = unsafe { libc::mmap(at, page, libc::PROT_READ, flags, -1, 0) };
        if put != libc::MAP_FAILED {
            place.lost.store(true, Ordering::Release);
            return;
        }
    }
    // Restore the previous handling. The instruction then repeats and raises the signal again.
    if let Some(Some(before)) = BEFORE.get() {
        // SAFETY: as it was when it was replaced; `sigaction` may be called in a handler.
        unsafe { libc::sigaction(signal, before, std::ptr::null_mut()) };
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(bytes).expect("written");
        file
    }

    #[test]
    fn any_part_of_a_file_is_mapped() {
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let file = file(&bytes);
        for (offset, len) in [(0, 1), (1, 4095), (4095, 2), (4096, 4096), (5, 99_995)] {
            let window = Window::map(&file, offset as u64, len).expect("mapped");
            assert_eq!(window.bytes(), &bytes[offset..offset + len]);
            assert!(!window.is_broken());
        }
        assert!(Window::map(&file, 0, 0).is_none());
    }

    #[test]
    fn a_file_that_is_cut_gives_zeros_and_says_so() {
        let file = file(&[7; 20_000]);
        let (window, other) = (Window::map(&file, 10, 19_990), Window::map(&file, 0, 100));
        let (window, other) = (window.expect("mapped"), other.expect("mapped"));
        file.set_len(5_000).expect("cut");
        assert_eq!(window.bytes()[19_000], 0);
        assert!(window.is_broken());
        assert!(!other.is_broken(), "its page is still there");
        assert_eq!(other.bytes(), [7; 100]);
    }

    #[test]
    fn there_are_so_many_windows_and_no_more() {
        let file = file(&[7; 10]);
        let all: Vec<_> = (0..2 * MAX_WINDOWS).map_while(|_| Window::map(&file, 0, 10)).collect();
        assert!(!all.is_empty() && all.len() <= MAX_WINDOWS);
        drop(all);
        // Other tests map windows meanwhile.
        let again: Vec<_> = (0..8).filter_map(|_| Window::map(&file, 0, 10)).collect();
        assert!(!again.is_empty());
    }
}
