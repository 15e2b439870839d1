//! Element headers (PS3.5 section 7).

use super::syntax::{Syntax, dictionary_vr};
use crate::syntax::{ByteOrder, ElementError};
use dicom_core::VR;

/// The undefined length, up to a delimiter.
pub(super) const UNDEFINED: u32 = u32::MAX;
/// (FFFE,E000)
pub(super) const ITEM: u32 = 0xFFFE_E000;
/// (FFFE,E00D)
pub(super) const ITEM_DELIMITATION: u32 = 0xFFFE_E00D;
/// (FFFE,E0DD)
pub(super) const SEQUENCE_DELIMITATION: u32 = 0xFFFE_E0DD;
/// Longest header, bytes.
pub(super) const MAX_HEADER: usize = 12;

/// Longest accepted value of an implicit element amid explicit ones, bytes.
const MAX_STRAY: u32 = 1 << 20;

/// An element's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Group in the upper half.
    pub tag: u32,
    /// As written, else from the dictionary; `None` if neither is known.
    pub vr: Option<VR>,
    pub len: u32,
    /// Length of the header itself, bytes.
    pub size: usize,
}

/// Reads the header at the start of `data`.
pub(super) fn decode(data: &[u8], syntax: Syntax) -> Result<Header, ElementError> {
    let head = data.first_chunk::<8>().ok_or(ElementError::Need(8))?;
    let order = match syntax {
        Syntax::ExplicitBe => ByteOrder::Big,
        Syntax::ExplicitLe | Syntax::ImplicitLe => ByteOrder::Little,
    };
    let u16_at = |at: usize| order.u16([head[at], head[at + 1]]);
    let tag = u32::from(u16_at(0)) << 16 | u32::from(u16_at(2));
    let long = order.u32([head[4], head[5], head[6], head[7]]);
    // Items and delimiters have no VR in any syntax (PS3.5 7.5).
    if tag >> 16 == 0xFFFE {
        return Ok(Header { tag, vr: None, len: long, size: 8 });
    }
    if syntax == Syntax::ImplicitLe {
        return Ok(Header { tag, vr: dictionary_vr(tag), len: long, size: 8 });
    }
    let name = [head[4], head[5]];
    let vr = vr_of(name);
    let wide = match vr {
        Some(vr) => has_long_length(vr),
        // A future VR has 32 bits of length behind two reserved bytes (PS3.5 6.2.2); some writers use blanks or
        // question marks for "unknown".
        None if name.iter().all(u8::is_ascii_uppercase)
            || matches!(&name, b"??" | b"  " | b"--") =>
        {
            head[6] == 0 && head[7] == 0
        }
        // Some writers encode single elements as implicit.
        None if long <= MAX_STRAY || long == UNDEFINED => {
            return Ok(Header { tag, vr: dictionary_vr(tag), len: long, size: 8 });
        }
        None => return Err(ElementError::Malformed),
    };
    // The first bytes decide whether a value of an unknown VR is a sequence.
    let vr = vr.or_else(|| dictionary_vr(tag).filter(|vr| *vr != VR::SQ));
    if !wide {
        return Ok(Header { tag, vr, len: u32::from(u16_at(6)), size: 8 });
    }
    let len = data.get(8..MAX_HEADER).ok_or(ElementError::Need(MAX_HEADER))?;
    Ok(Header { tag, vr, len: order.u32([len[0], len[1], len[2], len[3]]), size: 12 })
}

/// The VR with this name (PS3.5 table 6.2-1). Called once for each element: `VR::from_binary` would go by way of
/// strings.
pub(super) const fn vr_of(name: [u8; 2]) -> Option<VR> {
    use VR::{
        AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, OB, OD, OF, OL, OV, OW, PN, SH, SL, SQ, SS,
        ST, SV, TM, UC, UI, UL, UN, UR, US, UT, UV,
    };
    Some(match &name {
        b"AE" => AE,
        b"AS" => AS,
        b"AT" => AT,
        b"CS" => CS,
        b"DA" => DA,
        b"DS" => DS,
        b"DT" => DT,
        b"FD" => FD,
        b"FL" => FL,
        b"IS" => IS,
        b"LO" => LO,
        b"LT" => LT,
        b"OB" => OB,
        b"OD" => OD,
        b"OF" => OF,
        b"OL" => OL,
        b"OV" => OV,
        b"OW" => OW,
        b"PN" => PN,
        b"SH" => SH,
        b"SL" => SL,
        b"SQ" => SQ,
        b"SS" => SS,
        b"ST" => ST,
        b"SV" => SV,
        b"TM" => TM,
        b"UC" => UC,
        b"UI" => UI,
        b"UL" => UL,
        b"UN" => UN,
        b"UR" => UR,
        b"US" => US,
        b"UT" => UT,
        b"UV" => UV,
        _ => return None,
    })
}

/// VRs with two reserved bytes and 32 bits of length (PS3.5 table 7.1-1).
const fn has_long_length(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

/// Whether values of this VR are text.
pub(super) const fn is_text(vr: Option<VR>) -> bool {
    use VR::{AT, FD, FL, OB, OD, OF, OL, OV, OW, SL, SQ, SS, SV, UL, US, UV};
    !matches!(
        vr,
        Some(AT | FD | FL | OB | OD | OF | OL | OV | OW | SL | SQ | SS | SV | UL | US | UV)
    )
}

/// Whether the text is in the character set that the data set declares (PS3.5 6.1.2.3); the
/// others are in the default repertoire.
pub(super) const fn uses_charset(vr: Option<VR>) -> bool {
    use VR::{AE, AS, CS, DA, DS, DT, IS, TM, UI, UR};
    !matches!(vr, Some(AE | AS | CS | DA | DS | DT | IS | TM | UI | UR))
}

/// Whether a backslash separates values (PS3.5 6.4); in texts it is literal.
pub(super) const fn is_multi_valued(vr: Option<VR>) -> bool {
    !matches!(vr, Some(VR::LT | VR::ST | VR::UT | VR::UR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_vrs_as_the_dictionary_has_them() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(vr_of([a, b]), VR::from_binary([a, b]));
            }
        }
    }
}
