//! Protocol data units (PS3.8 9.3): headers, and how to recognise them.

use super::dimse::Command;
use crate::protocol::{Probe, Speaker};
use crate::syntax::Match;

/// Bytes of a PDU header: type, reserved, length.
pub(super) const PDU_HEADER: usize = 6;
/// Bytes of a PDV header: length, presentation context, message control header (PS3.8 9.3.5.1, E.2).
pub(super) const PDV_HEADER: usize = 6;

pub(super) const ASSOCIATE_RQ: u8 = 1;
pub(super) const ASSOCIATE_AC: u8 = 2;
pub(super) const ASSOCIATE_RJ: u8 = 3;
pub(super) const DATA_TF: u8 = 4;
pub(super) const RELEASE_RQ: u8 = 5;
pub(super) const RELEASE_RP: u8 = 6;
pub(super) const ABORT: u8 = 7;

/// Longest PDU other than P-DATA-TF that is accepted: 128 presentation contexts with all existing transfer syntaxes
/// stay below a quarter of it. It is read as it arrives and needs no memory.
pub(super) const MAX_CONTROL: u32 = 1 << 20;
/// Bytes by which a P-DATA-TF PDU may exceed the announced maximum: implementations count differently.
const SLACK: u32 = 64 << 10;
/// Length of the fixed part of A-ASSOCIATE-RQ and -AC behind the header (PS3.8 tables 9-11, 9-17).
pub(super) const ASSOCIATE_FIXED: usize = 68;
/// PDVs of one PDU that are checked before it is accepted.
const MAX_CHAIN: usize = 8;

/// Type and length of a PDU.
#[derive(Clone, Copy)]
pub(super) struct PduHeader {
    pub kind: u8,
    pub len: u32,
}

impl PduHeader {
    /// The header at the start of `data`, if it is complete.
    pub fn read(data: &[u8]) -> Option<Self> {
        let head = data.first_chunk::<PDU_HEADER>()?;
        Some(Self { kind: head[0], len: u32::from_be_bytes([head[2], head[3], head[4], head[5]]) })
    }

    /// Whether a PDU of this type may have this length.
    pub fn is_sane(self) -> bool {
        match self.kind {
            ASSOCIATE_RQ | ASSOCIATE_AC => {
                (ASSOCIATE_FIXED as u32..=MAX_CONTROL).contains(&self.len)
            }
            ASSOCIATE_RJ | RELEASE_RQ | RELEASE_RP | ABORT => (4..=MAX_CONTROL).contains(&self.len),
            DATA_TF => true,
            _ => false,
        }
    }

    /// Whether a P-DATA-TF PDU is far longer than the other end accepts (PS3.8 annex D.1), if that is known.
    pub fn exceeds(self, max: Option<u32>) -> bool {
        max.is_some_and(|max| max > 0 && self.len > max.saturating_add(SLACK))
    }

    /// Whether it may be a PDU of an unknown type, which is passed over whole.
    pub fn is_foreign(self, reserved: u8) -> bool {
        self.kind > ABORT && reserved == 0 && (1..=MAX_CONTROL).contains(&self.len)
    }
}

/// A presentation data value's header.
#[derive(Clone, Copy)]
pub(super) struct PdvHeader {
    /// Length of context, control header and value.
    pub len: u32,
    pub context: u8,
    pub control: u8,
}

impl PdvHeader {
    pub fn read(data: &[u8]) -> Option<Self> {
        let head = data.first_chunk::<PDV_HEADER>()?;
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        Some(Self { len, context: head[4], control: head[5] })
    }
    /// Whether it fits into `left` bytes of its PDU.
    pub fn fits(self, left: u32) -> bool {
        self.len >= 2 && self.len.checked_add(4).is_some_and(|total| total <= left)
    }
    /// Context identifiers are odd (PS3.8 9.3.2.2); the control header uses two bits.
    pub fn is_sane(self) -> bool {
        self.context & 1 == 1 && self.control & !3 == 0
    }
    pub const fn is_command(self) -> bool {
        self.control & 1 != 0
    }
    pub const fn is_last(self) -> bool {
        self.control & 2 != 0
    }
}

/// Recognition at the start of a direction.
pub(super) fn probe_start(data: &[u8]) -> Probe {
    let Some(&kind) = data.first() else {
        return Probe::More;
    };
    match fit(data) {
        Match::Yes(()) => Probe::yes(speaker(kind)),
        Match::No => Probe::No,
        Match::More => Probe::More,
    }
}

/// Recognition where the beginning is missing.
pub(super) fn probe_middle(data: &[u8]) -> Probe {
    match begins(data).find(|&at| followed(&data[at..])) {
        Some(offset) => Probe::Yes { speaker: speaker_of(&data[offset..]), offset },
        // One PDU may be longer than the bytes seen so far.
        None => Probe::More,
    }
}

const fn speaker(kind: u8) -> Speaker {
    match kind {
        ASSOCIATE_RQ => Speaker::Client,
        ASSOCIATE_AC | ASSOCIATE_RJ => Speaker::Server,
        _ => Speaker::Any,
    }
}

/// The sender of the PDU at the start of `data`, which most commands reveal.
fn speaker_of(data: &[u8]) -> Speaker {
    let kind = data.first().copied().unwrap_or(0);
    let command = data
        .get(PDU_HEADER..)
        .and_then(|pdvs| PdvHeader::read(pdvs).filter(|p| p.is_command()))
        .and_then(|_| Command::read(data.get(PDU_HEADER + PDV_HEADER..)?));
    command.map_or(speaker(kind), |command| command.speaker())
}

/// The first place in `data` where a PDU begins. What follows that PDU does not matter: it may not have arrived yet,
/// and the answer must not depend on segments.
pub(super) fn search(data: &[u8]) -> Option<usize> {
    begins(data).next()
}

/// The places in `data` where PDUs begin, as far as their own bytes prove it.
fn begins(data: &[u8]) -> impl Iterator<Item = usize> {
    // The second byte of a header is reserved and sent as zero, the first is 1 to 7.
    memchr::memchr_iter(0, data).filter_map(|zero| {
        let at = zero.checked_sub(1)?;
        let head = &data[at..];
        let known = (ASSOCIATE_RQ..=ABORT).contains(&head[0]);
        (known && fit(head) == Match::Yes(())).then_some(at)
    })
}

/// Whether `data` begins with a PDU.
fn fit(data: &[u8]) -> Match {
    let Some(&kind) = data.first() else {
        return Match::More;
    };
    match kind {
        ASSOCIATE_RQ | ASSOCIATE_AC => fit_associate(data),
        ASSOCIATE_RJ | RELEASE_RQ | RELEASE_RP | ABORT => fit_short(data),
        DATA_TF => fit_data(data),
        _ => Match::No,
    }
}

fn fit_associate(data: &[u8]) -> Match {
    // Checked as the bytes arrive, so that other protocols need not wait.
    if data.get(2).is_some_and(|&b| b != 0) {
        return Match::No;
    }
    let Some(header) = PduHeader::read(data) else {
        return Match::More;
    };
    if !header.is_sane() {
        return Match::No;
    }
    // Bit 0 of the protocol version (PS3.8 9.3.2).
    match data.get(6..8) {
        None => return Match::More,
        Some(version) if version[1] & 1 == 0 => return Match::No,
        Some(_) => {}
    }
    // The application context comes first; its name is a UID.
    const ITEM: usize = PDU_HEADER + ASSOCIATE_FIXED;
    let Some(item) = data.get(ITEM..ITEM + 4) else {
        return Match::More;
    };
    let len = usize::from(u16::from_be_bytes([item[2], item[3]]));
    if item[0] != 0x10 || len == 0 || len > 64 {
        return Match::No;
    }
    match data.get(ITEM + 4..ITEM + 4 + len) {
        None => Match::More,
        Some(uid) if uid.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b' ' | 0)) => {
            Match::Yes(())
        }
        Some(_) => Match::No,
    }
}

/// PDUs of four bytes: rejection, release, abort.
fn fit_short(data: &[u8]) -> Match {
    if data.iter().skip(1).zip([0, 0, 0, 0, 4]).any(|(&have, want)| have != want) {
        return Match::No;
    }
    let Some(body) = data.get(PDU_HEADER..PDU_HEADER + 4) else {
        return Match::More;
    };
    let sane = match data[0] {
        ASSOCIATE_RJ => (1..=2).contains(&body[1]) && (1..=3).contains(&body[2]) && body[3] <= 10,
        ABORT => body[2] <= 2 && body[3] <= 6,
        _ => body == [0; 4],
    };
    if sane { Match::Yes(()) } else { Match::No }
}

/// P-DATA-TF: the lengths of its PDVs must add up to its own.
fn fit_data(data: &[u8]) -> Match {
    if data.get(1).is_some_and(|&b| b != 0) {
        return Match::No;
    }
    let Some(header) = PduHeader::read(data) else {
        return Match::More;
    };
    let (mut at, mut left) = (PDU_HEADER, header.len);
    for _ in 0..MAX_CHAIN {
        let Some(pdv) = data.get(at..).and_then(PdvHeader::read) else {
            return Match::More;
        };
        if !pdv.fits(left) || !pdv.is_sane() {
            return Match::No;
        }
        left -= 4 + pdv.len;
        if left == 0 {
            return Match::Yes(());
        }
        // A command set begins with its group length (PS3.7 E.1), which is sufficient proof.
        const GROUP_LENGTH: [u8; 8] = [0, 0, 0, 0, 4, 0, 0, 0];
        if pdv.is_command() && data.get(at + PDV_HEADER..at + PDV_HEADER + 8) == Some(&GROUP_LENGTH)
        {
            return Match::Yes(());
        }
        if left < PDV_HEADER as u32 {
            return Match::No;
        }
        at = at.saturating_add(4).saturating_add(pdv.len as usize);
    }
    Match::Yes(())
}

/// Whether the bytes behind the PDU at the start of `data`, as far as available, begin another PDU.
fn followed(data: &[u8]) -> bool {
    let Some(header) = PduHeader::read(data) else {
        return false;
    };
    let Some(next) = data.get(PDU_HEADER.saturating_add(header.len as usize)..) else {
        return true;
    };
    match (next.first(), PduHeader::read(next)) {
        (None, _) => true,
        (Some(kind), None) => (ASSOCIATE_RQ..=ABORT).contains(kind),
        (Some(_), Some(next)) => next.is_sane(),
    }
}
