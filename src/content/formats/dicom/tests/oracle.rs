//! What dicom-rs reads of the same bytes.

use super::super::charset::Charset;
use super::super::element::{decode, vr_of};
use super::super::syntax::Syntax;
use dicom_core::VR;
use dicom_core::header::HasLength as _;
use dicom_encoding::decode::Decode;
use dicom_encoding::decode::explicit_be::ExplicitVRBigEndianDecoder;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::ImplicitVRLittleEndianDecoder;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};
use proptest::prelude::*;

const VRS: [&[u8; 2]; 12] =
    [b"PN", b"LO", b"SQ", b"OB", b"OW", b"UN", b"UT", b"US", b"DA", b"UI", b"LT", b"UC"];

proptest! {
    #[test]
    fn headers_are_read_as_dicom_rs_reads_them(
        group in 0u16..0xFFF0,
        element in any::<u16>(),
        vr in proptest::sample::select(&VRS[..]),
        rest in any::<[u8; 6]>(),
    ) {
        for syntax in [Syntax::ExplicitLe, Syntax::ExplicitBe, Syntax::ImplicitLe] {
            let big = syntax == Syntax::ExplicitBe;
            let u16_bytes = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let bytes =
                [&u16_bytes(group)[..], &u16_bytes(element), &vr[..], &rest].concat();
            let mut source = &bytes[..];
            let (theirs, size) = match syntax {
                Syntax::ExplicitLe => {
                    ExplicitVRLittleEndianDecoder::default().decode_header(&mut source)
                }
                Syntax::ExplicitBe => {
                    ExplicitVRBigEndianDecoder::default().decode_header(&mut source)
                }
                Syntax::ImplicitLe => {
                    ImplicitVRLittleEndianDecoder::with_std_dict().decode_header(&mut source)
                }
            }
            .expect("whole");
            let Ok(ours) = decode(&bytes, syntax) else {
                panic!("not read");
            };
            prop_assert_eq!(ours.tag, u32::from(group) << 16 | u32::from(element));
            prop_assert_eq!(ours.len, theirs.length().0);
            prop_assert_eq!(ours.size, size);
            if syntax != Syntax::ImplicitLe {
                prop_assert_eq!(ours.vr, Some(theirs.vr()));
                prop_assert_eq!(ours.vr, vr_of(*vr));
            } else if let Some(vr) = ours.vr {
                // Where theirs is read from the context, ours is the dictionary's.
                prop_assert!(vr == theirs.vr() || theirs.vr() == VR::UN || !ours_is_exact(vr));
            }
        }
    }

    #[test]
    fn character_sets_decode_as_in_dicom_rs(
        term in proptest::sample::select(vec![
            "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 126", "ISO_IR 127", "ISO_IR 138",
            "ISO_IR 144", "ISO_IR 192", "GB18030",
        ]),
        text in "[A-Za-zÀ-ž Α-Ωа-яא-תء-ي王小东^=-]{0,24}",
    ) {
        let theirs = SpecificCharacterSet::from_code(term).expect("known");
        // Only what the set can express.
        let text: String =
            text.chars().filter(|c| theirs.encode(c.encode_utf8(&mut [0; 4])).is_ok()).collect();
        let bytes = theirs.encode(&text).expect("each character can be expressed");
        let mut ours = String::new();
        Charset::declared(term.as_bytes()).decode(&bytes, &mut ours);
        prop_assert_eq!(ours, text);
    }
}

/// VRs that the dictionary gives without alternatives.
fn ours_is_exact(vr: VR) -> bool {
    !matches!(vr, VR::OW | VR::OB | VR::US | VR::SS)
}
