//! Messages whose segment ends were lost: web pages, mails and consoles turn them into blanks or nothing, and logs
//! and manuals write them as `<CR>` or `\r`. All segments then follow the header in its line.

use smallvec::SmallVec;

/// Segments that a line may have.
const MAX_SEGMENTS: usize = 512;
/// Field separators of a header before another segment can follow it: MSH-9 is the type of the message.
const MIN_HEADER: usize = 8;
/// Those up to MSH-12, behind which fields are often empty.
const MIN_VERSION: usize = 12;
/// Field separators behind the name of a segment that says whom the message is about.
const MIN_FIELDS: usize = 3;
/// Those of a header and another segment.
const MIN_JOINED: usize = 11 + MIN_FIELDS;

/// Segments of messages about patients, as standard names.
const KNOWN: [&[u8; 3]; 56] = [
    b"ACC", b"AIG", b"AIL", b"AIP", b"AIS", b"AL1", b"ARQ", b"AUT", b"BLG", b"CTI", b"DB1", b"DG1",
    b"DRG", b"DSC", b"DSP", b"ERR", b"EVN", b"FT1", b"GT1", b"IAM", b"IN1", b"IN2", b"IN3", b"MRG",
    b"MSA", b"NK1", b"NTE", b"OBR", b"OBX", b"ORC", b"PD1", b"PDA", b"PID", b"PR1", b"PRD", b"PV1",
    b"PV2", b"QAK", b"QPD", b"QRD", b"QRF", b"QRI", b"RCP", b"RF1", b"RGS", b"ROL", b"RXA", b"RXE",
    b"RXO", b"RXR", b"SCH", b"SFT", b"SPM", b"TQ1", b"TXA", b"UAC",
];

/// Segments that may follow a header.
const SECOND: [&[u8; 3]; 13] = [
    b"EVN", b"PID", b"MSA", b"QPD", b"QRD", b"SFT", b"UAC", b"SCH", b"NTE", b"RF1", b"PRD", b"ARQ",
    b"ORC",
];

/// Written ends of segments, in small letters.
const ENDS: [&[u8]; 12] = [
    b"<cr>",
    b"<cr><lf>",
    b"[cr]",
    b"\\r",
    b"\\n",
    b"\\x0d",
    b"<0d>",
    b"<br>",
    b"<br/>",
    b"<br />",
    b"&#13;",
    b"&#xd;",
];

/// Whether a segment of this name is known.
pub fn is_known(name: [u8; 3]) -> bool {
    KNOWN.binary_search_by(|known| known.as_slice().cmp(name.as_slice())).is_ok()
}

/// The segments of a line, if it is a header that others follow; without their written ends.
pub fn segments(line: &[u8]) -> Option<SmallVec<[&[u8]; 16]>> {
    let (&separator, _) = line.strip_prefix(b"MSH")?.split_first()?;
    // Nearly all headers end here.
    if memchr::memchr_iter(separator, line).count() < MIN_JOINED {
        return None;
    }
    // All of them end in the same letter: one search without preparation finds them.
    let about = |at: usize| {
        let name = at.checked_sub(2).and_then(|start| line.get(start..=at));
        matches!(name, Some(b"PID" | b"QPD" | b"QRD" | b"pid"))
    };
    if !memchr::memchr2_iter(b'D', b'd', line).any(about) {
        return None;
    }
    let mut starts: SmallVec<[usize; 16]> = SmallVec::new();
    let mut person = false;
    for (number, at) in memchr::memchr_iter(separator, line).enumerate().skip(MIN_HEADER + 1) {
        let Some(start) = at.checked_sub(3) else { continue };
        let Some(name) = line.get(start..at).and_then(|n| <[u8; 3]>::try_from(n).ok()) else {
            continue;
        };
        let upper = name.map(|b| b.to_ascii_uppercase());
        let before = start.checked_sub(1).and_then(|b| line.get(b));
        let first = starts.is_empty();
        let known = if first { SECOND.contains(&&upper) } else { is_known(upper) };
        // A field of the header may be the name of a segment.
        let inside = first && number < MIN_VERSION && before == Some(&separator);
        if !known || inside || matches!(before, Some(b'^' | b'~' | b'&')) {
            continue;
        }
        let behind = memchr::memchr_iter(separator, line.get(at..).unwrap_or_default());
        person |= matches!(&upper, b"PID" | b"QPD" | b"QRD")
            && behind.take(MIN_FIELDS).count() == MIN_FIELDS;
        if starts.len() >= MAX_SEGMENTS {
            break;
        }
        starts.push(start);
    }
    if !person {
        return None;
    }
    let mut pieces = SmallVec::new();
    let mut from = 0;
    for to in starts.into_iter().chain([line.len()]) {
        pieces.push(without_end(line.get(from..to).unwrap_or_default()));
        from = to;
    }
    Some(pieces)
}

/// A segment without blanks and written ends behind it.
fn without_end(mut segment: &[u8]) -> &[u8] {
    loop {
        segment = segment.trim_ascii_end();
        let written = ENDS.iter().find(|end| {
            segment
                .len()
                .checked_sub(end.len())
                .and_then(|at| segment.get(at..))
                .is_some_and(|last| last.eq_ignore_ascii_case(end))
        });
        let Some(end) = written else { return segment };
        segment = segment.get(..segment.len() - end.len()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    const HEADER: &str = "MSH|^~\\&|A|B|C|D|2026||ADT^A04|M1|P|2.5";

    #[test]
    fn names_are_in_order() {
        assert!(KNOWN.is_sorted());
        assert!(is_known(*b"PID") && !is_known(*b"XYZ"));
    }

    #[test]
    fn segments_without_ends_between_them() {
        for end in
            ["", " ", "  ", "<cr>", "<CR>", "[CR]", "\\r", "<0D>", "<br/>", "\\r\\n", "&#13;"]
        {
            let text = [
                HEADER,
                "EVN|A04|2026",
                "PID|1||H-77^^^H^MR||Roe^Jane||19700131|F",
                "PV1|1|I|W^1||||7^Doe^Max",
                "",
            ]
            .join(end);
            let got = records("application/hl7-v2", text.as_bytes());
            assert!(got.len() == 1 && got[0].contains(FIELDS), "{end:?}: {got:?}");
        }
    }

    #[test]
    fn names_in_small_letters() {
        let text = [HEADER, "pid|1||H-77||Roe^Jane||19700131|F", "Pv1|1|I"].join("\r");
        let got = records("application/hl7-v2", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{got:?}");
    }

    #[test]
    fn ordinary_headers_are_whole() {
        for header in [
            "MSH|^~\\&|RAPID|B|PID|D|2026||ADT^A04|M1|P|2.5",
            "MSH|^~\\&|A|B|C|D|2026||ADT^A04|RAPID|PID|2.5",
            "MSH|^~\\&|A|B|C|D|2026|PID|ADT^A04^PID|M1|P|2.5|||PID|AL",
            HEADER,
            "MSH",
            "PID|1",
            "",
        ] {
            assert_eq!(segments(header.as_bytes()), None, "{header}");
        }
    }
}
