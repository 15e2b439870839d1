//! LDIF, directory entries as a file (RFC 2849): attributes with their values, one per line, in base64 behind two
//! colons; continuation lines begin with a blank, an empty line ends an entry.

use super::text_lines::TextLines;
use crate::content::extract::tree::Tree;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use base64::Engine as _;
use std::ops::ControlFlow;
use zeroize::Zeroizing;

/// Longest value, bytes: longer ones are photos and certificates.
const MAX_VALUE: usize = 16 << 10;

/// Beginning of an entry.
const NAME: &str = "dn";

/// Short names of attributes (RFC 4519 2.3, 2.16, 2.32), and longer ones.
const SHORT: [(&str, &str); 3] = [("cn", "full_name"), ("sn", "surname"), ("l", "city")];

/// LDIF.
pub struct Ldif;

/// Whether lines begin like LDIF: a version, comments, and the name of an entry.
fn begins(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let Ok(text) = std::str::from_utf8(head)
        .or_else(|e| std::str::from_utf8(head.get(..e.valid_up_to()).unwrap_or_default()))
    else {
        return false;
    };
    let other = |line: &&str| {
        let blank = line.trim().is_empty() || line.starts_with([' ', '#']);
        !blank && !line.starts_with("version:")
    };
    let Some(value) = text.lines().find(other).and_then(|line| line.strip_prefix("dn:")) else {
        return false;
    };
    value.starts_with(':') || value.contains('=')
}

impl Format for Ldif {
    fn name(&self) -> &'static str {
        "ldif"
    }

    fn first(&self) -> &'static [u8] {
        b"dv#"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        begins(head)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader {
            lines: TextLines::default(),
            entries: Entries { tree: Tree::new("ldif"), open: false, line: Zeroizing::default() },
            path: media::path(media),
        })
    }
}

struct Reader {
    lines: TextLines,
    entries: Entries,
    path: Option<Box<str>>,
}

struct Entries {
    tree: Tree,
    /// An entry has begun.
    open: bool,
    /// The current line, which may continue.
    line: Zeroizing<String>,
}

impl Entries {
    fn line(&mut self, line: &str, scope: &mut Scope<'_>) {
        if let Some(rest) = line.strip_prefix(' ') {
            if self.line.len() + rest.len() <= MAX_VALUE {
                self.line.push_str(rest);
            }
            return;
        }
        self.attribute(scope);
        if line.is_empty() {
            self.end_entry(scope);
        } else if !line.starts_with('#') {
            self.line.push_str(line);
        }
    }

    /// Takes the previous line, which is complete.
    fn attribute(&mut self, scope: &mut Scope<'_>) {
        let line = std::mem::take(&mut self.line);
        let Some((name, value)) = line.split_once(':') else { return };
        // Without its options: `cn;lang-en`.
        let name = name.split(';').next().unwrap_or(name).trim();
        let value = match value.strip_prefix(':') {
            Some(encoded) => decoded(encoded.trim()),
            None => Zeroizing::new(value.trim().to_owned()),
        };
        if name.eq_ignore_ascii_case(NAME) {
            self.begin_entry(&value, scope);
        } else if self.open && !value.is_empty() {
            let long = SHORT.iter().find(|(short, _)| name.eq_ignore_ascii_case(short));
            self.tree.key(long.map_or(name, |(_, long)| *long), scope);
            if self.tree.wants() {
                self.tree.value(&value, scope);
            } else {
                self.tree.number(&value, scope);
            }
        }
    }

    /// The parents in a name describe the entry: `cn=Jane Roe,ou=patients,dc=example`.
    fn begin_entry(&mut self, name: &str, scope: &mut Scope<'_>) {
        self.end_entry(scope);
        let parts = name.split(',').skip(1).filter_map(|part| part.split_once('='));
        let path: Vec<&str> = parts.map(|(_, value)| value.trim()).collect();
        self.tree.in_table(&path.join("/"), scope);
        self.tree.open(true);
        self.open = true;
    }

    fn end_entry(&mut self, scope: &mut Scope<'_>) {
        if std::mem::take(&mut self.open) {
            self.tree.close(scope);
        }
    }
}

fn decoded(text: &str) -> Zeroizing<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    let bytes = Zeroizing::new(bytes);
    Zeroizing::new(std::str::from_utf8(&bytes).unwrap_or("").to_owned())
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.entries.tree.set_path(&path, scope);
        }
        let Self { lines, entries, .. } = self;
        lines.read(bytes, &mut |line| {
            entries.line(line, scope);
            ControlFlow::Continue(())
        });
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let Self { lines, entries, .. } = self;
        if ending == Ending::Complete {
            lines.finish(&mut |line| {
                entries.line(line, scope);
                ControlFlow::Continue(())
            });
            entries.attribute(scope);
        }
        entries.end_entry(scope);
        entries.tree.finish(scope);
    }

    fn memory(&self) -> usize {
        self.lines.memory() + self.entries.tree.memory() + self.entries.line.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    #[test]
    fn entries_of_patients() {
        let file = "version: 1\n# export\ndn: cn=Jane Roe,ou=patients,dc=example\nobjectClass: person\nsn: Roe\ngivenName:: SmFuZQ==\nmrn: H-\n 77\nbirthDate: 1970-01-31\n\ndn:: Y249T3R0byBQZW5uLG91PXBhdGllbnRz\nsn;lang-de: Penn\ngivenName: Otto\nmrn: H-78\nbirthDate: 1950-05-03\n";
        assert_eq!(
            records("text/plain; charset=utf-8", file.as_bytes()),
            [
                "http>ldif:~ldif [PatientContext] name=Roe^Jane patient_id=H-77 birth_date=1970-01-31",
                "http>ldif:~ldif [PatientContext] name=Penn^Otto patient_id=H-78 birth_date=1950-05-03",
            ]
        );
    }

    #[test]
    fn entries_of_staff_are_no_patients() {
        let file = "dn: uid=jroe,ou=people,dc=hospital,dc=example\nobjectClass: inetOrgPerson\ncn: Jane Roe\nsn: Roe\ngivenName: Jane\nemployeeNumber: 4711\nmail: jroe@hospital.example\ntelephoneNumber: +1 555 0100\n";
        let read = records("text/plain", file.as_bytes());
        assert!(!read.iter().any(|line| line.contains("PatientContext")), "{read:?}");
        assert!(!begins(b"dn: none of a directory\n") && !begins(b"Hello\ndn: cn=a\n"));
        assert!(!begins(b""));
    }
}
