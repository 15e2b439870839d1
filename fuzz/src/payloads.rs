//! Payloads without a protocol around them. Records begin and end in pairs, and no more memory is held than
//! the format with the largest limits may hold.

use super::dicom::SYNTAXES;
use phitap::content::testing::{Part, Reading, read_payload};
use phitap::content::{Direction, Ending, Media};
use phitap::protocol::Hint;

/// Most bytes that one payload may hold: a PDF is read whole.
const MAX_MEMORY: usize = 64 << 20;

/// Bytes that are missing in a payload with a gap.
const MISSING: usize = 11;

/// Media types and names that are declared.
const TYPES: [(&str, &str); 24] = [
    ("", ""),
    ("application/json", "/api/patients"),
    ("application/xml", ""),
    ("text/html", ""),
    ("text/csv", "patients.csv"),
    ("text/csv; charset=shift_jis", ""),
    ("text/plain", ""),
    ("text/plain; charset=utf-16", ""),
    ("text/markdown; charset=windows-1251", ""),
    ("application/x-www-form-urlencoded", "/patients"),
    ("multipart/form-data; boundary=b", ""),
    ("message/rfc822", ""),
    ("text/vcard", ""),
    ("text/calendar", ""),
    ("application/protobuf", "/clinic.PatientService/Get"),
    ("image/jpeg", ""),
    ("image/png", ""),
    ("image/tiff", ""),
    ("application/pdf", ""),
    ("application/rtf", ""),
    ("application/zip", ""),
    ("application/gzip", ""),
    ("application/x-tar", ""),
    ("application/octet-stream", "a.docx"),
];

/// Reads `bytes`, of which some are missing from `gap` on.
fn read(hint: &Hint<'_>, bytes: &[u8], size: usize, gap: Option<usize>) -> Reading {
    let at = gap.unwrap_or(bytes.len()).min(bytes.len());
    let (before, rest) = bytes.split_at(at);
    let (missing, after) = rest.split_at(rest.len().min(MISSING));
    let mut parts = vec![Part::Bytes(before)];
    if !missing.is_empty() {
        parts.extend([Part::Gap(missing.len() as u64), Part::Bytes(after)]);
    }
    let ending = if gap.is_none() { Ending::Complete } else { Ending::Cut };
    let reading = read_payload(hint, &parts, size, ending);
    assert!(reading.memory < MAX_MEMORY, "{} bytes held", reading.memory);
    reading
}

/// In one piece or in many, the records must be the same.
fn read_both(hint: &Hint<'_>, bytes: &[u8], size: u8, gap: u8) {
    let gap = (gap > 0 && !bytes.is_empty()).then(|| usize::from(gap) * 3 % bytes.len());
    let whole = read(hint, bytes, usize::MAX, gap);
    let pieces = read(hint, bytes, usize::from(size).max(1), gap);
    assert!(whole.records.log == pieces.records.log, "records differ in pieces of {size}");
}

fn hint<'a>(direction: Direction, media: Media<'a>, operation: &'a str) -> Hint<'a> {
    Hint { direction, media, operation, codings: &[], layer: "http" }
}

/// Documents of every format. The first byte chooses what is declared, the second the size of pieces, the
/// third where bytes are missing, if any.
pub fn any(data: &[u8]) {
    let [declared, size, gap, bytes @ ..] = data else { return };
    let (content_type, name) = TYPES[usize::from(*declared) % TYPES.len()];
    let media = match declared {
        255 => Media::Target,
        _ => Media::Type { content_type, name },
    };
    let gap = (*gap > 0).then(|| usize::from(*gap) * usize::from(*size));
    read(&hint(Direction::ServerToClient, media, "GET"), bytes, usize::from(*size), gap);
}

/// Data sets of DICOM (PS3.5) and files (PS3.10), as [`any`].
pub fn dicom(data: &[u8]) {
    let [declared, size, gap, bytes @ ..] = data else { return };
    let media = match SYNTAXES.get(usize::from(declared >> 1) % (SYNTAXES.len() + 1)) {
        Some(transfer_syntax) => Media::DicomDataSet { transfer_syntax, query: declared & 1 == 1 },
        None => Media::Type { content_type: "application/dicom", name: "" },
    };
    read_both(&hint(Direction::ClientToServer, media, "C-STORE"), bytes, *size, *gap);
}

/// HL7 v2 messages in ER7 and XML, as [`any`].
pub fn hl7v2(data: &[u8]) {
    let [declared, size, gap, bytes @ ..] = data else { return };
    let xml = Media::Type { content_type: "application/xml", name: "" };
    let (media, head): (_, &[u8]) = match declared % 4 {
        0 => (Media::Hl7v2, b""),
        1 => (Media::Hl7v2, b"MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\rPID|1||"),
        2 => (Media::Hl7v2, b"MSH|^~\\&|A|B|C|D|||ORU^R01|1|P|2.5\rPID|1||7||A^B\rOBX|1|"),
        _ => (xml, b"<a xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.9>ORU</MSH.9></MSH>"),
    };
    let bytes = [head, bytes].concat();
    read_both(&hint(Direction::ClientToServer, media, ""), &bytes, *size, *gap);
}
