//! CMaps (ISO 32000-1 9.7.5, 9.10.3; Adobe Technical Note 5014): code lengths, and the text of codes.

use super::object::{Fuel, Lexer, Object, Token};

/// Mappings kept of one CMap.
const MAX_MAPPINGS: usize = 70_000;

/// UTF-16 units kept of one CMap.
const MAX_UNITS: usize = 280_000;

/// Code space ranges kept of one CMap.
const MAX_SPACES: usize = 128;

/// Longest text of one code, UTF-16 units.
const MAX_SHOWN: usize = 64;

/// A CMap.
#[derive(Default)]
pub(super) struct CMap {
    spaces: Vec<Space>,
    /// By their first code, once complete.
    mappings: Vec<Mapping>,
    units: Vec<u16>,
}

struct Space {
    len: usize,
    low: u32,
    high: u32,
}

struct Mapping {
    low: u32,
    high: u32,
    /// Of the units.
    from: u32,
    len: u16,
}

impl CMap {
    pub(super) fn parse(data: &[u8], fuel: &Fuel) -> Self {
        let mut cmap = Self::default();
        let mut lexer = Lexer::new(data, 0, fuel);
        // Operands since the last operator.
        let mut operands: Vec<Object> = Vec::new();
        while let Some(token) = lexer.token() {
            if let Token::Keyword(word) = token {
                match word {
                    b"endcodespacerange" => cmap.code_spaces(&operands),
                    b"endbfchar" => {
                        for pair in operands.chunks_exact(2) {
                            if let [Object::String(code), shown] = pair {
                                let code = big_endian(code);
                                cmap.add(code, code, shown);
                            }
                        }
                    }
                    b"endbfrange" => {
                        for range in operands.chunks_exact(3) {
                            cmap.range(range);
                        }
                    }
                    _ => {}
                }
                operands.clear();
            } else if operands.len() < MAX_MAPPINGS {
                operands.extend(lexer.operand(token));
            }
        }
        cmap.mappings.sort_by_key(|m| m.low);
        cmap
    }

    fn code_spaces(&mut self, operands: &[Object]) {
        for pair in operands.chunks_exact(2) {
            if let [Object::String(low), Object::String(high)] = pair
                && matches!(low.len(), 1..=4)
                && self.spaces.len() < MAX_SPACES
            {
                let (len, low, high) = (low.len(), big_endian(low), big_endian(high));
                self.spaces.push(Space { len, low, high });
            }
        }
    }

    fn range(&mut self, range: &[Object]) {
        let [Object::String(low), Object::String(high), shown] = range else { return };
        let (low, high) = (big_endian(low), big_endian(high));
        match shown {
            Object::Array(each) => {
                for (code, shown) in (low..=high).zip(each) {
                    self.add(code, code, shown);
                }
            }
            shown if low <= high => self.add(low, high, shown),
            _ => {}
        }
    }

    fn add(&mut self, low: u32, high: u32, shown: &Object) {
        let Object::String(shown) = shown else { return };
        let units = shown.chunks(2).take(MAX_SHOWN).map(|unit| match *unit {
            [high, low] => u16::from_be_bytes([high, low]),
            [byte] => u16::from(byte),
            _ => 0,
        });
        if self.mappings.len() >= MAX_MAPPINGS || self.units.len() >= MAX_UNITS {
            return;
        }
        let from = self.units.len();
        self.units.extend(units);
        let len = (self.units.len() - from) as u16;
        self.mappings.push(Mapping { low, high, from: from as u32, len });
    }

    /// Whether there is anything to look up.
    pub(super) fn is_empty(&self) -> bool {
        self.mappings.is_empty()
    }

    /// Length of the code at the front of `text`, bytes.
    pub(super) fn code_len(&self, text: &[u8]) -> Option<usize> {
        let fits = |s: &&Space| {
            text.get(..s.len).is_some_and(|code| {
                let code = big_endian(code);
                // Each byte within its range; the whole is near enough.
                (s.low..=s.high).contains(&code)
            })
        };
        self.spaces.iter().find(fits).or(self.spaces.first()).map(|s| s.len)
    }

    /// Appends the text of `code`; false if it is not mapped.
    pub(super) fn show(&self, code: u32, out: &mut String) -> bool {
        let after = self.mappings.partition_point(|m| m.low <= code);
        let found = self.mappings.get(..after).unwrap_or_default().iter().rev().take(4);
        let Some(mapping) = found.into_iter().find(|m| m.high >= code) else { return false };
        let from = mapping.from as usize;
        let units = self.units.get(from..from + usize::from(mapping.len)).unwrap_or_default();
        let Some((last, first)) = units.split_last() else { return true };
        // In a range the last unit counts up.
        let last = last.wrapping_add((code - mapping.low) as u16);
        let units = first.iter().copied().chain([last]);
        out.extend(char::decode_utf16(units).filter_map(Result::ok).filter(|c| *c != '\0'));
        true
    }
}

/// A code as a number.
pub(super) fn big_endian(code: &[u8]) -> u32 {
    code.iter().take(4).fold(0, |n, b| n << 8 | u32::from(*b))
}
