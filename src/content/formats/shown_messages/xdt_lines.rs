//! Fields of xDT in lines of a text.

use super::MAX_LINE;

/// The line of an xDT file in a line of a text: its length, a field and its content, up to the end of the line.
pub(super) fn xdt_line(line: &[u8]) -> Option<&[u8]> {
    /// Length and field.
    const HEAD: usize = 7;
    /// The length may count CR and LF.
    const ENDS: usize = 2;
    let line = line.trim_ascii_end();
    let mut from = 0;
    while let Some(rest) = line.get(from..).filter(|rest| rest.len() >= HEAD) {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits >= HEAD {
            let length = std::str::from_utf8(rest.get(..3)?).ok()?.parse::<usize>().ok()?;
            return (rest.len()..=rest.len() + ENDS).contains(&length).then_some(rest);
        }
        from += digits.max(1);
    }
    None
}

/// A field of xDT in a line of a log, by its number: `FK 3101 -> Roe`, `Feld 3101: Roe`, `3101 = Roe`.
pub(super) fn xdt_field(line: &[u8]) -> Option<(&str, &str)> {
    const WORDS: [&[u8]; 3] = [b"FK", b"Feldkennung", b"Feld"];
    let line = line.get(..MAX_LINE).unwrap_or(line).trim_ascii();
    // A number in front of the line, or the word for it anywhere.
    let first = line.first().copied().filter(|b| b.is_ascii_digit() || b.is_ascii_alphabetic())?;
    let mut from = None;
    for word in WORDS {
        let Some(at) = memchr::memmem::find(line, word) else { continue };
        let before = at.checked_sub(1).and_then(|at| line.get(at));
        if before.is_none_or(|b| !b.is_ascii_alphanumeric()) {
            from = Some(at + word.len());
            break;
        }
    }
    let from = from.or_else(|| first.is_ascii_digit().then_some(0))?;
    let text = std::str::from_utf8(line.get(from..)?).ok()?;
    let text = text.trim_start_matches([' ', '=', ':', '[', '(', '#']);
    let (id, rest) =
        text.split_at_checked(4).filter(|(id, _)| id.bytes().all(|b| b.is_ascii_digit()))?;
    // A title in brackets.
    let rest = rest.trim_start_matches([']', ')', ' ']);
    let rest = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, behind)) => behind.trim_start(),
        None => rest,
    };
    const SIGNS: [&str; 5] = ["->", "=>", "→", ":", "="];
    let value = SIGNS.iter().find_map(|sign| rest.strip_prefix(sign))?;
    Some((id, value.trim().trim_matches(['"', '\''])))
}
