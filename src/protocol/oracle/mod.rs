//! Oracle's network protocol (TNS). Oracle publishes no specification; the packets are read as Wireshark's dissector
//! does. Client and database are read from the connect descriptor; the data of packets is searched for complete
//! payloads and text, like streams of unknown protocols.

#[cfg(test)]
mod tests;

use super::unknown::Carver;
use super::{
    Authentication, ContentSink, Direction, End, ParseError, Parser, Position, Probe, Progress,
    Protocol, Reason, Resync, Role, Roles, ServiceFacts, Speaker,
};
use memchr::memmem;
use zeroize::Zeroizing;

/// Length of a packet's header.
const HEADER: usize = 8;
/// Longest packet, bytes (the largest session data unit).
const MAX_PACKET: u32 = 2 << 20;
/// Bytes in front of a packet that are read as a whole: connect descriptors and logins.
const MAX_LOOK: usize = 4096;
/// Data packets of the client that are searched for the login.
const MAX_LOOKED: usize = 16;
/// Bytes held until it is decided whether a payload begins in them.
const MAX_HELD: usize = 64 << 10;
/// The first version whose packets have four-byte lengths.
const WIDE: u16 = 315;
/// Flags in front of the data of a data packet, bytes.
const FLAGS: usize = 2;

const CONNECT: u8 = 1;
const ACCEPT: u8 = 2;
const DATA: u8 = 6;
/// The highest type (control).
const LAST: u8 = 19;

/// Oracle.
pub struct Oracle;

impl Protocol for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        if at == Position::Midstream {
            return Probe::No;
        }
        // Length, no checksum, CONNECT, no checksum of the header, version, version at least.
        const ZEROS: [usize; 4] = [2, 3, 6, 7];
        if ZEROS.into_iter().any(|at| data.get(at).is_some_and(|b| *b != 0))
            || data.get(4).is_some_and(|kind| *kind != CONNECT)
        {
            return Probe::No;
        }
        let (Some(length), Some(version), Some(least), Some(place)) =
            (word(data, 0), word(data, 8), word(data, 10), word(data, 26))
        else {
            return Probe::More;
        };
        let fits = (34..=4096).contains(&length)
            && (300..400).contains(&version)
            && (200..=version).contains(&least)
            && (34..=128).contains(&place);
        if fits { Probe::yes(Speaker::Client) } else { Probe::No }
    }

    fn needs_begin(&self) -> bool {
        true
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::Database)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::new(OracleParser {
            carver: Carver::of("oracle"),
            sides: Default::default(),
            wide: false,
            looked: 0,
        })
    }
}

fn word(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk::<2>()?))
}

/// One direction.
#[derive(Default)]
struct DirectionState {
    /// Remaining bytes of the current packet.
    left: usize,
    /// Data that is not decided on yet.
    held: Zeroizing<Vec<u8>>,
    /// How many bytes must be held before the next search.
    need: usize,
    /// Following data bytes to skip.
    unwanted: u64,
}

/// One flow.
struct OracleParser {
    carver: Carver,
    sides: [DirectionState; 2],
    /// Lengths have four bytes.
    wide: bool,
    /// Data packets searched for the login.
    looked: usize,
}

impl OracleParser {
    /// A packet begins: its type, and its first bytes behind the header. Returns how many of them are not data.
    fn packet(
        &mut self,
        direction: Direction,
        kind: u8,
        body: &[u8],
        sink: &mut dyn ContentSink,
    ) -> usize {
        let client = direction == Direction::ClientToServer;
        match kind {
            CONNECT if client => {
                if let Some(at) = memmem::find(body, b"(") {
                    descriptor(body.get(at..).unwrap_or_default(), sink);
                }
            }
            ACCEPT if !client => self.wide = word(body, 0).is_some_and(|version| version >= WIDE),
            DATA => {
                let carried = body.get(FLAGS..).unwrap_or_default();
                if client && carried.starts_with(b"(") {
                    // A long descriptor follows CONNECT.
                    descriptor(carried, sink);
                    return usize::MAX;
                }
                if client && self.looked < MAX_LOOKED {
                    self.looked += 1;
                    if memmem::find(carried, b"AUTH_").is_some() {
                        sink.facts().shown(Authentication::Digest);
                        self.looked = MAX_LOOKED;
                    }
                }
                return FLAGS;
            }
            _ => {}
        }
        usize::MAX
    }

    /// Bytes that a data packet carries.
    fn carried(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<(), ParseError> {
        let side = &mut self.sides[direction.index()];
        let skipped = usize::try_from(side.unwanted).unwrap_or(usize::MAX).min(bytes.len());
        side.unwanted -= skipped as u64;
        let bytes = bytes.get(skipped..).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        let mut held = std::mem::take(&mut side.held);
        held.extend_from_slice(bytes);
        if held.len() < side.need && held.len() <= MAX_HELD {
            side.held = held;
            return Ok(());
        }
        let progress = self.carver.data(direction, &held, sink)?;
        let read = progress.consumed.min(held.len());
        held.drain(..read);
        let side = &mut self.sides[direction.index()];
        side.unwanted = progress.skip;
        side.need = progress.need;
        if progress.skip == 0 && held.len() <= MAX_HELD {
            side.held = held;
        }
        Ok(())
    }
}

/// `(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=his)(CID=(PROGRAM=viewer)(HOST=pc7)(USER=jane)))...)`
fn descriptor(text: &[u8], sink: &mut dyn ContentSink) {
    let text = String::from_utf8_lossy(text.get(..MAX_LOOK).unwrap_or(text)).into_owned();
    let value = |name: &str| {
        let upper = text.to_ascii_uppercase();
        let at = upper.find(&format!("({name}="))? + name.len() + 2;
        let value = text.get(at..)?.split(')').next()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    if let Some(service) = value("SERVICE_NAME").or_else(|| value("SID")) {
        ServiceFacts::set(&mut sink.facts().files().path, &format!("/{service}"));
    }
    if let Some(user) = value("USER") {
        ServiceFacts::set(&mut sink.facts().files().user, &user);
    }
}

impl Parser for OracleParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let left = self.sides[direction.index()].left;
            if left > 0 {
                let bytes = rest.get(..left.min(rest.len())).unwrap_or(rest);
                self.sides[direction.index()].left -= bytes.len();
                self.carried(direction, bytes, sink)?;
                at += bytes.len();
                continue;
            }
            let (Some(kind), Some(short)) =
                (rest.get(4).filter(|_| rest.len() >= HEADER), word(rest, 0))
            else {
                return Ok(Progress::need(at, HEADER));
            };
            let length = match self.wide {
                true => u32::from(short) << 16 | u32::from(word(rest, 2).unwrap_or(0)),
                false => short.into(),
            };
            if !(HEADER as u32..=MAX_PACKET).contains(&length) || !(1..=LAST).contains(kind) {
                return Err(ParseError::new(Reason::Malformed, at));
            }
            let length = length as usize;
            let deep = match *kind {
                DATA => direction == Direction::ClientToServer && self.looked < MAX_LOOKED,
                _ => true,
            };
            let look = length.min(if deep { MAX_LOOK } else { HEADER + FLAGS });
            let Some(body) = rest.get(HEADER..look) else { return Ok(Progress::need(at, look)) };
            let passed = self.packet(direction, *kind, body, sink);
            if passed == usize::MAX {
                return Ok(Progress::skip(at, length as u64));
            }
            at += HEADER + passed.min(length - HEADER);
            self.sides[direction.index()].left = (length - HEADER).saturating_sub(passed);
        }
        Ok(Progress::consumed(at))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let side = &mut self.sides[direction.index()];
        side.held.clear();
        side.need = 0;
        let inside = usize::try_from(len).ok().filter(|len| *len <= side.left);
        let Some(len) = inside else { return Resync::Lost };
        side.left -= len;
        side.unwanted = side.unwanted.saturating_sub(len as u64);
        self.carver.gap(direction, len as u64, sink)
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        None
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        let held = std::mem::take(&mut self.sides[direction.index()].held);
        self.carver.close(direction, &held, end, sink);
    }

    fn memory(&self) -> usize {
        self.sides.iter().map(|side| side.held.capacity()).sum()
    }
}
