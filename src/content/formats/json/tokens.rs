//! A push tokenizer for JSON (RFC 8259) and rows of JSON texts (NDJSON, RFC 7464).
//!
//! It takes pieces of any size, keeps at most one short string, and skips unwanted strings by looking only
//! for quotes and backslashes. It is lenient about commas and colons: the receiver is not a validator.

use crate::content::{Reason, Scope, Want};
use memchr::memchr2;

/// Deepest nesting of objects and arrays.
pub const MAX_NESTING: usize = 128;

/// Longest key that is read, bytes: some are paths (openEHR) or URLs.
pub const MAX_KEY: usize = 320;

/// Bytes of a string that decide whether it is a document itself.
pub const FRONT: usize = 8;

/// Longest value that is kept, bytes; a longer one identifies no person by itself.
pub const MAX_VALUE: usize = 1024;

/// Bytes kept of a string of running text.
pub const MAX_PROSE: usize = 64 << 10;

/// Longest unwanted value that may be a number, bytes, and its fewest digits.
const MAX_NUMBER: usize = 32;
const MIN_DIGITS: usize = 5;

/// Receives the tokens.
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
    /// A value that is neither wanted nor `null` or `false`.
    fn passed(&mut self) {}
    /// An unwanted value that is written like a registered number.
    fn number(&mut self, text: &str) {
        self.value(text);
    }
    /// An unwanted or long string that may be running text.
    fn prose(&mut self, text: &str) {
        let _ = text;
        self.passed();
    }
    /// `null`, or `false`.
    fn null(&mut self) {}
    /// An unwanted string begins with `front`, with escapes resolved: whether to read it as a document itself. If so,
    /// its bytes follow by [`Receiver::inner`], `front` first, up to [`Receiver::inner_end`].
    fn inner_begin(&mut self, front: &[u8]) -> bool {
        let _ = front;
        false
    }
    /// The next bytes of a document in a string.
    fn inner(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
    /// The string has ended.
    fn inner_end(&mut self) {}
}

/// Why a text cannot be read further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not JSON.
    Malformed,
    /// It is nested too deeply.
    Limit,
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::Malformed,
            Fault::Limit => Self::Limit,
        }
    }
}

/// What a document wants next: everything, or nothing behind a fault, which is counted.
pub fn want_after(read: Result<(), Fault>, scope: &mut Scope<'_>) -> Want {
    match read {
        Ok(()) => Want::ALL,
        Err(fault) => {
            scope.give_up(fault.into());
            Want::NOTHING
        }
    }
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
    /// The buffered part of an unfinished string or number.
    held: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Between,
    /// In a string: its use.
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
    /// Its first bytes decide whether it is a document.
    Front,
    Inner,
    /// Unwanted, but it may be a number.
    Number,
    Nothing,
}

impl Tokens {
    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Whether no container is open.
    pub fn at_end(&self) -> bool {
        self.depth == 0 && self.mode == Mode::Between
    }

    /// Reads a piece.
    pub fn read(&mut self, mut bytes: &[u8], to: &mut impl Receiver) -> Result<(), Fault> {
        // Searched at once for all the strings in it. A piece may end inside a character.
        let piece = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(fault) if fault.error_len().is_none() => {
                let valid = bytes.get(..fault.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(valid).unwrap_or_default()
            }
            Err(_) => "",
        };
        let len = bytes.len();
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.mode {
                Mode::Between if byte == b'"' && self.at_key => {
                    // Nearly all keys are short, without escapes, and in one piece.
                    let Some(end) = short(rest) else {
                        bytes = rest;
                        self.mode = Mode::Text(Use::Key);
                        continue;
                    };
                    let start = len - rest.len();
                    match piece.get(start..start + end) {
                        Some(key) => hand_text(key, Use::Key, to),
                        None => hand(rest.get(..end).unwrap_or_default(), Use::Key, to),
                    }
                    bytes = rest.get(end + 1..).unwrap_or_default();
                    if let [b':', behind @ ..] = bytes {
                        bytes = behind_blanks(behind);
                        self.at_key = false;
                    }
                }
                Mode::Between if is_blank(byte) => {
                    bytes = behind_blanks(rest);
                }
                Mode::Between => {
                    bytes = rest;
                    self.structure(byte, to)?;
                    if self.mode == Mode::Text(Use::Value)
                        && let Some(end) = short(rest)
                    {
                        let start = len - rest.len();
                        match piece.get(start..start + end) {
                            Some(value) => hand_text(value, Use::Value, to),
                            None => hand(rest.get(..end).unwrap_or_default(), Use::Value, to),
                        }
                        self.mode = Mode::Between;
                        bytes = rest.get(end + 1..).unwrap_or_default();
                        if let [b',', behind @ ..] = bytes {
                            bytes = behind_blanks(behind);
                            self.at_key = self.in_object();
                        }
                    }
                }
                Mode::Text(of) => {
                    let text = piece.get(len - bytes.len()..);
                    bytes = self.text(bytes, text, of, to);
                }
                Mode::Word { wanted } => bytes = self.word(bytes, wanted, to),
                _ => {
                    if self.escape(byte, to)? {
                        bytes = rest;
                    }
                }
            }
        }
        Ok(())
    }

    /// No more bytes will come: a number at the top level ends here.
    pub fn finish(&mut self, to: &mut impl Receiver) {
        if let Mode::Word { wanted } = self.mode {
            self.word_end(wanted, to);
        }
    }

    fn structure(&mut self, byte: u8, to: &mut impl Receiver) -> Result<(), Fault> {
        match byte {
            b'"' if self.at_key => self.mode = Mode::Text(Use::Key),
            b'"' => {
                let wanted = to.wants();
                self.mode = Mode::Text(if wanted { Use::Value } else { Use::Front });
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

    /// Continues a string, up to its end or the next escape. `text` is the same as characters, if it is known to be
    /// valid.
    fn text<'a>(
        &mut self,
        bytes: &'a [u8],
        text: Option<&str>,
        of: Use,
        to: &mut impl Receiver,
    ) -> &'a [u8] {
        if of == Use::Front {
            return self.front(bytes, to);
        }
        let Some(at) = memchr2(b'"', b'\\', bytes) else {
            match of {
                Use::Inner => to.inner(bytes),
                _ => self.hold(bytes, of),
            }
            return &[];
        };
        let (run, rest) = bytes.split_at(at);
        let escape = rest.first() == Some(&b'\\');
        let rest = rest.get(1..).unwrap_or_default();
        if of == Use::Inner {
            to.inner(run);
        }
        if escape {
            self.hold(run, of);
            self.mode = Mode::Escape(of);
            return rest;
        }
        self.mode = Mode::Between;
        match of {
            Use::Inner => {
                to.inner_end();
                to.passed();
            }
            _ if self.held.is_empty() => match text.and_then(|text| text.get(..at)) {
                Some(text) => hand_text(text, of, to),
                None => hand(run, of, to),
            },
            _ => {
                self.hold(run, of);
                hand(&self.held, of, to);
                self.held.clear();
            }
        }
        rest
    }

    /// Reads the first bytes of an unwanted string, until they decide whether it is a document.
    fn front<'a>(&mut self, bytes: &'a [u8], to: &mut impl Receiver) -> &'a [u8] {
        // For nearly all strings, the first byte decides.
        if self.held.is_empty() && bytes.first().is_some_and(|b| !may_begin(*b)) {
            let number = bytes.first().is_some_and(|b| may_number(*b));
            self.mode = Mode::Text(if number { Use::Number } else { Use::Nothing });
            return bytes;
        }
        let room = FRONT.saturating_sub(self.held.len()).min(bytes.len());
        let front = bytes.get(..room).unwrap_or(bytes);
        let plain = memchr2(b'"', b'\\', front).unwrap_or(room);
        self.held.extend_from_slice(front.get(..plain).unwrap_or_default());
        if self.held.len() >= FRONT {
            let inner = to.inner_begin(&self.held);
            if inner {
                to.inner(&self.held);
            }
            let number = !inner && self.held.first().is_some_and(|b| may_number(*b));
            if inner {
                self.held.clear();
            }
            self.mode = Mode::Text(match (inner, number) {
                (true, _) => Use::Inner,
                (_, true) => Use::Number,
                _ => Use::Nothing,
            });
            return bytes.get(plain..).unwrap_or_default();
        }
        match bytes.get(plain) {
            None => {}
            Some(b'\\') => self.mode = Mode::Escape(Use::Front),
            Some(_) => {
                // Too short for any meaning.
                self.held.clear();
                self.mode = Mode::Between;
                to.passed();
            }
        }
        bytes.get(plain + 1..).unwrap_or_default()
    }

    /// Keeps part of a string; of one that is too long, only enough to show that it is.
    fn hold(&mut self, run: &[u8], of: Use) {
        let cap = match of {
            Use::Inner => return,
            Use::Front => FRONT + 4,
            Use::Key => MAX_KEY + 1,
            Use::Value | Use::Number | Use::Nothing => MAX_PROSE,
        };
        let room = cap.saturating_sub(self.held.len());
        self.held.extend_from_slice(run.get(..room).unwrap_or(run));
    }

    /// A byte of an escape sequence. Returns whether it was consumed.
    fn escape(&mut self, byte: u8, to: &mut impl Receiver) -> Result<bool, Fault> {
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
                self.put(&[plain], of, to);
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
                        self.put(c.encode_utf8(&mut [0; 4]).as_bytes(), of, to);
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
            // Half of a surrogate pair has no meaning.
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

    /// Takes the character of an escape sequence.
    fn put(&mut self, bytes: &[u8], of: Use, to: &mut impl Receiver) {
        match of {
            Use::Inner => to.inner(bytes),
            _ => self.hold(bytes, of),
        }
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
        } else if matches!(self.held.as_slice(), b"null" | b"false") {
            // What is not so is no context (`"is_patient": false`).
            to.null();
        } else if self.held.iter().all(u8::is_ascii_digit) {
            hand(&self.held, Use::Number, to);
        } else {
            to.passed();
        }
        self.held.clear();
    }
}

/// White space (RFC 8259 2).
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What follows white space.
#[inline]
fn behind_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().take_while(|b| is_blank(**b)).count();
    bytes.get(blanks..).unwrap_or_default()
}

/// Longest string that is searched without a call, bytes.
const SHORT: usize = 32;

/// The length of a short string without escapes, from the bytes behind its first quote, if its end is available.
/// Eight bytes are tested at once, which for short strings beats a search.
#[inline]
fn short(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    for at in (0..SHORT).step_by(8) {
        let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let word = u64::from_le_bytes(*eight);
        let found = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            // The lowest mark is exact, whatever borrows did to those above it.
            let end = at + found.trailing_zeros() as usize / 8;
            return (bytes.get(end) == Some(&b'"')).then_some(end);
        }
    }
    None
}

fn hand(bytes: &[u8], of: Use, to: &mut impl Receiver) {
    match std::str::from_utf8(bytes) {
        Ok(text) => hand_text(text, of, to),
        // RFC 8259 8.1 requires UTF-8; other bytes count as the usual 8-bit set.
        Err(_) => {
            let fits = fits(bytes, of);
            let text = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0;
            give(&text, fits, of, to);
        }
    }
}

fn hand_text(text: &str, of: Use, to: &mut impl Receiver) {
    if of == Use::Number {
        let digits = || text.bytes().filter(u8::is_ascii_digit).count();
        let number = text.len() <= MAX_NUMBER && digits() >= MIN_DIGITS;
        // `MRN: 4711001` has a label, which no number has.
        return if number && !text.contains(':') { to.number(text) } else { to.prose(text) };
    }
    give(text, fits(text.as_bytes(), of), of, to);
}

fn give(text: &str, fits: bool, of: Use, to: &mut impl Receiver) {
    // An HL7 v2 message under a name whose values are read (`value`, `valueString`).
    if of == Use::Value
        && let Some(front) = text.get(..FRONT)
        && front.starts_with("MSH|")
        && to.inner_begin(front.as_bytes())
    {
        to.inner(text.as_bytes());
        to.inner_end();
        return to.passed();
    }
    match of {
        Use::Key => to.key(if fits { text } else { "" }),
        Use::Value if fits => to.value(text),
        Use::Value | Use::Number | Use::Nothing => to.prose(text),
        Use::Front | Use::Inner => to.passed(),
    }
}

/// Whether a key or a value is short enough to be read.
const fn fits(bytes: &[u8], of: Use) -> bool {
    bytes.len() <= if matches!(of, Use::Key) { MAX_KEY } else { MAX_VALUE }
}

/// Whether a registered number may begin with this byte.
const fn may_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase()
}

/// Whether a document in a string may begin with this byte: markup, JSON, HL7 (`MSH|`), RTF, xDT, a note of several lines;
/// or their base64 (`inner_begin` examines the rest).
const fn may_begin(byte: u8) -> bool {
    matches!(
        byte,
        b'{' | b'['
            | b'<'
            | b'M'
            // Also the length before the gzip data of a health card.
            | b'A'
            | b'B'
            // Escapes: a start block (`\u000b`), a line end.
            | b'\\'
            | b'C'
            | b'J'
            | b'U'
            | b'H'
            | b'I'
            | b'P'
            | b'S'
            | b'T'
            | b'e'
            | b'i'
            // The length of the first line of a file of a German practice.
            | b'0'
            // `MSH` in hexadecimal digits.
            | b'4'
            // The digits of a health card (`shc:/`).
            | b's'
            // Requests of GraphQL.
            | b'm'
            | b'q'
            | b'/'
            | b' '
            | b'\n'
    )
}
