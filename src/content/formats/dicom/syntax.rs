//! Transfer syntaxes (PS3.5 section 10, annex A), declared or derived from the bytes.

use super::element::{UNDEFINED, decode};
use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::Tag;
use dicom_dictionary_std::StandardDataDictionary;

/// How elements are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Syntax {
    ImplicitLe,
    ExplicitLe,
    /// Retired, but still used.
    ExplicitBe,
}

/// The parts of a transfer syntax that concern elements: every encapsulated one is explicit little endian (PS3.5
/// A.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Transfer {
    pub syntax: Syntax,
    /// The data set is deflated as a whole (PS3.5 A.5).
    pub deflated: bool,
}

impl Transfer {
    pub const fn plain(syntax: Syntax) -> Self {
        Self { syntax, deflated: false }
    }

    /// The meaning of a UID; None if it is empty.
    pub fn of_uid(uid: &str) -> Option<Self> {
        let uid = uid.trim_matches([' ', '\0']);
        Some(match uid {
            "" => return None,
            // Implicit; the second is a private one of GE, whose pixels alone are big endian.
            "1.2.840.10008.1.2" | "1.2.840.113619.5.2" | "1.2.840.10008.1.20" => {
                Self::plain(Syntax::ImplicitLe)
            }
            "1.2.840.10008.1.2.2" => Self::plain(Syntax::ExplicitBe),
            // Deflated explicit, and the JPIP referenced ones that deflate the data set as well.
            "1.2.840.10008.1.2.1.99" | "1.2.840.10008.1.2.4.95" | "1.2.840.10008.1.2.4.205" => {
                Self { syntax: Syntax::ExplicitLe, deflated: true }
            }
            _ => Self::plain(Syntax::ExplicitLe),
        })
    }
}

/// The value representation that the dictionary gives a tag.
pub(super) fn dictionary_vr(tag: u32) -> Option<VR> {
    StandardDataDictionary
        .by_tag(Tag((tag >> 16) as u16, tag as u16))
        .map(|entry| entry.vr().relaxed())
}

/// Elements examined to decide how a data set is encoded.
const MAX_CHAIN: usize = 4;
/// Longest accepted value while deciding, bytes: data sets begin with short ones.
const MAX_FIRST: u32 = 64 << 10;

/// What is known before the bytes are examined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Certainty {
    /// A data set in this syntax was declared to begin here.
    Declared,
    /// A data set begins here.
    Begins,
    /// Nothing: it may be anything.
    Nothing,
}

/// Whether `head` reads like the beginning of a data set in `syntax`.
pub(super) fn fits(syntax: Syntax, head: &[u8], before: Certainty) -> bool {
    let strict = before != Certainty::Declared;
    let (mut at, mut last) = (0usize, None);
    let stray: [&[u8]; 2] = [b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xfe\xff\x0d\xe0\0\0\0\0"];
    for n in 0..if strict { MAX_CHAIN } else { 1 } {
        // Some writers end a sequence of known length with a delimiter too.
        while n > 0 && head.get(at..at + 8).is_some_and(|bytes| stray.contains(&bytes)) {
            at += 8;
        }
        let Ok(header) = decode(head.get(at..).unwrap_or(&[]), syntax) else {
            // Cut off: the available bytes decide.
            return n > 0 && at + 12 > head.len();
        };
        let known = dictionary_vr(header.tag);
        let private = header.tag >> 16 & 1 == 1 && (n > 0 || !strict);
        let explicit = syntax != Syntax::ImplicitLe;
        let named = match (explicit, header.vr, known) {
            (true, Some(have), Some(want)) => !strict || have == want || have == VR::UN || n > 0,
            (true, Some(_), None) => !strict || private,
            (true, None, _) => false,
            (false, _, known) => known.is_some() || private,
        };
        let ascending = last.is_none_or(|last| header.tag > last);
        // Files and instances begin with these groups; data sets of services may begin with any.
        let first = before != Certainty::Nothing || n > 0 || matches!(header.tag >> 16, 2 | 8);
        if !named || !ascending || !first {
            return false;
        }
        if header.len == UNDEFINED {
            return known == Some(VR::SQ) || header.vr == Some(VR::SQ) || known.is_none();
        }
        if header.len > MAX_FIRST {
            // Only after something convincing.
            return n > 0;
        }
        last = Some(header.tag);
        at += header.size + header.len as usize;
        if at >= head.len() {
            return true;
        }
    }
    true
}

/// The syntax of a data set that begins with `head`: the declared one unless the bytes clearly contradict it.
pub(super) fn infer(declared: Option<Syntax>, head: &[u8], before: Certainty) -> Option<Syntax> {
    declared
        .into_iter()
        .chain([Syntax::ExplicitLe, Syntax::ImplicitLe, Syntax::ExplicitBe])
        .find(|&syntax| fits(syntax, head, before))
        .or(declared.filter(|&syntax| fits(syntax, head, Certainty::Declared)))
}
