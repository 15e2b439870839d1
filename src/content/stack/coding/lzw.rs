//! LZW as `compress` of Unix writes it (`.Z`; the coding `compress` of RFC 9110 8.4.1.1).
//!
//! Codes grow from 9 bits to the width that the header names. They are written in groups of eight, and a group
//! that a change of the width cuts short is filled up.

use super::decoder::DecodeStep;

const MAGIC: [u8; 2] = [0x1f, 0x9d];
/// Width of the first codes, and the widest, bits.
const FIRST_WIDTH: u32 = 9;
const MAX_WIDTH: u32 = 16;
/// Codes below this are bytes; this one empties the table, where the header says so.
const BYTES: usize = 256;

/// Its position.
pub(super) struct Lzw {
    header: Vec<u8>,
    /// Widest codes of this file, and whether the table may be emptied.
    widest: u32,
    clears: bool,
    width: u32,
    /// Bits that are read but not used, the first ones lowest.
    bits: u64,
    held: u32,
    /// Bits of the group so far, and bits to pass over.
    group: u32,
    skip: u32,
    /// For each code beyond bytes, the code before it and its last byte.
    before: Vec<u16>,
    last: Vec<u8>,
    /// The code before, and the first byte of what it means.
    code: Option<usize>,
    first: u8,
    /// What the last code means, backwards, as far as it was not handed on.
    pending: Vec<u8>,
}

impl Default for Lzw {
    fn default() -> Self {
        Self {
            header: Vec::new(),
            widest: 0,
            clears: false,
            width: FIRST_WIDTH,
            bits: 0,
            held: 0,
            group: 0,
            skip: 0,
            before: Vec::new(),
            last: Vec::new(),
            code: None,
            first: 0,
            pending: Vec::new(),
        }
    }
}

impl Lzw {
    /// Decodes from `input` into `output`; how much of `input` was used, and what came of it.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, DecodeStep) {
        let (mut used, mut made) = (0, 0);
        while self.header.len() < 3 {
            let Some(&byte) = input.get(used) else { return (used, DecodeStep::Starved) };
            self.header.push(byte);
            used += 1;
            if self.header.len() == 3 && !self.begin() {
                return (used, DecodeStep::Malformed);
            }
        }
        loop {
            while let (Some(slot), Some(byte)) = (output.get_mut(made), self.pending.last()) {
                *slot = *byte;
                self.pending.pop();
                made += 1;
            }
            if !self.pending.is_empty() {
                return (used, DecodeStep::Output(made));
            }
            let want = if self.skip > 0 { 1 } else { self.width };
            while self.held < want {
                let Some(&byte) = input.get(used) else {
                    return match made {
                        0 => (used, DecodeStep::Starved),
                        _ => (used, DecodeStep::Output(made)),
                    };
                };
                self.bits |= u64::from(byte) << self.held;
                self.held += 8;
                used += 1;
            }
            if self.skip > 0 {
                let passed = self.skip.min(self.held);
                self.take(passed);
                self.skip -= passed;
            } else {
                let code = self.take(self.width) as usize;
                self.group = (self.group + self.width) % (8 * self.width);
                if !self.code(code) {
                    return match made {
                        0 => (used, DecodeStep::Malformed),
                        // What came before the fault counts, however the bytes were cut.
                        _ => {
                            self.widest = 0;
                            (used, DecodeStep::Output(made))
                        }
                    };
                }
            }
        }
    }

    /// The end is nowhere marked.
    pub(super) const fn at_end(&self) -> bool {
        self.widest > 0
    }

    pub(super) fn memory(&self) -> usize {
        self.before.capacity() * 2 + self.last.capacity() + self.pending.capacity()
    }

    fn begin(&mut self) -> bool {
        let &[one, two, flags] = self.header.as_slice() else { return false };
        self.widest = u32::from(flags & 0x1f);
        self.clears = flags & 0x80 != 0;
        self.reset();
        [one, two] == MAGIC && (FIRST_WIDTH..=MAX_WIDTH).contains(&self.widest)
    }

    /// Empties the table. The code that empties it has a place in it.
    fn reset(&mut self) {
        self.before.clear();
        self.last.clear();
        if self.clears {
            self.before.push(0);
            self.last.push(0);
        }
    }

    fn take(&mut self, bits: u32) -> u64 {
        let value = self.bits & ((1 << bits) - 1);
        self.bits >>= bits;
        self.held -= bits;
        value
    }

    /// The next group begins with the next code.
    fn change_width(&mut self, width: u32) {
        self.skip = (8 * self.width - self.group) % (8 * self.width);
        self.group = 0;
        self.width = width;
    }

    /// What a code means. False if it cannot be one.
    fn code(&mut self, code: usize) -> bool {
        if self.widest == 0 {
            return false;
        }
        if code == BYTES && self.clears {
            // The place of that code is taken by the first entry, which no code means.
            self.before.clear();
            self.last.clear();
            self.change_width(FIRST_WIDTH);
            return true;
        }
        let Some(old) = self.code else {
            self.code = Some(code);
            self.first = code as u8;
            self.pending.push(code as u8);
            return code < BYTES;
        };
        let free = BYTES + self.before.len();
        let mut at = code;
        if code >= free {
            if code > free {
                return false;
            }
            self.pending.push(self.first);
            at = old;
        }
        while at >= BYTES {
            let (Some(&before), Some(&last)) =
                (self.before.get(at - BYTES), self.last.get(at - BYTES))
            else {
                return false;
            };
            self.pending.push(last);
            // Every code refers to an earlier one.
            if usize::from(before) >= at {
                return false;
            }
            at = before.into();
        }
        self.first = at as u8;
        self.pending.push(self.first);
        if free < 1 << self.widest {
            self.before.push(old as u16);
            self.last.push(self.first);
        }
        self.code = Some(code);
        if self.width < self.widest && BYTES + self.before.len() > (1 << self.width) - 1 {
            self.change_width(self.width + 1);
        }
        true
    }
}
