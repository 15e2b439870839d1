//! Chunks with signatures: `size;chunk-signature=...`, the bytes, an empty line; the last one is empty,
//! and trailers may follow it.

use super::decoder::DecodeStep;

/// Longest line of a chunk, bytes.
const MAX_LINE: usize = 1 << 10;

/// Its position.
#[derive(Default)]
pub(super) struct Chunks {
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// In the digits of a size; so many bytes of the line were read.
    Size {
        size: u64,
        line: usize,
    },
    /// In the rest of that line.
    Rest {
        size: u64,
        line: usize,
    },
    Bytes {
        left: u64,
    },
    /// Before the end of the line behind the bytes.
    After,
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, line: 0 }
    }
}

impl Chunks {
    /// Decodes from `input` into `output`; how much of `input` was used, and what came of it.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, DecodeStep) {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            match &mut self.state {
                State::Done => return (used, DecodeStep::Done),
                State::Bytes { left } => {
                    let rest = input.get(used..).unwrap_or_default();
                    let len = (*left).min(rest.len().min(output.len()) as u64) as usize;
                    if let (Some(to), Some(from)) = (output.get_mut(..len), rest.get(..len)) {
                        to.copy_from_slice(from);
                    }
                    *left -= len as u64;
                    if *left == 0 {
                        self.state = State::After;
                    }
                    return (used + len, DecodeStep::Output(len));
                }
                State::After => {
                    used += 1;
                    match byte {
                        b'\r' => {}
                        b'\n' => self.state = State::default(),
                        _ => return (used, DecodeStep::Malformed),
                    }
                }
                State::Size { size, line } => {
                    let Some(digit) = (byte as char).to_digit(16) else {
                        if *line == 0 {
                            return (used, DecodeStep::Malformed);
                        }
                        self.state = State::Rest { size: *size, line: *line };
                        continue;
                    };
                    let Some(more) =
                        size.checked_mul(16).and_then(|s| s.checked_add(u64::from(digit)))
                    else {
                        return (used, DecodeStep::Malformed);
                    };
                    (*size, *line) = (more, *line + 1);
                    used += 1;
                }
                State::Rest { size, line } => {
                    used += 1;
                    *line += 1;
                    if byte == b'\n' {
                        self.state = match *size {
                            0 => State::Done,
                            left => State::Bytes { left },
                        };
                    } else if *line > MAX_LINE {
                        return (used, DecodeStep::Malformed);
                    }
                }
            }
        }
        (used, if self.at_end() { DecodeStep::Done } else { DecodeStep::Starved })
    }

    pub(super) const fn at_end(&self) -> bool {
        matches!(self.state, State::Done)
    }
}
