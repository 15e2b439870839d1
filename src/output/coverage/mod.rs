//! What of a run could not be judged, and why.
//!
//! "No patient data seen" only applies to what was read. So every output adds what was not read: "nothing read" is
//! never "nothing found".

use super::RunSummary;
use super::text::{bytes, count, number};
use crate::closed_set::closed_set;
use crate::decode::Skip;

closed_set! {
    /// How much the absence of findings proves.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Verdict {
        /// Everything in cleartext was read.
        Complete = "complete",
        /// Part of it could not be judged.
        Incomplete = "incomplete",
        /// There was no conversation in cleartext over TCP or UDP.
        NoConversation = "no_conversation",
        /// There were packets, and none of them could be read.
        NothingReadable = "nothing_readable",
        /// `--filter` excluded every packet, or every packet over TCP and UDP.
        NothingMatched = "nothing_matched",
        /// There was no packet.
        NothingRead = "nothing_read",
    }
}

closed_set! {
    /// Why something could not be judged.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Cause {
        /// The run was stopped before the end of its input.
        Interrupted = "interrupted",
        /// There was no packet.
        NoPacket = "no_packet",
        /// `--filter` excluded every packet.
        Filter = "filter",
        /// No packet was of a conversation over TCP or UDP.
        NoConversation = "no_conversation",
        /// An input could be read only in part, or not at all.
        Input = "input",
        /// The snap length of the capture cut packets.
        Snaplen = "snaplen",
        /// Packets were lost before they were captured.
        NeverSeen = "never_seen",
        /// Packets were lost in phitap.
        Dropped = "dropped",
        /// Bytes are missing in streams.
        Gap = "gap",
        /// Packets whose headers could not be read.
        Packet = "packet",
        /// Flows that no protocol recognised.
        Unrecognised = "unrecognised",
        /// Flows of a known protocol, with one direction that was not recognised.
        HalfRecognised = "half_recognised",
        /// Directions that were given up.
        GivenUp = "given_up",
        /// Flows given up for the memory ceiling.
        Memory = "memory",
    }
}

/// Something that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Why.
    pub cause: Cause,
    /// Packets, flows, directions or inputs, depending on the cause; 1 if only bytes are known.
    pub count: u64,
    /// Bytes, if known.
    pub bytes: Option<u64>,
    /// The same for people, with the remedy.
    pub text: String,
}

impl Verdict {
    /// Whether nothing was judged at all.
    pub const fn is_of_nothing(self) -> bool {
        matches!(
            self,
            Self::NoConversation | Self::NothingReadable | Self::NothingMatched | Self::NothingRead
        )
    }
}

impl RunSummary {
    /// Whether part of the input could not be read: exit status 3.
    pub fn is_partial(&self) -> bool {
        self.interrupted.is_some()
            || self.packets_cut > 0
            || self.inputs.iter().any(|i| i.fault.is_some())
            || matches!(
                self.verdict(),
                Verdict::NothingRead | Verdict::NothingMatched | Verdict::NothingReadable
            )
            || self.saw_no_conversation()
    }

    /// Whether there were packets and none was of a link type that is read: exit status 1, as for a
    /// capture that says so in its header.
    pub fn is_unreadable(&self) -> bool {
        self.packets_read > 0 && self.skip(Skip::UnsupportedLink) == self.packets_read
    }

    /// How much the absence of findings proves.
    pub fn verdict(&self) -> Verdict {
        let filtered = self.skip(Skip::Filtered);
        if self.packets_read == 0 {
            Verdict::NothingRead
        } else if filtered == self.packets_read || self.filter_left_nothing() {
            Verdict::NothingMatched
        } else if self.packets_decoded == 0 && self.undecoded() > 0 {
            Verdict::NothingReadable
        } else if self.saw_no_conversation() {
            Verdict::NoConversation
        } else if !self.shortfalls().is_empty() {
            Verdict::Incomplete
        } else if self.packets_decoded == 0 {
            Verdict::NoConversation
        } else {
            Verdict::Complete
        }
    }

    /// Whether `--filter` left packets, and none that could carry a conversation (`arp`, `icmp`).
    fn filter_left_nothing(&self) -> bool {
        self.skip(Skip::Filtered) > 0
            && self.packets_decoded == 0
            && self.undecoded() == 0
            && self.skip(Skip::Encrypted) == 0
    }

    /// Whether no packet belonged to a conversation (ARP, ICMP, spanning tree only), as at a mirror port that does not
    /// carry the traffic. Frames that their link encrypts may hold any.
    fn saw_no_conversation(&self) -> bool {
        self.packets_read > 0
            && self.packets_decoded == 0
            && self.undecoded() == 0
            && self.skip(Skip::Filtered) == 0
            && self.skip(Skip::Encrypted) == 0
    }

    fn skip(&self, skip: Skip) -> u64 {
        self.skipped.get(skip.as_str()).copied().unwrap_or(0)
    }

    /// Packets that may have carried a conversation and could not be read.
    fn undecoded(&self) -> u64 {
        Skip::ALL.iter().filter(|skip| skip.is_a_loss()).map(|skip| self.skip(*skip)).sum()
    }

    /// Payload on the wire as far as known, and how much of it could not be judged, bytes.
    pub fn unjudged_bytes(&self) -> (u64, u64) {
        let lost = self.gap_bytes.saturating_sub(self.cut_bytes);
        let lost = lost.saturating_add(self.cut_payload_bytes);
        let wire = self.payload_bytes.saturating_add(lost);
        (wire, lost.saturating_add(self.unrecognised_bytes).min(wire))
    }

    /// Flows that could not be judged, wholly or in one direction.
    pub fn unjudged_flows(&self) -> u64 {
        let unread = self.unrecognised_flows + self.half_recognised_flows + self.evicted_flows;
        unread.min(self.flows)
    }

    /// What could not be judged, the most serious first.
    pub fn shortfalls(&self) -> Vec<Shortfall> {
        let mut all = Vec::new();
        let mut add = |cause, count: u64, bytes, text: String| {
            if count > 0 {
                all.push(Shortfall { cause, count, bytes, text });
            }
        };
        if let Some(interrupted) = self.interrupted {
            let text = match interrupted.at {
                Some(at) => format!("the run was stopped at {} of the input", percent(at)),
                None => format!("the run was stopped after {}", count(self.packets_read, "packet")),
            };
            add(Cause::Interrupted, 1, None, text);
        }
        if self.packets_read == 0 {
            let remedy = if self.live {
                "no packet came: check the interface and the mirror port"
            } else {
                "the input holds no packet: check how it was captured"
            };
            add(Cause::NoPacket, 1, None, remedy.to_owned());
        }
        let filtered = self.skip(Skip::Filtered);
        if filtered == self.packets_read {
            let hint = if self.filtered_tagged > 0 {
                format!(
                    "; {} bear VLAN tags that it does not look behind: write `vlan and` in front \
                     of it once for each tag",
                    number(self.filtered_tagged)
                )
            } else {
                String::new()
            };
            let text = format!("--filter matched none of {}{hint}", count(filtered, "packet"));
            add(Cause::Filter, filtered, None, text);
        } else if self.filter_left_nothing() {
            let read = count(self.packets_read, "packet");
            let text = format!("--filter left nothing over TCP or UDP of {read}");
            add(Cause::Filter, filtered, None, text);
        } else if self.saw_no_conversation() {
            let read = count(self.packets_read, "packet");
            let remedy = "check that the mirror port carries the traffic of clients and servers";
            let text = format!("no conversation over TCP or UDP in {read}: {remedy}");
            add(Cause::NoConversation, self.packets_read, None, text);
        }
        let faulty = self.inputs.iter().filter(|i| i.fault.is_some()).count() as u64;
        let text = format!("{} could not be read to the end", count(faulty, "input"));
        add(Cause::Input, faulty, None, text);
        if self.packets_cut > 0 {
            let (n, cut) = (count(self.packets_cut, "packet"), self.cut_payload_bytes);
            let text =
                format!("{n} cut at {} bytes: capture with -s 0", number(self.cut_at.into()));
            add(Cause::Snaplen, self.packets_cut, Some(cut), text);
        }
        self.lost_on_the_way(&mut add);
        self.unread_flows(&mut add);
        all
    }

    /// Packets and bytes that were lost.
    fn lost_on_the_way(&self, add: &mut impl FnMut(Cause, u64, Option<u64>, String)) {
        let never = self.packets_lost();
        let text = format!("{} lost before they were captured", count(never, "packet"));
        add(Cause::NeverSeen, never, None, text);
        let dropped = self.packets_dropped();
        add(Cause::Dropped, dropped, None, format!("{} dropped", count(dropped, "packet")));
        let gap = self.gap_bytes.saturating_sub(self.cut_bytes);
        let text = format!("{} missing in streams: packets were not captured", bytes(gap));
        add(Cause::Gap, gap.min(1), Some(gap), text);
        // A header that the snap length cut is reported already.
        let undecoded = self.undecoded();
        let undecoded = if self.packets_cut > 0 { 0 } else { undecoded };
        let text = format!("{} could not be decoded", count(undecoded, "packet"));
        add(Cause::Packet, undecoded, None, text);
    }

    /// Flows that were seen and could not be read.
    fn unread_flows(&self, add: &mut impl FnMut(Cause, u64, Option<u64>, String)) {
        let (n, size) = (self.unrecognised_flows, self.unrecognised_bytes);
        let text = format!("{} of no known protocol, {}", count(n, "flow"), bytes(size));
        add(Cause::Unrecognised, n, Some(size), text);
        let n = self.half_recognised_flows;
        let text = format!("{} recognised in one direction only", count(n, "flow"));
        add(Cause::HalfRecognised, n, None, text);
        let n = self.evicted_flows;
        let text = format!("{} given up for want of memory: raise --memory", count(n, "flow"));
        add(Cause::Memory, n, None, text);
        let given_up = |((protocol, reason), _): &(&(&str, crate::protocol::Reason), &u64)| {
            use crate::protocol::Reason;
            match reason {
                Reason::Encrypted | Reason::Memory => false,
                Reason::Unrecognised => *protocol != "unknown",
                _ => true,
            }
        };
        let n: u64 = self.opaque.iter().filter(given_up).map(|(_, n)| *n).sum();
        let text = format!("{} given up", count(n, "direction"));
        add(Cause::GivenUp, n, None, text);
    }

    /// The result of a run without findings, as the title of every output for people.
    pub(in crate::output) fn all_clear(&self) -> String {
        let accepted = if self.suppressed.iter().any(|s| s.findings > 0) {
            " but what is known and accepted"
        } else {
            ""
        };
        match self.verdict() {
            Verdict::Complete => format!("No patient data seen in cleartext{accepted}."),
            Verdict::Incomplete => {
                format!("No patient data seen in what could be judged{accepted}.")
            }
            Verdict::NoConversation => "No conversation seen in cleartext.".to_owned(),
            Verdict::NothingReadable => {
                format!("NOTHING COULD BE READ of {}.", count(self.packets_read, "packet"))
            }
            Verdict::NothingMatched => "NOTHING WAS LOOKED AT.".to_owned(),
            Verdict::NothingRead => "NOTHING WAS READ.".to_owned(),
        }
    }

    /// `INTERRUPTED at 43 %`, if it was.
    pub(in crate::output) fn interruption(&self) -> Option<String> {
        let interrupted = self.interrupted?;
        Some(match interrupted.at {
            Some(at) => format!("INTERRUPTED at {}", percent(at)),
            None => format!("INTERRUPTED after {}", count(self.packets_read, "packet")),
        })
    }

    /// The share that could not be judged: `38 % of the payload, 2 of 40 flows`.
    pub(in crate::output) fn unjudged_share(&self) -> String {
        let mut parts = Vec::new();
        let (wire, unjudged) = self.unjudged_bytes();
        if unjudged > 0 {
            parts.push(format!("{} of the payload", percent(ratio(unjudged, wire))));
        }
        let flows = self.unjudged_flows();
        if flows > 0 {
            parts.push(format!("{} of {}", number(flows), count(self.flows, "flow")));
        }
        parts.join(", ")
    }
}

/// `part` of `whole`, 0 to 1.
pub(in crate::output) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A share in words that never rounds something to nothing, nor nearly all to all.
fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p >= 100.0 => "100 %".to_owned(),
        p if p > 99.0 => "more than 99 %".to_owned(),
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 1.0 => "less than 1 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

#[cfg(test)]
mod tests;
