//! A message in a value of another format: a JSON string, a form field, the text of an XML element. Its segment ends
//! may be escaped (`\r`), and it may be in base64.

use super::embedded::coding::Coding;
use crate::content::{Document, Ending, Media, Nested, Scope, Want};
use crate::syntax::hl7v2::is_delimiter;
use zeroize::Zeroizing;

/// Bytes needed to recognise a message.
const HEAD: usize = 8;

/// Whether a value with this beginning is a message; blanks and a start block may precede it.
pub fn begins(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    let text = text.strip_prefix(b"\x0b").unwrap_or(text);
    match text {
        [b'M', b'S', b'H', field, component, ..]
        | [b'F' | b'B', b'H', b'S', field, component, ..] => {
            is_delimiter(*field) && is_delimiter(*component) && field != component
        }
        // `MSH|`, and the same behind a start block.
        _ => text.starts_with(b"TVNIf") || text.starts_with(b"C01TSH"),
    }
}

/// A value that [`begins`] like a message, as a payload of its own.
pub fn nested(head: &[u8]) -> Nested {
    let carried = StreamedMessage::new(head);
    let layer = if carried.base64.is_some() { "base64" } else { "text" };
    Nested::reading(layer, Box::new(carried))
}

/// Where a patient segment without a message begins in a line of a log: it has a name or a birth date where PID has them,
/// and a number or nothing else in front.
pub fn patient_segment(line: &[u8]) -> Option<usize> {
    let at = memchr::memmem::find(line, b"PID|")?;
    let before = at.checked_sub(1).and_then(|at| line.get(at));
    let fields: Vec<&[u8]> = line.get(at..)?.split(|b| *b == b'|').take(8).collect();
    let field = |n: usize| fields.get(n).map_or(&[][..], |field| field.trim_ascii());
    let counted = field(1).len() <= 4 && field(1).iter().all(u8::is_ascii_digit);
    let digits = |n: usize| field(n).iter().take_while(|b| b.is_ascii_digit()).count();
    let named = field(5).contains(&b'^') && field(5).iter().any(u8::is_ascii_alphabetic);
    (before.is_none_or(|b| !b.is_ascii_alphanumeric())
        && counted
        && (named || digits(7) >= 8)
        && (2..=4).any(|n| field(n).iter().any(u8::is_ascii_alphanumeric)))
    .then_some(at)
}

/// A message that comes in pieces.
struct StreamedMessage {
    nested: Nested,
    base64: Option<Coding>,
    /// A backslash whose next character decides its meaning.
    backslash: bool,
    /// Within an escape sequence of the message.
    escape: bool,
    out: Zeroizing<Vec<u8>>,
}

impl StreamedMessage {
    fn new(head: &[u8]) -> Self {
        let head = head.get(..2 * HEAD).unwrap_or(head);
        let base64 = !head.windows(3).any(|w| matches!(w, b"MSH" | b"FHS" | b"BHS"));
        Self {
            nested: Nested::new(&Media::Hl7v2),
            base64: base64.then(Coding::base64),
            backslash: false,
            escape: false,
            out: Zeroizing::default(),
        }
    }

    fn read(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        for &byte in bytes {
            match &mut self.base64 {
                Some(coding) => coding.decode(byte, 0, &mut self.out),
                None => self.plain(byte),
            }
        }
        self.pass_on(scope);
    }

    /// A byte of text: escaped `\r` and `\n` end segments. A backslash in lower case never begins an escape sequence
    /// (chapter 2.7), but may end one.
    fn plain(&mut self, byte: u8) {
        if std::mem::take(&mut self.backslash) {
            match byte {
                b'r' | b'n' => {
                    self.out.push(b'\r');
                    return;
                }
                _ => {
                    self.escape = true;
                    self.out.push(b'\\');
                }
            }
        }
        match byte {
            b'\\' if !std::mem::take(&mut self.escape) => {
                self.backslash = true;
                return;
            }
            b'|' | b'^' | b'~' | b'&' | b'\r' | b'\n' => self.escape = false,
            _ => {}
        }
        self.out.push(byte);
    }

    fn pass_on(&mut self, scope: &mut Scope<'_>) {
        if self.nested.data(&self.out, scope) != Want::ALL {
            self.nested = Nested::passed();
        }
        self.out.clear();
    }
}

impl Document for StreamedMessage {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        self.read(bytes, scope);
        Want::ALL
    }
    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.nested.end(ending, scope);
    }
    fn memory(&self) -> usize {
        self.nested.memory() + self.out.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patient_segments_without_a_message() {
        for line in [
            "PID|1||77||Roe^Eva",
            "x: PID|||77^^^H^MR||Roe^Eva||19700131|F",
            "PID||77|||||19700131",
        ] {
            assert!(patient_segment(line.as_bytes()).is_some(), "{line}");
        }
        for line in [
            "PID|started|by|root",
            "PID|1|2|3",
            "RAPID|1||77||Roe^Eva",
            "PID|",
            "PID|1||||Roe^Eva",
            "",
        ] {
            assert_eq!(patient_segment(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn beginnings_of_messages_are_known_plain_and_encoded() {
        for head in ["MSH|^~\\&", " MSH|^~\\", "\u{b}MSH|^~\\", "TVNIfF5+", "C01TSHxe", "MSH#:+%;"]
        {
            assert!(begins(head.as_bytes()), "{head}");
        }
        assert!(begins(b"FHS|^~\\&|") && begins(b"BHS|^~\\&|"));
        for head in ["MSHTML", "message", "", "MSH", "MSH|||||", "TVNI"] {
            assert!(!begins(head.as_bytes()), "{head}");
        }
    }
}
