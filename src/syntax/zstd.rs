//! Zstandard (RFC 8878): frame magic and the decoder's window limit.

/// Magic number of a frame (3.1.1).
pub const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// Largest window of a decoder, bytes (RFC 9659 lets HTTP decoders refuse more than 8 MiB).
pub const MAX_WINDOW: u64 = 8 << 20;
