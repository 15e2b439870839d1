//! Labels and wristbands in ZPL II: `^XA ... ^FD text ^FS ... ^XZ`. Each label is about one person.

use crate::content::extract::printed::PrintedLabel;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};

/// Longest command with its text, bytes; the rest of a longer one (an image) is passed over.
const MAX_COMMAND: usize = 4096;

/// ZPL II.
pub struct Zpl;

impl Format for Zpl {
    fn name(&self) -> &'static str {
        "zpl"
    }

    fn first(&self) -> &'static [u8] {
        b"^~"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let rest = head.trim_ascii_start();
        rest.starts_with(b"^XA")
            || [&b"~DG"[..], b"~DY", b"~SD", b"~JA"].iter().any(|m| rest.starts_with(m))
                && memchr::memmem::find(rest, b"^XA").is_some()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Job {
            command: zeroize::Zeroizing::default(),
            label: PrintedLabel::new("zpl"),
            place: None,
            barcode: false,
            hex: None,
        })
    }
}

struct Job {
    /// The current command, without its `^`.
    command: zeroize::Zeroizing<Vec<u8>>,
    label: PrintedLabel,
    /// Position of the field (`^FO`, `^FT`).
    place: Option<(i32, i32)>,
    /// The field is a bar code.
    barcode: bool,
    /// The character that introduces a byte in hexadecimal digits (`^FH`).
    hex: Option<u8>,
}

impl Document for Job {
    fn data(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        while let Some(at) = memchr::memchr2(b'^', b'~', bytes) {
            self.keep(bytes.get(..at).unwrap_or_default());
            let command = std::mem::take(&mut self.command);
            self.run(&command, scope);
            bytes = bytes.get(at + 1..).unwrap_or_default();
        }
        self.keep(bytes);
        // The end of a label takes no parameters, so it need not wait for the next command.
        if self.command.trim_ascii().eq_ignore_ascii_case(b"XZ") {
            self.print(scope);
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        self.command.clear();
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            let command = std::mem::take(&mut self.command);
            self.run(&command, scope);
        }
        self.print(scope);
    }

    fn memory(&self) -> usize {
        self.command.capacity() + self.label.memory()
    }
}

impl Job {
    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_COMMAND.saturating_sub(self.command.len());
        self.command.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// A command and its parameters.
    fn run(&mut self, command: &[u8], scope: &mut Scope<'_>) {
        let Some((name, rest)) = command.split_first_chunk::<2>() else { return };
        match &name.map(|b| b.to_ascii_uppercase()) {
            b"XA" | b"XZ" => self.print(scope),
            [b'B', b'Y'] => {}
            // Every command `^B.` is a bar code.
            [b'B', _] => self.barcode = true,
            b"FH" => self.hex = Some(rest.first().copied().unwrap_or(b'_')),
            b"FO" | b"FT" => self.place = place(rest),
            b"FD" | b"FV" | b"SN" => {
                let text = self.text(rest);
                if self.barcode {
                    self.label.text(self.place, code_text(&text), true);
                } else {
                    // `\\&` is a line break in a text block (`^FB`).
                    text.split("\\&").for_each(|line| self.label.text(self.place, line, false));
                }
            }
            b"FS" => (self.barcode, self.hex) = (false, None),
            _ => {}
        }
    }

    fn text(&self, bytes: &[u8]) -> zeroize::Zeroizing<String> {
        let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(bytes.len()));
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            let escaped = tail
                .get(..2)
                .filter(|_| self.hex == Some(byte))
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            plain.push(escaped.unwrap_or(byte));
            rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        }
        zeroize::Zeroizing::new(match std::str::from_utf8(&plain) {
            Ok(text) => text.to_owned(),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(&plain).0.into_owned(),
        })
    }

    /// The label is complete.
    fn print(&mut self, scope: &mut Scope<'_>) {
        (self.barcode, self.hex, self.place) = (false, None, None);
        self.label.emit(scope);
    }
}

/// `x,y` in dots.
fn place(parameters: &[u8]) -> Option<(i32, i32)> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut numbers = text.split(',').map(|n| n.trim().parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The content of a bar code, without the start codes of `^BC` (`>:`) and the mode of `^BQ` (`QA,`).
fn code_text(line: &str) -> &str {
    let line = line.trim();
    let line = line.strip_prefix("QA,").or_else(|| line.strip_prefix("MM,")).unwrap_or(line);
    match line.strip_prefix('>') {
        Some(rest) => rest.get(1..).unwrap_or(""),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn a_wristband_names_its_patient() {
        let got = records(
            "",
            b"^XA^CI28^FO50,50^A0N,40,40^FDRodriguez, Gary^FS^FO50,100^FDDOB: 06/09/1945 Sex: M^FS^FO50,150^BCN,80^FDKH000854837^FS^XZ\n\
              ^xa^FDMRN: H77123^FS^FH^FDName: M_c3_bcller, Eva^FS^FDDOB: 01/02/1960^FS^XZ",
        );
        assert_eq!(
            got,
            [
                "http>zpl:~zpl [PatientContext] birth_date=06/09/1945 sex=M name=Rodriguez, Gary patient_id=KH000854837",
                "http>zpl:~zpl [PatientContext] patient_id=H77123 name=Müller, Eva birth_date=01/02/1960",
            ]
        );
    }

    #[test]
    fn the_label_of_a_parcel_has_no_patient() {
        let parcel = b"^XA^FDJohn Smith^FS^FDMain Street 5^FS^BCN,80^FD00340434161094^FS^XZ";
        assert_eq!(records("", parcel), Vec::<String>::new());
    }

    #[test]
    fn a_label_may_be_cut_anywhere() {
        let label = b"^XA^FH\\^FD\\4^BC^FD>:A_1^FS~DG^XZ^XA^FDDOB: 1 May 1970\\&A, B^FS";
        for end in 0..label.len() {
            records("", &label[..end]);
        }
    }
}
