//! Escape sequences (PCL 5 Technical Reference Manual, chapter 2), and Roman-8.

/// Longest escape sequence, bytes; longer ones are not valid.
const MAX_SEQUENCE: usize = 256;

/// A sequence behind an escape character.
pub(super) enum Sequence {
    /// This many bytes without meaning for text.
    Skip(usize),
    /// A reset, which prints the page.
    Reset(usize),
    /// Commands of one group, and their length in bytes.
    Commands(Vec<Command>, usize),
}

/// One command: `&l`, a number and the last character in capitals.
pub(super) struct Command {
    pub(super) group: [u8; 2],
    pub(super) number: f64,
    /// The number has a sign.
    pub(super) relative: bool,
    pub(super) last: u8,
}

impl Command {
    /// Bytes of data behind it.
    pub(super) fn data(&self) -> u64 {
        let counted = matches!(
            (self.group, self.last),
            ([b'&', b'p'], b'X') | ([b'*' | b'&' | b'(' | b')', _], b'W') | ([b'*', b'b'], b'V')
        );
        if counted { self.number.clamp(0.0, 1e9) as u64 } else { 0 }
    }
}

/// Reads the sequence at the front of `data`, which begins with an escape character. `None` if it is incomplete.
pub(super) fn read(data: &[u8]) -> Option<Sequence> {
    let head = data.get(..MAX_SEQUENCE).unwrap_or(data);
    let (kind, rest) = match head {
        [_, kind @ b'!'..=b'/', rest @ ..] => (*kind, rest),
        [_, b'E', ..] => return Some(Sequence::Reset(2)),
        [_, _, ..] => return Some(Sequence::Skip(2)),
        _ => return None,
    };
    let mut at = 2;
    let group = match rest.first() {
        Some(group @ b'`'..=b'~') => {
            at += 1;
            *group
        }
        Some(_) => 0,
        None => return None,
    };
    let mut commands = Vec::new();
    loop {
        let number = head.get(at..).unwrap_or_default();
        let digits = number
            .iter()
            .take_while(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'))
            .count();
        let Some(last) = number.get(digits) else {
            return if head.len() < data.len() { Some(Sequence::Skip(1)) } else { None };
        };
        at += digits + 1;
        let text = number.get(..digits).unwrap_or_default();
        let relative = matches!(text.first(), Some(b'+' | b'-'));
        let text = std::str::from_utf8(text).unwrap_or("");
        let value = text.strip_prefix('+').unwrap_or(text).parse::<f64>().unwrap_or(0.0);
        let value = if value.is_finite() { value.clamp(-1e6, 1e9) } else { 0.0 };
        match last {
            b'@'..=b'^' => {
                let last = *last;
                commands.push(Command { group: [kind, group], number: value, relative, last });
                return Some(Sequence::Commands(commands, at));
            }
            b'`'..=b'~' => {
                let last = last.to_ascii_uppercase();
                commands.push(Command { group: [kind, group], number: value, relative, last });
            }
            // No command.
            _ => return Some(Sequence::Skip(at)),
        }
    }
}

/// HP Roman-8, the default of printers (table 8U).
const ROMAN8: &str = "\
    ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±";

/// The character of a byte.
pub(super) fn roman8(byte: u8) -> char {
    match byte {
        0xa1..=0xfe => ROMAN8.chars().nth(usize::from(byte - 0xa1)).unwrap_or(' '),
        _ if byte.is_ascii() => char::from(byte),
        _ => ' ',
    }
}
