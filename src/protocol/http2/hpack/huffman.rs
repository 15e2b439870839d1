//! The Huffman code of RFC 7541 appendix B. The code is canonical: codes of one length follow each other in the order
//! of their symbols, so the lengths alone define it.

/// The symbol that must not occur (RFC 7541 5.2).
const EOS: u16 = 256;

const SYMBOLS: usize = 257;
const SHORTEST: usize = 5;
const LONGEST: usize = 30;

/// Length of each symbol's code, bits.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, //
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, //
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
    30,
];

/// The codes of one length.
#[derive(Clone, Copy)]
struct Row {
    /// The first code.
    first: u32,
    /// Their number.
    count: u32,
    /// Index of their symbols in [`Code::symbols`].
    at: usize,
}

struct Code {
    rows: [Row; LONGEST + 1],
    symbols: [u16; SYMBOLS],
}

static CODE: Code = build();

const fn build() -> Code {
    let mut code =
        Code { rows: [Row { first: 0, count: 0, at: 0 }; LONGEST + 1], symbols: [0; SYMBOLS] };
    let (mut next, mut at, mut len) = (0u32, 0, 1);
    while len <= LONGEST {
        next <<= 1;
        code.rows[len] = Row { first: next, count: 0, at };
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == len {
                code.symbols[at] = symbol as u16;
                code.rows[len].count += 1;
                at += 1;
                next += 1;
            }
            symbol += 1;
        }
        len += 1;
    }
    code
}

/// Appends the decoded `coded` to `out`; `None` if it is malformed.
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut input = coded.iter();
    // The lowest `have` bits of `bits` are not decoded yet.
    let (mut bits, mut have) = (0u64, 0usize);
    loop {
        while have <= 56 {
            let Some(byte) = input.next() else { break };
            bits = bits << 8 | u64::from(*byte);
            have += 8;
        }
        let Some((symbol, len)) = symbol(bits, have) else {
            // RFC 7541 5.2: padded with the highest bits of EOS, at most seven.
            let padding = (1u64 << have.min(7)) - 1;
            return (have < 8 && bits & padding == padding).then_some(());
        };
        if symbol == EOS {
            return None;
        }
        out.push(symbol as u8);
        have -= len;
    }
}

/// The symbol at the front of the lowest `have` bits, and the length of its code.
fn symbol(bits: u64, have: usize) -> Option<(u16, usize)> {
    (SHORTEST..=LONGEST.min(have)).find_map(|len| {
        let row = CODE.rows.get(len)?;
        let code = (bits >> (have - len)) as u32 & ((1 << len) - 1);
        let nth = code.checked_sub(row.first).filter(|n| *n < row.count)?;
        Some((*CODE.symbols.get(row.at + nth as usize)?, len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(coded: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        decode(coded, &mut out)?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn examples_of_rfc_7541() {
        let www = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(text(&www).as_deref(), Some("www.example.com"));
        assert_eq!(text(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).as_deref(), Some("no-cache"));
        assert_eq!(text(&[0x64, 0x02]).as_deref(), Some("302"));
        assert_eq!(text(&[]).as_deref(), Some(""));
    }

    #[test]
    fn padding_is_short_and_of_ones() {
        assert_eq!(text(&[0x64, 0x02, 0xff]), None);
        assert_eq!(text(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbe]), None);
        assert_eq!(text(&[0xff; 4]), None);
        assert_eq!(text(&[0xff; 100]), None);
    }

    #[test]
    fn every_symbol_by_its_code() {
        for wanted in 0..EOS {
            let len = usize::from(LENGTHS[usize::from(wanted)]);
            let row = CODE.rows[len];
            let nth = CODE.symbols[row.at..].iter().position(|s| *s == wanted);
            let code = u64::from(row.first) + nth.map_or(0, |n| n as u64);
            let filled = code << (64 - len) | (u64::MAX >> len);
            let bytes = filled.to_be_bytes();
            let mut out = Vec::new();
            assert!(decode(&bytes[..len.div_ceil(8)], &mut out).is_some(), "symbol {wanted}");
            assert_eq!(out, [wanted as u8]);
        }
    }
}
