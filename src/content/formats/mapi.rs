//! MAPI properties of mail (MS-OXPROPS), as Outlook saves (`.msg`) and sends them (`winmail.dat`).

use crate::content::extract::labels::Labels;
use crate::content::{Media, Scope};
use zeroize::Zeroizing;

/// Longest text, and longest attachment kept, bytes.
const MAX_TEXT: usize = 4 << 20;
const MAX_DATA: usize = 16 << 20;
/// Window of compressed RTF (MS-OXRTFCP 2.1), and its initial text.
const WINDOW: usize = 4096;
const BEFORE: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \
\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \
\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// Types of values.
const STRING_8: u16 = 0x001e;
const STRING: u16 = 0x001f;

/// A message, or an attachment of one.
#[derive(Default)]
pub struct Item {
    subject: Zeroizing<String>,
    text: Zeroizing<String>,
    html: Zeroizing<Vec<u8>>,
    rtf: Zeroizing<Vec<u8>>,
    name: Zeroizing<String>,
    media_type: String,
    data: Zeroizing<Vec<u8>>,
}

impl Item {
    /// A property: id and bytes of the value.
    pub fn property(&mut self, id: u16, kind: u16, value: &[u8]) {
        match id {
            0x0037 => self.subject = text(kind, value),
            0x1000 => self.text = text(kind, value),
            0x1009 => copy(value, MAX_TEXT, &mut self.rtf),
            // HTML in bytes, or in a string.
            0x1013 if kind == STRING => {
                copy(text(kind, value).as_bytes(), MAX_TEXT, &mut self.html);
            }
            0x1013 => copy(value, MAX_TEXT, &mut self.html),
            0x3701 => copy(value, MAX_DATA, &mut self.data),
            // The short name only if there is no long one.
            0x3704 if self.name.is_empty() => self.name = text(kind, value),
            0x3707 => self.name = text(kind, value),
            0x370e => text(kind, value).as_str().clone_into(&mut self.media_type),
            _ => {}
        }
    }

    /// Whether a property is used.
    pub const fn is_wanted(id: u16) -> bool {
        matches!(id, 0x0037 | 0x1000 | 0x1009 | 0x1013 | 0x3701 | 0x3704 | 0x3707 | 0x370e)
    }

    /// Whether it has an attachment's bytes.
    pub fn has_data(&self) -> bool {
        !self.data.is_empty()
    }

    /// Reads its parts: subject and text under `content`, and the attachment.
    pub fn read(&self, content: &'static str, scope: &mut Scope<'_>) {
        let media = |content_type| Media::Type { content_type, name: "" };
        if !self.subject.trim().is_empty() {
            let mut labels = Labels::new(content);
            labels.line(self.subject.trim(), scope);
            labels.emit(scope);
        }
        // The same text in one of several forms.
        if !self.text.trim().is_empty() {
            scope.whole(&media("text/plain; charset=utf-8"), self.text.as_bytes());
        } else if !self.html.is_empty() {
            scope.whole(&media("text/html"), &self.html);
        } else if let Some(rtf) = unpack(&self.rtf, scope) {
            scope.whole(&media("application/rtf"), &rtf);
        }
        if self.has_data() {
            let name = self.name.as_str();
            scope.whole(&Media::Type { content_type: &self.media_type, name }, &self.data);
        }
    }
}

fn copy(from: &[u8], most: usize, to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(from.get(..most).unwrap_or(from));
}

/// A string without trailing null characters.
fn text(kind: u16, value: &[u8]) -> Zeroizing<String> {
    let value = value.get(..MAX_TEXT).unwrap_or(value);
    let text = match kind {
        STRING => encoding_rs::UTF_16LE.decode_without_bom_handling(value).0,
        STRING_8 if std::str::from_utf8(value).is_err() => {
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(value).0
        }
        _ => String::from_utf8_lossy(value),
    };
    Zeroizing::new(text.trim_end_matches('\0').to_owned())
}

/// Decompresses RTF (MS-OXRTFCP 2.1.3): sizes, the kind of compression, a checksum, runs.
fn unpack(data: &[u8], scope: &mut Scope<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let (head, mut rest) = data.split_at_checked(16)?;
    let size = u32::from_le_bytes(*head.get(4..)?.first_chunk::<4>()?) as usize;
    let size = size.min(MAX_TEXT);
    if head.get(8..12)? == b"MELA" {
        return Some(Zeroizing::new(rest.get(..size).unwrap_or(rest).to_vec()));
    }
    if head.get(8..12)? != b"LZFu" || !scope.spend(size as u64) {
        return None;
    }
    let mut window = [b' '; WINDOW];
    window.iter_mut().zip(BEFORE).for_each(|(slot, byte)| *slot = *byte);
    let mut at = BEFORE.len();
    let mut out = Zeroizing::new(Vec::new());
    while let Some((&flags, tail)) = rest.split_first() {
        rest = tail;
        for bit in 0..8 {
            if out.len() >= size {
                return Some(out);
            }
            if flags >> bit & 1 == 0 {
                let Some((&byte, tail)) = rest.split_first() else { return Some(out) };
                rest = tail;
                window[at % WINDOW] = byte;
                at += 1;
                out.push(byte);
                continue;
            }
            let Some((&[high, low], tail)) = rest.split_first_chunk::<2>() else {
                return Some(out);
            };
            rest = tail;
            let run = u16::from_be_bytes([high, low]);
            let (from, len) = (usize::from(run >> 4), usize::from(run & 0x0f) + 2);
            if from == at % WINDOW {
                return Some(out);
            }
            for step in 0..len {
                let byte = window[(from + step) % WINDOW];
                window[at % WINDOW] = byte;
                at += 1;
                out.push(byte);
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::with_scope;

    /// The example of MS-OXRTFCP 4.1.1.
    const PACKED: &[u8] = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125\x42\x32\x0a\xf3 hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";

    #[test]
    fn compressed_rtf_is_opened() {
        with_scope(|scope| {
            let text = unpack(PACKED, scope).expect("RTF");
            assert_eq!(text.as_slice(), b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
            for end in 0..PACKED.len() {
                unpack(&PACKED[..end], scope);
            }
        });
        assert_eq!(BEFORE.len(), 207);
    }

    #[test]
    fn strings_are_in_utf_16_or_in_bytes() {
        assert_eq!(*text(STRING, b"J\0\xf6\0\0\0"), "Jö");
        assert_eq!(*text(STRING_8, b"J\xf6\0"), "Jö");
    }
}
