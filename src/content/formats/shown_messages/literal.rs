//! Lists of lists that programs print, and that stand in their tests: `[['H', ['\\^&'], None], ['P', '1', None, '77']]`,
//! `[[['MSH'], ['|'], ['^~\\&']], [['PID'], ['1']]]`. They become JSON, which has readers for both.

use crate::content::formats::literal::{self, LiteralScan, MAX_LITERAL};
use crate::content::{Media, Scope};
use zeroize::Zeroizing;

/// How the first record or segment begins, without blanks.
const BEGINS: [&str; 10] = [
    "[['PID'],",
    "[['PID',",
    "[[\"PID\",",
    "[['H',",
    "[[\"H\",",
    "[['MSH',",
    "[[\"MSH\",",
    "[[['MSH'],",
    "[('H',",
    "[[['H'],",
];

/// Bytes of such a beginning, with letters in front of its strings.
const MAX_BEGIN: usize = 16;
/// Longest line that is looked at, bytes.
const MAX_LINE: usize = 8 << 10;

/// A list, as far as it was read.
pub struct ShownLiteral {
    text: Zeroizing<Vec<u8>>,
    scan: LiteralScan,
}

impl ShownLiteral {
    /// The list that begins in a line; whether it ends there, too.
    pub fn begin(line: &[u8]) -> Option<(Self, bool)> {
        let line = line.get(..MAX_LINE).unwrap_or(line);
        let open = memchr::memchr(b'[', line)?;
        let rest = line.get(open..)?;
        let compact: String = rest
            .iter()
            .filter(|b| !b.is_ascii_whitespace())
            .take(MAX_BEGIN)
            .map(|b| char::from(*b))
            .collect();
        let compact = compact.replace("u'", "'").replace("b'", "'");
        BEGINS.iter().any(|begin| compact.starts_with(begin)).then_some(())?;
        let mut list = Self { text: Zeroizing::default(), scan: LiteralScan::default() };
        let complete = list.line(rest);
        Some((list, complete))
    }

    /// Takes the next line. True at the end of the list.
    pub fn line(&mut self, line: &[u8]) -> bool {
        let end = self.scan.end(line);
        let piece = line.get(..end.unwrap_or(line.len())).unwrap_or(line);
        if self.text.len() + piece.len() > MAX_LITERAL {
            return true;
        }
        self.text.extend_from_slice(piece);
        self.text.push(b'\n');
        self.scan.end(b"\n");
        end.is_some()
    }

    /// Reads it.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        // Tuples are lists.
        let text = Zeroizing::new(tuples(&self.text));
        let mut json = literal::json(&text);
        if let Some((front, back, from)) = headed(&json) {
            let list = json.get(from..).unwrap_or_default();
            json = Zeroizing::new([front, list, back].concat());
        }
        let media = Media::Type { content_type: "application/json", name: "" };
        scope.whole(&media, &json);
        self.text.clear();
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.text.capacity()
    }
}

/// What makes a message of a patient's segment alone, in JSON: the text in front and behind, and where the list is taken
/// from. It may be a list of fields, or of segments.
fn headed(json: &[u8]) -> Option<(&'static [u8], &'static [u8], usize)> {
    if json.starts_with(b"[[\"PID\"]") {
        return Some((br#"[[["MSH"],["|"],["^~\\&"]],"#, b"]", 0));
    }
    json.starts_with(b"[[\"PID\",").then_some((br#"[["MSH","|","^~\\&"],"#, b"", 1))
}

/// The text with brackets for the parentheses outside strings that are not those of a call, and without the letters in
/// front of strings (`u'77'`).
fn tuples(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut quote, mut escaped, mut calls, mut before) = (None, false, 0_u32, b' ');
    for byte in text {
        let mut byte = *byte;
        match (quote, byte) {
            _ if std::mem::take(&mut escaped) => {}
            (Some(_), b'\\') => escaped = true,
            (Some(open), b) if b == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                if matches!(
                    out.as_slice(),
                    [.., b'[' | b'(' | b',' | b' ' | b'\n', b'u' | b'b' | b'r']
                ) {
                    out.pop();
                }
            }
            (None, b'(') if calls > 0 || before.is_ascii_alphanumeric() => calls += 1,
            (None, b'(') => byte = b'[',
            (None, b')') if calls > 0 => calls -= 1,
            (None, b')') => byte = b']',
            (None, _) => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        out.push(byte);
    }
    out
}
