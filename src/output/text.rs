//! Numbers and text from the wire, for people.

use std::fmt::Write as _;

/// `950 B`, `1.0 MB`, `12 GB`: powers of 1000, at most three digits before the point.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (n as f64, 0);
    // 999.5 would be shown as 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 9.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `12,345,678`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 patient`, `2 patients`, `2 queries`, `2 keys`, `2 addresses`.
pub(crate) fn count(n: u64, one: &str) -> String {
    let query = one.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (n, query) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{} {stem}ies", number(n)),
        _ if one.ends_with('s') => format!("{} {one}es", number(n)),
        _ => format!("{} {one}s", number(n)),
    }
}

/// `90 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(in crate::output) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..120 => format!("{whole} s"),
        120..7_200 => format!("{} min", whole / 60),
        7_200..172_800 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// Text from the wire, safe for a terminal: control characters, which could move the cursor, and format characters,
/// which could change the reading direction, become `\u{..}`. Cut to `width` characters.
pub(crate) fn foreign(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let start = out.len();
        if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
        used += out[start..].chars().count();
        if used > width {
            out.truncate(start);
            out.push('…');
            break;
        }
    }
    out
}

/// Text from the wire, safe in HTML and XML, in content and in quoted attributes.
pub(in crate::output) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML does not allow most of them (XML 1.0, 2.2).
            c if is_unsafe(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character could move the cursor, change the reading direction, or is invisible.
pub(crate) const fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_rounded() {
        let shown: Vec<String> =
            [0, 999, 1000, 9_949, 9_950, 999_499, 999_500, 1_470_000_000, u64::MAX]
                .into_iter()
                .map(bytes)
                .collect();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "1.5 GB", "18 EB"]
        );
        assert_eq!([number(7), number(1234), number(1_234_567)], ["7", "1,234", "1,234,567"]);
        assert_eq!(count(1, "query"), "1 query");
        assert_eq!(count(2, "query"), "2 queries");
        assert_eq!([count(2, "key"), count(0, "address")], ["2 keys", "0 addresses"]);
        assert_eq!(count(1000, "patient"), "1,000 patients");
        assert_eq!(
            [span(0.04), span(59.6), span(600.0), span(9_000.0), span(400_000.0)],
            ["0.0 s", "60 s", "10 min", "2 h 30 min", "4 d 15 h"]
        );
    }

    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        assert_eq!(foreign("ORTHANC", 16), "ORTHANC");
        assert_eq!(foreign("a\x1b[2Jb", 40), "a\\u{1b}[2Jb");
        assert_eq!(foreign("\u{202e}evil\r\n", 40), "\\u{202e}evil\\u{d}\\u{a}");
        assert_eq!(foreign("abcdef", 3), "abc…");
    }
}
