//! Rows as lines of CSV (RFC 4180).

/// Columns read.
const MAX_COLUMNS: usize = 256;
/// Bytes behind the name of a column: table, number, type, its size and modifier, format.
const FIXED: usize = 18;
/// Object ids of types whose binary form is told from text.
const DATE: u32 = 1082;
const INTEGERS: [u32; 3] = [20, 21, 23];
/// Days from 1970-01-01 to 2000-01-01, from which dates count.
const EPOCH: i64 = 10_957;

/// The columns of a result.
#[derive(Default)]
pub struct Columns {
    heading: Vec<u8>,
    types: Vec<u32>,
}

impl Columns {
    /// From RowDescription.
    pub fn new(body: &[u8]) -> Self {
        let mut columns = Self::default();
        let mut rest = body.get(2..).unwrap_or_default();
        while let Some(end) = memchr::memchr(0, rest) {
            let Some(fixed) = rest.get(end + 1..end + 1 + FIXED) else { break };
            if columns.types.len() >= MAX_COLUMNS {
                break;
            }
            let kind = fixed.get(6..).and_then(|f| f.first_chunk::<4>());
            cell(
                rest.get(..end).unwrap_or_default(),
                columns.types.is_empty(),
                &mut columns.heading,
            );
            columns.types.push(kind.map_or(0, |k| u32::from_be_bytes(*k)));
            rest = rest.get(end + 1 + FIXED..).unwrap_or_default();
        }
        columns.heading.push(b'\n');
        columns
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Their names as a line.
    pub fn heading(&self) -> &[u8] {
        &self.heading
    }

    /// A DataRow as a line.
    pub fn row(&self, body: &[u8], line: &mut Vec<u8>) {
        let mut rest = body.get(2..).unwrap_or_default();
        for (at, kind) in self.types.iter().enumerate() {
            let Some((len, tail)) = rest.split_first_chunk::<4>() else { break };
            // -1: NULL.
            let len = usize::try_from(i32::from_be_bytes(*len)).unwrap_or(0);
            let Some((value, tail)) = tail.split_at_checked(len) else { break };
            match binary(*kind, value) {
                Some(text) => cell(text.as_bytes(), at == 0, line),
                None => cell(value, at == 0, line),
            }
            rest = tail;
        }
        line.push(b'\n');
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.heading.capacity() + self.types.capacity() * size_of::<u32>()
    }
}

/// A value in binary form as text. Which form it has is not said with the row; a date in text is
/// longer, and a number in text is digits.
fn binary(kind: u32, value: &[u8]) -> Option<String> {
    if kind == DATE {
        let days = i64::from(i32::from_be_bytes(*value.first_chunk::<4>()?));
        return (value.len() == 4).then(|| date(days + EPOCH));
    }
    let text = |b: &u8| b.is_ascii_digit() || *b == b'-';
    if !INTEGERS.contains(&kind) || value.iter().all(text) || value.len() > 8 {
        return None;
    }
    let first = value.first().map_or(0, |b| i64::from(*b as i8));
    Some(value.iter().skip(1).fold(first, |n, b| n << 8 | i64::from(*b)).to_string())
}

/// A day of the Gregorian calendar, counted from 1970-01-01 (the algorithm of eras of 400 years).
fn date(days: i64) -> String {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A cell in quotes.
fn cell(value: &[u8], first: bool, line: &mut Vec<u8>) {
    line.extend_from_slice(if first { b"\"" } else { b",\"" });
    for byte in value {
        match byte {
            b'"' => line.extend_from_slice(b"\"\""),
            0 => line.push(b' '),
            _ => line.push(*byte),
        }
    }
    line.push(b'"');
}
