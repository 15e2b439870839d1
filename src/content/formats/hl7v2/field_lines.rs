//! Fields of HL7 v2 with their names, one in each line, as viewers and consoles show them: `PID-5: Roe^Eva`, `PID.5
//! (Patient Name) = Roe^Eva`, `PID.5.1<tab>Family Name<tab>Roe`; and several in a line of a log.

use super::field_keys::{self, Line};
use super::json_fields::{Place, Values, field};
use super::message::Message;
use crate::content::Scope;
use smallvec::SmallVec;

/// Cells of a row of a drawn table.
const MAX_CELLS: usize = 8;
/// Longest line that is read, bytes.
const MAX_LINE: usize = 4 << 10;
/// Longest text between the name of a field and its value, bytes.
const MAX_TITLE: usize = 80;

/// The fields of one patient, and what belongs to them.
#[derive(Default)]
pub struct FieldLines {
    message: Message,
    values: Values,
}

/// Reads a line. Signs of lists and trees may be in front.
fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line = std::str::from_utf8(line.get(..MAX_LINE).unwrap_or(line)).ok()?;
    let text = line.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end();
    // `<Field PID_5 (PATIENT_NAME) of type XPN> Roe^Eva`, as HL7apy prints elements.
    let text = ["Field ", "Component "].iter().find_map(|w| text.strip_prefix(w)).unwrap_or(text);
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']');
    let end = text.find(|c: char| !name(c))?;
    let (key, rest) = text.split_at_checked(end)?;
    let (segment, place) = field(key.trim_end_matches(['.', '-']))?;
    // A title in brackets, or behind a dash, ends at the sign in front of the value.
    let rest = match rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((title, behind)) if title.len() <= MAX_TITLE => behind,
        _ => rest,
    };
    let rest = match rest.strip_prefix(" of type ").and_then(|rest| rest.split_once('>')) {
        Some((_, value)) => return Some((segment, place, value.trim_start_matches(':').trim())),
        None => rest,
    };
    let sign = rest.find([':', '=', '\t']).filter(|at| *at <= MAX_TITLE)?;
    let (title, value) = rest.split_at_checked(sign)?;
    // `PID-3 is "77": ...` is prose.
    let quoted = title.contains(['"', '\'', ';', '|', '^', '~']);
    let value = value.trim_start_matches([':', '=', '\t', '>', ' ']);
    let value = value.rsplit('\t').next().unwrap_or(value);
    let value = value.trim().trim_matches(['"', '\'', '`']);
    (!quoted).then_some((segment, place, value))
}

/// The fields of a line of a log or a list.
fn fields_of(line: &[u8]) -> SmallVec<[Line<'_>; 4]> {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    let several = std::str::from_utf8(line).map(field_keys::assignments).unwrap_or_default();
    match parse(line).or_else(|| drawn(line)) {
        Some(one) if several.len() < 2 => SmallVec::from_iter([one]),
        _ => several,
    }
}

/// Reads a row of a drawn table.
fn drawn(line: &[u8]) -> Option<Line<'_>> {
    let line = std::str::from_utf8(line.get(..MAX_LINE).unwrap_or(line)).ok()?.trim();
    let inside = line.strip_prefix('|')?.strip_suffix('|')?;
    let row: SmallVec<[&str; 6]> = inside.split('|').take(MAX_CELLS).map(str::trim).collect();
    cells(&row)
}

impl FieldLines {
    /// Begins with a line of PID, or with a row of a drawn table: `| PID-5 | Patient Name | Roe^Eva |`.
    pub fn begin(line: &[u8]) -> Option<Self> {
        // Most lines have no such name.
        memchr::memmem::find(line, b"PID")?;
        let mut fields = Self::default();
        let mut found = false;
        for (segment, place, value) in fields_of(line) {
            if &segment == b"PID" {
                fields.values.add(place, value);
                found = true;
            }
        }
        found.then_some(fields)
    }

    /// Takes a further line. False if it is no field.
    pub fn line(&mut self, line: &[u8], scope: &mut Scope<'_>) -> bool {
        let fields = fields_of(line);
        for (segment, place, value) in &fields {
            if segment == b"PID" {
                self.pid(*place, value, scope);
            }
        }
        !fields.is_empty()
    }

    /// Takes a field of PID. One that is there already is that of another patient.
    pub fn pid(&mut self, place: Place, value: &str, scope: &mut Scope<'_>) {
        if value.is_empty() {
            return;
        }
        if self.values.has(place) {
            self.emit(scope);
        }
        self.values.add(place, value);
    }

    fn emit(&mut self, scope: &mut Scope<'_>) {
        let values = std::mem::take(&mut self.values);
        if !values.are_said() {
            return;
        }
        self.message.begins(*b"PID", scope);
        if self.message.wants(*b"PID", scope.rules) {
            self.message.segment(values.er7("PID").as_bytes(), scope);
        }
    }

    /// The last line was read.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.emit(scope);
        self.message.end(scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.message.memory() + self.values.memory()
    }
}

/// The place in PID of a column named `PID-5.1` or `PID_5`.
pub fn of_patient(name: &str) -> Option<Place> {
    field_keys::whole(name).filter(|(segment, _)| segment == b"PID").map(|(_, place)| place)
}

/// The field in a row of a table: its segment and its number in one cell or in two, the value in the last one.
pub fn cells<'c>(cells: &[&'c str]) -> Option<Line<'c>> {
    let (value, front) = cells.split_last().filter(|(_, front)| !front.is_empty())?;
    let whole = front.iter().take(2).find_map(|cell| field_keys::whole(cell));
    let parts = || {
        let (name, number) = (front.first()?, front.get(1)?);
        field(&format!("{name}.{number}"))
    };
    let (segment, place) = whole.or_else(parts)?;
    // Headings name several fields.
    field(value).is_none().then_some((segment, place, *value))
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";

    #[test]
    fn fields_in_lines() {
        for line in [
            "PID-{n}: {v}",
            "  PID.{n} = {v}",
            "- PID_{n} (A title: of it): {v}",
            "PID.{n} - A title: {v}",
            "| PID-{n}\tA title\t{v}",
            "PID.{n} => '{v}'",
            "<Field PID_{n} (PATIENT_NAME) of type XPN> {v}",
            "| PID-{n} | A title | {v} |",
        ] {
            let fields = [("3", "H-77"), ("5", "Roe^Jane"), ("7", "19700131"), ("8", "F")];
            let lines: String = fields
                .iter()
                .map(|(n, v)| format!("{}\n", line.replace("{n}", n).replace("{v}", v)))
                .collect();
            let text = format!("MSH-9: ADT^A04\n{lines}PV1-7: 7^Doe^Max\n");
            let got = records("text/plain", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
        }
        let log = "10:11 INFO PID-3: H-77^^^H^MR\n10:11 INFO PID-5: Roe^Jane\n10:12 PID-7: 19700131 PID-8: F\n";
        let got = records("text/plain", log.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{got:?}");
        let two = "PID-3: H-77\nPID-5: Roe^Jane\n\nPID-3: H-78\nPID-5: Roe^Joan\n";
        assert_eq!(records("text/plain", two.as_bytes()).len(), 2);
    }

    #[test]
    fn fields_in_rows() {
        for text in [
            "segment,field,value\nMSH,9,ADT^A04\nPID,3,H-77\nPID,5,Roe^Jane\nPID,7,19700131\nPID,8,F\n",
            "MSH_10,PID_3,PID_5,PID_7,PID_8\n1,H-77^^^H,Roe^Jane,19700131,F\n",
            "PID.3.1,PID.5.1,PID.5.2,PID.7.1,PID.8\nH-77,Roe,Jane,19700131,F\n",
            "segment,field,name,value\nPID,3,Patient Identifier List,H-77\nPID,5,Patient Name,Roe^Jane\nPID,7,Date/Time of Birth,19700131\nPID,8,Administrative Sex,F\nNK1,2,Name,Doe^Ann\n",
            "field;title;value\nPID.3;List;H-77\nPID.5;Name;Roe^Jane\nPID.7;Birth;19700131\nPID.8;Sex;F\n",
        ] {
            let got = records("text/csv", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{text}: {got:?}");
        }
    }

    #[test]
    fn descriptions_have_no_patient() {
        for text in [
            "PID-3: Patient identifier list\nPID-5: Patient name\nPID-7: Date of birth\n",
            "PID-3.1 = patient.identifier\nPID-5.1 = patient.name.family\n",
            "The field PID-5: a name, PID-7 the birth date.\n",
        ] {
            assert_eq!(records("text/plain", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
