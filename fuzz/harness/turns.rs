//! A conversation as bytes, in a form that any bytes have. Each turn is a byte of flags (bit 0: the
//! server speaks, bit 1: bytes are lost before it), two bytes of length, then the bytes.

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whether the server speaks.
    pub server: bool,
    /// Bytes lost before it.
    pub lost: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Most turns of one input.
const MAX_TURNS: usize = 256;
/// Length of a loss: more than a header, less than a body.
const LOST: u64 = 37;

/// Reads an input.
pub fn parse(mut rest: &[u8]) -> Vec<Turn> {
    let mut turns = Vec::new();
    while let [how, high, low, tail @ ..] = rest
        && turns.len() < MAX_TURNS
    {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (bytes, after) = tail.split_at(len);
        turns.push(Turn {
            server: how & 1 != 0,
            lost: if how & 2 != 0 { LOST } else { 0 },
            bytes: bytes.to_vec(),
        });
        rest = after;
    }
    turns
}

/// Writes an input that [`parse`] reads back; turns of more than 64 KiB are split.
pub fn write(turns: &[Turn]) -> Vec<u8> {
    let mut out = Vec::new();
    for turn in turns {
        let mut how = u8::from(turn.server) | (u8::from(turn.lost > 0) << 1);
        let empty: &[u8] = &[];
        let pieces = turn.bytes.chunks(usize::from(u16::MAX));
        for piece in pieces.chain(turn.bytes.is_empty().then_some(empty)) {
            out.push(how);
            out.extend((piece.len() as u16).to_be_bytes());
            out.extend(piece);
            how &= 1;
        }
    }
    out
}
