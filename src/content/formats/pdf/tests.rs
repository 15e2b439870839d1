//! On documents of several generators, and on ones that are broken or hostile.

use super::*;
use crate::content::testing::{read_as, records, with_scope};
use crate::content::{ContentCounters, Extent};
use proptest::prelude::*;

/// The text of a document, and the work left.
fn worked(data: &[u8], ending: Ending) -> (String, u64) {
    let fuel = Fuel::new(MAX_WORK);
    let file = File::new(data, &fuel);
    let mut out = String::new();
    write_text(&file, ending, &mut |text| {
        match text {
            Text::Line(line) => out.push_str(&line.text()),
            Text::Note(note) => out.push_str(note),
        }
        out.push('\n');
    });
    (out, fuel.left())
}

fn text(data: &[u8]) -> String {
    worked(data, Ending::Complete).0
}

/// What a document in pieces of `piece` bytes counts.
fn counters(data: &[u8], piece: usize) -> ContentCounters {
    read_as(Media::Unknown, &[], data, piece).1
}

const REPORTLAB: &[u8] = include_bytes!("../../../../fixtures/pdf/reportlab.pdf");
const REPORTLAB_FORM: &[u8] =
    include_bytes!("../../../../fixtures/pdf/reportlab-form-truetype.pdf");
const ENCRYPTED: &[u8] = include_bytes!("../../../../fixtures/pdf/reportlab-encrypted.pdf");
const FPDF: &[u8] = include_bytes!("../../../../fixtures/pdf/fpdf2.pdf");
const FPDF_TRUETYPE: &[u8] = include_bytes!("../../../../fixtures/pdf/fpdf2-truetype.pdf");
const MATPLOTLIB: &[u8] = include_bytes!("../../../../fixtures/pdf/matplotlib-type3.pdf");
const WEASYPRINT: &[u8] = include_bytes!("../../../../fixtures/pdf/weasyprint.pdf");
const QPDF: &[u8] = include_bytes!("../../../../fixtures/pdf/qpdf-object-streams.pdf");
const PDFMAKE: &[u8] = include_bytes!("../../../../fixtures/pdf/pdfmake.pdf");
const PDF_LIB: &[u8] = include_bytes!("../../../../fixtures/pdf/pdf-lib-form.pdf");

const GHOSTSCRIPT_PATHS: &[u8] = include_bytes!("../../../../fixtures/pdf/ghostscript-paths.pdf");

/// A document that says nothing.
const REPORTLAB_EMPTY: &[u8] = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n";

const SAMPLES: [&[u8]; 10] = [
    REPORTLAB,
    REPORTLAB_FORM,
    ENCRYPTED,
    FPDF,
    FPDF_TRUETYPE,
    MATPLOTLIB,
    WEASYPRINT,
    QPDF,
    PDFMAKE,
    PDF_LIB,
];

#[test]
fn text_that_is_drawn_as_paths() {
    let text = text(GHOSTSCRIPT_PATHS);
    for line in ["Patient: Roe, Jane", "DOB: 1970-01-31", "MRN: H771230"] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn documents_of_several_generators() {
    let labelled = ["Patient:", "MRN:", "DOB:"];
    let values = ["Shane Compton", "00797402", "07/26/1957"];
    for (at, data) in SAMPLES.iter().enumerate().filter(|(at, _)| *at != 2) {
        let text = text(data);
        for (label, value) in labelled.iter().zip(values) {
            let found = text
                .lines()
                .any(|line| line.strip_prefix(label).is_some_and(|rest| rest.trim() == value));
            assert!(found, "{label} in sample {at}");
        }
    }
    for data in [REPORTLAB_FORM, FPDF_TRUETYPE, MATPLOTLIB, WEASYPRINT] {
        assert!(text(data).contains("Größe-Straße 7, Łódź\n"));
    }
    for data in [REPORTLAB, QPDF, FPDF] {
        assert!(text(data).contains("1001   Müller, Jörg   1970-01-31   I10\n"));
    }
    assert!(
        text(REPORTLAB).contains("\nThe patient reports that he has had pain in the lower back")
    );
    assert!(text(WEASYPRINT).contains("\noffice affine word office affine word"), "ligatures");
    let form = text(REPORTLAB_FORM);
    assert!(
        form.starts_with("Patient name: Form Person\npatient_name: Form Person\ndob: 1970-02-03\n")
    );
    assert!(form.ends_with("Rotated: side note\n"));
}

#[test]
fn records_of_people() {
    let table = |id: u32, name: &str, date: &str| {
        let marks = "[PatientContext] [Diagnosis]";
        format!("http>pdf:~pdf {marks} patient_id={id} name={name} birth_date={date}")
    };
    let rows = [table(1001, "Müller, Jörg", "1970-01-31"), table(1002, "Doe, Jane", "1981-12-02")];
    for (at, data) in SAMPLES.iter().enumerate().filter(|(at, _)| *at != 2) {
        let got = records("application/pdf", data);
        if [0, 3, 6, 7, 8].contains(&at) {
            assert!(rows.iter().all(|row| got.contains(row)), "sample {at}");
        }
        let person = got.iter().any(|record| {
            record.contains(" name=Shane Compton")
                && record.contains(" patient_id=00797402")
                && record.contains(" birth_date=07/26/1957")
        });
        assert!(person, "sample {at}: {got:?}");
    }
    let form = "http>pdf:~pdf [PatientContext] name=Form Person birth_date=1970-02-03";
    assert_eq!(records("", PDF_LIB).first().map(String::as_str), Some(form), "nested fields");
}

#[test]
fn encrypted_ones_are_counted() {
    const PASSWORD: &[u8] = include_bytes!("../../../../fixtures/pdf/pikepdf-password.pdf");
    for piece in [7, 4096, PASSWORD.len()] {
        assert_eq!(counters(PASSWORD, piece).given_up, [(Reason::Encrypted, 1)]);
        assert_eq!(counters(REPORTLAB, piece).given_up, []);
    }
}

/// Whatever opens without a password is read: the same form under every method.
#[test]
fn a_document_encrypted_with_an_empty_password() {
    assert_eq!(records("", ENCRYPTED), ["http>pdf:~pdf [PatientContext] name=Secret"]);
    let plain = records("", PDF_LIB);
    assert!(!plain.is_empty());
    for (name, data) in [
        ("RC4-40", &include_bytes!("../../../../fixtures/pdf/pikepdf-rc4-40.pdf")[..]),
        ("RC4-128", include_bytes!("../../../../fixtures/pdf/pikepdf-rc4-128.pdf")),
        ("AES-128", include_bytes!("../../../../fixtures/pdf/pikepdf-aes-128.pdf")),
        ("AES-256, revision 5", include_bytes!("../../../../fixtures/pdf/pikepdf-aes-256-r5.pdf")),
        ("AES-256", include_bytes!("../../../../fixtures/pdf/pikepdf-aes-256.pdf")),
    ] {
        assert_eq!(counters(data, 4096).given_up, [], "{name}");
        assert_eq!(records("", data), plain, "{name}");
        // A wrong key is no key, and a broken document no panic.
        for at in (0..data.len()).step_by(97) {
            let mut broken = data.to_vec();
            broken[at] ^= 0x15;
            counters(&broken, data.len());
        }
    }
}

#[test]
fn what_is_said_about_a_document() {
    let with = |info: &str| {
        let about = format!("9 0 obj\n<< {info} >>\nendobj\ntrailer\n<< /Info 9 0 R >>\n");
        records("", &[REPORTLAB_EMPTY, about.as_bytes()].concat())
    };
    assert_eq!(
        with(
            "/Title (Report for MRN 00797402, DOB 07/26/1957) /PatientName (Shane Compton) /Author (Patient: No Body)"
        ),
        [
            "http>pdf:~pdf [PatientContext] patient_id=00797402 birth_date=07/26/1957 name=Shane Compton"
        ]
    );
    assert!(with("/Author (Jane Roe) /Title (Name: x) /CreationDate (D:20200101)").is_empty());
    let packet = b"7 0 obj\n<< /Type /Metadata /Subtype /XML /Length 118 >>\nstream\n<?xpacket begin=''?><x:xmpmeta xmlns:x='a'><d:PatientName>Shane Compton</d:PatientName><d:MRN>00797402</d:MRN></x:xmpmeta>\nendstream\nendobj\n";
    assert_eq!(
        records("", &[REPORTLAB_EMPTY, packet].concat()),
        ["http>pdf>xml:~xml [PatientContext] name=Shane Compton patient_id=00797402"]
    );
}

#[test]
fn recognised_by_its_mark() {
    let probe = |head: &[u8]| Pdf.probe(&Media::Unknown, head, Extent::Whole);
    assert!(probe(b"%PDF-1.7\n"));
    assert!(probe(b"\xef\xbb\xbf%PDF-1.7\n"));
    assert!(probe(b"some lead\r\n%PDF-1.7\n"));
    assert!(!probe(b"PDF"));
    assert!(!probe(b"magic\n%PDF- and so on"));
    assert!(!probe(b"a string \"%PDF-\" in source"));
}

/// A document with one page, and `objects` from number 10 on.
fn document(content: &str, resources: &str, objects: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n".to_vec();
    out.extend_from_slice(b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n");
    out.extend_from_slice(
        format!(
            "3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<{resources}>>>>endobj\n"
        )
        .as_bytes(),
    );
    let mut stream = |number: usize, dict: &str, data: &[u8]| {
        out.extend_from_slice(format!("{number} 0 obj<<{dict}").as_bytes());
        if dict.contains("/Length") {
            out.extend_from_slice(b">>stream\n");
            out.extend_from_slice(data);
            out.extend_from_slice(b"\nendstream endobj\n");
        } else {
            out.extend_from_slice(b">>endobj\n");
        }
    };
    stream(4, &format!("/Length {}", content.len()), content.as_bytes());
    for (at, (dict, data)) in objects.iter().enumerate() {
        stream(10 + at, dict, data);
    }
    out.extend_from_slice(b"trailer<</Root 1 0 R>>\n%%EOF");
    out
}

fn shown(content: &str) -> String {
    text(&document(content, "", &[]))
}

#[test]
fn moves_and_gaps() {
    assert_eq!(shown("BT /F 10 Tf 72 700 Td [(Na)-20(me:)-300(Jane)] TJ ET"), "Name: Jane\n");
    assert_eq!(
        shown("BT /F 10 Tf 12 TL 72 700 Td (a) Tj (b)' 1 2 (c)\" T* (d) Tj ET"),
        "a\nb\nc\nd\n"
    );
    // Columns first, rows as they are read.
    let columns = "BT /F 10 Tf 72 700 Td (Name:) Tj 0 -20 Td (DOB:) Tj ET BT /F 10 Tf 200 700 Td (Jane) Tj 0 -20 TD (1970) Tj ET";
    assert_eq!(shown(columns), "Name:   Jane\nDOB:   1970\n");
    // Upside down by one matrix and up again by another (cairo, WebKit).
    let flipped = "q .75 0 0 -.75 0 800 cm BT 12 0 0 -12 10 20 Tm /F 1 Tf (first) Tj ET BT 12 0 0 -12 10 60 Tm (second) Tj ET Q";
    assert_eq!(shown(flipped), "first\nsecond\n");
    assert_eq!(shown("BT /F 10 Tf (bold) Tj 1 0 0 1 .3 0 Tm (bold) Tj ET"), "bold\n");
    assert_eq!(shown("BI /W 1 /H 1 ID (((EIx EI BT /F 9 Tf (a) Tj ET"), "a\n");
    assert_eq!(shown("BT /F 0 Tf (no size) Tj /F 1e999 Tf (x) Tj ] >> BT /F 9 Tf (y) Tj"), "y\n");
}

#[test]
fn text_is_decoded_by_the_encoding_of_its_font() {
    let fonts = "/Font<</A<</Subtype/Type1/BaseFont/Helvetica/Encoding/MacRomanEncoding>>/B 10 0 R/C 11 0 R/D 13 0 R>>";
    let cmap = b"1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0003> <0020> \
        <0041> <D83DDE00> endbfchar 2 beginbfrange <0010> <0019> <0041> <0020> <0021> [<0078> <00660066>] endbfrange";
    let objects: &[(&str, &[u8])] = &[
        (
            "/Subtype/Type1/Encoding<</Differences[65/Aacute/afii10017/uni0416/fi/g9/Zcaron 0/omega]>>",
            b"",
        ),
        (
            "/Subtype/Type0/Encoding/Identity-H/ToUnicode 12 0 R/DescendantFonts[<</W[16[500 500] 18 30 600]/DW 400>>]",
            b"",
        ),
        ("/Length 14 0 R", cmap),
        ("/Subtype/Type0/Encoding/90ms-RKSJ-H", b""),
        // The length of the CMap, behind it.
        ("", b""),
    ];
    let mut data = document(
        "BT 12 TL /A 9 Tf (M\\212ller) Tj T* /B 9 Tf (ABCDEF\\000) Tj T* /C 9 Tf <00100011000300120021> Tj T* /D 9 Tf <8ea9> Tj ET",
        fonts,
        objects,
    );
    assert_eq!(text(&data), "Mäller\nÁАЖfiEŽω\nAB Cff\n自\n");
    data.truncate(data.len() - 60);
    assert!(text(&data).starts_with("Mäller\n"));
}

#[test]
fn a_cut_document_gives_what_it_has() {
    for (at, data) in SAMPLES.iter().enumerate().filter(|(at, _)| *at != 2) {
        let step = (data.len() / 200).max(1);
        for cut in (0..data.len()).step_by(step) {
            worked(&data[..cut], Ending::Cut);
        }
        // Without its last quarter (page tree, cross-reference table): most of the text.
        if [0, 3].contains(&at) {
            let got = worked(&data[..data.len() - 700], Ending::Cut).0;
            assert!(got.contains("00797402"), "sample {at}");
        }
    }
}

#[test]
fn pages_are_not_needed() {
    let lost =
        b"%PDF-1.4\n5 0 obj<</Length 40>>stream\nBT /F1 12 Tf 72 700 Td (DOB: 1970-01-01) Tj ET";
    assert_eq!(worked(lost, Ending::Cut).0, "DOB: 1970-01-01\n");
}

#[test]
fn images_are_passed_over() {
    let image = vec![b'x'; 100_000];
    let content = "BT /F 9 Tf (behind) Tj ET";
    let mut data = b"%PDF-1.4\n1 0 obj<</Subtype /Image/Length 100000/Width 9>>stream\r\n".to_vec();
    data.extend_from_slice(&image);
    data.extend_from_slice(b"\nendstream endobj ");
    data.extend_from_slice(&document(content, "", &[]));
    let held_of = |piece: usize| {
        let (mut images, mut held) = (Images::default(), Zeroizing::default());
        with_scope(|scope| {
            let mut at = 0;
            while at < data.len() {
                let end = data.len().min(at + piece);
                let skip = images.take(&data[at..end], &mut held, scope);
                at = end + skip as usize;
            }
        });
        held
    };
    let whole = held_of(data.len());
    assert_eq!(whole.len(), data.len() - image.len());
    assert_eq!(text(&whole), "behind\n");
    for piece in [1, 2, 3, 7, 64, 1000, 8191, 8193, 70_000] {
        assert!(held_of(piece) == whole, "in pieces of {piece}");
    }
}

#[test]
fn loops_and_bombs_end() {
    // A form that runs itself twice, a font for each show, a page tree that is a ring.
    let form = "/Subtype/Form/Length 15/Resources<</XObject<</X 10 0 R>>>>";
    let loops: [Vec<u8>; 5] = [
        document("/X Do ".repeat(1000).as_str(), "/XObject<</X 10 0 R>>", &[(form, b"/X Do /X Do /X Do")]),
        document("/X Do", "/XObject 10 0 R", &[("/X 10 0 R/Subtype/Form/Length 5", b"/X Do")]),
        b"%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R>> 2 0 obj<</Kids[2 0 R 1 0 R 2 0 R]>> 3 0 obj 3 0 R endobj".to_vec(),
        b"1 0 obj (".repeat(100_000),
        [b"%PDF-1.4 ".to_vec(), b"1 0 obj<<".repeat(200_000)].concat(),
    ];
    for (at, data) in loops.iter().enumerate() {
        let (text, left) = worked(data, Ending::Complete);
        assert!(text.len() <= 64, "{at}");
        assert!([0, 3].contains(&at) || left > 0, "{at}: ends by itself");
    }
    let shown = "(aaaaaaaaaaaaaaaa) Tj ".repeat(60_000);
    let cmap = format!("1 beginbfchar <61> <{}> endbfchar", "0061".repeat(64));
    let font = "/Font<</F<</Subtype/Type1/ToUnicode 10 0 R>>>>";
    let data = document(&format!("BT /F 9 Tf {shown}"), font, &[("/Length 1", cmap.as_bytes())]);
    assert!(text(&data).len() <= MAX_TEXT + (2 << 20));
}

#[test]
fn a_long_document_is_given_up() {
    let mut data = b"%PDF-1.4\n".to_vec();
    data.resize(MAX_DOCUMENT + 10, b' ');
    assert_eq!(counters(&data, 1 << 16).given_up, [(Reason::Limit, 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn mutations_do_no_harm(
        sample in 0..SAMPLES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
        doubled in any::<bool>(),
    ) {
        let mut data = SAMPLES[sample].to_vec();
        for (at, byte) in edits {
            let at = at.index(data.len());
            data[at] = byte;
        }
        let cut = cut.index(data.len());
        if doubled {
            let tail = data[cut..].to_vec();
            data.extend_from_slice(&tail);
        } else {
            data.drain(cut..(cut + 50).min(data.len()));
        }
        let (text, _) = worked(&data, Ending::Cut);
        prop_assert!(text.len() <= MAX_TEXT + (2 << 20));
    }

    #[test]
    fn words_of_the_format_in_any_order(words in prop::collection::vec(0..WORDS.len(), 0..200)) {
        let data: String = words.iter().map(|w| WORDS[*w]).collect();
        worked(data.as_bytes(), Ending::Cut);
    }
}

/// What documents are made of.
const WORDS: [&str; 32] = [
    "1 0 obj ",
    "2 0 obj ",
    "3 0 obj ",
    "endobj ",
    "<<",
    ">>",
    "[",
    "]",
    "/Type",
    "/Page ",
    "/Pages ",
    "/Catalog ",
    "/Kids ",
    "/Contents ",
    "1 0 R ",
    "2 0 R ",
    "3 0 R ",
    "stream\n",
    "\nendstream ",
    "/Length ",
    "/Filter",
    "/FlateDecode ",
    "/ObjStm ",
    "/N ",
    "/First ",
    "9 ",
    "(x)",
    "<41>",
    "BT /F1 9 Tf ",
    "Tj ",
    "/Font ",
    "trailer ",
];
