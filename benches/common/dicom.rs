//! DICOM associations (PS3.8 9.3) that store and find.

use super::{Conversation, Numbers, person};

const MR_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.4";
const STUDY_ROOT_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
/// Longest P-DATA-TF the acceptor takes, bytes.
const MAX_PDU: usize = 16_384;

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn associate(kind: u8, class: &str) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{:<16}{:<16}", "ARCHIVE", "MR02").as_bytes());
    body.extend([0; 32]);
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    let mut context = vec![1, 0, 0, 0];
    if kind == 1 {
        context.extend(item(0x30, class.as_bytes()));
    }
    context.extend(item(0x40, EXPLICIT_LE.as_bytes()));
    body.extend(item(if kind == 1 { 0x20 } else { 0x21 }, &context));
    let info =
        [item(0x51, &(MAX_PDU as u32).to_be_bytes()), item(0x52, b"1.2.276.0.7230010.3.0.3.6.7")];
    body.extend(item(0x50, &info.concat()));
    pdu(kind, &body)
}

fn command(field: u16, class: &str, data: bool, status: Option<u16>) -> Vec<u8> {
    let element = |e: u16, value: &[u8]| {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        [&[0, 0][..], &e.to_le_bytes(), &(value.len() as u32).to_le_bytes(), &value].concat()
    };
    let mut set = element(0x0002, class.as_bytes());
    set.extend(element(0x0100, &field.to_le_bytes()));
    set.extend(element(0x0110, &1u16.to_le_bytes()));
    set.extend(element(0x0800, &(if data { 1u16 } else { 0x0101 }).to_le_bytes()));
    if let Some(status) = status {
        set.extend(element(0x0900, &status.to_le_bytes()));
    }
    [element(0, &(set.len() as u32).to_le_bytes()), set].concat()
}

fn message(command: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (bytes, kind) in [(command, 1), (data, 0)] {
        let mut chunks = bytes.chunks(MAX_PDU - 6).peekable();
        while let Some(chunk) = chunks.next() {
            let control = kind | if chunks.peek().is_none() { 2 } else { 0 };
            let head = (chunk.len() as u32 + 2).to_be_bytes();
            out.extend(pdu(4, &[&head[..], &[1, control], chunk].concat()));
        }
    }
    out
}

fn element(out: &mut Vec<u8>, tag: u32, vr: &str, value: &[u8]) {
    out.extend(((tag >> 16) as u16).to_le_bytes());
    out.extend((tag as u16).to_le_bytes());
    out.extend(vr.as_bytes());
    let len = value.len() + value.len() % 2;
    if vr == "OW" {
        out.extend([0, 0]);
        out.extend((len as u32).to_le_bytes());
    } else {
        out.extend((len as u16).to_le_bytes());
    }
    out.extend(value);
    if value.len() % 2 == 1 {
        out.push(if vr == "UI" { 0 } else { b' ' });
    }
}

fn data_set(n: usize, pixels: &[u8]) -> Vec<u8> {
    let p = person(n);
    let (y, m, d) = p.birth;
    let mut set = Vec::new();
    let text: [(u32, &str, String); 12] = [
        (0x0008_0005, "CS", "ISO_IR 100".into()),
        (0x0008_0016, "UI", MR_IMAGE.into()),
        (0x0008_0018, "UI", format!("1.2.826.0.1.3680043.9.{n}.1")),
        (0x0008_0020, "DA", "20260301".into()),
        (0x0008_0050, "SH", format!("A{n:08}")),
        (0x0008_0060, "CS", "MR".into()),
        (0x0010_0010, "PN", format!("{}^{}", p.family, p.given)),
        (0x0010_0020, "LO", p.id.clone()),
        (0x0010_0030, "DA", format!("{y}{m:02}{d:02}")),
        (0x0010_0040, "CS", p.sex.into()),
        (0x0020_000d, "UI", format!("1.2.826.0.1.3680043.9.{n}")),
        (0x0028_0004, "CS", "MONOCHROME2".into()),
    ];
    for (tag, vr, value) in &text {
        element(&mut set, *tag, vr, value.as_bytes());
    }
    if !pixels.is_empty() {
        element(&mut set, 0x7fe0_0010, "OW", pixels);
    }
    set
}

/// One association that stores `images` of `size` bytes of pixels each.
pub fn store(images: usize, size: usize) -> Conversation {
    let pixels = Numbers::new(3).bytes(size);
    let mut conversation = Conversation::default();
    conversation.client(associate(1, MR_IMAGE));
    conversation.server(associate(2, MR_IMAGE));
    for n in 0..images {
        // Ten images of each patient.
        let set = data_set(n / 10, &pixels);
        conversation.client(message(&command(0x0001, MR_IMAGE, true, None), &set));
        conversation.server(message(&command(0x8001, MR_IMAGE, false, Some(0)), &[]));
    }
    conversation.client(pdu(5, &[0; 4]));
    conversation.server(pdu(6, &[0; 4]));
    conversation
}

/// One association with a query and `answers` patients.
pub fn find(answers: usize) -> Conversation {
    let mut conversation = Conversation::default();
    conversation.client(associate(1, STUDY_ROOT_FIND));
    conversation.server(associate(2, STUDY_ROOT_FIND));
    let mut keys = Vec::new();
    element(&mut keys, 0x0008_0052, "CS", b"STUDY");
    element(&mut keys, 0x0010_0010, "PN", b"");
    element(&mut keys, 0x0010_0020, "LO", b"");
    conversation.client(message(&command(0x0020, STUDY_ROOT_FIND, true, None), &keys));
    let mut all = Vec::new();
    for n in 0..answers {
        let answer = command(0x8020, STUDY_ROOT_FIND, true, Some(0xff00));
        all.extend(message(&answer, &data_set(n, &[])));
    }
    all.extend(message(&command(0x8020, STUDY_ROOT_FIND, false, Some(0)), &[]));
    conversation.server(all);
    conversation.client(pdu(5, &[0; 4]));
    conversation.server(pdu(6, &[0; 4]));
    conversation
}
