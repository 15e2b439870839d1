//! Values in parts: names, addresses and dates.

use super::Part;
use crate::rules::NamePart;

/// Longest value joined from parts, characters.
const MAX_JOINED: usize = 512;

/// Whether two parts of one group and kind make one value.
pub(super) fn joins_with(a: &Part, b: &Part) -> bool {
    (a.meaning.part == NamePart::Whole) == (b.meaning.part == NamePart::Whole)
}

/// Family names `^` given names, or the lines of an address.
pub(super) fn join<'a>(
    parts: impl Iterator<Item = &'a Part> + Clone,
    name: bool,
) -> zeroize::Zeroizing<String> {
    let mut joined = zeroize::Zeroizing::new(String::new());
    let mut append = |value: &str, separator: &str| {
        if joined.len() + value.len() < MAX_JOINED {
            if !joined.is_empty() && !joined.ends_with('^') {
                joined.push_str(separator);
            }
            joined.push_str(value);
        }
    };
    if !name {
        parts.for_each(|p| append(&p.value, ", "));
        return joined;
    }
    let of = |part: NamePart| parts.clone().filter(move |p| p.meaning.part == part);
    // The name at birth and the one in use may be the same.
    let mut families = of(NamePart::Family);
    if let Some(first) = families.next() {
        append(&first.value, " ");
        let others = families.filter(|p| p.value.to_lowercase() != first.value.to_lowercase());
        others.for_each(|p| append(&p.value, " "));
    }
    if of(NamePart::Given).next().is_some() {
        append("^", "");
        of(NamePart::Given).for_each(|p| append(&p.value, " "));
    }
    joined
}

/// A date from its parts; nothing unless all are there.
pub(super) fn date<'a>(
    parts: impl Iterator<Item = &'a Part> + Clone,
) -> zeroize::Zeroizing<String> {
    let of = |part: NamePart| {
        let found = parts.clone().find(|p| p.meaning.part == part)?;
        let value = found.value.as_str();
        // By name (`March`) in the order in which everybody names them.
        value.parse::<u32>().ok().or_else(|| month(value))
    };
    match (of(NamePart::Year), of(NamePart::Month), of(NamePart::Day)) {
        (Some(year @ 1000..=9999), Some(month @ 1..=12), Some(day @ 1..=31)) => {
            zeroize::Zeroizing::new(format!("{year:04}-{month:02}-{day:02}"))
        }
        _ => zeroize::Zeroizing::default(),
    }
}

/// A month by the first three letters of its English name.
fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let front = name.get(..3)?;
    (1..).zip(NAMES).find(|(_, n)| n.eq_ignore_ascii_case(front)).map(|(number, _)| number)
}
