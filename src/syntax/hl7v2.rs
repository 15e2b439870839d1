//! Recognises the beginning of HL7 v2 messages: start blocks and header segments (ER7).

use super::{ByteOrder, Match, astm, edifact, poct1a, xdt};

/// `<SB>`, vertical tab.
pub const START_BLOCK: u8 = 0x0B;
/// `<EB>`, file separator. It may not occur inside a message, so it ends one even without the CR
/// after it.
pub const END_BLOCK: u8 = 0x1C;
/// STX, which some senders write as start block.
pub const STX: u8 = 0x02;
/// ETX, which ends what STX began.
pub const ETX: u8 = 0x03;

/// How messages are framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Start block and end block.
    Mllp,
    /// STX and ETX.
    Stx,
}

impl Framing {
    /// The framing whose start byte this is.
    pub const fn started_by(byte: u8) -> Option<Self> {
        match byte {
            START_BLOCK => Some(Self::Mllp),
            STX => Some(Self::Stx),
            _ => None,
        }
    }
    /// The byte that starts a message.
    pub const fn start(self) -> u8 {
        match self {
            Self::Mllp => START_BLOCK,
            Self::Stx => STX,
        }
    }
    /// The byte that ends a message.
    pub const fn end(self) -> u8 {
        match self {
            Self::Mllp => END_BLOCK,
            Self::Stx => ETX,
        }
    }
}

/// Most bytes between the start block and the header: line ends, spaces, a byte order mark, a
/// repeated start block, or the header of the hybrid lower layer protocol (`D23` CR).
pub const MAX_FILLER: usize = 12;
/// Length of `MSH|` in UTF-16, bytes.
const WIDE_HEADER: usize = 8;
/// Longest MSH-2 accepted as encoding characters. The standard has four, from 2.7 on five; some
/// senders escape one of them for XML.
pub const MAX_ENCODING: usize = 8;
/// Longest name of a root element.
const MAX_NAME: usize = 64;

/// A framed message, from its start block on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framed {
    /// How its end is marked.
    pub framing: Framing,
    /// Bytes between the start block and the message.
    pub filler: usize,
    /// How the message begins.
    pub opening: Opening,
}

/// How a framed message begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// `MSH`.
    Message,
    /// `FHS` or `BHS`.
    Batch,
    /// `PID`, if the header was lost.
    Patient,
    /// X12, EDIFACT, xDT, XML and others in the same framing.
    Other,
    /// `MSH` in UTF-16.
    Wide(ByteOrder),
}

/// Recognises what follows the start block at `data[0]`. With `sure`, only a message may be there.
pub fn block(data: &[u8], sure: bool) -> Match<Framed> {
    let Some(&first) = data.first() else { return Match::More };
    let Some(framing) = Framing::started_by(first) else { return Match::No };
    // Possibly the start of a commit acknowledgment (MLLP release 2).
    if let [_, 0x06 | 0x15] = data {
        return Match::More;
    }
    let mut filler = 1;
    // Hybrid lower layer protocol: `D`, the version and a CR precede the message.
    match data.get(1..5) {
        Some([b'D', a, b, b'\r']) if a.is_ascii_digit() && b.is_ascii_digit() => filler = 5,
        Some(_) => {}
        None if data.get(1) == Some(&b'D') => return Match::More,
        None => {}
    }
    while let Some(&byte) = data.get(filler) {
        // Some senders write the start block twice.
        let again = byte == START_BLOCK && framing == Framing::Mllp && filler == 1;
        if !again && !matches!(byte, b'\r' | b'\n' | b' ' | 0xEF | 0xBB | 0xBF) {
            break;
        }
        filler += 1;
        if filler > MAX_FILLER {
            return Match::No;
        }
    }
    match wide(data.get(1..).unwrap_or(&[])) {
        Match::Yes(Wide { half, order }) => {
            let filler = 1 + usize::from(half);
            return Match::Yes(Framed { framing, filler, opening: Opening::Wide(order) });
        }
        Match::More => return Match::More,
        Match::No => {}
    }
    let rest = data.get(filler..).unwrap_or(&[]);
    match header(rest, false) {
        Match::Yes(opening) => Match::Yes(Framed { framing, filler, opening }),
        Match::More => Match::More,
        Match::No if framing == Framing::Stx => Match::No,
        Match::No => match other(rest, sure) {
            Match::Yes(opening) => Match::Yes(Framed { framing, filler, opening }),
            Match::More => Match::More,
            Match::No => Match::No,
        },
    }
}

/// A UTF-16 header.
struct Wide {
    /// Whether it follows the second byte of a start block that is itself two bytes wide.
    half: bool,
    order: ByteOrder,
}

/// Recognises UTF-16 after a start block. A byte order mark belongs to the message. Without one, a
/// zero byte may be the second half of a little-endian start block, or the first half of a
/// big-endian letter; a big-endian start block has a zero before it ([`wide_start`]).
fn wide(data: &[u8]) -> Match<Wide> {
    match data {
        [0xFF, 0xFE, text @ ..] => wide_header(text, ByteOrder::Little, false),
        [0xFE, 0xFF, text @ ..] => wide_header(text, ByteOrder::Big, false),
        [0xFF | 0xFE] => Match::More,
        [0, 0xFF, 0xFE, text @ ..] => wide_header(text, ByteOrder::Little, true),
        [0] | [0, 0xFF] => Match::More,
        [0, text @ ..] => wide_header(text, ByteOrder::Little, true),
        _ => wide_header(data, ByteOrder::Little, false),
    }
}

/// Recognises a big-endian start block and header at the start of `data`.
pub fn wide_start(data: &[u8]) -> Match<Framed> {
    const START: u8 = Framing::Mllp.start();
    match data {
        [0] | [0, START] | [0, START, 0xFE] => Match::More,
        [0, START, mark @ (0xFE | 0), text @ ..] => {
            let text = match (mark, text) {
                (0xFE, [0xFF, text @ ..]) => text,
                _ => data.get(2..).unwrap_or(&[]),
            };
            match wide_header(text, ByteOrder::Big, false) {
                Match::Yes(Wide { order, .. }) => Match::Yes(Framed {
                    framing: Framing::Mllp,
                    filler: 2,
                    opening: Opening::Wide(order),
                }),
                Match::More => Match::More,
                Match::No => Match::No,
            }
        }
        _ => Match::No,
    }
}

/// Whether `data` starts with the name of a header segment and a delimiter in this byte order.
fn wide_header(data: &[u8], order: ByteOrder, half: bool) -> Match<Wide> {
    let head = data.get(..WIDE_HEADER).unwrap_or(data);
    let is = |name: &[u8; 3]| {
        head.iter().enumerate().all(|(at, &byte)| {
            if at.is_multiple_of(2) != (order == ByteOrder::Little) {
                return byte == 0;
            }
            name.get(at / 2).map_or_else(|| is_delimiter(byte), |letter| *letter == byte)
        })
    };
    let found = [b"MSH", b"FHS", b"BHS"].into_iter().any(is);
    match (found, head.len()) {
        (true, WIDE_HEADER) => Match::Yes(Wide { half, order }),
        // One letter is not enough: the narrow header is tried instead.
        (true, 0 | 1) if !half => Match::No,
        (true, _) => Match::More,
        (false, _) => Match::No,
    }
}

/// Recognises other formats in this framing: X12, EDIFACT, xDT and XML. In text, a vertical tab is
/// a line end. Where it need not be a start block (`!sure`), only what never occurs in text counts.
fn other(data: &[u8], sure: bool) -> Match<Opening> {
    // The filler was skipped already.
    if data.first().is_some_and(|b| !b.is_ascii_graphic()) {
        return Match::No;
    }
    let mut more = false;
    for lead in [&b"ISA"[..], b"<?xml", b"<ClinicalDocument"] {
        if data.starts_with(lead) {
            return Match::Yes(Opening::Other);
        }
        more |= lead.starts_with(data);
    }
    let found = [edifact::begins(data), xdt::begins(data), poct1a::begins(data)];
    for probe in found {
        match probe {
            Match::Yes(()) => return Match::Yes(Opening::Other),
            Match::More => more = true,
            Match::No => {}
        }
    }
    for found in [element(data), object(data), records(data)].into_iter().filter(|_| sure) {
        match found {
            Match::Yes(_) => return found,
            Match::More => more = true,
            Match::No => {}
        }
    }
    if more { Match::More } else { Match::No }
}

/// An XML document without declaration: the name of the root element, or a comment or document type
/// before it.
fn element(data: &[u8]) -> Match<Opening> {
    let Some(rest) = data.strip_prefix(b"<") else { return Match::No };
    if matches!(rest, [b'!', ..]) {
        return Match::Yes(Opening::Other);
    }
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
    let len = rest.iter().take(MAX_NAME).take_while(|b| is_name(b)).count();
    match rest.get(len) {
        _ if rest.first().is_some_and(|b| !b.is_ascii_alphabetic()) => Match::No,
        None if len < MAX_NAME => Match::More,
        Some(end) if end.is_ascii_whitespace() || matches!(end, b'>' | b'/') => {
            if len > 0 {
                Match::Yes(Opening::Other)
            } else {
                Match::No
            }
        }
        _ => Match::No,
    }
}

/// A JSON object: a brace and its first key.
fn object(data: &[u8]) -> Match<Opening> {
    let Some(rest) = data.strip_prefix(b"{") else { return Match::No };
    let blank = rest.iter().take(MAX_FILLER).take_while(|b| b.is_ascii_whitespace()).count();
    match rest.get(blank..) {
        Some([]) if blank < MAX_FILLER => Match::More,
        Some([b'"']) => Match::More,
        Some([b'"', key, ..]) if key.is_ascii_graphic() => Match::Yes(Opening::Other),
        _ => Match::No,
    }
}

/// Records of ASTM E1394.
fn records(data: &[u8]) -> Match<Opening> {
    match astm::header(data) {
        Match::Yes(()) => Match::Yes(Opening::Other),
        Match::More => Match::More,
        Match::No => Match::No,
    }
}

/// Whether `data` starts with a header segment (HL7 v2 chapter 2.14.9): a name and a field
/// separator. With `strict`, for unframed data, the encoding characters must follow between two
/// separators and all differ.
pub fn header(data: &[u8], strict: bool) -> Match<Opening> {
    match wide(data) {
        Match::Yes(Wide { half: false, order }) => return Match::Yes(Opening::Wide(order)),
        Match::More if !data.starts_with(&[0]) => return Match::More,
        _ => {}
    }
    let name = data.get(..3).unwrap_or(data);
    let opening = match [&b"MSH"[..], b"FHS", b"BHS"].iter().position(|n| n.starts_with(name)) {
        Some(0) => Opening::Message,
        Some(_) => Opening::Batch,
        None => return Match::No,
    };
    let Some(&field) = data.get(3) else {
        return Match::More;
    };
    if !is_delimiter(field) {
        return Match::No;
    }
    if !strict {
        return Match::Yes(opening);
    }
    let encoding = data.get(4..).unwrap_or(&[]);
    for (i, &byte) in encoding.iter().enumerate().take(MAX_ENCODING + 1) {
        let ends = byte == field || (opening == Opening::Batch && matches!(byte, b'\r' | b'\n'));
        if ends {
            return if i > 0 { Match::Yes(opening) } else { Match::No };
        }
        if !is_delimiter(byte) || encoding.get(..i).is_some_and(|before| before.contains(&byte)) {
            return Match::No;
        }
    }
    if encoding.len() > MAX_ENCODING { Match::No } else { Match::More }
}

/// Whether a `PID` segment with the recommended separator starts here: the rest of a message whose
/// header was lost.
pub fn patient(data: &[u8]) -> Match<Opening> {
    match data {
        [b'P', b'I', b'D', b'|', b'0'..=b'9' | b'|', ..] => Match::Yes(Opening::Patient),
        [b'P'] | [b'P', b'I'] | [b'P', b'I', b'D'] | [b'P', b'I', b'D', b'|'] => Match::More,
        _ => Match::No,
    }
}

/// Whether a byte may be a delimiter: printable ASCII, neither letter nor digit.
pub const fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_punctuation()
}

/// Whether a message is an acknowledgment, by MSH-9. `None` if the header is not complete up to
/// there.
pub fn is_acknowledgment(message: &[u8]) -> Option<bool> {
    /// Most bytes of a header segment that are searched.
    const MAX_HEADER: usize = 512;
    let field = *message.get(3)?;
    let cut = message.get(..MAX_HEADER).unwrap_or(message);
    let end = cut.iter().position(|b| matches!(b, b'\r' | b'\n' | 0x1C));
    let header = end.and_then(|e| cut.get(..e)).unwrap_or(cut);
    // MSH-1 is the separator itself, so MSH-9 is the ninth piece.
    match header.split(|&b| b == field).nth(8) {
        Some(kind) if kind.len() >= 4 || end.is_some() => Some(kind.starts_with(b"ACK")),
        _ if end.is_some() || message.len() >= MAX_HEADER => Some(false),
        _ => None,
    }
}
