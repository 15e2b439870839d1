//! Heads of requests and responses (RFC 9112 2 to 5), read as lenient servers read them: bare LF as line end, white
//! space before the colon, folded lines, any byte in a value. A monitor must understand whatever the two ends
//! understand; a strict parser could be evaded.

use memchr::{memchr, memchr_iter};

/// Longest head, bytes; servers reject more than 8 to 64 KiB.
pub const MAX_HEAD: usize = 64 << 10;

/// Length of the head at the start of `data`, with the empty line that ends it. The first
/// `scanned` bytes are known not to hold that end.
pub fn find_end(data: &[u8], scanned: usize) -> Option<usize> {
    // The end may have begun in the last three bytes seen.
    let from = scanned.saturating_sub(3);
    for lf in memchr_iter(b'\n', data.get(from..)?) {
        match data.get(from + lf + 1..)? {
            [b'\n', ..] => return Some(from + lf + 2),
            [b'\r', b'\n', ..] => return Some(from + lf + 3),
            _ => {}
        }
    }
    None
}

/// The first line of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartLine<'a> {
    /// A request's.
    Request {
        /// The method, as the request has it.
        method: &'a [u8],
        /// The request target.
        target: &'a [u8],
        /// Minor version.
        minor: u8,
    },
    /// A response's.
    Status {
        /// Minor version.
        minor: u8,
        /// The status code.
        status: u16,
    },
}

/// How a message frames its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Framing {
    /// `Content-Length`, the first that is a number.
    pub length: Option<u64>,
    /// A `Content-Length` that contradicts another, or is no number.
    pub length_doubtful: bool,
    /// There is a `Transfer-Encoding`.
    pub transfer_coded: bool,
    /// `chunked` is the last transfer coding.
    pub chunked: bool,
}

/// The headers of interest in a head. Their values are borrowed, not copied.
#[derive(Default)]
pub struct Head<'a> {
    /// The body's framing.
    pub framing: Framing,
    /// Transfer codings below `chunked`.
    pub transfer_encoding: &'a str,
    /// `Content-Type`.
    pub content_type: &'a str,
    /// `Content-Encoding`.
    pub content_encoding: &'a str,
    /// `Content-Disposition`.
    pub content_disposition: &'a str,
    /// `Host`.
    pub host: &'a str,
    /// `Server`.
    pub server: &'a str,
    /// `Authorization`.
    pub authorization: &'a str,
    /// `Cookie`.
    pub cookie: &'a str,
    /// `Expect`.
    pub expect: &'a str,
    /// `Upgrade`.
    pub upgrade: &'a str,
    /// `Sec-WebSocket-Extensions` (RFC 6455 9.1).
    pub extensions: &'a str,
    /// `Content-Range`.
    pub content_range: &'a str,
    /// `ETag`.
    pub etag: &'a str,
    /// `Last-Modified`.
    pub last_modified: &'a str,
    /// `Grpc-Encoding`, or `Connect-Content-Encoding`.
    pub grpc_encoding: &'a str,
    /// `Proxy-Authorization`.
    pub proxy_authorization: &'a str,
    /// A header with an API key is there, and not empty.
    pub api_key: bool,
    /// The body is in signed chunks: `X-Amz-Content-Sha256: STREAMING-...`.
    pub signed_chunks: bool,
}

/// Reads a start line without its line end.
pub fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    if let Some(rest) = line.strip_prefix(b"HTTP/1.") {
        let (&minor, rest) = rest.split_first()?;
        let digits = rest.strip_prefix(b" ")?.trim_ascii_start();
        let &[a, b, c] = digits.get(..3)? else { return None };
        let ended = digits.get(3).is_none_or(|b| *b == b' ');
        let status = [a, b, c]
            .iter()
            .try_fold(0u16, |n, d| d.is_ascii_digit().then(|| n * 10 + u16::from(d - b'0')))?;
        return (minor.is_ascii_digit() && ended && (100..=999).contains(&status))
            .then(|| StartLine::Status { minor: minor - b'0', status });
    }
    let space = memchr(b' ', line)?;
    let (method, rest) = line.split_at(space);
    let rest = rest.trim_ascii();
    // Some clients leave blanks in the target: the version is the last word.
    let (target, version) = rest.split_at(rest.iter().rposition(|b| *b == b' ')?);
    let &[minor] = version.strip_prefix(b" HTTP/1.")? else { return None };
    let target = target.trim_ascii();
    (is_method(method) && !target.is_empty() && minor.is_ascii_digit())
        .then(|| StartLine::Request { method, target, minor: minor - b'0' })
}

/// Longest method (`UPDATEREDIRECTREF` of RFC 4437 has 17 letters), bytes.
pub const MAX_METHOD: usize = 24;

/// Whether `name` looks like a method: every registered one is in capitals.
pub fn is_method(name: &[u8]) -> bool {
    (2..=MAX_METHOD).contains(&name.len())
        && name.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'))
}

/// Reads a whole head, with the empty line at its end.
pub fn parse(head: &[u8]) -> Option<(StartLine<'_>, Head<'_>)> {
    let (first, mut rest) = split_line(head);
    let start = start_line(first)?;
    let mut found = Head::default();
    while !rest.is_empty() {
        let (mut line, mut after) = split_line(rest);
        // RFC 9112 5.2: a line that starts with white space continues the one before.
        while let [b' ' | b'\t', ..] = after {
            let (_, next) = split_line(after);
            line = rest.get(..rest.len() - next.len()).unwrap_or(line);
            after = next;
        }
        rest = after;
        if let Some(colon) = memchr(b':', line) {
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            found.header(name.trim_ascii(), value);
        }
    }
    Some((start, found))
}

impl<'a> Head<'a> {
    fn header(&mut self, name: &[u8], value: &'a [u8]) {
        let slot = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut self.host,
            4 if name.eq_ignore_ascii_case(b"etag") => &mut self.etag,
            6 if name.eq_ignore_ascii_case(b"server") => &mut self.server,
            6 if name.eq_ignore_ascii_case(b"cookie") => &mut self.cookie,
            6 if name.eq_ignore_ascii_case(b"expect") => &mut self.expect,
            7 if name.eq_ignore_ascii_case(b"upgrade") => &mut self.upgrade,
            12 if name.eq_ignore_ascii_case(b"content-type") => &mut self.content_type,
            13 if name.eq_ignore_ascii_case(b"authorization") => &mut self.authorization,
            16 if name.eq_ignore_ascii_case(b"content-encoding") => &mut self.content_encoding,
            19 if name.eq_ignore_ascii_case(b"content-disposition") => {
                &mut self.content_disposition
            }
            13 if name.eq_ignore_ascii_case(b"content-range") => &mut self.content_range,
            13 if name.eq_ignore_ascii_case(b"last-modified") => &mut self.last_modified,
            13 if name.eq_ignore_ascii_case(b"grpc-encoding") => &mut self.grpc_encoding,
            19 if name.eq_ignore_ascii_case(b"proxy-authorization") => {
                &mut self.proxy_authorization
            }
            24 if name.eq_ignore_ascii_case(b"sec-websocket-extensions") => &mut self.extensions,
            24 if name.eq_ignore_ascii_case(b"connect-content-encoding") => &mut self.grpc_encoding,
            20 if name.eq_ignore_ascii_case(b"x-amz-content-sha256") => {
                self.signed_chunks = value.starts_with(b"STREAMING-");
                return;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => return self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                return self.transfer(text(value));
            }
            _ => {
                self.api_key |= !value.is_empty() && is_api_key(name);
                return;
            }
        };
        *slot = text(value);
    }

    fn length(&mut self, value: &[u8]) {
        // RFC 9110 8.6: `42, 42` means 42.
        for part in value.split(|b| *b == b',') {
            let length = text(part.trim_ascii());
            let number = length.bytes().all(|b| b.is_ascii_digit());
            match length.parse::<u64>().ok().filter(|_| number) {
                Some(n) if self.framing.length.is_none_or(|m| m == n) => {
                    self.framing.length = Some(n);
                }
                _ => self.framing.length_doubtful = true,
            }
        }
    }

    fn transfer(&mut self, value: &'a str) {
        // As if it were not there (RFC 2616 3.6; obsolete).
        if value.eq_ignore_ascii_case("identity") {
            return;
        }
        self.framing.transfer_coded = true;
        let last = value.rsplit(',').next().unwrap_or("").trim();
        self.framing.chunked = last.eq_ignore_ascii_case("chunked");
        if let Some(at) = value.rfind(',').filter(|_| self.framing.chunked) {
            self.transfer_encoding = value.get(..at).unwrap_or("");
        } else if !self.framing.chunked {
            self.transfer_encoding = value;
        }
    }
}

/// Headers that carry an API key, as services and gateways name them.
pub fn is_api_key(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 11] = [
        b"x-api-key",
        b"api-key",
        b"apikey",
        b"x-apikey",
        b"x-auth-token",
        b"x-access-token",
        b"x-goog-api-key",
        b"x-functions-key",
        b"x-vault-token",
        b"private-token",
        b"ocp-apim-subscription-key",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The first line without its line end, and what follows it.
fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    let Some(lf) = memchr(b'\n', data) else {
        return (data, &[]);
    };
    let (line, rest) = data.split_at(lf);
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}

/// Values of interest are ASCII; of others the readable beginning is enough.
fn text(value: &[u8]) -> &str {
    match std::str::from_utf8(value) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(value.get(..e.valid_up_to()).unwrap_or_default())
            .unwrap_or_default(),
    }
}

/// The file name of a `Content-Disposition` (RFC 6266); the plain parameter suffices to find the format by its
/// suffix.
pub fn file_name(disposition: &str) -> &str {
    for parameter in disposition.split(';').skip(1) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let name = name.trim();
        if name.eq_ignore_ascii_case("filename") || name.eq_ignore_ascii_case("filename*") {
            let value = value.trim().trim_matches('"');
            return value.rsplit(['\'', '/', '\\']).next().unwrap_or("");
        }
    }
    ""
}

/// The path of a request target without its query, and the query.
pub fn split_target(target: &str) -> (&str, &str) {
    // RFC 9112 3.2.2: proxies get the absolute URI.
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => {
            rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
        }
        _ => target,
    };
    let rest = rest.split('#').next().unwrap_or("");
    rest.split_once('?').unwrap_or((rest, ""))
}

/// The user information and the host of an absolute target.
pub fn authority(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphabetic());
    let authority = rest.split(['/', '?', '#']).next().filter(|_| scheme)?;
    Some(authority.rsplit_once('@').unwrap_or(("", authority)))
}

/// The method as a member of a closed set.
pub fn method_name(method: &[u8]) -> &'static str {
    const KNOWN: &[&str] = &[
        "GET",
        "POST",
        "PUT",
        "HEAD",
        "DELETE",
        "OPTIONS",
        "PATCH",
        "CONNECT",
        "TRACE",
        "PROPFIND",
        "PROPPATCH",
        "REPORT",
        "SEARCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "NOTIFY",
        "SUBSCRIBE",
        "M-SEARCH",
        "QUERY",
    ];
    KNOWN.iter().find(|m| m.as_bytes() == method).copied().unwrap_or("OTHER")
}
