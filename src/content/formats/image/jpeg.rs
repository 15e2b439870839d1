//! JPEG (ITU-T T.81 B.1.1): segments up to the first scan.

use super::{Block, Words, exif, iptc, to_text, xmp};
use crate::content::Scope;
use crate::syntax::Match;

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";

/// A segment; `SOS` is the last one that is read.
pub(super) fn block(data: &[u8], to: Option<(&mut Words, &mut Scope<'_>)>) -> Match<Block> {
    let (marker, header) = match data {
        // B.1.1.2: any number of fill bytes.
        [0xff, 0xff, ..] => return Match::Yes(Block { header: 1, len: 0, wanted: false }),
        [0xff, marker @ (0x01 | 0xd0..=0xd8), ..] => (*marker, 2),
        [0xff, 0xd9 | 0xda | 0, ..] => return Match::No,
        [0xff, marker, _, _, ..] => (*marker, 4),
        [] | [0xff] | [0xff, _] | [0xff, _, _] => return Match::More,
        _ => return Match::No,
    };
    if header == 2 {
        return Match::Yes(Block { header, len: 0, wanted: false });
    }
    let &[_, _, high, low, ..] = data else { return Match::More };
    let Some(len) = usize::from(u16::from_be_bytes([high, low])).checked_sub(2) else {
        return Match::No;
    };
    if let Some((words, scope)) = to {
        let body = data.get(header..).unwrap_or_default();
        match marker {
            0xfe => words.text(&to_text(body), scope),
            0xe1 => {
                if let Some(tiff) = body.strip_prefix(EXIF) {
                    exif::read(&exif::Windows::whole(tiff), words, scope);
                } else if let Some(packet) = body.strip_prefix(XMP) {
                    xmp::read(packet, words, scope);
                }
            }
            0xed => {
                if let Some(resources) = body.strip_prefix(PHOTOSHOP) {
                    iptc::resources(resources, words, scope);
                }
            }
            _ => {}
        }
    }
    Match::Yes(Block { header, len, wanted: matches!(marker, 0xfe | 0xe1 | 0xed) })
}
