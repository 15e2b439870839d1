//! Database dumps in XML: `mysqldump --xml`, phpMyAdmin, Django, and rows of several tables in one document (flat XML
//! of DbUnit). The names of databases and tables give the context of the rows.

use super::super::markup::Attributes;

/// Longest name of a database or table, bytes.
const MAX_NAME: usize = 128;

/// Context from the enclosing elements, outermost first, with the depth of each.
#[derive(Default)]
pub(super) struct Dump {
    around: Vec<(usize, String)>,
}

/// Role of an element in a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// It gives context to its content, and nothing else.
    Table,
    /// The same, and it is one row.
    TableRow,
    Row,
    Nothing,
}

impl Dump {
    /// An element begins, `depth` elements deep.
    pub(super) fn start(&mut self, name: &str, attributes: Attributes<'_>, depth: usize) -> Part {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let part = if is("database") || is("table_data") || is("resultset") {
            Part::Table
        } else if !self.around.is_empty() && (is("row") || is("record")) {
            return Part::Row;
        } else if (is("table") && !self.around.is_empty()) || is("object") {
            Part::TableRow
        } else {
            return Part::Nothing;
        };
        let said = match attributes.get("statement") {
            Some(statement) => from(&statement).map(str::to_owned),
            // Django has the application before its table.
            None => attributes
                .get("model")
                .or_else(|| attributes.get("name").filter(|_| !is("object")))
                .map(|name| name.replace('.', "/")),
        };
        let Some(said) = said.filter(|said| said.len() <= MAX_NAME) else { return Part::Nothing };
        self.around.push((depth, said));
        part
    }

    /// An element has ended; `depth` are open. Returns whether it gave context.
    pub(super) fn end(&mut self, depth: usize) -> bool {
        let ended = self.around.last().is_some_and(|(at, _)| *at >= depth);
        if ended {
            self.around.pop();
        }
        ended
    }

    /// Context from the enclosing names, like a path.
    pub(super) fn path(&self) -> String {
        let names: Vec<&str> = self.around.iter().map(|(_, name)| name.as_str()).collect();
        names.join("/")
    }
}

/// The table that a statement reads: `SELECT * FROM patients`.
fn from(statement: &str) -> Option<&str> {
    let at = statement.to_ascii_lowercase().find(" from ")? + " from ".len();
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let rest = statement.get(at..)?.trim_start_matches(|c: char| !name(c));
    let table = rest.split(|c: char| !name(c)).next()?;
    Some(table.rsplit('.').next().unwrap_or(table))
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    fn xml(text: &str) -> Vec<String> {
        records("application/xml; charset=utf-8", text.as_bytes())
    }

    const JANE: [&str; 2] = ["name=Roe^Jane", "birth_date=1970-01-31"];
    const MAX: [&str; 2] = ["name=Muster^Max", "birth_date=1980-05-06"];

    fn both(text: &str) {
        let got = xml(text);
        assert_eq!(got.len(), 2, "{text} {got:?}");
        let is = |line: &str, person: [&str; 2]| person.iter().all(|field| line.contains(field));
        assert!(is(&got[0], JANE) && is(&got[1], MAX), "{text} {got:?}");
        assert!(got.iter().all(|line| line.contains("PatientContext")), "{text} {got:?}");
    }

    #[test]
    fn dumps_of_tables_of_patients() {
        let field = |element: &str, [given, family, birth]: [&str; 3]| {
            format!(
                "<{element} name=\"first_name\">{given}</{element}><{element} name=\"last_name\">{family}</{element}>\
                 <{element} name=\"birth_date\">{birth}</{element}><{element} name=\"zip_code\">4711</{element}>\
                 <{element} name=\"note_text\">seen</{element}>"
            )
        };
        let people = [["Jane", "Roe", "1970-01-31"], ["Max", "Muster", "1980-05-06"]];
        let rows = |open: &str, close: &str, element: &str| {
            people.map(|p| format!("{open}{}{close}", field(element, p))).concat()
        };
        both(&format!(
            "<?xml version=\"1.0\"?><mysqldump><database name=\"clinic\"><table_structure name=\"patients\">\
             <field Field=\"first_name\" Type=\"text\"/></table_structure><table_data name=\"patients\">{}\
             </table_data></database></mysqldump>",
            rows("<row>", "</row>", "field")
        ));
        both(&format!(
            "<?xml version=\"1.0\"?><resultset statement=\"SELECT * FROM emr.patients\">{}</resultset>",
            rows("<row>", "</row>", "field")
        ));
        both(&format!(
            "<?xml version=\"1.0\"?><pma_xml_export><database name=\"ehr\">{}</database></pma_xml_export>",
            rows("<table name=\"person\">", "</table>", "column")
        ));
        both(&format!(
            "<?xml version=\"1.0\"?><django-objects version=\"1.0\">{}</django-objects>",
            rows("<object model=\"clinic.patient\" pk=\"1\">", "</object>", "field")
        ));
    }

    #[test]
    fn other_tables_are_silent() {
        let row = "<row><field name=\"first_name\">Greg</field><field name=\"last_name\">House</field>\
            <field name=\"email\">g@h.example</field></row>";
        for table in ["users", "providers", "employees"] {
            let text = format!(
                "<?xml version=\"1.0\"?><mysqldump><database name=\"openmrs\"><table_data name=\"{table}\">{row}{row}\
                 </table_data></database></mysqldump>"
            );
            let got = xml(&text);
            assert!(got.iter().all(|line| !line.contains("PatientContext")), "{table} {got:?}");
        }
        let things =
            "<row><field name=\"name\">Amoxicillin</field><field name=\"code\">J01</field></row>";
        let text = format!(
            "<?xml version=\"1.0\"?><mysqldump><database name=\"ehr\"><table_data name=\"drug\">{things}{things}\
             </table_data></database></mysqldump>"
        );
        assert_eq!(xml(&text), [""; 0]);
    }

    #[test]
    fn rows_of_several_tables_belong_together_by_number() {
        both(
            "<dataset><person person_id=\"7\" birthdate=\"1970-01-31\"/><person person_id=\"8\" birthdate=\"1980-05-06\"/>\
             <person_name person_name_id=\"70\" person_id=\"7\" given_name=\"Jane\" family_name=\"Roe\"/>\
             <person_name person_name_id=\"80\" person_id=\"8\" given_name=\"Max\" family_name=\"Muster\"/>\
             <patient patient_id=\"7\"/><patient patient_id=\"8\"/><location location_id=\"1\" name=\"North Ward\"/>\
             <drug drug_id=\"7\" name=\"Aspirin\"/></dataset>"
                .replace("7\" birth", "7\" gender=\"F\" birth")
                .as_str(),
        );
    }

    #[test]
    fn a_number_known_to_people_outweighs_the_one_that_ties_rows() {
        let got = xml(
            "<dataset><patient patient_id=\"12\"/><patient_identifier patient_id=\"12\" identifier=\"H-4711\"/>\
             <person_name person_id=\"12\" given_name=\"Jane\" family_name=\"Roe\"/></dataset>",
        );
        assert!(got.len() == 1 && got[0].contains("patient_id=H-4711"), "{got:?}");
        assert!(!got[0].contains("patient_id=12"), "{got:?}");
        let got = xml(
            "<dataset><obs obs_id=\"1\" patient_id=\"H-4711\"/><concept name=\"Weight\"/></dataset>",
        );
        assert!(got.len() == 1 && got[0].ends_with("patient_id=H-4711"), "{got:?}");
    }
}
