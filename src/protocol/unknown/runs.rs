//! Text inside bytes of an unknown protocol: labelled lines, rows and objects without a mark.

use crate::syntax::Search;

/// Least length of a run of text, bytes. Names, keys and commands of binary protocols are shorter; a patient with a
/// number and a birth date is longer.
pub(super) const MIN_RUN: usize = 40;
/// Most of these bytes that are not ASCII: letters of UTF-8 and of older code pages.
const MAX_FOREIGN: usize = 12;
/// Bytes in front of an object, an array or an element that belong to the framing and happen to be letters (a length,
/// a type).
const MAX_STRAY: usize = 4;

/// Whether a byte may be part of a text.
const fn is_text(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r')
}

/// The first run of text in `data`.
pub(super) fn find(data: &[u8]) -> Search {
    let mut from = 0;
    loop {
        let Some(window) = data.get(from..from + MIN_RUN) else {
            // Fewer bytes than a run: text at their end may continue.
            let rest = data.get(from..).unwrap_or_default();
            let tail = rest.iter().rev().take_while(|b| is_text(**b)).count();
            return if tail == 0 { Search::None } else { Search::perhaps(data.len() - tail, data) };
        };
        // From the back: one byte that is no text rules out every run across it.
        if let Some(other) = window.iter().rposition(|b| !is_text(*b)) {
            from += other + 1;
        } else if window.iter().filter(|b| !b.is_ascii()).count() > MAX_FOREIGN {
            from += 1;
        } else {
            return Search::Found(from + stray(window), ());
        }
    }
}

/// Bytes of the framing before an object or an element.
fn stray(window: &[u8]) -> usize {
    let opens = |at: &usize| {
        matches!(
            window.get(*at..),
            Some([b'{', b'"' | b' ' | b'\r' | b'\n', ..] | [b'[', b'{' | b'"', ..])
        ) || matches!(window.get(*at..), Some([b'<', letter, ..]) if letter.is_ascii_alphabetic())
            // An object of Ruby: `#<Patient id: 77>`.
            && at.checked_sub(1).and_then(|at| window.get(at)) != Some(&b'#')
    };
    (0..=MAX_STRAY).find(opens).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &[u8] = b"PATIENT: EXAMPLE^ANNA  DOB: 1960-04-01  MRN: 77";

    #[test]
    fn a_run_begins_where_its_text_begins() {
        let framed = [b"\x01\x02key\0\x00\x2f", LINE].concat();
        assert_eq!(
            find(&framed),
            Search::Found(7, ()),
            "the length is a letter, and text like any"
        );
        let object = [&b"\0\x00\x41{\"a\":"[..], LINE].concat();
        assert_eq!(find(&object), Search::Found(3, ()), "a length before an object is none of it");
        assert_eq!(find(&LINE[..MIN_RUN - 1]), Search::perhaps(0, &LINE[..MIN_RUN - 1]));
        assert_eq!(find(b"abc\0def"), Search::perhaps(4, b"abc\0def"));
        assert_eq!(find(b"abc\0"), Search::None);
        assert_eq!(
            find(&[0xe9; 200]),
            Search::perhaps(161, &[0xe9; 200]),
            "no code page has so few letters of ASCII"
        );
    }

    proptest! {
        /// What a search byte by byte finds.
        #[test]
        fn the_first_run_is_found(bytes in proptest::collection::vec(prop_oneof![9 => 0x20u8..0x7f, 1 => any::<u8>()], 0..200)) {
            let run = |at: usize| bytes.get(at..at + MIN_RUN).is_some_and(|w| {
                w.iter().all(|b| is_text(*b)) && w.iter().filter(|b| !b.is_ascii()).count() <= MAX_FOREIGN
            });
            let slow = (0..bytes.len()).find(|at| run(*at));
            match (find(&bytes), slow) {
                (Search::Found(at, ()), Some(first)) => prop_assert!((first..=first + MAX_STRAY).contains(&at)),
                (Search::Perhaps { .. } | Search::None, None) => {}
                (got, expected) => prop_assert!(false, "{got:?} {expected:?}"),
            }
        }
    }
}
