use super::*;
use crate::content::testing::{Part, read_document};
use crate::syntax::recording;
use proptest::prelude::*;

fn lines(datagram: &[u8]) -> Vec<String> {
    let of = |size| {
        let mut document = DataExport.open(&Media::Unknown);
        read_document(&mut *document, "POLL", &[Part::Bytes(datagram)], size).records.lines
    };
    let whole = of(usize::MAX);
    for size in [1, 7, 50] {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

fn attribute_of(id: u16, value: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn text(id: u16, text: &str) -> Vec<u8> {
    let wide: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    attribute_of(id, &[&(wide.len() as u16).to_be_bytes()[..], &wide].concat())
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let all = items.concat();
    let head = [items.len() as u16, all.len() as u16].map(u16::to_be_bytes).concat();
    [head, all].concat()
}

fn demographics() -> Vec<u8> {
    list(&[
        attribute_of(0x0957, &[0, 2]),
        text(0x095a, "MRN-100200"),
        text(0x095d, "Jürgen"),
        text(0x095c, "Hartman"),
        attribute_of(0x0961, &[0, 1]),
        attribute_of(0x0958, &[0x19, 0x59, 0x11, 0x02, 0, 0, 0, 0]),
        text(0x091e, "Bed 7"),
    ])
}

/// A datagram with this operation and command.
fn datagram(operation: u16, command: u16, body: &[u8]) -> Vec<u8> {
    let linked = if operation == LINKED_RESULT { &[1, 1][..] } else { &[] };
    let inner = [linked, &[0, 1], &command.to_be_bytes(), &(body.len() as u16).to_be_bytes(), body];
    let inner = inner.concat();
    let head = [&[0xe1, 0, 0, 2][..], &operation.to_be_bytes()].concat();
    [&head[..], &(inner.len() as u16).to_be_bytes(), &inner].concat()
}

const OBJECT: [u8; 6] = [0, 0x21, 0, 0, 0, 0];
const EXPECTED: &str = "patient_id=MRN-100200 sex=M birth_date=19591102 name=Hartman^Jürgen";

fn answered(action: u16, objects: &[Vec<u8>]) -> Vec<u8> {
    let objects: Vec<Vec<u8>> = objects.iter().map(|o| [&[0, 9][..], o].concat()).collect();
    let contexts = list(&[[&[0, 0][..], &list(&objects)].concat()]);
    let sequence = if action == POLL_EXTENDED { &[0, 5][..] } else { &[] };
    let reply = [&[0, 1][..], sequence, &[0; 12], &[0, 1, 0, 0x2a, 0, 0], &contexts].concat();
    [&OBJECT[..], &action.to_be_bytes(), &(reply.len() as u16).to_be_bytes(), &reply].concat()
}

#[test]
fn answers_to_polls_name_the_patient() {
    let numerics = list(&[attribute_of(0x0950, &[0; 10])]);
    for (operation, action) in [(RESULT, 0x0c16), (LINKED_RESULT, POLL_EXTENDED)] {
        let body = answered(action, &[numerics.clone(), demographics()]);
        let got = lines(&datagram(operation, CONFIRMED_ACTION, &body));
        assert_eq!(got.len(), 1);
        assert!(got[0].contains(EXPECTED), "{got:?}");
    }
}

#[test]
fn settings_and_reports_name_the_patient() {
    let set: Vec<Vec<u8>> = [text(0x095a, "MRN-100200"), text(0x095c, "Hartman")]
        .iter()
        .map(|a| [&[0, 0][..], a].concat())
        .collect();
    let body = [&OBJECT[..], &[0; 4], &list(&set)].concat();
    let got = lines(&datagram(1, CONFIRMED_SET, &body));
    assert!(got[0].contains("patient_id=MRN-100200 name=Hartman"), "{got:?}");
    let event = [&OBJECT[..], &[0; 8], &OBJECT, &demographics()].concat();
    assert!(lines(&datagram(1, CONFIRMED_EVENT, &event))[0].contains(EXPECTED));
}

#[test]
fn a_monitor_without_a_patient_names_nobody() {
    let nobody = list(&[
        attribute_of(0x0957, &[0, 0]),
        text(0x095a, ""),
        text(0x095c, ""),
        attribute_of(0x0961, &[0, 0]),
        attribute_of(0x0958, &[0xff; 8]),
    ]);
    let body = answered(0x0c16, &[nobody]);
    assert_eq!(lines(&datagram(RESULT, CONFIRMED_ACTION, &body)), Vec::<String>::new());
}

#[test]
fn the_sample_of_rules_is_read() {
    let sample = recording::sample("intellivue", "095C", "Hartman").expect("a sample");
    assert!(lines(&sample)[0].contains("name=Hartman"));
}

proptest! {
    #[test]
    fn garbage(flips in proptest::collection::vec((0usize..400, any::<u8>()), 0..8), cut in 0usize..300) {
        let mut file = datagram(RESULT, CONFIRMED_ACTION, &answered(0x0c16, &[demographics()]));
        for (at, byte) in flips {
            let len = file.len();
            file[at % len] = byte;
        }
        file.truncate(cut);
        let mut document = DataExport.open(&Media::Unknown);
        read_document(&mut *document, "POLL", &[Part::Bytes(&file)], 9);
    }
}
