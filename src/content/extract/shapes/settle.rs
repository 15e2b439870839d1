//! Letters that only their neighbours decide, in the text of a line.

use zeroize::Zeroizing;

/// A small L or a capital I: in many fonts both are a bar.
pub const BAR: char = '\u{f8f0}';
/// A capital O or a zero.
pub const RING: char = '\u{f8f1}';
/// A letter that was not recognised.
pub const UNREAD: char = '\u{f8f2}';
/// A small L or the digit one.
pub const STICK: char = '\u{f8f3}';

/// Whether [`settle`] has anything to do.
pub fn is_unsettled(text: &str) -> bool {
    // The first byte of all of them in UTF-8.
    memchr::memchr(0xef, text.as_bytes()).is_some() && text.contains(is_mark)
}

const fn is_mark(c: char) -> bool {
    matches!(c, BAR | RING | STICK | UNREAD)
}

/// Puts the letters that fit for [`BAR`], [`RING`] and [`STICK`]. Words with [`UNREAD`] are left out: a name without
/// one of its letters is another name.
pub fn settle(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let in_word = |c: char| c.is_alphanumeric() || is_mark(c) || matches!(c, '-' | '\'' | '’');
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside = in_word(first);
        let end = rest.find(|c| in_word(c) != inside).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        match piece {
            piece if !inside => out.push_str(piece),
            piece if piece.contains(UNREAD) => {}
            piece => word(piece, &mut out),
        }
    }
    out
}

fn word(word: &str, out: &mut String) {
    let letters: Zeroizing<Vec<char>> = Zeroizing::new(word.chars().collect());
    let known = |c: &&char| c.is_alphanumeric();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        match *letter {
            RING | STICK => {
                let (front, back) = letters.split_at(at);
                let nearest = [front.iter().rev().find(known), back.iter().find(known)];
                let number = nearest.iter().flatten().any(|c| c.is_numeric())
                    || nearest.iter().all(Option::is_none);
                out.push(match (*letter, number) {
                    (RING, true) => '0',
                    (RING, false) => 'O',
                    (_, true) => '1',
                    (_, false) => 'l',
                });
            }
            BAR => {
                let before = before.filter(|c| c.is_alphanumeric() || is_mark(**c));
                let capital = match (before, after.filter(|c| c.is_alphanumeric() || is_mark(**c)))
                {
                    (Some(b), _) if b.is_lowercase() => false,
                    (_, Some(a)) if a.is_uppercase() || a.is_numeric() => true,
                    (None, _) => true,
                    (Some(_), Some(_)) => false,
                    // The end of a word: as the rest of it.
                    (Some(_), None) => {
                        !letters.iter().any(|c| c.is_lowercase()) && letters.len() > 2
                    }
                };
                out.push(if capital { 'I' } else { 'l' });
            }
            other => out.push(other),
        }
    }
}
