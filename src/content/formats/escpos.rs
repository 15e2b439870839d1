//! ESC/POS (Epson), for receipt and small label printers: queue tickets, pharmacy labels, results of bedside devices.

use crate::content::extract::printed::PrintedLabel;
use crate::content::stack::Unread;
use crate::content::stack::charset::dos_text;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::syntax::escpos;
use zeroize::Zeroizing;

/// Longest line, bytes.
const MAX_LINE: usize = 1024;
/// Longest incomplete command that is kept, bytes.
const MAX_HELD: usize = 4096;

/// ESC/POS.
pub struct EscPos;

impl Format for EscPos {
    fn name(&self) -> &'static str {
        "escpos"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        escpos::begins(head).is_yes()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Job {
            held: Unread::default(),
            line: Zeroizing::default(),
            label: PrintedLabel::new("escpos"),
            windows: false,
        })
    }
}

struct Job {
    held: Unread<MAX_HELD>,
    line: Zeroizing<Vec<u8>>,
    label: PrintedLabel,
    /// The code page is one of Windows (`ESC t`).
    windows: bool,
}

/// The length of the command at the front of `data`, and that of the image behind it; `None` if it is incomplete.
fn length(data: &[u8]) -> Option<(usize, u64)> {
    let (Some(lead), Some(code)) = (data.first(), data.get(1)) else { return None };
    let word = |at: usize| -> Option<u64> {
        let bytes = data.get(at..at + 2)?;
        Some(u64::from(*bytes.first()?) | u64::from(*bytes.get(1)?) << 8)
    };
    let fixed = |len: usize| (data.len() >= len).then_some((len, 0));
    match (lead, code) {
        (0x1b, b'@' | b'2' | b'S' | b'L' | b'i' | b'm' | 0x0c) => fixed(2),
        (0x1b, b'$' | b'\\' | b'c' | b'B' | b'Z') => fixed(4),
        (0x1b, b'p') => fixed(5),
        (0x1b, b'W') => fixed(10),
        (0x1b, b'D') => match data.iter().skip(2).position(|b| *b == 0) {
            Some(at) => Some((3 + at, 0)),
            None if data.len() < 40 => None,
            None => Some((2, 0)),
        },
        (0x1b, b'*') => match (data.get(2), word(3)) {
            (Some(mode), Some(columns)) => Some((5, columns * if *mode >= 32 { 3 } else { 1 })),
            _ => None,
        },
        (0x1b, _) => fixed(3),
        (0x1d, b'(' | b'8') | (0x1c, b'(') => match word(3) {
            Some(len) => fixed(5 + len as usize),
            None => None,
        },
        (0x1d, b'v') => match (word(4), word(6)) {
            (Some(x), Some(y)) => Some((8, x * y)),
            _ => None,
        },
        (0x1d, b'*') => match (data.get(2), data.get(3)) {
            (Some(x), Some(y)) => Some((4, u64::from(*x) * u64::from(*y) * 8)),
            _ => None,
        },
        (0x1d, b'k') => match (data.get(2), data.get(3)) {
            (Some(0..=6), _) => match data.iter().skip(3).position(|b| *b == 0) {
                Some(at) => Some((4 + at, 0)),
                None if data.len() < 260 => None,
                None => Some((3, 0)),
            },
            (Some(_), Some(len)) => fixed(4 + usize::from(*len)),
            _ => None,
        },
        (0x1d, b'V') => match data.get(2) {
            Some(mode) if *mode >= 65 => fixed(4),
            Some(_) => Some((3, 0)),
            None => None,
        },
        (0x1d, b'L' | b'W' | b'P' | b'\\' | b'$') | (0x1c, b'S' | b'p') => fixed(4),
        (0x1d, b':') | (0x1c, b'&' | b'.') => fixed(2),
        (0x10, 0x14) => fixed(5),
        _ => fixed(3),
    }
}

impl Job {
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = match std::str::from_utf8(&line) {
            Ok(text) => text.to_owned(),
            Err(_) if self.windows => {
                encoding_rs::WINDOWS_1252.decode_without_bom_handling(&line).0.into_owned()
            }
            Err(_) => dos_text(&line),
        };
        self.label.text(None, &Zeroizing::new(text), false);
    }

    fn command(&mut self, command: &[u8], scope: &mut Scope<'_>) {
        match command {
            // A cut and a reset end the part about one person.
            [0x1b, b'@' | b'i' | b'm', ..] | [0x1d, b'V', ..] => {
                self.end_line();
                self.label.emit(scope);
            }
            [0x1b, b't', page] => self.windows = matches!(page, 16 | 40..=50),
            // A line feed of several lines, or of none.
            [0x1b, b'd' | b'J', ..] => self.end_line(),
            [0x1d, b'k', 0..=6, code @ .., 0] | [0x1d, b'k', 7..=255, _, code @ ..] => {
                self.code(code)
            }
            // Data of a two-dimensional code (function 180, 280, 380...: `1P0`).
            [0x1d, b'(', b'k', _, _, _, b'P', _, code @ ..] => self.code(code),
            _ => {}
        }
    }

    fn code(&mut self, code: &[u8]) {
        let code = code.strip_prefix(b"{A").or_else(|| code.strip_prefix(b"{B")).unwrap_or(code);
        self.label.text(None, &String::from_utf8_lossy(code), true);
    }

    /// Reads the buffer. Returns the bytes used, and bytes to come that are an image.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> (usize, u64) {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            match first {
                0x1b | 0x1d | 0x1c | 0x10 => {
                    let Some((len, picture)) = length(rest) else { return (at, 0) };
                    self.command(rest.get(..len).unwrap_or_default(), scope);
                    let have = rest.len().saturating_sub(len) as u64;
                    if picture > have {
                        return (data.len(), picture - have);
                    }
                    at += len + picture as usize;
                }
                b'\n' | b'\r' | 0x0c => {
                    self.end_line();
                    at += 1;
                }
                b'\t' => {
                    self.line.extend_from_slice(b"   ");
                    at += 1;
                }
                byte => {
                    if self.line.len() < MAX_LINE && *byte >= b' ' {
                        self.line.push(*byte);
                    }
                    at += 1;
                }
            }
        }
        (at, 0)
    }
}

impl Document for Job {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut held = std::mem::take(&mut self.held);
        let skip = held.read(bytes, |data| self.read(data, scope));
        self.held = held;
        Want { skip: skip.unwrap_or(0) }
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        self.held.clear();
        self.line.clear();
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.end_line();
        self.label.emit(scope);
    }

    fn memory(&self) -> usize {
        self.held.memory() + self.line.capacity() + self.label.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn a_ticket_names_its_patient() {
        let job = b"\x1b@\x1ba\x01\x1b!\x30RADIOLOGY\n\x1b!\x00\x1ba\x00Patient: M\x81ller, Eva\nDOB: 01.02.1960\n\
            \x1dv0\x00\x02\x00\x02\x00\x1b@\n!\x1dh\x50\x1dk\x49\x08{BH77123\nMRN: H77123\n\x1dV\x42\x00\
            Patient: Ito, Ken\nMRN: 8812\n\x1dVA\x03";
        assert_eq!(
            records("", job),
            [
                "http>escpos:~escpos [PatientContext] name=Müller, Eva birth_date=01.02.1960 patient_id=H77123",
                "http>escpos:~escpos [PatientContext] name=Ito, Ken patient_id=8812",
            ]
        );
    }

    #[test]
    fn a_ticket_without_a_reset() {
        let job =
            b"\x1bE\x01\x1ba\x01\x1bt\x00LAB\n\x1ba\x00Patient: Ito, Ken\nMRN: 8812\n\x1dVA\x03";
        let ken = "http>escpos:~escpos [PatientContext] name=Ito, Ken patient_id=8812";
        assert_eq!(records("", job), [ken]);
    }

    #[test]
    fn a_receipt_has_no_patient() {
        let job = b"\x1b@CORNER SHOP\nCashier: Ada\nMilk   1.20\nTOTAL  1.20\nThank you\n\x1dV\x00";
        assert_eq!(records("", job), [""; 0]);
    }
}
