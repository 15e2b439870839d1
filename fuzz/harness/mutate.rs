//! Mutators for structured inputs: turns, PDUs, frames, segments, objects and words of formats.
//! Their results are mostly well-formed, so that code after the first checks is reached.

use super::Target;
use super::turns::{self, Turn};
use super::words::*;

/// A pseudo-random generator (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Any seed works, including 0.
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }
    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Changes `data` in a way that fits `target`.
pub fn mutate(target: Target, data: &[u8], random: &mut Random) -> Vec<u8> {
    match target {
        Target::Frames | Target::Capture | Target::Spool => bytes(data, random),
        Target::Rules => words(data, RULES, random),
        Target::Summary | Target::Hub | Target::Bundle | Target::Jobs | Target::Review => {
            change(data, |data, random| words(data, RESULTS, random), random)
        }
        Target::Streams | Target::Handshake | Target::Protocol(..) => {
            let (&how, rest) = data.split_first().unwrap_or((&0, &[]));
            let how = if random.below(8) == 0 { random.next() as u8 } else { how };
            let mut turns = turns::parse(rest);
            let name = match target {
                Target::Protocol(_, name) => name,
                _ => "",
            };
            for _ in 0..=random.below(3) {
                turn(name, &mut turns, random);
            }
            [&[how][..], &turns::write(&turns)].concat()
        }
        Target::Content(family) => {
            let mut input = data.to_vec();
            if input.len() < 3 {
                input.resize(3, 0);
            }
            let at = random.below(24);
            if at < 3 {
                input[at] = random.next() as u8;
            }
            let head = input[..3].to_vec();
            let mut body = input.split_off(3);
            for _ in 0..=random.below(3) {
                body = change(&body, of_format(family.name), random);
            }
            [head, body].concat()
        }
    }
}

/// Changes the turns of a conversation.
fn turn(protocol: &str, turns: &mut Vec<Turn>, random: &mut Random) {
    if turns.is_empty() {
        turns.push(Turn { server: random.below(2) == 1, lost: 0, bytes: vec![0] });
    }
    let (at, other) = (random.below(turns.len()), random.below(turns.len()));
    match random.below(14) {
        0 => turns.insert(other, turns[at].clone()),
        1 if turns.len() > 1 => {
            turns.remove(at);
        }
        2 => turns.swap(at, other),
        3 => turns[at].lost = 37 - turns[at].lost.min(37),
        4 => turns[at].server ^= true,
        5 => {
            let cut = random.below(turns[at].bytes.len() + 1);
            let rest = turns[at].bytes.split_off(cut);
            let server = turns[at].server;
            turns.insert(at + 1, Turn { server, lost: 0, bytes: rest });
        }
        6 if at != other => {
            let more = turns[other].bytes.clone();
            turns[at].bytes.extend(more);
        }
        _ => turns[at].bytes = change(&turns[at].bytes, of_protocol(protocol), random),
    }
}

/// Changes bytes in a way that fits their format.
type Mutator = fn(&[u8], &mut Random) -> Vec<u8>;

/// The mutator for messages of a protocol.
fn of_protocol(name: &str) -> Mutator {
    match name {
        "dicom" => pdus,
        "http2" => frames,
        "hl7" => segments,
        "http1" | "" => |data, random| words(data, HTTP, random),
        "smtp" | "pop3" | "imap" | "ftp" => |data, random| words(data, MAIL, random),
        _ => |data, random| words(data, LINES, random),
    }
}

/// The mutator for documents of a family.
fn of_format(family: &str) -> Mutator {
    match family {
        "dicom" => elements,
        "hl7v2" => segments,
        "pdf" => objects,
        "json" => |data, random| words(data, JSON, random),
        "xml" | "html" => |data, random| words(data, MARKUP, random),
        "mime" | "form" => |data, random| words(data, HTTP, random),
        "text" | "csv" => |data, random| words(data, TEXT, random),
        "edi" => |data, random| words(data, EDI, random),
        "print" => |data, random| words(data, PRINT, random),
        _ => |data, random| words(data, LINES, random),
    }
}

/// One change in four ignores the format.
fn change(data: &[u8], mutator: Mutator, random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 { bytes(data, random) } else { mutator(data, random) }
}

/// Changes bits, bytes, numbers or pieces.
fn bytes(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = data.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(out.len());
        let len = 1 + random.below(16).min(out.len().saturating_sub(at + 1));
        match random.below(8) {
            _ if out.is_empty() => out.push(random.next() as u8),
            0 => out[at] ^= 1 << random.below(8),
            1 => out[at] = random.next() as u8,
            2 => {
                out[at] =
                    *random.pick(&[&0u8, &1, &0x7f, &0x80, &0xff, &b'\r', &b'\n', &b'|', &b'"'])
            }
            3 => out.insert(at, random.next() as u8),
            4 => {
                out.drain(at..at + len);
            }
            5 => {
                let piece = out[at..at + len].to_vec();
                let to = random.below(out.len() + 1);
                out.splice(to..to, piece);
            }
            6 if out.len() - at >= 4 => {
                let number: u32 =
                    *random.pick(&[&0, &1, &0xffff, &0x1_0000, &0x7fff_ffff, &u32::MAX]);
                let number =
                    if random.below(2) == 0 { number.to_be_bytes() } else { number.to_le_bytes() };
                out[at..at + 4].copy_from_slice(&number);
            }
            _ => out.truncate(at.max(out.len() / 2)),
        }
    }
    out
}

/// Inserts a word, repeats a piece of the text, or removes one.
fn words(data: &[u8], words: &[&str], random: &mut Random) -> Vec<u8> {
    let mut out = data.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(out.len() + 1);
        match random.below(6) {
            0 => {
                let end = (at + random.below(64)).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            1 => {
                let end = (at + random.below(32)).min(out.len());
                out.drain(at..end);
            }
            2 => {
                let word = random.pick(words);
                let end = (at + word.len()).min(out.len());
                out.splice(at..end, word.bytes());
            }
            3 => {
                let word = random.pick(words).repeat(2 + random.below(40));
                out.splice(at..at, word.bytes());
            }
            _ => {
                out.splice(at..at, random.pick(words).bytes());
            }
        }
    }
    out
}

/// PDUs of the DICOM upper layer (PS3.8 9.3): changes one, and corrects its length.
fn pdus(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut rest = data;
    while rest.len() >= 6 {
        let len = u32::from_be_bytes([rest[2], rest[3], rest[4], rest[5]]) as usize;
        let (pdu, after) = rest.split_at(len.saturating_add(6).min(rest.len()));
        found.push(pdu.to_vec());
        rest = after;
    }
    if found.is_empty() {
        let mut pdu = vec![4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3];
        pdu.extend(data);
        found.push(pdu);
    }
    let (at, other) = (random.below(found.len()), random.below(found.len()));
    match random.below(5) {
        0 => found.swap(at, other),
        1 => found.insert(other, found[at].clone()),
        2 => found[at][0] = 1 + random.below(8) as u8,
        _ => {
            let pdu = &mut found[at];
            let head = pdu.len().min(if pdu[0] == 4 { 12 } else { 6 });
            let value = elements(&pdu[head..], random);
            pdu.truncate(head);
            pdu.extend(value);
            let len = pdu.len().saturating_sub(6) as u32;
            if pdu.len() >= 6 {
                pdu[2..6].copy_from_slice(&len.to_be_bytes());
            }
            if pdu[0] == 4 && pdu.len() >= 12 {
                pdu[6..10].copy_from_slice(&len.saturating_sub(4).to_be_bytes());
                if random.below(6) == 0 {
                    pdu[11] = random.below(4) as u8;
                }
            }
        }
    }
    found.concat()
}

/// Data elements (PS3.5 7.1): inserts one, or the beginning or end of a sequence.
fn elements(data: &[u8], random: &mut Random) -> Vec<u8> {
    const TAGS: [[u8; 4]; 12] = [
        [8, 0, 5, 0],
        [8, 0, 0x50, 0],
        [0x10, 0, 0x10, 0],
        [0x10, 0, 0x20, 0],
        [0x10, 0, 0x30, 0],
        [0x10, 0, 2, 0x10],
        [8, 0, 0x40, 0x11],
        [0x40, 0, 0x75, 2],
        [0xe0, 0x7f, 0x10, 0],
        [0x42, 0, 0x11, 0],
        [9, 0, 0x10, 0],
        [0, 0, 0, 0],
    ];
    const ITEM: [u8; 4] = [0xfe, 0xff, 0, 0xe0];
    let mut out = data.to_vec();
    let at = random.below(out.len() + 1);
    let tag = TAGS[random.below(TAGS.len())];
    let value = random.pick(&[
        "Doe^Jane",
        "19600229",
        "12345 ",
        "ISO 2022 IR 87\\",
        "\x1b$B;3ED\x1b(B",
        "",
    ]);
    let mut piece = tag.to_vec();
    match random.below(7) {
        0 => {
            piece.extend(random.pick(&["PN", "LO", "DA", "CS", "UI", "SH", "LT", "IS"]).bytes());
            piece.extend((value.len() as u16).to_le_bytes());
            piece.extend(value.bytes());
        }
        1 => {
            piece.extend((value.len() as u32).to_le_bytes());
            piece.extend(value.bytes());
        }
        2 => {
            piece.extend(random.pick(&["SQ", "UN", "OB", "OW", "UT", "UC"]).bytes());
            piece.extend([0, 0]);
            piece.extend(random.pick(&[&u32::MAX, &8u32, &0, &0x7fff_ffff]).to_le_bytes());
        }
        3 => {
            piece = ITEM.to_vec();
            piece.extend(random.pick(&[&u32::MAX, &0u32, &20]).to_le_bytes());
        }
        4 => piece = [0xfe, 0xff, *random.pick(&[&0x0du8, &0xdd]), 0xe0, 0, 0, 0, 0].to_vec(),
        _ => return bytes(data, random),
    }
    out.splice(at..at, piece);
    out
}

/// HTTP/2 frames (RFC 9113 4.1): changes one, and corrects its length.
fn frames(data: &[u8], random: &mut Random) -> Vec<u8> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (preface, mut rest) = match data.strip_prefix(PREFACE) {
        Some(rest) => (PREFACE, rest),
        None => (&[][..], data),
    };
    let mut found: Vec<Vec<u8>> = Vec::new();
    while rest.len() >= 9 {
        let len = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        let (frame, after) = rest.split_at((len + 9).min(rest.len()));
        found.push(frame.to_vec());
        rest = after;
    }
    let stream = *random.pick(&[&0u8, &1, &3, &5, &2]);
    let kind = random.below(11) as u8;
    let flags = *random.pick(&[&0u8, &1, &4, &5, &8, &0x20, &0x2d]);
    let new = vec![0, 0, 0, kind, flags, 0, 0, 0, stream];
    if found.is_empty() {
        found.push(new.clone());
    }
    let (at, other) = (random.below(found.len()), random.below(found.len()));
    match random.below(8) {
        0 => found.swap(at, other),
        1 => found.insert(other, found[at].clone()),
        2 => found.insert(at, new),
        3 => found[at][4] = flags,
        4 => found[at][8] = stream,
        _ => {
            let frame = &mut found[at];
            let body = frame.split_off(9);
            let body = match frame[3] {
                // Literal fields: a name or a value is changed.
                1 | 9 if random.below(2) == 0 => {
                    let mut field = vec![0x40, 12];
                    field.extend(b"content-type");
                    let value = random.pick(&["application/json", "application/grpc", "text/html"]);
                    field.push(value.len() as u8);
                    field.extend(value.bytes());
                    [body, field].concat()
                }
                _ => bytes(&body, random),
            };
            let len = body.len().min(0xff_ffff) as u32;
            frame[..3].copy_from_slice(&len.to_be_bytes()[1..]);
            frame.extend(body);
        }
    }
    [preface.to_vec(), found.concat()].concat()
}

/// HL7 v2 segments (2.5.1 2.5): moves one, or changes a field.
fn segments(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut found: Vec<Vec<u8>> =
        data.split_inclusive(|&b| b == b'\r').map(<[u8]>::to_vec).collect();
    if found.is_empty() {
        found.push(b"\x0bMSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\r".to_vec());
    }
    let (at, other) = (random.below(found.len()), random.below(found.len()));
    match random.below(8) {
        0 => found.swap(at, other),
        1 => found.insert(other, found[at].clone()),
        2 => found.insert(at, [random.pick(SEGMENTS).as_bytes(), b"\r"].concat()),
        3 => {
            found.remove(at);
        }
        4 => found[at] = words(&found[at], HL7, random),
        _ => {
            let mut fields: Vec<Vec<u8>> =
                found[at].split(|&b| b == b'|').map(<[u8]>::to_vec).collect();
            let field = random.below(fields.len());
            fields[field] = match random.below(3) {
                0 => random.pick(HL7).as_bytes().to_vec(),
                1 => [&fields[field][..], b"~", &fields[field][..]].concat(),
                _ => bytes(&fields[field], random),
            };
            found[at] = fields.join(&b'|');
        }
    }
    found.concat()
}

/// Objects of a PDF (ISO 32000-2 7.3.10): moves or renames one, or inserts a word.
fn objects(data: &[u8], random: &mut Random) -> Vec<u8> {
    const END: &[u8] = b"endobj";
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut rest = data;
    while let Some(end) = rest.windows(END.len()).position(|w| w == END) {
        let (object, after) = rest.split_at(end + END.len());
        found.push(object.to_vec());
        rest = after;
    }
    if found.is_empty() || random.below(2) == 0 {
        return words(data, PDF, random);
    }
    let (at, other) = (random.below(found.len()), random.below(found.len()));
    match random.below(4) {
        0 => found.swap(at, other),
        1 => found.insert(other, found[at].clone()),
        2 => {
            if let Some(digit) = found[at].iter().position(u8::is_ascii_digit) {
                found[at][digit] = b'0' + random.below(10) as u8;
            }
        }
        _ => found[at] = words(&found[at], PDF, random),
    }
    found.push(rest.to_vec());
    found.concat()
}
