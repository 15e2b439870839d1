//! Dates in common notations: DICOM DA, HL7 TS, ISO 8601, and those that people type.

use crate::time::Timestamp;

/// Longest text that is read as a date, bytes.
const MAX_DATE: usize = 48;

/// Earliest plausible birth year: of a person treated today, or on record when records became electronic.
const FIRST_YEAR: u16 = 1850;

/// Packet times before this (1990-01-01) come from a clock that was never set.
const CLOCK_SET: Timestamp = Timestamp(631_152_000 * 1_000_000_000);

/// Time zones reach 14 hours ahead of UTC: a child born there today has tomorrow's date.
const ZONE_SLACK: i64 = 14 * 3600;

/// A date of the Gregorian calendar. The month, and with it the day, may be missing (0).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

impl Date {
    /// The date of a time stamp (UTC), if its clock is plausible.
    pub fn of(now: Timestamp) -> Option<Self> {
        if now < CLOCK_SET {
            return None;
        }
        let at = time::OffsetDateTime::from_unix_timestamp(now.0 / 1_000_000_000 + ZONE_SLACK);
        let (year, month, day) = at.ok()?.to_calendar_date();
        Some(Self { year: u16::try_from(year).ok()?, month: month.into(), day })
    }

    /// The day, counted from 1970, by which dates are judged. All days of an implausible clock are one.
    pub fn day(now: Timestamp) -> u32 {
        if now < CLOCK_SET {
            return 0;
        }
        u32::try_from((now.0 / 1_000_000_000 + ZONE_SLACK) / 86_400).unwrap_or(0)
    }

    /// Whether a person whose record was seen at `now` can have been born, or have died, on this date.
    pub fn is_past(self, now: Timestamp) -> bool {
        let limit = Self::of(now).unwrap_or(Self { year: 2100, month: 12, day: 31 });
        self.year >= FIRST_YEAR && self <= limit
    }

    /// Whole years from it to `now`; `None` if the clock is implausible.
    pub fn age(self, now: Timestamp) -> Option<u16> {
        let today = Self::of(now)?;
        let before = (today.month, today.day) < (self.month, self.day);
        Some(today.year.saturating_sub(self.year).saturating_sub(u16::from(before)))
    }

    /// Whether it includes a day.
    pub const fn is_full(self) -> bool {
        self.month > 0 && self.day > 0
    }

    fn checked(year: u16, month: u8, day: u8) -> Option<Self> {
        let date = Self { year, month, day };
        match (month, day) {
            (0, 0) => Some(date),
            (1..=12, 0) => Some(date),
            _ => {
                let month = time::Month::try_from(month).ok()?;
                time::Date::from_calendar_date(i32::from(year), month, day).ok().map(|_| date)
            }
        }
    }

    /// Reads a date. A time behind it is ignored; a range is not a date.
    ///
    /// A leading year is unambiguous. Where day and month could be swapped (`03/04/1959`), a slash means the month
    /// comes first, as in the US; a dot or a dash means the day comes first, as almost everywhere else. A two-digit
    /// year is one of the last hundred years before `now`.
    pub fn parse(text: &str, now: Timestamp) -> Option<Self> {
        Self::usual(text.as_bytes()).or_else(|| Self::unusual(text, now))
    }

    /// `YYYYMMDD` and `YYYY-MM-DD`, as nearly all are.
    fn usual(text: &[u8]) -> Option<Self> {
        let (a, b, c, d, month, day) = match *text {
            [a, b, c, d, m, n, x, y] | [a, b, c, d, b'-', m, n, b'-', x, y] => {
                (a, b, c, d, [m, n], [x, y])
            }
            _ => return None,
        };
        let digit = |byte: u8| Some(byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
        let two = |[a, b]: [u8; 2]| Some(digit(a)? * 10 + digit(b)?);
        let year = u16::from(two([a, b])?) * 100 + u16::from(two([c, d])?);
        // Others have the year elsewhere, or count it in another calendar.
        let date = Self::checked(year, two(month)?, two(day)?)?;
        (date.is_full() && (FIRST_YEAR..2400).contains(&year)).then_some(date)
    }

    fn unusual(text: &str, now: Timestamp) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_DATE || !text.starts_with(char::is_alphanumeric) {
            return None;
        }
        let date = match era(text) {
            Some((before, rest)) => Self::in_era(before, rest),
            None => Self::gregorian(text, now),
        }?;
        // The Buddhist calendar of Thailand, 543 years ahead.
        let year = if date.year >= 2400 { date.year - 543 } else { date.year };
        Some(Self { year, ..date })
    }

    /// `S340615`, `S34.06.15`, `R0040501`, `34年6月15日`, in the era that began after year `before`.
    fn in_era(before: u16, text: &str) -> Option<Self> {
        let run = digits(text.as_bytes());
        let (year, month, day) = match run {
            6 | 7 if run == text.len() => {
                let year = number::<u16>(text, 0, run - 4)?;
                (year, number(text, run - 4, run - 2)?, number(text, run - 2, run)?)
            }
            _ => {
                let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty());
                let year = parts.next()?.parse::<u16>().ok()?;
                (year, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)
            }
        };
        let year = before.checked_add(year).filter(|_| (1..100).contains(&year))?;
        Self::checked(year, month, day).filter(|d| d.is_full())
    }

    fn gregorian(text: &str, now: Timestamp) -> Option<Self> {
        let run = digits(text.as_bytes());
        match run {
            0..=3 => written(text, now),
            4 if text.len() > 4 => written(text, now),
            4 => Self::checked(number(text, 0, 4)?, 0, 0),
            6 if text.len() == 6 => Self::checked(number(text, 0, 4)?, number(text, 4, 6)?, 0)
                .filter(|d| d.month > 0 && d.year >= FIRST_YEAR),
            8 | 10 | 12 | 14 | 16..=20 => compact(text, run),
            _ => None,
        }
    }
}

/// A Japanese era (JIS X 0301) in front of a date: the year before it began, and the rest.
fn era(text: &str) -> Option<(u16, &str)> {
    const ERAS: [(&str, &str, u16); 5] = [
        ("M", "明治", 1867),
        ("T", "大正", 1911),
        ("S", "昭和", 1925),
        ("H", "平成", 1988),
        ("R", "令和", 2018),
    ];
    ERAS.iter().find_map(|(letter, name, before)| {
        let rest = text.strip_prefix(letter).or_else(|| text.strip_prefix(name))?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then_some((*before, rest))
    })
}

/// Length of the run of digits at the front.
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn number<T: std::str::FromStr>(text: &str, from: usize, to: usize) -> Option<T> {
    text.get(from..to)?.parse().ok()
}

/// `YYYYMMDD[HHMM[SS[.f]]][+ZZZZ]` (DICOM DA, HL7 TS), or eight digits with the year last (xDT).
fn compact(text: &str, run: usize) -> Option<Date> {
    let rest = text.get(run..)?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    // A range (PS3.4 C.2.2.2.5) looks like a zone with too many digits, or with none.
    if zone.strip_prefix(['-', '+']).is_some_and(|z| !(2..=4).contains(&digits(z.as_bytes()))) {
        return None;
    }
    // Zeros mean an unknown day, or an unknown month and day.
    let year_first = Date::checked(number(text, 0, 4)?, number(text, 4, 6)?, number(text, 6, 8)?)
        .filter(|d| d.year >= FIRST_YEAR);
    if year_first.is_some() || run > 8 {
        return year_first;
    }
    let (a, b, year) = (number(text, 0, 2)?, number(text, 2, 4)?, number(text, 4, 8)?);
    Date::checked(year, b, a).or_else(|| Date::checked(year, a, b)).filter(|d| d.is_full())
}

/// Three parts with separators, the month perhaps as a word.
fn written(text: &str, now: Timestamp) -> Option<Date> {
    let mut parts: [&str; 3] = [""; 3];
    let mut count = 0;
    let mut separator = None;
    let mut rest = text;
    while count < 3 {
        let start = rest.find(char::is_alphanumeric)?;
        separator = separator.or_else(|| rest[..start].chars().next().filter(|_| count > 0));
        rest = &rest[start..];
        let digit = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest
            .find(|c: char| c.is_ascii_digit() != digit || !c.is_alphanumeric())
            .unwrap_or(rest.len());
        // `2nd of`, `2 de noviembre de`: small words between day and month.
        let part = &rest[..end];
        rest = &rest[end..];
        let filler = !digit
            && matches!(
                part,
                "st" | "nd"
                    | "rd"
                    | "th"
                    | "of"
                    | "de"
                    | "del"
                    | "年"
                    | "月"
                    | "日"
                    | "년"
                    | "월"
                    | "일"
            );
        if !filler {
            parts[count] = part;
            count += 1;
        }
        if rest.is_empty() {
            break;
        }
    }
    // Only a time or the end of a phrase may follow.
    if !(rest.is_empty()
        || rest == "."
        || rest.starts_with(['T', ' ', ',', 'Z', '+', ')', '日', '일']))
    {
        return None;
    }
    let [a, b, c] = parts;
    let value = |s: &str| s.parse::<u8>().ok().filter(|_| s.len() <= 2);
    let year = |s: &str| match s.len() {
        4 => s.parse::<u16>().ok(),
        2 => Some(century(s.parse().ok()?, now)),
        _ => None,
    };
    // Some months have names of four letters (`July 7, 1965`).
    let is_year = |s: &str| s.len() == 4 && s.bytes().all(|b| b.is_ascii_digit());
    match count {
        2 if a.len() == 4 => Date::checked(year(a)?, value(b).filter(|m| *m > 0)?, 0),
        2 if b.len() == 4 => Date::checked(year(b)?, value(a).filter(|m| *m > 0)?, 0),
        3 if is_year(a) && value(b).is_some() => Date::checked(year(a)?, value(b)?, value(c)?),
        3 if is_year(a) => Date::checked(year(a)?, month(b)?, value(c)?),
        3 => match (value(a), value(b)) {
            (Some(day), None) => Date::checked(year(c)?, month(b)?, day),
            (None, Some(day)) => Date::checked(year(c)?, month(a)?, day),
            (Some(a), Some(b)) => {
                let month_first = (separator == Some('/') && a <= 12) || b > 12;
                let (day, month) = if month_first { (b, a) } else { (a, b) };
                Date::checked(year(c)?, month, day)
            }
            (None, None) => None,
        },
        _ => None,
    }
    .filter(|d| count == 2 || d.is_full())
}

/// The full year of a two-digit one.
fn century(two: u16, now: Timestamp) -> u16 {
    let this_year = Date::of(now).map_or(2099, |d| d.year);
    let year = this_year - this_year % 100 + two;
    if year > this_year { year - 100 } else { year }
}

/// Beginnings of the names of months in several languages, with the month.
const MONTHS: &[(&str, u8)] = &[
    // Finnish, before names that begin like it.
    ("marras", 11),
    ("jan", 1),
    ("ene", 1),
    ("gen", 1),
    ("feb", 2),
    ("fev", 2),
    ("fév", 2),
    ("mar", 3),
    ("mär", 3),
    ("mrz", 3),
    ("maa", 3),
    ("mrt", 3),
    ("apr", 4),
    ("abr", 4),
    ("avr", 4),
    ("may", 5),
    ("mai", 5),
    ("mei", 5),
    ("mag", 5),
    ("jun", 6),
    ("juin", 6),
    ("giu", 6),
    ("jul", 7),
    ("juil", 7),
    ("lug", 7),
    ("aug", 8),
    ("ago", 8),
    ("aou", 8),
    ("aoû", 8),
    ("sep", 9),
    ("set", 9),
    ("oct", 10),
    ("okt", 10),
    ("out", 10),
    ("ott", 10),
    ("nov", 11),
    ("dec", 12),
    ("dez", 12),
    ("dic", 12),
    ("déc", 12),
    ("des", 12),
    ("sty", 1),
    ("led", 1),
    ("янв", 1),
    ("січ", 1),
    ("oca", 1),
    ("tammi", 1),
    ("ιαν", 1),
    ("lut", 2),
    ("úno", 2),
    ("фев", 2),
    ("лют", 2),
    ("şub", 2),
    ("helmi", 2),
    ("peb", 2),
    ("φεβ", 2),
    ("már", 3),
    ("bře", 3),
    ("мар", 3),
    ("бер", 3),
    ("μαρ", 3),
    ("μάρ", 3),
    ("kwi", 4),
    ("dub", 4),
    ("ápr", 4),
    ("апр", 4),
    ("кві", 4),
    ("nis", 4),
    ("huhti", 4),
    ("απρ", 4),
    ("maj", 5),
    ("máj", 5),
    ("kvě", 5),
    ("май", 5),
    ("мая", 5),
    ("тра", 5),
    ("touko", 5),
    ("μαι", 5),
    ("μαϊ", 5),
    ("μάι", 5),
    ("cze", 6),
    ("jún", 6),
    ("июн", 6),
    ("чер", 6),
    ("haz", 6),
    ("kesä", 6),
    ("ιουν", 6),
    ("ιούν", 6),
    ("lip", 7),
    ("júl", 7),
    ("июл", 7),
    ("лип", 7),
    ("tem", 7),
    ("heinä", 7),
    ("ιουλ", 7),
    ("ιούλ", 7),
    ("sie", 8),
    ("srp", 8),
    ("авг", 8),
    ("сер", 8),
    ("ağu", 8),
    ("elo", 8),
    ("agu", 8),
    ("αυγ", 8),
    ("αύγ", 8),
    ("wrz", 9),
    ("zář", 9),
    ("szep", 9),
    ("сен", 9),
    ("вер", 9),
    ("eyl", 9),
    ("syys", 9),
    ("σεπ", 9),
    ("paź", 10),
    ("říj", 10),
    ("окт", 10),
    ("жов", 10),
    ("eki", 10),
    ("loka", 10),
    ("οκτ", 10),
    ("lis", 11),
    ("ноя", 11),
    ("лис", 11),
    ("kas", 11),
    ("nop", 11),
    ("νοε", 11),
    ("νοέ", 11),
    ("gru", 12),
    ("pro", 12),
    ("дек", 12),
    ("гру", 12),
    ("ara", 12),
    ("joulu", 12),
    ("δεκ", 12),
];

/// The month of a name, by the letters that distinguish it in several languages.
fn month(word: &str) -> Option<u8> {
    let word = word.to_lowercase();
    MONTHS.iter().find(|(start, _)| word.starts_with(start)).map(|(_, n)| *n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_360_102_000_000_000); // 2026-03-01

    proptest::proptest! {
        #[test]
        fn the_usual_notations_are_read_as_any_other(
            text in "(1[789]|2[0-5]|[0-9]{2})[0-9]{2}-?[01][0-9]-?[0-3][0-9]|[0-9-]{8,10}",
        ) {
            proptest::prop_assert_eq!(Date::parse(&text, NOW), Date::unusual(&text, NOW));
        }
    }

    fn iso(text: &str) -> Option<String> {
        Date::parse(text, NOW).map(|d| format!("{:04}-{:02}-{:02}", d.year, d.month, d.day))
    }

    #[test]
    fn months_of_four_letters_are_no_years() {
        for text in ["July 7, 1965", "Juli 7, 1965", "7 July 1965", "July 7 1965", "1965 July 7"] {
            assert_eq!(iso(text).as_deref(), Some("1965-07-07"), "{text}");
        }
        assert_eq!(iso("June 17, 1965").as_deref(), Some("1965-06-17"));
        assert_eq!(iso("7 июля 1965 г.").as_deref(), Some("1965-07-07"));
    }

    #[test]
    fn one_day_in_many_spellings() {
        for text in [
            "19591102",
            "1959-11-02",
            "1959-11-02T08:15:00Z",
            "1959-11-02 00:00:00",
            "1959.11.02",
            "1959/11/02",
            "195911020815",
            "19591102081500.123+0100",
            "1959110208",
            "02.11.1959",
            "2.11.1959",
            "11/02/1959",
            "02-11-1959",
            "02-Nov-1959",
            "2 Nov 1959",
            "Nov 2, 1959",
            "November 2, 1959",
            "2 листопада 1959",
            "2. marraskuuta 1959",
            "2 Kasım 1959",
            "2. November 1959",
            "02/11/59x".trim_end_matches('x'),
            "02.11.59",
            "2 de noviembre de 1959",
            "2nd of November 1959",
            "02111959",
            "1959年11月2日",
            "1959년 11월 2일",
            "S341102",
            "S34.11.02",
            "S0341102",
            "昭和34年11月2日",
            "2502-11-02",
            "25021102",
            " 1959-11-02 ",
        ] {
            // With a slash the month comes first: this one is another day.
            let day = if text == "02/11/59" { "1959-02-11" } else { "1959-11-02" };
            assert_eq!(iso(text).as_deref(), Some(day), "{text}");
        }
    }

    #[test]
    fn doubtful_order_follows_the_separator() {
        assert_eq!(iso("03/04/1959").as_deref(), Some("1959-03-04"));
        assert_eq!(iso("03.04.1959").as_deref(), Some("1959-04-03"));
        assert_eq!(iso("25/12/1959").as_deref(), Some("1959-12-25"));
        assert_eq!(iso("12-25-1959").as_deref(), Some("1959-12-25"));
        assert_eq!(iso("01.02.27").as_deref(), Some("1927-02-01"));
        assert_eq!(iso("01.02.26").as_deref(), Some("2026-02-01"));
    }

    #[test]
    fn parts_of_dates() {
        assert_eq!(iso("1959").as_deref(), Some("1959-00-00"));
        assert_eq!(iso("1959-11").as_deref(), Some("1959-11-00"));
        assert_eq!(iso("195911").as_deref(), Some("1959-11-00"));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "19591302",
            "1959-02-30",
            "31.04.1959",
            "00000000",
            "19590101-19601231",
            "-19601231",
            "19590101-",
            "hello",
            "1234567",
            "123456789",
            "99999999",
            "*",
            "0000-00-00",
            "12",
            "1959-11-02-03x",
            "ééééé",
            "S",
            "S1",
            "S99999999",
            "M000000",
            "T12",
            "昭和",
            "1é59-11-02",
            "TT",
        ] {
            let full = Date::parse(text, NOW).filter(|d| d.is_past(NOW));
            assert_eq!(full, None, "{text}");
        }
    }

    #[test]
    fn the_future_and_ages_follow_packet_time() {
        let date = |t| Date::parse(t, NOW).expect("a date");
        assert!(date("20260301").is_past(NOW));
        assert!(!date("20260401").is_past(NOW));
        assert!(!date("1849-12-31").is_past(NOW));
        assert_eq!(date("19360301").age(NOW), Some(90));
        assert_eq!(date("19360303").age(NOW), Some(89));
        // A capture whose clock was never set gives no age.
        assert!(date("20260401").is_past(Timestamp(0)));
        assert_eq!(date("19360301").age(Timestamp(0)), None);
    }
}
