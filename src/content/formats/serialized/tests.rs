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
