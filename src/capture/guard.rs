//! The unsafe parts: mapping files, prefetching, and a clear word if a mapped file shrinks.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::Once;

/// Maps a file for reading.
pub(super) fn map(file: &File) -> io::Result<memmap2::Mmap> {
    on_shrink();
    // SAFETY: the map is read-only and private. If another process truncates the file, reading past
    // its new end raises SIGBUS, which `on_shrink` turns into a message and exit status 1; if
    // another process overwrites it, we parse other bytes, which are hostile input in any case.
    let map = unsafe { memmap2::Mmap::map(file)? };
    // Advice only: a refusal changes nothing but speed.
    let _ = map.advise(memmap2::Advice::Sequential);
    Ok(map)
}

/// Fetches the second and third cache line of a record, where the headers of the packet end and its
/// payload starts: they are read a batch later, and the walk over a mapped file goes on meanwhile.
/// (Measured: fetching later records at a guessed distance costs more than it saves.)
#[inline]
pub(super) fn prefetch(record: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for at in [64, 128] {
        if let Some(line) = record.get(at) {
            // SAFETY: a prefetch of an address inside the slice; it has no architectural effect.
            unsafe {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast());
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = record;
}

/// Installs, once, the handler for a mapped file that shrinks while it is read.
fn on_shrink() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let handler = handle_bus_error as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: `action` is fully initialised; the handler only calls async-signal-safe functions.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    });
}

extern "C" fn handle_bus_error(_signal: libc::c_int) {
    const MESSAGE: &[u8] =
        b"phitap: a capture file became shorter while it was read; copy it first, then replay the copy\n";
    // SAFETY: write(2) and _exit(2) are async-signal-safe (POSIX.1-2017 2.4.3).
    unsafe {
        libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(1);
    }
}
