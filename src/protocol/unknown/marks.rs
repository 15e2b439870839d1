//! Marks: unmistakable beginnings of payloads.

use crate::protocol::Media;
use crate::syntax::serialized::{DOTNET_OBJECTS, JAVA_OBJECTS};
use crate::syntax::{ByteOrder, Match, Search, ebcdic, edifact, hl7v2, recording, x12, xdt};
use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

/// Bytes needed to decide whether a mark is genuine; if they are available and do not match, it is not.
const MAX_CHECK: usize = 192;

/// End of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PayloadEnd {
    /// Before the first control character.
    Text,
    /// The same, but the separators FS, GS, RS and US are text (X12, EDIFACT).
    Separated,
    /// The same, in UTF-16: before the first control character of two bytes.
    Wide(ByteOrder),
    /// The same, in EBCDIC.
    Ebcdic,
    /// The same, or before a mark: text without a mark.
    Run,
    /// Decided by its reader.
    Reader,
}

impl PayloadEnd {
    /// Where in `data` it ends.
    pub fn end(self, data: &[u8]) -> Option<usize> {
        let separators = match self {
            Self::Text | Self::Run => false,
            Self::Separated => true,
            Self::Reader => return None,
            Self::Wide(order) => {
                let control = |unit: &[u8]| match *unit {
                    [low, 0] if order == ByteOrder::Little => is_control(low),
                    [0, low] if order == ByteOrder::Big => is_control(low),
                    _ => false,
                };
                return data.chunks_exact(2).position(control).map(|at| at * 2);
            }
            Self::Ebcdic => {
                // Tab, the three line ends, and everything that is no control character.
                let text = |b: &u8| *b >= 0x40 || matches!(b, 0x05 | 0x0d | 0x15 | 0x25);
                return data.iter().position(|b| !text(b));
            }
        };
        data.iter().position(|b| match b {
            b'\t' | b'\n' | 0x0c | b'\r' | 0x1b => false,
            0x1c..=0x1f => !separators,
            _ => *b < b' ',
        })
    }
}

/// Whether a byte is a control character that no text has.
const fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b)
}

/// The beginning of a payload.
#[derive(Debug)]
pub(super) struct Found {
    /// Its media type.
    pub media: Media<'static>,
    /// Where it ends.
    pub end: PayloadEnd,
    /// The preamble in front of it is restored.
    pub preamble: bool,
}

impl Found {
    /// A run of text.
    pub const RUN: Self = Self { media: Media::Unknown, end: PayloadEnd::Run, preamble: false };
}

/// A mark, and the test that distinguishes a payload from bytes that match by chance.
struct Mark {
    bytes: &'static [u8],
    check: fn(&[u8]) -> Match,
    media: Media<'static>,
    end: PayloadEnd,
    preamble: bool,
}

const fn text(bytes: &'static [u8], check: fn(&[u8]) -> Match) -> Mark {
    Mark { bytes, check, media: Media::Unknown, end: PayloadEnd::Text, preamble: false }
}

const fn separated(bytes: &'static [u8], check: fn(&[u8]) -> Match) -> Mark {
    Mark { end: PayloadEnd::Separated, ..text(bytes, check) }
}

const fn binary(bytes: &'static [u8], check: fn(&[u8]) -> Match) -> Mark {
    Mark { end: PayloadEnd::Reader, ..text(bytes, check) }
}

/// At most 64.
static MARKS: &[Mark] = &[
    Mark { media: Media::Hl7v2, ..text(b"MSH", hl7) },
    Mark { media: Media::Hl7v2, ..text(b"FHS", hl7) },
    Mark { media: Media::Hl7v2, ..text(b"BHS", hl7) },
    Mark {
        media: Media::Hl7v2,
        end: PayloadEnd::Wide(ByteOrder::Little),
        ..text(b"M\0S\0H\0", hl7_little)
    },
    Mark {
        media: Media::Hl7v2,
        end: PayloadEnd::Wide(ByteOrder::Big),
        ..text(b"\0M\0S\0H", hl7_big)
    },
    Mark { media: Media::Hl7v2, end: PayloadEnd::Ebcdic, ..text(b"\xd4\xe2\xc8", hl7_ebcdic) },
    separated(b"ISA", x12::interchange),
    separated(b"ST*27", x12::transaction),
    separated(b"ST*83", x12::transaction),
    separated(b"UNB", edifact::begins),
    separated(b"UNA", edifact::begins),
    text(b"0138000", xdt::begins),
    text(b"0148000", xdt::begins),
    text(b"<?xml ", sure),
    text(b"<ClinicalDocument", sure),
    text(b"<Bundle xmlns", sure),
    text(b"<Patient xmlns", sure),
    text(b"{\"resourceType\"", sure),
    text(b"{ \"resourceType\"", sure),
    text(b"{\n  \"resourceType\"", sure),
    text(b"{\n    \"resourceType\"", sure),
    text(b"{\n\t\"resourceType\"", sure),
    text(b"{\r\n  \"resourceType\"", sure),
    text(b"{\"0008", dicom_json),
    binary(b"%PDF-1.", sure),
    binary(b"%PDF-2.", sure),
    binary(b"PK\x03\x04", zip),
    binary(b"7z\xbc\xaf\x27\x1c", sure),
    binary(b"\x1f\x8b\x08", gzip),
    binary(JAVA_OBJECTS, java),
    binary(DOTNET_OBJECTS, sure),
    binary(recording::SCP, scp),
    binary(recording::MFER, mfer),
    binary(recording::ISHNE, sure),
    binary(recording::EDF, recording::edf),
    binary(recording::BDF, recording::edf),
    Mark { preamble: true, ..binary(b"DICM\x02\x00\x00\x00UL", sure) },
];

/// How marks are searched for.
struct Index {
    /// By vector instructions, where the processor has them.
    vectors: Option<Searcher>,
    /// Byte by byte.
    automaton: Option<AhoCorasick>,
    /// The marks that begin with each byte, a bit for each.
    first: [u64; 256],
    /// Length of the longest mark.
    longest: usize,
}

/// Over all marks. Their number and size are fixed, so building it cannot fail; if it did, nothing would be found.
static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let marks = || MARKS.iter().map(|m| m.bytes);
    let kind = packed::MatchKind::LeftmostFirst;
    let vectors = packed::Config::new().match_kind(kind).builder().extend(marks()).build();
    let automaton = match vectors {
        Some(_) => None,
        None => AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(marks()).ok(),
    };
    let mut first = [0; 256];
    for (at, mark) in marks().enumerate() {
        if let Some(slot) = mark.first().and_then(|b| first.get_mut(usize::from(*b))) {
            *slot |= 1 << at;
        }
    }
    let longest = marks().map(<[u8]>::len).max().unwrap_or(0);
    Index { vectors, automaton, first, longest }
});

impl Index {
    /// Every mark in `data`, from the front: its offset and which one it is.
    fn find<'a>(&'a self, data: &'a [u8]) -> impl Iterator<Item = (usize, &'static Mark)> + 'a {
        let vectors = self.vectors.iter().flat_map(move |search| {
            search.find_iter(data).map(|hit| (hit.start(), hit.pattern().as_usize()))
        });
        let automaton = self.automaton.iter().flat_map(move |search| {
            search.find_iter(data).map(|hit| (hit.start(), hit.pattern().as_usize()))
        });
        vectors.chain(automaton).filter_map(|(at, mark)| Some((at, MARKS.get(mark)?)))
    }
}

/// The first payload that begins in `data`.
pub(super) fn find(data: &[u8]) -> Search<Found> {
    find_until(data, data.len())
}

/// The first payload in `data` that begins at `last` or before.
pub(super) fn find_until(data: &[u8], last: usize) -> Search<Found> {
    let head = data.get(..last.saturating_add(INDEX.longest)).unwrap_or(data);
    for (at, mark) in INDEX.find(head).take_while(|(at, _)| *at <= last) {
        let rest = data.get(at..).unwrap_or_default();
        match (mark.check)(rest) {
            Match::Yes(()) => {
                let Mark { media, end, preamble, .. } = *mark;
                return Search::Found(at, Found { media, end, preamble });
            }
            Match::More if rest.len() < MAX_CHECK => return Search::perhaps(at, data),
            Match::More | Match::No => {}
        }
    }
    match cut(data) {
        Some(at) if at <= last => Search::perhaps(at, data),
        _ => Search::None,
    }
}

/// Where at the end of `data` a mark may begin that is cut.
fn cut(data: &[u8]) -> Option<usize> {
    let from = data.len().saturating_sub(INDEX.longest.saturating_sub(1));
    let tail = data.get(from..)?;
    let begins = |at: &usize| {
        let rest = tail.get(*at..).unwrap_or_default();
        let mut marks = rest.first().map_or(0, |byte| INDEX.first[usize::from(*byte)]);
        while marks != 0 {
            let mark = MARKS.get(marks.trailing_zeros() as usize).map_or(&[][..], |m| m.bytes);
            if mark.len() > rest.len() && mark.starts_with(rest) {
                return true;
            }
            marks &= marks - 1;
        }
        false
    };
    (0..tail.len()).find(begins).map(|at| from + at)
}

const fn sure(_: &[u8]) -> Match {
    Match::Yes(())
}

fn hl7(data: &[u8]) -> Match {
    hl7v2::header(data, true).map(|_| ())
}

/// The same in UTF-16, where every other byte of a header is zero.
fn hl7_little(data: &[u8]) -> Match {
    wide(data, 0)
}

fn hl7_big(data: &[u8]) -> Match {
    wide(data, 1)
}

fn wide(data: &[u8], at: usize) -> Match {
    let head = data.get(..2 * MAX_CHECK).unwrap_or(data);
    let narrow: Vec<u8> = head.iter().skip(at).step_by(2).copied().collect();
    match hl7(&narrow) {
        // Twice as many bytes are needed.
        Match::More if head.len() == 2 * MAX_CHECK => Match::No,
        answer => answer,
    }
}

/// The same in EBCDIC.
fn hl7_ebcdic(data: &[u8]) -> Match {
    let head = data.get(..MAX_CHECK).unwrap_or(data);
    let text: String = head.iter().map(|b| ebcdic::character(*b)).collect();
    hl7(text.as_bytes())
}

/// The first key is an attribute tag in eight hexadecimal digits (PS3.18 F.2.2).
fn dicom_json(data: &[u8]) -> Match {
    match data.get(2..11) {
        None => Match::More,
        Some([digits @ .., b'"']) if digits.iter().all(u8::is_ascii_hexdigit) => Match::Yes(()),
        Some(_) => Match::No,
    }
}

/// Section 0 of SCP-ECG goes on with its pointers, the first of which is to itself (EN 1064 5.3.3).
fn scp(data: &[u8]) -> Match {
    match data.get(6..8) {
        None => Match::More,
        Some([0, 0]) => Match::Yes(()),
        Some(_) => Match::No,
    }
}

/// The preamble of MFER is 32 bytes of text, and a tag follows (ISO 22077-1 5.2).
fn mfer(data: &[u8]) -> Match {
    match data.get(..34) {
        None => Match::More,
        Some(head) if head.iter().all(|b| (b' '..=b'~').contains(b) || *b == 0) => Match::Yes(()),
        Some(_) => Match::No,
    }
}

/// A local header: a version below 7 and a method in use (APPNOTE 4.4.3, 4.4.5).
fn zip(data: &[u8]) -> Match {
    match data.get(4..10) {
        None => Match::More,
        Some([0..=63, 0, _, _, 0 | 8 | 9 | 12 | 14 | 93 | 95 | 99, 0]) => Match::Yes(()),
        Some(_) => Match::No,
    }
}

/// An element follows the header of a stream of objects (Java Object Serialization Specification 6.4.2).
fn java(data: &[u8]) -> Match {
    match data.get(4) {
        None => Match::More,
        Some(0x70..=0x7e) => Match::Yes(()),
        Some(_) => Match::No,
    }
}

/// Reserved flags are zero, and the extra flags and operating system known (RFC 1952 2.3.1).
fn gzip(data: &[u8]) -> Match {
    match data.get(3..10) {
        None => Match::More,
        Some([flags, .., 0 | 2 | 4, 0..=13 | 255]) if flags & 0xe0 == 0 => Match::Yes(()),
        Some(_) => Match::No,
    }
}
