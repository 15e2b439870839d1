//! Right-to-left text on pages: glyphs are placed from left to right, and letters of Hebrew and Arabic are read in
//! the other direction. Numbers and words of other scripts among them are not (Unicode UAX #9).

use zeroize::Zeroizing;

/// Signs inside numbers, dates, addresses and words.
const JOINERS: [char; 9] = ['.', ',', '-', '/', ':', '+', '@', '_', '\''];

/// Letters and marks of right-to-left scripts: Hebrew, Arabic, Syriac, Thaana, N'Ko, and their presentation forms in
/// fonts. Their digits run from left to right.
const fn is_reversed(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{65f}' | '\u{66a}'..='\u{6ef}' | '\u{6fa}'..='\u{8ff}'
        | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}')
}

fn is_forward(c: char) -> bool {
    c.is_alphanumeric() && !is_reversed(c)
}

/// The text of glyphs, given from left to right, in reading order.
pub fn as_read(text: Zeroizing<String>) -> Zeroizing<String> {
    let reversed = text.chars().filter(|c| is_reversed(*c)).count();
    if reversed == 0 {
        return text;
    }
    let forward = text.chars().filter(|c| c.is_alphabetic() && !is_reversed(*c)).count();
    let mut all: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
    if reversed < forward {
        // Words among others: each run of them is reversed.
        let mut at = 0;
        while at < all.len() {
            let len = stretch(&all, at, is_reversed, |_| true);
            if let Some(words) = all.get_mut(at..at + len) {
                words.reverse();
            }
            at += len.max(1);
        }
    } else {
        all.reverse();
        let mut at = 0;
        while at < all.len() {
            let len = stretch(&all, at, is_forward, char::is_alphabetic);
            match all.get_mut(at..at + len) {
                Some(words @ [_, ..]) => words.reverse(),
                _ => all.iter_mut().skip(at).take(1).for_each(|c| *c = mirrored(*c)),
            }
            at += len.max(1);
        }
    }
    Zeroizing::new(all.iter().collect())
}

/// Length of the text at `at` that consists of such characters, with signs between them, and blanks between two for
/// which `spaced` holds.
fn stretch(
    all: &[char],
    at: usize,
    is: impl Fn(char) -> bool,
    spaced: impl Fn(char) -> bool,
) -> usize {
    let get = |at: usize| all.get(at).copied();
    let mut end = at;
    while let Some(c) = get(end) {
        let before = end.checked_sub(1).filter(|before| *before >= at).and_then(get);
        let after = get(end + 1);
        let between = before.is_some_and(&is) && after.is_some_and(&is);
        let blank = c == ' ' && before.is_some_and(&spaced) && after.is_some_and(&spaced);
        if !(is(c) || between && (JOINERS.contains(&c) || blank)) {
            break;
        }
        end += 1;
    }
    end - at
}

const fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_turned_and_numbers_are_not() {
        for (glyphs, read) in [
            ("Jane Roe", "Jane Roe"),
            ("ןהכ", "כהן"),
            ("1962-09-05 :הדיל ךיראת", "תאריך לידה: 1962-09-05"),
            ("(712) לחר ןהכ", "כהן רחל (712)"),
            ("Eva :לפוטמ םש", "שם מטופל: Eva"),
            ("Patient: לחר ןהכ, ward 3B east", "Patient: כהן רחל, ward 3B east"),
            ("٣٤٥ ةفرغ", "غرفة ٣٤٥"),
        ] {
            assert_eq!(as_read(Zeroizing::new(glyphs.to_owned())).as_str(), read);
        }
    }
}
