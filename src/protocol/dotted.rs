//! Text up to a line with a single dot, in which lines that begin with a dot have another one in front (RFC 5321
//! 4.5.2, RFC 1939 3).

/// Position in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dotted {
    /// The next byte begins a line.
    line_start: bool,
}

/// The piece at the front of the text.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece {
    /// This many bytes of text.
    Text(usize),
    /// A dot that the sender added.
    Stuffed,
    /// The line with the dot, of this many bytes.
    End(usize),
    /// Not enough bytes to decide.
    More,
}

impl Dotted {
    /// At the beginning of the text.
    pub const fn new() -> Self {
        Self { line_start: true }
    }

    /// Behind a lost part, where the next bytes do not begin a line.
    pub const fn after_gap() -> Self {
        Self { line_start: false }
    }

    /// The piece at the front of `data`, which is not empty.
    pub fn next(&mut self, data: &[u8]) -> Piece {
        if self.line_start && data.first() == Some(&b'.') {
            return match data {
                [_, b'\r', b'\n', ..] => Piece::End(3),
                [_, b'\n', ..] => Piece::End(2),
                [_] | [_, b'\r'] => Piece::More,
                _ => {
                    self.line_start = false;
                    Piece::Stuffed
                }
            };
        }
        let end = memchr::memmem::find(data, b"\n.").map_or(data.len(), |at| at + 1);
        self.line_start = data.get(..end).is_some_and(|text| text.ends_with(b"\n"));
        Piece::Text(end)
    }
}
