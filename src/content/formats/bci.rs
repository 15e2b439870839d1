//! Messages of VITEK 2 and other instruments of bioMérieux (BCI link): fields of two letters and their values between
//! bars, also with record separators before them: `mtrsl|pi77|pnRoe, Eva|pb01/31/1970|psF|ci9001|`.

use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::syntax::bci::begins;
use zeroize::Zeroizing;

/// Longest field that is read, bytes; of a longer one only the beginning.
const MAX_FIELD: usize = 256;

/// The field that begins a message.
const MESSAGE: &str = "mt";

/// The format.
pub struct Bci;

impl Format for Bci {
    fn name(&self) -> &'static str {
        "bci"
    }

    fn first(&self) -> &'static [u8] {
        b"m"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        matches!(media, Media::Type { .. } | Media::Unknown) && begins(head).is_yes()
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Reader>::default()
    }
}

#[derive(Default)]
struct Reader {
    field: Zeroizing<Vec<u8>>,
    record: CandidateRecord,
}

impl Reader {
    fn finish(&mut self, scope: &mut Scope<'_>) {
        let field = std::mem::take(&mut self.field);
        let text = String::from_utf8_lossy(&field);
        if let Some((name, value)) = text.split_at_checked(2) {
            if name == MESSAGE {
                self.emit(scope);
                scope.set_operation("RESULT");
            } else if let Some(key) = scope.rules.keys.get(&format!("bci_{name}")) {
                self.record.add(&Meaning::from(key), 0, value.trim());
            }
        }
        self.field = field;
        self.field.clear();
    }

    fn emit(&mut self, scope: &mut Scope<'_>) {
        let mut record = std::mem::take(&mut self.record);
        if !record.is_empty() {
            record.mark(Marks::PATIENT);
            record.emit("bci", scope);
        }
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        for &byte in bytes {
            if byte == b'|' || byte < b' ' {
                self.finish(scope);
            } else if self.field.len() < MAX_FIELD {
                self.field.push(byte);
            }
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.field.clear();
        self.emit(scope);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.finish(scope);
        self.emit(scope);
    }

    fn memory(&self) -> usize {
        self.field.capacity() + self.record.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const MESSAGE: &str = "mtrsl|piH-77|pnRoe, Eva|pb01/31/1970|psF|si|ci9001|rtGN|o1ecoli|zz|";

    #[test]
    fn patients_of_results_in_both_framings() {
        let framed = format!("\u{2}\u{1e}{}\u{1d}3f\u{3}", MESSAGE.replace('|', "|\u{1e}"));
        for text in [MESSAGE, &framed] {
            let got = records("", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains("patient_id=H-77"), "{got:?}");
            assert!(got[0].contains("birth_date=01/31/1970 sex=F"), "{got:?}");
        }
        let two = format!("{MESSAGE}{}", MESSAGE.replace("H-77", "H-78"));
        assert_eq!(records("", two.as_bytes()).len(), 2);
    }

    #[test]
    fn cuts_and_specimens() {
        for end in 0..MESSAGE.len() {
            records("", &MESSAGE.as_bytes()[..end]);
        }
        assert_eq!(records("", b"mtrsl|si|ci9001|rtGN|o1ecoli|zz|"), [""; 0]);
    }
}
