//! The part of the XML API of Google Cloud Storage that reads (<https://cloud.google.com/storage/docs/xml-api/overview>):
//! lists of objects by page, and objects whole or from an offset. The emulators in the registries lack one or the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The token of the one user.
pub const TOKEN: &str = "token-of-the-test";
/// Keys of a page; Google's default is 1,000.
const PAGE: usize = 2;
/// Larger objects are interrupted once, bytes.
const INTERRUPTED_ABOVE: usize = 64 << 10;
/// Longest line of a request, bytes.
const MAX_LINE: u64 = 16 << 10;

/// A server with one bucket. Its threads end with the test program.
#[derive(Clone, Default)]
pub struct Google(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    interrupted: BTreeSet<String>,
    pages: usize,
    resumed: usize,
    refused: usize,
}

struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    /// Bytes of the body that are sent before the connection is closed.
    sent: usize,
}

impl Google {
    /// Starts to serve. Returns the port, too.
    pub fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("address").port();
        let server = Self::default();
        let of_thread = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = of_thread.clone();
                // A client may go away at any time.
                std::thread::spawn(move || server.serve(stream));
            }
        });
        (server, port)
    }

    fn with<T>(&self, of: impl FnOnce(&mut State) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn put(&self, key: &str, body: &[u8]) {
        self.with(|state| state.objects.insert(key.to_owned(), body.to_vec()));
    }

    /// Pages of lists after the first, objects that were read on from an offset, requests without the token.
    pub fn seen(&self) -> (usize, usize, usize) {
        self.with(|state| (state.pages, state.resumed, state.refused))
    }

    /// One request; the connection is closed after it.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut lines = io::Read::take(BufReader::new(&stream), MAX_LINE).lines();
        let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut parts = first.split(' ');
        let (method, target) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let answer = self.with(|state| state.answer(target, &headers));
        let Answer { status, headers, body, sent } = answer;
        let mut to = &stream;
        let length = body.len();
        write!(
            to,
            "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        )?;
        match method {
            "HEAD" => Ok(()),
            _ => to.write_all(&body[..sent]),
        }
    }
}

impl State {
    fn answer(&mut self, target: &str, headers: &BTreeMap<String, String>) -> Answer {
        let wanted = format!("Bearer {TOKEN}");
        if headers.get("authorization") != Some(&wanted) {
            self.refused += 1;
            return fault("401 Unauthorized", "AuthenticationRequired");
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(rest) = path.strip_prefix("/hospital") else {
            return fault("404 Not Found", "NoSuchBucket");
        };
        match rest.strip_prefix('/').map(decoded) {
            None => self.list(query),
            Some(key) => self.object(&key, headers.get("range").map(String::as_str)),
        }
    }

    /// <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>, `list-type=2`.
    fn list(&mut self, query: &str) -> Answer {
        let parameter = |name: &str| {
            let mut parts = query.split('&').filter_map(|part| part.split_once('='));
            parts.find(|(of, _)| *of == name).map(|(_, value)| decoded(&value.replace('+', " ")))
        };
        let prefix = parameter("prefix").unwrap_or_default();
        let after = parameter("continuation-token");
        self.pages += usize::from(after.is_some());
        let mut body = String::from(
            "<?xml version='1.0' encoding='UTF-8'?>\
             <ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>hospital</Name>",
        );
        let found = self.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
        let mut left = found.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        let mut last = "";
        for (key, object) in left.by_ref().take(PAGE) {
            last = key;
            let (key, size) = (escaped(key), object.len());
            write!(
                body,
                "<Contents><Key>{key}</Key><Generation>1</Generation><MetaGeneration>1</MetaGeneration>\
                 <LastModified>2026-03-02T08:00:04.123Z</LastModified><ETag>\"e{size}\"</ETag><Size>{size}</Size></Contents>"
            )
            .expect("a string");
        }
        let more = left.next().is_some();
        write!(body, "<IsTruncated>{more}</IsTruncated>").expect("a string");
        if more {
            let token = escaped(last);
            write!(body, "<NextContinuationToken>{token}</NextContinuationToken>")
                .expect("a string");
        }
        body.push_str("</ListBucketResult>");
        let headers = "Content-Type: application/xml; charset=UTF-8\r\n".to_owned();
        Answer { status: "200 OK", headers, sent: body.len(), body: body.into_bytes() }
    }

    /// <https://cloud.google.com/storage/docs/xml-api/get-object-download>, `range: bytes=FIRST-LAST`.
    fn object(&mut self, key: &str, range: Option<&str>) -> Answer {
        let Some(object) = self.objects.get(key) else {
            return fault("404 Not Found", "NoSuchKey");
        };
        let size = object.len();
        let headers = format!(
            "Content-Type: application/octet-stream\r\nETag: \"e{size}\"\r\nx-goog-generation: 1\r\n\
             Last-Modified: Mon, 02 Mar 2026 08:00:04 GMT\r\nAccept-Ranges: bytes\r\n"
        );
        let Some(range) = range else {
            let cut = size > INTERRUPTED_ABOVE && self.interrupted.insert(key.to_owned());
            let sent = if cut { size / 2 } else { size };
            return Answer { status: "200 OK", headers, body: object.clone(), sent };
        };
        let (first, last) =
            range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).expect("a range");
        let first: usize = first.parse().expect("the first byte");
        let last = last.parse().map_or(size - 1, |last: usize| last.min(size - 1));
        self.resumed += usize::from(first > 0);
        let headers = format!("{headers}Content-Range: bytes {first}-{last}/{size}\r\n");
        let body = object[first..=last].to_vec();
        Answer { status: "206 Partial Content", headers, sent: body.len(), body }
    }
}

fn fault(status: &'static str, code: &str) -> Answer {
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
    );
    let headers = "Content-Type: application/xml; charset=UTF-8\r\n".to_owned();
    Answer { status, headers, sent: body.len(), body: body.into_bytes() }
}

/// Text without percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("hexadecimal digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
                rest = after;
            }
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
