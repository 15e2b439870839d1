//! Patients without a PID segment: responses for display, and pharmacy claims of Canadian networks.

use zeroize::Zeroizing;

/// Messages of PharmaNet and its like (PharmaNet Professional and Software Compliance Standards), which carry claims of
/// the Canadian Pharmacists Association.
pub(super) const CLAIM: &str = "ZPN";
/// The field of the family name in a claim; the given name is in front of it.
pub(super) const CLAIM_FAMILY: usize = 9;

/// Responses for display (chapter 5.4.3).
const RESPONSE: &str = "DSR^Q03";
/// Lines that have a place: number, bed, name, birth date, sex.
const LINES: usize = 5;
/// Longest line that is read, bytes.
const MAX_LINE: usize = 256;

/// The lines of a display at hand. Analysers ask for the patient of a specimen, and a laboratory system answers with
/// one value a line, in the order of Mindray's host interface (BS series, DSP): number, bed, name, date of birth, sex.
#[derive(Default)]
pub(super) struct Lines {
    values: Option<Box<[Zeroizing<String>; LINES]>>,
    /// The number of the last line.
    last: usize,
}

impl Lines {
    /// A further line. Once all are known, the values as fields of a segment, at the numbers of their lines; `None` as
    /// long as they are not, and where they are prose.
    pub(super) fn line(
        &mut self,
        fields: &[&str],
        operation: &str,
    ) -> Option<[Zeroizing<String>; LINES + 1]> {
        if operation != RESPONSE {
            return None;
        }
        let number: usize = fields.get(1)?.trim().parse().ok()?;
        let value = fields.get(3).copied().unwrap_or("").trim();
        let at = number.checked_sub(1).filter(|at| *at < LINES);
        if let Some(at) = at
            && let Some(slot) = self.values.get_or_insert_default().get_mut(at)
        {
            if number == 1 {
                self.last = 0;
            }
            // One missing line moves no other.
            self.last = if self.last + 1 == number { number } else { usize::MAX };
            **slot = if value.len() <= MAX_LINE { value.to_owned() } else { String::new() };
            return None;
        }
        let complete = std::mem::take(&mut self.last) == LINES;
        let [id, _, name, birth, sex] = *self.values.take().unwrap_or_default();
        let date = birth.is_empty()
            || matches!(birth.len(), 8 | 12 | 14) && birth.bytes().all(|b| b.is_ascii_digit());
        let gender = matches!(sex.to_ascii_uppercase().as_str(), "" | "M" | "F" | "O" | "U");
        let number = !id.contains(' ') && id.bytes().any(|b| b.is_ascii_digit());
        let named = name.chars().any(char::is_alphabetic);
        let told = !birth.is_empty() || !sex.is_empty();
        let prose = [&id, &name].iter().any(|text| text.contains([':', '=']));
        let whose = !prose && (number || named && told);
        let fields = [Zeroizing::default(), id, Zeroizing::default(), name, birth, sex];
        (complete && date && gender && whose).then_some(fields)
    }
}

/// The name in a claim, as XPN: family and given name.
pub(super) fn name_of_claim(fields: &[&str]) -> String {
    let part = |number: usize| fields.get(number).copied().unwrap_or("").trim();
    let (family, given) = (part(CLAIM_FAMILY), part(CLAIM_FAMILY - 1));
    if family.is_empty() && given.is_empty() { String::new() } else { format!("{family}^{given}") }
}
