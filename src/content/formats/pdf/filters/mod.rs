//! Stream filters (ISO 32000-1 7.4), also chained. Output in front of an error is kept.

use super::file::File;
use super::object::{Dict, Object};
use crate::protocol::bomb::is_bomb;
use fax::Color;
use fax::decoder::{DecodeStatus, Group4Decoder, pels};
use flate2::{Decompress, FlushDecompress, Status};

/// Filters on one stream.
const MAX_FILTERS: usize = 6;

/// Decoded bytes of one stream.
pub(super) const MAX_DECODED: usize = 16 << 20;

/// Columns of a predictor's row, bytes.
const MAX_ROW: usize = 1 << 20;

/// Columns of a bitmap by CCITT Group 4, unless it says how many (7.4.6).
const FAX_COLUMNS: f64 = 1728.0;

/// Columns of the widest bitmap that is a letter.
const MAX_LETTER: f64 = 1024.0;

/// Longest bitmap of a letter in that form, bytes; and what a byte of it costs: it can hold eight rows.
const MAX_FAX: usize = 16 << 10;
const FAX_COST: usize = 64;

/// The decoded bytes of a stream with `dict`; `None` for an image.
pub(super) fn decode(file: &File<'_>, dict: &Dict, raw: &[u8]) -> Option<Vec<u8>> {
    let either = |long: &[u8], short: &[u8]| {
        let key = if dict.has(long) { long } else { short };
        match file.value(dict.get(key)) {
            Object::Array(items) => items.iter().map(|i| file.value(i)).collect(),
            Object::Null => Vec::new(),
            one => vec![one],
        }
    };
    let filters = either(b"Filter", b"F");
    let params = either(b"DecodeParms", b"DP");
    if filters.len() > MAX_FILTERS {
        return None;
    }
    let mut data = std::borrow::Cow::Borrowed(raw);
    for (at, filter) in filters.iter().enumerate() {
        let param = match params.get(at) {
            Some(Object::Dict(param)) => Some(param),
            _ => None,
        };
        let number = |key: &[u8]| param.and_then(|p| file.value(p.get(key)).number());
        let room = usize::try_from(file.fuel.left()).unwrap_or(MAX_DECODED).min(MAX_DECODED);
        let out = match filter.name() {
            b"FlateDecode" | b"Fl" => inflate(&data, room),
            b"LZWDecode" | b"LZW" => unlzw(&data, number(b"EarlyChange") != Some(0.0), room),
            b"ASCII85Decode" | b"A85" => ascii85(&data, room),
            b"ASCIIHexDecode" | b"AHx" => ascii_hex(&data),
            b"RunLengthDecode" | b"RL" => run_length(&data, room),
            b"CCITTFaxDecode" | b"CCF" => {
                let columns = number(b"Columns").unwrap_or(FAX_COLUMNS);
                // Pages that were scanned are wider than letters, and hold no text.
                if !(1.0..=MAX_LETTER).contains(&columns) || number(b"K").unwrap_or(0.0) >= 0.0 {
                    return None;
                }
                let black = param.is_some_and(|p| matches!(p.get(b"BlackIs1"), Object::Bool(true)));
                let packed = data.get(..MAX_FAX).unwrap_or(&data);
                if !file.fuel.burn(packed.len() * FAX_COST) {
                    return None;
                }
                fax(packed, columns as u32, black, room)
            }
            // The identity filter of encryption handlers.
            b"Crypt" => continue,
            _ => return None,
        };
        if !file.fuel.burn(data.len() + out.len()) {
            return None;
        }
        let columns = number(b"Columns").unwrap_or(1.0).clamp(1.0, MAX_ROW as f64) as usize;
        let colors = number(b"Colors").unwrap_or(1.0).clamp(1.0, 32.0) as usize;
        let bits = number(b"BitsPerComponent").unwrap_or(8.0).clamp(1.0, 16.0) as usize;
        data = match number(b"Predictor").unwrap_or(1.0) as u8 {
            0 | 1 => out,
            2 => tiff(out, columns, colors, bits),
            _ => png(&out, columns, colors, bits),
        }
        .into();
    }
    Some(data.into_owned())
}

/// CCITT Group 4 (ITU-T T.6), in rows of whole bytes. Black is 0, unless `black` says 1.
fn fax(data: &[u8], columns: u32, black: bool, room: usize) -> Vec<u8> {
    let bytes = data.iter().map(|byte| Ok::<u8, std::convert::Infallible>(*byte));
    let Ok(mut rows) = Group4Decoder::new(bytes, columns);
    let line = columns.div_ceil(8) as usize;
    let mut out = Vec::new();
    while out.len() + line <= room && matches!(rows.advance(), Ok(DecodeStatus::Incomplete)) {
        let start = out.len();
        out.resize(start + line, 0);
        for (at, color) in pels(rows.transition(), columns).enumerate() {
            if (color == Color::Black) == black
                && let Some(byte) = out.get_mut(start + at / 8)
            {
                *byte |= 0x80 >> (at % 8);
            }
        }
    }
    out
}

/// RFC 1950; without its header where that is missing or damaged.
pub(in crate::content::formats) fn inflate(data: &[u8], room: usize) -> Vec<u8> {
    let start = data.iter().take(2).take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let data = data.get(start..).unwrap_or_default();
    let zlib = matches!(data, [cmf, flg, ..]
        if cmf & 15 == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0);
    let mut state = Decompress::new(zlib);
    let mut out = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let (used, made) = (state.total_in() as usize, state.total_out() as usize);
        let rest = data.get(used..).unwrap_or_default();
        let status = state.decompress(rest, &mut piece, FlushDecompress::None);
        let new = state.total_out() as usize - made;
        out.extend_from_slice(piece.get(..new).unwrap_or_default());
        let moved = new > 0 || state.total_in() as usize > used;
        let bomb = is_bomb(state.total_in(), state.total_out());
        match status {
            Ok(Status::Ok | Status::BufError) if moved && !bomb && out.len() < room => {}
            _ => return out,
        }
    }
}

/// 7.4.4: codes of 9 to 12 bits, high bit first.
pub(in crate::content::formats) fn unlzw(data: &[u8], early: bool, room: usize) -> Vec<u8> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    // For each entry, the position of its bytes in the output: the previous string and one byte more.
    let mut entries: Vec<(usize, usize)> = Vec::with_capacity(4096);
    let mut out: Vec<u8> = Vec::new();
    let (mut bits, mut held, mut width) = (0u32, 0u32, 9u32);
    let mut previous: Option<(usize, usize)> = None;
    for &byte in data {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        if held < width {
            continue;
        }
        held -= width;
        let code = (bits >> held) as usize & ((1 << width) - 1);
        bits &= (1 << held) - 1;
        if code == CLEAR {
            entries.clear();
            (width, previous) = (9, None);
            continue;
        }
        if code == END || out.len() >= room {
            break;
        }
        let start = out.len();
        if code < CLEAR {
            out.push(code as u8);
        } else {
            let (from, len) = match (entries.get(code - 258), previous) {
                (Some(&entry), _) => entry,
                // The entry under construction.
                (None, Some((from, len))) if code - 258 == entries.len() => (from, len + 1),
                _ => break,
            };
            for at in from..from + len {
                let Some(&byte) = out.get(at) else { break };
                out.push(byte);
            }
        }
        if let Some((from, len)) = previous
            && entries.len() < 4096 - 258
        {
            // The first byte of this string directly follows the previous one.
            entries.push((from, len + 1));
        }
        previous = Some((start, out.len() - start));
        width = match entries.len() + 258 + usize::from(early) {
            0..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
    }
    out
}

pub(in crate::content::formats) fn ascii85(data: &[u8], room: usize) -> Vec<u8> {
    let data = data.trim_ascii_start();
    let data = data.strip_prefix(b"<~").unwrap_or(data);
    let mut out = Vec::with_capacity(data.len() / 5 * 4 + 4);
    let (mut group, mut count) = (0u32, 0);
    for &byte in data {
        match byte {
            b'!'..=b'u' => {
                group = group.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                count += 1;
                if count == 5 {
                    out.extend_from_slice(&group.to_be_bytes());
                    (group, count) = (0, 0);
                }
            }
            b'z' if count == 0 => out.extend_from_slice(&[0; 4]),
            b'~' => break,
            _ => {}
        }
        if out.len() >= room {
            return out;
        }
    }
    if count > 1 {
        for _ in count..5 {
            group = group.wrapping_mul(85).wrapping_add(84);
        }
        out.extend(group.to_be_bytes().into_iter().take(count - 1));
    }
    out
}

pub(in crate::content::formats) fn ascii_hex(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() / 2);
    let mut high = None;
    for &byte in data.iter().take_while(|b| **b != b'>') {
        let Some(digit) = char::from(byte).to_digit(16) else { continue };
        match high.take() {
            Some(h) => out.push((h << 4 | digit) as u8),
            None => high = Some(digit),
        }
    }
    out.extend(high.map(|h| (h << 4) as u8));
    out
}

pub(in crate::content::formats) fn run_length(mut data: &[u8], room: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&length, rest)) = data.split_first() {
        let count = usize::from(length);
        data = match length {
            128 => break,
            0..128 => {
                let (copied, rest) = rest.split_at(rest.len().min(count + 1));
                out.extend_from_slice(copied);
                rest
            }
            _ => {
                let Some((&byte, rest)) = rest.split_first() else { break };
                out.resize(out.len() + 257 - count, byte);
                rest
            }
        };
        if out.len() >= room {
            break;
        }
    }
    out
}

/// 7.4.4.4: each row has its filter (PNG, RFC 2083 6) before it.
fn png(data: &[u8], columns: usize, colors: usize, bits: usize) -> Vec<u8> {
    let pixel = (colors * bits).div_ceil(8);
    let row = (columns * colors * bits).div_ceil(8).min(data.len());
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above = vec![0u8; row];
    let mut line = vec![0u8; row];
    for coded in data.chunks(row + 1) {
        let Some((&filter, coded)) = coded.split_first() else { break };
        for (at, &byte) in coded.iter().enumerate() {
            let of = |row: &[u8], at: Option<usize>| {
                at.and_then(|at| row.get(at)).copied().map_or(0, i16::from)
            };
            let back = at.checked_sub(pixel);
            let (left, up, corner) = (of(&line, back), of(&above, Some(at)), of(&above, back));
            let guess = match filter {
                1 => left,
                2 => up,
                3 => (left + up) / 2,
                4 => paeth(left, up, corner),
                _ => 0,
            };
            if let Some(slot) = line.get_mut(at) {
                *slot = byte.wrapping_add(guess as u8);
            }
        }
        out.extend_from_slice(line.get(..coded.len()).unwrap_or_default());
        std::mem::swap(&mut above, &mut line);
    }
    out
}

fn paeth(left: i16, up: i16, corner: i16) -> i16 {
    let guess = left + up - corner;
    let (a, b, c) = ((guess - left).abs(), (guess - up).abs(), (guess - corner).abs());
    if a <= b && a <= c {
        left
    } else if b <= c {
        up
    } else {
        corner
    }
}

/// TIFF 6.0 section 14, for whole bytes.
fn tiff(mut data: Vec<u8>, columns: usize, colors: usize, bits: usize) -> Vec<u8> {
    if bits == 8 {
        for row in data.chunks_mut((columns * colors).max(1)) {
            for at in colors..row.len() {
                let left = row.get(at - colors).copied().unwrap_or(0);
                if let Some(slot) = row.get_mut(at) {
                    *slot = slot.wrapping_add(left);
                }
            }
        }
    }
    data
}

#[cfg(test)]
mod tests;
