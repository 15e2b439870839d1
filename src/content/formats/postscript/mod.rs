//! PostScript (PLRM, third edition): the text of a job, in reading order.
//!
//! Programs print with procedures of their own, so that the text of a job is known only by running it. What
//! runs here has no devices and no files but the job itself, and its work is bounded. Errors are passed over:
//! a printer would end the job, but its text has crossed the wire all the same.

mod fonts;
mod graphics;
mod machine;
mod object;
mod operators;
mod shapes;
mod stream;
#[cfg(test)]
mod tests;

use super::pdf;
use crate::content::extract::page::PageReader;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use machine::Machine;
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest job, bytes; of a longer one the beginning is read.
const MAX_JOB: usize = 16 << 20;
/// Bytes before `%!`: the end of a job before it, and the header of files with a preview.
const MAX_LEAD: usize = 64;
/// Strings of a program that printed nothing, and bytes of each, that are read.
const MAX_STRINGS: usize = 20_000;
const MAX_STRING: usize = 1024;
/// Letters without a meaning that a page may have, such as bullets.
const FEW: usize = 64;
/// The work of a step, which is a look-up and a copy: some 25 nanoseconds.
const STEP: u64 = 5;
/// Magic of a file with a preview (EPSF 3.0 section 5).
const PREVIEW: &[u8] = b"\xc5\xd0\xd3\xc6";

/// PostScript.
pub struct PostScript;

impl Format for PostScript {
    fn name(&self) -> &'static str {
        "postscript"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        if head.starts_with(PREVIEW) {
            return true;
        }
        let lead = head.get(..MAX_LEAD).unwrap_or(head);
        let blank = |b: &&u8| matches!(b, 0 | 4 | b'\r' | b'\n' | b' ' | b'\t');
        let at = lead.iter().take_while(blank).count();
        let marked = head.get(at + 2..at + 4) == Some(b"PS");
        let bare = head.get(at + 2).is_some_and(|b| matches!(b, b'\r' | b'\n'));
        lead.get(at..).is_some_and(|lead| lead.starts_with(b"%!")) && (marked || bare)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::<Job>::default()
    }
}

#[derive(Default)]
struct Job {
    held: Zeroizing<Vec<u8>>,
    limited: bool,
}

impl Document for Job {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let room = MAX_JOB.saturating_sub(self.held.len());
        self.held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            self.limited = true;
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        // Whichever token is cut, the next line is program text again.
        self.held.push(b'\n');
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let job = std::mem::take(&mut self.held);
        read(&job, scope);
    }

    fn memory(&self) -> usize {
        self.held.capacity()
    }
}

fn read(job: &[u8], scope: &mut Scope<'_>) {
    let program = program(job);
    if is_packed(program) {
        pdf::read(program, Ending::Cut, scope);
        return;
    }
    let mut reader = PageReader::new("postscript");
    if let Some(title) = title(program) {
        reader.note(&title, scope);
    }
    let most = scope.work_left() / STEP;
    let mut give = |line: &_| reader.line(line, scope);
    let mut machine = Machine::new(&mut give);
    let steps = machine.run(program, most);
    let (limited, unreadable) = (machine.limited, machine.unreadable);
    let silent = machine.is_silent() && unreadable == 0;
    scope.spend(steps * STEP);
    if silent {
        // Its layout takes too long, or is not understood, but what it sets is there to be read. Letters that only their
        // outlines tell are not.
        strings(program, |text| reader.note(text, scope));
    }
    reader.end(scope);
    if limited {
        scope.give_up(Reason::Limit);
    }
    if unreadable > FEW {
        scope.give_up(Reason::Unsupported);
    }
}

/// The strings of a program, each on its own (PLRM 3.2.2).
fn strings(program: &[u8], mut give: impl FnMut(&str)) {
    let mut given = 0;
    let mut rest = program;
    while let Some(start) = memchr::memchr(b'(', rest)
        && given < MAX_STRINGS
    {
        rest = rest.get(start + 1..).unwrap_or_default();
        let (mut text, mut depth, mut end) = (String::new(), 0usize, rest.len());
        // A backslash came before, and so many digits of a code at most.
        let (mut escaped, mut digits) = (false, 0);
        for (at, byte) in rest.iter().enumerate() {
            let code = digits > 0 && byte.is_ascii_digit();
            digits = if code { digits - 1 } else { 0 };
            match byte {
                _ if code => {}
                b'0'..=b'7' if escaped => {
                    (escaped, digits) = (false, 2);
                    text.push(' ');
                }
                _ if std::mem::take(&mut escaped) => {
                    text.push(if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' });
                }
                b'\\' => escaped = true,
                b')' if depth == 0 => {
                    end = at + 1;
                    break;
                }
                _ => {
                    depth = match byte {
                        b'(' => depth + 1,
                        b')' => depth - 1,
                        _ => depth,
                    };
                    // Latin letters stand for themselves, as in ISO 8859-1.
                    text.push(char::from(*byte));
                }
            }
            if at >= MAX_STRING {
                end = at + 1;
                break;
            }
        }
        rest = rest.get(end..).unwrap_or_default();
        if text.contains(char::is_alphabetic) {
            give(&text);
            given += 1;
        }
    }
}

/// The program in a file with a preview, or all of it.
fn program(job: &[u8]) -> &[u8] {
    let Some(header) = job.strip_prefix(PREVIEW) else { return job };
    let word = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
        bytes.map_or(0, |b| u32::from_le_bytes(b) as usize)
    };
    let (start, len) = (word(0), word(4));
    let rest = job.get(start..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}

/// Whether its pages are PDF objects that its prolog interprets, as Ghostscript writes them.
fn is_packed(program: &[u8]) -> bool {
    memmem::find(program, b"/Type/Page").is_some()
        && memmem::find(program, b"endstream").is_some()
        && memmem::find(program, b" obj").is_some()
}

/// The title in the job's comments (DSC 4.3, `%%Title:`).
fn title(program: &[u8]) -> Option<String> {
    const HEAD: usize = 4096;
    let head = program.get(..HEAD).unwrap_or(program);
    let at = memmem::find(head, b"%%Title:")? + b"%%Title:".len();
    let rest = head.get(at..)?;
    let line = rest.get(..memchr::memchr2(b'\r', b'\n', rest)?)?.trim_ascii();
    let line = line.strip_prefix(b"(").and_then(|l| l.strip_suffix(b")")).unwrap_or(line);
    Some(String::from_utf8_lossy(line).into_owned())
}
