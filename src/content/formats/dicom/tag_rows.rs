//! Tables in which viewers show a data set, an element in each row: `(0010,0010) | PN | Patient's Name | Doe^Jane`.

use super::element::vr_of;
use super::model::Model;
use crate::content::Scope;
use dicom_core::VR;

/// Cells of a row that are looked at.
const MAX_CELLS: usize = 8;

/// The rows of a table.
#[derive(Default)]
pub struct TagRows {
    /// The column with the values, by its heading.
    values: Option<usize>,
    model: Option<Model>,
}

impl TagRows {
    /// Takes a row. False if it is no element.
    pub fn row(&mut self, cells: &[&str], scope: &mut Scope<'_>) -> bool {
        let cells = cells.get(..MAX_CELLS).unwrap_or(cells);
        let tag = cells.iter().take(2).find_map(|cell| tag(cell));
        let (Some(tag), Some(values)) = (tag, self.values) else {
            if tag.is_none() {
                let heading = |name: &str| cells.iter().position(|c| c.eq_ignore_ascii_case(name));
                self.values = heading("value").filter(|_| heading("tag").is_some()).or(self.values);
            }
            return false;
        };
        let Some(value) = cells.get(values) else { return true };
        let name = cells.iter().filter_map(|cell| vr_of(cell.as_bytes().try_into().ok()?)).next();
        let model = self.model.get_or_insert_with(|| Model::begin(scope));
        model.element((tag, name == Some(VR::PN)), 0, 0, value, scope);
        true
    }

    /// The table ends.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        self.values = None;
        if let Some(model) = self.model.take() {
            model.end(scope);
        }
    }
}

/// The tag that a cell is: `(0010,0010)`, `0010,0010`, `00100010`.
fn tag(cell: &str) -> Option<u32> {
    let bare = cell.strip_prefix('(').and_then(|bare| bare.strip_suffix(')')).unwrap_or(cell);
    let hex = |part: &str| {
        let part = part.trim();
        let fits = part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| u32::from_str_radix(part, 16).ok()).flatten()
    };
    let (group, element) = bare.split_once(',').or_else(|| bare.split_at_checked(4))?;
    Some(hex(group)? << 16 | hex(element)?)
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
    fn dictionaries_have_no_values() {
        let text = page(["Tag", "VR", "Name", "VM"]);
        let text = text.replace("Doe^Jane", "1").replace("H-77", "1").replace("19700131", "1");
        let got = records("text/html", text.replace(">F<", ">1<").as_bytes());
        assert!(!got.iter().any(|record| record.contains("patient_id")), "{got:?}");
    }
}
