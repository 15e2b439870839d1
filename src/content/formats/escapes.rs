//! Backslash escapes of quoted strings, as Turtle and YAML have them.

/// The escapes of one format. Any other character after a backslash means itself.
pub struct Escapes {
    /// Letters, and the characters that they mean.
    pub letters: &'static [(char, char)],
    /// Letters that begin a code point, and its hexadecimal digits.
    pub code_points: &'static [(char, usize)],
}

impl Escapes {
    /// The text that `escaped` means. A code point that does not exist is dropped with its letter.
    pub fn resolve(&self, escaped: &str) -> String {
        let mut text = String::with_capacity(escaped.len());
        let mut rest = escaped;
        while let Some((before, after)) = rest.split_once('\\') {
            text.push_str(before);
            let mut characters = after.chars();
            let letter = characters.next();
            rest = characters.as_str();
            let Some(letter) = letter else { break };
            if let Some((_, digits)) = self.code_points.iter().find(|(c, _)| *c == letter) {
                let number = rest.get(..*digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                if let Some(c) = number.and_then(char::from_u32) {
                    text.push(c);
                    rest = rest.get(*digits..).unwrap_or("");
                }
            } else {
                let meaning = self.letters.iter().find(|(c, _)| *c == letter);
                text.push(meaning.map_or(letter, |(_, meaning)| *meaning));
            }
        }
        text.push_str(rest);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_code_points_are_resolved() {
        let escapes =
            Escapes { letters: &[('n', '\n'), ('r', '\r')], code_points: &[('x', 2), ('u', 4)] };
        let resolved = |escaped| escapes.resolve(escaped);
        assert_eq!(resolved(r"no escapes"), "no escapes");
        assert_eq!(resolved(r"a\r\nb\tc"), "a\r\nbtc");
        assert_eq!(resolved(r#"\"J\u00fcrgen\" \x4dax \\n"#), "\"Jürgen\" Max \\n");
        // A surrogate, too few digits, a character across the digits, and nothing behind the backslash.
        assert_eq!(resolved(r"\ud800a"), "d800a");
        assert_eq!(resolved(r"\u12"), "12");
        assert_eq!(resolved(r"\xaü"), "aü");
        assert_eq!(resolved("end\\"), "end");
    }
}
