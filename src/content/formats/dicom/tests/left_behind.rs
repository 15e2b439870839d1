//! De-identified data sets, phantoms, and what is found where identifiers are not expected.

use super::*;

fn marks(build: Build) -> Vec<Mark> {
    read_all(EXPLICIT, &build.bytes).marks
}

fn fields(build: Build) -> Vec<String> {
    read_all(EXPLICIT, &build.bytes).records.remove(0)
}

fn named(name: &str, id: &str) -> Build {
    Build::new(Syntax::ExplicitLe).text(0x0008_0060, "CS", "CT").text(0x0010_0010, "PN", name).text(
        0x0010_0020,
        "LO",
        id,
    )
}

#[test]
fn what_says_that_a_data_set_was_deidentified() {
    let said = |b: Build| marks(b).contains(&Mark::Deidentified);
    assert!(said(named("SUBJ-12", "1").text(0x0012_0062, "CS", "YES")));
    assert!(said(named("SUBJ-12", "1").bytes(0x0012_0062, "CS", b"yes\0")));
    assert!(!said(named("SUBJ-12", "1").text(0x0012_0062, "CS", "NO")));
    // A method, by name or by code, unless it is said that it was not applied.
    let method = |b: Build| b.text(0x0012_0063, "LO", "Basic Application Confidentiality Profile");
    let code =
        |b: Build| b.sequence(0x0012_0064, false, &[&|b| b.text(0x0008_0100, "SH", "113100")]);
    assert!(said(method(named("SUBJ-12", "1"))));
    assert!(said(code(named("SUBJ-12", "1"))));
    assert!(!said(method(named("Doe^Jane", "1").text(0x0012_0062, "CS", "NO"))));
    assert!(!said(code(named("Doe^Jane", "1").text(0x0012_0062, "CS", "NO"))));
    // Names that anonymisers write, and people who are called alike.
    for (name, is) in [
        ("Anonymous", true),
        ("ANON^PATIENT", true),
        ("anonymized^^", true),
        ("De-Identified-0043", true),
        ("Doe^Jane", false),
        ("Anonby^Kjell", false),
        ("Private^Ryan", false),
        ("UNKNOWN", false),
    ] {
        assert_eq!(said(named(name, "1")), is, "{name}");
    }
    // Each once.
    let marks = marks(method(named("Anonymous", "1").text(0x0012_0062, "CS", "YES")));
    assert_eq!(marks, [Mark::Deidentified]);
}

#[test]
fn phantoms_are_known_by_name_and_number() {
    let is = |b: Build| marks(b).contains(&Mark::Phantom);
    assert!(is(named("PHANTOM^ACR", "771")));
    assert!(is(named("QA^Daily", "771")));
    assert!(is(named("", "QC-2024-05-11")));
    assert!(is(named("TEST^PATIENT", "QC-2024-05-11")));
    assert!(!is(named("Doe^Jane", "QC-2024-05-11")));
    assert!(!is(named("Phantom^Susan", "771")));
    assert!(is(named("Doe^Jane", "771").text(0x0010_0200, "CS", "YES")));
    assert!(is(named("Doe^Jane", "771").text(0x0028_0300, "CS", "YES")));
    // Patient and control material in one picture (PS3.3 C.7.6.1).
    assert!(!is(named("Doe^Jane", "771").text(0x0028_0300, "CS", "BOTH")));
}

#[test]
fn private_attributes_of_known_makers() {
    for block in [0x10u32, 0x42] {
        let data = |creator: &str| {
            Build::new(Syntax::ExplicitLe)
                .text(0x0008_0060, "CS", "CT")
                .text(0x0011_0000 | block, "LO", creator)
                .text(0x0011_0004 | block << 8, "LO", "X-4711")
                .text(0x0011_00B0 | block << 8, "LO", "Hartman")
                .bytes
        };
        assert_eq!(
            read_all(EXPLICIT, &data("SIEMENS ISI")).records,
            [[
                "(0011,xx04) of SIEMENS ISI other_id X-4711",
                "(0011,xxB0) of SIEMENS ISI name Hartman"
            ]]
        );
        assert!(read_all(EXPLICIT, &data("ACME 1.0")).records[0].is_empty());
    }
    // A block belongs to the item it was reserved in.
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .sequence(
            0x0008_1140,
            true,
            &[&|b| b.text(0x0011_0010, "LO", "SIEMENS ISI").text(0x0011_1004, "LO", "X-4711")],
        )
        .text(0x0011_1004, "LO", "X-4712")
        .bytes;
    assert_eq!(read_all(EXPLICIT, &data).records, [["(0011,xx04) of SIEMENS ISI other_id X-4711"]]);
    // Without value representations, too.
    let data = Build::new(Syntax::ImplicitLe)
        .text(0x0008_0060, "", "CT")
        .text(0x0091_0010, "", "SIENET")
        .text(0x0091_1020, "", "Hartman^Jason")
        .bytes;
    assert_eq!(read_all(IMPLICIT, &data).records, [["(0091,xx20) of SIENET name Hartman^Jason"]]);
}

#[test]
fn names_in_private_attributes_of_deidentified_objects_are_suspect() {
    let with = |b: Build| {
        let private = Build::new(Syntax::ExplicitLe)
            .text(0x0009_0010, "LO", "ACME 1.0")
            .text(0x0009_1001, "PN", "Hartman^Jason")
            .text(0x0009_1002, "LO", "Spiral^Fast^0.5")
            .text(0x0009_1003, "LO", "Ash^Eve")
            .text(0x0009_1004, "LO", "Abdomen routine")
            .bytes;
        let mut bytes = private;
        bytes.extend(b.bytes);
        read_all(EXPLICIT, &bytes).records.remove(0)
    };
    let module = |name: &str| {
        Build::new(Syntax::ExplicitLe).text(0x0010_0010, "PN", name).text(0x0010_0020, "LO", "1")
    };
    let clean = with(module("SUBJ-12").text(0x0012_0062, "CS", "YES"));
    assert_eq!(clean[2..], ["private name Hartman^Jason ?", "private name Ash^Eve ?"]);
    assert_eq!(with(module("Doe^Jane")).len(), 2);
}

#[test]
fn content_items_about_the_subject() {
    let item = |code: &'static str, scheme: &'static str, meaning: &'static str| {
        move |b: Build| {
            b.text(0x0008_0100, "SH", code).text(0x0008_0102, "SH", scheme).text(
                0x0008_0104,
                "LO",
                meaning,
            )
        }
    };
    let subject = item("121029", "DCM", "Subject Name");
    let observer = item("121008", "DCM", "Person Observer Name");
    let born = item("121031", "DCM", "Subject Birth Date");
    let own = item("X1", "99ACME", "Patient's name");
    let finding = item("121071", "DCM", "Finding");
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "SR")
        .sequence(0x0040_A043, false, &[&item("11528-7", "LN", "Report")])
        .sequence(
            0x0040_A730,
            false,
            &[
                &|b| {
                    b.sequence(0x0040_A043, true, &[&subject])
                        .text(0x0040_A123, "PN", "Hartman^Jason")
                        .sequence(
                            0x0040_A730,
                            true,
                            &[&|b| {
                                b.sequence(0x0040_A043, true, &[&observer]).text(
                                    0x0040_A123,
                                    "PN",
                                    "Quincy^Harriet",
                                )
                            }],
                        )
                },
                &|b| b.sequence(0x0040_A043, false, &[&born]).text(0x0040_A121, "DA", "19591102"),
                &|b| {
                    b.sequence(0x0040_A043, false, &[&own]).text(0x0040_A160, "UT", "Jason Hartman")
                },
                &|b| b.sequence(0x0040_A043, false, &[&finding]).text(0x0040_A160, "UT", "Normal"),
                // No concept of its own: that of the item before is over.
                &|b| b.text(0x0040_A123, "PN", "Nobody^Known"),
            ],
        )
        .bytes;
    let log = read_all(EXPLICIT, &data);
    assert_eq!(
        log.records,
        [[
            "(0040,A730) DCM 121029 name Hartman^Jason",
            "(0040,A730) DCM 121031 birth_date 19591102",
            "(0040,A730) DCM 121029 name Jason Hartman",
        ]]
    );
    assert_eq!(log.marks, [Mark::Result]);
}

#[test]
fn what_attributes_had_been_before_they_were_corrected() {
    let former = |id: &'static str, name: &'static str| {
        named("Doe^Jane", "77-1").sequence(
            0x0400_0561,
            false,
            &[&|b| {
                b.text(0x0400_0562, "DT", "20240511").sequence(
                    0x0400_0550,
                    true,
                    &[&|b| b.text(0x0010_0010, "PN", name).text(0x0010_0020, "LO", id)],
                )
            }],
        )
    };
    assert_eq!(
        fields(former("66-1", "Roe^Jane"))[2..],
        ["(0400,0550) name Roe^Jane", "(0400,0550) other_id 66-1"]
    );
    assert_eq!(fields(former("77-1", "Doe^Jane")).len(), 2);
}

#[test]
fn overlays_behind_the_functional_groups() {
    let data = named("Doe^Jane", "77-1")
        .sequence(
            0x5200_9230,
            false,
            &[&|b| b.sequence(0x0020_9111, false, &[&|b| b.text(0x0020_9157, "UL", "1234")])],
        )
        .text(0x6002_4000, "LT", "Patient Name: Anna Beispiel, MRN 00773500")
        .pixels(8);
    assert_eq!(
        fields(data)[2..],
        ["(60xx,4000) name Anna Beispiel ?", "(60xx,4000) patient_id 00773500 ?"]
    );
}

#[test]
fn weak_kinds_and_health_data() {
    let data = named("Doe^Jane", "77-1")
        .text(0x0010_1010, "AS", "045Y")
        .text(0x0010_1030, "DS", "70.2")
        .text(0x0010_2110, "LO", "Penicillin")
        .text(0x0010_2160, "SH", "Basque")
        .text(0x0010_2180, "SH", "Bookbinder")
        .bytes(0x0010_21C0, "US", &[4, 0]);
    let log = read_all(EXPLICIT, &data.bytes);
    assert_eq!(
        log.records[0][2..],
        [
            "(0010,1010) age 045Y",
            "(0010,2160) ethnicity Basque",
            "(0010,2180) occupation Bookbinder"
        ]
    );
    assert_eq!(log.marks, [Mark::Result, Mark::Diagnosis]);
    // Empty attributes say nothing.
    assert!(marks(named("Doe^Jane", "1").text(0x0010_2110, "LO", "")).is_empty());
}

#[test]
fn documents_of_any_size_are_handed_on_as_they_come() {
    let xml = |padding: usize| {
        format!(
            "<?xml version=\"1.0\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><!--{}--><recordTarget>\
             <patientRole><id root=\"1.2\" extension=\"H071\"/><patient><name><given>Sean</given>\
             <family>Price</family></name></patient></patientRole></recordTarget></ClinicalDocument>",
            "x".repeat(padding)
        )
    };
    for (padding, size) in [(0, 7), (0, 1000), (5 << 20, 8192)] {
        let data = named("Doe^Jane", "77-1")
            .bytes(0x0042_0011, "OB", xml(padding).as_bytes())
            .text(0x0042_0012, "LO", "text/xml")
            .bytes;
        let log = read_documents(&data, size);
        assert_eq!(log.records.len(), 2, "{padding}");
        assert_eq!(log.records[1].len(), 2, "{:?}", log.records);
        assert!(log.memory < 200 << 10, "{}", log.memory);
        // Cut off in the document: what came before is there.
        let log = read_documents(&data[..data.len() - 60], size);
        assert_eq!(log.records[1].len(), 2, "{padding}");
    }
    // Solids name no person and are not read.
    let data = named("Doe^Jane", "77-1")
        .bytes(0x0042_0011, "OB", &[b's'; 100_000])
        .text(0x0042_0012, "LO", "model/stl")
        .bytes;
    let log = read_all(EXPLICIT, &data[..2000]);
    assert_eq!(log.records.len(), 1);
}
