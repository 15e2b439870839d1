//! Chunks of PNG (W3C PNG 5.3, 11.3.3) and of WebP (RFC 9649 2.3).

use super::{Block, MAX_BLOCK, Words, exif, to_text, xmp};
use crate::content::Scope;
use crate::content::stack::INFLATER;
use crate::syntax::Match;
use std::io::Read;
use zeroize::Zeroizing;

/// Keywords of texts about the author and the software of the image.
const OTHERS: [&str; 5] = ["author", "software", "copyright", "source", "creation time"];

/// Keyword of XMP (XMP specification part 3, 1.1.5).
const XMP: &[u8] = b"XML:com.adobe.xmp";

/// A chunk of PNG.
pub(super) fn chunk(data: &[u8], to: Option<(&mut Words, &mut Scope<'_>)>) -> Match<Block> {
    let Some((header, rest)) = data.split_first_chunk::<8>() else { return Match::More };
    let [a, b, c, d, name @ ..] = *header;
    let len = u32::from_be_bytes([a, b, c, d]) as usize;
    if &name == b"IEND" || len > i32::MAX as usize {
        return Match::No;
    }
    if let Some((words, scope)) = to
        && let Some(body) = rest.get(..len)
    {
        match &name {
            b"eXIf" => exif::read(&exif::Windows::whole(body), words, scope),
            _ => text(&name, body, words, scope),
        }
    }
    let wanted = matches!(&name, b"tEXt" | b"zTXt" | b"iTXt" | b"eXIf");
    // The checksum belongs to it.
    Match::Yes(Block { header: 8, len: len + 4, wanted })
}

fn text(name: &[u8; 4], body: &[u8], words: &mut Words, scope: &mut Scope<'_>) {
    let mut parts = body.splitn(2, |b| *b == 0);
    let (Some(keyword), Some(rest)) = (parts.next(), parts.next()) else { return };
    let (packed, text) = match (name, rest) {
        (b"tEXt", text) => (false, text),
        (b"zTXt", [0, text @ ..]) => (true, text),
        (b"iTXt", [packed @ (0 | 1), 0, rest @ ..]) => {
            // A language and the keyword in it.
            let Some(text) = rest.splitn(3, |b| *b == 0).nth(2) else { return };
            (*packed == 1, text)
        }
        _ => return,
    };
    let mut unpacked = Zeroizing::new(Vec::new());
    let text = if packed {
        let decoder = flate2::read::ZlibDecoder::new(text);
        // Text in front of a fault is valid all the same.
        let room = (MAX_BLOCK as u64).min(scope.work_left());
        let _ = decoder.take(room).read_to_end(&mut unpacked);
        if !scope.spend(INFLATER + unpacked.len() as u64) {
            scope.leave(text.len() as u64);
        }
        unpacked.as_slice()
    } else {
        text
    };
    if keyword == XMP {
        return xmp::read(text, words, scope);
    }
    let keyword = to_text(keyword);
    if !OTHERS.iter().any(|other| keyword.eq_ignore_ascii_case(other)) {
        words.named(&keyword, &to_text(text), scope);
    }
}

/// A chunk of WebP.
pub(super) fn riff(data: &[u8], to: Option<(&mut Words, &mut Scope<'_>)>) -> Match<Block> {
    let Some((header, rest)) = data.split_first_chunk::<8>() else { return Match::More };
    let [name @ .., a, b, c, d] = *header;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if let Some((words, scope)) = to
        && let Some(body) = rest.get(..len)
    {
        match &name {
            b"EXIF" => {
                let body = body.strip_prefix(b"Exif\0\0").unwrap_or(body);
                exif::read(&exif::Windows::whole(body), words, scope);
            }
            _ => xmp::read(body, words, scope),
        }
    }
    Match::Yes(Block { header: 8, len: len + len % 2, wanted: matches!(&name, b"EXIF" | b"XMP ") })
}
