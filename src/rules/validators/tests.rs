use super::*;

/// Numbers published as examples; with one character changed they must fail.
const VECTORS: &[(&str, &str)] = &[
    ("ar-cuit", "20055361682"),
    ("at-svnr", "1237010180"),
    ("au-ihi", "8003608833357361"),
    ("au-medicare", "2428778132"),
    ("au-medicare", "2123456701"),
    ("au-tfn", "123456782"),
    ("be-nn", "85073003328"),
    ("bg-egn", "8032056031"),
    ("br-cns", "898000000043208"),
    ("br-cns", "700000000000005"),
    ("br-cpf", "39053344705"),
    ("ca-bc-phn", "9698658215"),
    ("ca-sin", "123456782"),
    ("ch-ahv", "7569217076985"),
    ("cl-rut", "760864285"),
    ("cn-ric", "360426199101010071"),
    ("cz-rc", "7103192745"),
    ("de-idnr", "36574261809"),
    ("de-kvnr", "A123456780"),
    ("de-kvnr", "A000500015"),
    ("de-lanr", "123456601"),
    ("ec-ci", "1714307103"),
    ("ee-ik", "36805280109"),
    ("es-dni", "54362315K"),
    ("es-dni", "X2482300W"),
    ("fi-hetu", "131052-308T"),
    ("fr-nir", "295109912611193"),
    ("fr-nir", "253072B07300470"),
    ("gb-nhs", "9434765919"),
    ("gr-amka", "01013099997"),
    ("hk-hkid", "A1234563"),
    ("hr-oib", "33392005961"),
    ("ie-pps", "6433435F"),
    ("il-id", "39337423"),
    ("in-aadhaar", "234123412346"),
    ("is-kennitala", "4504013150"),
    ("it-cf", "RCCMNL83S18D969H"),
    ("jmbg", "0101006500006"),
    ("jp-insurer", "33120015"),
    ("jp-my-number", "621498320257"),
    ("kr-rrn", "9710139019902"),
    ("lt-ak", "33309240064"),
    ("lu-matricule", "1893120105732"),
    ("lv-pk", "32867300679"),
    ("mx-curp", "BOXW310820HNERXN09"),
    ("nl-bsn", "111222333"),
    ("no-fnr", "15108695088"),
    ("nz-nhi", "ZZZ0016"),
    ("nz-nhi", "JBX3656"),
    ("nz-nhi", "ZAD96LT"),
    ("nz-nhi", "ZZZ00AX"),
    ("pe-dni", "101174102"),
    ("pl-pesel", "44051401359"),
    ("pt-nif", "501964843"),
    ("ro-cnp", "1630615123457"),
    ("ru-inn", "123456789047"),
    ("ru-snils", "11223344595"),
    ("se-pnr", "8803200016"),
    ("se-pnr", "198803200016"),
    ("sg-nric", "S1234567D"),
    ("th-pin", "3100600445635"),
    ("tr-tckn", "17291716060"),
    ("tw-id", "A123456789"),
    ("ua-rntrc", "1759013776"),
    ("us-dea", "AB1234563"),
    ("us-npi", "1234567893"),
    ("za-id", "7503305044089"),
];

#[test]
fn published_example_numbers_are_valid() {
    for (name, number) in VECTORS {
        let validator = Validator::named(name).expect(name);
        let passes = validator.check(number);
        if *name == "is-kennitala" {
            // The number of an organisation.
            assert!(!passes);
            continue;
        }
        assert!(passes, "{name} {number}");
        let mut bytes = number.as_bytes().to_vec();
        let at = match *name {
            "au-medicare" => 8,
            "de-lanr" => 6,
            _ => bytes.len() - 1,
        };
        bytes[at] = if bytes[at] == b'4' { b'6' } else { b'4' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        assert!(!validator.check(&changed), "{name} {changed}");
    }
}

#[test]
fn numbers_without_check_digits() {
    for (name, yes, no) in [
        ("us-ssn", "536904399", "666904399"),
        ("us-itin", "912903456", "912503456"),
        ("us-mbi", "1EG4TE5MK73", "1SG4TE5MK73"),
        ("gb-nino", "AB123456C", "QQ123456C"),
        ("ca-qc-ramq", "BOUF94010112", "BOUF94130112"),
        ("dk-cpr", "2110625629", "3210625629"),
        ("my-nric", "770305021234", "771305021234"),
        ("id-nik", "3171011708450001", "3171011713450001"),
        ("pk-cnic", "3420108912318", "9420108912318"),
    ] {
        let validator = Validator::named(name).expect(name);
        assert!(validator.check(yes), "{name} {yes}");
        assert!(!validator.check(no), "{name} {no}");
    }
}

#[test]
fn names_are_unique_and_anything_may_come() {
    let mut names: Vec<&str> = ALL.iter().map(|v| v.name).collect();
    let sorted = names.clone();
    names.dedup();
    assert_eq!(names, sorted);
    assert!(names.is_sorted() && Validator::named("nhs").is_none());
    let hostile =
        ["", "0", "é", "ÄÖÜ12345", "99999999999999999999999", "AAAAAAAAAAAAAAAAAA", "\0\0"];
    for validator in ALL {
        for text in hostile {
            validator.check(text);
        }
        for len in 0..=MAX_NUMBER {
            for byte in ["0", "9", "A", "Z", "-"] {
                validator.check(&byte.repeat(len));
            }
        }
    }
}

#[test]
fn separators_are_removed_and_lengths_capped() {
    let same = |value, separators| compact(value, separators).map(|c| c.to_string());
    assert_eq!(same(" 943 476-5919 ", " -"), Some("9434765919".to_owned()));
    assert_eq!(same("131052-308t", ""), Some("131052-308T".to_owned()));
    assert_eq!(same(&"1".repeat(25), ""), None);
}
