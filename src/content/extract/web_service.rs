//! What the answers of a web service reveal about it, and secrets that clients send to it: facts, beside what
//! the payloads say about people.

use crate::content::remembered::Remembered;
use crate::content::stack::media;
use crate::content::{Direction, Media, Scope};
use crate::protocol::Authentication;
use crate::rules::{Answer, Secret, ServiceRules};
use memchr::{memchr, memchr2, memmem};

/// Bytes of a payload that are examined.
const MAX_HEAD: usize = 1 << 10;

/// Answers that are remembered by a worker: servers give the same ones again and again.
const MAX_ANSWERS: usize = 256;

/// Recent answers that showed nothing.
pub(in crate::content) type PlainAnswers = Remembered<MAX_ANSWERS>;

/// Looks at the first bytes of the content of a message.
pub(in crate::content) fn look(media: &Media<'_>, head: &[u8], scope: &mut Scope<'_>) {
    // Codings may precede it, other payloads not.
    const AROUND: [&str; 7] = ["http", "gzip", "deflate", "br", "zstd", "compress", "aws-chunked"];
    let outermost = scope.layers.first() == Some(&"http")
        && scope.layers.iter().all(|layer| AROUND.contains(layer));
    let Media::Type { name, .. } = *media else { return };
    if !outermost || !may_name_service(media::essence(media)) {
        return;
    }
    let mut head = head.get(..MAX_HEAD).unwrap_or(head);
    if media::essence(media).starts_with("multipart/") {
        // What the parts hold is theirs; what they are is said by the head of the first.
        head = head.trim_ascii_start();
        let end = memmem::find(head, b"\r\n\r\n").unwrap_or(head.len());
        head = head.get(..end).unwrap_or(head);
    }
    let rules = &scope.rules.services;
    match scope.direction {
        Direction::ClientToServer => {
            if head.trim_ascii_start().starts_with(b"{") && sends_secret(head, rules) {
                scope.facts.secret(Secret::Form);
            }
        }
        Direction::ServerToClient => {
            if !scope.facts.status().is_some_and(|status| (200..300).contains(&status)) {
                return;
            }
            let server = scope.facts.software.as_deref().unwrap_or("");
            let answer = Answer { path: name, server, head };
            let seen = &mut scope.counters.answers;
            let under = std::ptr::from_ref(rules) as usize;
            let tag = seen.tag((under, answer.path, answer.server, answer.head));
            if seen.knows(tag) {
                return;
            }
            let shown: Vec<_> = rules.shown(&answer).collect();
            if shown.is_empty() {
                return seen.note(tag);
            }
            let open = scope.facts.authentication == Authentication::None;
            for rule in shown {
                scope.facts.interface(rule.kind, &rule.product, open);
            }
        }
    }
}

/// Whether a payload of this type may show what the service is. Most bodies are pictures and parts of pages.
fn may_name_service(essence: &str) -> bool {
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
            Some(text) => behind_text(text),
            None => value,
        };
    }
    false
}

/// What follows a text whose first quote was read.
fn behind_text(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', text) {
        let escape = text.get(at) == Some(&b'\\');
        text = text.get(at + 1 + usize::from(escape)..).unwrap_or_default();
        if !escape {
            return text;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::{Records, rules};
    use crate::content::{ContentCounters, Contents, Ending, Env, ServiceFacts};
    use crate::protocol::Hint;
    use crate::rules::ServiceKind;

    /// What is known about the service after a payload.
    fn answered(status: u16) -> ServiceFacts {
        let mut facts = ServiceFacts::default();
        facts.web().status = Some(status);
        facts
    }

    fn facts(
        mut facts: ServiceFacts,
        direction: Direction,
        media: Media<'_>,
        codings: &[&str],
        bytes: &[u8],
    ) -> ServiceFacts {
        for piece in [1, 100, bytes.len()] {
            let before = facts.clone();
            let (mut contents, mut sink) = (Contents::default(), Records::default());
            let mut counters = ContentCounters::default();
            let (rules, sink) = (rules(), &mut sink);
            let mut env = Env { rules, sink, facts: &mut facts, counters: &mut counters };
            let layer = "http";
            let id = contents.open(&Hint { direction, media, operation: "GET", codings, layer });
            for piece in bytes.chunks(piece) {
                if contents.data(id, piece, &mut env) == crate::content::Want::NOTHING {
                    break;
                }
            }
            contents.close(id, Ending::Complete, &mut env);
            if piece < bytes.len() {
                facts = before;
            }
        }
        facts
    }

    fn answer(authentication: Authentication, status: u16, path: &str, body: &[u8]) -> Vec<String> {
        let before = ServiceFacts { authentication, ..answered(status) };
        let media = Media::Type { content_type: "", name: path };
        let after = facts(before, Direction::ServerToClient, media, &[], body);
        let line = |i: &crate::protocol::Interface| {
            format!("{} {}{}", i.kind.as_str(), i.product, if i.open { " open" } else { "" })
        };
        after.interfaces.iter().map(line).collect()
    }

    #[test]
    fn open_services_and_those_with_a_login() {
        let listing = b"<html>\r\n<head><title>Index of /scans/</title></head>";
        let none = Authentication::None;
        assert_eq!(answer(none, 200, "/scans/", listing), ["directory Folder listing open"]);
        assert_eq!(
            answer(Authentication::Basic, 200, "/scans/", listing),
            ["directory Folder listing"]
        );
        assert_eq!(
            answer(Authentication::Unknown, 200, "/scans/", listing),
            ["directory Folder listing"]
        );
        assert!(answer(none, 404, "/scans/", listing).is_empty());
        let hits = br#"{"took":2,"timed_out":false,"_shards":{"total":1},"hits":{"hits":[]}}"#;
        assert_eq!(answer(none, 200, "/p/_search", hits), ["search-index Elasticsearch open"]);
        assert!(answer(none, 200, "/", b"<title>Welcome</title>").is_empty());
    }

    #[test]
    fn behind_a_coding_and_not_inside_of_others() {
        use std::io::Write;
        let listing = b"<html><head><title>Index of /</title></head>";
        let ok = || answered(200);
        let media = Media::Type { content_type: "text/html", name: "/" };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(listing).expect("to memory");
        let gzip = gzip.finish().expect("to memory");
        let after = facts(ok(), Direction::ServerToClient, media, &["gzip"], &gzip);
        assert_eq!(after.interfaces.len(), 1);
        assert_eq!(after.interfaces[0].kind, ServiceKind::Directory);
        // A page that is sent as a part of something is no folder.
        let part = [b"--b\r\nContent-Type: text/html\r\n\r\n", &listing[..], b"\r\n--b--"].concat();
        let media = Media::Type { content_type: "multipart/mixed; boundary=b", name: "/" };
        let after = facts(ok(), Direction::ServerToClient, media, &[], &part);
        assert!(after.interfaces.is_empty());
    }

    #[test]
    fn secrets_that_clients_send() {
        let sent = |content_type: &str, body: &str| {
            let media = Media::Type { content_type, name: "/login" };
            let before = ServiceFacts::default();
            facts(before, Direction::ClientToServer, media, &[], body.as_bytes())
        };
        let form = "application/x-www-form-urlencoded";
        for (content_type, body) in [
            (form, "user=eva&password=hunter2"),
            (form, "j_username=eva&j_password=hunter2"),
            ("application/json", r#"{"user":"eva","password":"hunter2"}"#),
            ("application/json", "{\n \"user\" : \"a\\\"b\",\n \"Passwort\" : \"hunter2\" }"),
        ] {
            let after = sent(content_type, body);
            assert_eq!(after.credentials, [Secret::Form], "{body}");
            assert!(after.credentials_in_clear);
            assert!(!format!("{after:?}").contains("hunter2"));
        }
        for (content_type, body) in [
            (form, "user=eva&password="),
            (form, "q=password"),
            ("application/json", r#"{"password":""}"#),
            ("application/json", r#"{"password":null,"x":"password"}"#),
            ("application/json", r#"{"text":"password: x"}"#),
        ] {
            assert!(sent(content_type, body).credentials.is_empty(), "{body}");
        }
        // What a server sends is no login.
        let media = Media::Type { content_type: "application/json", name: "/" };
        let body = br#"{"password":"hunter2"}"#;
        let after = facts(ServiceFacts::default(), Direction::ServerToClient, media, &[], body);
        assert!(after.credentials.is_empty());
        let query = b"/download?id=7&access_token=hunter2";
        let before = ServiceFacts::default();
        let after = facts(before, Direction::ClientToServer, Media::Target, &[], query);
        assert_eq!(after.credentials, [Secret::Query]);
        assert_eq!(after.authentication, Authentication::ApiKey);
    }
}
