//! PowerPoint 97 to 2003 (MS-PPT): the text of slides and notes.

use super::container::{Container, four};
use crate::content::Scope;
use crate::content::extract::record::Marks;
use crate::content::extract::table::Sheet;
use zeroize::Zeroizing;

/// Records of text: in UTF-16, and its low bytes (2.9.42, 2.9.43).
const TEXT_CHARS: u16 = 0x0fa0;
const TEXT_BYTES: u16 = 0x0fa8;
/// Containers of one slide (2.5.1, 2.4.14.5).
const SLIDE: u16 = 0x03ee;
const SLIDE_TEXT: u16 = 0x03f3;
const NOTES: u16 = 0x03f0;

/// Reads a presentation. False if it is none.
pub fn read(container: &Container<'_>, marks: Marks, scope: &mut Scope<'_>) -> bool {
    let Some(entry) = container.named(0, "PowerPoint Document") else { return false };
    let data = container.stream(entry, scope);
    let mut rest = data.as_slice();
    let new = || {
        let mut sheet = Sheet::new("ppt");
        sheet.mark(marks);
        sheet
    };
    let mut sheet = new();
    while let (Some([first, _, low, high]), Some(len)) = (rest.first_chunk::<4>(), four(rest, 4)) {
        let kind = u16::from_le_bytes([*low, *high]);
        let body = rest.get(8..).unwrap_or_default();
        if matches!(kind, SLIDE | SLIDE_TEXT | NOTES) {
            std::mem::replace(&mut sheet, new()).end(scope);
        }
        if first & 0x0f == 0x0f {
            // A container: its records follow.
            rest = body;
            continue;
        }
        let (atom, behind) = body.split_at((len as usize).min(body.len()));
        let text = match kind {
            TEXT_CHARS => {
                Some(encoding_rs::UTF_16LE.decode_without_bom_handling(atom).0.into_owned())
            }
            TEXT_BYTES => Some(atom.iter().map(|b| char::from(*b)).collect::<String>()),
            _ => None,
        };
        if let Some(text) = text.map(Zeroizing::new) {
            for line in text.split(['\r', '\n', '\u{b}']).filter(|line| !line.trim().is_empty()) {
                sheet.line(line.trim(), scope);
            }
        }
        rest = behind;
    }
    sheet.end(scope);
    true
}
