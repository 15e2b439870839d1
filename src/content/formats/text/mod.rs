//! Plain text: notes and letters with labelled values, tables drawn with bars (Markdown, database consoles).

use crate::content::extract::embedded;
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use crate::content::formats::hl7v2::carried;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};

/// Longest line kept, bytes; the rest of a longer one is passed over.
const MAX_LINE: usize = 8 << 10;

/// Plain text of no other format.
pub struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let essence = media::essence(media);
        let declared = essence.eq_ignore_ascii_case("text/plain")
            || essence.eq_ignore_ascii_case("text/markdown")
            || essence.eq_ignore_ascii_case("text/rtf");
        let named = ["txt", "text", "log", "md", "asc", "lst"];
        let unknown = essence.is_empty()
            || essence.eq_ignore_ascii_case("application/octet-stream")
            || essence.eq_ignore_ascii_case("binary/octet-stream");
        let suffix = media::suffix(media);
        let wanted = declared
            || named.iter().any(|n| n.eq_ignore_ascii_case(suffix))
            || (unknown && suffix.is_empty());
        wanted && is_text(head, declared)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(TextDocument {
            sheet: Sheet::new("text"),
            line: zeroize::Zeroizing::default(),
            path: media::path(media),
            lost: false,
            returned: false,
            messages: ["", "txt", "text", "log", "asc", "lst", "out", "dat", "hl7"]
                .iter()
                .any(|suffix| suffix.eq_ignore_ascii_case(media::suffix(media))),
            message: None,
        })
    }
}

/// A number of bytes without control characters that binary formats do not reach by chance.
const MIN_TEXT: usize = 128;

/// No control bytes but those of lines, and almost only readable characters.
fn is_text(head: &[u8], declared: bool) -> bool {
    let control = |b: &u8| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n' | 0x0c);
    if head.iter().any(|b| control(b) || *b == 0x7f) {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) if e.error_len().is_none() => true,
        // Another character set; in a few bytes, letters beyond ASCII are rare.
        Err(_) => {
            let ascii = head.iter().filter(|b| b.is_ascii()).count();
            let few = (head.len() - ascii) * 5 < head.len();
            // Every script has blanks and line breaks.
            declared || few || (head.len() >= MIN_TEXT && ascii * 16 >= head.len())
        }
    }
}

struct TextDocument {
    sheet: Sheet,
    line: zeroize::Zeroizing<Vec<u8>>,
    path: Option<Box<str>>,
    /// The beginning of the line is missing.
    lost: bool,
    /// The last line ended with CR: LF is part of its end.
    returned: bool,
    /// It may hold HL7 v2 messages: manuals and programs only show some.
    messages: bool,
    /// The current message.
    message: Option<Nested>,
}

/// Beginning of an HL7 v2 message with the usual delimiters (chapter 2.5.4).
const MESSAGE: &[u8] = b"MSH|^~\\&|";

/// Segment ends as logs write them.
const SEGMENT_ENDS: [&str; 7] = ["<CR>", "<cr>", "[CR]", "\\x0d", "\\x0D", "\\u000d", "&#13;"];

impl TextDocument {
    fn end_line(&mut self, piece: &[u8], scope: &mut Scope<'_>) {
        if std::mem::take(&mut self.lost) {
            self.line.clear();
        } else if self.line.is_empty() {
            self.read(piece, scope);
        } else {
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            let line = std::mem::take(&mut self.line);
            self.read(&line, scope);
            self.line = line;
            self.line.clear();
        }
    }

    fn read(&mut self, line: &[u8], scope: &mut Scope<'_>) {
        if !self.message(line, scope) {
            read(&mut self.sheet, line, scope);
        }
    }

    /// Takes a line that begins or continues an HL7 v2 message, as in logs of interface engines, and in files of
    /// messages with remarks between them.
    fn message(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let begins = self.messages.then(|| memchr::memmem::find(line, MESSAGE)).flatten();
        let goes_on = self.message.is_some() && is_segment(line);
        let begins = begins.or_else(|| {
            (self.messages && !goes_on).then(|| carried::patient_segment(line)).flatten()
        });
        if let Some(at) = begins {
            self.end_message(Ending::Complete, scope);
            let message = self.message.insert(carried::nested(MESSAGE));
            segments(message, line.get(at..).unwrap_or_default(), scope);
            return true;
        }
        let Some(message) = &mut self.message else { return false };
        let goes_on = goes_on || line.trim_ascii().is_empty();
        if goes_on {
            message.data(b"\r", scope);
            segments(message, line, scope);
        } else {
            self.end_message(Ending::Complete, scope);
        }
        goes_on
    }

    fn end_message(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(mut message) = self.message.take() {
            message.end(ending, scope);
        }
    }
}

/// Passes on the segments of a line.
fn segments(message: &mut Nested, line: &[u8], scope: &mut Scope<'_>) {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    if !line.iter().any(|b| matches!(b, b'<' | b'[' | b'\\' | b'&')) {
        message.data(line, scope);
        return;
    }
    let mut text = zeroize::Zeroizing::new(String::from_utf8_lossy(line).into_owned());
    for end in SEGMENT_ENDS {
        if text.contains(end) {
            text = zeroize::Zeroizing::new(text.replace(end, "\r"));
        }
    }
    message.data(text.as_bytes(), scope);
}

/// Whether a line begins like a segment: `PID|`.
fn is_segment(line: &[u8]) -> bool {
    matches!(line, [a, b, c, b'|', ..] if a.is_ascii_uppercase()
        && [b, c].iter().all(|d| d.is_ascii_uppercase() || d.is_ascii_digit()))
}

/// Reads a line: labelled values, or a row of a table that is drawn.
pub(super) fn read(sheet: &mut Sheet, line: &[u8], scope: &mut Scope<'_>) {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    // Ends in front of a character that a cap cut.
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(e) => {
            std::str::from_utf8(line.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or("")
        }
    };
    let bare = text.trim();
    if object(bare, scope) || requested(bare, scope) || quoted(bare, scope) {
        return;
    }
    let drawn = bare.starts_with('|') && bare.len() > 1;
    if drawn || bare.matches(" | ").nth(1).is_some() {
        let cells = bare.trim_start_matches('|').trim_end_matches('|').split('|');
        let cells: Vec<&str> = cells.map(str::trim).take(MAX_COLUMNS).collect();
        let ruler = |c: char| matches!(c, '-' | ':' | '=' | '+' | ' ');
        if cells.iter().all(|cell| cell.chars().all(ruler)) {
            return;
        }
        if drawn || sheet.in_table() || sheet.names(&cells, scope) {
            sheet.row(&cells, scope);
            return;
        }
    }
    // A line between a heading and its rows, or around them.
    if !bare.is_empty()
        && bare.starts_with(['+', '-'])
        && bare.chars().all(|c| matches!(c, '-' | '+' | '='))
    {
        return;
    }
    if sheet.in_table() {
        sheet.end_table(scope);
    }
    // `Patient name<tab>Jane Roe`.
    if let Some((label, value)) = bare.split_once(['\t', '|'])
        && !value.contains(['\t', '|'])
        && Sheet::known(&[label], scope) == 1
        && Sheet::known(&[value], scope) == 0
    {
        sheet.row(&[label, value], scope);
        return;
    }
    if pairs(bare, sheet, scope) {
        return;
    }
    sheet.line(text, scope);
}

/// Reads a line of labels and values in turn: `Patient name|Jane Roe|MRN|77`.
fn pairs(line: &str, sheet: &mut Sheet, scope: &mut Scope<'_>) -> bool {
    const MIN_PAIRS: usize = 2;
    let Some(separator) = line.find(['|', '\t']).and_then(|at| line.get(at..=at)) else {
        return false;
    };
    let cells: Vec<&str> = line.split(separator).map(str::trim).take(MAX_COLUMNS).collect();
    let (pairs, rest) = cells.as_chunks::<2>();
    let fits = |[label, value]: &[&str; 2]| {
        Sheet::known(&[*label], scope) == 1 && Sheet::known(&[*value], scope) == 0
    };
    let fit = rest.is_empty() && pairs.len() >= MIN_PAIRS && pairs.iter().all(fits);
    if fit {
        for pair in pairs {
            sheet.row(pair, scope);
        }
    }
    fit
}

/// Reads a statement of SQL or an element of XML in a line of a log: `LOG:  statement: INSERT INTO patients ...`,
/// `DEBUG sent <Patient mrn="77" lastName="Roe"/>`.
fn quoted(line: &str, scope: &mut Scope<'_>) -> bool {
    let read = |at: usize, content_type: &'static str, scope: &mut Scope<'_>| {
        let media = Media::Type { content_type, name: "" };
        scope.whole(&media, line.get(at..).unwrap_or("").as_bytes());
        true
    };
    if let Some(at) = line.find("INSERT INTO ").filter(|at| *at > 0)
        && line.contains(" VALUES")
    {
        return read(at, "application/sql", scope);
    }
    let Some(at) = line.find('<').filter(|at| *at > 0) else { return false };
    let element = line.get(at + 1..).unwrap_or("");
    let name = element.split([' ', '>', '/']).next().unwrap_or("");
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-'));
    let whole = line.ends_with("/>") || line.ends_with(&format!("</{name}>"));
    named && whole && element.contains("=\"") && read(at, "application/xml", scope)
}

/// Reads the query of a request in the log of a web server (Common Log Format):
/// `"GET /patients?lastName=Roe&dob=1970-01-31 HTTP/1.1"`.
fn requested(line: &str, scope: &mut Scope<'_>) -> bool {
    const METHODS: [&str; 3] = ["\"GET /", "\"POST /", "\"PUT /"];
    if !line.contains('?') {
        return false;
    }
    let Some(at) = METHODS.iter().find_map(|method| Some(line.find(method)? + method.len() - 1))
    else {
        return false;
    };
    let Some((target, _)) = line.get(at..).and_then(|rest| rest.split_once(" HTTP/")) else {
        return false;
    };
    let Some((path, query)) = target.split_once('?') else { return false };
    let media = Media::Type { content_type: "application/x-www-form-urlencoded", name: path };
    scope.whole(&media, query.as_bytes());
    true
}

/// Reads the JSON object in a line of a log: `INFO Patient created {"mrn": "77"} []`.
fn object(line: &str, scope: &mut Scope<'_>) -> bool {
    let Some(at) = line.find("{\"").filter(|at| *at > 0) else { return false };
    let object = line.get(at..).unwrap_or("");
    let Some(len) = embedded::object_len(object.as_bytes()) else { return false };
    let media = Media::Type { content_type: "application/json", name: "" };
    scope.whole(&media, object.as_bytes().get(..len).unwrap_or_default());
    true
}

impl Document for TextDocument {
    fn data(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.sheet.mark(media::about(&path, scope));
        }
        while let Some(lf) = memchr::memchr2(b'\n', b'\r', bytes) {
            let feed = bytes.get(lf) == Some(&b'\n');
            let second = feed && self.returned && lf == 0 && self.line.is_empty();
            self.returned = !feed;
            if !second {
                self.end_line(bytes.get(..lf).unwrap_or_default(), scope);
            }
            bytes = bytes.get(lf + 1..).unwrap_or_default();
        }
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        self.line.clear();
        self.end_message(Ending::Cut, scope);
        self.sheet.lose();
        (self.lost, self.returned) = (true, false);
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.end_line(&[], scope);
        }
        self.end_message(ending, scope);
        self.sheet.end(scope);
    }

    fn memory(&self) -> usize {
        self.line.capacity() + self.sheet.memory() + self.message.as_ref().map_or(0, Nested::memory)
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    fn text(text: &str) -> Vec<String> {
        records("text/plain; charset=utf-8", text.as_bytes())
    }

    #[test]
    fn a_clinical_note_gives_one_patient() {
        let got = text(
            "PROGRESS NOTE\nPatient: Laura Daugherty\nMRN: H0931558\r\nDOB: 02/01/1957\n\
            Address: 2644 Roy Station, Anthonyland 11090\nPhone: (827) 555-0122\n\n\
            HPI: Daugherty is seen at 10:15 for follow-up. Home BP 150/92.\nPlan: increase lisinopril.",
        );
        assert_eq!(
            got,
            [
                "http>text:~text [PatientContext] name=Laura Daugherty patient_id=H0931558 birth_date=02/01/1957 \
             address=2644 Roy Station, Anthonyland 11090 phone=(827) 555-0122",
            ]
        );
    }

    #[test]
    fn tables_with_both_characters_at_the_end_of_a_line() {
        let table = "| MRN | Name | DOB |\n|---|---|---|\n| 77 | Jane Roe | 1970-01-31 |\n| 78 | Otto Penn | 1951-04-12 |\n";
        let turned = "| Name | Jane Roe | Otto Penn |\n| DOB | 1970-01-31 | 1951-04-12 |\n| MRN | 77 | 78 |\n";
        for table in [table, turned] {
            let got = text(table);
            assert_eq!(got.len(), 2, "{got:?}");
            assert_eq!(text(&table.replace('\n', "\r\n")), got);
        }
    }

    #[test]
    fn patients_in_lines_of_logs() {
        let log = |line: &str| {
            text(&format!(
                "10:15:01 INFO start\n2026-03-01 10:15:02,123 INFO [exec-3] {line}\n10:15:03 INFO done\n"
            ))
        };
        for line in [
            "Loaded patient Jane Roe (MRN H-77123)",
            "Found patient Jane Roe with MRN H-77123",
            "Creating patient Jane Roe MRN=H-77123",
            "Opened patient Jane Roe [H-77123]",
            "Patient Jane Roe (ID H-77123) admitted",
        ] {
            assert_eq!(
                log(line),
                ["http>text:~text [PatientContext] name=Jane Roe patient_id=H-77123"],
                "{line}"
            );
        }
        for line in [
            "Loaded patient module version 3.2 (build 4711)",
            "Patient Monitor Driver (MRN 47110)",
            "User Jane Roe (ID 47110) logged in",
        ] {
            let got = log(line);
            assert!(got.iter().all(|record| !record.contains("name=")), "{line}: {got:?}");
        }
    }

    #[test]
    fn a_patient_segment_alone() {
        let got =
            text("10:15:02 DEBUG got PID|1||77^^^H^MR||Roe^Jane||19700131|F\n10:15:03 DEBUG ok\n");
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(got[0].contains("patient_id=77") && got[0].contains("name=Roe^Jane"), "{got:?}");
        assert_eq!(text("10:15:02 DEBUG PID|started|by|root\n"), [""; 0]);
    }

    #[test]
    fn messages_in_logs_and_between_remarks() {
        let message = "MSH|^~\\&|A|B|C|D|20260315||ADT^A01|7|P|2.5\rPID|1||H-77^^^H^MR||Roe^Jane||19700131|F\rPV1|1|I|W^1|||D7^House^Greg\r";
        for file in [
            format!("# export of today\n\n{}# end\n", message.replace('\r', "\r\n")),
            format!(
                "10:15:00 INFO [mllp-7] Received: {}\n10:15:01 INFO ack\n",
                message.replace('\r', "\\r")
            ),
            format!("10:15:00 DEBUG msg={}\nMRN: none\n", message.replace('\r', "<CR>")),
            format!("10:15:00 in:\n{}\n10:15:01 done", message.replace('\r', "\n")),
        ] {
            let read = text(&file);
            assert_eq!(read.len(), 1, "{file}: {read:?}");
            assert!(read[0].contains("hl7v2") && read[0].contains("name=Roe^Jane"), "{read:?}");
            assert!(read[0].contains("patient_id=H-77") && !read[0].contains("House"), "{read:?}");
        }
        // A program or a manual shows messages that are examples.
        let named = crate::content::Media::Type { content_type: "text/plain", name: "parser.py" };
        let program = format!("example = (\n{})\n", message.replace('\r', "\n"));
        let read = crate::content::testing::records_of(named, &[], program.as_bytes(), 64);
        assert_eq!(read, [""; 0]);
    }

    #[test]
    fn several_labels_in_a_line_and_several_people() {
        let got = text(
            "Station 3\nName: Meier, Jürgen   Geburtsdatum: 01.02.1950  Patienten-ID: 77\n\
             Name: Schulz, Eva, geb: 03.04.1960, Patienten-ID: 78 Diagnose: I10\n",
        );
        assert_eq!(
            got,
            [
                "http>text:~text [PatientContext] name=Meier, Jürgen birth_date=01.02.1950 patient_id=77",
                "http>text:~text [PatientContext] [Diagnosis] name=Schulz, Eva birth_date=03.04.1960 patient_id=78",
            ]
        );
        assert_eq!(
            text("Patient name\nJane Roe\nDate of birth:\n1 May 1970\n"),
            ["http>text:~text [PatientContext] birth_date=1 May 1970",]
        );
    }

    #[test]
    fn objects_in_the_lines_of_a_log() {
        let log = "[2026-03-01 10:15:02] production.INFO: saved {\"mrn\":\"77\",\"patient_name\":\"Jane } Roe\",\"dob\":\"1970-01-31\"} []\n\
            10:15:03 saved {\"mrn\": \"78\", \"patient_name\": \"Max Li\", \"dob\": \"1980-02-01\"}\n";
        let line = "http>text>json:~json [PatientContext] patient_id=";
        assert_eq!(
            text(log),
            [
                format!("{line}77 name=Jane }} Roe birth_date=1970-01-31"),
                format!("{line}78 name=Max Li birth_date=1980-02-01"),
            ]
        );
    }

    #[test]
    fn tables_drawn_with_characters_are_read() {
        let line =
            "http>text:~text [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31";
        for table in [
            "# Ward 3\n\n| MRN | Name | DOB |\n|-----|:----:|----:|\n| 77 | Jane Roe | 1970-01-31 |\n\nText\n",
            "+-----+----------+------------+\n| mrn | name     | dob        |\n+-----+----------+------------+\n|  77 | Jane Roe | 1970-01-31 |\n+-----+----------+------------+\n1 row in set\n",
            " mrn |   name   |    dob     \n-----+----------+------------\n 77  | Jane Roe | 1970-01-31\n(1 row)\n",
        ] {
            assert_eq!(text(table), [line], "{table}");
        }
        assert!(
            text("| Option | Name | Type |\n|---|---|---|\n| dob | Date of birth | date |\n")
                .is_empty()
        );
    }

    #[test]
    fn letters_name_whom_they_are_about_beside_the_birth_date() {
        let line = "http>text:~text [PatientContext]";
        for (letter, fields) in [
            (
                "Re: Mr. Arthur Penn, DOB: 02/03/1955, MRN: 7781234\n",
                "name=Arthur Penn birth_date=02/03/1955 patient_id=7781234",
            ),
            (
                "Arztbrief\n\nwir berichten über\nHerrn Otto Roe, geb. am 12.04.1951, wohnhaft Hamburg,\n",
                "name=Otto Roe birth_date=12.04.1951",
            ),
            (
                "Betr.: Patient Roe, Erika, geb. 03.05.1948\n",
                "name=Roe, Erika birth_date=03.05.1948",
            ),
            (
                "Pacjent: ROE ANNA, data ur. 12.03.1950, nr 7\n",
                "name=ROE ANNA birth_date=12.03.1950",
            ),
            (
                "PATIENT: ROE,JANE   ID: 123987   DOB: 01 Oct 1924\n",
                "name=ROE,JANE patient_id=123987 birth_date=01 Oct 1924",
            ),
            ("Patient: Jane Roe\nID: 123987\n", "name=Jane Roe patient_id=123987"),
            ("Patient name\tJane Roe\nDOB\t1970-01-31\n", "name=Jane Roe birth_date=1970-01-31"),
            (
                "Patient:                 Referring physician:\nJane Roe                 Dr. Greg House\nDOB: 1970-01-31\n",
                "name=Jane Roe birth_date=1970-01-31",
            ),
            ("Patient|Jane Roe\nDOB|1970-01-31\n", "name=Jane Roe birth_date=1970-01-31"),
        ] {
            assert_eq!(text(letter), [format!("{line} {fields}")], "{letter}");
        }
        // Neither the doctor nor the heading is.
        for letter in [
            "Patient seen by Dr. Greg House, DOB: 02/03/1955, MRN: 77\n",
            "Laboratory Report  DOB: 02/03/1955  MRN: 77\n",
        ] {
            let got = text(letter);
            assert!(got.iter().all(|line| !line.contains(" name=")), "{got:?}");
        }
    }

    #[test]
    fn lists_in_columns() {
        let got = text(
            "WARD LIST 3N\n\nBed  Name                 DOB         MRN\n1    Roe, Jane            01/02/1940  100201\n\
             2    Li, Max              02/03/1941  100202\n3    Penn, Arthur         03/04/1942  100203\n",
        );
        assert_eq!(got.len(), 3, "{got:?}");
        assert!(got[1].contains("name=Li, Max birth_date=02/03/1941 patient_id=100202"), "{got:?}");
    }

    #[test]
    fn statements_elements_and_pairs_in_one_line() {
        for line in [
            "2026-04-05 10:00:00 UTC [77] LOG:  statement: INSERT INTO patients (mrn, first_name, last_name, dob) VALUES ('H77123', 'Jane', 'Roe', '1970-01-31')\n",
            "2026-04-05 10:00:00 DEBUG sent <Patient mrn=\"H77123\" lastName=\"Roe\" firstName=\"Jane\" dob=\"1970-01-31\"/>\n",
            "Patient Name|Roe, Jane|MRN|H77123|DOB|1970-01-31|Sex|F\n",
            "[Patient]\nID=H77123\nName=Roe, Jane\nDOB=1970-01-31\n",
            "Paziente: Roe Jane  Data di nascita: 1970-01-31  ID: H77123\n",
        ] {
            let got = text(line);
            assert_eq!(got.len(), 1, "{line}: {got:?}");
            for part in ["Roe", "Jane", "birth_date=1970-01-31", "patient_id=H77123"] {
                assert!(got[0].contains(part), "{line}: {got:?}");
            }
        }
        for line in [
            "LOG: statement: INSERT INTO products (sku, name) VALUES ('77', 'Lamp')\n",
            "DEBUG sent <Lamp sku=\"77\" name=\"Lamp\"/>\n",
            "Mail from Jane Roe <jane@example.org>\n",
        ] {
            assert!(text(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn requests_in_the_log_of_a_web_server() {
        let got = text(
            "10.1.1.7 - li [05/Apr/2026:10:00:00 +0000] \"GET /patients?lastName=Roe&firstName=Jane&dob=1970-01-31&mrn=H77123 HTTP/1.1\" 200 512\n\
             10.1.1.7 - li [05/Apr/2026:10:00:01 +0000] \"GET /search?q=Jane+Roe&sort=name HTTP/1.1\" 200 9\n",
        );
        assert_eq!(got.len(), 1, "{got:?}");
        for part in ["name=Roe^Jane", "birth_date=1970-01-31", "patient_id=H77123"] {
            assert!(got[0].contains(part), "{got:?}");
        }
    }

    #[test]
    fn prose_has_no_patient() {
        for prose in [
            "Backup share of ward 3B. Do not publish.\n",
            "Usage: tool --name NAME\nName: tool\nVersion: 1.2\n",
            "GET http://example.org/a?name=b\n",
            "The patient: who is it? See PID-5 for the name: a field.\n",
        ] {
            assert_eq!(text(prose), Vec::<String>::new(), "{prose}");
        }
    }
}
