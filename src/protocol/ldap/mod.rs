//! LDAP (RFC 4511): entries that a search returns, that are added or changed, and values in filters, as JSON with
//! attributes as names.

mod ber;
mod operation;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::tls_upgrade::TlsUpgrade;
use super::{
    Authentication, ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position,
    Probe, Progress, Protocol, Reason, Resync, Speaker,
};
use operation::Operation;
use zeroize::Zeroizing;

/// Longest message that is read, bytes: entries contain photos and certificates.
const MAX_MESSAGE: usize = 1 << 20;
/// Entries per payload: a directory's answer is a list, and its rows are judged together.
const MAX_ENTRIES: usize = 1000;

/// LDAP.
pub struct Ldap;

impl Protocol for Ldap {
    fn name(&self) -> &'static str {
        "ldap"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        match operation::begins(data) {
            Some(Some(operation)) => Probe::Yes { speaker: operation.speaker(), offset: 0 },
            Some(None) => Probe::More,
            None if at == Position::Start => Probe::No,
            None => match find(data) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            },
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<LdapParser>::default()
    }
}

/// The first message in `data` that carries attributes.
fn find(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(ber::SEQUENCE, data).find(|at| {
        matches!(
            data.get(*at..).and_then(operation::begins),
            Some(Some(Operation::Entry | Operation::Add | Operation::Modify))
        )
    })
}

/// One flow.
#[derive(Default)]
struct LdapParser {
    /// StartTLS (RFC 4511 4.14).
    tls: TlsUpgrade,
    /// The entries of the current answer.
    entries: Option<ContentWriter>,
    count: usize,
    json: Zeroizing<Vec<u8>>,
}

impl LdapParser {
    fn close_entries(&mut self, ending: Ending, sink: &mut dyn ContentSink) {
        self.count = 0;
        if let Some(mut entries) = self.entries.take() {
            if ending == Ending::Complete {
                entries.data(b"]", sink);
            }
            entries.close(ending, sink);
        }
    }

    fn message(&mut self, operation: Operation, body: &[u8], sink: &mut dyn ContentSink) {
        self.json.clear();
        match operation {
            Operation::Bind => match operation::bind(body) {
                Some((name, password)) => {
                    let facts = sink.facts();
                    match password {
                        Some([]) => facts.authentication = Authentication::None,
                        Some(_) if !name.is_empty() => facts.password_in_clear(),
                        Some(_) => {}
                        // SASL (RFC 4513 5.2).
                        None => facts.authentication = Authentication::Digest,
                    }
                }
                None => sink.anomaly(Reason::Malformed),
            },
            Operation::StartTls => self.tls.ask(),
            Operation::Entry => {
                if operation::entry(body, &mut self.json).is_none() {
                    return sink.anomaly(Reason::Malformed);
                }
                // Any client may ask for the root DSE, the entry without a name (RFC 4512 5.1).
                if !body.starts_with(&[ber::OCTET_STRING, 0]) {
                    sink.facts().served();
                }
                if self.count >= MAX_ENTRIES {
                    self.close_entries(Ending::Complete, sink);
                }
                let first = self.entries.is_none();
                let entries = self.entries.get_or_insert_with(|| {
                    sink.unit("response");
                    open(Direction::ServerToClient, "search", sink)
                });
                entries.data(if first { b"[" } else { b"," }, sink);
                entries.data(&self.json, sink);
                self.count += 1;
            }
            Operation::Done => self.close_entries(Ending::Complete, sink),
            Operation::Add | Operation::Modify | Operation::Search | Operation::Compare => {
                let read = match operation {
                    Operation::Add => operation::entry(body, &mut self.json),
                    Operation::Modify => operation::modify(body, &mut self.json),
                    Operation::Search => operation::search(body, &mut self.json),
                    _ => operation::compare(body, &mut self.json),
                };
                match read {
                    None => sink.anomaly(Reason::Malformed),
                    Some(()) if self.json.len() > 2 => {
                        sink.unit("request");
                        let mut writer = open(Direction::ClientToServer, operation.name(), sink);
                        writer.data(&self.json, sink);
                        writer.close(Ending::Complete, sink);
                    }
                    Some(()) => {}
                }
            }
            Operation::Other => {}
        }
    }
}

fn open(direction: Direction, operation: &str, sink: &mut dyn ContentSink) -> ContentWriter {
    let media = Media::Type { content_type: "application/json", name: "" };
    ContentWriter::open(&Hint { direction, media, operation, codings: &[], layer: "ldap" }, sink)
}

impl Parser for LdapParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            if self.tls.begins(rest) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            let malformed = ParseError::new(Reason::Malformed, at);
            let Some(header) = ber::header(rest).ok_or(malformed)? else {
                return Ok(Progress::need(at, rest.len() + 1));
            };
            if header.tag != ber::SEQUENCE {
                return Err(malformed);
            }
            let size = header.size.saturating_add(header.length);
            if size > MAX_MESSAGE {
                sink.anomaly(Reason::Limit);
                return Ok(Progress::skip(at, size as u64));
            }
            let Some(message) = rest.get(header.size..size) else {
                return Ok(Progress::need(at, size));
            };
            let (operation, body) = operation::read(message).ok_or(malformed)?;
            // Each end may send only its own operations.
            let fits = match operation.speaker() {
                Speaker::Client => direction == Direction::ClientToServer,
                Speaker::Server => direction == Direction::ServerToClient,
                Speaker::Any => true,
            };
            if fits {
                self.message(operation, body, sink);
            }
            at += size;
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        if direction == Direction::ServerToClient {
            self.close_entries(Ending::Cut, sink);
        }
        sink.facts().missed_login();
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        if direction == Direction::ServerToClient {
            self.close_entries(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        self.json.capacity()
    }
}
