//! Tables of text: CSV (RFC 4180), TSV, and variants with semicolons and bars. The first line names the columns; each
//! other line is one record.

use crate::content::extract::labels::Labels;
use crate::content::extract::numbers::ListPosition;
use crate::content::extract::people_columns::PeopleColumns;
use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::schemaless::Node;
use crate::content::extract::table::{MAX_COLUMNS, TableColumns, read_message};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::rules::{About, RuleSet, fold};
use zeroize::Zeroizing;

/// Longest row, bytes.
const MAX_ROW: usize = 64 << 10;
/// Lines before the header of a table.
const MAX_PREAMBLE: u32 = 20;
/// Longest title of a table, bytes.
const MAX_TITLE: usize = 200;
/// Longest name of a column, bytes.
const MAX_NAME: usize = 64;

/// Comma, semicolon, tab or bar between the columns, as in the header.
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], extent: Extent) -> bool {
        let declared = media::says(media, "csv", &["csv", "tsv", "tab", "psv"])
            || media::says(media, "tab", &[]);
        let Some(lf) = head
            .iter()
            .position(|b| *b == b'\n')
            .or((extent == Extent::Whole).then_some(head.len()))
        else {
            return declared;
        };
        let line = head.get(..lf).unwrap_or_default();
        let text = !head.iter().any(|b| *b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n'));
        let front = line.trim_ascii_start();
        // A table of Markdown, or one drawn with lines, is text.
        let below = head.get(lf + 1..).unwrap_or_default().trim_ascii_start();
        let drawn = |line: &[u8]| matches!(line, [b'|' | b'+', ..] | [b'-', b'-', b'-', ..]);
        if !declared && (drawn(front) || drawn(below)) {
            return false;
        }
        match separator(line) {
            // Undeclared, several columns with names of a header, and a row below it as wide.
            Some(separator) if text => {
                declared || (is_header(line, separator) && is_row(line, below, separator, extent))
            }
            // Lines before the header may have no columns.
            None if text => declared,
            _ => false,
        }
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        3
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Table {
            path: media::path(media),
            row: Vec::new(),
            quoted: false,
            lost: false,
            separator: None,
            lines: 0,
            people: 0,
            columns: TableColumns::default(),
            places: Vec::new(),
            afar: Marks::default(),
            turned: PeopleColumns::default(),
            held: Vec::new(),
        })
    }
}

/// The column of the number of a participant, folded.
const RECORD_ID: &str = "recordid";

/// Whether only exports about the participants of a study have a column of this name.
fn is_participant(name: &str, rules: &RuleSet) -> bool {
    fold(name).starts_with("redcap") && rules.keys.context(name) == Some(About::Care)
}

/// The separator of a header line: the one that occurs most.
fn separator(line: &[u8]) -> Option<u8> {
    let count = |s: u8| line.iter().filter(|b| **b == s).count();
    [b'\t', b';', b',', b'|']
        .into_iter()
        .map(|s| (count(s), s))
        .filter(|(n, _)| *n > 0)
        .max()
        .map(|(_, s)| s)
}

/// What all names of a header have in front, up to an underscore or a point.
fn common_prefix<'a>(names: &'a [std::borrow::Cow<'_, str>]) -> Option<&'a str> {
    let first = names.first().filter(|_| names.len() >= 3)?;
    let ends = first.match_indices(['_', '.']).map(|(at, _)| first.get(..=at).unwrap_or(""));
    let common = |prefix: &&str| {
        names.iter().all(|name| name.starts_with(prefix) && name.len() > prefix.len())
    };
    ends.take_while(common).last()
}

/// Whether a line looks like column names rather than prose: short cells, most of them words.
fn is_header(line: &[u8], separator: u8) -> bool {
    let cells = line.split(|b| *b == separator);
    let (mut count, mut named, mut labelled) = (0, 0, 0);
    for cell in cells {
        let cell = cell.trim_ascii();
        count += 1;
        labelled += usize::from(is_labelled(cell));
        let words = cell.split(|b| *b == b' ').count();
        named += usize::from(
            !cell.is_empty()
                && cell.len() <= MAX_NAME
                && words <= 4
                && cell.iter().any(|b| b.is_ascii_alphabetic() || !b.is_ascii()),
        );
    }
    count >= 3 && named * 4 >= count * 3 && labelled < 2
}

/// Whether the first line of `below` is as wide as the `header`, as far as it is available; any other is text.
fn is_row(header: &[u8], below: &[u8], separator: u8, extent: Extent) -> bool {
    let end = below.iter().position(|b| *b == b'\n');
    let count = |line: &[u8]| line.iter().filter(|b| **b == separator).count();
    let row = below.get(..end.unwrap_or(below.len())).unwrap_or(below);
    let cut = end.is_none() && extent == Extent::Beginning;
    match count(row) {
        _ if row.trim_ascii().is_empty() => cut,
        // Commas inside quotes.
        more if more > count(header) => row.contains(&b'"'),
        fewer => fewer == count(header) || cut,
    }
}

/// Whether a cell holds a label and its value (`DOB: 27.04.1965`): no column has such a name.
fn is_labelled(cell: &[u8]) -> bool {
    let mut halves = cell.splitn(2, |b| *b == b':');
    let (label, value) = (halves.next().unwrap_or_default(), halves.next());
    label.iter().any(u8::is_ascii_alphabetic) && value.is_some_and(|v| !v.trim_ascii().is_empty())
}

struct Table {
    path: Option<Box<str>>,
    /// The current row.
    row: Vec<u8>,
    quoted: bool,
    /// The row has a gap.
    lost: bool,
    /// `None` until the header is read.
    separator: Option<u8>,
    /// Lines read before the header, and records found in them.
    lines: u32,
    people: u32,
    columns: TableColumns,
    /// Position of numbers in a table without names.
    places: Vec<ListPosition>,
    /// What the path says about it.
    afar: Marks,
    /// Rows that may have a column for each person, and their lines.
    turned: PeopleColumns<Zeroizing<String>>,
    held: Vec<Zeroizing<String>>,
}

impl Document for Table {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.afar = media::about(&path, scope);
        }
        let mut start = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                // RFC 4180 2.6: a line break inside quotes belongs to the cell.
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted || self.row.len() + at - start > MAX_ROW / 4 => {
                    self.quoted = false;
                    let piece = bytes.get(start..at).unwrap_or_default();
                    start = at + 1;
                    if !self.line(piece, scope) {
                        return Want::NOTHING;
                    }
                }
                _ => {}
            }
        }
        let rest = bytes.get(start..).unwrap_or_default();
        if self.row.len() + rest.len() > MAX_ROW {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        self.row.extend_from_slice(rest);
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        // The row around the gap is lost, and the header if it was in it.
        self.release(scope);
        self.row.clear();
        self.quoted = false;
        self.lost = true;
        if self.separator.is_none() { Want::NOTHING } else { Want::ALL }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.line(&[], scope);
        }
        self.release(scope);
    }

    fn memory(&self) -> usize {
        self.row.capacity() + self.columns.memory() + 2 * self.turned.memory()
    }
}

impl Table {
    /// A line whose last piece is `piece`. False if no line can be of interest.
    fn line(&mut self, piece: &[u8], scope: &mut Scope<'_>) -> bool {
        let held;
        let line = if self.row.is_empty() {
            piece
        } else {
            self.row.extend_from_slice(piece);
            held = zeroize::Zeroizing::new(std::mem::take(&mut self.row));
            held.as_slice()
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if std::mem::take(&mut self.lost) || line.trim_ascii().is_empty() {
            return true;
        }
        let line = match std::str::from_utf8(line) {
            Ok(text) => std::borrow::Cow::Borrowed(text),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(line).0,
        };
        let line = line.trim_start_matches('\u{feff}');
        // Excel's hint, `sep=;`.
        if self.separator.is_none() && line.len() == 5 && line.starts_with("sep=") {
            return true;
        }
        self.turned(line, scope).unwrap_or_else(|| self.read(line, scope))
    }

    /// Holds a line that may be one of a table with a column for each person. None if it is no such line.
    fn turned(&mut self, line: &str, scope: &mut Scope<'_>) -> Option<bool> {
        let separator = separator(line.as_bytes()).filter(|_| self.separator.is_none())?;
        let cells = || Cells { rest: Some(line), separator }.take(MAX_COLUMNS);
        let row: Vec<_> = cells().map(|cell| Zeroizing::new(cell.into_owned())).collect();
        let mut goes_on = true;
        if !self.turned.fits(&row, scope.rules) {
            goes_on = self.release(scope);
            if self.separator.is_some() || !self.turned.fits(&row, scope.rules) {
                return if goes_on { None } else { Some(false) };
            }
        }
        self.held.push(Zeroizing::new(line.to_owned()));
        if !self.turned.hold(row, scope.rules) {
            goes_on &= self.release(scope);
        }
        Some(goes_on)
    }

    /// Reads the lines that were held. False if no line can be of interest.
    fn release(&mut self, scope: &mut Scope<'_>) -> bool {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() || self.turned.finish("csv", self.afar, scope).is_empty() {
            return true;
        }
        held.iter().all(|line| self.read(line, scope))
    }

    fn read(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let Some(separator) = self.separator else { return self.before(line, scope) };
        let mut record = CandidateRecord::default();
        self.columns.read_row(Cells { rest: Some(line), separator }, &mut record, scope);
        record.mark_from_afar(self.afar);
        record.emit("csv", scope);
        true
    }
}

impl Table {
    /// A line before the header: the header itself, a title, or a row of a table that has none.
    /// False if no line can be of interest.
    fn before(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let rules = scope.rules;
        let first = self.lines == 0;
        self.lines += 1;
        // The bars of a message in a cell are no separators.
        if line.contains("MSH|") {
            let cells = |separator| Cells { rest: Some(line), separator };
            let read = |s: &u8| cells(*s).any(|cell| read_message(cell.trim(), scope));
            self.people += u32::from(b",;\t".iter().any(read));
            return true;
        }
        let Some(separator) = separator(line.as_bytes()) else {
            let mut record = CandidateRecord::default();
            self.numbers(std::iter::once(line), &mut record, scope);
            if record.is_empty() {
                self.title(line, scope);
            } else {
                self.person(record, scope);
            }
            return self.goes_on();
        };
        let cells = || Cells { rest: Some(line), separator }.take(MAX_COLUMNS);
        let mut columns = TableColumns::of_fields(cells(), scope);
        // The number of a row of a table of patients is that of the patient.
        let is_id = |name: std::borrow::Cow<'_, str>| name.trim().eq_ignore_ascii_case("id");
        // Exports of REDCap begin with the number of the participant, and name the forms and events behind it.
        let of_study = || {
            let mut names = cells();
            let first = names.next().is_some_and(|name| fold(&name) == RECORD_ID);
            first && names.any(|name| is_participant(&name, rules))
        };
        if (self.afar.is_patient() && cells().next().is_some_and(is_id)) || of_study() {
            columns.number_first(rules);
        }
        let mut known = columns.known();
        // `patients_last_name`, `patients.mrn`: programs put the table's name before each.
        let names: Vec<_> = cells().collect();
        if let Some(prefix) = common_prefix(&names) {
            let mut bare = TableColumns::default();
            let own = names.iter().filter_map(|name| name.strip_prefix(prefix));
            own.for_each(|name| bare.push_field(name, rules));
            if bare.known() >= 2 && bare.known() > known {
                known = bare.known();
                columns = bare;
                self.afar = self.afar.and(media::about(prefix, scope));
            }
        }
        // A single name may be in a title, too, and in a row by chance.
        if known >= 2 || (first && known == 1) {
            self.separator = Some(separator);
            self.columns = columns;
            return true;
        }
        let mut record = CandidateRecord::default();
        self.numbers(cells().map(|cell| cell.into_owned()), &mut record, scope);
        let numbered = !record.is_empty();
        let filled = cells().filter(|cell| !cell.trim().is_empty()).count();
        if filled < 3 && numbered {
            self.person(record, scope);
        } else if filled < 3 {
            self.title(line, scope);
        } else {
            let mut row = Node::default();
            for (number, cell) in (1..).zip(cells()) {
                row.text(number, cell.trim());
            }
            let mut known = CandidateRecord::default();
            if row.person(self.afar, &mut known, rules) {
                known.emit("csv", scope);
                self.people += 1;
            } else if numbered {
                self.person(record, scope);
            }
        }
        self.goes_on()
    }

    /// If the first rows are about no person, the others are not either.
    const fn goes_on(&self) -> bool {
        self.lines < MAX_PREAMBLE || self.people * 4 >= self.lines
    }

    /// Looks for numbers of registers in a row of a table that has no names.
    fn numbers(
        &mut self,
        cells: impl Iterator<Item = impl AsRef<str>>,
        record: &mut CandidateRecord,
        scope: &mut Scope<'_>,
    ) {
        let rules = scope.rules;
        for (column, cell) in cells.enumerate() {
            let cell = cell.as_ref().trim();
            if column >= self.places.len() {
                // The first row may have the names, even if they are none that are known.
                self.places.push(ListPosition::column(column as u32, cell, rules));
            }
            let place = self.places.get(column).copied().unwrap_or_default();
            if let Some(meaning) = place.meaning(cell, scope) {
                record.add(&meaning, 0, cell);
            }
        }
    }

    /// A row of nothing known but numbers of a register.
    fn person(&mut self, mut record: CandidateRecord, scope: &mut Scope<'_>) {
        record.mark_from_afar(self.afar);
        record.emit("csv", scope);
        self.people += 1;
    }

    /// Text above a table: `Ward list 3B;;;`.
    fn title(&mut self, line: &str, scope: &mut Scope<'_>) {
        let title =
            line.trim_matches(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '|' | '"'));
        let mut labels = Labels::new("csv");
        labels.heading(title.get(..MAX_TITLE).unwrap_or(title), scope);
        self.afar = self.afar.and(labels.around());
    }
}

/// The cells of a row, without quotes.
struct Cells<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Cells<'a> {
    type Item = std::borrow::Cow<'a, str>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest?;
        let separator = self.separator as char;
        let Some(quoted) = text.trim_start_matches(' ').strip_prefix('"') else {
            let (cell, rest) = match text.split_once(separator) {
                Some((cell, rest)) => (cell, Some(rest)),
                None => (text, None),
            };
            self.rest = rest;
            return Some(cell.into());
        };
        let mut from = 0;
        let end = loop {
            match quoted.get(from..).and_then(|q| q.find('"')) {
                None => break quoted.len(),
                Some(at) if quoted.get(from + at + 1..).is_some_and(|q| q.starts_with('"')) => {
                    from += at + 2
                }
                Some(at) => break from + at,
            }
        };
        let cell = quoted.get(..end).unwrap_or("");
        let after = quoted.get(end + 1..).unwrap_or("");
        self.rest = after.split_once(separator).map(|(_, rest)| rest);
        Some(if cell.contains("\"\"") { cell.replace("\"\"", "\"").into() } else { cell.into() })
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn names_behind_that_of_their_table() {
        for table in ["patients_", "kis.patients.", "tbl_7_", "patient_"] {
            let header =
                ["mrn", "achternaam", "geboortedatum"].map(|name| format!("{table}{name}"));
            let text = format!("{}\n77,Roe,1970-01-31\n", header.join(","));
            let got = records("text/csv", text.as_bytes());
            assert!(
                got.len() == 1 && got[0].contains("patient_id=77") && got[0].contains("name=Roe"),
                "{got:?}"
            );
        }
        assert_eq!(records("text/csv", b"row_a,row_b,row_c\n77,Roe,1970-01-31\n"), [""; 0]);
    }

    #[test]
    fn rows_are_records() {
        let text = "mrn,last_name,first_name,dob,diagnosis\r\n1,\"Wal\"\"lace, Jr\",Ryan,1942-07-10,I10\n\n2,Petty,\"Ga\nbi\",1948-06-07,\n3,Cut";
        assert_eq!(
            records("text/csv", text.as_bytes()),
            [
                "http>csv:~csv [PatientContext] [Diagnosis] patient_id=1 name=Wal\"lace, Jr^Ryan birth_date=1942-07-10",
                "http>csv:~csv [PatientContext] patient_id=2 name=Petty^Ga\nbi birth_date=1948-06-07",
                "http>csv:~csv [PatientContext] patient_id=3 name=Cut",
            ]
        );
    }

    #[test]
    fn a_column_for_each_patient() {
        let text =
            "Name;Jane Roe;Otto Penn\nDate of birth;1970-01-31;1951-04-12\nMRN;77;78\nWard;3;3\n";
        assert_eq!(
            records("text/csv", text.as_bytes()),
            [
                "http>csv:~csv [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=77",
                "http>csv:~csv [PatientContext] name=Otto Penn birth_date=1951-04-12 patient_id=78",
            ]
        );
        // The first column names things.
        let things = "name,price,stock\nLamp,10,7\nDesk,200,8\nBed,300,9\n";
        assert_eq!(records("text/csv", things.as_bytes()), [""; 0]);
    }

    #[test]
    fn other_separators_and_charsets() {
        let text = b"\xef\xbb\xbfPatienten-ID;Nachname;Vorname;Geburtsdatum\n7;M\xfcller;J\xf6rg;01.02.1970\n";
        assert_eq!(
            records("", text),
            ["http>csv:~csv [PatientContext] patient_id=7 name=Müller^Jörg birth_date=01.02.1970",]
        );
        assert_eq!(records("text/plain", b"name\tdob\tward\nA B\t1970-01-01\t3\n").len(), 1);
    }

    /// Names of columns in many languages.
    #[test]
    fn columns_are_known_in_many_languages() {
        for header in [
            "Patientenname;Geburtsdatum;Patientennummer;Geschlecht",
            "Nom du patient;Date de naissance;Numéro de dossier;Sexe",
            "Nombre del paciente;Fecha de nacimiento;Historia clínica;Sexo",
            "Nome do paciente;Data de nascimento;Prontuário;Sexo",
            "Nome paziente;Data di nascita;Numero cartella;Sesso",
            "Naam patiënt;Geboortedatum;Patiëntnummer;Geslacht",
            "Patientens namn;Födelsedatum;Journalnummer;Kön",
            "Pasientens navn;Fødselsdato;Pasientnummer;Kjønn",
            "Patientens navn;Fødselsdag;Patientnummer;Køn",
            "Potilaan nimi;Syntymäaika;Potilasnumero;Sukupuoli",
            "Imię i nazwisko pacjenta;Data urodzenia;Numer pacjenta;Płeć",
            "Jméno pacienta;Datum narození;Číslo pacienta;Pohlaví",
            "Hasta adı soyadı;Doğum tarihi;Hasta no;Cinsiyet",
            "ФИО пациента;Дата рождения;Номер карты;Пол",
            "患者姓名;出生日期;病历号;性别",
            "患者氏名;生年月日;患者番号;性別",
            "환자명;생년월일;환자번호;성별",
            "اسم المريض;تاريخ الميلاد;رقم المريض;الجنس",
            "रोगी का नाम;जन्म तिथि;रोगी संख्या;लिंग",
        ] {
            let text = format!("{header}\nJane Roe;1970-01-31;H-77;F\n");
            let line = "http>csv:~csv [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=H-77 sex=F";
            assert_eq!(records("text/csv", text.as_bytes()), [line], "{header}");
        }
    }

    #[test]
    fn titles_and_rows_without_a_header() {
        let titled = "Patientenliste Station 3;;;\r\nStand: 01.03.2026;;;\r\n;;;\r\nNr;Name;Geb.;Zimmer\r\n7;Roe, Jane;01.02.1970;12\r\n";
        assert_eq!(
            records("text/csv", titled.as_bytes()),
            ["http>csv:~csv [PatientContext] name=Roe, Jane birth_date=01.02.1970"]
        );
        let plain = "MRN0012345,Roe,Jane,1970-01-31,F\nMRN0012346,Li,Max,1980-02-01,M\n";
        assert_eq!(
            records("text/csv", plain.as_bytes()),
            [
                "http>csv:~csv [PatientContext] patient_id=MRN0012345 name=Roe Jane birth_date=1970-01-31 sex=F",
                "http>csv:~csv [PatientContext] patient_id=MRN0012346 name=Li Max birth_date=1980-02-01 sex=M",
            ]
        );
        // Of a path about patients, with dates as the country writes them.
        let named = crate::content::Media::Type { content_type: "text/csv", name: "/patients.csv" };
        let table =
            b"\"7712345\",\"Roe\",\"Jane\",\"F\",\"01/31/1970\"\n7712346;Li;Max;M;28.02.1980\n";
        let got = crate::content::testing::records_of(named, &[], table, 64);
        assert!(
            got[0].contains("patient_id=7712345 name=Roe Jane birth_date=01/31/1970"),
            "{got:?}"
        );
        assert!(got[1].contains("patient_id=7712346 name=Li Max birth_date=28.02.1980"), "{got:?}");
        let staff = "E-00123,Roe,Jane,1970-01-31,Sales\n".repeat(40);
        assert!(records("text/csv", staff.as_bytes()).is_empty());
    }

    #[test]
    fn the_number_of_a_row_is_that_of_the_patient_in_a_table_of_patients() {
        let table = b"Id,BIRTHDATE,FIRST,LAST\nP-77,1970-01-31,Jane,Roe\n";
        let named = |name| crate::content::Media::Type { content_type: "text/csv", name };
        let read = |name| crate::content::testing::records_of(named(name), &[], table, 64).concat();
        assert!(read("/export/patients.csv").contains("patient_id=P-77"));
        assert!(!read("/export/list.csv").contains("patient_id"));
        let study = |event: &str| {
            let table =
                format!("record_id,{event},first_name,last_name,dob\nP-77,a,Jane,Roe,1970-01-31\n");
            records("text/csv", table.as_bytes()).concat()
        };
        assert!(study("redcap_event_name").contains("patient_id=P-77"));
        assert!(!study("event").contains("patient_id"));
    }

    #[test]
    fn tables_without_patients_give_none() {
        for text in [
            "order_no,sku,name,phone\n1,2,Lamp,555123\n",
            "Dear all, this is a letter, not a table, with commas.\nIt has, as it were, no columns, none.\n",
            "a,b,c\n1,2,3\n",
            "id,name,email,user_id\n1,A B,a@b.c,7\n",
        ] {
            assert_eq!(records("text/csv", text.as_bytes()), Vec::<String>::new(), "{text}");
        }
    }
}
