//! Truncated, mutated and malicious data sets.

use super::*;
use proptest::prelude::*;

fn sample(syntax: Syntax) -> Vec<u8> {
    Build::new(syntax)
        .patient()
        .sequence(
            0x0010_1002,
            false,
            &[&|b| b.text(0x0010_0020, "LO", "X1").text(0x0010_0021, "LO", "O")],
        )
        .sequence(0x0040_0275, true, &[&|b| b.text(0x0008_0050, "SH", "N5678")])
        .pixels(16)
        .bytes
}

/// With everything that changes what an attribute means.
fn rich(syntax: Syntax) -> Vec<u8> {
    let code = |b: Build| b.text(0x0008_0100, "SH", "121029").text(0x0008_0102, "SH", "DCM");
    Build::new(syntax)
        .text(0x0008_0005, "CS", "\\ISO 2022 IR 87")
        .text(0x0008_0050, "SH", "A24510381")
        .bytes(0x0010_0010, "PN", b"A^B=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B")
        .text(0x0010_0020, "LO", "771")
        .text(0x0010_0021, "LO", "NORTH")
        .text(0x0011_0010, "LO", "SIEMENS ISI")
        .text(0x0011_1004, "LO", "S-9")
        .text(0x0011_1005, "PN", "Roe^Jane")
        .text(0x0012_0062, "CS", "YES")
        .sequence(
            0x0040_A730,
            false,
            &[&|b| b.sequence(0x0040_A043, true, &[&code]).text(0x0040_A123, "PN", "Ash^Eve")],
        )
        .text(0x0042_0010, "ST", "Patient Name: Anna Beispiel")
        .bytes(
            0x0042_0011,
            "OB",
            b"<?xml version=\"1.0\"?><a><patient_name>Eve Ash</patient_name></a>",
        )
        .sequence(
            0x0400_0561,
            true,
            &[&|b| b.sequence(0x0400_0550, false, &[&|b| b.text(0x0010_0020, "LO", "66")])],
        )
        .text(0x6000_4000, "LT", "MRN 00773500")
        .pixels(16)
        .bytes
}

#[test]
fn truncated_at_every_length() {
    for (syntax, uid) in [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT)] {
        let data = sample(syntax);
        let whole = read(uid, false, &data, usize::MAX).records.concat();
        for len in 0..data.len() {
            let part = read(uid, false, &data[..len], 7).records.concat();
            // An id is passed on without its issuer where that is cut off.
            for (have, want) in part.iter().zip(&whole) {
                assert!(want.starts_with(have), "{have} instead of {want}");
            }
        }
    }
}

#[test]
fn an_impossible_length_costs_nothing() {
    for len in [u32::MAX - 15, 0x7FFF_FFFF] {
        for vr in ["UN", "UT", "OB"] {
            let data = Build::new(Syntax::ExplicitLe)
                .text(0x0008_0060, "CS", "CT")
                .head(0x0010_0010, vr, len)
                .raw(&[b'x'; 4096])
                .bytes;
            let log = read(EXPLICIT, false, &data, 100);
            assert!(log.memory < 40 << 10, "{}", log.memory);
        }
    }
}

#[test]
fn a_long_value_is_cut() {
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .bytes(0x0010_0010, "UT", &vec![b'x'; 200_000])
        .text(0x0010_0020, "LO", "77")
        .bytes;
    let log = read(EXPLICIT, false, &data, 1000);
    assert_eq!(log.records[0][0].len(), "(0010,0010) name ".len() + (10 << 10));
    assert_eq!(log.records[0][1], "(0010,0020) patient_id 77");
    assert!(log.memory < 64 << 10);
}

#[test]
fn deeply_nested_sequences_are_refused() {
    for defined in [false, true] {
        let mut data = Build::new(Syntax::ExplicitLe).text(0x0008_0060, "CS", "CT");
        for _ in 0..20_000 {
            let len = if defined { 0x7FFF_FFFF } else { UNDEFINED };
            data = data.head(0x0040_A730, "SQ", len).head(0xFFFE_E000, "", len);
        }
        let log = read(EXPLICIT, false, &data.bytes, 1460);
        assert_eq!(log.given_up, [Reason::Limit]);
        assert!(log.memory < 16 << 10);
    }
}

#[test]
fn many_tiny_items() {
    let mut inner = Build::new(Syntax::ImplicitLe);
    for _ in 0..100_000 {
        inner = inner.head(0xFFFE_E000, "", 0);
    }
    let data = Build::new(Syntax::ImplicitLe)
        .text(0x0008_0060, "", "CT")
        .head(0x0008_1110, "", inner.bytes.len() as u32)
        .raw(&inner.bytes)
        .text(0x0010_0020, "", "77")
        .bytes;
    let log = read(IMPLICIT, false, &data, 1460);
    assert_eq!(log.records, [["(0010,0020) patient_id 77"]]);
}

proptest! {
    #[test]
    fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), size in 1usize..40) {
        for uid in ["", IMPLICIT, EXPLICIT, BIG, DEFLATED] {
            let whole = read(uid, false, &bytes, usize::MAX);
            let mut pieces = read(uid, false, &bytes, size);
            pieces.memory = whole.memory;
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn mutations_do_not_panic(
        at in proptest::collection::vec((0usize..1200, any::<u8>()), 1..6),
        gap in 0usize..1200,
        size in 1usize..60,
    ) {
        let syntaxes =
            [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT), (Syntax::ExplicitBe, BIG)];
        for ((syntax, uid), make) in
            syntaxes.into_iter().flat_map(|s| [(s, sample as fn(Syntax) -> Vec<u8>), (s, rich)])
        {
            let mut data = make(syntax);
            for &(at, byte) in &at {
                let at = at % data.len();
                data[at] = byte;
            }
            let mut whole = read(uid, false, &data, usize::MAX);
            let pieces = read(uid, false, &data, size);
            whole.memory = pieces.memory;
            prop_assert_eq!(pieces, whole);
            let gap = gap % data.len();
            let media = Media::DicomDataSet { transfer_syntax: uid, query: false };
            let (head, tail) = data.split_at(gap);
            let parts = [Part::Bytes(head), Part::Gap(13), Part::Bytes(tail)];
            let mut whole = read_parts(&DataSet, media, &parts, usize::MAX);
            let pieces = read_parts(&DataSet, media, &parts, size);
            whole.memory = pieces.memory;
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn any_charset_decodes_any_bytes(
        declared in "(\\\\|ISO 2022 IR (6|13|58|87|100|126|144|149|159|166)|ISO_IR (100|192|13)|GB18030|GBK){0,3}",
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1B), Just(b'$'), Just(b')')], 0..80),
    ) {
        let mut text = String::new();
        super::super::charset::Charset::declared(declared.as_bytes()).decode(&bytes, &mut text);
        prop_assert!(text.len() <= 3 * bytes.len() + 3);
    }
}

/// The patient of [`Build::patient`].
fn is_reported(log: &Log) -> bool {
    log.records.first().is_some_and(|r| r.iter().any(|f| f.contains("patient_id 00912033")))
}

#[test]
fn what_was_read_before_is_reported_whatever_comes_behind() {
    for (syntax, uid) in
        [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT), (Syntax::ExplicitBe, BIG)]
    {
        let patient = || Build::new(syntax).patient();
        let mut bomb = patient();
        for _ in 0..500 {
            bomb = bomb.head(0x0040_A730, "SQ", UNDEFINED).head(0xFFFE_E000, "", UNDEFINED);
        }
        let behind = [
            ("a length of gigabytes", patient().head(0x0010_4000, "UT", 0xFFFF_FFF0), None),
            ("a sequence of gigabytes", patient().head(0x0040_0275, "SQ", 0x7FFF_FFF0), None),
            ("a recursion bomb", bomb, Some(Reason::Limit)),
            (
                "an item without a sequence",
                patient().head(0xFFFE_E000, "", UNDEFINED),
                Some(Reason::Malformed),
            ),
            ("a delimiter without a sequence", patient().head(0xFFFE_E0DD, "", 0), None),
            ("zeros", patient().raw(&[0; 600]), None),
            ("ones", patient().raw(&[0xFF; 600]), None),
        ];
        for (what, build, reason) in behind {
            for size in [1, 13, usize::MAX] {
                let log = read(uid, false, &build.bytes, size);
                assert!(is_reported(&log), "{what} in {uid}: {:?}", log.records);
                if let Some(reason) = reason {
                    assert_eq!(log.given_up, [reason], "{what} in {uid}");
                }
                assert!(log.memory < 16 << 10, "{what} in {uid}: {}", log.memory);
            }
        }
    }
}

#[test]
fn odd_lengths_and_group_lengths() {
    for (syntax, uid) in [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT)] {
        let data = Build::new(syntax)
            .head(0x0008_0000, "UL", 4)
            .raw(&26u32.to_le_bytes())
            .head(0x0008_0050, "SH", 5)
            .raw(b"A1234")
            .head(0x0010_0000, "UL", 4)
            .raw(&[9, 9, 9, 9])
            .head(0x0010_0010, "PN", 7)
            .raw(b"Doe^Jan")
            .head(0x0010_0020, "LO", 3)
            .raw(b"771")
            .bytes;
        assert_eq!(
            read_all(uid, &data).records,
            [[
                "(0008,0050) accession_number A1234",
                "(0010,0010) name Doe^Jan",
                "(0010,0020) patient_id 771"
            ]]
        );
    }
}

#[test]
fn value_representations_that_there_are_none() {
    // Two capitals are one of the future, with a long length; blanks and marks are writers who did
    // not know; what reads as no VR at all is an implicit element among explicit ones.
    for vr in [&b"ZZ\0\0"[..], b"??\0\0", b"  \0\0", b"--\0\0"] {
        let data = Build::new(Syntax::ExplicitLe)
            .text(0x0008_0060, "CS", "CT")
            .raw(&[0x10, 0, 0x10, 0])
            .raw(vr)
            .raw(&8u32.to_le_bytes())
            .raw(b"Doe^Jane")
            .text(0x0010_0020, "LO", "77-1")
            .bytes;
        assert_eq!(read_all(EXPLICIT, &data).records[0].len(), 2, "{vr:?}");
    }
    let data = Build::new(Syntax::ExplicitLe)
        .text(0x0008_0060, "CS", "CT")
        .raw(&[0x10, 0, 0x10, 0, 8, 0, 0, 0])
        .raw(b"Doe^Jane")
        .text(0x0010_0020, "LO", "77-1")
        .bytes;
    assert_eq!(read_all(EXPLICIT, &data).records[0].len(), 2);
    // No possible length: only what preceded it counts.
    let data = Build::new(Syntax::ExplicitLe)
        .patient()
        .raw(&[0x10, 0, 0x40, 0x10, b'p', b'n', 0xFF, 0x7F, 0xFF, 0xFF])
        .text(0x0010_2154, "SH", "555 0141")
        .bytes;
    let log = read_all(EXPLICIT, &data);
    assert!(is_reported(&log));
    assert_eq!(log.given_up, [Reason::Malformed]);
}

#[test]
fn any_syntax_declared_as_any_other() {
    let deflate = |bytes: &[u8]| {
        let mut deflater =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut deflater, bytes).expect("memory");
        deflater.finish().expect("memory")
    };
    let of = |syntax| Build::new(syntax).patient().pixels(600).bytes;
    let written = [
        of(Syntax::ImplicitLe),
        of(Syntax::ExplicitLe),
        of(Syntax::ExplicitBe),
        deflate(&of(Syntax::ExplicitLe)),
        deflate(&of(Syntax::ImplicitLe)),
    ];
    for (n, data) in written.iter().enumerate() {
        for declared in ["", IMPLICIT, EXPLICIT, BIG, DEFLATED, "1.2.840.10008.1.2.4.50", "1.2.3"] {
            for size in [7, usize::MAX] {
                let log = read(declared, false, data, size);
                assert!(is_reported(&log), "{n} declared as {declared:?}: {:?}", log.records);
            }
        }
    }
}
