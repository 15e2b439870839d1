//! A push tokenizer for JSON (RFC 8259) and rows of JSON texts (NDJSON, RFC 7464).
//!
//! It takes pieces of any size, keeps at most one short string, and passes over the strings that
//! nobody wants without looking at more than quotes and backslashes. It is lenient about commas and
//! colons: the receiver is not a validator.

use memchr::memchr2;

/// Deepest nesting of objects and arrays.
pub const MAX_NESTING: usize = 128;

/// Longest key that is looked at, bytes.
pub const MAX_KEY: usize = 128;

/// Longest value that is kept, bytes; a longer one identifies nobody by itself.
pub const MAX_VALUE: usize = 1024;

/// Bytes of a string from which it is told whether it is read piece by piece.
pub const HEAD: usize = 8;

/// What takes the tokens.
pub trait Receiver {
    /// An object or array begins.
    fn open(&mut self, object: bool);
    /// The innermost object or array ends.
    fn close(&mut self);
    /// The key of the next value; empty if it was too long.
    fn key(&mut self, key: &str);
    /// Whether the next string or number is wanted.
    fn wants(&mut self) -> bool;
    /// A wanted string or number.
    fn value(&mut self, text: &str);
    /// A value that is neither wanted nor `null`.
    fn passed(&mut self);
    /// Whether a string that begins so is read piece by piece, however long it is.
    fn carries(&mut self, head: &[u8]) -> bool {
        let _ = head;
        false
    }
    /// The next bytes of such a string.
    fn piece(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
    /// Its end.
    fn piece_end(&mut self) {}
}

/// Why a text cannot be read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is no JSON.
    Malformed,
    /// It nests too deeply.
    Limit,
}

/// The state between two pieces.
#[derive(Default)]
pub struct Tokens {
    /// A bit for each open container: 1 for an object.
    stack: [u64; MAX_NESTING / 64],
    depth: usize,
    /// The next string is a key.
    at_key: bool,
    mode: Mode,
    /// What is kept of an unfinished string or number.
    held: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Between,
    /// In a string: what it is for.
    Text(Use),
    /// Behind a backslash.
    Escape(Use),
    /// Behind `\u`: digits read, value so far, high surrogate before it.
    Unicode { of: Use, digits: u8, code: u16, high: u16 },
    /// Behind a high surrogate: a backslash may follow.
    Surrogate { of: Use, high: u16 },
    /// Behind a high surrogate and a backslash.
    SurrogateEscape { of: Use, high: u16 },
    /// In a number or a name.
    Word { wanted: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Key,
    Value,
    Nothing,
    /// The first bytes of a value, wanted or not.
    Head(bool),
    /// A value that is read piece by piece.
    Piece,
}

impl Tokens {
    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Whether nothing is open.
    pub fn at_end(&self) -> bool {
        self.depth == 0 && self.mode == Mode::Between
    }

    /// Reads a piece.
    pub fn read(&mut self, mut bytes: &[u8], to: &mut impl Receiver) -> Result<(), Fault> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.mode {
                Mode::Between => {
                    bytes = rest;
                    self.structure(byte, to)?;
                }
                Mode::Text(of) => bytes = self.text(bytes, of, to),
                Mode::Word { wanted } => bytes = self.word(bytes, wanted, to),
                _ => {
                    if self.escape(byte)? {
                        bytes = rest;
                    }
                }
            }
        }
        Ok(())
    }

    /// No more will come: a number at the top level ends here.
    pub fn finish(&mut self, to: &mut impl Receiver) {
        if let Mode::Word { wanted } = self.mode {
            self.word_end(wanted, to);
        }
    }

    fn structure(&mut self, byte: u8, to: &mut impl Receiver) -> Result<(), Fault> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' if self.at_key => self.mode = Mode::Text(Use::Key),
            b'"' => {
                let wanted = to.wants();
                self.held.clear();
                self.mode = Mode::Text(Use::Head(wanted));
            }
            b',' => self.at_key = self.in_object(),
            b':' => self.at_key = false,
            b'{' | b'[' => {
                let object = byte == b'{';
                let (word, bit) = (self.depth / 64, self.depth % 64);
                let Some(word) = self.stack.get_mut(word) else {
                    return Err(Fault::Limit);
                };
                *word = *word & !(1 << bit) | u64::from(object) << bit;
                self.depth += 1;
                self.at_key = object;
                to.open(object);
            }
            b'}' | b']' => {
                if self.depth == 0 || self.in_object() != (byte == b'}') {
                    return Err(Fault::Malformed);
                }
                self.depth -= 1;
                self.at_key = false;
                to.close();
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' if !self.at_key => {
                let number = byte == b'-' || byte.is_ascii_digit();
                let wanted = number && to.wants();
                self.held.clear();
                self.held.push(byte);
                self.mode = Mode::Word { wanted };
            }
            // A byte order mark, and the separator of RFC 7464.
            0xef | 0xbb | 0xbf | 0x1e if self.depth == 0 => {}
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }

    fn in_object(&self) -> bool {
        let Some(top) = self.depth.checked_sub(1) else { return false };
        self.stack.get(top / 64).is_some_and(|word| word >> (top % 64) & 1 == 1)
    }

    /// Reads on in a string, up to its end or the next escape.
    fn text<'a>(&mut self, bytes: &'a [u8], of: Use, to: &mut impl Receiver) -> &'a [u8] {
        if let Use::Head(wanted) = of {
            return self.head(bytes, wanted, to);
        }
        if of == Use::Piece {
            return self.piece(bytes, to);
        }
        let Some(at) = memchr2(b'"', b'\\', bytes) else {
            self.hold(bytes, of);
            return &[];
        };
        let (run, rest) = bytes.split_at(at);
        let escape = rest.first() == Some(&b'\\');
        let rest = rest.get(1..).unwrap_or_default();
        if escape {
            self.hold(run, of);
            self.mode = Mode::Escape(of);
            return rest;
        }
        self.mode = Mode::Between;
        match of {
            Use::Nothing => to.passed(),
            _ if self.held.is_empty() => hand(run, of, to),
            _ => {
                self.hold(run, of);
                hand(&self.held, of, to);
                self.held.clear();
            }
        }
        rest
    }

    /// Reads the first bytes of a value, up to its end or the next escape.
    fn head<'a>(&mut self, bytes: &'a [u8], wanted: bool, to: &mut impl Receiver) -> &'a [u8] {
        let room = HEAD.saturating_sub(self.held.len());
        let head = bytes.get(..room).unwrap_or(bytes);
        let end = memchr2(b'"', b'\\', head);
        let (run, rest) = bytes.split_at(end.unwrap_or(head.len()));
        self.held.extend_from_slice(run);
        let ended = end.is_some() && rest.first() == Some(&b'"');
        if self.held.len() >= HEAD || ended {
            let of = if to.carries(&self.held) {
                Use::Piece
            } else if wanted {
                Use::Value
            } else {
                self.held.clear();
                Use::Nothing
            };
            self.mode = Mode::Text(of);
            return rest;
        }
        if end.is_some() {
            self.mode = Mode::Escape(Use::Head(wanted));
            return rest.get(1..).unwrap_or_default();
        }
        rest
    }

    /// Reads on in a value that is read piece by piece.
    fn piece<'a>(&mut self, bytes: &'a [u8], to: &mut impl Receiver) -> &'a [u8] {
        // What an escape stood for, or the head.
        if !self.held.is_empty() {
            to.piece(&self.held);
            self.held.clear();
        }
        let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at(end);
        if !run.is_empty() {
            to.piece(run);
        }
        match rest.first() {
            Some(b'"') => {
                to.piece_end();
                self.mode = Mode::Between;
            }
            Some(_) => self.mode = Mode::Escape(Use::Piece),
            None => {}
        }
        rest.get(1..).unwrap_or_default()
    }

    /// Keeps part of a string; of one that is too long, no more than shows that it is.
    fn hold(&mut self, run: &[u8], of: Use) {
        let cap = match of {
            Use::Nothing => return,
            Use::Key => MAX_KEY + 1,
            Use::Value => MAX_VALUE + 1,
            // What an escape stands for.
            Use::Head(_) | Use::Piece => HEAD + 4,
        };
        let room = cap.saturating_sub(self.held.len());
        self.held.extend_from_slice(run.get(..room).unwrap_or(run));
    }

    /// A byte of an escape sequence; whether it was used up.
    fn escape(&mut self, byte: u8) -> Result<bool, Fault> {
        match self.mode {
            Mode::Escape(of) => {
                let plain = match byte {
                    b'u' => {
                        self.mode = Mode::Unicode { of, digits: 0, code: 0, high: 0 };
                        return Ok(true);
                    }
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' | b'f' => b' ',
                    other => other,
                };
                self.hold(&[plain], of);
                self.mode = Mode::Text(of);
            }
            Mode::Unicode { of, digits, code, high } => {
                let Some(digit) = (byte as char).to_digit(16) else {
                    return Err(Fault::Malformed);
                };
                let code = code << 4 | digit as u16;
                if digits < 3 {
                    self.mode = Mode::Unicode { of, digits: digits + 1, code, high };
                } else if high == 0 && (0xd800..0xdc00).contains(&code) {
                    self.mode = Mode::Surrogate { of, high: code };
                } else {
                    let units = if high == 0 { [code, 0] } else { [high, code] };
                    let units = if high == 0 { units.get(..1) } else { units.get(..) };
                    for c in char::decode_utf16(units.unwrap_or_default().iter().copied()) {
                        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                        self.hold(c.encode_utf8(&mut [0; 4]).as_bytes(), of);
                    }
                    self.mode = Mode::Text(of);
                }
            }
            Mode::Surrogate { of, high } if byte == b'\\' => {
                self.mode = Mode::SurrogateEscape { of, high };
            }
            Mode::SurrogateEscape { of, high } if byte == b'u' => {
                self.mode = Mode::Unicode { of, digits: 0, code: 0, high };
            }
            // Half a pair stands for nothing.
            Mode::Surrogate { of, .. } => {
                self.mode = Mode::Text(of);
                return Ok(false);
            }
            Mode::SurrogateEscape { of, .. } => {
                self.mode = Mode::Escape(of);
                return Ok(false);
            }
            Mode::Between | Mode::Text(_) | Mode::Word { .. } => return Err(Fault::Malformed),
        }
        Ok(true)
    }

    fn word<'a>(&mut self, bytes: &'a [u8], wanted: bool, to: &mut impl Receiver) -> &'a [u8] {
        let inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let len = bytes.iter().position(|b| !inside(b)).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at(len);
        self.hold(run, Use::Value);
        if !rest.is_empty() {
            self.word_end(wanted, to);
        }
        rest
    }

    fn word_end(&mut self, wanted: bool, to: &mut impl Receiver) {
        self.mode = Mode::Between;
        if wanted {
            hand(&self.held, Use::Value, to);
        } else if self.held != b"null" {
            to.passed();
        }
        self.held.clear();
    }
}

fn hand(bytes: &[u8], of: Use, to: &mut impl Receiver) {
    let fits = bytes.len() <= if of == Use::Key { MAX_KEY } else { MAX_VALUE };
    // RFC 8259 8.1 asks for UTF-8; what is not is taken for the usual 8-bit set.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => std::borrow::Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    };
    match of {
        Use::Key => to.key(if fits { &text } else { "" }),
        Use::Value if fits => to.value(&text),
        Use::Value | Use::Nothing | Use::Head(_) | Use::Piece => to.passed(),
    }
}
