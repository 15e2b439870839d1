//! XMPP (RFC 6120, 6121): messages and queries, each as a document.
//!
//! A direction is one endless XML document: its stanzas are the children of the root.

mod stanza;

#[cfg(test)]
mod tests;

use super::content_writer::ContentWriter;
use super::tls_upgrade::TlsUpgrade;
use super::{
    ContentSink, Direction, End, Ending, Hint, Media, ParseError, Parser, Position, Probe,
    Progress, Protocol, Reason, Resync, ServiceFacts, Speaker,
};
use base64::Engine as _;
use memchr::memmem;
use stanza::{Scan, attribute, name, tag_end};

/// Longest start tag, and longest stanza of the negotiation that is read, bytes.
const MAX_TAG: usize = 8 << 10;
const MAX_NEGOTIATION: usize = 16 << 10;
/// Longest start tag by which the next stanza is found, bytes.
const MAX_SOUGHT: usize = 512;

/// XMPP.
pub struct Xmpp;

impl Protocol for Xmpp {
    fn name(&self) -> &'static str {
        "xmpp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return match find(data, true) {
                Some(offset) => Probe::Yes { speaker: Speaker::Any, offset },
                None => Probe::No,
            };
        }
        match stanza::root(data) {
            Some(Some(b"stream:stream")) => Probe::yes(Speaker::Any),
            Some(None) => Probe::More,
            Some(Some(_)) | None => Probe::No,
        }
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<XmppParser>::default()
    }
}

/// Whether a stream may begin at `data` whose root element is incomplete.
pub(in crate::protocol) fn may_begin(data: &[u8]) -> bool {
    matches!(stanza::root(data), Some(None | Some(b"stream:stream")))
}

/// The first message or query in `data`; `addressed`: only one with sender and recipient.
fn find(data: &[u8], addressed: bool) -> Option<usize> {
    memchr::memchr_iter(b'<', data).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        let rest = rest.get(..MAX_SOUGHT).unwrap_or(rest);
        if !rest.starts_with(b"<message") && !rest.starts_with(b"<iq") {
            return false;
        }
        let Some(end) = tag_end(rest) else { return false };
        let tag = rest.get(..end).unwrap_or(rest);
        let address = |side: &[u8]| attribute(tag, side).is_some_and(|a| a.contains(&b'@'));
        matches!(name(tag), b"message" | b"iq")
            && (!addressed || address(b"from") || address(b"to"))
    })
}

/// One flow.
#[derive(Default)]
struct XmppParser {
    stanzas: [Option<Stanza>; 2],
    tls: TlsUpgrade,
}

/// The current stanza in one direction.
struct Stanza {
    scan: Scan,
    /// `None` for a stanza that is skipped.
    writer: Option<ContentWriter>,
}

impl XmppParser {
    /// A stanza that is not passed on begins at `data`: bytes read, or `None` if it must be complete first. True if
    /// TLS begins behind it.
    fn negotiation(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Option<(usize, bool)> {
        let mut scan = Scan::default();
        let len = scan.end(data)?;
        if len > MAX_NEGOTIATION {
            return Some((len, false));
        }
        let stanza = data.get(..len).unwrap_or(data);
        let tag = stanza.get(..tag_end(stanza)?).unwrap_or(stanza);
        let mut tls = false;
        match (name(tag), direction) {
            (b"starttls", Direction::ClientToServer) => self.tls.ask(),
            (b"proceed", Direction::ServerToClient) => tls = self.tls.answered(true),
            (b"auth" | b"authenticate", Direction::ClientToServer) => {
                let mechanism = attribute(tag, b"mechanism").unwrap_or_default();
                sink.facts().sasl(mechanism);
                user(stanza, mechanism, sink);
            }
            _ => {}
        }
        Some((len, tls))
    }

    /// A message or a query begins.
    fn begin(direction: Direction, tag: &[u8], sink: &mut dyn ContentSink) -> Stanza {
        let operation = match name(tag) {
            b"message" => "message",
            b"iq" => "iq",
            _ => return Stanza { scan: Scan::default(), writer: None },
        };
        sink.unit(operation);
        // It has neither attributes nor content.
        if tag.ends_with(b"/>") && memchr::memchr(b'=', tag).is_none() {
            return Stanza { scan: Scan::default(), writer: None };
        }
        let media = Media::Type { content_type: "application/xml", name: "" };
        let hint = Hint { direction, media, operation, codings: &[], layer: "xmpp" };
        Stanza { scan: Scan::default(), writer: Some(ContentWriter::open(&hint, sink)) }
    }
}

/// Whether the stanza at the front of `data` is a login of the time before SASL, with the password in cleartext
/// (XEP-0078). `None` if too little of it is available.
fn is_login(tag: &[u8], data: &[u8]) -> Option<bool> {
    if name(tag) != b"iq" || tag.ends_with(b"/>") {
        return Some(false);
    }
    let inside = data.get(tag.len()..).unwrap_or_default().trim_ascii_start();
    let inside = inside.get(..MAX_SOUGHT).unwrap_or(inside);
    let Some(end) = tag_end(inside) else {
        let waits = inside.len() < MAX_SOUGHT && matches!(inside.first(), None | Some(b'<'));
        return (!waits).then_some(false);
    };
    let query = inside.get(..end).unwrap_or(inside);
    if attribute(query, b"xmlns") != Some(b"jabber:iq:auth") {
        return Some(false);
    }
    match Scan::default().end(data) {
        Some(len) if len <= MAX_NEGOTIATION => {
            let stanza = data.get(..len).unwrap_or(data);
            Some(memmem::find(stanza, b"<password>").is_some())
        }
        None if data.len() <= MAX_NEGOTIATION => None,
        Some(_) | None => Some(false),
    }
}

/// The account in an initial response of SASL PLAIN (RFC 4616).
fn user(stanza: &[u8], mechanism: &[u8], sink: &mut dyn ContentSink) {
    if !mechanism.eq_ignore_ascii_case(b"PLAIN") {
        return;
    }
    let text = stanza.rsplit(|b| *b == b'>').find_map(|part| {
        let text = part.split(|b| *b == b'<').next()?.trim_ascii();
        (!text.is_empty()).then_some(text)
    });
    let response =
        text.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let response = zeroize::Zeroizing::new(response.unwrap_or_default());
    if let Some(user) = response.split(|b| *b == 0).nth(1) {
        ServiceFacts::set(&mut sink.facts().files().user, &String::from_utf8_lossy(user));
    }
}

impl Parser for XmppParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            let Some(slot) = self.stanzas.get_mut(direction.index()) else { break };
            if let Some(stanza) = slot {
                let end = stanza.scan.end(rest);
                let len = end.unwrap_or(rest.len());
                if let Some(writer) = &mut stanza.writer {
                    writer.data(rest.get(..len).unwrap_or(rest), sink);
                }
                at += len;
                if end.is_some()
                    && let Some(writer) = slot.take().and_then(|stanza| stanza.writer)
                {
                    writer.close(Ending::Complete, sink);
                }
                continue;
            }
            if first.is_ascii_whitespace() {
                at += 1;
                continue;
            }
            if direction == Direction::ClientToServer && self.tls.begins(rest) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            if *first != b'<' {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            let Some(end) = tag_end(rest) else {
                return match rest.len() > MAX_TAG {
                    true => Err(ParseError::new(Reason::Malformed, at)),
                    false => Ok(Progress::need(at, rest.len() + 1)),
                };
            };
            let tag = rest.get(..end).unwrap_or(rest);
            match name(tag) {
                // The root, its declaration, and the end of it.
                b"stream:stream" | b"/stream:stream" | b"?xml" => at += end,
                b"message" | b"iq" | b"presence" => {
                    match is_login(tag, rest) {
                        None => return Ok(Progress::need(at, rest.len() + 1)),
                        Some(true) => sink.facts().password_in_clear(),
                        Some(false) => {}
                    }
                    *slot = Some(Self::begin(direction, tag, sink));
                }
                _ => match self.negotiation(direction, rest, sink) {
                    Some((len, false)) => at += len,
                    Some((len, true)) => {
                        return Ok(Progress { switch: true, ..Progress::consumed(at + len) });
                    }
                    None if rest.len() > MAX_NEGOTIATION => {
                        if let Some(slot) = self.stanzas.get_mut(direction.index()) {
                            *slot = Some(Stanza { scan: Scan::default(), writer: None });
                        }
                    }
                    None => return Ok(Progress::need(at, rest.len() + 1)),
                },
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(stanza) = self.stanzas.get_mut(direction.index()).and_then(Option::take)
            && let Some(writer) = stanza.writer
        {
            writer.close(Ending::Cut, sink);
        }
        Resync::Search
    }

    fn resync(&mut self, _direction: Direction, data: &[u8]) -> Option<usize> {
        find(data, false)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.gap(direction, 0, sink);
    }

    fn memory(&self) -> usize {
        0
    }
}
