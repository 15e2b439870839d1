//! Converts K12 text files (Tektronix K12xx, Wireshark) to pcap while reading.
//!
//! A packet is three lines: a rule, the time of day with the packet's type, and its bytes in
//! hexadecimal between bars. The date is not recorded, so packets are dated 1970-01-01.

use std::io::{self, BufRead};

/// Start of the first line.
pub(super) const RULE: &[u8] = b"+-----";

/// Longest line, bytes: three characters per byte, for a packet of 64 KiB.
const MAX_LINE: u64 = 3 * (64 << 10) + 1024;

/// Converts lines to packets.
pub(super) struct K12<R> {
    lines: R,
    /// The converted bytes, and how many of them were returned.
    out: Vec<u8>,
    at: usize,
    /// Seconds and nanoseconds of the packet whose bytes follow.
    time: Option<(u32, u32)>,
}

impl<R: BufRead> K12<R> {
    /// Converts `lines`.
    pub fn new(lines: R) -> Self {
        // Nanoseconds, version 2.4, Ethernet (draft-ietf-opsawg-pcap)
        let header = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1];
        Self { lines, out: header.map(u32::to_le_bytes).concat(), at: 0, time: None }
    }

    pub const fn get_ref(&self) -> &R {
        &self.lines
    }

    pub fn into_inner(self) -> R {
        self.lines
    }

    /// Returns the next bytes of the pcap file; 0 at the end.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() {
            self.out.clear();
            self.at = 0;
            let mut line = Vec::new();
            if io::Read::take(&mut self.lines, MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(0);
            }
            self.line(line.trim_ascii()).ok_or(io::ErrorKind::InvalidData)?;
        }
        let rest = self.out.get(self.at..).unwrap_or(&[]);
        let n = rest.len().min(bytes.len());
        bytes[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }

    /// Converts a line; `None` if it is invalid.
    fn line(&mut self, line: &[u8]) -> Option<()> {
        match line.first() {
            None | Some(b'+') => {}
            Some(b'|') => {
                let mut packet = Vec::new();
                // After the part number, which is 0: a packet is one line.
                for byte in line.split(|&b| b == b'|').skip(2).filter(|byte| !byte.is_empty()) {
                    let byte = std::str::from_utf8(byte).ok()?;
                    packet.push(u8::from_str_radix(byte, 16).ok()?);
                }
                // A packet of another type, not of a LAN.
                let Some((seconds, nanos)) = self.time.take() else { return Some(()) };
                let len = u32::try_from(packet.len()).ok()?;
                self.out.extend([seconds, nanos, len, len].map(u32::to_le_bytes).concat());
                self.out.extend(packet);
            }
            Some(_) if !line.ends_with(b"ETHER") => self.time = None,
            Some(_) => self.time = Some(time(line)?),
        }
        Some(())
    }
}

/// `19:32:49,632,179`: hours, minutes, seconds, milliseconds, microseconds.
fn time(line: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(line).ok()?.split_whitespace().next()?;
    let mut parts =
        text.split([':', ',']).map(|part| part.parse::<u32>().ok().filter(|n| *n < 1000));
    let mut next = || parts.next().flatten();
    let [hours, minutes, seconds, millis, micros] = [next()?, next()?, next()?, next()?, next()?];
    Some(((hours * 60 + minutes) * 60 + seconds, millis * 1_000_000 + micros * 1000))
}
