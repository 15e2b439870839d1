//! Messages whose bytes are written in hexadecimal digits, as loggers of connections do: `0B4D5348...`, `0b 4d 53 48`,
//! and the lines of `xxd` and `hexdump -C`, with offsets in front and characters behind.

use super::shown_messages::ShownMessages;
use super::text_lines::TextLines;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};
use memchr::memmem;
use std::ops::ControlFlow;
use zeroize::Zeroizing;

/// Bytes in a line with an offset.
const MAX_ROW: usize = 32;
/// Longest text of a line, bytes.
const MAX_LINE: usize = 16 << 10;
/// Bytes needed to recognise a message.
const HEAD: usize = 8;
/// Fewest bytes of a message.
const MIN_BYTES: usize = 16;

/// Words of a line that may be the first byte of a message, and the digits of each that are looked at.
const MAX_WORDS: usize = 8;
const MAX_FRONT: usize = 64;

/// The format.
pub struct Hex;

impl Format for Hex {
    fn name(&self) -> &'static str {
        "hex"
    }

    fn first(&self) -> &'static [u8] {
        b"045"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let text = head.trim_ascii_start();
        // Most texts do not begin with three digits.
        if !matches!(media, Media::Type { .. } | Media::Unknown)
            || !text.strip_prefix(b"0x").unwrap_or(text).iter().take(2).all(u8::is_ascii_hexdigit)
            || text.len() < 2 * HEAD
        {
            return false;
        }
        let mut bytes = Zeroizing::new(Vec::new());
        for line in text.split(|b| *b == b'\n').take(3) {
            let Ok(line) = std::str::from_utf8(line.get(..MAX_LINE).unwrap_or(line)) else {
                return false;
            };
            if !row(line.trim_end(), &mut bytes) {
                break;
            }
        }
        bytes.len() >= MIN_BYTES && Kind::of(&bytes).is_some()
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

/// Whether a string begins with the digits of a message.
pub fn begins(front: &[u8]) -> bool {
    // `MSH|`, and the same behind a start block.
    [&b"4d53487c"[..], b"0b4d5348"].iter().any(|digits| {
        front.get(..digits.len()).is_some_and(|front| front.eq_ignore_ascii_case(digits))
    })
}

/// Whether a message begins in a line of a dump: behind its offset, and maybe behind a start block.
pub fn begins_dump(line: &[u8]) -> bool {
    let mut bytes = Zeroizing::new(Vec::new());
    goes_on_dump(line, &mut bytes) && bytes.len() >= HEAD && Kind::of(&bytes).is_some()
}

/// Where the digits of a message begin in a line of a log, behind a time and other words: `RX: 0B 4D 53 48 7C`.
pub fn inside(line: &[u8]) -> Option<usize> {
    // The bar or the star behind the name of the first segment.
    const SIGNS: [&[u8]; 3] = [b"7C", b"7c", b"2A"];
    if line.len() < 2 * MIN_BYTES || !SIGNS.iter().any(|sign| memmem::find(line, sign).is_some()) {
        return None;
    }
    let text = std::str::from_utf8(line.get(..MAX_LINE).unwrap_or(line)).ok()?;
    let mut at = 0;
    let mut words =
        text.split_inclusive([' ', '=', ':', '[', '"', '<', '(', '\'', '\t']).map(|word| {
            at += word.len();
            at - word.len()
        });
    let digits = |at: &usize| {
        let rest = text.as_bytes().get(*at..).unwrap_or_default();
        let rest = rest.strip_prefix(b"0x").unwrap_or(rest);
        let digits = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        digits == 2 || digits >= 2 * HEAD && digits % 2 == 0
    };
    words.by_ref().filter(digits).take(MAX_WORDS).find(|at| {
        let mut bytes = Zeroizing::new(Vec::new());
        let head = text.get(*at..).unwrap_or("");
        let end = head.char_indices().nth(MAX_FRONT).map_or(head.len(), |(end, _)| end);
        row(head.get(..end).unwrap_or(""), &mut bytes)
            && bytes.len() >= HEAD
            && Kind::of(&bytes).is_some()
    })
}

/// Whether a line is one of a dump, with an offset in front. Adds its bytes.
fn goes_on_dump(line: &[u8], bytes: &mut Vec<u8>) -> bool {
    let line = line.get(..MAX_LINE).unwrap_or(line).trim_ascii();
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let behind = line.get(digits..).unwrap_or_default();
    let offset =
        matches!(digits, 4 | 6 | 8) && (behind.starts_with(b": ") || behind.starts_with(b"  "));
    offset && std::str::from_utf8(line).is_ok_and(|line| row(line, bytes))
}

/// Whether a line goes on with a dump.
pub fn is_dump(line: &[u8]) -> bool {
    goes_on_dump(line, &mut Zeroizing::new(Vec::new()))
}

/// A string that [`begins`] so, as a payload of its own.
pub fn nested() -> Nested {
    Nested::reading("hex", Box::<Reader>::default())
}

/// What the bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// HL7 v2 and interchanges.
    Message,
    /// Frames of an analyser.
    Frames,
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Self> {
        let text = bytes.strip_prefix(b"\x05").unwrap_or(bytes);
        let text = text.strip_prefix(b"\x0b").unwrap_or(text);
        match text {
            [b'M', b'S', b'H', b'|', ..] | [b'I', b'S', b'A', b'*', ..] => Some(Self::Message),
            [b'U', b'N', b'A' | b'B', b':' | b'+', ..] => Some(Self::Message),
            [0x02, b'1', b'H', b'|', ..] | [0x02, b'H', b'|', ..] | [b'H', b'|', b'\\', ..] => {
                Some(Self::Frames)
            }
            _ => None,
        }
    }
}

/// Adds the bytes of a line. False if it is none.
fn row(line: &str, out: &mut Vec<u8>) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("0x").unwrap_or(line);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_hexdigit).count();
    let first = digits(line);
    let behind = line.get(first..).unwrap_or("");
    // An offset, and at most so many bytes; characters are behind a bar or two blanks.
    let offset = matches!(first, 4 | 6 | 8)
        && (behind.starts_with(':') && behind.get(1..2) == Some(" ") || behind.starts_with("  "));
    let (text, most) = match offset {
        true => (behind.trim_start_matches(':').trim_start(), MAX_ROW / 2),
        false => (line, usize::MAX),
    };
    let grouped = offset && digits(text) > 2;
    let before = out.len();
    let mut rest = text;
    while out.len() - before < most {
        let len = digits(rest);
        if len == 0 || len % 2 != 0 {
            break;
        }
        let (pairs, _) = rest.as_bytes().get(..len).unwrap_or_default().as_chunks::<2>();
        for pair in pairs {
            let byte = std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
            out.extend(byte);
        }
        rest = rest.get(len..).unwrap_or("");
        if rest.starts_with(if grouped { "  " } else { "   " }) {
            break;
        }
        let next = rest.trim_start_matches([' ', '-', ':', ',']);
        rest = next.strip_prefix("0x").unwrap_or(next);
    }
    out.len() > before
}

#[derive(Default)]
struct Reader {
    lines: TextLines,
    bytes: Bytes,
}

#[derive(Default)]
struct Bytes {
    /// Bytes that do not say yet what they are, or those of a line of records.
    held: Zeroizing<Vec<u8>>,
    message: Option<Nested>,
    records: Option<ShownMessages>,
}

impl Bytes {
    fn row(&mut self, line: &str, scope: &mut Scope<'_>) {
        let mut bytes = Zeroizing::new(Vec::new());
        row(line.trim_end(), &mut bytes);
        self.take(&bytes, scope);
    }

    fn take(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        if let Some(message) = &mut self.message {
            message.data(bytes, scope);
            return;
        }
        self.held.extend_from_slice(bytes);
        if self.records.is_none() {
            match Kind::of(&self.held) {
                Some(Kind::Message) => {
                    let held = self.held.as_slice();
                    let unframed = held.strip_prefix(b"\x0b").unwrap_or(held);
                    let hl7 = unframed.starts_with(b"MSH");
                    let media = if hl7 { Media::Hl7v2 } else { Media::Unknown };
                    let mut message = Nested::new(&media);
                    message.data(&self.held, scope);
                    self.held.clear();
                    self.message = Some(message);
                    return;
                }
                Some(Kind::Frames) => self.records = Some(ShownMessages::default()),
                None => {}
            }
        }
        let Some(records) = &mut self.records else {
            self.held.truncate(HEAD);
            return;
        };
        // A record ends with CR, and its frame with ETX and a checksum.
        while let Some(end) = self.held.iter().position(|b| *b == b'\r') {
            let rest = self.held.split_off(end + 1);
            records.line(self.held.trim_ascii(), true, scope);
            self.held.clear();
            self.held.extend_from_slice(&rest);
        }
        if self.held.len() > MAX_LINE {
            self.held.clear();
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(mut message) = self.message.take() {
            message.end(ending, scope);
        }
        if let Some(mut records) = self.records.take() {
            records.line(self.held.trim_ascii(), true, scope);
            records.end(ending, scope);
        }
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let Self { lines, bytes: of } = self;
        lines.read(bytes, &mut |line| {
            of.row(line, scope);
            ControlFlow::Continue(())
        });
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let Self { lines, bytes: of } = self;
        lines.finish(&mut |line| {
            of.row(line, scope);
            ControlFlow::Continue(())
        });
        of.end(ending, scope);
    }

    fn memory(&self) -> usize {
        let nested = self.bytes.message.as_ref().map_or(0, Nested::memory);
        let shown = self.bytes.records.as_ref().map_or(0, ShownMessages::memory);
        self.lines.memory() + self.bytes.held.capacity() + nested + shown
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;
    use std::fmt::Write;

    const MESSAGE: &[u8] = b"\x0bMSH|^~\\&|A|B|C|D|2026||ADT^A04|M1|P|2.5\rPID|1||H-77^^^H^MR||Roe^Jane||19700131|F\r\x1c\r";
    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";

    fn hex(bytes: &[u8], sign: &str) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(sign)
    }

    fn shown(bytes: &[u8]) -> String {
        let printed = |b: &u8| if (32..127).contains(b) { char::from(*b) } else { '.' };
        bytes.iter().map(printed).collect()
    }

    #[test]
    fn digits_with_and_without_signs() {
        for text in [
            hex(MESSAGE, ""),
            hex(MESSAGE, " ").to_uppercase(),
            hex(MESSAGE, "-"),
            hex(MESSAGE, ":"),
            format!("0x{}", hex(MESSAGE, ", 0x")),
            hex(&MESSAGE[1..], ""),
        ] {
            let got = records("text/plain", format!("{text}\n").as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
            let json = format!("{{\"payload\":\"{}\"}}", hex(MESSAGE, ""));
            let got = records("application/json", json.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{json}: {got:?}");
        }
    }

    #[test]
    fn lines_of_programs() {
        let mut dumps = [String::new(), String::new(), String::new()];
        for (at, row) in MESSAGE.chunks(16).enumerate() {
            let at = at * 16;
            let (front, back) = row.split_at(row.len().min(8));
            let both = format!("{}  {}", hex(front, " "), hex(back, " "));
            writeln!(dumps[0], "{at:08x}  {both:<48}  |{}|", shown(row)).expect("text");
            let pairs = row.chunks(2).map(|pair| hex(pair, "")).collect::<Vec<_>>().join(" ");
            writeln!(dumps[1], "{at:08x}: {pairs:<39}  {}", shown(row)).expect("text");
            writeln!(dumps[2], "{at:04x}  {:<47}   {}", hex(row, " "), shown(row)).expect("text");
        }
        for text in dumps {
            let got = records("text/plain", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
        }
    }

    #[test]
    fn frames_of_analysers() {
        let frame = |n: u8, record: &str| format!("\u{2}{n}{record}\r\u{3}4F\r\n");
        let text = [
            frame(1, "H|\\^&|||X"),
            frame(2, "P|1|H-77|||Roe^Jane||19700131|F"),
            frame(3, "L|1|N"),
        ];
        let got = records(
            "text/plain",
            hex(format!("\u{5}{}", text.concat()).as_bytes(), " ").as_bytes(),
        );
        assert!(got.len() == 1 && got[0].contains("H-77") && got[0].contains("Roe"), "{got:?}");
    }

    #[test]
    fn other_digits_are_no_message() {
        for text in
            ["4d5a90000300000004000000ffff0000", "0123456789abcdef0123456789abcdef", "4d 53"]
        {
            assert_eq!(records("text/plain", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
