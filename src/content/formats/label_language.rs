//! Line-based languages of label printers: EPL 2 (Zebra), TSPL (TSC), CPCL (mobile printers) and Fingerprint
//! (Honeywell), for labels of specimen tubes and wristbands.

use crate::content::extract::printed::PrintedLabel;
use crate::content::stack::charset::dos_text;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use zeroize::Zeroizing;

/// Longest line, bytes; the rest of a longer one (an image) is passed over.
const MAX_LINE: usize = 4096;
/// Bytes examined to recognise a language.
const MAX_HEAD: usize = 1024;

/// Syntax of a language's print commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Epl,
    Tspl,
    Cpcl,
    Fingerprint,
}

/// One of the languages.
pub struct LabelLanguage(&'static str, Language);

/// EPL 2.
pub const EPL: LabelLanguage = LabelLanguage("epl", Language::Epl);
/// TSPL.
pub const TSPL: LabelLanguage = LabelLanguage("tspl", Language::Tspl);
/// CPCL.
pub const CPCL: LabelLanguage = LabelLanguage("cpcl", Language::Cpcl);
/// Fingerprint.
pub const FINGERPRINT: LabelLanguage = LabelLanguage("fingerprint", Language::Fingerprint);

/// The language of `head`, if it is one of these.
fn language(head: &[u8]) -> Option<Language> {
    let head = head.get(..MAX_HEAD).unwrap_or(head);
    let lines = || head.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let first = lines().find(|l| !l.is_empty())?;
    let starts =
        |word: &[u8]| first.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word));
    if starts(b"SIZE ") && first.get(5).is_some_and(u8::is_ascii_digit)
        || (first.eq_ignore_ascii_case(b"CLS") && lines().any(|l| l.starts_with(b"TEXT ")))
    {
        return Some(Language::Tspl);
    }
    if let Some(rest) = first.strip_prefix(b"! ") {
        let words = rest.split(|b| *b == b' ').filter(|w| !w.is_empty());
        let numbers = words.clone().filter(|w| w.iter().all(u8::is_ascii_digit)).count();
        return (numbers >= 4 && numbers == words.count()).then_some(Language::Cpcl);
    }
    if starts(b"PRPOS") || starts(b"CLIP ON") || starts(b"INPUT OFF") {
        return lines()
            .any(|l| l.starts_with(b"PRTXT") || l.starts_with(b"PRPOS"))
            .then_some(Language::Fingerprint);
    }
    let opens =
        first == b"N" || first.first().is_some_and(|b| b"qQRSDIO".contains(b)) && first.len() <= 24;
    (opens && lines().any(is_epl_text)).then_some(Language::Epl)
}

/// `A50,0,0,1,1,1,N,"text"`.
fn is_epl_text(line: &[u8]) -> bool {
    matches!(line, [b'A' | b'B', digit, ..] if digit.is_ascii_digit())
        && line.ends_with(b"\"")
        && line.iter().filter(|b| **b == b',').count() >= 7
}

/// Whether a label in one of these languages begins at `head`.
pub fn begins(head: &[u8]) -> bool {
    language(head).is_some()
}

impl Format for LabelLanguage {
    fn name(&self) -> &'static str {
        self.0
    }

    fn first(&self) -> &'static [u8] {
        match self.1 {
            Language::Epl => b"NqQRSDIO",
            Language::Tspl => b"sScC",
            Language::Cpcl => b"!",
            Language::Fingerprint => b"pPcCiI",
        }
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        language(head) == Some(self.1)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Job {
            language: self.1,
            line: Zeroizing::default(),
            label: PrintedLabel::new(self.0),
            place: None,
        })
    }
}

struct Job {
    language: Language,
    line: Zeroizing<Vec<u8>>,
    label: PrintedLabel,
    /// Print position of Fingerprint.
    place: Option<(i32, i32)>,
}

impl Job {
    fn end_line(&mut self, scope: &mut Scope<'_>) {
        let line = std::mem::take(&mut self.line);
        let text = match std::str::from_utf8(line.trim_ascii()) {
            Ok(text) => Zeroizing::new(text.to_owned()),
            Err(_) => Zeroizing::new(dos_text(line.trim_ascii())),
        };
        match self.language {
            Language::Epl => self.epl(&text, scope),
            Language::Tspl => self.tspl(&text, scope),
            Language::Cpcl => self.cpcl(&text, scope),
            // Several commands are on one line.
            Language::Fingerprint => {
                text.split(':').for_each(|c| self.fingerprint(c.trim(), &text, scope))
            }
        }
    }

    /// `A x,y,rotation,font,h,v,reverse,"text"`, `B` and `b` bar codes; `N` clears, `P` prints.
    fn epl(&mut self, line: &str, scope: &mut Scope<'_>) {
        let Some(kind) = line.bytes().next() else { return };
        match kind {
            b'A' | b'B' | b'b' => {
                let Some((front, quoted)) = line.split_once('"') else { return };
                let text = quoted.trim_end().trim_end_matches('"').replace("\\\"", "\"");
                self.label.text(place(front.get(1..).unwrap_or("")), &text, kind != b'A');
            }
            b'N' if line.len() == 1 => self.label.emit(scope),
            b'P' if line.len() <= 8 => self.label.emit(scope),
            _ => {}
        }
    }

    /// `TEXT x,y,"font",rotation,x,y,"content"`; the content is the last in quotes.
    fn tspl(&mut self, line: &str, scope: &mut Scope<'_>) {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is = |word: &str| command.eq_ignore_ascii_case(word);
        let code = ["BARCODE", "QRCODE", "DMATRIX", "PDF417", "AZTEC"].iter().any(|w| is(w));
        if is("TEXT") || is("BLOCK") || code {
            let rest = rest.trim_end();
            let Some(body) = rest.strip_suffix('"') else { return };
            // A quote in the content is doubled or escaped as `\["]`.
            let start = body
                .rfind(",\"")
                .map_or_else(|| body.find('"').map(|at| at + 1), |at| Some(at + 2));
            let content = start.and_then(|at| body.get(at..)).unwrap_or("").replace("\\[\"]", "\"");
            self.label.text(place(rest), &content, code);
        } else if is("PRINT") || is("CLS") {
            self.label.emit(scope);
        }
    }

    /// `TEXT font size x y text`, `BARCODE type width ratio height x y data`; `PRINT`.
    fn cpcl(&mut self, line: &str, scope: &mut Scope<'_>) {
        let mut words = line.splitn(2, ' ');
        let (command, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let is = |word: &str| command.eq_ignore_ascii_case(word);
        let text =
            ["TEXT", "T", "TEXT90", "T90", "VTEXT", "VT", "TEXT180", "T180", "TEXT270", "T270"];
        if text.iter().any(|w| is(w)) {
            self.after(rest, 4, false);
        } else if is("BARCODE") || is("B") || is("VBARCODE") || is("VB") {
            self.after(rest, 6, true);
        } else if is("PRINT") || is("FORM") || is("!") {
            self.label.emit(scope);
        }
    }

    /// The text behind this many words; the last two are its position.
    fn after(&mut self, rest: &str, words: usize, barcode: bool) {
        let mut parts = rest.trim_start().splitn(words + 1, ' ');
        let head: Vec<&str> = parts.by_ref().take(words).collect();
        let number = |at: usize| head.get(at).and_then(|n| n.parse().ok());
        let place = number(words - 2).zip(number(words - 1));
        if let Some(text) = parts.next() {
            self.label.text(place, text, barcode);
        }
    }

    /// `PRPOS x,y`, `PRTXT "text"`, `PRBAR "data"`, `PRINTFEED`.
    fn fingerprint(&mut self, command: &str, line: &str, scope: &mut Scope<'_>) {
        if let Some(rest) = command.strip_prefix("PRPOS") {
            self.place = place(rest);
        } else if command.starts_with("PRTXT") || command.starts_with("PRBAR") {
            // A text may have colons: quoted text is taken from the whole line.
            let barcode = command.starts_with("PRBAR");
            let word = if barcode { "PRBAR" } else { "PRTXT" };
            let quoted = line.split_once(word).and_then(|(_, rest)| rest.split_once('"'));
            let text = quoted.map_or("", |(_, rest)| rest.split('"').next().unwrap_or(""));
            self.label.text(self.place, text, barcode);
        } else if command.starts_with("PRINTFEED") || command == "PF" {
            self.label.emit(scope);
        }
    }
}

/// `x,y` at the front, in dots.
fn place(text: &str) -> Option<(i32, i32)> {
    let mut numbers = text.split(',').map(|n| n.trim().parse().ok());
    // EPL counts from the left, and so does TSPL.
    numbers.next()?.zip(numbers.next()?)
}

impl Document for Job {
    fn data(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let room = MAX_LINE.saturating_sub(self.line.len());
            let piece = bytes.get(..end).unwrap_or_default();
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            self.end_line(scope);
            bytes = bytes.get(end + 1..).unwrap_or_default();
        }
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        self.line.clear();
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.end_line(scope);
        }
        self.label.emit(scope);
    }

    fn memory(&self) -> usize {
        self.line.capacity() + self.label.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const JANE: &str = "[PatientContext] name=Roe, Jane birth_date=1970-01-31 patient_id=H77123";

    #[test]
    fn one_label_in_each_language() {
        let epl =
            b"\r\nN\r\nq609\r\nA10,10,0,2,1,1,N,\"Name:\"\r\nA90,10,0,2,1,1,N,\"Roe, Jane\"\r\n\
            A10,40,0,2,1,1,N,\"DOB: 1970-01-31\"\r\nB10,90,0,1,2,4,60,B,\"H77123\"\r\nP1\r\n";
        assert_eq!(records("", epl), [format!("http>epl:~epl {JANE}")]);
        let tspl = b"SIZE 50 mm,25 mm\r\nCLS\r\nTEXT 10,10,\"3\",0,1,1,\"ROE, JANE\"\r\n\
            TEXT 10,40,\"3\",0,1,1,\"DOB: 1970-01-31\"\r\nBARCODE 10,90,\"128\",50,1,0,2,2,\"H77123\"\r\nPRINT 1\r\n";
        assert_eq!(
            records("", tspl),
            ["http>tspl:~tspl [PatientContext] birth_date=1970-01-31 name=ROE, JANE patient_id=H77123".to_string()]
        );
        let cpcl = b"! 0 200 200 210 1\r\nTEXT 4 0 30 40 Name: Roe, Jane\r\nT 4 0 30 60 DOB: 1970-01-31\r\n\
            BARCODE 128 1 1 50 150 10 H77123\r\nFORM\r\nPRINT\r\n";
        assert_eq!(records("", cpcl), [format!("http>cpcl:~cpcl {JANE}")]);
        let fingerprint = b"INPUT OFF\r\nPRPOS 10,90:PRTXT \"Name: Roe, Jane\"\r\nPRPOS 10,60:PRTXT \"DOB: 1970-01-31\"\r\n\
            PRPOS 10,10:PRBAR \"H77123\"\r\nPRINTFEED\r\n";
        assert_eq!(records("", fingerprint), [format!("http>fingerprint:~fingerprint {JANE}")]);
    }

    #[test]
    fn parcels_and_prose() {
        let parcel =
            b"N\nA10,10,0,2,1,1,N,\"John Smith\"\nA10,40,0,2,1,1,N,\"Main Street 5\"\nP1\n";
        assert_eq!(records("", parcel), [""; 0]);
        assert!(!super::begins(b"N\nQuestions, answers\n"));
        assert!(!super::begins(b"! important\nTEXT 1\n"));
    }
}
