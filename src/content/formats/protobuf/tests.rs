use crate::content::Media;
use crate::content::testing::{records, records_of};

fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn text(number: u64, value: &str) -> Vec<u8> {
    bytes(number, value.as_bytes())
}

fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// The records of a message of a method.
fn call(path: &str, message: &[u8]) -> Vec<String> {
    let media = Media::Type { content_type: "application/protobuf", name: path };
    let whole = records_of(media, &[], message, usize::MAX);
    for piece in [1, 2, 3, 7, 64] {
        assert_eq!(records_of(media, &[], message, piece), whole, "in pieces of {piece}");
    }
    whole
}

const METHOD: &str = "/clinic.v1.PatientService/GetPatient";

#[test]
fn flat_records_of_a_patient_service() {
    let jane = [
        text(1, "H-0077"),
        text(2, "Jane"),
        text(3, "Roe"),
        text(4, "1970-01-31"),
        text(5, "F"),
        text(6, "jane.roe@mail.example"),
        text(7, "536-90-4399"),
        number(8, 3),
        text(9, "2026-03-01"),
    ]
    .concat();
    let expected = "http>protobuf:~protobuf [PatientContext] patient_id=H-0077 name=Jane Roe birth_date=1970-01-31 \
         sex=F email=jane.roe@mail.example ssn=536-90-4399";
    assert_eq!(call(METHOD, &jane), [expected]);
    // A list of them, with what else a page of a list has.
    let john = [
        text(1, "H-0078"),
        text(2, "Jörg van Dyk"),
        bytes(4, &[number(1, 1969), number(2, 2), number(3, 3)].concat()),
    ]
    .concat();
    let list = [bytes(1, &jane), bytes(1, &john), text(2, "next-page-token")].concat();
    assert_eq!(
        call("/clinic.v1.Records/ListPatients", &list),
        [
            expected,
            "http>protobuf:~protobuf [PatientContext] patient_id=H-0078 name=Jörg van Dyk birth_date=1969-02-03",
        ]
    );
}

#[test]
fn values_that_say_what_they_are() {
    let message = [text(1, "MRN0012345"), text(2, "Jane Roe"), text(3, "19700131")].concat();
    assert_eq!(
        call("/x.Y/Z", &bytes(3, &message)),
        [
            "http>protobuf:~protobuf [PatientContext] patient_id=MRN0012345 name=Jane Roe birth_date=19700131"
        ]
    );
    // A map, as in `google.protobuf.Struct`.
    let entry =
        |name: &str, value: &str| bytes(1, &[text(1, name), bytes(2, &text(3, value))].concat());
    let map = [entry("patient_name", "Jane Roe"), entry("dob", "1970-01-31"), entry("ward", "3")]
        .concat();
    assert_eq!(
        call("", &map),
        ["http>protobuf:~protobuf [PatientContext] name=Jane Roe birth_date=1970-01-31"]
    );
}

#[test]
fn a_fhir_resource_in_protobuf_is_a_record() {
    let string = |n: u64, value: &str| bytes(n, &text(1, value));
    let birth = [number(1, (-1_000_000_000_000i64) as u64), text(2, "UTC"), number(3, 3)].concat();
    let patient = [
        string(1, "p1"),
        bytes(10, &[string(5, "urn:oid:1.2"), string(6, "H-0077")].concat()),
        bytes(12, &[number(3, 2), string(5, "Roe"), string(6, "Jane")].concat()),
        bytes(15, &birth),
    ]
    .concat();
    let any =
        [text(1, "type.googleapis.com/google.fhir.r4.core.Patient"), bytes(2, &patient)].concat();
    assert_eq!(
        call("/fhir.Store/Read", &any),
        ["http>protobuf:~protobuf [PatientContext] name=Roe Jane birth_date=1969-12-20"]
    );
}

#[test]
fn documents_inside_messages_are_read() {
    let json = "{\"mrn\":\"77\",\"name\":\"Jane Roe\",\"dob\":\"1970-01-31\"}";
    let got = call("/a.B/C", &[number(1, 5), bytes(2, &text(3, json))].concat());
    assert_eq!(
        got,
        [
            "http>protobuf>json:~json [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31"
        ]
    );
    let note = "Patient: Jane Roe\nMRN: 77\n";
    assert_eq!(
        call("", &text(1, note)),
        ["http>protobuf>text:~text [PatientContext] name=Jane Roe patient_id=77"]
    );
}

#[test]
fn messages_without_patients_give_none() {
    let employee = [text(1, "E-1002"), text(2, "Jane Roe"), text(3, "1970-01-31")].concat();
    assert!(call("/hr.StaffService/GetEmployee", &employee).is_empty());
    let trace = [text(1, "Checkout Service"), text(2, "2026-03-01"), text(3, "Patient")].concat();
    assert!(
        call("/otel.Trace/Export", &bytes(1, &[text(1, "GET"), text(2, "2026-03-01")].concat()))
            .is_empty()
    );
    // Not the shape of a person.
    assert!(
        call(METHOD, &[text(1, "H-0077"), text(2, "in progress"), text(3, "2026-03-01")].concat())
            .is_empty()
    );
    assert!(call("/shop.Orders/List", &trace[..18]).is_empty());
    assert!(records("application/x-protobuf", b"{\"a\":1}").is_empty());
}

#[test]
fn cut_broken_and_deep() {
    let inner = [text(1, "MRN0012345"), text(2, "Jane Roe"), text(3, "19700131")].concat();
    let sample = [number(1, 7), bytes(2, &inner), text(9, "Jane")].concat();
    for end in 0..sample.len() {
        call(METHOD, &sample[..end]);
        for byte in [0, 1, 0x0a, 0x12, 0x7f, 0x80, 0xff] {
            let mut broken = sample.clone();
            broken[end] = byte;
            let media = Media::Type { content_type: "application/protobuf", name: METHOD };
            records_of(media, &[], &broken, 5);
        }
    }
    let mut deep = text(1, "x");
    for _ in 0..3000 {
        deep = bytes(1, &deep);
    }
    call(METHOD, &deep);
    // A file inside is passed over unread.
    let file = bytes(7, &vec![0xff; 3 << 20]);
    let got = call("", &[file, bytes(2, &inner)].concat());
    assert_eq!(got.len(), 1);
    let huge = [varint(7 << 3 | 2), varint(1 << 62)].concat();
    call("", &[huge, vec![0; 1000]].concat());
}
