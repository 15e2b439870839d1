//! Options of a TCP header.

/// Kinds of options (RFC 9293 3.2, RFC 7323 3.2).
const NOTHING: u8 = 1;
const TIMESTAMPS: u8 = 8;
/// Length of the timestamps option, bytes.
const LENGTH: u8 = 10;

/// The sender's timestamp among the `options` of a TCP header, 0 for none. It is searched where hosts write it: as
/// the last option, or as the last before padding (RFC 7323, appendix A).
#[inline]
pub fn timestamp(options: &[u8]) -> u32 {
    match options {
        [.., TIMESTAMPS, LENGTH, a, b, c, d, _, _, _, _]
        | [.., TIMESTAMPS, LENGTH, a, b, c, d, _, _, _, _, NOTHING, NOTHING] => {
            u32::from_be_bytes([*a, *b, *c, *d])
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn a_timestamp_is_found_where_hosts_write_it() {
        let stamp = [8, 10, 0, 0, 1, 2, 0, 0, 0, 0];
        assert_eq!(timestamp(&[&[1, 1][..], &stamp].concat()), 0x102);
        assert_eq!(timestamp(&[&stamp[..], &[1, 1]].concat()), 0x102);
        assert_eq!(timestamp(&[8, 10, 0]), 0, "cut off");
        assert_eq!(timestamp(&[0; 40]), 0);
    }
}
