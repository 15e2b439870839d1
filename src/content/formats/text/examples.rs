//! Manuals in plain text and Markdown, whose blocks of code hold examples and no patients.

use crate::rules::RuleSet;

/// Longest heading, bytes.
const MAX_HEADING: usize = 64;

/// Whether the lines of a text are examples of a manual.
#[derive(Default)]
pub(super) struct Examples {
    /// A heading says that the text is a manual.
    manual: bool,
    /// In a block between fences (CommonMark 4.5).
    fenced: bool,
    /// The last line, which is a heading if it is underlined (CommonMark 4.3).
    last: zeroize::Zeroizing<String>,
}

impl Examples {
    /// Takes a line. True if it is part of an example.
    pub(super) fn line(&mut self, line: &[u8], rules: &RuleSet) -> bool {
        if line.starts_with(b"```") || line.starts_with(b"~~~") {
            self.fenced = !self.fenced;
            return self.manual;
        }
        if self.manual && (self.fenced || line.starts_with(b"    ") || line.starts_with(b"\t")) {
            return true;
        }
        let underline = |sign: u8| line.len() >= 3 && line.iter().all(|b| *b == sign);
        if line.first() == Some(&b'#') {
            self.manual |= heading(line).is_some_and(|text| rules.words.is_documentation(text));
        } else if underline(b'-') || underline(b'=') {
            self.manual |= rules.words.is_documentation(&self.last);
        }
        self.last.clear();
        if !self.manual && line.len() <= MAX_HEADING {
            self.last.push_str(std::str::from_utf8(line).unwrap_or(""));
        }
        false
    }
}

/// The text of a heading that begins with number signs (CommonMark 4.2).
fn heading(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?.trim_start_matches('#');
    text.strip_prefix(' ').filter(|text| text.len() <= MAX_HEADING)
}
