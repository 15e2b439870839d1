//! Lines and cells that said nothing, whatever was around them: menus, boilerplate, words of lists. The same ones come
//! again and again.

use crate::content::Scope;
use crate::content::remembered::Remembered;

/// Lines and cells that are remembered by a worker: menus, boilerplate and the words of lists.
const MAX_PLAIN: usize = 1 << 14;

/// Longest of these, bytes.
const MAX_PLAIN_LEN: usize = 512;

/// Recent lines and cells that said nothing, whatever was around them.
pub(in crate::content) type PlainLines = Remembered<MAX_PLAIN>;

/// Where a text is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A line of a file of text.
    File,
    /// A line.
    Line,
    /// A whole cell or element.
    Cell,
}

/// The tag of a text in [`PlainLines`]; `None` if it is too long to be remembered.
pub fn tag(place: Place, text: &[u8], scope: &Scope<'_>) -> Option<u64> {
    let rules = std::ptr::from_ref(scope.rules) as usize;
    (text.len() <= MAX_PLAIN_LEN).then(|| scope.counters.lines.tag((place, rules, text)))
}
