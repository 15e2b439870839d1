//! Reports of French laboratories and physicians as text (HPRIM Médecin 2.0 and 3.0): for each patient twelve lines
//! (number, family name, given name, two lines of address, postal code and town, birth date, social security number,
//! number and date of the file, sender, receiver), the report, its results behind `****LAB****`, and `****FIN****`.

use super::text_lines::TextLines;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use std::ops::ControlFlow;

/// Lines before the report.
const HEADER: usize = 12;
/// Longest line of a header, bytes.
const MAX_LINE: usize = 120;
/// Lines with the names, the birth date and the date of the file, from zero on.
const NAMES: [usize; 2] = [1, 2];
const BIRTH: usize = 6;
const DATE: usize = 9;
/// Ends the report of a patient.
const END: &str = "****FIN****";
/// Ends the file.
const END_OF_FILE: &str = "****FINFICHIER****";
/// Begins the results.
const RESULTS: &str = "****LAB****";

/// A report, or several.
pub struct HprimText;

impl Format for HprimText {
    fn name(&self) -> &'static str {
        "hprim-text"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        if !matches!(media, Media::Type { .. } | Media::Unknown) {
            return false;
        }
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let mut lines: [&[u8]; HEADER] = [&[]; HEADER];
        let mut rest = head;
        for line in &mut lines {
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else { return false };
            *line = rest.get(..end).unwrap_or_default().trim_ascii();
            if line.len() > MAX_LINE {
                return false;
            }
            let ended = if rest.get(end..end + 2) == Some(b"\r\n") { 2 } else { 1 };
            rest = rest.get(end + ended..).unwrap_or_default();
        }
        let is_name = |at: &usize| {
            let line = lines.get(*at).copied().unwrap_or_default();
            let letter = |b: &u8| b.is_ascii_alphabetic() || !b.is_ascii();
            line.iter().any(letter)
                && line.iter().all(|b| letter(b) || matches!(b, b' ' | b'-' | b'\'' | b'.'))
        };
        let dated = |at: usize| lines.get(at).is_some_and(|line| is_date(line));
        let ends = || memchr::memmem::find(rest, b"****").is_some();
        NAMES.iter().all(is_name) && dated(BIRTH) && (dated(DATE) || ends())
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader { lines: TextLines::default(), header: Header::default() })
    }
}

/// `31/01/1970`, `31/01/70`, `31011970`.
fn is_date(line: &[u8]) -> bool {
    let digits = line.iter().filter(|b| b.is_ascii_digit()).count();
    match line.len() {
        8 if digits == 8 => true,
        8 | 10 => {
            digits == line.len() - 2 && line.get(2) == Some(&b'/') && line.get(5) == Some(&b'/')
        }
        _ => false,
    }
}

struct Reader {
    lines: TextLines,
    header: Header,
}

/// The header at hand.
#[derive(Default)]
struct Header {
    /// Its lines so far; none within a report.
    line: Option<usize>,
    /// A report has begun.
    started: bool,
    record: CandidateRecord,
}

impl Header {
    fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        let text = line.trim_start_matches('\u{feff}').trim();
        if text.starts_with(END) || text.starts_with(END_OF_FILE) {
            self.end(scope);
            self.line = text.starts_with(END).then_some(0);
            return;
        }
        let number = match self.line {
            Some(number) => number + 1,
            None if self.started => return,
            None => 1,
        };
        self.started = true;
        // Blank lines between two reports.
        if number == 1 && text.is_empty() && self.line == Some(0) {
            return;
        }
        if number > HEADER || text.starts_with(RESULTS) {
            self.line = None;
            return;
        }
        self.line = Some(number);
        if text.is_empty() || text.len() > MAX_LINE {
            return;
        }
        if let Some(key) = scope.rules.keys.get(&format!("hprim_text_{number}")) {
            self.record.add(&Meaning::from(key), 0, text);
        }
    }

    fn end(&mut self, scope: &mut Scope<'_>) {
        if !self.record.is_empty() {
            self.record.mark(Marks::PATIENT);
            self.record.emit("hprim-text", scope);
        }
        self.record = CandidateRecord::default();
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let Self { lines, header } = self;
        lines.read(bytes, &mut |text| read(header, text, scope));
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let Self { lines, header } = self;
        lines.finish(&mut |text| read(header, text, scope));
        header.end(scope);
    }

    fn memory(&self) -> usize {
        self.lines.memory() + self.header.record.memory()
    }
}

/// Reads a line, or several that only carriage returns separate.
fn read(header: &mut Header, text: &str, scope: &mut Scope<'_>) -> ControlFlow<()> {
    text.split('\r').for_each(|line| header.line(line, scope));
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const REPORT: &str = "H-77\r\nROÉ\r\nJeanne\r\n12 rue Verte\r\n\r\n44000 NANTES\r\n31/01/1970\r\n\r\n4711\r\n17/05/2026\r\nMED1\r\nLABO1\r\n\r\nCher confrère,\r\nTout va bien.\r\n****FIN****\r\n";
    const FIELDS: &str = "patient_id=H-77 name=ROÉ^Jeanne";

    #[test]
    fn reports_with_a_header_each() {
        let second = REPORT.replace("H-77", "H-78").replace("Jeanne", "Jean");
        let text = format!("{REPORT}{second}****FINFICHIER****\r\n");
        let got = records("text/plain; charset=utf-8", text.as_bytes());
        assert!(got.len() == 2 && got[0].contains(FIELDS), "{got:?}");
        assert!(got[0].contains("birth_date=31/01/1970") && got[1].contains("H-78"), "{got:?}");
        for ends in ["\n", "\r"] {
            let text = REPORT.replace("\r\n", ends);
            let got = records("text/plain; charset=utf-8", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{got:?}");
        }
    }

    #[test]
    fn results_behind_the_report() {
        let text =
            REPORT.replace("****FIN****", "****LAB****\r\nRES|GLY|Glycémie|A|5.1\r\n****FIN****");
        let got = records("text/plain; charset=utf-8", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{got:?}");
    }

    #[test]
    fn cuts_and_other_texts() {
        for end in (0..REPORT.len()).filter(|at| REPORT.is_char_boundary(*at)) {
            records("text/plain; charset=utf-8", &REPORT.as_bytes()[..end]);
        }
        let list = "1\nmilk\nbread\n\n\n\n31/01/2026\n\n\n\n\n\n\n";
        assert_eq!(records("text/plain; charset=utf-8", list.as_bytes()), [""; 0]);
    }
}
