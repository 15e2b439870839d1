use super::super::recorder::{Piece, Recorder, play};
use super::super::{Driver, DriverEvent, DriverLimits};
use crate::flow::{Orientation, Side};
use Piece::Client;
use proptest::prelude::*;

fn recognised(bytes: &[u8]) -> Option<&'static str> {
    let of = |size| {
        let (sink, events) = play(&[Client(bytes)], size);
        let known = events.iter().find_map(|n| match n {
            DriverEvent::Recognised(name) => Some(*name),
            DriverEvent::Opaque(..) => None,
        });
        let own = matches!(known, Some("raw" | "jetdirect"));
        if own {
            assert_eq!(sink.contents[0].bytes, bytes, "all of it, in pieces of {size}");
        }
        known.filter(|_| own)
    };
    let whole = of(usize::MAX);
    for size in [1, 2, 3, 7, 100] {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn bare_documents_are_recognised() {
    let dicom = [&[0; 128][..], b"DICM\x02\0"].concat();
    for document in [
        &b"%PDF-1.7\n"[..],
        b"PK\x03\x04\x14\0",
        b"mrn,last_name,first_name\r\n1,A,B\r\n",
        "Patienten-ID;Nachname;Geburtsdatum (TT.MM.JJJJ);Größe\n".as_bytes(),
        b" {\"mrn\" : 7}",
        b"[ {\"mrn\":7}]",
        b"<?xml version='1.0'?><patients/>",
        b"<Patient xmlns=\"http://hl7.org/fhir\"><id/></Patient>",
        b"<s:Envelope\n xmlns:s='x'>",
        b"UNB+UNOC:3+A+B'UNH+1+MEDRPT:0'",
        b"01380006310\r\n",
        &dicom,
    ] {
        assert_eq!(recognised(document), Some("raw"), "{document:?}");
    }
}

#[test]
fn conversations_are_not_taken_for_documents() {
    for text in [
        &b"hello, world, again!\n"[..],
        b"LIST a,b\n",
        b"1,2,3\n",
        b"{a:1}",
        b"<policy-file-request/>",
        b"UNB: unknown",
        b"01380006310 is a number\r\n",
        b"[1,2]",
        b"a,b\n",
        b"\0\0\0\0\0",
        b"PK",
        b"^X",
    ] {
        assert_eq!(recognised(text), None, "{text:?}");
    }
}

#[test]
fn the_middle_of_a_flow_is_no_document() {
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    for (sure, known) in [(true, Some("raw")), (false, None)] {
        let mut driver = Driver::new(limits, Orientation { client: Side::Low, sure });
        driver.data(Side::High, b"{\"mrn\":7}", &mut Recorder::default());
        assert_eq!(driver.protocol(), known);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(b"a,b,c\n"), Piece::ClientGap(3), Client(&bytes), Piece::Server(&bytes)], size);
        play(&[Client(&bytes)], size);
    }
}
