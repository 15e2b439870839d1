//! Payloads of attacks.

use std::io::Write as _;

const MEGABYTE: usize = 1 << 20;

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

pub fn brotli(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
    brotli::BrotliCompress(&mut &data[..], &mut out, &parameters).expect("memory");
    out
}

fn tar(members: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for data in members {
        let mut block = vec![0; 512];
        block[0] = b'a';
        block[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = b'0';
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(block);
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

fn zip(members: u32, data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("memory");
    let packed = encoder.finish().expect("memory");
    let mut out = Vec::new();
    for _ in 0..members {
        out.extend(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0");
        out.extend((packed.len() as u32).to_le_bytes());
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(b"\x05\0\0\0a.txt");
        out.extend(&packed);
    }
    out
}

/// A PDF whose only page lists the same compressed stream many times, and which attaches it as many
/// times.
fn pdf(times: usize, text: &str) -> Vec<u8> {
    let packed = zlib(text.as_bytes());
    let mut out = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n".to_vec();
    out.extend(b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n");
    let list = "4 0 R ".repeat(times);
    out.extend(format!("3 0 obj<</Type/Page/Parent 2 0 R/Contents[{list}]>>endobj\n").as_bytes());
    for number in 4..12 {
        let head = format!(
            "{number} 0 obj<</Type/EmbeddedFile/Filter/FlateDecode/Length {}>>stream\n",
            packed.len()
        );
        out.extend(head.as_bytes());
        out.extend(&packed);
        out.extend(b"\nendstream endobj\n");
    }
    out.extend(b"trailer<</Root 1 0 R>>\n%%EOF");
    out
}

/// Name, media type, coding, body.
pub fn bombs() -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    let text = "MRN: 7 Name: \n".repeat(MEGABYTE / 2);
    let packed = gzip(text.as_bytes());
    let json = format!("[{}0]", "{\"a\":[],\"name\":\"\"},".repeat(MEGABYTE / 4));
    let html = "<td>MRN:</td>".repeat(MEGABYTE / 4);
    let xml = format!("<a>{}</a>", "<b c='d'/>".repeat(MEGABYTE / 4));
    let colons = ":".repeat(4 * MEGABYTE);
    let parts = "--b \r\n".repeat(MEGABYTE / 2);
    let page = "BT /F1 12 Tf (Patient: x) Tj ET\n".repeat(MEGABYTE / 8);
    let members: Vec<&[u8]> = vec![&packed; 32];
    vec![
        ("gzip", "text/plain", "gzip", packed.clone()),
        ("gzip, gzip", "text/plain", "gzip, gzip", gzip(&gzip(text.repeat(8).as_bytes()))),
        ("brotli", "text/plain", "br", brotli(text.as_bytes())),
        ("deflate", "text/plain", "deflate", zlib(text.as_bytes())),
        ("gzip of tar of gzips", "application/gzip", "", gzip(&tar(&members))),
        ("gzip JSON", "application/json", "gzip", gzip(json.as_bytes())),
        ("gzip HTML", "text/html", "gzip", gzip(html.as_bytes())),
        ("gzip XML", "application/xml", "gzip", gzip(xml.as_bytes())),
        ("gzip colons", "text/plain", "gzip", gzip(colons.as_bytes())),
        ("gzip multipart", "multipart/mixed; boundary=b", "gzip", gzip(parts.as_bytes())),
        ("zip", "application/zip", "", zip(200, text.get(..MEGABYTE).expect("ASCII").as_bytes())),
        ("gzip PDF", "application/pdf", "gzip", gzip(&pdf(14, &page))),
        ("PDF", "application/pdf", "", pdf(100, &page)),
    ]
}

/// Name, media type, body.
pub fn nested() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    use base64::Engine as _;
    let encode = |text: &[u8]| base64::engine::general_purpose::STANDARD.encode(text);
    let quoted = |text: &str| serde_json::to_string(text).expect("text");
    let mut strings = "{\"mrn\":\"7\"}".repeat(1000);
    let mut encoded = "{\"mrn\":\"7\"}".repeat(1000);
    for _ in 0..6 {
        strings = format!("{{\"data\":{}}}", quoted(&strings));
        encoded = format!("{{\"data\":\"{}\"}}", encode(encoded.as_bytes()));
    }
    let mail = "Content-Type: message/rfc822\r\n\r\n".repeat(5000);
    vec![
        ("JSON in JSON", "application/json", strings.into_bytes()),
        ("JSON in base64 in JSON", "application/json", encoded.into_bytes()),
        ("JSON, deep", "application/json", b"[".repeat(200_000)),
        ("JSON objects, deep", "application/json", b"{\"a\":".repeat(50_000)),
        ("XML, deep", "application/xml", b"<a>".repeat(100_000)),
        ("HTML, deep", "text/html", b"<div><table>".repeat(20_000)),
        ("mail in mail", "message/rfc822", mail.into_bytes()),
    ]
}

/// An admission of patient `n` over MLLP.
pub fn admission(n: u32) -> String {
    format!(
        "\x0bMSH|^~\\&|A|B|C|D|20260301||ADT^A01|{n}|P|2.5\rEVN|A01|20260301\r\
         PID|1||{n:07}^^^HOSP^MR||Roe{n}^Jane||19700101|F\rPV1|1|I\r\x1c\r"
    )
}
