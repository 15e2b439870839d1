//! Tokens of SQL (ISO/IEC 9075-2 5.2), with the quotes and escapes of MySQL, PostgreSQL and SQL
//! Server. This is not a parser: readers of statements take the tokens they know and ignore the
//! rest.

/// A placeholder, for a value that is sent beside the statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placeholder<'a> {
    /// `?` and `$1`: its index, from 0.
    Number(usize),
    /// `@name` and `:name`.
    Name(&'a [u8]),
}

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, a name or a number.
    Word(&'a [u8]),
    /// A name in backticks or brackets.
    Name(&'a [u8]),
    /// In double quotes: a name by the standard, a string in MySQL.
    Double(Vec<u8>),
    /// A string.
    Text(Vec<u8>),
    /// A placeholder.
    Placeholder(Placeholder<'a>),
    /// Any other character.
    Punctuation(u8),
}

impl Token<'_> {
    /// Whether this is the given keyword.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(w) if w.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// The token as a column name.
    pub fn column(&self) -> Option<&[u8]> {
        match self {
            Self::Word(w) if w.first().is_some_and(|b| !b.is_ascii_digit()) => Some(w),
            Self::Name(name) => Some(name),
            Self::Double(name) => Some(name),
            Self::Placeholder(Placeholder::Name(name)) => Some(name),
            _ => None,
        }
    }
}

/// The tokens of a statement, in time linear in its length.
pub struct Tokens<'a> {
    rest: &'a [u8],
    /// Number of `?` seen so far.
    asked: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of `statement`.
    pub const fn new(statement: &'a [u8]) -> Self {
        Self { rest: statement, asked: 0 }
    }

    /// What is left of the statement.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the first `len` bytes.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let end = match self.rest {
                [b'-', b'-', ..] => memchr::memchr(b'\n', self.rest).map(|at| at + 1),
                [b'/', b'*', ..] => memchr::memmem::find(self.rest, b"*/").map(|at| at + 2),
                _ => return,
            };
            self.take(end.unwrap_or(usize::MAX));
        }
    }

    /// The rest of a string after its opening quote. Doubled quotes and backslash escapes are
    /// decoded.
    fn quoted(&mut self, quote: u8) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(at) = memchr::memchr2(quote, b'\\', self.rest) {
            let part = self.take(at);
            text.extend_from_slice(part);
            match self.rest {
                [b'\\', b'n', ..] => text.push(b'\n'),
                [b'\\', b'r', ..] => text.push(b'\r'),
                [b'\\', b't', ..] => text.push(b'\t'),
                [b'\\', b'0', ..] => {}
                [b'\\', other, ..] if *other == quote || !other.is_ascii_alphanumeric() => {
                    text.push(*other);
                }
                [b'\\', other, ..] => text.extend_from_slice(&[b'\\', *other]),
                [first, second, ..] if first == second => text.push(quote),
                _ => {
                    self.take(1);
                    return text;
                }
            }
            self.take(2);
        }
        let rest = self.take(usize::MAX);
        text.extend_from_slice(rest);
        text
    }

    fn word(&mut self) -> &'a [u8] {
        let is_word =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'#') || *b >= 0x80;
        let mut len = self.rest.iter().take_while(|b| is_word(b)).count();
        // The decimal point of a number.
        let digits = len > 0 && self.rest.iter().take(len).all(u8::is_ascii_digit);
        if digits && self.rest.get(len) == Some(&b'.') {
            len += 1 + self.rest.iter().skip(len + 1).take_while(|b| b.is_ascii_digit()).count();
        }
        self.take(len)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let first = *self.rest.first()?;
        Some(match (first, self.rest.get(1)) {
            (b'\'', _) => {
                self.take(1);
                Token::Text(self.quoted(b'\''))
            }
            (b'N' | b'n' | b'E' | b'e', Some(b'\'')) => {
                self.take(2);
                Token::Text(self.quoted(b'\''))
            }
            (b'"', _) => {
                self.take(1);
                Token::Double(self.quoted(b'"'))
            }
            (b'`' | b'[', _) => {
                self.take(1);
                let end = memchr::memchr(if first == b'[' { b']' } else { b'`' }, self.rest);
                let name = self.take(end.unwrap_or(usize::MAX));
                self.take(1);
                Token::Name(name)
            }
            (b'?', _) => {
                self.take(1);
                self.asked += 1;
                Token::Placeholder(Placeholder::Number(self.asked - 1))
            }
            (b'$', Some(b'0'..=b'9')) => {
                self.take(1);
                let digits = self.word();
                let number = std::str::from_utf8(digits).ok().and_then(|d| d.parse::<usize>().ok());
                Token::Placeholder(Placeholder::Number(number.unwrap_or(0).wrapping_sub(1)))
            }
            (b'@' | b':', Some(b)) if b.is_ascii_alphabetic() || *b == b'_' => {
                self.take(1);
                Token::Placeholder(Placeholder::Name(self.word()))
            }
            // A cast: its type says nothing about the value.
            (b':', Some(b':')) => {
                self.take(2);
                self.word();
                return self.next_after_cast();
            }
            (b'+' | b'-', Some(b'0'..=b'9')) => {
                self.take(1);
                Token::Word(self.word())
            }
            _ => {
                let word = self.word();
                match word.is_empty() {
                    true => Token::Punctuation(*self.take(1).first()?),
                    false => Token::Word(word),
                }
            }
        })
    }
}

impl<'a> Tokens<'a> {
    /// The token after a cast. Recursion is bounded, because each cast consumes bytes.
    fn next_after_cast(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip_blank();
            if !self.rest.starts_with(b"::") {
                return self.next();
            }
            self.take(2);
            self.word();
        }
    }
}
