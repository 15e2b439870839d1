//! Tables in which viewers and programs show a data set, an element in each row: `(0010,0010) | PN | Patient's Name |
//! Doe^Jane`, `group,element,value`, `keyword,value`.

use super::described::{Elements, attribute, is_action, is_person, is_value, known, tag_of};
use crate::content::Scope;

/// Cells of a row that are looked at.
const MAX_CELLS: usize = 12;

/// Headings that are tags, in a table with a column for each element.
const MIN_TAGS: usize = 2;
/// Headings of columns: with the tag, with its parts, and with the name of the attribute.
const TAGS: [&str; 5] = ["tag", "tag id", "tagid", "dicom tag", "dicomtag"];
const GROUPS: [&str; 2] = ["group", "group number"];
const ELEMENTS: [&str; 3] = ["element", "elem", "element number"];
const NAMES: [&str; 6] =
    ["keyword", "attribute", "attribute name", "tag name", "tagname", "dicom attribute"];

/// Headings of conformance statements, whose values are codes.
const STATEMENTS: [&str; 6] =
    ["matching", "presence of value", "presence", "usage", "requirement", "matching key"];

/// The rows of a table.
#[derive(Default)]
pub struct TagRows {
    columns: Option<Columns>,
    /// The columns have tags as headings: each row is a data set.
    wide: Vec<Option<u32>>,
    elements: Elements,
}

/// The columns of a table, by its headings.
#[derive(Clone, Copy)]
struct Columns {
    values: usize,
    tag: Option<usize>,
    parts: Option<(usize, usize)>,
    name: Option<usize>,
}

impl Columns {
    fn of(cells: &[&str]) -> Option<Self> {
        let at = |names: &[&str]| {
            cells.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
        };
        let values = cells.iter().position(|cell| is_value(cell))?;
        // Profiles and conformance statements describe attributes.
        let among = |cell: &str| STATEMENTS.iter().any(|name| cell.eq_ignore_ascii_case(name));
        if cells.iter().any(|cell| is_action(cell) || among(cell)) {
            return None;
        }
        let (tag, parts, name) = (at(&TAGS), at(&GROUPS).zip(at(&ELEMENTS)), at(&NAMES));
        (tag.is_some() || parts.is_some() || name.is_some()).then_some(Self {
            values,
            tag,
            parts,
            name,
        })
    }

    /// The tag of a row.
    fn tag(&self, cells: &[&str]) -> Option<u32> {
        let cell = |at: usize| cells.get(at).copied();
        let whole = self.tag.and_then(cell).and_then(tag_of);
        let parts = || {
            let (group, element) = self.parts?;
            tag_of(&format!("{},{}", cell(group)?, cell(element)?))
        };
        whole.or_else(parts).or_else(|| attribute(self.name.and_then(cell)?))
    }
}

impl TagRows {
    /// Takes a row. False if it is no element.
    pub fn row(&mut self, cells: &[&str], scope: &mut Scope<'_>) -> bool {
        let cells = cells.get(..MAX_CELLS).unwrap_or(cells);
        if !self.wide.is_empty() {
            return self.data_set(cells, scope);
        }
        let Some(columns) = self.columns else {
            self.columns = Columns::of(cells);
            if self.columns.is_none()
                && cells.iter().filter(|cell| known(cell).is_some()).count() >= MIN_TAGS
            {
                self.wide = cells.iter().map(|cell| known(cell)).collect();
            }
            return false;
        };
        let Some(tag) = columns.tag(cells) else {
            self.columns = Columns::of(cells).or(self.columns);
            return false;
        };
        if let Some(value) = cells.get(columns.values) {
            let person = cells.iter().any(|cell| is_person(cell));
            self.elements.element(tag, person, value, scope);
        }
        true
    }

    /// A row with a column for each element.
    fn data_set(&mut self, cells: &[&str], scope: &mut Scope<'_>) -> bool {
        for (tag, value) in self.wide.iter().zip(cells) {
            if let Some(tag) = tag.filter(|_| !value.is_empty()) {
                self.elements.element(tag, false, value, scope);
            }
        }
        self.elements.end(scope);
        true
    }

    /// Whether the headings are those of a table of elements.
    pub const fn is_table(&self) -> bool {
        self.columns.is_some() || !self.wide.is_empty()
    }

    /// The table ends.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.columns = None;
        self.wide.clear();
        self.elements.end(scope);
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.elements.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const ROWS: [[&str; 4]; 5] = [
        ["(0008,0060)", "CS", "Modality", "CT"],
        ["(0010,0010)", "PN", "Patient's Name", "Doe^Jane"],
        ["(0010,0020)", "LO", "Patient ID", "H-77"],
        ["(0010,0030)", "DA", "Patient's Birth Date", "19700131"],
        ["(0010,0040)", "CS", "Patient's Sex", "F"],
    ];

    fn page(heading: [&str; 4]) -> String {
        let row = |cells: &[&str; 4]| format!("<tr><td>{}</td></tr>", cells.join("</td><td>"));
        let rows: String = ROWS.iter().map(row).collect();
        format!("<html><table><tr><th>{}</th></tr>{rows}</table></html>", heading.join("</th><th>"))
    }

    #[test]
    fn elements_in_rows() {
        let got = records("text/html", page(["Tag", "VR", "Description", "Value"]).as_bytes());
        let fields = "name=Doe^Jane patient_id=H-77 birth_date=19700131 sex=F";
        assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
    }

    #[test]
    fn elements_in_lines_of_files() {
        let fields = "name=Doe^Jane patient_id=H-77 birth_date=19700131 sex=F";
        let file = |heading: &str, write: fn(&[&str; 4]) -> String| {
            let rows: String = ROWS.iter().map(write).collect();
            format!("{heading}\n{rows}")
        };
        for text in [
            file("tag,name,value", |[t, _, n, v]| format!("\"{t}\",{n},{v}\n")),
            file("file;Tag;VR;Keyword;Value", |[t, vr, n, v]| format!("a.dcm;{t};{vr};{n};{v}\n")),
            file("group,element,vr,value", |[t, vr, _, v]| {
                let (g, e) = t.trim_matches(['(', ')']).split_once(',').expect("a tag");
                format!("{g},{e},{vr},{v}\n")
            }),
            file("attribute,value", |[_, _, n, v]| {
                format!("{},{v}\n", n.replace("'s", "").replace(' ', ""))
            }),
        ] {
            let got = records("text/csv", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
        }
        let wide = "\"(0010,0010)\",\"(0010,0020)\",\"(0010,0030)\",\"(0010,0040)\"\nDoe^Jane,H-77,19700131,F\nRoe^Joan,H-78,19710131,F\n";
        let got = records("text/csv", wide.as_bytes());
        assert!(got.len() == 2 && got[0].contains(fields), "{got:?}");
        let two = "tag,value\n00100010,Doe^Jane\n00100020,H-77\n00100010,Roe^Joan\n00100020,H-78\n";
        assert_eq!(records("text/csv", two.as_bytes()).len(), 2);
    }

    #[test]
    fn dictionaries_have_no_values() {
        let text = page(["Tag", "VR", "Name", "VM"]);
        let text = text.replace("Doe^Jane", "1").replace("H-77", "1").replace("19700131", "1");
        let got = records("text/html", text.replace(">F<", ">1<").as_bytes());
        assert!(!got.iter().any(|record| record.contains("patient_id")), "{got:?}");
    }
}
