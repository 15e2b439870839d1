//! Requests with their responses, and what both tell of the service.

use super::half::Half;
use super::head::{self, Head};
use super::path;
use super::upgrade::Upgrade;
use crate::protocol::{Authentication, Direction, Hint, Host, Media, Reason, ServiceFacts};
use std::collections::VecDeque;

/// Requests that wait for their response. Browsers pipeline none, tools a few dozen.
const MAX_PENDING: usize = 256;

/// Longest path kept of a request that waits, bytes.
const MAX_PATH: usize = 256;

/// Codings looked at in one message; more than a content undoes.
pub(in crate::protocol) const MAX_CODINGS: usize = 8;

/// What is known of requests whose response has not come.
#[derive(Default)]
pub(super) struct Exchange {
    pending: VecDeque<Pending>,
    asked: bool,
    /// The connection speaks something else from here on (RFC 9110 7.8) that is not read.
    pub(super) upgraded: bool,
    /// What it was or may be switched to.
    pub(super) upgrade: Upgrade,
}

/// What a response needs of its request.
struct Pending {
    method: &'static str,
    path: String,
}

impl Exchange {
    /// A request's head was read.
    pub(super) fn request(
        &mut self,
        half: &mut Half,
        method: &[u8],
        target: &[u8],
        minor: u8,
        head: &Head<'_>,
        host: &mut dyn Host,
    ) {
        self.asked = true;
        host.unit("request");
        let method = head::method_name(method);
        let text = String::from_utf8_lossy(target);
        let (path, query) = head::split_target(&text);
        let facts = host.facts();
        ServiceFacts::set(&mut facts.method, method);
        ServiceFacts::set(&mut facts.host, head.host);
        if method != "CONNECT" {
            ServiceFacts::set(&mut facts.path, &path::mask(path));
        }
        set_version(facts, minor);
        authenticate(facts, head);
        if !query.is_empty() {
            let id = host.open(&Hint {
                direction: Direction::ClientToServer,
                media: Media::Target,
                operation: method,
                codings: &[],
                layer: "http",
            });
            host.data(id, target);
            host.close(id, true);
        }
        if self.pending.len() < MAX_PENDING {
            let end = (0..=path.len().min(MAX_PATH)).rev().find(|i| path.is_char_boundary(*i));
            let path = path.get(..end.unwrap_or(0)).unwrap_or("").to_owned();
            self.pending.push_back(Pending { method, path });
        } else {
            // From here on nobody knows which response belongs to which request.
            host.anomaly(Reason::Limit);
            self.forget();
        }
        self.upgrade.asked(head, method, path);
        check(head, host);
        if half.frame(head.framing, false, !head.expect.is_empty()) {
            open(half, Direction::ClientToServer, method, path, head, host);
        }
    }

    /// A response's head was read. True if another protocol follows it.
    pub(super) fn response(
        &mut self,
        half: &mut Half,
        status: u16,
        minor: u8,
        head: &Head<'_>,
        host: &mut dyn Host,
    ) -> bool {
        if (100..200).contains(&status) && status != 101 {
            return false;
        }
        host.unit("response");
        let asked = self.pending.pop_front();
        let facts = host.facts();
        facts.status = Some(status);
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
        check(head, host);
        if half.frame(head.framing, true, asked.is_none()) {
            let path = asked.as_ref().map_or("", |p| p.path.as_str());
            open(half, Direction::ServerToClient, method, path, head, host);
        }
        false
    }

    /// Messages may be missing: what waits may never be answered.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
    }

    pub(super) fn memory(&self) -> usize {
        self.pending.capacity() * size_of::<Pending>()
            + self.pending.iter().map(|p| p.path.capacity()).sum::<usize>()
            + self.upgrade.memory()
    }
}

/// RFC 9112 6.3: a length beside a transfer coding, or several lengths, are how requests are
/// smuggled past a proxy. The transfer coding wins; of several lengths the first.
fn check(head: &Head<'_>, host: &mut dyn Host) {
    let framing = head.framing;
    if framing.length_doubtful || (framing.transfer_coded && framing.length.is_some()) {
        host.anomaly(Reason::Malformed);
    }
}

/// Opens the content of a body.
fn open(
    half: &mut Half,
    direction: Direction,
    operation: &str,
    path: &str,
    head: &Head<'_>,
    host: &mut dyn Host,
) {
    let mut codings = [""; MAX_CODINGS];
    let count = self::codings(head, &mut codings);
    let file = head::file_name(head.content_disposition);
    let id = host.open(&Hint {
        direction,
        media: Media::Type {
            content_type: head.content_type,
            name: if file.is_empty() { path } else { file },
        },
        operation,
        codings: codings.get(..count).unwrap_or_default(),
        layer: "http",
    });
    half.carry(id);
}

/// The codings of a body in the order they were applied; how many there are.
pub(in crate::protocol) fn codings<'a>(
    head: &Head<'a>,
    codings: &mut [&'a str; MAX_CODINGS],
) -> usize {
    let mut count = 0;
    // Transfer codings were applied last.
    let named = head.content_encoding.split(',').chain(head.transfer_encoding.split(','));
    for name in named.map(str::trim).filter(|n| !n.is_empty()) {
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

/// How the client shows who it is. The secret is looked at no further than its scheme.
pub(in crate::protocol) fn authenticate(facts: &mut ServiceFacts, head: &Head<'_>) {
    let scheme = head.authorization.split([' ', '\t']).next().unwrap_or("");
    let shown = if scheme.eq_ignore_ascii_case("basic") {
        facts.credentials_in_clear = true;
        Authentication::Basic
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Authentication::Bearer
    } else if scheme.eq_ignore_ascii_case("digest") {
        Authentication::Digest
    } else if !scheme.is_empty() {
        Authentication::Unknown
    } else if is_session(head.cookie) {
        Authentication::Cookie
    } else {
        return;
    };
    let weaker = matches!(
        facts.authentication,
        Authentication::None | Authentication::Unknown | Authentication::Cookie
    );
    if weaker {
        facts.authentication = shown;
    }
}

/// Whether one of the cookies is a session's; most cookies only count visitors.
fn is_session(cookie: &str) -> bool {
    const SESSION: [&str; 6] = ["sess", "sid", "auth", "token", "jwt", "login"];
    cookie.split(';').filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        !value.is_empty() && SESSION.iter().any(|s| name.contains(s))
    })
}
