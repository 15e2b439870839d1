//! Headers of NCPDP Telecommunication (D.0, 5.1): fields of fixed length without separators.

use super::Match;

/// Segment separator.
pub const SEGMENT: u8 = 0x1E;
/// Group separator, before each transaction.
pub const GROUP: u8 = 0x1D;
/// Field separator.
pub const FIELD: u8 = 0x1C;

/// Length of the header of a request: BIN, version, transaction, processor control number, count,
/// provider and its qualifier, date, software.
pub const REQUEST: usize = 56;
/// Length of the header of a response: version, transaction, count, status, provider and its
/// qualifier, date.
pub const RESPONSE: usize = 31;
/// Longest framing before a header, bytes: STX, or a length of two or four bytes or of digits.
pub const MAX_FRAMING: usize = 12;

/// A parsed header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Whether it is a request and not a response.
    pub request: bool,
    /// Transaction code: `B1` (claim), `E1` (eligibility), ...
    pub transaction: [u8; 2],
    /// Version: `D0`, `51`.
    pub version: [u8; 2],
}

/// The header that ends at the end of `text`, before a separator, and the number of bytes before
/// it.
pub fn at_end(text: &[u8]) -> Option<(Header, usize)> {
    [(REQUEST, true), (RESPONSE, false)].into_iter().find_map(|(length, request)| {
        let at = text.len().checked_sub(length)?;
        let header = text.get(at..)?;
        let fits = header.iter().enumerate().all(|(i, b)| accepts(request, i, *b));
        let from = if request { 6 } else { 0 };
        let header = Header {
            request,
            version: header.get(from..from + 2)?.try_into().ok()?,
            transaction: header.get(from + 2..from + 4)?.try_into().ok()?,
        };
        (fits && matches!(&header.version, b"D0" | b"51" | b"D1" | b"D2" | b"E0"))
            .then_some((header, at))
    })
}

/// Whether a byte is valid at offset `at` of a header.
const fn accepts(request: bool, at: usize, byte: u8) -> bool {
    let at = if request { at } else { at + 6 };
    let printable = matches!(byte, b' '..=b'~');
    match at {
        0..=5 => byte.is_ascii_digit(),
        6..=9 => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        // The count follows the processor control number, which responses lack.
        10 if !request => byte.is_ascii_digit(),
        11 if !request => byte.is_ascii_uppercase(),
        20 if request => byte.is_ascii_digit(),
        38..=45 if request => byte.is_ascii_digit(),
        29..=36 if !request => byte.is_ascii_digit(),
        _ => printable,
    }
}

/// Whether a transmission begins at `data` or after its framing.
pub fn begins(data: &[u8]) -> Match<(Header, usize)> {
    match batch(data) {
        Match::More if data.len() <= MAX_FRAMING => {}
        Match::No => {}
        found => return found,
    }
    one(data)
}

/// The first transmission of a batch (Batch Standard 1.2). It follows the header record, `STX 00
/// ... ETX`, and then `STX G1` with a reference number.
fn batch(data: &[u8]) -> Match<(Header, usize)> {
    /// Most bytes up to the end of the first transmission's header.
    const MAX_BATCH_HEADER: usize = 512;
    const HEADER: &[u8] = b"\x0200";
    const TRANSACTION: &[u8] = b"\x02G1";
    let head = data.trim_ascii_start();
    let (start, kind) = head.split_at_checked(HEADER.len()).unwrap_or((head, &[]));
    let known = kind.first().is_none_or(|kind| matches!(kind, b'T' | b'R' | b'E'));
    if !HEADER.starts_with(start) || !known {
        return Match::No;
    }
    let looked = data.get(..MAX_BATCH_HEADER).unwrap_or(data);
    let separator = memchr::memmem::find(looked, TRANSACTION).and_then(|at| {
        let behind = looked.get(at..)?;
        Some(at + memchr::memchr2(SEGMENT, GROUP, behind)?)
    });
    match separator {
        Some(at) => Match::of(looked.get(..at).and_then(at_end)),
        None if looked.len() < MAX_BATCH_HEADER => Match::More,
        None => Match::No,
    }
}

fn one(data: &[u8]) -> Match<(Header, usize)> {
    let mut more = false;
    for framing in 0..=MAX_FRAMING {
        let Some(rest) = data.get(framing..) else { break };
        for (length, request) in [(REQUEST, true), (RESPONSE, false)] {
            let fits = rest.iter().take(length).enumerate().all(|(i, b)| accepts(request, i, *b));
            if !fits {
                continue;
            }
            let from = if request { 6 } else { 0 };
            let version = rest.get(from..rest.len().min(from + 2)).unwrap_or(&[]);
            if ![b"D0", b"51", b"D1", b"D2", b"E0"].iter().any(|v| v.starts_with(version)) {
                continue;
            }
            match rest.get(length..) {
                Some([SEGMENT | GROUP, FIELD | SEGMENT, ..]) => {
                    if let Some((header, _)) = rest.get(..length).and_then(at_end) {
                        return Match::Yes((header, framing));
                    }
                }
                Some([SEGMENT | GROUP]) => more = true,
                Some([_, ..]) => {}
                // The version must be present, unless the data is no longer than framing may be.
                Some([]) | None => more |= rest.len() > from || data.len() <= MAX_FRAMING + from,
            }
        }
    }
    if more { Match::More } else { Match::No }
}
