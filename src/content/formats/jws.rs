//! JSON Web Signatures in compact form (RFC 7515 3.1): tokens (JWT, RFC 7519), which may name the patient, and SMART
//! Health Cards (<https://spec.smarthealth.cards>), also as the digits of their QR codes (`shc:/`).
//!
//! `BASE64URL(header).BASE64URL(payload).BASE64URL(signature)`. The payload is JSON, compressed if the header says
//! so. Encrypted ones (JWE) are not read.

use crate::content::stack::{coding, media, transfer_encoding};
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Media type of the payload of a token: claims, most of them about its holder.
pub const CLAIMS: &str = "application/jwt+json";

/// Shortest string that is a token, bytes.
const MIN_TOKEN: usize = 48;

/// Longest header, bytes; it may contain keys and certificates.
const MAX_HEADER: usize = 16 << 10;

/// First letters of the names of header parameters (RFC 7515 4.1, RFC 7516 4.1, RFC 7797).
const PARAMETERS: [&[u8]; 13] = [
    b"alg", b"typ", b"zip", b"kid", b"cty", b"x5t", b"x5c", b"x5u", b"jku", b"jwk", b"enc", b"cri",
    b"b64",
];

/// Prefix of the digits of a health card.
const NUMERIC: &[u8] = b"shc:/";

/// Bytes behind it that show whether the card is split into chunks (`1/3/`).
const CHUNKING: usize = 8;

/// Offset of a character code in a health card, whose result is written in two digits.
const OFFSET: u8 = 45;

/// Chunks of one health card, and the longest, bytes (a QR code of version 22 holds 1 195 digits).
const MAX_CHUNKS: usize = 32;
const MAX_CHUNK: usize = 4 << 10;

/// Whether a string with this beginning may be a token or a health card.
pub fn begins(head: &[u8]) -> bool {
    if let Some(digits) = head.strip_prefix(NUMERIC) {
        // One of several chunks cannot be read alone.
        return !digits.get(..CHUNKING).unwrap_or(digits).contains(&b'/')
            || digits.starts_with(b"1/1/");
    }
    let Some(first) = head.get(..8).filter(|first| first.starts_with(b"ey")) else { return false };
    let Ok(first) = URL_SAFE_NO_PAD.decode(first) else { return false };
    let name = first.strip_prefix(b"{").unwrap_or_default().trim_ascii_start().strip_prefix(b"\"");
    // `{"type"` begins an object of any kind.
    let ends = |name: &[u8]| name.get(3).is_none_or(|b| matches!(b, b'"' | b'#' | b't'));
    name.is_some_and(|name| PARAMETERS.iter().any(|p| name.starts_with(p)) && ends(name))
}

/// Whether a complete string is one.
pub fn is_token(text: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=');
    begins(text.as_bytes())
        && (text.starts_with("shc:")
            || (text.len() >= MIN_TOKEN && text.contains('.') && text.bytes().all(base64)))
}

/// A string that [`begins`] like one, as a payload of its own.
pub fn nested() -> Nested {
    Nested::reading(Compact.name(), Box::new(Token::new()))
}

/// Reads a complete string that [`is_token`].
pub fn read(text: &str, scope: &mut Scope<'_>) {
    let mut token = nested();
    token.data(text.as_bytes(), scope);
    token.end(Ending::Complete, scope);
}

/// A token, or a file of one.
pub struct Compact;

impl Format for Compact {
    fn name(&self) -> &'static str {
        "jws"
    }

    fn first(&self) -> &'static [u8] {
        b"es"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], extent: Extent) -> bool {
        let head = head.trim_ascii_start();
        let declared =
            media::says(media, "jwt", &["jwt", "jws"]) || media::says(media, "jose", &[]);
        let signed = || memchr::memchr(b'.', head).is_some() || extent == Extent::Beginning;
        // A file may hold all chunks of a card.
        let numeric = head.starts_with(NUMERIC);
        numeric || (begins(head) && (declared || signed()))
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Token::new())
    }
}

struct Token {
    state: State,
    digits: Digits,
}

enum State {
    /// Its first part so far.
    Header(Vec<u8>),
    /// Its payload, or the base64 text that turned out to be no token.
    Reading {
        document: Box<dyn Document>,
        plain: bool,
    },
    Passed,
}

impl Token {
    const fn new() -> Self {
        Self { state: State::Header(Vec::new()), digits: Digits::Unknown(Vec::new()) }
    }

    fn read(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        match &mut self.state {
            State::Passed => Want::NOTHING,
            State::Reading { document, plain: true } => document.data(bytes, scope),
            State::Reading { document, plain: false } => {
                let end = memchr::memchr(b'.', bytes);
                let want =
                    document.data(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes), scope);
                if want == Want::NOTHING || end.is_some() {
                    document.end(Ending::Complete, scope);
                    self.state = State::Passed;
                    return Want::NOTHING;
                }
                Want::ALL
            }
            State::Header(head) => {
                let end = memchr::memchr(b'.', bytes);
                let (own, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                head.extend_from_slice(own);
                if end.is_none() && head.len() <= MAX_HEADER {
                    return Want::ALL;
                }
                let head = std::mem::take(head);
                match payload(head.trim_ascii()).filter(|_| end.is_some()) {
                    Some(document) => {
                        self.state = State::Reading { document, plain: false };
                        self.read(rest.get(1..).unwrap_or_default(), scope)
                    }
                    None => {
                        self.state = plain();
                        self.read(&head, scope);
                        self.read(rest, scope)
                    }
                }
            }
        }
    }
}

/// The chunks of a health card that is too long for one QR code, each in a separate string: `shc:/1/3/...`,
/// `shc:/2/3/...`.
#[derive(Default)]
pub struct Chunks(Vec<Option<zeroize::Zeroizing<String>>>);

impl Chunks {
    /// Takes a string that is a chunk. With the last one, the card is read.
    pub fn take(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let Some((number, of, digits)) = chunk(text) else { return false };
        if self.0.len() != of {
            self.0 = std::iter::repeat_with(|| None).take(of).collect();
        }
        if let Some(place) = self.0.get_mut(number - 1) {
            *place = Some(zeroize::Zeroizing::new(digits.to_owned()));
        }
        if self.0.iter().all(Option::is_some) {
            let mut card = nested();
            card.data(NUMERIC, scope);
            for digits in std::mem::take(&mut self.0).into_iter().flatten() {
                card.data(digits.as_bytes(), scope);
            }
            card.end(Ending::Complete, scope);
        }
        true
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.0.iter().flatten().map(|chunk| 32 + chunk.capacity()).sum()
    }
}

/// The number of a chunk, how many there are, and its digits.
fn chunk(text: &str) -> Option<(usize, usize, &str)> {
    let (number, rest) = text.strip_prefix("shc:/")?.split_once('/')?;
    let (of, digits) = rest.split_once('/')?;
    let (number, of) = (number.parse().ok()?, of.parse().ok()?);
    let fits = (2..=MAX_CHUNKS).contains(&of) && (1..=of).contains(&number);
    let digits_only = digits.len() <= MAX_CHUNK && digits.bytes().all(|b| b.is_ascii_digit());
    (fits && digits_only).then_some((number, of, digits))
}

/// The reader of the payload behind `header`.
fn payload(header: &[u8]) -> Option<Box<dyn Document>> {
    let header = zeroize::Zeroizing::new(URL_SAFE_NO_PAD.decode(header).ok()?);
    let has = |text: &[u8]| memchr::memmem::find(&header, text).is_some();
    if !has(b"\"alg\"") {
        return None;
    }
    let claims = Media::Type { content_type: CLAIMS, name: "" };
    let zipped: &[&str] = if has(b"\"zip\"") { &["deflate"] } else { &[] };
    Some(transfer_encoding::base64(coding::undo(zipped, &claims)))
}

/// Base64 of a document that begins like a header.
fn plain() -> State {
    State::Reading {
        document: transfer_encoding::base64(Nested::new(&Media::Unknown)),
        plain: true,
    }
}

impl Document for Token {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        match self.digits.letters(bytes) {
            Some(letters) => self.read(&letters, scope),
            None => self.read(bytes, scope),
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(letters) = self.digits.end() {
            self.read(&letters, scope);
        }
        if let State::Header(head) = &mut self.state {
            let head = std::mem::take(head);
            self.state = plain();
            self.read(&head, scope);
        }
        if let State::Reading { document, .. } = &mut self.state {
            document.end(ending, scope);
        }
        self.state = State::Passed;
    }

    fn memory(&self) -> usize {
        match &self.state {
            State::Header(head) => head.capacity(),
            State::Reading { document, .. } => document.memory(),
            State::Passed => 0,
        }
    }
}

/// The digits of a health card: two for each character (SMART Health Cards 1.4, "Encoding Chunks as QR Codes").
enum Digits {
    /// Its first bytes, until its form is known.
    Unknown(Vec<u8>),
    /// The first digit of a pair, and slashes to come before the digits of a further chunk.
    Pairs(Option<u8>, u8),
    Letters,
    /// A chunk that is not the first says nothing alone.
    Passed,
}

impl Digits {
    /// The characters that `bytes` encode; `None` if they are literal.
    fn letters(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Letters => None,
            Self::Passed => Some(Vec::new()),
            Self::Pairs(half, slashes) => Some(pairs(half, slashes, bytes)),
            Self::Unknown(front) => {
                let room = (NUMERIC.len() + CHUNKING).saturating_sub(front.len()).min(bytes.len());
                let (first, rest) = bytes.split_at(room);
                front.extend_from_slice(first);
                if front.len() < NUMERIC.len() + CHUNKING {
                    return Some(Vec::new());
                }
                let mut letters = self.end().unwrap_or_default();
                letters.extend(self.letters(rest).unwrap_or_else(|| rest.to_vec()));
                Some(letters)
            }
        }
    }

    /// The same for the buffered bytes: no more will come, or the form is known.
    fn end(&mut self) -> Option<Vec<u8>> {
        let Self::Unknown(front) = self else { return None };
        let front = std::mem::take(front);
        let Some(digits) = front.strip_prefix(NUMERIC) else {
            *self = Self::Letters;
            return Some(front);
        };
        let behind = digits.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        if behind > 0 && !digits.starts_with(b"1/") {
            *self = Self::Passed;
            return None;
        }
        *self = Self::Pairs(None, 0);
        self.letters(digits.get(behind..).unwrap_or_default())
    }
}

fn pairs(half: &mut Option<u8>, slashes: &mut u8, bytes: &[u8]) -> Vec<u8> {
    let mut letters = Vec::with_capacity(bytes.len() / 2 + 1);
    for byte in bytes {
        // The next chunk, on a line of its own: `shc:/2/3/`.
        match byte {
            b's' => *slashes = 3,
            b'/' => *slashes = slashes.saturating_sub(1),
            _ => {}
        }
        if *slashes > 0 || !byte.is_ascii_digit() {
            continue;
        }
        let digit = byte - b'0';
        match half.take() {
            None => *half = Some(digit),
            Some(tens) => letters.push(tens * 10 + digit + OFFSET),
        }
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn token(header: &str, claims: &[u8]) -> String {
        format!("{}.{}.{}", encode(header.as_bytes()), encode(claims), encode(&[7; 32]))
    }

    const JANE: &str = r#"{"iss":"x","patient":{"given_name":"Jane","family_name":"Roe","birthdate":"1970-01-31"}}"#;

    fn deflated(text: &str) -> Vec<u8> {
        use std::io::Write;
        let mut to = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        to.write_all(text.as_bytes()).expect("to memory");
        to.finish().expect("to memory")
    }

    /// A health card with this patient.
    fn card() -> String {
        let claims = r#"{"iss":"https://i.example","nbf":1,"vc":{"credentialSubject":{"fhirBundle":{"resourceType":"Bundle","entry":[{"fullUrl":"resource:0","resource":{"resourceType":"Patient","name":[{"family":"Roe","given":["Jane"]}],"birthDate":"1970-01-31"}},{"fullUrl":"resource:1","resource":{"resourceType":"Immunization","patient":{"reference":"resource:0"}}}]}}}}"#;
        token(r#"{"zip":"DEF","alg":"ES256","kid":"3Kfd"}"#, &deflated(claims))
    }

    fn numeric(token: &str) -> String {
        let digits: String = token.bytes().map(|b| format!("{:02}", b - OFFSET)).collect();
        format!("shc:/{digits}")
    }

    #[test]
    fn claims_that_name_a_patient() {
        for header in [
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"typ":"JWT","alg":"none"}"#,
            r#"{ "kid": "a", "alg": "ES256" }"#,
            r#"{"x5t#S256":"a","alg":"PS256"}"#,
        ] {
            let got = records("application/jwt", token(header, JANE.as_bytes()).as_bytes());
            assert_eq!(got.len(), 1, "{header} {got:?}");
            assert!(got[0].contains("name=Roe^Jane") && got[0].contains("1970-01-31"), "{got:?}");
            assert!(got[0].starts_with("http>jws>json:"), "{got:?}");
        }
    }

    #[test]
    fn claims_about_whoever_holds_the_token() {
        let of =
            |claims: &str| records("", token(r#"{"alg":"RS256"}"#, claims.as_bytes()).as_bytes());
        // Those who log in are users of the service.
        for claims in [
            r#"{"sub":"7","name":"Greg House","email":"g@h.example","phone_number":"555-0132"}"#,
            r#"{"sub":"7","given_name":"Greg","family_name":"House","gender":"male","preferred_username":"gh"}"#,
            r#"{"sub":"7","fhirUser":"Practitioner/7","name":"Greg House","address":{"locality":"Troy"}}"#,
            r#"{"sub":"7","name":"Greg House","email":"g@h.example","patient":"4ef2-1"}"#,
        ] {
            assert_eq!(of(claims), [""; 0], "{claims}");
        }
        // Those whose birth date a service needs are its patients.
        let got =
            of(r#"{"sub":"7","given_name":"Jane","family_name":"Roe","birthdate":"1970-01-31"}"#);
        assert_eq!(got.len(), 1, "{got:?}");
    }

    #[test]
    fn smart_health_cards_are_read() {
        let card = card();
        let patient = "name=Roe^Jane birth_date=1970-01-31";
        let file = format!(r#"{{"verifiableCredential":["{card}"]}}"#);
        let parameter = format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"verifiableCredential","valueString":"{card}"}}]}}"#
        );
        let digits = format!(r#"{{"qr":"{}"}}"#, numeric(&card));
        for (media, text) in [
            ("application/smart-health-card", &file),
            ("application/fhir+json", &parameter),
            ("application/json", &digits),
            ("text/plain", &numeric(&card)),
            ("", &numeric(&card).replace("shc:/", "shc:/1/1/")),
        ] {
            let got = records(media, text.as_bytes());
            assert!(
                !got.is_empty() && got.iter().all(|line| line.contains(patient)),
                "{media} {got:?}"
            );
        }
        // Chunks, each a string or a line.
        let digits = numeric(&card);
        let digits = digits.strip_prefix("shc:/").expect("digits");
        let (front, rest) = digits.split_at(201);
        let (middle, end) = rest.split_at(100);
        let chunks = [("2/3", middle), ("1/3", front), ("3/3", end)];
        let chunks = chunks.map(|(number, digits)| format!("shc:/{number}/{digits}"));
        let list = format!(r#"{{"qr":["{}"]}}"#, chunks.join("\",\""));
        let got = records("application/json", list.as_bytes());
        assert!(!got.is_empty() && got.iter().all(|line| line.contains(patient)), "{got:?}");
        let lines = format!("{}\n{}\n{}\n", chunks[1], chunks[0], chunks[2]);
        let got = records("text/plain", lines.as_bytes());
        assert!(!got.is_empty() && got.iter().all(|line| line.contains(patient)), "{got:?}");
        let some = format!(r#"{{"qr":["{}","{}"]}}"#, chunks[0], chunks[1]);
        assert_eq!(records("application/json", some.as_bytes()), [""; 0]);
        let later = numeric(&card).replace("shc:/", "shc:/2/3/");
        assert_eq!(records("text/plain", later.as_bytes()), [""; 0]);
    }

    #[test]
    fn other_strings_and_cuts() {
        assert!(!begins(b"eyJyZXNvdXJjZVR5cGUiOiJQ"), "base64 of a resource");
        assert!(!begins(encode(br#"{"type":"a"}"#).as_bytes()));
        assert!(!begins(b"eyesore.") && !begins(b"ey") && !begins(b""));
        // Base64 of an object that begins like a header.
        let object = encode(br#"{"alg":1,"patient_name":"Jane Roe","mrn":"H-1200"}"#);
        let got = records("application/json", format!(r#"{{"data":"{object}"}}"#).as_bytes());
        assert!(got.len() == 1 && got[0].contains("H-1200"), "{got:?}");
        // Damage and cuts are silent.
        let whole = token(r#"{"alg":"ES256"}"#, JANE.as_bytes());
        for end in 0..whole.len() - 44 {
            let got = records("application/jwt", &whole.as_bytes()[..end]);
            assert!(got.iter().all(|line| !line.contains("1970-01-31 ")), "{got:?}");
        }
        let encrypted =
            format!("{}.AAAA.BBBB.CCCC.DDDD", encode(br#"{"alg":"dir","enc":"A128GCM"}"#));
        assert_eq!(records("application/jose", encrypted.as_bytes()), [""; 0]);
    }
}
