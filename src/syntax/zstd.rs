//! Zstandard (RFC 8878): how a frame begins, and what a decoder takes on.

/// What a frame begins with (3.1.1).
pub const MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// Largest window of a decoder, bytes (RFC 9659: one for HTTP need not take more than 8 MiB).
pub const MAX_WINDOW: u64 = 8 << 20;
