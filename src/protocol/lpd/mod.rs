//! The line printer daemon protocol (RFC 1179): each job has a control file, which describes it, and data files,
//! which are printed. Answers to queue queries list its jobs.

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker, line,
};

/// Longest command line, bytes.
const MAX_LINE: usize = 1024;
/// Longest name of a queue, bytes.
const MAX_QUEUE: usize = 128;
/// Longest control file that is read, bytes.
const MAX_CONTROL: u64 = 16 << 10;

/// Shortest announcement of a file: its code, a digit, a blank, `cfA`, bytes.
const MIN_FILE: usize = 6;

/// LPD.
pub struct Lpd;

impl Protocol for Lpd {
    fn name(&self) -> &'static str {
        "lpd"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Client, offset },
                None => Probe::No,
            };
        }
        let rest = match data {
            // A file of a job that was announced before.
            [2 | 3, ..] if begins_file(data) => return Probe::yes(Speaker::Client),
            [2, rest @ ..] => rest,
            // A query for the state of a queue, on a connection of its own (RFC 1179 5.3, 5.4).
            [3 | 4, ..] if is_question(data) => return Probe::yes(Speaker::Client),
            [] => return Probe::More,
            _ => return Probe::No,
        };
        let name = |b: &u8| b.is_ascii_graphic() || *b >= 0x80;
        let len = rest.iter().take(MAX_QUEUE + 1).take_while(|b| name(b)).count();
        match rest.get(len..) {
            Some([]) if len <= MAX_QUEUE => Probe::More,
            // The announcement of a file follows, if it has arrived already.
            Some([b'\n']) if len > 0 => Probe::yes(Speaker::Client),
            Some([b'\n', rest @ ..]) if len > 0 && is_file(rest) => Probe::yes(Speaker::Client),
            _ => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<LpdParser>::default()
    }
}

/// `4 queue list`, and nothing else. BSD omits the blank if the list is empty.
fn is_question(data: &[u8]) -> bool {
    let [_, line @ .., b'\n'] = data else { return false };
    let name = line.split(|b| *b == b' ').next().unwrap_or_default();
    (1..=MAX_QUEUE).contains(&name.len())
        && line.len() < MAX_LINE
        && (line.contains(&b' ')
            || name.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b)))
        && line.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
}

/// Whether a file is announced: `2 count cfA001host`, `3 count dfA001host`.
fn is_file(data: &[u8]) -> bool {
    let (first, rest) = match data {
        [first @ (2 | 3), rest @ ..] => (first, rest),
        _ => return false,
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let kind: &[u8] = if *first == 2 { b" cf" } else { b" df" };
    let name = rest.get(digits..).unwrap_or_default();
    (1..=12).contains(&digits) && (name.starts_with(kind) || kind.starts_with(name))
}

/// Whether the announcement of a file is at the front of `data`, the whole line.
fn begins_file(data: &[u8]) -> bool {
    let line = memchr::memchr(b'\n', data.get(..MAX_QUEUE).unwrap_or(data));
    line.is_some_and(|end| {
        is_file(data) && data.get(..end).is_some_and(|line| line.len() > MIN_FILE)
    })
}

/// The first announcement of a file in `data`.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(2, 3, data).find(|at| data.get(*at..).is_some_and(begins_file))
}

/// One flow.
#[derive(Default)]
struct LpdParser {
    file: Option<File>,
    /// A query of a queue is answered with text.
    listing: Option<ContentWriter>,
    asked: bool,
    job: Job,
}

/// Facts from the control file (RFC 1179 7).
#[derive(Default)]
struct Job {
    text: zeroize::Zeroizing<Vec<u8>>,
}

/// The current file.
struct File {
    control: bool,
    /// Remaining bytes; `None` up to the end of the connection (a count of 0, RFC 1179 6.3).
    left: Option<u64>,
    writer: Option<ContentWriter>,
}

impl LpdParser {
    fn command(&mut self, line: &[u8], sink: &mut dyn ContentSink) {
        let Some((first, rest)) = line.split_first() else { return };
        match first {
            // Receive a control file, or a data file; the first command of a job has the code of the former.
            2 | 3 if is_file(line) => {
                let text = String::from_utf8_lossy(rest);
                let count = text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
                let control = *first == 2;
                let left = (count > 0).then_some(count);
                self.file = Some(File { control, left, writer: None });
                if control {
                    self.job.text.clear();
                }
            }
            2 => {
                let queue = String::from_utf8_lossy(rest);
                ServiceFacts::set(&mut sink.facts().files().path, &queue);
            }
            3 | 4 => self.asked = true,
            _ => {}
        }
    }

    /// The control file is complete.
    fn control(&mut self, sink: &mut dyn ContentSink) {
        let text = std::mem::take(&mut self.job.text);
        let mut names = zeroize::Zeroizing::new(Vec::new());
        for line in text.split(|b| *b == b'\n') {
            match line.split_first() {
                Some((b'P', user)) => {
                    ServiceFacts::set(
                        &mut sink.facts().files().user,
                        &String::from_utf8_lossy(user),
                    );
                }
                // Job name, banner, title, file name.
                Some((b'J' | b'L' | b'T' | b'N', name)) => {
                    names.extend(name.iter().map(|b| if *b == b'_' { b' ' } else { *b }));
                    names.push(b'\n');
                }
                _ => {}
            }
        }
        if !names.is_empty() {
            sink.unit("request");
            let media = Media::Type { content_type: "text/plain", name: "" };
            let direction = Direction::ClientToServer;
            let hint = Hint { direction, media, operation: "print", codings: &[], layer: "lpd" };
            ContentWriter::whole(&hint, &names, sink);
        }
    }

    fn file_data(&mut self, data: &[u8], sink: &mut dyn ContentSink) -> (usize, u64) {
        let Some(file) = &mut self.file else { return (0, 0) };
        let left = file.left.unwrap_or(u64::MAX);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let bytes = data.get(..len).unwrap_or(data);
        if file.control {
            let room = MAX_CONTROL.saturating_sub(self.job.text.len() as u64) as usize;
            self.job.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        } else {
            let writer = file.writer.get_or_insert_with(|| {
                sink.unit("file");
                let direction = Direction::ClientToServer;
                let media = Media::Unknown;
                let hint =
                    Hint { direction, media, operation: "print", codings: &[], layer: "lpd" };
                ContentWriter::open(&hint, sink)
            });
            writer.data(bytes, sink);
        }
        let Some(left) = file.left.as_mut() else { return (len, 0) };
        *left -= len as u64;
        if *left == 0 {
            self.end_file(Ending::Complete, sink);
            return (len, 0);
        }
        // Skipped bytes do not pass through here.
        let skip = file.writer.as_ref().map_or(0, ContentWriter::unwanted).min(*left);
        *left -= skip;
        if let Some(writer) = &mut file.writer {
            writer.passed(skip);
        }
        if *left == 0 {
            self.end_file(Ending::Complete, sink);
        }
        (len, skip)
    }

    fn end_file(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        let Some(file) = self.file.take() else { return };
        if file.control {
            self.control(sink);
        }
        if let Some(writer) = file.writer {
            writer.close(ending, sink);
        }
    }
}

impl Parser for LpdParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if direction == Direction::ServerToClient {
            if !self.asked {
                return Ok(Progress::consumed(data.len()));
            }
            let listing = self.listing.get_or_insert_with(|| {
                sink.unit("response");
                let media = Media::Type { content_type: "text/plain", name: "" };
                ContentWriter::open(
                    &Hint { direction, media, operation: "queue", codings: &[], layer: "lpd" },
                    sink,
                )
            });
            listing.data(data, sink);
            return Ok(Progress::consumed(data.len()));
        }
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if self.file.is_some() {
                let (used, skip) = self.file_data(rest, sink);
                at += used;
                if skip > 0 {
                    return Ok(Progress::skip(at, skip));
                }
                continue;
            }
            // The end of a file (RFC 1179 6.2).
            if *first == 0 {
                at += 1;
                continue;
            }
            let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            if !(1..=5).contains(first) {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            self.command(line, sink);
            at = next;
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if direction == Direction::ServerToClient {
            return Resync::Known { skip: 0 };
        }
        let Some(file) = &mut self.file else { return Resync::Search };
        if let Some(writer) = &mut file.writer {
            writer.gap(len.min(file.left.unwrap_or(u64::MAX)), sink);
        }
        match &mut file.left {
            None => Resync::Known { skip: 0 },
            Some(left) if *left > len => {
                *left -= len;
                Resync::Known { skip: 0 }
            }
            Some(_) => {
                self.end_file(Ending::Cut, sink);
                Resync::Search
            }
        }
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ClientToServer {
            let whole = self.file.as_ref().is_some_and(|f| f.left.is_none());
            self.end_file(Ending::from(end).and(whole), sink);
        } else if let Some(listing) = self.listing.take() {
            listing.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        self.job.text.capacity()
    }
}
