//! Jobs in HP's Printer Job Language (PJL Technical Reference Manual): lines about the job, with documents in other
//! languages between them.

#[cfg(test)]
mod tests;

use crate::content::extract::labels::Labels;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};
use zeroize::Zeroizing;

/// Beginning and end of a job (universal exit language).
pub const UEL: &[u8] = b"\x1b%-12345X";
/// Longest line, bytes.
const MAX_LINE: usize = 4096;
/// White space before a job.
const MAX_BLANK: usize = 16;

/// PJL.
pub struct Pjl;

impl Format for Pjl {
    fn name(&self) -> &'static str {
        "pjl"
    }

    fn first(&self) -> &'static [u8] {
        b"@"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let rest = head.trim_ascii_start();
        head.len() - rest.len() <= MAX_BLANK
            && (rest.starts_with(UEL) || rest.starts_with(b"@PJL") || head.starts_with(UEL))
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Job {
            held: Zeroizing::default(),
            labels: Labels::new("pjl"),
            language: "",
            document: None,
        })
    }
}

struct Job {
    /// An incomplete line, or a possible beginning of [`UEL`].
    held: Zeroizing<Vec<u8>>,
    labels: Labels,
    /// The media type of the current language.
    language: &'static str,
    document: Option<Nested>,
}

/// Words of a PJL line whose value is the name of a job or a remark.
const NAMES: [&str; 6] = ["NAME", "JOBNAME", "COMMENT", "DISPLAY", "JOBATTR", "STRINGCODESET"];

/// The media type of a language.
fn media_type(language: &str) -> &'static str {
    match language.to_ascii_uppercase().as_str() {
        "POSTSCRIPT" => "application/postscript",
        "PCL" => "application/vnd.hp-PCL",
        "PDF" => "application/pdf",
        "TEXT" | "ASCII" => "text/plain",
        _ => "",
    }
}

impl Job {
    fn line(&mut self, line: &[u8], scope: &mut Scope<'_>) {
        let text = String::from_utf8_lossy(line);
        let Some(command) = text.trim().strip_prefix("@PJL") else { return };
        let upper = command.to_ascii_uppercase();
        if let Some(at) = upper.find("LANGUAGE")
            && upper.trim_start().starts_with("ENTER")
        {
            let name = command.get(at + "LANGUAGE".len()..).unwrap_or("");
            self.language = media_type(name.trim_matches([' ', '=', '\t']));
            self.document = Some(self.begin());
            return;
        }
        if NAMES.iter().any(|name| upper.contains(name)) {
            // Names are in quotes, comments are not.
            let value = match command.split_once('"') {
                Some((_, value)) => value.trim_end().trim_end_matches('"'),
                None => command.trim().strip_prefix("COMMENT").unwrap_or(""),
            };
            self.labels.line(&value.replace('_', " "), scope);
        }
    }

    fn begin(&self) -> Nested {
        Nested::new(&Media::Type { content_type: self.language, name: "" })
    }

    fn end_document(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(mut document) = self.document.take() {
            document.end(ending, scope);
        }
        self.language = "";
    }

    /// Reads the buffer as far as possible. Returns the bytes used.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> usize {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            if let Some(document) = &mut self.document {
                let end = memchr::memmem::find(rest, UEL);
                let sure = end.unwrap_or_else(|| rest.len() - cut(rest));
                if sure > 0 {
                    document.data(rest.get(..sure).unwrap_or_default(), scope);
                }
                at += sure;
                if end.is_none() {
                    return at;
                }
                self.end_document(Ending::Complete, scope);
                continue;
            }
            if rest.starts_with(UEL) {
                at += UEL.len();
                continue;
            }
            if UEL.starts_with(rest) || b"@PJL".starts_with(rest) {
                return at;
            }
            if rest.starts_with(b"@PJL") {
                let Some(lf) = memchr::memchr(b'\n', rest) else { return at };
                let line = rest.get(..lf.min(MAX_LINE)).unwrap_or_default();
                self.line(line, scope);
                at += lf + 1;
                continue;
            }
            if matches!(rest.first(), Some(b'\r' | b'\n' | 0 | 4)) {
                at += 1;
                continue;
            }
            // A document whose language the printer detects itself.
            self.document = Some(self.begin());
        }
        at
    }
}

/// Bytes at the end of `data` that may begin [`UEL`].
fn cut(data: &[u8]) -> usize {
    let fits = |len: &usize| {
        let tail = data.get(data.len() - len..).unwrap_or_default();
        UEL.starts_with(tail)
    };
    (1..UEL.len().min(data.len() + 1)).rev().find(fits).unwrap_or(0)
}

impl Document for Job {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.held.is_empty() {
            let used = self.read(bytes, scope);
            self.held.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(bytes);
            let used = self.read(&held, scope);
            let used = used.min(held.len());
            held.drain(..used);
            self.held = held;
        }
        if self.held.len() > MAX_LINE {
            self.held.clear();
        }
        Want::ALL
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        self.held.clear();
        match &mut self.document {
            Some(document) => {
                document.gap(len, scope);
            }
            // The next bytes are more likely a document than a line about one.
            None => self.document = Some(self.begin()),
        }
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let rest = std::mem::take(&mut self.held);
        if let Some(document) = &mut self.document {
            document.data(&rest, scope);
        } else {
            self.line(&rest, scope);
        }
        self.end_document(ending, scope);
        self.labels.emit(scope);
    }

    fn memory(&self) -> usize {
        self.held.capacity()
            + self.labels.memory()
            + self.document.as_ref().map_or(0, Nested::memory)
    }
}
