//! What a web service's answers show of it, and secrets that clients send to it: facts, beside what
//! the contents say of people.

use super::{Direction, Media, Scope, media};
use crate::protocol::Authentication;
use crate::rules::{Answer, Secret, ServiceRules};
use memchr::memchr;

/// Bytes of a content that are looked at.
const MAX_HEAD: usize = 1 << 10;

/// Looks at the first bytes of the content of a message.
pub(super) fn look(media: &Media<'_>, head: &[u8], scope: &mut Scope<'_>) {
    // Codings may come before it, other contents not.
    const AROUND: [&str; 7] = ["http", "gzip", "deflate", "br", "zstd", "compress", "aws-chunked"];
    let outermost = scope.layers.first() == Some(&"http")
        && scope.layers.iter().all(|layer| AROUND.contains(layer));
    let Media::Type { name, .. } = *media else { return };
    if !outermost || !may_tell(media::essence(media)) {
        return;
    }
    let head = head.get(..MAX_HEAD).unwrap_or(head);
    let rules = &scope.rules.services;
    match scope.direction {
        Direction::ClientToServer => {
            if head.trim_ascii_start().starts_with(b"{") && sends_secret(head, rules) {
                scope.facts.secret(Secret::Form);
            }
        }
        Direction::ServerToClient => {
            if !scope.facts.status.is_some_and(|status| (200..300).contains(&status)) {
                return;
            }
            let server = scope.facts.software.as_deref().unwrap_or("");
            let answer = Answer { path: name, server, head };
            let mut shown = rules.shown(&answer).peekable();
            if shown.peek().is_none() {
                return;
            }
            let shown: Vec<_> = shown.collect();
            let open = scope.facts.authentication == Authentication::None;
            for rule in shown {
                scope.facts.interface(rule.kind, &rule.product, open);
            }
        }
    }
}

/// Whether a content of this type may show what the service is. Most bodies are pictures and parts
/// of pages.
fn may_tell(essence: &str) -> bool {
    const NOT: [&str; 4] = ["image/", "font/", "video/", "audio/"];
    let is =
        |start: &str| essence.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
    !NOT.iter().any(|start| is(start)) && !is("text/css") && !essence.ends_with("javascript")
}

/// Whether an object gives a value to a name that carries a secret.
fn sends_secret(mut json: &[u8], rules: &ServiceRules) -> bool {
    while let Some(quote) = memchr(b'"', json) {
        let rest = json.get(quote + 1..).unwrap_or_default();
        let Some(end) = memchr(b'"', rest) else { return false };
        let (name, after) = rest.split_at(end);
        let after = after.get(1..).unwrap_or_default().trim_ascii_start();
        let Some(value) = after.strip_prefix(b":") else {
            json = after;
            continue;
        };
        let value = value.trim_ascii_start();
        let given = matches!(value, [b'"', first, ..] if *first != b'"');
        if given && std::str::from_utf8(name).is_ok_and(|name| rules.secret(name).is_some()) {
            return true;
        }
        // Behind a text: its quotes are no names'.
        json = match value.strip_prefix(b"\"") {
            Some(text) => {
                let end = memchr(b'"', text).map_or(text.len(), |end| end + 1);
                text.get(end..).unwrap_or_default()
            }
            None => value,
        };
    }
    false
}
