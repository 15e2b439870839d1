//! The upper layer of DICOM (PS3.8) and its messages (PS3.7).

use super::streams::{conversation, records, run};
use phitap::flow::Direction::{ClientToServer, ServerToClient};
use phitap::pipeline::test_harness::Conversation;

/// Transfer syntaxes, of which an input chooses by number.
pub const SYNTAXES: [&str; 6] = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
    "",
];

/// PDUs as they come, behind an association or not (bit 0 of the first byte). Of the [`records`], those that
/// are wrapped are bodies of P-DATA-TF.
pub fn pdus(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut flow = conversation(11_112);
    if first & 1 == 0 {
        associate(&mut flow);
    }
    records(&mut flow, rest, |_, bytes| pdu(4, bytes));
    run(flow);
}

/// Messages in an association. The input is a list of records: how (bit 0: the server speaks, bit 1: a
/// command, bit 2: the last fragment, bits 3 to 5: the context), length (two bytes), then the fragment.
pub fn messages(data: &[u8]) {
    let mut flow = conversation(11_112);
    associate(&mut flow);
    let mut rest = data;
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, after) = tail.split_at(len.min(tail.len()));
        let context = 2 * ((how >> 3) & 7) % (2 * SYNTAXES.len() as u8) + 1;
        let control = ((how >> 1) & 1) | ((how >> 1) & 2);
        let speaker = if how & 1 == 0 { ClientToServer } else { ServerToClient };
        flow.say(speaker, &fragment(context, control, bytes));
        rest = after;
    }
    run(flow);
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn item(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// An association in which context 2n+1 has the n-th transfer syntax.
fn associate(flow: &mut Conversation) {
    let mut fixed = vec![0, 1, 0, 0];
    fixed.extend(b"ARCHIVE         CT01            ");
    fixed.extend([0; 32]);
    fixed.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    let (mut request, mut accept) = (fixed.clone(), fixed);
    for (n, uid) in SYNTAXES.iter().enumerate() {
        let id = 2 * n as u8 + 1;
        let syntax = item(0x40, uid.as_bytes());
        let class = item(0x30, b"1.2.840.10008.5.1.4.1.1.7");
        request.extend(item(0x20, &[&[id, 0, 0, 0][..], &class, &syntax].concat()));
        accept.extend(item(0x21, &[&[id, 0, 0, 0][..], &syntax].concat()));
    }
    let user = item(0x50, &item(0x51, &16_384u32.to_be_bytes()));
    request.extend(&user);
    accept.extend(&user);
    flow.say(ClientToServer, &pdu(1, &request));
    flow.say(ServerToClient, &pdu(2, &accept));
}

/// A fragment of a command (`control` 1) or a data set (0), with 2 added if it is the last.
fn fragment(context: u8, control: u8, value: &[u8]) -> Vec<u8> {
    let len = (value.len() as u32 + 2).to_be_bytes();
    pdu(4, &[&len[..], &[context, control], value].concat())
}
