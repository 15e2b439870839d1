//! Pairs requests and responses, and learns facts about the service from both.

use super::body::Body;
use super::direction::DirectionState;
use super::grpc::Grpc;
use super::head::{self, Head};
use super::path;
use super::ranges::{self, ByteRanges, ContentRange, Origin, Ranges};
use super::upgrade::Upgrade;
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::websocket::Service;
use crate::protocol::{Authentication, ContentSink, Direction, Hint, Media, Reason, ServiceFacts};
use crate::rules::Secret;
use std::collections::VecDeque;

/// Requests waiting for their response. Browsers pipeline none, tools a few dozen.
const MAX_PENDING: usize = 256;

/// Longest path kept of a waiting request, bytes.
const MAX_PATH: usize = 256;

/// Codings read of one message; more than the content stage decodes.
pub(in crate::protocol) const MAX_CODINGS: usize = 8;

/// Longest token that is read, bytes, and cookies of a request that may be one.
const MAX_TOKEN: usize = 16 << 10;
const MAX_COOKIES: usize = 16;

/// Requests whose response has not arrived.
#[derive(Default)]
pub(super) struct Exchange {
    pending: VecDeque<Pending>,
    asked: bool,
    /// The connection continues in another protocol (RFC 9110 7.8) that is not read.
    pub(super) upgraded: bool,
    /// The protocol that it switched to, or may switch to.
    pub(super) upgrade: Upgrade,
    /// Partial documents.
    pub(super) ranges: Ranges,
}

/// Properties of a request that its response needs.
struct Pending {
    method: &'static str,
    path: String,
    /// Distinguishes documents.
    target: u64,
}

impl Exchange {
    /// A request's head was read.
    pub(super) fn request(
        &mut self,
        side: &mut DirectionState,
        method: &[u8],
        target: &[u8],
        minor: u8,
        head: &Head<'_>,
        sink: &mut dyn ContentSink,
    ) {
        self.asked = true;
        sink.unit("request");
        let method = head::method_name(method);
        let text = String::from_utf8_lossy(target);
        let (path, query) = head::split_target(&text);
        let facts = sink.facts();
        let authority = head::authority(&text);
        if authority.is_some_and(|(user, _)| user.contains(':')) {
            facts.secret(Secret::UrlPassword);
        }
        let web = facts.web();
        ServiceFacts::set(&mut web.method, method);
        ServiceFacts::set(&mut web.host, authority.map_or("", |(_, host)| host));
        ServiceFacts::set(&mut web.host, head.host);
        if method != "CONNECT" {
            ServiceFacts::set(&mut web.path, &path::mask(path));
        }
        set_version(facts, minor);
        authenticate(facts, head);
        if !query.is_empty() {
            let (direction, media) = (Direction::ClientToServer, Media::Target);
            let hint = Hint { direction, media, operation: method, codings: &[], layer: "http" };
            ContentWriter::whole(&hint, target, sink);
        }
        tokens(method, head, sink);
        if self.pending.len() < MAX_PENDING {
            let end = (0..=path.len().min(MAX_PATH)).rev().find(|i| path.is_char_boundary(*i));
            let path = path.get(..end.unwrap_or(0)).unwrap_or("").to_owned();
            self.pending.push_back(Pending { method, path, target: ranges::target(target) });
        } else {
            // From here on, requests and responses can no longer be paired.
            sink.anomaly(Reason::Limit);
            self.forget();
        }
        self.upgrade.asked(head, method, path);
        check(head, sink);
        if side.frame(head.framing, false, !head.expect.is_empty()) {
            let service = Service { method, path: path.into() };
            let body = reader(Direction::ClientToServer, &service, head, sink);
            side.carry(body, service);
        }
    }

    /// A response's head was read. True if another protocol follows it.
    pub(super) fn response(
        &mut self,
        side: &mut DirectionState,
        status: u16,
        minor: u8,
        head: &Head<'_>,
        sink: &mut dyn ContentSink,
    ) -> bool {
        if (100..200).contains(&status) && status != 101 {
            return false;
        }
        sink.unit("response");
        let asked = self.pending.pop_front();
        let facts = sink.facts();
        facts.web().status = Some(status);
        ServiceFacts::set(&mut facts.software, head.server);
        set_version(facts, minor);
        if !self.asked && facts.authentication == Authentication::None {
            facts.authentication = Authentication::Unknown;
        }
        let method = asked.as_ref().map_or("", |p| p.method);
        if status == 101 {
            let (method, path) = asked.map_or(("", String::new()), |p| (p.method, p.path));
            self.upgraded = !self.upgrade.answered(head, method, &path, facts);
            return false;
        }
        self.upgrade.refused();
        if method == "CONNECT" && (200..300).contains(&status) {
            return true;
        }
        if method == "HEAD" || matches!(status, 204 | 304) {
            return false;
        }
        check(head, sink);
        if side.frame(head.framing, true, asked.is_none()) {
            let (path, target) = asked.map_or_else(Default::default, |p| (p.path, p.target));
            let service = Service { method, path: path.into() };
            let part = (status == 206)
                .then(|| self::part(&service, target, head, &mut self.ranges, sink))
                .flatten();
            let body =
                part.unwrap_or_else(|| reader(Direction::ServerToClient, &service, head, sink));
            side.carry(body, service);
        }
        false
    }

    /// Messages may be missing: waiting requests may never be answered.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
    }

    pub(super) fn memory(&self) -> usize {
        self.pending.capacity() * size_of::<Pending>()
            + self.pending.iter().map(|p| p.path.capacity()).sum::<usize>()
            + self.upgrade.memory()
            + self.ranges.memory()
    }
}

/// RFC 9112 6.3: a length beside a transfer coding, or several lengths, are used to smuggle requests past a proxy.
/// The transfer coding wins; of several lengths the first.
fn check(head: &Head<'_>, sink: &mut dyn ContentSink) {
    let framing = head.framing;
    if framing.length_doubtful || (framing.transfer_coded && framing.length.is_some()) {
        sink.anomaly(Reason::Malformed);
    }
}

/// The reader of the body behind `head`.
pub(in crate::protocol) fn reader(
    direction: Direction,
    service: &Service,
    head: &Head<'_>,
    sink: &mut dyn ContentSink,
) -> Body {
    if let Some((grpc, text)) = Grpc::new(head.content_type, head.grpc_encoding) {
        return if text { Body::grpc_text(grpc) } else { Body::grpc(grpc) };
    }
    let mut codings = [""; MAX_CODINGS];
    let count = self::codings(head, &mut codings);
    let file = head::file_name(head.content_disposition);
    let hint = Hint {
        direction,
        media: Media::Type {
            content_type: head.content_type,
            name: if file.is_empty() { &service.path } else { file },
        },
        operation: service.method,
        codings: codings.get(..count).unwrap_or_default(),
        layer: "http",
    };
    Body::content(ContentWriter::open(&hint, sink))
}

/// Reads the body of a response that carries parts of a document (RFC 9110 15.3.7).
pub(in crate::protocol) fn part(
    service: &Service,
    target: u64,
    head: &Head<'_>,
    ranges: &mut Ranges,
    sink: &mut dyn ContentSink,
) -> Option<Body> {
    // Transfer codings are decoded for each message before its parts are combined.
    if !head.transfer_encoding.is_empty() {
        return None;
    }
    let origin = Origin::new(Direction::ServerToClient, service, target, head);
    if let Some(parts) = ByteRanges::new(head.content_type, &origin) {
        return Some(Body::parts(parts));
    }
    let range = ContentRange::parse(head.content_range)?;
    ranges.part(&origin, range, sink).map(Body::part)
}

/// The codings of a body in the order they were applied, and how many there are.
pub(in crate::protocol) fn codings<'a>(
    head: &Head<'a>,
    codings: &mut [&'a str; MAX_CODINGS],
) -> usize {
    let mut count = 0;
    // Transfer codings were applied last.
    let named = head.content_encoding.split(',').chain(head.transfer_encoding.split(','));
    let chunks = head.signed_chunks.then_some("aws-chunked");
    let mut chunks = chunks.filter(|chunks| !head.content_encoding.contains(chunks)).into_iter();
    for name in named.map(str::trim).filter(|n| !n.is_empty()).chain(chunks.by_ref()) {
        if let Some(slot) = codings.get_mut(count) {
            *slot = name;
            count += 1;
        }
    }
    count
}

fn set_version(facts: &mut ServiceFacts, minor: u8) {
    let version = if minor == 0 { "http/1.0" } else { "http/1.1" };
    ServiceFacts::set(&mut facts.application, version);
}

/// How the client authenticates. Of the secret only the scheme is read.
pub(in crate::protocol) fn authenticate(facts: &mut ServiceFacts, head: &Head<'_>) {
    let (scheme, rest) = scheme(head.authorization);
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    let (shown, secret) = if is("basic") {
        (Authentication::Basic, Some(Secret::Basic))
    } else if is("bearer") {
        (Authentication::Bearer, Some(Secret::Bearer))
    } else if is("digest") {
        (Authentication::Digest, None)
    } else if is("apikey") || is("token") || is("key") || (!scheme.is_empty() && rest.is_empty()) {
        (Authentication::ApiKey, Some(Secret::ApiKey))
    } else if !scheme.is_empty() {
        // Signatures (AWS4-HMAC-SHA256), Negotiate, NTLM: nothing that could be replayed.
        (Authentication::Unknown, None)
    } else if head.api_key {
        (Authentication::ApiKey, Some(Secret::ApiKey))
    } else if is_session(head.cookie) {
        (Authentication::Cookie, Some(Secret::SessionCookie))
    } else {
        (Authentication::None, None)
    };
    if self::scheme(head.proxy_authorization).0.eq_ignore_ascii_case("basic") {
        facts.secret(Secret::ProxyPassword);
    }
    if let Some(secret) = secret {
        facts.secret(secret);
    }
    facts.shown(shown);
}

/// Passes on the claims of the tokens in the head of a request (RFC 6750 2.1): they may name the patient.
pub(in crate::protocol) fn tokens(
    method: &'static str,
    head: &Head<'_>,
    sink: &mut dyn ContentSink,
) {
    let (direction, media) =
        (Direction::ClientToServer, Media::Type { content_type: "application/jwt", name: "" });
    let hint = Hint { direction, media, operation: method, codings: &[], layer: "http" };
    let is_token =
        |text: &&str| text.len() <= MAX_TOKEN && text.starts_with("ey") && text.contains('.');
    let bearer = scheme(head.authorization).1;
    let cookies = head.cookie.split("; ").filter_map(|pair| Some(pair.split_once('=')?.1));
    for token in std::iter::once(bearer).chain(cookies.take(MAX_COOKIES)).filter(is_token) {
        ContentWriter::whole(&hint, token.as_bytes(), sink);
    }
}

/// The scheme of credentials, and the rest.
fn scheme(value: &str) -> (&str, &str) {
    let (scheme, rest) = value.trim().split_once([' ', '\t']).unwrap_or((value.trim(), ""));
    (scheme, rest.trim())
}

/// Whether one of the cookies is a session cookie; most others only count visitors.
fn is_session(cookie: &str) -> bool {
    const SESSION: [&str; 6] = ["sess", "sid", "auth", "token", "jwt", "login"];
    cookie.split(';').filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        !value.is_empty() && SESSION.iter().any(|s| name.contains(s))
    })
}
