//! Options of a TCP header.

/// Kinds of options (RFC 9293 3.2, RFC 7323 3.2).
const END: u8 = 0;
const NOTHING: u8 = 1;
const TIMESTAMPS: u8 = 8;
/// Length of the timestamps option, bytes.
const LENGTH: u8 = 10;

/// The sender's timestamp among `options`, 0 for none.
#[inline]
pub(super) fn timestamp(mut options: &[u8]) -> u32 {
    // As nearly all hosts write it (RFC 7323, appendix A).
    if let [NOTHING, NOTHING, TIMESTAMPS, LENGTH, a, b, c, d, ..] = *options {
        return u32::from_be_bytes([a, b, c, d]);
    }
    while let [kind, rest @ ..] = options {
        options = match (*kind, rest) {
            (END, _) => return 0,
            (NOTHING, rest) => rest,
            (TIMESTAMPS, &[LENGTH, a, b, c, d, ..]) => return u32::from_be_bytes([a, b, c, d]),
            (_, &[len, ..]) if len >= 2 => options.get(usize::from(len)..).unwrap_or_default(),
            _ => return 0,
        };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn a_timestamp_is_found_wherever_it_is_and_nothing_else_is_one() {
        let stamp = [8, 10, 0, 0, 1, 2, 0, 0, 0, 0];
        let with = |before: &[u8]| timestamp(&[before, &stamp].concat());
        assert_eq!(with(&[1, 1]), 0x102);
        assert_eq!(with(&[2, 4, 5, 0xb4, 4, 2]), 0x102, "as in a SYN of Linux");
        assert_eq!(with(&[0]), 0, "behind the end");
        assert_eq!(with(&[5, 1]), 0, "behind an option of impossible length");
        assert_eq!(with(&[5, 200]), 0, "inside another option");
        assert_eq!(timestamp(&[1, 1, 8, 10, 0]), 0, "cut off");
    }
}
