//! Counters of reassembly.

/// Segments that an end host would not accept, or that contradict the conversation (`docs/evasion.md`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct IgnoredSegments {
    /// SYN inside an established conversation.
    pub syn: u64,
    /// FIN with an old sequence number, or refuted by data behind it that the peer acknowledged.
    pub fin: u64,
    /// RST outside the window of the peer, or refuted by data behind it.
    pub rst: u64,
    /// Acknowledgments of bytes that were sent later.
    pub ack: u64,
    /// Data too far from the stream to be believed.
    pub far: u64,
    /// Data behind an end that the peer acknowledged.
    pub after_end: u64,
    /// Data that its receiver had reason to refuse, and that was replaced by other data.
    pub unaccepted: u64,
}

impl IgnoredSegments {
    /// Each counter with its name in the metrics.
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

/// Counters of a conversation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ConversationCounters {
    /// Bytes reported as gaps.
    pub gap_bytes: u64,
    /// Those of them that the snap length of the capture cut off.
    pub cut_bytes: u64,
    /// Gaps reported.
    pub gaps: u64,
    /// Bytes that contradict an earlier copy.
    pub conflicts: u64,
    /// Segments that were ignored.
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
