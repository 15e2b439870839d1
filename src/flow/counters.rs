//! What reassembly counts.

/// Segments that an end host would not take, or that contradict the conversation (`docs/evasion.md`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct IgnoredSegments {
    /// SYN inside a conversation that goes on.
    pub syn: u64,
    /// FIN with an old sequence number, or refuted by data behind it that the peer acknowledged.
    pub fin: u64,
    /// RST outside of what the peer may expect next, or refuted by data behind it.
    pub rst: u64,
    /// Acknowledgments of bytes that were sent later.
    pub ack: u64,
    /// Data too far away from the stream to be believed.
    pub far: u64,
    /// Data behind an end that the peer acknowledged.
    pub after_end: u64,
    /// Data that its receiver had reason to refuse, and in whose place other data was sent.
    pub unaccepted: u64,
}

impl IgnoredSegments {
    /// Each count with its name in the metrics.
    pub const fn reasons(&self) -> [(&'static str, u64); 7] {
        [
            ("syn", self.syn),
            ("fin", self.fin),
            ("rst", self.rst),
            ("ack", self.ack),
            ("far", self.far),
            ("after_end", self.after_end),
            ("unaccepted", self.unaccepted),
        ]
    }
}

/// What a conversation counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ConversationCounters {
    /// Bytes reported as gaps.
    pub gap_bytes: u64,
    /// Those of them that the snap length of the capture cut off.
    pub cut_bytes: u64,
    /// Gaps reported.
    pub gaps: u64,
    /// Bytes that contradicted a copy seen before.
    pub conflicts: u64,
    /// Segments that were not believed.
    pub ignored: IgnoredSegments,
}

impl std::ops::AddAssign for ConversationCounters {
    fn add_assign(&mut self, other: Self) {
        self.gap_bytes += other.gap_bytes;
        self.cut_bytes += other.cut_bytes;
        self.gaps += other.gaps;
        self.conflicts += other.conflicts;
        let (ours, theirs) = (&mut self.ignored, other.ignored);
        ours.syn += theirs.syn;
        ours.fin += theirs.fin;
        ours.rst += theirs.rst;
        ours.ack += theirs.ack;
        ours.far += theirs.far;
        ours.after_end += theirs.after_end;
        ours.unaccepted += theirs.unaccepted;
    }
}
