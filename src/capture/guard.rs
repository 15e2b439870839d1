//! Prefetching, the unsafe part of reading a file.

#![allow(unsafe_code)]

/// Prefetches the second and third cache line of a record, where the packet's headers end and its
/// payload begins. They are read one batch later.
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
