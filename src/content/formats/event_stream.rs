//! Server-sent events (WHATWG HTML 9.2): the data of each event is a payload of its own, read as soon as the
//! event is complete.

use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};

/// `text/event-stream`.
pub struct Events;

impl Format for Events {
    fn name(&self) -> &'static str {
        "event-stream"
    }

    fn probe(&self, media: &Media<'_>, _head: &[u8], _extent: Extent) -> bool {
        media::essence(media).eq_ignore_ascii_case("text/event-stream")
    }

    fn is_hasty(&self) -> bool {
        true
    }

    fn at_once(&self, media: &Media<'_>, _head: &[u8]) -> bool {
        self.probe(media, &[], Extent::Beginning)
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Stream {
            path: media::path(media),
            state: LINE,
            event: None,
            skip: 0,
            started: false,
            after_cr: false,
        })
    }
}

/// The only field that is read.
const NAME: &[u8] = b"data";

struct Stream {
    path: Option<Box<str>>,
    state: State,
    /// The data so far of an event that has some.
    event: Option<Nested>,
    /// Bytes of it to skip.
    skip: u64,
    /// It has a line already: the next one is a separate line.
    started: bool,
    /// The last byte was a CR, which an LF may follow.
    after_cr: bool,
}

enum State {
    /// In the name of a field, with this many bytes matched.
    Name { have: usize },
    /// Before its value, from which one leading space is removed.
    Space,
    /// In the value.
    Value,
    /// In a line of another field.
    Other,
}

const LINE: State = State::Name { have: 0 };

impl Stream {
    /// More of the event's data.
    fn give(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let bytes = Want::behind(&mut self.skip, bytes);
        if bytes.is_empty() {
            return;
        }
        let event = self.event.get_or_insert_with(|| {
            let name = self.path.as_deref().unwrap_or("");
            Nested::new(&Media::Type { content_type: "", name })
        });
        self.skip = event.data(bytes, scope).skip;
    }

    fn end_event(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(mut event) = self.event.take() {
            event.end(ending, scope);
        }
        (self.skip, self.started) = (0, false);
    }

    /// A line begins to have data.
    fn begin_line(&mut self, scope: &mut Scope<'_>) {
        if std::mem::replace(&mut self.started, true) {
            self.give(b"\n", scope);
        }
    }

    fn end_line(&mut self, scope: &mut Scope<'_>) {
        match std::mem::replace(&mut self.state, LINE) {
            State::Name { have: 0 } => self.end_event(Ending::Complete, scope),
            // `data` without a colon is an empty line of data.
            State::Name { have } if have == NAME.len() => self.begin_line(scope),
            _ => {}
        }
    }
}

impl Document for Stream {
    fn data(&mut self, mut bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        while let Some((&first, rest)) = bytes.split_first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = rest;
                continue;
            }
            if matches!(first, b'\r' | b'\n') {
                self.after_cr = first == b'\r';
                self.end_line(scope);
                bytes = rest;
                continue;
            }
            match &mut self.state {
                State::Name { have } => {
                    let next = match first {
                        b':' if *have == NAME.len() => Some(State::Space),
                        byte if NAME.get(*have) == Some(&byte) => {
                            *have += 1;
                            None
                        }
                        // A byte order mark may precede it.
                        0xef | 0xbb | 0xbf if *have == 0 => None,
                        _ => Some(State::Other),
                    };
                    bytes = rest;
                    if let Some(next) = next {
                        let data = matches!(next, State::Space);
                        self.state = next;
                        if data {
                            self.begin_line(scope);
                        }
                    }
                }
                State::Space => {
                    self.state = State::Value;
                    if first == b' ' {
                        bytes = rest;
                    }
                }
                State::Value | State::Other => {
                    let end = memchr::memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
                    let (piece, rest) = bytes.split_at(end);
                    bytes = rest;
                    if matches!(self.state, State::Value) {
                        self.give(piece, scope);
                    }
                }
            }
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, scope: &mut Scope<'_>) -> Want {
        // The next event will be complete.
        scope.give_up(Reason::Gap);
        self.end_event(Ending::Cut, scope);
        self.state = State::Other;
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.end_event(ending, scope);
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.event.as_ref().map_or(0, Nested::memory)
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::{Records, records, rules};
    use crate::content::{ContentCounters, Contents, Direction, Env, Media, ServiceFacts};
    use crate::protocol::Hint;

    const PATIENT: &str =
        r#"{"resourceType":"Patient","name":[{"family":"Roe"}],"birthDate":"1970-01-01"}"#;
    const FOUND: &str =
        "http>event-stream>json:fhir [PatientContext] name=Roe birth_date=1970-01-01";

    #[test]
    fn each_event_is_a_content() {
        for stream in [
            format!("data: {PATIENT}\n\ndata:{PATIENT}\n\n"),
            format!(
                ": hello\r\nevent: update\r\nid: 7\r\ndata: {PATIENT}\r\n\r\nretry: 5\r\n\r\ndata\r\n\r\ndata: {PATIENT}\r\n\r\n"
            ),
            format!("\u{feff}data: {PATIENT}\r\rdatas: x\rdata: {PATIENT}\rdata:\r\r"),
            format!("dat: x\n\ndata: {}\n\ndata: {PATIENT}\n\n", PATIENT.replace(',', ",\ndata: ")),
        ] {
            let got = records("text/event-stream; charset=utf-8", stream.as_bytes());
            assert_eq!(got, [FOUND, FOUND], "{stream}");
        }
        assert!(records("text/event-stream", b"data: ping\n\n: \n\nda").is_empty());
    }

    /// The records that are complete after these pieces, while the content is still open.
    fn so_far(content_type: &str, pieces: &[&str]) -> Vec<usize> {
        let (mut contents, mut sink) = (Contents::default(), Records::default());
        let (mut facts, mut counters) = (ServiceFacts::default(), ContentCounters::default());
        let id = contents.open(&Hint {
            direction: Direction::ServerToClient,
            media: Media::Type { content_type, name: "" },
            operation: "GET",
            codings: &[],
            layer: "http",
        });
        let mut counts = Vec::new();
        for piece in pieces {
            let (rules, sink) = (rules(), &mut sink);
            let mut env = Env { rules, sink, facts: &mut facts, counters: &mut counters };
            contents.data(id, piece.as_bytes(), &mut env);
            counts.push(sink.lines.len());
        }
        counts
    }

    #[test]
    fn nothing_waits_for_what_comes_next() {
        let event = format!("data: {PATIENT}\n\n");
        assert_eq!(so_far("text/event-stream", &[&event[..30], &event[30..], &event]), [0, 1, 2]);
        let line = format!("{PATIENT}\n");
        for media in ["application/x-ndjson", "application/fhir+ndjson"] {
            assert_eq!(
                so_far(media, &["\n", &line[..9], &line[9..], &line]),
                [0, 0, 1, 2],
                "{media}"
            );
        }
        let part = format!("--b\r\nContent-Type: application/json\r\n\r\n{PATIENT}\r\n");
        let media = "multipart/x-mixed-replace; boundary=b";
        assert_eq!(so_far(media, &[&part, &part, &part])[1..], [1, 2]);
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let stream = format!("id: 1\ndata: {PATIENT}\n\n");
        for end in 0..stream.len() {
            let found = records("text/event-stream", &stream.as_bytes()[..end]);
            assert!(found.len() <= 1);
        }
    }
}
