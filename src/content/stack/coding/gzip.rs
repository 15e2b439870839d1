//! The framing of gzip (RFC 1952). The deflate in it is read bare: a monitor takes what came over the wire,
//! and computing the checksum of every byte only to be sure would cost a quarter of the time of inflating.

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Bytes of a header that are always there.
const FIXED: u8 = 10;
/// CRC-32 and length behind the deflate.
const TRAILER: u8 = 8;

/// FLG, 2.3.1.
const CHECK: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

/// Position of the input within a member.
#[derive(Default)]
pub(super) struct Gzip {
    part: Part,
    /// Fields of the header that are still to come.
    flags: u8,
}

#[derive(Clone, Copy)]
enum Part {
    Fixed(u8),
    /// XLEN, its first byte if that has come.
    ExtraLen(Option<u8>),
    Extra(u16),
    /// A text that ends with zero.
    Text,
    Check(u8),
    Body,
    Trailer(u8),
    Done,
}

impl Default for Part {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

impl Gzip {
    /// Deflate comes next.
    pub fn is_body(&self) -> bool {
        matches!(self.part, Part::Body)
    }

    /// The member has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.part, Part::Done)
    }

    /// The deflate has ended.
    pub fn end_body(&mut self) {
        self.part = Part::Trailer(0);
    }

    /// Reads the header up to the deflate, or the trailer to its end; how much of `input` that is. None if it
    /// is no gzip.
    pub fn read(&mut self, input: &[u8]) -> Option<usize> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            used += 1;
            self.part = match self.part {
                Part::Body | Part::Done => return Some(used - 1),
                Part::Fixed(at) => {
                    if MAGIC.get(usize::from(at)).is_some_and(|magic| *magic != byte) {
                        return None;
                    }
                    if usize::from(at) == MAGIC.len() {
                        self.flags = byte;
                    }
                    match (self.flags & RESERVED, at + 1) {
                        (0, FIXED) => self.next(),
                        (0, at) => Part::Fixed(at),
                        _ => return None,
                    }
                }
                Part::ExtraLen(None) => Part::ExtraLen(Some(byte)),
                Part::ExtraLen(Some(low)) => match u16::from_le_bytes([low, byte]) {
                    0 => self.next(),
                    len => Part::Extra(len),
                },
                Part::Extra(1) => self.next(),
                Part::Extra(left) => Part::Extra(left - 1),
                Part::Text if byte == 0 => self.next(),
                Part::Text => Part::Text,
                Part::Check(0) => Part::Check(1),
                Part::Check(_) => self.next(),
                Part::Trailer(at) if at + 1 == TRAILER => Part::Done,
                Part::Trailer(at) => Part::Trailer(at + 1),
            };
        }
        Some(used)
    }

    /// The next field of the header, in their order.
    fn next(&mut self) -> Part {
        let fields = [
            (EXTRA, Part::ExtraLen(None)),
            (NAME, Part::Text),
            (COMMENT, Part::Text),
            (CHECK, Part::Check(0)),
        ];
        let next = fields.into_iter().find(|(flag, _)| self.flags & flag != 0);
        let Some((flag, part)) = next else { return Part::Body };
        self.flags &= !flag;
        part
    }
}
