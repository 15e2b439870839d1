//! Raw print jobs, as printers accept them on port 9100 (HP JetDirect), recognised by the languages of printers.

#[cfg(test)]
mod tests;

use super::unframed::bare;
use super::{Parser, Position, Probe, Protocol, Speaker};
use crate::syntax::{Match, escpos};

/// White space before a job.
const MAX_BLANK: usize = 16;
/// Bytes examined to recognise the language of a label.
const MAX_HEAD: usize = 1024;
/// Beginnings of PJL jobs.
const UEL: &[u8] = b"\x1b%-12345X";
/// Line commands of label printers; one of them opens a label.
const OPENINGS: &[&[u8]] = &[
    b"N\n",
    b"N\r",
    b"SIZE ",
    b"CLS",
    b"! 0 ",
    b"PRPOS",
    b"CLIP ON",
    b"INPUT OFF",
    b"q",
    b"Q",
    b"I8,",
];
/// Commands that print something: text or a bar code.
const PRINTS: &[&[u8]] =
    &[b"\nA", b"\nTEXT ", b"\nT ", b"\nPRTXT", b":PRTXT", b"\nB", b"\nQRCODE "];

/// Print jobs.
pub struct JetDirect;

impl Protocol for JetDirect {
    fn name(&self) -> &'static str {
        "jetdirect"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            // Occurs in print jobs only.
            let uel = memchr::memmem::find(data, b"\x1b%-12345X@PJL");
            return match uel {
                Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
                None => Probe::No,
            };
        }
        let rest = data.trim_ascii_start();
        if data.len() - rest.len() > MAX_BLANK {
            return Probe::No;
        }
        let rest = rest.strip_prefix(b"\x04").unwrap_or(rest);
        match language(rest) {
            Probe::No => lines(rest),
            answer => answer,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        bare("jetdirect")
    }
}

/// Languages with a magic of their own: ZPL, PostScript, PCL, ESC/POS, and PJL around them.
fn language(data: &[u8]) -> Probe {
    let mut more = false;
    let magic: [&[u8]; 13] = [
        b"^XA",
        b"~DG",
        b"~DY",
        b"~SD",
        b"~JA",
        UEL,
        b"@PJL ",
        b"%!PS",
        b"\xc5\xd0\xd3\xc6",
        b") HP-PCL XL;",
        b"( HP-PCL XL;",
        b"\x1b&l",
        b"\x1b&k",
    ];
    for magic in magic {
        let head = data.get(..magic.len()).unwrap_or(data);
        if magic.starts_with(head) {
            if head.len() == magic.len() {
                return Probe::yes(Speaker::Client);
            }
            more = true;
        }
    }
    match data {
        // A reset, followed by another command or text.
        [0x1b, b'E'] => more = true,
        [0x1b, b'E', 0x1b | b' '.. | b'\r', ..] => return Probe::yes(Speaker::Client),
        [0x1b, b'*' | b'&' | b'(', letter, digit, ..]
            if letter.is_ascii_lowercase() && digit.is_ascii_digit() =>
        {
            return Probe::yes(Speaker::Client);
        }
        [0x1b, b'*' | b'&' | b'('] => more = true,
        _ => {}
    }
    match escpos::begins(data) {
        Match::Yes(()) => return Probe::yes(Speaker::Client),
        Match::More => more = true,
        Match::No => {}
    }
    if more { Probe::More } else { Probe::No }
}

/// Languages in lines: a command that opens a label, and one that prints.
fn lines(data: &[u8]) -> Probe {
    let opening = |word: &&&[u8]| {
        let head = data.get(..word.len()).unwrap_or(data);
        word.get(..head.len()).is_some_and(|w| w.eq_ignore_ascii_case(head))
    };
    let Some(word) = OPENINGS.iter().find(opening) else { return Probe::No };
    if data.len() < word.len() {
        return Probe::More;
    }
    let number = data.get(word.len()).is_some_and(u8::is_ascii_digit);
    if matches!(*word, b"q" | b"Q" | b"SIZE " | b"! 0 ") && data.len() > word.len() && !number {
        return Probe::No;
    }
    let head = data.get(..MAX_HEAD).unwrap_or(data);
    let printable = |b: &u8| *b >= b' ' || matches!(b, b'\r' | b'\n' | b'\t');
    // Only images are not text.
    if !head.iter().take(64).all(printable) {
        return Probe::No;
    }
    let quoted = memchr::memchr(b'"', head).is_some() || word == b"! 0 ";
    if quoted && PRINTS.iter().any(|p| memchr::memmem::find(head, p).is_some()) {
        return Probe::yes(Speaker::Client);
    }
    if data.len() < MAX_HEAD { Probe::More } else { Probe::No }
}
