//! SNPP (RFC 1861): messages to pagers, which may name patients and rooms.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::dotted::{Dotted, Piece};
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Resync, ServiceFacts, Speaker, line,
};
use memchr::{memchr, memmem};

/// Longest line, bytes.
const MAX_LINE: usize = 4 << 10;
/// Longest pager number, bytes.
const MAX_PAGER: usize = 64;

/// SNPP.
pub struct Snpp;

impl Protocol for Snpp {
    fn name(&self) -> &'static str {
        "snpp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        const GREETING: &[u8] = b"220 ";
        const PAGE: &[u8] = b"PAGE ";
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
                None => Probe::No,
            };
        }
        let begins = |word: &[u8]| {
            let head = data.get(..word.len()).unwrap_or(data);
            word.get(..head.len()).is_some_and(|w| w.eq_ignore_ascii_case(head))
        };
        if !begins(GREETING) && !begins(PAGE) {
            return Probe::No;
        }
        let end = memchr(b'\n', data);
        let line = data.get(..end.unwrap_or(data.len())).unwrap_or(data);
        if begins(GREETING) {
            return match memmem::find(line, b"SNPP") {
                Some(_) => Probe::yes(Speaker::Server),
                None if end.is_none() && line.len() < MAX_LINE => Probe::More,
                None => Probe::No,
            };
        }
        match end {
            Some(_) if is_page(line) => Probe::yes(Speaker::Client),
            None if begins(PAGE) && data.len() < PAGE.len() + MAX_PAGER => Probe::More,
            _ => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<SnppParser>::default()
    }
}

/// `PAGE` and the number or the name of a pager.
fn is_page(line: &[u8]) -> bool {
    let (verb, pager) = line::command(line);
    verb.eq_ignore_ascii_case(b"PAGE")
        && (1..=MAX_PAGER).contains(&pager.len())
        && pager.iter().all(u8::is_ascii_graphic)
}

/// The first line in `data` that names a pager, behind another one.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', data).map(|at| at + 1).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        memchr(b'\n', rest).is_some_and(|end| is_page(rest.get(..end).unwrap_or(rest)))
    })
}

/// One flow.
#[derive(Default)]
struct SnppParser {
    /// The incomplete text of several lines (4.5.1).
    text: Option<(Dotted, Option<ContentWriter>)>,
}

fn hint(direction: Direction) -> Hint<'static> {
    let media = Media::Type { content_type: "text/plain", name: "" };
    Hint { direction, media, operation: "PAGE", codings: &[], layer: "snpp" }
}

impl SnppParser {
    fn command(&mut self, direction: Direction, line: &[u8], sink: &mut dyn ContentSink) {
        let (verb, rest) = line::command(line);
        // Four letters decide (4.1).
        let verb = verb.get(..4).unwrap_or(verb).to_ascii_uppercase();
        match verb.as_slice() {
            b"MESS" | b"SUBJ" if !rest.is_empty() => {
                sink.unit("message");
                ContentWriter::whole(&hint(direction), rest, sink);
            }
            b"DATA" => self.text = Some((Dotted::new(), None)),
            b"LOGI" => {
                let mut words = rest.split(|b| *b == b' ').filter(|word| !word.is_empty());
                let (user, password) = (words.next(), words.next());
                if password.is_some() {
                    sink.facts().password_in_clear();
                }
                if let Some(user) = user {
                    let user = String::from_utf8_lossy(user);
                    ServiceFacts::set(&mut sink.facts().files().user, &user);
                }
            }
            _ => {}
        }
    }

    fn end_text(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        if let Some((_, Some(writer))) = self.text.take() {
            writer.close(ending, sink);
        }
    }
}

impl Parser for SnppParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            if direction == Direction::ClientToServer
                && let Some((dotted, writer)) = &mut self.text
            {
                match dotted.next(rest) {
                    Piece::Text(len) => {
                        if writer.is_none() {
                            sink.unit("message");
                        }
                        let writer = writer
                            .get_or_insert_with(|| ContentWriter::open(&hint(direction), sink));
                        writer.data(rest.get(..len).unwrap_or(rest), sink);
                        at += len;
                    }
                    Piece::Stuffed => at += 1,
                    Piece::End(len) => {
                        at += len;
                        self.end_text(Ending::Complete, sink);
                    }
                    Piece::More => return Ok(Progress::need(at, rest.len() + 1)),
                }
                continue;
            }
            let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            match direction {
                Direction::ClientToServer => self.command(direction, line, sink),
                // A rejected text is not sent.
                Direction::ServerToClient => {
                    if matches!(line.first(), Some(b'4' | b'5'))
                        && matches!(self.text, Some((_, None)))
                    {
                        self.text = None;
                    }
                }
            }
            at = next;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        match &mut self.text {
            Some((dotted, Some(writer))) if direction == Direction::ClientToServer => {
                *dotted = Dotted::after_gap();
                writer.gap(len, sink);
                Resync::Known { skip: 0 }
            }
            _ => Resync::Search,
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        line::resync(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ClientToServer {
            self.end_text(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        0
    }
}
