//! References to packets, as an analyst opens them in Wireshark.

use crate::time::Timestamp;

/// A packet's reference.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PacketRef {
    /// Its number in its capture, from 1 (`frame.number`). Skipped and filtered packets count.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Index of the input or interface in the run.
    pub interface: u16,
}

impl PacketRef {
    /// Whether it comes before `other`: by number in one capture, by time across captures.
    const fn precedes(&self, other: &Self) -> bool {
        if self.interface == other.interface {
            self.number < other.number
        } else {
            self.time.0 < other.time.0
        }
    }
}

/// The first and last packet that carried something.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PacketSpan {
    /// The first of them.
    pub first: PacketRef,
    /// The last of them.
    pub last: PacketRef,
}

impl PacketSpan {
    /// A single packet.
    pub const fn of(packet: PacketRef) -> Self {
        Self { first: packet, last: packet }
    }

    /// Extends the span to include `other`.
    pub const fn extend(&mut self, other: Self) {
        if other.first.precedes(&self.first) {
            self.first = other.first;
        }
        if self.last.precedes(&other.last) {
            self.last = other.last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(interface: u16, number: u64, seconds: i64) -> PacketRef {
        PacketRef { number, time: Timestamp::new(seconds, 0), interface }
    }

    #[test]
    fn a_span_covers_what_it_took_in_whatever_the_order() {
        let mut span = PacketSpan::of(packet(0, 7, 70));
        span.extend(PacketSpan::of(packet(0, 5, 71)));
        assert_eq!((span.first.number, span.last.number), (5, 7), "numbers count in one capture");
        // Numbers of different captures cannot be compared.
        span.extend(PacketSpan::of(packet(1, 1, 90)));
        assert_eq!((span.first.number, span.last), (5, packet(1, 1, 90)));
        span.extend(PacketSpan::of(packet(1, 3, 60)));
        assert_eq!(span.first, packet(1, 3, 60));
    }
}
