//! DIMSE command sets (PS3.7 section 9, 10 and annex E): implicit VR little endian.

use crate::protocol::Speaker;

/// What a command set says that matters here.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Command {
    /// Command Field (0000,0100).
    pub field: u16,
    /// Affected or Requested SOP Class UID (0000,0002), (0000,0003).
    pub sop_class: Option<String>,
    /// Command Data Set Type (0000,0800) says that a data set follows.
    pub has_data_set: bool,
    /// Status (0000,0900) of a response.
    pub status: Option<u16>,
}

/// Bit of the Command Field that tells responses from requests.
const RESPONSE: u16 = 0x8000;
/// Command Data Set Type: none.
const NO_DATA_SET: u16 = 0x0101;

impl Command {
    /// Reads a whole command set. None if it is not one.
    pub fn read(data: &[u8]) -> Option<Self> {
        let mut command = Self { has_data_set: true, ..Self::default() };
        let mut found = false;
        let mut rest = data;
        while let Some((head, tail)) = rest.split_first_chunk::<8>() {
            let group = u16::from_le_bytes([head[0], head[1]]);
            let element = u16::from_le_bytes([head[2], head[3]]);
            let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            let Some((value, tail)) = tail.split_at_checked(len as usize) else {
                break;
            };
            if group != 0 {
                break;
            }
            match element {
                0x0002 | 0x0003 => command.sop_class = Some(uid(value)),
                0x0100 => {
                    command.field = us(value)?;
                    found = true;
                }
                0x0800 => command.has_data_set = us(value)? != NO_DATA_SET,
                0x0900 => command.status = us(value),
                _ => {}
            }
            rest = tail;
        }
        found.then_some(command)
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

    /// Which end of an association sends it. Storage goes both ways (C-GET), and so do reports of
    /// events.
    pub const fn speaker(&self) -> Speaker {
        match (self.field & !RESPONSE, self.field & RESPONSE) {
            (0x0001 | 0x0100, _) => Speaker::Any,
            (_, 0) => Speaker::Client,
            _ => Speaker::Server,
        }
    }

    /// Whether its data set holds the keys of a question.
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
        .take(64)
        .filter(|b| b.is_ascii_digit() || **b == b'.')
        .map(|&b| b as char)
        .collect()
}
