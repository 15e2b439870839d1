//! Associations built here, played through the driver in segments of every size.

mod associations;
mod commands;
mod hostile;
mod memory;
mod recognition;

use crate::protocol::recorder::{COMPLETE, CUT, Piece, Recorded, Recorder, play, play_with};
use crate::protocol::{Authentication, Direction, Object, Outcome, Reason, Want};

pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const STUDY_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

pub fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

pub fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn fixed(called: &str, calling: &str) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{called:<16}{calling:<16}").as_bytes());
    body.extend([0; 32]);
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    body
}

/// A-ASSOCIATE-RQ with presentation contexts: id, abstract syntax, transfer syntaxes.
pub fn request(contexts: &[(u8, &str, &[&str])], user: &[u8]) -> Vec<u8> {
    let mut body = fixed("ARCHIVE", "CT01");
    for (id, abstract_syntax, transfer) in contexts {
        let mut context = vec![*id, 0, 0, 0];
        context.extend(item(0x30, abstract_syntax.as_bytes()));
        for uid in *transfer {
            context.extend(item(0x40, uid.as_bytes()));
        }
        body.extend(item(0x20, &context));
    }
    let info = [
        item(0x51, &16384u32.to_be_bytes()),
        item(0x52, b"1.2.276.0.7230010.3.0.3.6.7"),
        item(0x55, b"OFFIS_DCMTK_367"),
        user.to_vec(),
    ];
    body.extend(item(0x50, &info.concat()));
    pdu(1, &body)
}

/// A-ASSOCIATE-AC: id, result, transfer syntax.
pub fn accept(contexts: &[(u8, u8, &str)]) -> Vec<u8> {
    accept_with(contexts, &[])
}

/// The same with further user information.
pub fn accept_with(contexts: &[(u8, u8, &str)], user: &[u8]) -> Vec<u8> {
    let mut body = fixed("ARCHIVE", "CT01");
    for (id, result, transfer) in contexts {
        let context = [&[*id, 0, *result, 0][..], &item(0x40, transfer.as_bytes())].concat();
        body.extend(item(0x21, &context));
    }
    body.extend(item(0x50, &[&item(0x52, b"1.2.826.0.1.3680043.2.1")[..], user].concat()));
    pdu(2, &body)
}

pub fn pdv(context: u8, control: u8, value: &[u8]) -> Vec<u8> {
    let len = (value.len() as u32 + 2).to_be_bytes();
    [&len[..], &[context, control], value].concat()
}

/// A command set.
pub fn command(field: u16, class: &str, data: bool, status: Option<u16>) -> Vec<u8> {
    command_with(field, class, data, status, &[])
}

/// A command set with further elements, in the order of their tags.
pub fn command_with(
    field: u16,
    class: &str,
    data: bool,
    status: Option<u16>,
    more: &[(u16, &[u8])],
) -> Vec<u8> {
    let element = |e: u16, value: &[u8]| {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        [&[0, 0][..], &e.to_le_bytes(), &(value.len() as u32).to_le_bytes(), &value].concat()
    };
    let status = status.map(u16::to_le_bytes);
    let id = if field & 0x8000 == 0 { 0x0110 } else { 0x0120 };
    let mut elements: Vec<(u16, Vec<u8>)> = vec![
        (0x0002, class.as_bytes().to_vec()),
        (0x0100, field.to_le_bytes().to_vec()),
        (id, 1u16.to_le_bytes().to_vec()),
        (0x0800, (if data { 1u16 } else { 0x0101 }).to_le_bytes().to_vec()),
    ];
    elements.extend(status.map(|s| (0x0900, s.to_vec())));
    for (tag, value) in more {
        elements.retain(|(t, _)| t != tag);
        elements.push((*tag, value.to_vec()));
    }
    elements.sort_by_key(|(tag, _)| *tag);
    let set: Vec<u8> = elements.iter().flat_map(|(tag, value)| element(*tag, value)).collect();
    [element(0, &(set.len() as u32).to_le_bytes()), set].concat()
}

/// A message in PDUs of at most `max` bytes behind the header.
pub fn message(context: u8, command: &[u8], data: Option<&[u8]>, max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut parts = vec![(command, 1)];
    parts.extend(data.map(|d| (d, 0)));
    for (bytes, kind) in parts {
        let chunks: Vec<&[u8]> =
            if bytes.is_empty() { vec![bytes] } else { bytes.chunks(max - 6).collect() };
        for (n, chunk) in chunks.iter().enumerate() {
            let last = if n + 1 == chunks.len() { 2 } else { 0 };
            out.extend(pdu(4, &pdv(context, kind | last, chunk)));
        }
    }
    out
}

pub fn store_request() -> Vec<u8> {
    command(0x0001, CT, true, None)
}

/// A data set as far as framing is concerned.
pub fn data_set(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + 3) as u8).collect()
}
