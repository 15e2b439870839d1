//! Tables of text: CSV (RFC 4180), TSV, and variants with semicolons and bars. The first line names the columns; each
//! other line is one record.

mod cells;
#[cfg(test)]
mod tests;

use crate::content::extract::labels::Labels;
use crate::content::extract::numbers::ListPosition;
use crate::content::extract::people_columns::PeopleColumns;
use crate::content::extract::record::{CandidateRecord, Marks};
use crate::content::extract::schemaless::Node;
use crate::content::extract::table::{MAX_COLUMNS, TableColumns, read_message};
use crate::content::formats::dicom::TagRows;
use crate::content::formats::hl7v2::{FieldLines, field_lines};
use crate::content::formats::shown_messages::ShownMessages;
use crate::content::formats::xdt;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use crate::rules::{About, RuleSet, fold};
use cells::{Cells, common_prefix, is_header, is_row, is_table, separator};
use zeroize::Zeroizing;

/// Longest row, bytes.
const MAX_ROW: usize = 64 << 10;
/// Lines before the header of a table.
const MAX_PREAMBLE: u32 = 20;
/// Cells of a row with a field of HL7 v2, and its length in bytes.
const MAX_FIELD_CELLS: usize = 16;
const MAX_FIELD_LINE: usize = 1 << 10;
/// Longest title of a table, bytes.
const MAX_TITLE: usize = 200;

/// Comma, semicolon, tab or bar between the columns, as in the header.
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], extent: Extent) -> bool {
        let declared = media::says(media, "csv", &["csv", "tsv", "tab", "psv"])
            || media::says(media, "tab", &[])
            || is_list_of_patients(media) && is_table(head);
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
            vague: false,
            pairs: None,
            afar: Marks::default(),
            turned: PeopleColumns::default(),
            held: Vec::new(),
            tags: TagRows::default(),
            heading: None,
            between: b',',
            shown: ShownMessages::default(),
            fields: FieldLines::default(),
            xdt: xdt::Rows::default(),
            of_fields: Vec::new(),
        })
    }
}

/// Whether a file of text is named after a list of patients: `patient_list.txt`.
fn is_list_of_patients(media: &Media<'_>) -> bool {
    let Media::Type { name, .. } = media else { return false };
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let text = ["txt", "dat", "lst"].iter().any(|s| s.eq_ignore_ascii_case(media::suffix(media)));
    text && file.as_bytes().windows(PATIENT.len()).any(|w| w.eq_ignore_ascii_case(PATIENT))
}

/// What the name of such a file contains.
const PATIENT: &[u8] = b"patient";

/// The column of the number of a participant, folded.
const RECORD_ID: &str = "recordid";

/// Columns with the segment and the number of a field of a message.
const SEGMENTS: [&str; 4] = ["segment", "segmentid", "segmentname", "seg"];
const FIELDS: [&str; 7] =
    ["field", "fieldno", "fieldnumber", "fieldid", "position", "index", "seq"];

/// Whether only exports about the participants of a study have a column of this name.
fn is_participant(name: &str, rules: &RuleSet) -> bool {
    fold(name).starts_with("redcap") && rules.keys.context(name) == Some(About::Care)
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
    /// The header has only one name that is known: it may be a title, or the label of the value beside it.
    vague: bool,
    /// Labels and values, where each line has one of each.
    pairs: Option<Labels>,
    /// What the path says about it.
    afar: Marks,
    /// Rows that may have a column for each person, and their lines.
    turned: PeopleColumns<Zeroizing<String>>,
    held: Vec<Zeroizing<String>>,
    /// A data set of DICOM with an element in each row.
    tags: TagRows,
    /// Its headings, until the first row shows that they are.
    heading: Option<Zeroizing<String>>,
    /// What separates its columns.
    between: u8,
    /// A message with a segment in each row, and fields of segments with one in each row.
    shown: ShownMessages,
    fields: FieldLines,
    xdt: xdt::Rows,
    /// The fields of PID that the columns are, if they are named so.
    of_fields: Vec<Option<[u16; 4]>>,
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
        if self.separator.is_none() && !self.tags.is_table() { Want::NOTHING } else { Want::ALL }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if ending == Ending::Complete {
            self.line(&[], scope);
        }
        self.release(scope);
        self.tags.end(scope);
        self.shown.end(ending, scope);
        self.fields.end(scope);
        self.xdt.end(scope);
        if let Some(labels) = &mut self.pairs {
            labels.mark(self.afar);
            labels.emit(scope);
        }
    }

    fn memory(&self) -> usize {
        self.row.capacity()
            + self.columns.memory()
            + 2 * self.turned.memory()
            + self.tags.memory()
            + self.xdt.memory()
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
        if self.element(line, scope).is_some() {
            return true;
        }
        if let Some(heading) = self.heading.take()
            && !self.turned(&heading, scope).unwrap_or_else(|| self.read(&heading, scope))
        {
            return false;
        }
        self.turned(line, scope).unwrap_or_else(|| self.read(line, scope))
    }

    /// Takes the headings of a table of elements of DICOM, and its rows. None if it is another table.
    fn element(&mut self, line: &str, scope: &mut Scope<'_>) -> Option<()> {
        let first = self.lines == 0 && self.separator.is_none() && self.held.is_empty();
        if !first && !self.tags.is_table() {
            return None;
        }
        let headings = !self.tags.is_table();
        // Carets of names are no separators.
        let separator = if headings { separator(line.as_bytes())? } else { self.between };
        self.between = separator;
        let cells: Vec<_> = Cells { rest: Some(line), separator }.take(MAX_COLUMNS).collect();
        let cells: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
        if self.tags.row(&cells, scope) {
            self.heading = None;
            return Some(());
        }
        if headings {
            self.heading = self.tags.is_table().then(|| Zeroizing::new(line.to_owned()));
        } else if self.heading.is_some() {
            // The headings are those of other rows.
            self.tags = TagRows::default();
        }
        self.tags.is_table().then_some(())
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
        if self.vague {
            return true;
        }
        let held = std::mem::take(&mut self.held);
        if held.is_empty() || self.turned.finish("csv", self.afar, scope).is_empty() {
            return true;
        }
        held.iter().all(|line| self.read(line, scope))
    }

    fn read(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let Some(separator) = self.separator else { return self.before(line, scope) };
        if std::mem::take(&mut self.vague) {
            return self.below_vague(line, separator, scope);
        }
        if self.pairs.is_some() {
            return self.pair(line, separator, scope);
        }
        if !self.of_fields.is_empty() {
            let row = Cells { rest: Some(line), separator };
            for (place, value) in self.of_fields.iter().zip(row) {
                if let Some(place) = place {
                    self.fields.pid(*place, value.trim(), scope);
                }
            }
            self.fields.end(scope);
            return true;
        }
        let mut record = CandidateRecord::default();
        self.columns.read_row(Cells { rest: Some(line), separator }, &mut record, scope);
        record.mark_from_afar(self.afar);
        record.emit("csv", scope);
        true
    }
}

impl Table {
    /// The first line below a header with one known name: a better header (`Patient;;;Visit`, `Name;DOB;MRN;Date`), or
    /// the second one of labels with their values (`Patient name,Jane Roe`, `DOB,1970-01-31`).
    fn below_vague(&mut self, line: &str, separator: u8, scope: &mut Scope<'_>) -> bool {
        let first = std::mem::take(&mut self.held).pop();
        let rules = scope.rules;
        let pair = |line: &str| {
            let cells: Vec<_> = Cells { rest: Some(line), separator }.take(MAX_COLUMNS).collect();
            let known = |name: &str| rules.keys.get(name.trim()).is_some();
            match cells.as_slice() {
                [label, value, rest @ ..] => {
                    known(label) && !known(value) && rest.iter().all(|cell| cell.trim().is_empty())
                }
                _ => false,
            }
        };
        if let Some(first) = first.as_ref().filter(|first| pair(first) && pair(line)) {
            self.pairs = Some(Labels::new("csv"));
            return self.pair(first, separator, scope) && self.pair(line, separator, scope);
        }
        let mut columns = TableColumns::default();
        let mut filled = 0;
        for name in (Cells { rest: Some(line), separator }).take(MAX_COLUMNS) {
            filled += usize::from(!name.trim().is_empty());
            columns.push_field(&name, rules);
        }
        if columns.known() >= 2 && columns.known() * 2 >= filled {
            self.columns = columns;
            if let Some(title) = first {
                self.title(&title, scope);
            }
            return true;
        }
        self.read(line, scope)
    }

    /// A label and its value.
    fn pair(&mut self, line: &str, separator: u8, scope: &mut Scope<'_>) -> bool {
        let mut cells = Cells { rest: Some(line), separator };
        if let (Some(labels), Some(label), Some(value)) =
            (&mut self.pairs, cells.next(), cells.next())
        {
            labels.pair(label.trim(), value.trim(), scope);
        }
        true
    }

    /// A row with a message, a segment of one, or a field of a segment in its cells. None if it has none.
    fn message(&mut self, line: &str, scope: &mut Scope<'_>) -> Option<bool> {
        let cells = |separator| Cells { rest: Some(line), separator };
        // The bars of a message in a cell are no separators.
        if line.contains("MSH|") {
            let whole = |cell: &str| cell.contains("PID|") || cell.contains(['\r', '\n']);
            let read = |s: &u8| {
                cells(*s).any(|cell| match cell.trim() {
                    cell if whole(cell) => read_message(cell, scope),
                    cell => {
                        cell.starts_with("MSH|") && self.shown.line(cell.as_bytes(), true, scope)
                    }
                })
            };
            self.people += u32::from(b",;\t".iter().any(read));
            return Some(true);
        }
        if line.contains('|') {
            let read =
                |s: &u8| cells(*s).any(|cell| self.shown.line(cell.trim().as_bytes(), true, scope));
            if b",;\t".iter().any(read) {
                self.people += 1;
                return Some(true);
            }
        }
        if line.len() > MAX_FIELD_LINE {
            return None;
        }
        b",;\t".iter().find_map(|separator| {
            let row: Vec<_> = cells(*separator).take(MAX_FIELD_CELLS).collect();
            let row: Vec<&str> = row.iter().map(|cell| cell.trim()).collect();
            if row.first().is_some_and(|cell| *cell == "NM1" || self.shown.is_in_segments()) {
                let segment = Zeroizing::new(row.join("*"));
                if self.shown.line(segment.as_bytes(), true, scope) {
                    return Some(true);
                }
            }
            if self.xdt.row(&row, scope) {
                return Some(true);
            }
            let (segment, place, value) = field_lines::cells(&row)?;
            if &segment == b"PID" {
                self.fields.pid(place, value, scope);
                self.people += 1;
            }
            Some(true)
        })
    }

    /// A line before the header: the header itself, a title, or a row of a table that has none.
    /// False if no line can be of interest.
    fn before(&mut self, line: &str, scope: &mut Scope<'_>) -> bool {
        let rules = scope.rules;
        let first = self.lines == 0;
        self.lines += 1;
        if let Some(goes_on) = self.message(line, scope) {
            return goes_on;
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
        let row: Vec<_> = cells().collect();
        let places: Vec<_> = row.iter().map(|cell| field_lines::of_patient(cell.trim())).collect();
        if places.iter().flatten().count() >= 2 {
            (self.separator, self.of_fields) = (Some(separator), places);
            return true;
        }
        // Rows with a field of a segment each.
        let titled = |at: usize, titles: &[&str]| {
            row.get(at).is_some_and(|name| titles.contains(&fold(name).as_str()))
        };
        if (0..2).any(|at| titled(at, &SEGMENTS) && titled(at + 1, &FIELDS)) {
            return self.goes_on();
        }
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
            self.vague = known == 1;
            if self.vague {
                self.held.push(Zeroizing::new(line.to_owned()));
            }
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
