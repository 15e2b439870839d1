//! Swiss medication plans as QR codes and files hold them (eMediplan, CHMED16A, ChTransmissionFormat):
//! `CHMED16A1` and base64 of gzip of JSON, `CHMED16A0` and the JSON itself; since CHMED23A, the same in base64
//! between points.

use crate::content::stack::transfer_encoding;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};

/// Prefixes of both.
const PREFIX: &[u8] = b"CHMED";

/// Longest name of a version (`20AF`).
const MAX_VERSION: usize = 4;

/// Encoding behind the name of the version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Json,
    Base64,
}

/// Length of the prefix of a plan, and its encoding.
fn start(head: &[u8]) -> Option<(usize, Encoding)> {
    let rest = head.strip_prefix(PREFIX)?;
    let digits = rest.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
    let letters = rest.iter().skip(2).take_while(|b| b.is_ascii_uppercase()).count();
    if digits != 2 || letters == 0 || digits + letters > MAX_VERSION {
        return None;
    }
    let written = match rest.get(digits + letters)? {
        b'0' => Encoding::Json,
        b'1' | b'.' => Encoding::Base64,
        _ => return None,
    };
    Some((PREFIX.len() + digits + letters + 1, written))
}

/// Bytes that suffice to recognise one: the prefix and the year.
const ENOUGH: usize = 7;

/// Whether a string begins like a plan, as far as it is available.
pub fn begins(head: &[u8]) -> bool {
    let year =
        || head.get(PREFIX.len()..).is_some_and(|rest| rest.iter().take(2).all(u8::is_ascii_digit));
    let short = (ENOUGH..=ENOUGH + MAX_VERSION).contains(&head.len());
    start(head).is_some() || (short && head.starts_with(PREFIX) && year() && start_may_follow(head))
}

/// Whether what is behind the year of a short `head` may be the rest of the name of a version.
fn start_may_follow(head: &[u8]) -> bool {
    head.get(ENOUGH..)
        .is_some_and(|rest| rest.len() <= 2 && rest.iter().all(u8::is_ascii_uppercase))
}

/// A string that [`begins`] like one, as a payload of its own.
pub fn nested() -> Nested {
    Nested::reading(Plan.name(), Plan.open(&Media::Unknown))
}

/// A medication plan.
pub struct Plan;

impl Format for Plan {
    fn name(&self) -> &'static str {
        "chmed"
    }

    fn first(&self) -> &'static [u8] {
        b"C"
    }

    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        begins(head)
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Reader { head: Vec::new(), nested: None, done: false })
    }
}

struct Reader {
    /// Bytes before the encoding is known.
    head: Vec<u8>,
    nested: Option<(Nested, Encoding)>,
    done: bool,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let Some((nested, written)) = &mut self.nested else { return Want::NOTHING };
        let end = (*written == Encoding::Base64).then(|| memchr::memchr(b'.', bytes)).flatten();
        let want = nested.data(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes), scope);
        if end.is_some() || want == Want::NOTHING {
            nested.end(Ending::Complete, scope);
            self.done = true;
            return Want::NOTHING;
        }
        Want::ALL
    }
}

impl Document for Reader {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.done {
            return Want::NOTHING;
        }
        if self.nested.is_some() {
            return self.feed(bytes, scope);
        }
        self.head.extend_from_slice(bytes);
        let Some((at, written)) = start(&self.head) else {
            let may = self.head.len() <= PREFIX.len() + MAX_VERSION;
            return if may { Want::ALL } else { Want::NOTHING };
        };
        let nested = match written {
            Encoding::Json => Nested::new(&Media::Unknown),
            Encoding::Base64 => transfer_encoding::undo("base64", &Media::Unknown),
        };
        self.nested = Some((nested, written));
        let head = std::mem::take(&mut self.head);
        self.feed(head.get(at..).unwrap_or_default(), scope)
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some((mut nested, _)) = self.nested.take()
            && !self.done
        {
            nested.end(ending, scope);
        }
    }

    fn memory(&self) -> usize {
        self.head.capacity() + self.nested.as_ref().map_or(0, |(nested, _)| nested.memory())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;
    use base64::Engine as _;
    use std::io::Write as _;

    const PLAN: &str = r#"{"Patient":{"FName":"Jane","LName":"Roe","BDt":"1970-01-31","Gender":2,"Ids":[{"Type":1,"Val":"7560123456789"}]},"Medicaments":[{"Id":"971867","IdType":3}],"MedType":1,"Auth":"7601001362383"}"#;

    fn packed(json: &str) -> String {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(json.as_bytes()).expect("gzip");
        let gzip = gzip.finish().expect("gzip");
        base64::engine::general_purpose::STANDARD.encode(gzip)
    }

    #[test]
    fn plans_in_each_form() {
        let later = PLAN.replace("FName", "fName").replace("LName", "lName").replace("BDt", "bdt");
        let later = later.replace("Patient", "patient");
        for (plan, layers) in [
            (format!("CHMED16A0{PLAN}"), "http>chmed>json"),
            (format!("CHMED16A1{}", packed(PLAN)), "http>chmed>base64>gzip>json"),
            (format!("CHMED23A.{}..", packed(&later)), "http>chmed>base64>gzip>json"),
            (
                format!(r#"{{"plan":"CHMED16A1{}"}}"#, packed(PLAN)),
                "http>json>chmed>base64>gzip>json",
            ),
        ] {
            let read = records("", plan.as_bytes());
            assert_eq!(read.len(), 1, "{read:?}");
            assert!(read[0].starts_with(layers), "{read:?}");
            assert!(read[0].contains("name=Roe^Jane birth_date=1970-01-31"), "{read:?}");
        }
    }

    #[test]
    fn other_texts_begin_otherwise() {
        assert!(begins(b"CHMED16A"));
        for text in ["CHMED", "CHMEDIA", "CHMED16A2x", "CHMED1A1", "CHMED16ABC1"] {
            assert!(!begins(text.as_bytes()), "{text}");
        }
        assert_eq!(records("", b"CHMED16A1****"), [""; 0]);
    }
}
