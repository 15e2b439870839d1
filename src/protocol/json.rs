//! Writes JSON for protocols whose payload has names and values, so that the JSON reader serves them too.

/// Longest value that is written, bytes. Longer ones are images, certificates or documents.
pub const MAX_VALUE: usize = 64 << 10;

/// Writes `text` as a JSON string (RFC 8259 section 7). Bytes that are not UTF-8 are replaced.
pub fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                // Other control characters carry no meaning in a value.
                0..=0x1F => out.push(b' '),
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Writes the name of a member, with a comma before it unless it is the first.
pub fn name(name: &[u8], out: &mut Vec<u8>) {
    comma(out);
    string(name, out);
    out.push(b':');
}

/// Writes the comma between members or elements, where needed.
pub fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{' | b'[' | b':')) {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut out = b"{".to_vec();
        name(b"a\"b", &mut out);
        string(b"x\\y\n\x01\xff\xc3\xa9", &mut out);
        name(b"c", &mut out);
        out.extend_from_slice(b"[");
        comma(&mut out);
        string(b"1", &mut out);
        comma(&mut out);
        string(b"2", &mut out);
        out.extend_from_slice(b"]}");
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value, serde_json::json!({"a\"b": "x\\y\n \u{FFFD}\u{e9}", "c": ["1", "2"]}));
    }
}
