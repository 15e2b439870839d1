//! When decompressed bytes are those of a bomb: one answer for codings, archives, documents and protocols.

/// Bytes that one payload may decompress to.
pub const MAX_OUTPUT: u64 = 256 << 20;

/// Output per byte of input from which a payload counts as a bomb, once [`FREE_OUTPUT`] is used up. Deflate
/// reaches 1032; exports of records stay below 60.
pub const MAX_RATIO: u64 = 256;

/// Output before the ratio matters, bytes: short payloads may well be all one letter.
pub const FREE_OUTPUT: u64 = 4 << 20;

/// Whether `given` bytes of output from `taken` bytes of input are a bomb.
pub const fn is_bomb(taken: u64, given: u64) -> bool {
    given > MAX_OUTPUT || (given > FREE_OUTPUT && given / MAX_RATIO > taken)
}
