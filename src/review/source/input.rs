//! Opens files of events: plain, with a byte order mark, or compressed, as `--output
//! FILE,rotate=SIZE` leaves them.

use crate::capture::is_capture;
use flate2::bufread::MultiGzDecoder;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

/// Bytes inspected at the beginning; longer than any signature that is recognised.
const HEAD: u64 = 512;

/// Bytes that a compressed source may unpack to, and how many more for each of its own bytes. Events compress to a
/// tenth, those of one exposure to a fiftieth.
const MAX_UNPACKED: u64 = 16 << 20;
const MAX_RATIO: u64 = 128;

/// The lines of a source, and a hint if none of them is an event.
pub(in crate::review) struct Input<'a> {
    /// The lines.
    pub lines: Box<dyn BufRead + 'a>,
    /// See [`remedy`].
    pub remedy: &'static str,
    /// Compressed input turned out to be damaged or cut off: what follows is missing.
    damaged: Rc<Cell<bool>>,
}

/// Ends where compressed data is damaged or cut off.
struct Salvaged<R> {
    input: R,
    damaged: Rc<Cell<bool>>,
}

impl<R: Read> Read for Salvaged<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if self.damaged.get() {
            return Ok(0);
        }
        match self.input.read(out) {
            Err(error) if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) => {
                self.damaged.set(true);
                Ok(0)
            }
            read => read,
        }
    }
}

/// Counts the bytes that are used.
struct Counted<R> {
    input: R,
    used: Rc<Cell<u64>>,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(out)?;
        self.used.set(self.used.get() + len as u64);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, len: usize) {
        self.used.set(self.used.get() + len as u64);
        self.input.consume(len);
    }
}

/// Fails where more is unpacked than events ever are.
struct Bounded<R> {
    input: R,
    /// Compressed bytes used, and bytes unpacked from them.
    used: Rc<Cell<u64>>,
    unpacked: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(out)?;
        self.unpacked += len as u64;
        if self.unpacked > MAX_UNPACKED.saturating_add(MAX_RATIO.saturating_mul(self.used.get())) {
            // Not damage: a part of it is no result.
            let error = "it unpacks to more than 128 times its size, which no file of events does";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
        }
        Ok(len)
    }
}

impl<'a> Input<'a> {
    /// Inspects the first bytes and decompresses gzip.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn new(input: impl BufRead + 'a) -> io::Result<Self> {
        let (head, input) = peek(input)?;
        if head.get_ref().starts_with(&[0x1f, 0x8b, 0x08]) {
            let damaged = Rc::new(Cell::new(false));
            let used = Rc::new(Cell::new(0));
            let input = Counted { input: head.chain(input), used: Rc::clone(&used) };
            let input = Bounded { input: MultiGzDecoder::new(input), used, unpacked: 0 };
            let input = Salvaged { input, damaged: Rc::clone(&damaged) };
            let (head, unpacked) = peek(BufReader::new(input))?;
            return Ok(Self { damaged, ..Self::plain(head, unpacked) });
        }
        Ok(Self::plain(head, input))
    }

    /// Whether compressed input was damaged or cut off, as far as it has been read.
    pub fn is_damaged(&self) -> bool {
        self.damaged.get()
    }

    fn plain(mut head: Cursor<Vec<u8>>, input: impl BufRead + 'a) -> Self {
        let remedy = remedy(head.get_ref());
        // Windows writes UTF-8 with a byte order mark.
        if head.get_ref().starts_with(b"\xef\xbb\xbf") {
            head.set_position(3);
        }
        Self { lines: Box::new(head.chain(input)), remedy, damaged: Rc::default() }
    }
}

fn peek<R: BufRead>(mut input: R) -> io::Result<(Cursor<Vec<u8>>, R)> {
    let mut head = Vec::new();
    (&mut input).take(HEAD).read_to_end(&mut head)?;
    Ok((Cursor::new(head), input))
}

/// What a file without events seems to be, and what to do with it.
fn remedy(head: &[u8]) -> &'static str {
    let holds = |part: &[u8]| memchr::memmem::find(head, part).is_some();
    match head {
        _ if head.starts_with(b"SQLite format 3\0") => {
            ": it is a store; phitap query and report read it, and phitap merge reads events"
        }
        _ if is_capture(head) => {
            ": it is a capture; read it with phitap replay and --store FILE.db first"
        }
        [0x1f, 0x8b, ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [0xfd, b'7', b'z', b'X', ..]
        | [0x04, 0x22, 0x4d, 0x18, ..]
        | [b'B', b'Z', b'h', ..]
        | [b'P', b'K', ..] => ": it is compressed; unpack it first",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ": it is UTF-16; convert it to UTF-8 first",
        [b'[', ..] => ": it is one JSON array; write one event a line first (jq -c '.[]')",
        _ if head.starts_with(b"CEF:") => ": it is CEF; write events with --format json",
        _ if holds(b"\"class_uid\":") => ": it is OCSF; write events with --format json",
        _ if holds(b"\"event_type\":") => ": it is EVE; write events with --format json",
        _ if holds(b"\"_path\":") => ": it is a log of Zeek; write events with --format json",
        _ if head.starts_with(b"phitap ") => ": it is a summary; write events with --format json",
        _ => "; write them with --format json, or keep a store with --store",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).expect("packed");
        packed.finish().expect("packed")
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        // One byte at a time, as a pipe may bring them.
        let input = BufReader::with_capacity(1, bytes);
        Input::new(input)?.lines.read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn lines_are_the_same_however_they_are_packed() {
        let text = "{\"a\":1}\n".repeat(1_000);
        let text = text.as_bytes();
        let marked = [b"\xef\xbb\xbf", text].concat();
        let (first, second) = text.split_at(900);
        let two = [gzip(first), gzip(second)].concat();
        for bytes in [text.to_vec(), marked.clone(), gzip(text), gzip(&marked), two] {
            assert_eq!(read(&bytes).expect("reads"), text);
        }
        for short in [&b""[..], b"{", b"\xef\xbb"] {
            assert_eq!(read(short).expect("reads"), short);
        }
    }

    #[test]
    fn of_a_compressed_file_that_is_cut_off_or_damaged_the_whole_part_is_read() {
        let text: String = (0..20_000).map(|n| format!("{{\"a\":{}}}\n", n * 7919)).collect();
        let packed = gzip(text.as_bytes());
        let salvaged = |bytes: &[u8]| {
            let mut all = Vec::new();
            let mut input = Input::new(bytes).expect("opens");
            input.lines.read_to_end(&mut all).expect("reads what is there");
            (all, input.is_damaged())
        };
        assert_eq!(salvaged(&packed), (text.as_bytes().to_vec(), false));
        let (half, damaged) = salvaged(&packed[..packed.len() / 2]);
        assert!(damaged && half.len() > text.len() / 4, "{} bytes", half.len());
        assert!(text.as_bytes().starts_with(&half));
        let trailing = [&packed[..], b"\x1f\x8bno further member"].concat();
        assert_eq!(salvaged(&trailing), (text.as_bytes().to_vec(), true));
        let mut wrong_sum = packed.clone();
        let at = wrong_sum.len() - 6;
        wrong_sum[at] ^= 0x55;
        assert!(salvaged(&wrong_sum).1, "its checksum is that of another text");
        for short in 3..20.min(packed.len()) {
            assert!(salvaged(&packed[..short]).1, "{short} bytes");
        }
    }

    #[test]
    fn a_compressed_file_unpacks_in_proportion_to_its_size() {
        let bomb = gzip(&b"{}\n".repeat(32 << 20));
        assert!(bomb.len() < 256 << 10, "{} bytes", bomb.len());
        let mut read = Vec::new();
        let mut input = Input::new(&bomb[..]).expect("opens");
        let error = input.lines.read_to_end(&mut read).expect_err("too much");
        assert!(error.to_string().contains("128 times"), "{error}");
        let room = MAX_UNPACKED + MAX_RATIO * bomb.len() as u64;
        assert!(read.len() as u64 <= room + (64 << 10), "{} bytes", read.len());
        assert!(!input.is_damaged());
        // Twenty times, and a little that is much alike.
        let usual: String = (0..200_000).map(|n| format!("{{\"packets\":{n}}}\n")).collect();
        for whole in [usual.into_bytes(), b"{\"event\":{}}\n".repeat(1 << 20)] {
            let mut read = Vec::new();
            let packed = gzip(&whole);
            Input::new(&packed[..]).expect("opens").lines.read_to_end(&mut read).expect("reads");
            assert!(read == whole);
        }
    }

    #[test]
    fn what_holds_no_events_is_named_with_what_to_do() {
        let of = |bytes: &[u8]| Input::new(bytes).expect("reads").remedy;
        for (bytes, part) in [
            (&b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00"[..], "phitap replay"),
            (b"\x28\xb5\x2f\xfd\x04", "unpack"),
            (b"\xff\xfe{\x00", "UTF-8"),
            (b"[{\"event\":{}}]", "jq -c"),
            (b"CEF:0|phitap|", "CEF"),
            (b"{\"activity_id\":2,\"class_uid\":5001}", "OCSF"),
            (b"SQLite format 3\0\x10\x00", "store"),
            (b"", "--store"),
            (b"\x00\x01garbage", "--store"),
        ] {
            assert!(of(bytes).contains(part), "{bytes:?}: {}", of(bytes));
        }
        let packed = gzip(b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00");
        assert!(of(&packed).contains("phitap replay"));
    }
}
