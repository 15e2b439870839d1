//! Lines: commands and replies of text protocols (SMTP, FTP, RESP).

use super::{ParseError, Progress, Reason};
use memchr::memchr;

/// Longest first word of a command, bytes.
const MAX_WORD: usize = 16;

/// Reads the line that begins at `at`. Returns the line without its CR LF (a bare LF also ends one) and the offset of
/// the next. `None` if its end has not arrived. A line of more than `max` bytes is malformed, however it is
/// segmented: it is passed over, since its recipient rejects it.
pub fn read(data: &[u8], at: usize, max: usize) -> Result<Option<(&[u8], usize)>, ParseError> {
    let rest = data.get(at..).unwrap_or_default();
    match memchr(b'\n', rest) {
        Some(lf) if lf > max => Err(ParseError::new(Reason::Malformed, at)),
        Some(lf) => {
            let line = rest.get(..lf).unwrap_or(rest);
            Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), at + lf + 1)))
        }
        None if rest.len() > max => Err(ParseError::new(Reason::Malformed, at)),
        None => Ok(None),
    }
}

/// Offset of the first line behind a gap.
pub fn resync(data: &[u8]) -> Option<usize> {
    memchr(b'\n', data).map(|at| at + 1)
}

/// The same, but at the front of `data` if it `begins` as a line does: packets mostly begin with a line.
pub fn resync_from(data: &[u8], begins: impl Fn(&[u8]) -> bool) -> Option<usize> {
    if begins(data) { Some(0) } else { resync(data) }
}

/// Where in `data` each line begins; its front counts as the beginning of one.
pub fn starts(data: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', data).map(|at| at + 1))
}

/// Whether the first word of `data` is one of `words`, which are in capitals.
pub fn begins_with(data: &[u8], words: &[&str]) -> bool {
    let end = data.iter().take(MAX_WORD).position(|b| matches!(b, b' ' | b'\r' | b'\n'));
    let word = end.and_then(|end| data.get(..end)).unwrap_or_default();
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether `data` begins with a reply: three digits (RFC 5321 4.2, RFC 959 4.2), and whether more lines of it follow.
pub fn is_reply(data: &[u8]) -> bool {
    matches!(data, [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..])
}

/// The answer of a parser if the end of the line at `at` has not arrived.
pub const fn more(data: &[u8], at: usize) -> Progress {
    Progress::need(at, data.len() - at + 1)
}

/// The first word of a line and the rest, both without surrounding blanks.
pub fn command(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (verb, rest) = line.split_at(end);
    (verb, rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_crlf_or_lf_and_have_a_limit() {
        let data = b"one\r\ntwo\nthr";
        assert_eq!(read(data, 0, 4), Ok(Some((&b"one"[..], 5))));
        assert_eq!(read(data, 5, 3), Ok(Some((&b"two"[..], 9))));
        assert_eq!(read(data, 9, 3), Ok(None));
        assert_eq!(more(data, 9), Progress::need(9, 4));
        let too_long = |at| Err(ParseError::new(Reason::Malformed, at));
        assert_eq!(read(data, 9, 2), too_long(9));
        assert_eq!(read(data, 0, 2), too_long(0), "also where its end is there");
        assert_eq!(command(b"  MAIL  FROM:<a> "), (&b"MAIL"[..], &b"FROM:<a>"[..]));
        let begins = |line: &[u8]| begins_with(line, &["MAIL", "RCPT"]);
        assert_eq!(resync_from(b"rcpt TO:<a>\r\nDATA\r\n", begins), Some(0));
        assert_eq!(resync_from(b"pt TO:<a>\r\nDATA\r\n", begins), Some(11));
        assert_eq!(starts(b"a\nb\n").collect::<Vec<_>>(), [0, 2, 4]);
        assert!(
            is_reply(b"250-x")
                && is_reply(b"354 go")
                && !is_reply(b"2500 x")
                && !is_reply(b"750 x")
        );
        assert_eq!(command(b""), (&b""[..], &b""[..]));
    }
}
