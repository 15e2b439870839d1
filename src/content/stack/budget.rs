//! The budget for reading the payloads of a flow, tied to the bytes that came over the wire.
//!
//! Codings, archives and documents multiply, and they nest: each layer alone may keep its ratio while
//! all together turn a kilobyte into hours of work. So every byte that a document reads or unpacks is
//! paid out of one budget of its flow, whatever the layer. Bytes on the wire fill it. A flow that needs
//! more draws on the reserve of its worker, which all traffic fills: in ordinary traffic it is full, and
//! an archive of unusual ratio is read. Where both are used up, content is left and counted; what comes
//! later on the wire brings its own.
//!
//! A unit of work is what reading a byte of a simple format costs, a few nanoseconds. Nothing here
//! measures time: the same bytes give the same findings.

/// Work that a flow may cause whatever it brings.
pub const FREE_WORK: u64 = 16 << 10;

/// Work that each byte on the wire pays for. Exports of records unpack to 5 to 20 times their size.
pub const WORK_PER_BYTE: u64 = 32;

/// What a segment brings beside its payload: its headers came over the wire, too.
pub const HEADERS: u64 = 64;

/// The most that a flow can save.
const MAX_SAVED: u64 = 64 << 20;

/// What a worker has in reserve before it saw a byte.
const FREE_RESERVE: u64 = 3 << 20;

/// What each byte on the wire adds to the reserve.
const RESERVE_PER_BYTE: u64 = 4;

/// The most in reserve.
const MAX_RESERVE: u64 = 64 << 20;

/// Bytes on the wire that pay for a record that was unpacked.
const BYTES_PER_RECORD: u64 = 128;

/// Records that a flow may hold whatever it brings.
const FREE_RECORDS: u64 = 32;

/// The work of a record beyond those: its person is compared, masked, pseudonymised and reported.
const RECORD: u64 = 4096;

/// What opening content costs beside the bytes that are looked at: every format is asked, and a reader is
/// set up. A message in a packet of its own always pays for it with its headers; thousands of a few bytes each in one
/// packet do not.
pub const OPENING: u64 = 1280;

/// What setting up a decoder costs: inflate with its window of 32 KiB.
pub const INFLATER: u64 = 6 << 10;

/// The same for brotli and zstd, which have tables beside their windows.
pub const LARGE_DECODER: u64 = 16 << 10;

/// The budget of one flow.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    work: u64,
    /// In wire bytes.
    records: u64,
    /// How many decoders the content that is read is inside of.
    unpacking: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { work: FREE_WORK, records: FREE_RECORDS * BYTES_PER_RECORD, unpacking: 0 }
    }
}

impl Budget {
    /// `bytes` came over the wire.
    pub fn bring(&mut self, bytes: u64) {
        let work = bytes.saturating_mul(WORK_PER_BYTE);
        self.work = self.work.saturating_add(work).min(MAX_SAVED);
        self.records = self.records.saturating_add(bytes).min(MAX_SAVED);
    }

    /// Takes `work` out of the budget, then out of the reserve. False if both together have not so
    /// much; then there is nothing left.
    pub fn spend(&mut self, work: u64, reserve: &mut Reserve) -> bool {
        if let Some(left) = self.work.checked_sub(work) {
            self.work = left;
            return true;
        }
        let rest = work - std::mem::take(&mut self.work);
        let left = reserve.0.checked_sub(rest);
        reserve.0 = left.unwrap_or(0);
        left.is_some()
    }

    /// What is read from now on was unpacked, until [`Budget::leave_unpacked`].
    pub fn enter_unpacked(&mut self) {
        self.unpacking += 1;
    }

    /// The opposite.
    pub fn leave_unpacked(&mut self) {
        self.unpacking = self.unpacking.saturating_sub(1);
    }

    /// Whether what is read came as it is.
    pub const fn is_plain(&self) -> bool {
        self.unpacking == 0
    }

    /// A record was read. Those that came as they are cost nothing: there are no more than fit on the
    /// wire.
    pub fn record(&mut self, reserve: &mut Reserve) {
        if self.unpacking == 0 {
            return;
        }
        match self.records.checked_sub(BYTES_PER_RECORD) {
            Some(left) => self.records = left,
            None => {
                self.spend(RECORD, reserve);
            }
        }
    }

    /// What may be spent.
    pub fn left(&self, reserve: &Reserve) -> u64 {
        self.work.saturating_add(reserve.0)
    }
}

/// What the flows of a worker may spend beyond their own budgets.
#[derive(Clone, Copy, Debug)]
pub struct Reserve(u64);

impl Default for Reserve {
    fn default() -> Self {
        Self(FREE_RESERVE)
    }
}

impl Reserve {
    /// `bytes` came over the wire, in whatever flow.
    pub fn bring(&mut self, bytes: u64) {
        self.0 = self.0.saturating_add(bytes.saturating_mul(RESERVE_PER_BYTE)).min(MAX_RESERVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_pays_for_work_and_the_reserve_helps_out() {
        let (mut budget, mut reserve) = (Budget::default(), Reserve::default());
        assert!(budget.spend(FREE_WORK, &mut reserve));
        assert_eq!(budget.left(&reserve), FREE_RESERVE);
        assert!(budget.spend(FREE_RESERVE, &mut reserve));
        assert!(!budget.spend(1, &mut reserve));
        budget.bring(1000);
        reserve.bring(10);
        assert_eq!(budget.left(&reserve), 1000 * WORK_PER_BYTE + 10 * RESERVE_PER_BYTE);
        assert!(!budget.spend(1000 * (WORK_PER_BYTE + RESERVE_PER_BYTE), &mut reserve));
        assert_eq!(budget.left(&reserve), 0);
    }

    #[test]
    fn records_beyond_what_the_wire_brought_cost_work() {
        let (mut budget, mut reserve) = (Budget::default(), Reserve::default());
        budget.record(&mut reserve);
        budget.enter_unpacked();
        let before = budget.left(&reserve);
        (0..FREE_RECORDS).for_each(|_| budget.record(&mut reserve));
        assert_eq!(budget.left(&reserve), before);
        budget.record(&mut reserve);
        assert_eq!(budget.left(&reserve), before - RECORD);
    }

    #[test]
    fn what_is_saved_has_a_ceiling() {
        let (mut budget, mut reserve) = (Budget::default(), Reserve::default());
        budget.bring(u64::MAX);
        reserve.bring(u64::MAX);
        assert_eq!(budget.left(&reserve), MAX_SAVED + MAX_RESERVE);
    }
}
