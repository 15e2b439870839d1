//! Skips the bytes of images, which are most of a document, as they arrive.

use crate::content::Scope;
use memchr::memmem;
use zeroize::Zeroizing;

/// Images shorter than this are kept: skipping them saves nothing.
const MIN_IMAGE: u64 = 4096;

/// What is taken at once: of what lies behind an image no more is moved.
const BLOCK: usize = 8 << 10;

/// Longest distance of an image's dictionary before `stream`.
const MAX_DICT: usize = 1024;

/// Finds streams of images in the bytes of a document.
#[derive(Default)]
pub(super) struct Images {
    /// No image begins before this offset of the buffer.
    seen: usize,
    /// Remaining bytes of an image that were not asked to be skipped.
    skip: u64,
}

impl Images {
    /// Appends to `held` the bytes outside images. Returns how many of the next bytes belong to one.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        held: &mut Zeroizing<Vec<u8>>,
        scope: &mut Scope<'_>,
    ) -> u64 {
        for mut block in bytes.chunks(BLOCK) {
            let hidden = self.skip.min(block.len() as u64);
            self.skip -= hidden;
            scope.skipped(hidden);
            block = block.get(hidden as usize..).unwrap_or_default();
            held.extend_from_slice(block);
            self.cut(held, scope);
        }
        std::mem::take(&mut self.skip)
    }

    /// Cuts images out of the new part of `held`.
    fn cut(&mut self, held: &mut Vec<u8>, scope: &mut Scope<'_>) {
        const STREAM: &[u8] = b"stream";
        while let Some(hit) = held.get(self.seen..).and_then(|d| memmem::find(d, STREAM)) {
            let at = self.seen + hit;
            // The line break behind `stream` must be available.
            let start = match held.get(at + STREAM.len()..).unwrap_or_default() {
                [b'\r', b'\n', ..] => at + STREAM.len() + 2,
                [b'\n', ..] | [b'\r', _, ..] => at + STREAM.len() + 1,
                [] | [b'\r'] => return,
                _ => {
                    self.seen = at + STREAM.len();
                    continue;
                }
            };
            self.seen = start;
            if held.get(..at).is_some_and(|before| before.ends_with(b"end")) {
                continue;
            }
            let Some(length) = image_length(held.get(..at).unwrap_or_default()) else { continue };
            if length < MIN_IMAGE {
                continue;
            }
            let here = length.min((held.len() - start) as u64);
            held.drain(start..start + here as usize);
            scope.skipped(here);
            self.skip = length - here;
            if self.skip > 0 {
                return;
            }
        }
        self.seen = self.seen.max(held.len().saturating_sub(STREAM.len() + 1));
    }
}

/// The length of the stream whose dictionary ends `before`, if it is an image's.
fn image_length(before: &[u8]) -> Option<u64> {
    let tail = before.get(before.len().saturating_sub(MAX_DICT)..)?;
    let dict = tail.get(memmem::rfind(tail, b"obj")?..)?;
    let subtype = memmem::find(dict, b"/Subtype")? + b"/Subtype".len();
    if !dict.get(subtype..)?.trim_ascii_start().starts_with(b"/Image") {
        return None;
    }
    let length = memmem::find_iter(dict, b"/Length")
        .filter_map(|at| dict.get(at + b"/Length".len()..))
        .find(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))?
        .trim_ascii_start();
    let digits = length.iter().take_while(|b| b.is_ascii_digit()).count();
    // A reference has two numbers and R; the length is not known yet.
    let behind = length.get(digits..)?.trim_ascii_start();
    if !behind.first().is_some_and(|b| matches!(b, b'/' | b'>')) {
        return None;
    }
    std::str::from_utf8(length.get(..digits)?).ok()?.parse().ok()
}
