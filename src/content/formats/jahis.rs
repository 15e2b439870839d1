//! Japanese prescriptions and medication notebooks in QR codes, files and the electronic prescription service:
//! numbered records of comma-separated values (JAHIS 院外処方箋2次元シンボル記録条件規約, JAHIS 電子版お薬手帳データフォーマット仕様書).

use super::text_lines::TextLines;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use std::ops::ControlFlow;

/// Prefix of each kind; digits of the version follow.
const KINDS: [(&str, Kind); 3] =
    [("JAHISTC", Kind::Notebook), ("JAHIS", Kind::Prescription), ("SJ", Kind::Prescription)];

/// Most digits of a version.
const MAX_VERSION: usize = 2;

/// Values of one record that are read.
const MAX_VALUES: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Prescription,
    Notebook,
}

impl Kind {
    /// Prefix of record number and value index, for the names in `rules/keys.toml`.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Prescription => "jahis_rx",
            Self::Notebook => "jahis_tc",
        }
    }
}

/// The kind that a first line names.
fn kind(line: &str) -> Option<Kind> {
    let (front, kind) = KINDS.iter().find(|(front, _)| line.starts_with(*front))?;
    let rest = line.get(front.len()..)?.trim_end();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let behind = rest.get(digits..)?;
    ((1..=MAX_VERSION).contains(&digits) && (behind.is_empty() || behind.starts_with(',')))
        .then_some(*kind)
}

/// A prescription or a notebook.
pub struct Jahis;

impl Format for Jahis {
    fn name(&self) -> &'static str {
        "jahis"
    }

    fn first(&self) -> &'static [u8] {
        b"JS"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let Some(end) = memchr::memchr(b'\n', head) else { return false };
        let line = head.get(..end).and_then(|line| std::str::from_utf8(line).ok());
        let record = head.get(end + 1..).unwrap_or_default();
        // A number and a comma follow.
        let digits = record.iter().take_while(|b| b.is_ascii_digit()).count();
        line.and_then(kind).is_some()
            && (1..=3).contains(&digits)
            && record.get(digits) == Some(&b',')
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader {
            lines: TextLines::default(),
            kind: None,
            record: CandidateRecord::default(),
        })
    }
}

struct Reader {
    lines: TextLines,
    kind: Option<Kind>,
    record: CandidateRecord,
}

/// Takes a line: the first names the kind, each other one is a record.
fn line(
    of: &mut Option<Kind>,
    record: &mut CandidateRecord,
    line: &str,
    scope: &mut Scope<'_>,
) -> ControlFlow<()> {
    let Some(of) = *of else {
        *of = kind(line.trim_start_matches('\u{feff}'));
        return if of.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    };
    let mut values = line.split(',');
    let number = values.next().unwrap_or("").trim();
    if number.is_empty() || number.len() > 3 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return ControlFlow::Continue(());
    }
    for (at, value) in (1..).zip(values.take(MAX_VALUES)) {
        let value = value.trim().trim_matches('"').trim();
        if value.is_empty() {
            continue;
        }
        let Some(key) = scope.rules.keys.get(&format!("{}_{number}_v{at}", of.prefix())) else {
            continue;
        };
        let meaning = Meaning::from(key);
        if record.contradicts(&meaning, value) {
            record.mark(Marks::PATIENT);
            record.emit("jahis", scope);
        }
        record.add(&meaning, 0, value);
    }
    ControlFlow::Continue(())
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let Self { lines, kind, record } = self;
        lines.read(bytes, &mut |text| line(kind, record, text, scope));
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let Self { lines, kind, record } = self;
        if ending == Ending::Complete {
            lines.finish(&mut |text| line(kind, record, text, scope));
        }
        record.mark(Marks::PATIENT);
        record.emit("jahis", scope);
    }

    fn memory(&self) -> usize {
        self.lines.memory() + self.record.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    #[test]
    fn prescriptions_and_notebooks() {
        for head in ["JAHIS9", "JAHIS10", "SJ1"] {
            let rx = format!(
                "{head}\r\n1,1,1310001,13,テスト病院\r\n2,105-0004,東京都港区1-1\r\n5,,,山本　一郎\r\n11,00770,渡邉　宗一郎,ﾜﾀﾅﾍﾞ ｿｳｲﾁﾛｳ\r\n12,1\r\n13,19620806\r\n22,06123456\r\n51,20260301\r\n101,1,1,,5\r\n"
            );
            let line = "http>jahis:~jahis [PatientContext] patient_id=00770 name=渡邉　宗一郎 sex=1 birth_date=19620806";
            assert_eq!(records("text/plain; charset=utf-8", rx.as_bytes()), [line], "{head}");
        }
        let notebook = "JAHISTC08,1\n1,渡邉　宗一郎,1,S370806,105-0004,東京都港区1-1,03-5555-0101\n5,20260301,1\n11,テスト薬局,13,4,1234567\n51,山田病院,13,1,1234567\n55,山本　一郎,内科\n201,1,ロキソニン錠60mg,3,錠,2,620098801\n";
        let line = "http>jahis:~jahis [PatientContext] name=渡邉　宗一郎 sex=1 birth_date=S370806 address=105-0004, 東京都港区1-1 phone=03-5555-0101";
        assert_eq!(records("text/plain; charset=utf-8", notebook.as_bytes()), [line]);
    }

    #[test]
    fn other_texts_are_no_prescriptions() {
        for head in ["JAHIS9", "JAHIS10", "JAHISTC08,1", "JAHISTC01", "SJ1"] {
            assert!(kind(head).is_some(), "{head}");
        }
        for head in ["JAHIS", "JAHIS9x", "SJX", "SJ123", "JAHISTC"] {
            assert!(kind(head).is_none(), "{head}");
        }
        for text in ["JAHIS9\nHello, world\n", "JAHIS9", "SJ1\n1,2,3\n"] {
            assert_eq!(records("text/plain", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
