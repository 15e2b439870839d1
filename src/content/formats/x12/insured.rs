//! Subscribers whose loop has dependents. A subscriber (level 22) is a patient if its loop has a claim, a
//! question or an answer of its own; where a dependent (level 23) follows instead, it only holds the plan. Which
//! of them is so shows behind the subscriber's name, so its segments wait.

use super::Segment;
use zeroize::Zeroizing;

/// Segments of a subscriber that wait; the longest that an implementation guide allows are fewer.
const MAX_SEGMENTS: usize = 64;
/// Their length together, bytes.
const MAX_BYTES: usize = 16 << 10;
/// Between the elements of a segment that is kept.
const BETWEEN: char = '\u{1D}';
/// What decides that a subscriber is a patient: a claim (837), a question (270), an answer (271), the status of
/// a claim (276, 277), a review (278), the end.
const DECIDING: [&str; 13] =
    ["HL", "CLM", "EQ", "EB", "STC", "UM", "HCR", "CLP", "SVC", "SE", "GE", "IEA", "ST"];

/// A segment that is kept.
pub(super) struct BufferedSegment(Zeroizing<String>);

impl BufferedSegment {
    fn of(segment: &Segment<'_>) -> Self {
        Self(Zeroizing::new(segment.0.join(&*BETWEEN.encode_utf8(&mut [0; 4]))))
    }

    pub(super) fn elements(&self) -> Vec<&str> {
        self.0.split(BETWEEN).collect()
    }
}

/// The segments of a subscriber of whom it is not known yet whether it is a patient.
#[derive(Default)]
pub(super) struct Waiting {
    segments: Vec<BufferedSegment>,
    bytes: usize,
}

impl Waiting {
    /// Keeps `segment`; false if there is no room for it.
    pub(super) fn push(&mut self, segment: &Segment<'_>) -> bool {
        let kept = BufferedSegment::of(segment);
        if self.segments.len() >= MAX_SEGMENTS || self.bytes + kept.0.len() > MAX_BYTES {
            return false;
        }
        self.bytes += kept.0.len();
        self.segments.push(kept);
        true
    }

    /// Whether `segment` shows that the subscriber is a patient. A trace number behind the name is of a question about
    /// the status of the subscriber's claim (276 2200D); in front of it, it is of the transaction (278 2000C).
    pub(super) fn decided_by(&self, segment: &Segment<'_>) -> bool {
        decides(segment) || segment.get(0) == "TRN" && self.segments.iter().any(is_name)
    }

    pub(super) fn into_segments(self) -> Vec<BufferedSegment> {
        self.segments
    }

    /// The subscriber, where it is a person.
    pub(super) fn insured(self) -> Option<Insured> {
        self.segments.into_iter().find(is_name).map(Insured)
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.segments.capacity() * size_of::<BufferedSegment>()
    }
}

/// Whether this is the name of an insured person.
fn is_name(kept: &BufferedSegment) -> bool {
    kept.0.starts_with("NM1\u{1D}IL\u{1D}1\u{1D}")
}

/// The NM1 segment of a person who holds a plan.
pub(super) struct Insured(BufferedSegment);

impl Insured {
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self(BufferedSegment::of(segment))
    }

    pub(super) fn elements(&self) -> Vec<&str> {
        self.0.elements()
    }
}

/// Whether the loop of a dependent begins.
pub(super) fn begins_dependent(segment: &Segment<'_>) -> bool {
    segment.get(0) == "HL" && segment.get(3) == "23"
}

/// Whether `segment` shows that the subscriber is a patient.
fn decides(segment: &Segment<'_>) -> bool {
    let itself = match segment.get(0) {
        // 18: the subscriber is the patient.
        "SBR" | "INS" => segment.get(2) == "18",
        // A patient within the loop.
        "NM1" => matches!(segment.get(1), "QC" | "03"),
        _ => false,
    };
    itself || DECIDING.contains(&segment.get(0))
}

/// Family, given, middle, suffix and prefix, as names are written elsewhere.
pub(super) fn whole_name(segment: &Segment<'_>) -> String {
    let name = [3, 4, 5, 7, 6].map(|n| segment.get(n)).join("^");
    name.trim_end_matches('^').to_owned()
}
