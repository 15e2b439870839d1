use crate::content::testing::records;

/// What is found, in any order.
const FIELDS: [&str; 3] = ["patient_id=H-77", "name=Roe^Jane", "birth_date=1970-01-31"];

/// Names and values of a patient.
const MEMBERS: [(&str, &str); 4] =
    [("mrn", "H-77"), ("last_name", "Roe"), ("first_name", "Jane"), ("birth_date", "1970-01-31")];

fn php() -> String {
    let members = MEMBERS
        .map(|(name, value)| format!("s:{}:\"{name}\";s:{}:\"{value}\";", name.len(), value.len()));
    format!("{{{}}}", members.concat())
}

/// A map whose texts have these heads: of the map, and added to the length of a text.
fn binary(map: u8, text: u8) -> Vec<u8> {
    let part = |part: &str| [&[text | part.len() as u8], part.as_bytes()].concat();
    let members = MEMBERS.map(|(name, value)| [part(name), part(value)].concat());
    [&[map | 4], members.concat().as_slice()].concat()
}

/// A dictionary of protocol 4, within a frame.
fn pickle() -> Vec<u8> {
    let part = |part: &str| [&[0x8c, part.len() as u8], part.as_bytes(), &[0x94]].concat();
    let mut members = Vec::new();
    for (name, value) in &MEMBERS[..3] {
        members.extend([part(name), part(value)].concat());
    }
    members.extend(part("birth_date"));
    // datetime.date(1970, 1, 31)
    members.extend([part("datetime"), part("date")].concat());
    members.extend(b"\x93\x94C\x04\x07\xb2\x01\x1f\x94\x85\x94R\x94");
    [b"\x80\x04\x95\x60\0\0\0\0\0\0\0}\x94(", members.as_slice(), b"u."].concat()
}

#[test]
fn values_of_php_messagepack_cbor_and_pickle() {
    let php = php();
    for value in [
        format!("a:4:{php}").into_bytes(),
        format!("O:7:\"Patient\":4:{php}").into_bytes(),
        format!("user|s:3:\"bob\";patient|a:4:{php}").into_bytes(),
        binary(0x80, 0xa0),
        binary(0xa0, 0x60),
        [b"\x91".as_slice(), &binary(0x80, 0xa0)].concat(),
        pickle(),
    ] {
        let got = records("application/octet-stream", &value);
        assert!(got.len() == 1 && FIELDS.iter().all(|f| got[0].contains(f)), "{value:?}: {got:?}");
        for end in 0..value.len() {
            records("application/octet-stream", &value[..end]);
        }
    }
}

#[test]
fn lengths_that_lie_and_deep_values_are_refused() {
    for value in [
        b"a:99999999999:{s:3:\"mrn\";".as_slice(),
        b"a:1:{s:99:\"mrn\";i:1;}",
        b"\x81\xa3mrn\xdb\xff\xff\xff\xff",
        b"\xa1\x63mrn\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\x04}(X\xff\xff\xff\xffmrn",
    ] {
        assert_eq!(records("application/octet-stream", value), [""; 0]);
    }
    for deep in [b"a:1:{i:0;".repeat(5000), b"\x81\xa1a".repeat(5000), b"\xa1\x61a".repeat(5000)] {
        assert_eq!(records("application/octet-stream", &deep), [""; 0]);
    }
}

/// What Java, .NET, Ruby and igbinary write; made by their own libraries.
const MADE: [(&str, &[u8]); 5] = [
    ("java", include_bytes!("../../../../fixtures/serialized/java.bin")),
    ("dotnet", include_bytes!("../../../../fixtures/serialized/dotnet.bin")),
    ("ruby", include_bytes!("../../../../fixtures/serialized/ruby.bin")),
    ("igbinary", include_bytes!("../../../../fixtures/serialized/igbinary.bin")),
    ("pickle", include_bytes!("../../../../fixtures/serialized/pickle.bin")),
];

#[test]
fn objects_by_the_libraries_that_write_them() {
    for (kind, value) in MADE {
        let got = records("application/octet-stream", value);
        assert_eq!(got.len(), 2, "{kind}: {got:#?}");
        let first = ["patient_id=H-770012", "name=Solberg^Ingrid", "birth_date=1961-10-14"];
        assert!(first.iter().all(|field| got[0].contains(field)), "{kind}: {got:#?}");
        let second = ["patient_id=H-770013", "name=Nygaard^Lars", "birth_date=1970-01-31"];
        assert!(second.iter().all(|field| got[1].contains(field)), "{kind}: {got:#?}");
        assert!(!got.concat().contains("N-4410"), "{kind}: {got:#?}");
        for end in 0..value.len() {
            let cut = records("application/octet-stream", &value[..end]);
            assert!(cut.len() <= 2 && !cut.concat().contains("Moen"), "{kind}, {end}: {cut:#?}");
        }
    }
}

#[test]
fn a_changed_byte_anywhere_does_no_harm() {
    for (_, value) in MADE {
        for at in (0..value.len()).step_by(2) {
            for byte in [0x7f, value[at] ^ 1] {
                let mut changed = value.to_vec();
                changed[at] = byte;
                records("application/octet-stream", &changed);
            }
        }
    }
}

#[test]
fn objects_that_contain_themselves_and_deep_ones_end() {
    let java = |elements: &[u8]| [b"\xac\xed\0\x05", elements].concat();
    // A list that is its own only element, in a class without fields.
    let class = b"\x75\x72\0\x13[Ljava.lang.Object;\0\0\0\0\0\0\0\0\x02\0\0\x78\x70\0\0\0\x01";
    let own = java(&[class.as_slice(), b"\x71\0\x7e\0\x01"].concat());
    assert_eq!(records("application/octet-stream", &own), [""; 0]);
    // A class that is its own parent.
    let loops = java(b"\x73\x72\0\x01A\0\0\0\0\0\0\0\0\x02\0\0\x78\x71\0\x7e\0\0");
    assert_eq!(records("application/octet-stream", &loops), [""; 0]);
    let deep = java(&b"\x75\x72\0\x02[L\0\0\0\0\0\0\0\0\x02\0\0\x78\x70\0\0\0\x01".repeat(3000));
    assert_eq!(records("application/octet-stream", &deep), [""; 0]);
    let deep = [b"\x04\x08".as_slice(), &b"[\x06{\x06:\x06a".repeat(9000)].concat();
    assert_eq!(records("application/octet-stream", &deep), [""; 0]);
    let deep =
        [b"\0\0\0\x02\x14\x01\x11\x01a".as_slice(), &b"\x14\x01\x11\x01a".repeat(9000)].concat();
    assert_eq!(records("application/octet-stream", &deep), [""; 0]);
}
