//! Writes pcapng (draft-ietf-opsawg-pcapng): one section, an interface for each capture and link type, packets with
//! their own timestamps, lengths and a comment.

use crate::capture::{LinkType, Packet};
use std::io::{self, Write};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Options: a comment in any block; the program of a section; name and resolution of an interface.
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
/// Longest text of an option, bytes.
const MAX_TEXT: usize = 1024;

/// Writes one section.
pub struct Writer<W: Write> {
    to: W,
    interfaces: Vec<(String, LinkType)>,
}

impl<W: Write> Writer<W> {
    /// Begins the section.
    ///
    /// # Errors
    /// The error of the writer below, as for all later calls.
    pub fn begin(mut to: W) -> io::Result<Self> {
        let mut body = Vec::new();
        body.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0]);
        // The length of the section is not known yet.
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        option(&mut body, APPLICATION, concat!("phitap ", env!("CARGO_PKG_VERSION")).as_bytes());
        end_options(&mut body);
        block(&mut to, SECTION, &body)?;
        Ok(Self { to, interfaces: Vec::new() })
    }

    /// Writes a packet of the capture `file`, with the ids of its events.
    ///
    /// # Errors
    /// As [`Writer::begin`].
    pub fn packet(
        &mut self,
        file: &str,
        packet: &Packet,
        bytes: &[u8],
        ids: &[&str],
    ) -> io::Result<()> {
        let interface = self.interface(file, packet.link)?;
        let time = u64::try_from(packet.time.0).unwrap_or(0);
        let mut body = Vec::with_capacity(bytes.len() + 64);
        body.extend_from_slice(&interface.to_le_bytes());
        body.extend_from_slice(&((time >> 32) as u32).to_le_bytes());
        body.extend_from_slice(&(time as u32).to_le_bytes());
        body.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        body.extend_from_slice(&packet.len.to_le_bytes());
        body.extend_from_slice(bytes);
        pad(&mut body);
        option(&mut body, COMMENT, format!("frame {} {}", packet.number, ids.join(" ")).as_bytes());
        end_options(&mut body);
        block(&mut self.to, PACKET, &body)
    }

    /// Flushes everything that is buffered.
    ///
    /// # Errors
    /// As [`Writer::begin`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// The writer below, with everything flushed.
    ///
    /// # Errors
    /// As [`Writer::begin`].
    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.to)
    }

    /// The number of an interface, which is described at its first use.
    fn interface(&mut self, file: &str, link: LinkType) -> io::Result<u32> {
        let known = self.interfaces.iter().position(|(f, l)| f == file && *l == link);
        if let Some(at) = known {
            return Ok(at as u32);
        }
        let mut body = Vec::new();
        body.extend_from_slice(&link.0.to_le_bytes());
        // Two reserved bytes, and no snap length of its own.
        body.extend_from_slice(&[0; 6]);
        option(&mut body, NAME, file.as_bytes());
        // Nanoseconds.
        option(&mut body, RESOLUTION, &[9]);
        end_options(&mut body);
        block(&mut self.to, INTERFACE, &body)?;
        self.interfaces.push((file.to_owned(), link));
        Ok(self.interfaces.len() as u32 - 1)
    }
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..MAX_TEXT).unwrap_or(value);
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn end_options(body: &mut Vec<u8>) {
    body.extend_from_slice(&[0; 4]);
}

fn block(to: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    to.write_all(&kind.to_le_bytes())?;
    to.write_all(&length)?;
    to.write_all(body)?;
    to.write_all(&length)
}
