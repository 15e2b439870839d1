//! Data frames as pandas and R print them: a line of names, rows below it with their numbers in front, and every column
//! aligned at its right edge.

use crate::content::Scope;
use crate::content::extract::table::{MAX_COLUMNS, Sheet};
use zeroize::Zeroizing;

/// Columns that make a frame, without the one of row numbers.
const MIN_COLUMNS: usize = 3;

/// The names of the columns, and where each ends, in characters.
#[derive(Default)]
pub(super) struct Frame {
    /// The line of names, until a row shows that it is one.
    header: Zeroizing<String>,
    ends: Vec<usize>,
    /// A row has been read.
    begun: bool,
}

/// What became of a line.
pub(super) enum FrameLine {
    /// It belongs to no frame.
    No,
    /// It was taken. A line of names is kept, and no row may follow.
    Taken,
    /// The line of names that was kept is none.
    Released(Zeroizing<String>),
}

impl Frame {
    /// Takes a line.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        sheet: &mut Sheet,
        scope: &mut Scope<'_>,
    ) -> FrameLine {
        if self.ends.is_empty() && line.first() != Some(&b' ') {
            return FrameLine::No;
        }
        let Ok(text) = std::str::from_utf8(line) else { return self.release() };
        let text = text.trim_end();
        if self.ends.is_empty() {
            return self.begin(text, scope);
        }
        match self.cells(text) {
            Some(cells) => {
                if !std::mem::replace(&mut self.begun, true) {
                    let names: Vec<&str> = self.header.split_whitespace().collect();
                    sheet.row(&names, scope);
                }
                sheet.row(&cells, scope);
                FrameLine::Taken
            }
            None => self.release(),
        }
    }

    /// The frame ends.
    pub(super) fn release(&mut self) -> FrameLine {
        let begun = std::mem::take(&mut self.begun);
        let header = std::mem::take(&mut self.header);
        if std::mem::take(&mut self.ends).is_empty() || begun {
            return FrameLine::No;
        }
        FrameLine::Released(header)
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        self.header.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    fn begin(&mut self, text: &str, scope: &Scope<'_>) -> FrameLine {
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'.');
        if !text.bytes().all(name) {
            return FrameLine::No;
        }
        let names: Vec<&str> = text.split_ascii_whitespace().take(MAX_COLUMNS + 1).collect();
        let known = || Sheet::known(&names, scope);
        if !(MIN_COLUMNS..=MAX_COLUMNS).contains(&names.len()) || known() < 2 {
            return FrameLine::No;
        }
        let bytes = text.as_bytes();
        let ends = (1..=bytes.len()).filter(|at| {
            bytes.get(at - 1).is_some_and(|b| *b != b' ')
                && bytes.get(*at).is_none_or(|b| *b == b' ')
        });
        self.ends = ends.collect();
        self.header = Zeroizing::new(text.to_owned());
        FrameLine::Taken
    }

    /// The cells of a row without its number, if each ends where the name of its column does.
    fn cells<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let last = *self.ends.last()?;
        // Where a character begins; the end of the text is behind the last one.
        let offsets: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).take(last + 2).collect();
        if offsets.len() != last + 1 {
            return None;
        }
        let cell = |from: usize, to: usize| text.get(*offsets.get(from)?..*offsets.get(to)?);
        let (number, first) = text.split_once(' ')?;
        let indented = text.len() - first.trim_start().len();
        let mut from = indented;
        let mut cells = Vec::with_capacity(self.ends.len());
        for &to in &self.ends {
            let text = cell(from, to).filter(|_| from < to)?;
            // Nothing runs over the edge of a column, and something is at it.
            let whole = !text.ends_with(' ') && (from == indented || text.starts_with(' '));
            cells.push(text.trim());
            if !whole || text.trim().is_empty() {
                return None;
            }
            from = to;
        }
        (!number.is_empty()).then_some(cells)
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn frames_of_pandas_and_of_r() {
        let pandas = "       mrn last_name first_name  birth_date sex\n0   H-7712       Roe       Jane  1970-01-31   F\n1  H-77133  van Dyke        Max  1980-02-01   M\n";
        let r = "      mrn last_name first_name birth_date sex\n1 H-77120       Roe       Jane 1970-01-31   F\n";
        let got = records("text/plain", pandas.as_bytes());
        assert_eq!(got.len(), 2, "{got:?}");
        assert!(got[0].contains("patient_id=H-7712 name=Roe^Jane birth_date=1970-01-31 sex=F"));
        assert!(got[1].contains("patient_id=H-77133 name=van Dyke^Max birth_date=1980-02-01"));
        let of_r = records("text/plain", r.as_bytes());
        assert!(
            of_r.len() == 1 && of_r[0].contains("patient_id=H-77120 name=Roe^Jane"),
            "{of_r:?}"
        );
        for end in 0..pandas.len() {
            records("text/plain", &pandas.as_bytes()[..end]);
        }
        let log = format!("loaded 2 rows\n{pandas}\n[2 rows x 5 columns]\n");
        assert_eq!(records("text/plain", log.as_bytes()).len(), 2);
    }

    #[test]
    fn a_line_of_names_alone_is_a_line() {
        for text in [
            "  patient name birth_date\nare columns of the table\n",
            "   user_id last_name first_name  joined\n0       77       Roe       Jane  2020-01-31\n",
        ] {
            assert_eq!(records("text/plain", text.as_bytes()), [""; 0], "{text}");
        }
    }
}
