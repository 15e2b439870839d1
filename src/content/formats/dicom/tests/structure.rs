use super::*;

const PATIENT: [&str; 5] = [
    "(0008,0050) accession_number A24510381",
    "(0010,0010) name Müller^Jörg",
    "(0010,0020) patient_id 00912033 @NORTH",
    "(0010,0030) birth_date 19591102",
    "(0010,0040) sex M",
];

fn encodings() -> [(Syntax, &'static str); 3] {
    [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT), (Syntax::ExplicitBe, BIG)]
}

#[test]
fn reads_every_syntax_in_pieces_of_every_size() {
    for (syntax, uid) in encodings() {
        let data = Build::new(syntax).patient().pixels(64).bytes;
        let log = read_all(uid, &data);
        assert_eq!(log.records, [PATIENT], "{uid}");
        assert_eq!(log.facts.dicom.as_ref().expect("facts of DICOM").modalities, ["CT"]);
        assert_eq!(
            log.facts.dicom.as_ref().expect("facts of DICOM").station.as_deref(),
            Some("CT4")
        );
        assert_eq!(
            log.facts.dicom.as_ref().expect("facts of DICOM").institution.as_deref(),
            Some("Northfield Clinic")
        );
        assert_eq!(
            log.facts.dicom.as_ref().expect("facts of DICOM").sop_classes,
            ["1.2.840.10008.5.1.4.1.1.2"]
        );
        assert!(log.given_up.is_empty());
        assert!(log.skipped >= 64);
    }
}

#[test]
fn staff_are_not_patients() {
    let data = Build::new(Syntax::ExplicitLe).patient().bytes;
    let log = read(EXPLICIT, false, &data, usize::MAX);
    assert!(!format!("{:?}", log.records).contains("Quincy"));
}

#[test]
fn encapsulated_syntaxes_are_explicit_little_endian() {
    let data = Build::new(Syntax::ExplicitLe)
        .patient()
        .head(0x7FE0_0010, "OB", UNDEFINED)
        .raw(&[0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0])
        .bytes;
    let log = read_all("1.2.840.10008.1.2.4.50", &data);
    assert_eq!(log.records, [PATIENT]);
}

#[test]
fn a_wrong_or_unknown_transfer_syntax_is_inferred_from_the_bytes() {
    for (syntax, uid) in encodings() {
        let data = Build::new(syntax).patient().pixels(64).bytes;
        for declared in ["", IMPLICIT, EXPLICIT, BIG] {
            let log = read(declared, false, &data, usize::MAX);
            assert_eq!(log.records, [PATIENT], "{uid} declared as {declared:?}");
        }
    }
}

#[test]
fn the_middle_of_a_data_set_is_passed_over() {
    let data = Build::new(Syntax::ExplicitLe).patient().pixels(4096).bytes;
    for at in [1, 4, 9, 700, 2000] {
        let log = read("", false, &data[at..], usize::MAX);
        assert!(log.records.is_empty(), "from {at}: {:?}", log.records);
        let media = Media::Type { content_type: "application/dicom", name: "" };
        assert!(!Part10.probe(&media, &data[at..], Extent::Whole), "from {at}");
    }
    // The identifier of a service may begin with any group, once it is known to begin.
    let step = Build::new(Syntax::ImplicitLe)
        .text(0x0040_0252, "", "COMPLETED")
        .text(0x0040_0254, "", "CHEST ROUTINE")
        .sequence(0x0040_0270, true, &[&|b| b.text(0x0010_0020, "", "77-1")])
        .bytes;
    assert_eq!(read_all("", &step).records, [["(0010,0020) patient_id 77-1"]]);
}

#[test]
fn sequences_with_and_without_lengths() {
    for (syntax, uid) in encodings() {
        for defined in [true, false] {
            let data = Build::new(syntax)
                .text(0x0008_0050, "SH", "A1234")
                .text(0x0010_0010, "PN", "Hamilton^Erin")
                .text(0x0010_0020, "LO", "00030945")
                .sequence(
                    0x0010_1002,
                    defined,
                    &[
                        &|b| {
                            b.text(0x0010_0020, "LO", "X00030945")
                                .text(0x0010_0021, "LO", "OTHERHOSP")
                                .text(0x0010_0022, "CS", "TEXT")
                        },
                        &|b| {
                            b.text(0x0010_0020, "LO", "839-19-4906").text(0x0010_0021, "LO", "SSA")
                        },
                        &|b| {
                            b.text(0x0010_0020, "LO", "77").sequence(
                                0x0010_0024,
                                defined,
                                &[&|b| b.text(0x0040_0032, "UT", "1.2.3.4")],
                            )
                        },
                        &|b| b,
                    ],
                )
                .text(0x0010_1060, "PN", "Smith")
                .sequence(
                    0x0040_0275,
                    defined,
                    &[&|b| b.text(0x0008_0050, "SH", "N5678").text(0x0040_1001, "SH", "RP1")],
                )
                .pixels(32)
                .bytes;
            let log = read_all(uid, &data);
            assert_eq!(
                log.records,
                [[
                    "(0008,0050) accession_number A1234",
                    "(0010,0010) name Hamilton^Erin",
                    "(0010,0020) patient_id 00030945",
                    "(0010,1002) other_id X00030945 @OTHERHOSP",
                    "(0010,1002) ssn 839-19-4906 @SSA",
                    "(0010,1002) other_id 77 @1.2.3.4",
                    "(0010,1060) mothers_maiden_name Smith",
                    "(0008,0050) accession_number N5678",
                ]],
                "{uid} {defined}"
            );
        }
    }
}

#[test]
fn several_values_and_texts() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0010_0010, "PN", "Doe^Jane^^^ ")
        .text(0x0010_1000, "LO", "A-1 \\ B-2\\")
        .text(0x0010_1001, "PN", "Roe^Jane\\^^\\Doe^J")
        .text(0x0010_2154, "SH", "+1 800 555 0141\\+1 800 555 0142")
        .bytes;
    let log = read_all(EXPLICIT, &data);
    assert_eq!(
        log.records,
        [[
            "(0010,0010) name Doe^Jane^^^",
            "(0010,1000) other_id A-1",
            "(0010,1000) other_id B-2",
            "(0010,1001) name Roe^Jane",
            "(0010,1001) name Doe^J",
            "(0010,2154) phone +1 800 555 0141",
            "(0010,2154) phone +1 800 555 0142",
        ]]
    );
}

#[test]
fn unknown_vrs_and_sequences_written_as_unknown() {
    // A node that does not know the sequence writes UN; inside it stays as it came.
    for inner in [Syntax::ImplicitLe, Syntax::ExplicitLe] {
        let item = Build::new(inner).text(0x0010_0020, "LO", "Z-991").bytes;
        let nested = Build::new(Syntax::ImplicitLe)
            .head(0xFFFE_E000, "", item.len() as u32)
            .raw(&item)
            .bytes;
        let data = Build::new(Syntax::ExplicitLe)
            .text(0x0010_0010, "UN", "Doe^Jane")
            .head(0x0010_1002, "UN", nested.len() as u32)
            .raw(&nested)
            .text(0x0010_1040, "ZZ", "12 Main St")
            .bytes;
        let log = read_all(EXPLICIT, &data);
        assert_eq!(
            log.records,
            [[
                "(0010,0010) name Doe^Jane",
                "(0010,1002) other_id Z-991",
                "(0010,1040) address 12 Main St"
            ]]
        );
    }
}

#[test]
fn private_sequences_in_implicit_data_sets_are_entered() {
    let item = Build::new(Syntax::ImplicitLe).text(0x0010_0010, "", "Roe^Richard").bytes;
    let nested =
        Build::new(Syntax::ImplicitLe).head(0xFFFE_E000, "", item.len() as u32).raw(&item).bytes;
    let data = Build::new(Syntax::ImplicitLe)
        .text(0x0008_0060, "", "MR")
        .text(0x0009_0010, "", "ACME 1.0")
        .bytes(0x0009_1001, "", &nested)
        .text(0x0010_0020, "", "77-1")
        .bytes;
    let log = read_all(IMPLICIT, &data);
    assert_eq!(log.records, [["(0010,0010) name Roe^Richard", "(0010,0020) patient_id 77-1"]]);
}

#[test]
fn unwanted_values_are_skipped() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .bytes(0x0009_1001, "OB", &vec![1; 100_000])
        .text(0x0010_0010, "PN", "Doe^Jane")
        .pixels(1_000_000)
        .bytes;
    let log = read(EXPLICIT, false, &data, 1460);
    assert_eq!(log.records, [["(0010,0010) name Doe^Jane"]]);
    assert!(log.skipped > 1_090_000, "{}", log.skipped);
    assert!(log.memory < 4 << 10, "{}", log.memory);
}

#[test]
fn a_question_is_marked_and_ranges_and_wild_cards_are_none() {
    let data = Build::new(Syntax::ImplicitLe)
        .text(0x0008_0052, "", "PATIENT")
        .text(0x0010_0010, "", "*")
        .text(0x0010_0020, "", "00912033")
        .text(0x0010_0030, "", "19500101-19600101")
        .bytes;
    let log = read(IMPLICIT, true, &data, usize::MAX);
    assert_eq!(log.records, [["(0010,0020) patient_id 00912033"]]);
    assert_eq!(log.marks, [Mark::Query]);
}

#[test]
fn what_the_data_set_says_of_itself_is_marked() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0010_0010, "PN", "SUBJ-12")
        .text(0x0012_0062, "CS", "YES")
        .text(0x0028_0301, "CS", "YES")
        .bytes;
    let log = read_all(EXPLICIT, &data);
    assert_eq!(log.marks, [Mark::Deidentified, Mark::BurnedIn]);
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0010_0010, "PN", "Doe^Jane")
        .text(0x0012_0062, "CS", "NO")
        .text(0x0028_0301, "CS", "NO")
        .bytes;
    assert!(read_all(EXPLICIT, &data).marks.is_empty());
}

#[test]
fn a_gap_costs_what_it_hits() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .bytes(0x0009_1001, "OB", &[1; 1000])
        .text(0x0010_0010, "PN", "Doe^Jane")
        .bytes(0x0010_1040, "LO", &[b'x'; 300])
        .text(0x0010_2154, "SH", "555 0141")
        .bytes;
    let media = Media::DicomDataSet { transfer_syntax: EXPLICIT, query: false };
    let with_gap = |from: usize, len: usize, size| {
        let parts =
            [Part::Bytes(&data[..from]), Part::Gap(len as u64), Part::Bytes(&data[from + len..])];
        read_parts(&DataSet, media, &parts, size)
    };
    // In a value that is passed over: nothing is lost.
    let log = with_gap(500, 300, 100);
    assert_eq!(log.records[0].len(), 3);
    // In a value that is kept: only that.
    let address = data.len() - 16 - 200;
    let log = with_gap(address, 50, 100);
    assert_eq!(log.records, [["(0010,0010) name Doe^Jane", "(0010,2154) phone 555 0141"]]);
    // Before it was decided what this is.
    let short = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .text(0x0010_0010, "PN", "Doe^Jane")
        .bytes(0x0010_1040, "LO", &[b'x'; 40])
        .text(0x0010_2154, "SH", "555 0141")
        .bytes;
    let parts = [Part::Bytes(&short[..50]), Part::Gap(8), Part::Bytes(&short[58..])];
    let log = read_parts(&DataSet, media, &parts, usize::MAX);
    assert_eq!(log.records, [["(0010,0010) name Doe^Jane", "(0010,2154) phone 555 0141"]]);
    // Across headers: what came before stays.
    let log = with_gap(address, 210, 100);
    assert_eq!(log.records, [["(0010,0010) name Doe^Jane"]]);
    assert_eq!(log.given_up, [Reason::Gap]);
}

#[test]
fn elements_are_found_again_after_a_loss() {
    for (syntax, uid) in encodings() {
        let data =
            Build::new(syntax).patient().text(0x0018_0015, "CS", "CHEST").pixels(300_000).bytes;
        let media = Media::DicomDataSet { transfer_syntax: uid, query: false };
        for (from, len) in [(60, 40), (30, 70), (90, 60)] {
            for size in [1, 13, 1460, usize::MAX] {
                let parts = [
                    Part::Bytes(&data[..from]),
                    Part::Gap(len as u64),
                    Part::Bytes(&data[from + len..]),
                ];
                let log = read_parts(&DataSet, media, &parts, size);
                let last = log.records[0].last().map(String::as_str);
                assert_eq!(last, Some("(0010,0040) sex M"), "{uid} without {len} from {from}");
                assert!(log.given_up.is_empty());
                // Never anything that is not there.
                assert!(log.records[0].iter().all(|f| PATIENT.iter().any(|p| p.starts_with(f))));
            }
        }
        // In the pixels nothing is found, and the search has an end.
        let from = data.len() - 300_010;
        let parts = [Part::Bytes(&data[..from]), Part::Gap(60), Part::Bytes(&data[from + 60..])];
        let log = read_parts(&DataSet, media, &parts, 1460);
        assert_eq!(log.records, [PATIENT]);
        assert_eq!(log.given_up, [Reason::Gap]);
    }
}

#[test]
fn free_text_adds_to_somebody() {
    let text = "Patient seen; born 1970-06-06, MRN 00773500, reachable at (800) 555-0141.";
    let with = |name: &str| {
        Build::new(Syntax::ExplicitLe)
            .text(0x0008_0060, "CS", "SR")
            .text(0x0009_0010, "LO", "ACME support@acme.example.com")
            .text(0x0009_1001, "LO", "mail jane.doe@example.org please")
            .bytes(0x0009_1002, "UN", b"call 030 901820-11\0")
            .bytes(0x0009_1003, "UN", b"call\x01\x02 030 901820-12")
            .text(0x0010_0010, "PN", name)
            .sequence(0x0040_A730, false, &[&|b| b.text(0x0040_A160, "UT", text)])
            .bytes
    };
    let log = read_all(EXPLICIT, &with("Doe^Jane"));
    assert_eq!(
        log.records,
        [[
            "(0010,0010) name Doe^Jane",
            "private email jane.doe@example.org ?",
            "private phone 030 901820-11 ?",
            "(0040,A160) birth_date 1970-06-06 ?",
            "(0040,A160) phone (800) 555-0141 ?",
            "(0040,A160) patient_id 00773500 ?",
        ]]
    );
    // The record number is labelled: it identifies a person by itself.
    assert_eq!(read(EXPLICIT, false, &with(""), 100).records[0].len(), 5);
    // A telephone number alone does not.
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "OT")
        .text(0x0020_4000, "LT", "Service: call (800) 555-0141, help@vendor.example.com")
        .bytes;
    assert!(read(EXPLICIT, false, &data, 100).records[0].is_empty());
}

#[test]
fn telecom_information_may_be_an_address_for_mail() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0010_0020, "LO", "7-1")
        .text(0x0010_2155, "LT", "jane.doe@example.org")
        .bytes;
    let log = read_all(EXPLICIT, &data);
    assert_eq!(log.records[0][1], "(0010,2155) email jane.doe@example.org");
}
