//! PCL 5 (HP, PCL 5 Printer Language Technical Reference Manual) with HP-GL/2, and PCL XL: the text of a print job,
//! in reading order.

mod escape;
mod hpgl;
#[cfg(test)]
mod tests;
mod xl;

use crate::content::extract::layout::{GlyphPosition, Line, Page};
use crate::content::extract::page::PageReader;
use crate::content::stack::Unread;
use crate::content::stack::charset::dos_text;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use escape::{Command, Sequence};
use zeroize::Zeroizing;

pub use xl::PclXl;

/// Bytes kept of an incomplete command or text.
const MAX_HELD: usize = 64 << 10;
/// Lines per job.
const MAX_LINES: usize = 200_000;
/// Saved positions (`&f0S`).
const MAX_PLACES: usize = 20;
/// Longest transparent text, bytes.
const MAX_TRANSPARENT: u64 = 32 << 10;

/// PCL 5.
pub struct Pcl;

impl Format for Pcl {
    fn name(&self) -> &'static str {
        "pcl"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let essence = media::essence(media);
        let declared = essence.eq_ignore_ascii_case("application/vnd.hp-pcl")
            || essence.eq_ignore_ascii_case("application/x-pcl");
        declared && !xl::begins(head) && !head.starts_with(b"%!") || begins(head)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Job::new())
    }
}

/// Whether `head` begins with a reset or another command of PCL.
pub fn begins(head: &[u8]) -> bool {
    match head {
        [0x1b, b'E', rest @ ..] => {
            rest.first().is_none_or(|b| *b == 0x1b || *b >= b' ' || *b == b'\r')
        }
        [0x1b, b'&', b'a' | b'k' | b'l' | b'u' | b'f' | b'p', next, ..] => is_number(*next),
        [0x1b, b'*', b't' | b'p' | b'r' | b'c' | b'b', next, ..] => is_number(*next),
        [0x1b, b'(', b's', next, ..] => is_number(*next),
        _ => false,
    }
}

const fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')
}

/// Encoding of text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Symbols {
    Roman8,
    Windows,
    Pc8,
    Utf8,
}

/// The state of a printer during one job. Lengths are in points.
struct Job {
    held: Unread<MAX_HELD>,
    reader: PageReader,
    page: Page,
    lines: usize,
    x: f64,
    y: f64,
    places: Vec<(f64, f64)>,
    left: f64,
    /// Distances between lines, and between letters of fixed-pitch fonts.
    down: f64,
    across: Option<f64>,
    height: f64,
    /// Units per point (`&u#D`).
    unit: f64,
    turn: u8,
    symbols: Symbols,
    /// Effect of a line end (`&k#G`).
    line_end: u8,
    /// Text comes as transparent data, where control characters are text too.
    transparent: u64,
    hpgl: Option<hpgl::Plotter>,
}

impl Job {
    fn new() -> Self {
        Self {
            held: Unread::default(),
            reader: PageReader::new("pcl"),
            page: Page::default(),
            lines: 0,
            x: 0.0,
            y: 12.0,
            places: Vec::new(),
            left: 0.0,
            down: 12.0,
            across: Some(7.2),
            height: 12.0,
            unit: 72.0 / 300.0,
            turn: 0,
            symbols: Symbols::Roman8,
            line_end: 0,
            transparent: 0,
            hpgl: None,
        }
    }

    fn flush(&mut self, scope: &mut Scope<'_>) {
        let mut lines: Vec<Line> = Vec::new();
        self.page.lines(&mut lines);
        self.lines += lines.len();
        lines.iter().for_each(|line| self.reader.line(line, scope));
    }

    /// The page is printed, and the next one begins at its top.
    fn eject(&mut self, scope: &mut Scope<'_>) {
        self.flush(scope);
        self.y = 12.0;
    }

    fn control(&mut self, byte: u8, scope: &mut Scope<'_>) {
        match byte {
            b'\r' => {
                self.x = self.left;
                if self.line_end & 1 != 0 {
                    self.y += self.down;
                }
            }
            b'\n' => {
                self.y += self.down;
                if self.line_end & 2 != 0 || self.line_end == 0 {
                    // A bare line end begins a new line, as its sender meant it.
                    self.x = self.left;
                }
            }
            0x0c => self.eject(scope),
            b'\t' => {
                let stop = self.across.unwrap_or(self.height / 2.0) * 8.0;
                self.x = self.left + (((self.x - self.left) / stop).floor() + 1.0) * stop;
            }
            8 => self.x -= self.across.unwrap_or(self.height / 2.0),
            _ => {}
        }
    }

    fn decode(&self, text: &[u8]) -> Zeroizing<String> {
        let windows = |bytes: &[u8]| {
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
        };
        Zeroizing::new(match (self.symbols, std::str::from_utf8(text)) {
            (_, Ok(text)) => text.to_owned(),
            (Symbols::Pc8, _) => dos_text(text),
            (Symbols::Roman8, _) => text.iter().map(|b| escape::roman8(*b)).collect(),
            _ => windows(text),
        })
    }

    fn show(&mut self, text: &[u8]) {
        use crate::content::formats::pdf::font::usual_width;
        let text = self.decode(text);
        for c in text.chars() {
            let proportional = || f64::from(usual_width(b"", c)) / 1000.0 * self.height;
            let width = self.across.unwrap_or_else(proportional);
            let (start, down) = match self.turn {
                0 => (self.x, self.y),
                1 => (-self.y, self.x),
                2 => (-self.x, -self.y),
                _ => (self.y, -self.x),
            };
            let size = self.height.max(4.0);
            let spot = GlyphPosition { turn: self.turn, down, start, end: start + width, size };
            self.page.push(c.encode_utf8(&mut [0; 4]), spot);
            match self.turn {
                0 => self.x += width,
                1 => self.y -= width,
                2 => self.x -= width,
                _ => self.y += width,
            }
        }
    }

    /// A command with its number.
    fn command(&mut self, command: &Command, scope: &mut Scope<'_>) {
        let n = command.number;
        let to = |now: f64, value: f64| if command.relative { now + value } else { value };
        match (command.group, command.last) {
            ([b'&', b'a'], b'C') => {
                self.x = to(self.x, n * self.across.unwrap_or(self.height / 2.0));
            }
            ([b'&', b'a'], b'H') => self.x = to(self.x, n / 10.0),
            ([b'*', b'p'], b'X') => self.x = to(self.x, n * self.unit),
            ([b'&', b'a'], b'R') => {
                // The base line of row 0 is three quarters of a line down.
                let lead = if command.relative { 0.0 } else { self.down };
                self.y = to(self.y, n * self.down) + lead;
            }
            ([b'&', b'a'], b'V') => self.y = to(self.y, n / 10.0),
            ([b'*', b'p'], b'Y') => self.y = to(self.y, n * self.unit),
            ([b'&', b'a'], b'L') => self.left = n * self.across.unwrap_or(7.2),
            ([b'&', b'a'], b'P') => self.turn = ((n / 90.0).rem_euclid(4.0)) as u8,
            ([b'&', b'u'], b'D') if n >= 1.0 => self.unit = 72.0 / n,
            ([b'&', b'l'], b'D') if n >= 1.0 => self.down = 72.0 / n,
            ([b'&', b'l'], b'C') => self.down = n * 72.0 / 48.0,
            ([b'&', b'l'], b'O') => self.eject(scope),
            ([b'&', b'k'], b'H') => self.across = Some(n * 72.0 / 120.0),
            ([b'&', b'k'], b'S') => self.across = Some(if n == 2.0 { 4.3 } else { 7.2 }),
            ([b'&', b'k'], b'G') => self.line_end = n as u8,
            ([b'(', b's'], b'H') if n > 0.0 => self.across = Some(72.0 / n),
            ([b'(', b's'], b'P') => {
                self.across = if n == 1.0 { None } else { self.across.or(Some(7.2)) };
            }
            ([b'(', b's'], b'V') if n > 0.0 => self.height = n,
            ([b'&', b't'], b'P') if n == 83.0 || n == 1008.0 => self.symbols = Symbols::Utf8,
            ([b'&', b'f'], b'S') => match n as u8 {
                0 if self.places.len() < MAX_PLACES => self.places.push((self.x, self.y)),
                1 => (self.x, self.y) = self.places.pop().unwrap_or((self.x, self.y)),
                _ => {}
            },
            ([b'%', _], b'B') => self.hpgl = Some(hpgl::Plotter::default()),
            ([b'(', 0], last) => {
                self.symbols = match (n as u32, last) {
                    (8, b'U') => Symbols::Roman8,
                    (10..=12, b'U') => Symbols::Pc8,
                    (18, b'N') => Symbols::Utf8,
                    _ => Symbols::Windows,
                };
            }
            _ => {}
        }
    }

    /// Reads the buffer as far as possible. Returns the following bytes that are no text.
    fn read(&mut self, data: &[u8], scope: &mut Scope<'_>) -> (usize, u64) {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if self.page.is_full() {
                self.flush(scope);
            }
            if self.transparent > 0 {
                let len = usize::try_from(self.transparent).unwrap_or(usize::MAX).min(rest.len());
                let text = rest.get(..len).unwrap_or_default().to_vec();
                self.show(&Zeroizing::new(text));
                self.transparent -= len as u64;
                at += len;
                continue;
            }
            if let Some(plotter) = &mut self.hpgl {
                let Some(end) = memchr::memmem::find(rest, b"\x1b%") else {
                    // A label may be cut; the buffer has a cap.
                    return (at, 0);
                };
                plotter.draw(rest.get(..end).unwrap_or_default(), &mut self.page);
                self.hpgl = None;
                at += end;
                continue;
            }
            match *first {
                0x1b => match escape::read(rest) {
                    None => return (at, 0),
                    Some(Sequence::Skip(len)) => at += len,
                    Some(Sequence::Reset(len)) => {
                        self.eject(scope);
                        at += len;
                    }
                    Some(Sequence::Commands(commands, len)) => {
                        at += len;
                        for command in &commands {
                            self.command(command, scope);
                        }
                        let counted = commands.last().map_or(0, Command::data);
                        match commands.last().map(|c| c.group) {
                            Some([b'&', b'p']) => self.transparent = counted.min(MAX_TRANSPARENT),
                            _ if counted > 0 => {
                                let have = data.len().saturating_sub(at) as u64;
                                if counted > have {
                                    return (data.len(), counted - have);
                                }
                                at += counted as usize;
                            }
                            _ => {}
                        }
                    }
                },
                byte if byte < b' ' => {
                    self.control(byte, scope);
                    at += 1;
                }
                _ => {
                    let end = rest.iter().position(|b| *b < b' ').unwrap_or(rest.len());
                    // A character of several bytes may be cut.
                    let cut = rest.len() == end && rest.iter().rev().take(3).any(|b| *b >= 0xc0);
                    let end = if cut { end.saturating_sub(4) } else { end };
                    if end == 0 {
                        return (at, 0);
                    }
                    let text = Zeroizing::new(rest.get(..end).unwrap_or_default().to_vec());
                    self.show(&text);
                    at += end;
                }
            }
        }
        (at, 0)
    }
}

impl Document for Job {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.lines > MAX_LINES {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        let mut held = std::mem::take(&mut self.held);
        let skip = held.read(bytes, |data| self.read(data, scope));
        self.held = held;
        Want { skip: skip.unwrap_or(0) }
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        self.held.clear();
        (self.transparent, self.hpgl) = (0, None);
        Want::ALL
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let rest = self.held.take();
        if rest.first().is_some_and(|b| *b >= b' ') && self.hpgl.is_none() {
            self.show(&rest);
        }
        if let Some(plotter) = &mut self.hpgl {
            plotter.draw(&rest, &mut self.page);
        }
        self.flush(scope);
        self.reader.end(scope);
    }

    fn memory(&self) -> usize {
        self.held.memory() + self.reader.memory()
    }
}
