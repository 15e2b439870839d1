//! IPTC records (IIM 4.2) in the image resources of Photoshop.

use super::{Words, to_text};
use crate::content::Scope;

/// Resources and data sets read.
const MAX_PARTS: usize = 512;

/// The resource with IPTC records.
const RECORDS: u16 = 0x0404;

/// Texts that describe the image: title, keywords, instructions, headline, caption. By-line and credit name its
/// author.
const TEXTS: [u8; 5] = [5, 25, 40, 105, 120];

/// Image resources: `8BIM`, a number, a padded name, a length, padded data.
pub(super) fn resources(mut data: &[u8], words: &mut Words, scope: &mut Scope<'_>) {
    for _ in 0..MAX_PARTS {
        let Some(rest) = data.strip_prefix(b"8BIM") else { return };
        let Some((number, rest)) = rest.split_first_chunk::<2>() else { return };
        let name = usize::from(rest.first().copied().unwrap_or(0)) + 1;
        let Some((len, rest)) =
            rest.get(name + name % 2..).and_then(|rest| rest.split_first_chunk::<4>())
        else {
            return;
        };
        let len = u32::from_be_bytes(*len) as usize;
        let body = rest.get(..len).unwrap_or(rest);
        if u16::from_be_bytes(*number) == RECORDS {
            read(body, words, scope);
        }
        data = rest.get(len.saturating_add(len % 2)..).unwrap_or_default();
    }
}

/// Data sets: a mark, record, number, length, text.
pub(super) fn read(mut data: &[u8], words: &mut Words, scope: &mut Scope<'_>) {
    for _ in 0..MAX_PARTS {
        let &[0x1c, record, number, high, low, ref rest @ ..] = data else { return };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(..len).unwrap_or(rest);
        if record == 2 && TEXTS.contains(&number) {
            words.text(&to_text(body), scope);
        }
        data = rest.get(len..).unwrap_or_default();
    }
}
