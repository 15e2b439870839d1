//! Tape archives (POSIX.1-2017 pax, ustar; GNU tar): each regular file is a payload of its own.

use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};

/// Length of the blocks of headers and data.
const BLOCK: usize = 512;

/// Longest name kept, bytes.
const MAX_NAME: usize = 1024;

/// Members that are read.
const MAX_MEMBERS: usize = 20_000;

/// A tape archive, whatever it is declared as.
pub struct Tar;

impl Format for Tar {
    fn name(&self) -> &'static str {
        "tar"
    }
    fn probe(&self, _media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        // The checksum distinguishes it from other formats, even without the magic of ustar.
        head.get(..BLOCK).is_some_and(|block| block.first() != Some(&0) && is_header(block))
    }
    fn cost(&self) -> u64 {
        1
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Archive { state: State::Header, held: Vec::new(), long_name: None, members: 0 })
    }
}

struct Archive {
    state: State,
    /// An incomplete header or long name.
    held: Vec<u8>,
    /// The name of the next member.
    long_name: Option<String>,
    members: usize,
}

enum State {
    Header,
    /// Remaining bytes of a long name and its padding; whether it is a pax header.
    Name {
        left: u64,
        padding: u64,
        pax: bool,
    },
    /// A member, how many of its next bytes to skip, and how many are left.
    Member {
        nested: Box<Nested>,
        skip: u64,
        left: u64,
        padding: u64,
    },
    /// Skipped data.
    Pass(u64),
    Done,
}

/// The sum of a header's bytes, with blanks in place of the checksum itself.
fn is_header(block: &[u8]) -> bool {
    let sum = |n: u64, (at, byte): (usize, &u8)| {
        n + u64::from(if (148..156).contains(&at) { b' ' } else { *byte })
    };
    let said = block.get(148..156).and_then(octal);
    said.is_some_and(|said| block.iter().enumerate().fold(0, sum) == said)
}

/// A number in octal digits, or in base 256 where its first bit is set (GNU).
fn octal(field: &[u8]) -> Option<u64> {
    if let Some((first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        let high = rest.len().saturating_sub(8);
        if first & 0x7f != 0 || rest.iter().take(high).any(|b| *b != 0) {
            return None;
        }
        return Some(rest.iter().skip(high).fold(0, |n, b| n << 8 | u64::from(*b)));
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches([' ', '\0']);
    let digits = text.split([' ', '\0']).next().unwrap_or("");
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

/// The text before the first null byte.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

impl Archive {
    fn header(&mut self, block: &[u8], scope: &mut Scope<'_>) -> State {
        if block.iter().all(|b| *b == 0) {
            return State::Done;
        }
        let size = block.get(124..136).and_then(octal);
        let (true, Some(size)) = (is_header(block), size) else {
            scope.give_up(Reason::Malformed);
            return State::Done;
        };
        self.members += 1;
        if self.members > MAX_MEMBERS {
            scope.give_up(Reason::Limit);
            return State::Done;
        }
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        match block.get(156).copied().unwrap_or(0) {
            kind @ (b'L' | b'x') if size <= 64 << 10 => {
                State::Name { left: size, padding, pax: kind == b'x' }
            }
            b'0' | b'7' | 0 => {
                let own = || {
                    let name = text(block.get(..100).unwrap_or_default());
                    let prefix = text(block.get(345..500).unwrap_or_default());
                    let ustar = block.get(257..262) == Some(b"ustar");
                    if prefix.is_empty() || !ustar { name } else { format!("{prefix}/{name}") }
                };
                let name = self.long_name.take().unwrap_or_else(own);
                let media = Media::Type { content_type: "", name: &name };
                let nested = Box::new(Nested::new(&media));
                State::Member { nested, skip: 0, left: size, padding }
            }
            _ => State::Pass(size.saturating_add(padding)),
        }
    }

    /// The name in `held`.
    fn name(&mut self, pax: bool) {
        let held = std::mem::take(&mut self.held);
        if !pax {
            self.long_name = Some(text(&held));
            return;
        }
        // Records `length key=value\n`.
        let records = String::from_utf8_lossy(&held);
        let path = records.lines().filter_map(|line| line.split_once(' '));
        if let Some(path) = path.filter_map(|(_, record)| record.strip_prefix("path=")).next_back()
        {
            self.long_name = Some(path.to_owned());
        }
    }

    /// One step. Returns how much of `bytes` it used.
    fn step(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> usize {
        let upto = |left: u64| left.min(bytes.len() as u64);
        match std::mem::replace(&mut self.state, State::Header) {
            State::Header => {
                let used = bytes.len().min(BLOCK - self.held.len().min(BLOCK));
                self.held.extend_from_slice(bytes.get(..used).unwrap_or_default());
                if self.held.len() == BLOCK {
                    let block = std::mem::take(&mut self.held);
                    self.state = self.header(&block, scope);
                }
                used
            }
            State::Name { left, padding, pax } => {
                let used = upto(left);
                let room = MAX_NAME.saturating_sub(self.held.len());
                let piece = bytes.get(..used as usize).unwrap_or_default();
                self.held.extend_from_slice(piece.get(..room).unwrap_or(piece));
                if used == left {
                    self.name(pax);
                    self.state = State::Pass(padding);
                } else {
                    self.state = State::Name { left: left - used, padding, pax };
                }
                used as usize
            }
            State::Member { mut nested, mut skip, left, padding } => {
                let used = upto(left);
                let hidden = skip.min(used);
                skip -= hidden;
                scope.skipped(hidden);
                let mine = bytes.get(hidden as usize..used as usize).unwrap_or_default();
                if !mine.is_empty() {
                    skip = nested.data(mine, scope).skip;
                }
                if used == left {
                    nested.end(Ending::Complete, scope);
                    self.state = State::Pass(padding);
                } else if skip == Want::NOTHING.skip {
                    self.state = State::Pass((left - used).saturating_add(padding));
                } else {
                    self.state = State::Member { nested, skip, left: left - used, padding };
                }
                used as usize
            }
            State::Pass(left) => {
                let used = upto(left);
                if used < left {
                    self.state = State::Pass(left - used);
                }
                used as usize
            }
            State::Done => {
                self.state = State::Done;
                bytes.len()
            }
        }
    }
}

impl Document for Archive {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = self.step(rest, scope);
            rest = rest.get(used..).unwrap_or_default();
        }
        match self.state {
            State::Done => Want::NOTHING,
            State::Pass(skip) => {
                self.state = State::Header;
                Want { skip: skip.min(u64::MAX - 1) }
            }
            _ => Want::ALL,
        }
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        let held = self.held.len() as u64;
        self.held.clear();
        let left = match std::mem::replace(&mut self.state, State::Done) {
            State::Member { mut nested, left, padding, .. } => {
                nested.end(Ending::Cut, scope);
                left.saturating_add(padding)
            }
            State::Pass(left) => left,
            State::Name { left, padding, .. } => left.saturating_add(padding),
            // The hidden header contains the length of its member.
            State::Header if held == 0 && len == 0 => BLOCK as u64,
            State::Header | State::Done => return Want::NOTHING,
        };
        let Some(left) = left.checked_sub(len) else { return Want::NOTHING };
        self.state = State::Header;
        Want { skip: left.min(u64::MAX - 1) }
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        if let State::Member { mut nested, left, .. } =
            std::mem::replace(&mut self.state, State::Done)
        {
            nested.end(Ending::complete_if(left == 0), scope);
        }
    }

    fn memory(&self) -> usize {
        let member = match &self.state {
            State::Member { nested, .. } => nested.memory(),
            _ => 0,
        };
        self.held.capacity() + member
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::testing::records;

    fn header(name: &str, kind: u8, size: usize) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn member(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
        let mut out = header(name, kind, data.len());
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }

    fn archive() -> Vec<u8> {
        let mut data = member("dir/", b'5', b"");
        data.extend(member("photo.raw", b'0', &[7; 3000]));
        data.extend(member("././@LongLink", b'L', b"a/long/name/list.csv\0"));
        data.extend(member("a/long/name/l", b'0', b"mrn,last_name,dob\n1,Roe,1970-01-01\n"));
        data.extend(member("PaxHeaders/x", b'x', b"23 path=patients.json\n20 mtime=1700000000\n"));
        data.extend(member("x", b'0', b"[{\"mrn\":\"2\",\"dob\":\"1970-01-02\"}]"));
        data.extend_from_slice(&[0; 1024]);
        data
    }

    const FOUND: [&str; 2] = [
        "http>tar>csv:~csv [PatientContext] patient_id=1 name=Roe birth_date=1970-01-01",
        "http>tar>json:~json [PatientContext] patient_id=2 birth_date=1970-01-02",
    ];

    #[test]
    fn members_are_contents() {
        assert_eq!(records("application/x-tar", &archive()), FOUND);
    }

    #[test]
    fn a_compressed_archive_is_read() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        encoder.write_all(&archive()).expect("memory");
        let data = encoder.finish().expect("memory");
        let got = records("application/gzip", &data);
        assert_eq!(got, FOUND.map(|found| found.replace("http>", "http>gzip>")));
    }

    #[test]
    fn cut_and_broken() {
        let whole = archive();
        for end in (0..whole.len()).step_by(97) {
            records("", &whole[..end]);
        }
        for at in (0..whole.len()).step_by(13) {
            let mut broken = whole.clone();
            broken[at] = 0xff;
            records("", &broken);
        }
        assert_eq!(octal(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(octal(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
