//! Dates of spreadsheets: numbers that are shown as dates by their format.

/// The date of a serial number (18.17.4.1): days since the end of 1899, where February 1900 had 29.
pub fn date(serial: &str) -> Option<String> {
    /// From 1899-12-30 to 0000-03-01.
    const EPOCH: i64 = 693_899;
    let days = serial.trim().parse::<f64>().ok().filter(|d| (61.0..2_958_466.0).contains(d))?;
    let days = days as i64 + EPOCH;
    // Years from March, eras of 400 years.
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// Whether the number format that is built in under this number shows dates (ISO/IEC 29500-1 18.8.30, with
/// those of East Asia).
pub const fn is_built_in(format: u32) -> bool {
    matches!(format, 14..=17 | 22 | 27..=36 | 50..=58)
}

/// Whether a number format shows days or years: its letters outside quotes and brackets do.
pub fn shows_dates(code: &str) -> bool {
    let (mut quoted, mut bracket) = (false, false);
    code.chars().any(|c| {
        match c {
            '"' => quoted = !quoted,
            '[' => bracket = true,
            ']' => bracket = false,
            _ => {}
        }
        !quoted && !bracket && matches!(c, 'y' | 'Y' | 'd' | 'D')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_formats_that_show_them() {
        assert_eq!(date("36526").as_deref(), Some("2000-01-01"));
        assert_eq!(date("21700.5").as_deref(), Some("1959-05-30"));
        assert_eq!(date("60"), None);
        assert!(shows_dates("dd/mm/yyyy") && shows_dates("[$-407]d. mmmm") && is_built_in(14));
        assert!(!shows_dates("0.00\" days\"") && !shows_dates("[Red]0") && !is_built_in(2));
    }
}
