//! Documents inside BIN and BDS segments (275), whose length the segment gives: they may contain its terminator.

use crate::content::extract::embedded::Payload;
use crate::content::{Ending, Scope};
use crate::syntax::Match;
use zeroize::Zeroizing;

/// Longest front of such a segment: name, kind of coding, length.
const MAX_FRONT: usize = 32;

/// A document, and how much of it is to come.
pub(super) struct Attachment {
    payload: Payload,
    left: u64,
}

/// Looks at the first bytes of a segment, those that are kept and the next ones: the length of what is in front of a
/// document, and the document.
pub(super) fn front(kept: &[u8], rest: &[u8], element: u8) -> Match<(usize, Attachment)> {
    // Nearly all segments begin with another letter.
    let first = kept.iter().chain(rest).find(|b| !b.is_ascii_whitespace());
    if kept.len() >= MAX_FRONT || first != Some(&b'B') {
        return Match::No;
    }
    let mut head: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(2 * MAX_FRONT));
    head.extend_from_slice(kept);
    head.extend_from_slice(rest.get(..MAX_FRONT).unwrap_or(rest));
    let blank = head.len() - head.trim_ascii_start().len();
    let text = head.get(blank..).unwrap_or_default();
    let named = [(b"BIN", 2), (b"BDS", 3)].into_iter().find(|(name, _)| {
        let len = text.len().min(name.len());
        text.get(..len) == name.get(..len)
    });
    let Some((_, separators)) = named else { return Match::No };
    if text.get(3).is_some_and(|b| *b != element) {
        return Match::No;
    }
    let ends = text.iter().enumerate().filter(|(_, b)| **b == element).map(|(at, _)| at);
    let ends: smallvec::SmallVec<[usize; 3]> = ends.take(separators).collect();
    let [.., before, end] = ends.as_slice() else {
        return if head.len() < MAX_FRONT { Match::More } else { Match::No };
    };
    if ends.len() < separators {
        return if head.len() < MAX_FRONT { Match::More } else { Match::No };
    }
    let digits = text.get(before + 1..*end).and_then(|digits| std::str::from_utf8(digits).ok());
    let Some(left) = digits.and_then(|digits| digits.parse().ok()) else { return Match::No };
    let attachment = Attachment { payload: Payload::default(), left };
    Match::Yes((blank + end + 1, attachment))
}

impl Attachment {
    /// Takes the bytes that belong to the document; how many they are.
    pub(super) fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> usize {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let own = bytes.get(..len).unwrap_or(bytes);
        self.left = self.left.saturating_sub(len as u64);
        // Ordinary text has no patients of its own.
        self.payload.data(own, scope);
        len
    }

    /// Whether all of it was read.
    pub(super) const fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// The end of it.
    pub(super) fn end(mut self, ending: Ending, scope: &mut Scope<'_>) {
        self.payload.end(ending, scope);
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        self.payload.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;
    use base64::Engine as _;

    const CDA: &str = "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"><recordTarget><patientRole><id root=\"1.2.3\" extension=\"H-77\"/><patient><name><given>Eva~</given><family>Roe</family></name><birthTime value=\"19700131\"/></patient></patientRole></recordTarget></ClinicalDocument>";

    fn interchange(segment: &str) -> String {
        format!(
            "ISA*00*          *00*          *ZZ*S              *ZZ*R              *260301*1015*^*00501*000000101*0*P*:~GS*PI*S*R*20260301*1015*1*X*006020X314~ST*275*0001~NM1*QC*1*ROE*EVA****MI*M77~{segment}~SE*4*0001~GE*1*1~IEA*1*000000101~"
        )
    }

    #[test]
    fn documents_in_segments() {
        let coded = base64::engine::general_purpose::STANDARD.encode(CDA);
        for segment in [
            format!("BIN*{}*{CDA}", CDA.len()),
            format!("BDS*ASC*{}*{CDA}", CDA.len()),
            format!("\nBDS*B64*{}*{coded}", coded.len()),
        ] {
            let text = interchange(&segment);
            let got = records("application/edi-x12", text.as_bytes());
            let has = |part: &str| got.iter().any(|record| record.contains(part));
            assert!(has("patient_id=H-77") && has("birth_date=19700131") && has("M77"), "{got:?}");
            for end in (0..text.len()).step_by(7) {
                records("application/edi-x12", &text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn segments_without_a_length() {
        for segment in ["BIN*x*y", "BDS", "BIN", "BDS*ASC*99999999999999999999*<a>", "BIN*5*ab"] {
            let got = records("application/edi-x12", interchange(segment).as_bytes());
            assert!(got.len() == 1 && got[0].contains("ROE"), "{segment}: {got:?}");
        }
    }
}
