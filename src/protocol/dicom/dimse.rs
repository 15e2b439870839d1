//! DIMSE command sets (PS3.7 section 9, 10 and annex E): implicit VR little endian.

use super::associate::text;
use crate::protocol::Speaker;
use smallvec::SmallVec;

/// The elements of a command set that are used.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Command {
    /// Command Field (0000,0100).
    pub field: u16,
    /// Affected or Requested SOP Class UID (0000,0002), (0000,0003).
    pub sop_class: Option<String>,
    /// Affected SOP Instance UID (0000,1000).
    pub sop_instance: Option<String>,
    /// Command Data Set Type (0000,0800) says that a data set follows.
    pub has_data_set: bool,
    /// Status (0000,0900) of a response.
    pub status: Option<u16>,
    /// Message ID Being Responded To (0000,0120).
    pub responds_to: Option<u16>,
    /// Move Destination (0000,0600).
    pub destination: Option<String>,
    /// Move Originator Application Entity Title (0000,1030).
    pub originator: Option<String>,
    /// Number of remaining, completed, failed and warning sub-operations (0000,1020) to (0000,1023).
    pub suboperations: [Option<u16>; 4],
}

/// Bit of the Command Field that distinguishes responses from requests.
const RESPONSE: u16 = 0x8000;
/// Command Data Set Type: none.
const NO_DATA_SET: u16 = 0x0101;
/// Tag and length of an element.
const ELEMENT_HEADER: usize = 8;
/// Bytes read of a value: a UID has at most 64 (PS3.5 9.1).
const MAX_VALUE: usize = 64;
/// Longest command set that is read, bytes. Only lists of attributes make one long.
const MAX_COMMAND: u32 = 64 << 10;

/// Reads a command set that arrives in pieces, one element at a time.
pub(super) struct CommandReader {
    command: Command,
    /// The available bytes of the current element.
    held: SmallVec<[u8; ELEMENT_HEADER + MAX_VALUE]>,
    /// Bytes of a value to skip.
    skip: u32,
    /// Bytes read so far.
    read: u32,
    /// The Command Field was read.
    named: bool,
    /// Nothing more is read: elements of another group follow.
    over: bool,
    /// An element has an impossible length.
    broken: bool,
}

impl Default for CommandReader {
    fn default() -> Self {
        Self {
            command: Command { has_data_set: true, ..Command::default() },
            held: SmallVec::new(),
            skip: 0,
            read: 0,
            named: false,
            over: false,
            broken: false,
        }
    }
}

impl CommandReader {
    /// Reads the next bytes. False if the command set is too long to be one.
    pub fn feed(&mut self, mut bytes: &[u8]) -> bool {
        self.read = self.read.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if self.read > MAX_COMMAND {
            return false;
        }
        while !bytes.is_empty() && !self.over && !self.broken {
            let pass = bytes.len().min(self.skip as usize);
            self.skip -= pass as u32;
            bytes = &bytes[pass..];
            let want = match self.length() {
                None => ELEMENT_HEADER,
                Some(len) => ELEMENT_HEADER + len.min(MAX_VALUE as u32) as usize,
            };
            let take = bytes.len().min(want - self.held.len());
            self.held.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if self.skip == 0 {
                self.settle();
            }
        }
        true
    }

    /// The command set has ended; `None` if it was none.
    pub fn finish(self) -> Option<Command> {
        (self.named && !self.broken).then_some(self.command)
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let command = &self.command;
        let texts =
            [&command.sop_class, &command.sop_instance, &command.destination, &command.originator];
        size_of::<Self>() + texts.into_iter().flatten().map(String::capacity).sum::<usize>()
    }

    /// Length of the current value, once its header is available.
    fn length(&self) -> Option<u32> {
        let len = self.held.get(4..ELEMENT_HEADER)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*len))
    }

    /// Takes the current element, if enough of it is available.
    fn settle(&mut self) {
        let Some(len) = self.length() else { return };
        let have = self.held.len() - ELEMENT_HEADER;
        if have < len.min(MAX_VALUE as u32) as usize {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let (head, value) = held.split_at(ELEMENT_HEADER);
        let group = u16::from_le_bytes([head[0], head[1]]);
        if group != 0 {
            self.over = true;
            return;
        }
        self.skip = len - have as u32;
        self.broken = self.take(u16::from_le_bytes([head[2], head[3]]), value).is_none();
    }

    fn take(&mut self, element: u16, value: &[u8]) -> Option<()> {
        let command = &mut self.command;
        match element {
            0x0002 | 0x0003 => command.sop_class = Some(uid(value)),
            0x0100 => {
                command.field = us(value)?;
                self.named = true;
            }
            0x0120 => command.responds_to = us(value),
            0x0600 => command.destination = Some(title(value)),
            0x0800 => command.has_data_set = us(value)? != NO_DATA_SET,
            0x0900 => command.status = us(value),
            0x1000 | 0x1001 => command.sop_instance = Some(uid(value)),
            0x1020..=0x1023 => {
                if let Some(slot) = command.suboperations.get_mut(usize::from(element & 3)) {
                    *slot = us(value);
                }
            }
            0x1030 => command.originator = Some(title(value)),
            _ => {}
        }
        Some(())
    }
}

impl Command {
    /// Reads the available part of a command set. `None` if it is none.
    pub fn read(data: &[u8]) -> Option<Self> {
        let mut reader = CommandReader::default();
        reader.feed(&data[..data.len().min(MAX_COMMAND as usize)]);
        reader.finish()
    }

    /// The name of the operation (PS3.7 table E.1-1).
    pub const fn operation(&self) -> &'static str {
        match self.field & !RESPONSE {
            0x0001 => "C-STORE",
            0x0010 => "C-GET",
            0x0020 => "C-FIND",
            0x0021 => "C-MOVE",
            0x0030 => "C-ECHO",
            0x0100 => "N-EVENT-REPORT",
            0x0110 => "N-GET",
            0x0120 => "N-SET",
            0x0130 => "N-ACTION",
            0x0140 => "N-CREATE",
            0x0150 => "N-DELETE",
            0x0FFF => "C-CANCEL",
            _ => "DIMSE",
        }
    }

    /// Whether it is a response.
    pub const fn is_response(&self) -> bool {
        self.field & RESPONSE != 0
    }

    /// Which end of an association sends it. C-STORE goes both ways (C-GET), and so do event reports.
    pub const fn speaker(&self) -> Speaker {
        match (self.field & !RESPONSE, self.is_response()) {
            (0x0001 | 0x0100, _) => Speaker::Any,
            (_, false) => Speaker::Client,
            _ => Speaker::Server,
        }
    }

    /// Whether its data set holds the keys of a query.
    pub const fn is_query(&self) -> bool {
        matches!(self.field, 0x0010 | 0x0020 | 0x0021)
    }
}

fn us(value: &[u8]) -> Option<u16> {
    value.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}

fn uid(value: &[u8]) -> String {
    value
        .iter()
        .take(MAX_VALUE)
        .filter(|b| b.is_ascii_digit() || **b == b'.')
        .map(|&b| b as char)
        .collect()
}

/// An application entity title: at most 16 characters (PS3.5 table 6.2-1).
fn title(value: &[u8]) -> String {
    text(value.get(..16).unwrap_or(value)).trim().to_owned()
}
