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

#[test]
fn truncated_at_every_length() {
    for (syntax, uid) in [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT)] {
        let data = sample(syntax);
        let whole = read(uid, false, &data, usize::MAX).records.concat();
        for len in 0..data.len() {
            let part = read(uid, false, &data[..len], 7).records.concat();
            // An id is handed on without its issuer where that is cut off.
            for (have, want) in part.iter().zip(&whole) {
                assert!(want.starts_with(have), "{have} instead of {want}");
            }
        }
    }
}

#[test]
fn a_length_nobody_can_have_costs_nothing() {
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
fn depth_bombs() {
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
    #![proptest_config(ProptestConfig::with_cases(256))]

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
        at in proptest::collection::vec((0usize..400, any::<u8>()), 1..6),
        gap in 0usize..400,
        size in 1usize..60,
    ) {
        for (syntax, uid) in
            [(Syntax::ImplicitLe, IMPLICIT), (Syntax::ExplicitLe, EXPLICIT), (Syntax::ExplicitBe, BIG)]
        {
            let mut data = sample(syntax);
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
            let parts = [Part::Data(head), Part::Gap(13), Part::Data(tail)];
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
