//! What a protocol's declaration says, read leniently.

use crate::content::extract::record::Marks;
use crate::content::{Media, Scope};
use crate::rules::{About, ContextScope};

/// The media type without its parameters.
pub fn essence<'a>(media: &Media<'a>) -> &'a str {
    match media {
        Media::Type { content_type, .. } => {
            let end = memchr::memchr(b';', content_type.as_bytes()).unwrap_or(content_type.len());
            content_type.get(..end).unwrap_or_default().trim_ascii()
        }
        _ => "",
    }
}

/// The words of the subtype: `fhir` and `json` of `application/fhir+json`.
fn words<'a>(media: &Media<'a>) -> impl Iterator<Item = &'a [u8]> {
    let essence = essence(media).as_bytes();
    let slash = memchr::memchr(b'/', essence).map_or(essence.len(), |at| at + 1);
    let subtype = essence.get(slash..).unwrap_or_default();
    subtype.split(|b| matches!(b, b'+' | b'-' | b'.' | b'/'))
}

/// Whether the media type has one of `any` in its subtype.
pub fn has_word(media: &Media<'_>, any: &[&str]) -> bool {
    if !matches!(media, Media::Type { content_type, .. } if !content_type.is_empty()) {
        return false;
    }
    words(media).any(|word| any.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes())))
}

/// Whether the media type has `word` in its subtype (`fhir+json`), or the name one of `suffixes`.
pub fn says(media: &Media<'_>, word: &str, suffixes: &[&str]) -> bool {
    let named = || {
        let suffix = suffix(media);
        !suffix.is_empty() && suffixes.iter().any(|s| s.eq_ignore_ascii_case(suffix))
    };
    has_word(media, &[word]) || !suffixes.is_empty() && named()
}

/// A parameter of the media type (RFC 9110 5.6.6), without its quotes.
pub fn parameter<'a>(content_type: &'a str, name: &str) -> Option<&'a str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (n, value) = parameter.split_once('=')?;
        n.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// The suffix of the file's name.
pub fn suffix<'a>(media: &Media<'a>) -> &'a str {
    match media {
        Media::Type { name, .. } if !name.is_empty() => {
            let folder = memchr::memrchr2(b'/', b'\\', name.as_bytes()).map_or(0, |at| at + 1);
            let file = name.get(folder..).unwrap_or_default();
            let dot = memchr::memrchr(b'.', file.as_bytes()).map_or(file.len(), |at| at + 1);
            file.get(dot..).unwrap_or_default()
        }
        _ => "",
    }
}

/// The name or path of a payload.
pub fn path(media: &Media<'_>) -> Option<Box<str>> {
    match media {
        Media::Type { name, .. } if !name.is_empty() => Some((*name).into()),
        _ => None,
    }
}

/// Segments of a path that are looked at.
const MAX_SEGMENTS: usize = 64;

/// Whether a name or path says that it is about patients (`/api/patients`, `ward_list.csv`).
pub fn about(path: &str, scope: &Scope<'_>) -> Marks {
    let keys = &scope.rules().keys;
    let mut said = Marks::default();
    // The first segment that names a record of health: what comes later may mean something under it
    // (`/openmrs/ws/rest/v1/person`).
    let mut system: Option<&str> = None;
    for segment in path.split('/').filter(|s| !s.is_empty()).take(MAX_SEGMENTS) {
        let stem = segment.split_once(['.', '?']).map_or(segment, |(stem, _)| stem);
        // A folder of one of them holds other things: `/Users/jroe/ward.csv`.
        if said.is_elsewhere() && !segment.contains(|c: char| c.is_ascii_digit()) {
            said = Marks::default();
        }
        for word in stem.split(['_', '-', ' ']).chain([stem]) {
            match keys.scope_of(word).map(ContextScope::ahead) {
                // `/patients/7/providers`: the last word counts.
                // Of a list of staff (`/api/staff`), what is said of care is where they work.
                Some(About::Other) if inside_elsewhere(word, scope) => {
                    said = Marks::about(About::Elsewhere);
                }
                Some(About::Other | About::Elsewhere) => said = Marks::default(),
                Some(about) => said = said.and(Marks::about(about).ahead()),
                None => {}
            }
        }
        match system {
            Some(system) => {
                let under = keys.scope_of(&format!("{system}.{stem}")).map(ContextScope::ahead);
                said = said.and(under.map_or(Marks::default(), Marks::about).ahead());
            }
            None if said.is_patient() => system = Some(stem),
            None => {}
        }
    }
    said
}

/// Whether a word is that of a list of people in another role.
fn inside_elsewhere(word: &str, scope: &Scope<'_>) -> bool {
    let said = scope.rules().keys.scope_of(word);
    said.is_some_and(|said| said.inside == About::Elsewhere)
}

/// Whether a path ends at a person or a list of them: `/openmrs/ws/rest/v1/person/8f2c`.
pub fn ends_at_person(path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let word = |s: &&str| !s.is_empty() && !s.contains(|c: char| c.is_ascii_digit());
    let last = path.rsplit('/').take(2).find(word);
    last.is_some_and(|last| matches!(last, "person" | "patient"))
}
