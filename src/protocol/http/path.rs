//! Paths as facts of a service, with every part masked that may identify a person.

use std::fmt::Write;

/// Longest segment shown, bytes.
const MAX_SEGMENT: usize = 40;

/// `path` with `*` for every segment that may name a person or a record: one with digits or escapes, one behind a
/// segment that names people, and the stem of a file that is no page.
pub fn mask(path: &str) -> String {
    let mut masked = String::with_capacity(path.len().min(256));
    let mut about_people = false;
    let last = path.split('/').count().saturating_sub(1);
    for (i, segment) in path.split('/').enumerate() {
        if i > 0 {
            masked.push('/');
        }
        if segment.is_empty() {
            continue;
        }
        let stem = match segment.rsplit_once('.') {
            Some((stem, suffix)) if i == last && is_plain(suffix) && suffix.len() <= 5 => {
                let page = PAGES.iter().any(|p| p.eq_ignore_ascii_case(suffix));
                let shown = if page && is_plain(stem) && !about_people { stem } else { "*" };
                // Writing to a String cannot fail.
                let _ = write!(masked, "{shown}.{suffix}");
                continue;
            }
            _ => segment,
        };
        let shown = !about_people && (is_plain(stem) || is_version(stem));
        masked.push_str(if shown { stem } else { "*" });
        about_people = names_people(segment);
    }
    masked
}

/// Suffixes of pages and their parts; other files may be named after a patient.
const PAGES: &[&str] =
    &["html", "htm", "php", "asp", "aspx", "jsp", "do", "cgi", "js", "css", "ashx", "asmx", "svc"];

fn is_plain(segment: &str) -> bool {
    segment.len() <= MAX_SEGMENT
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_' | b'$' | b'.'))
}

/// `v1`, `R4`: versions of an interface.
fn is_version(segment: &str) -> bool {
    segment.len() <= 3
        && segment.starts_with(['v', 'V', 'r', 'R'])
        && segment.bytes().skip(1).all(|b| b.is_ascii_digit())
}

/// FHIR types of people (<https://hl7.org/fhir/R4/administration-module.html>) and their names in other interfaces;
/// an id or a name follows.
fn names_people(segment: &str) -> bool {
    const PEOPLE: &[&str] = &["patient", "person", "people", "relatedperson", "member", "user"];
    let lower = segment.to_ascii_lowercase();
    PEOPLE.iter().any(|p| lower.starts_with(p)) || lower.ends_with("patients")
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn people_are_masked_and_places_are_not() {
        for (path, masked) in [
            ("/fhir/Patient/pat-462005", "/fhir/Patient/*"),
            ("/fhir/Patient/jane/_history", "/fhir/Patient/*/_history"),
            ("/api/v2/patients/Doe/notes", "/api/v2/patients/*/notes"),
            ("/dicom-web/studies/1.2.840.1/series", "/dicom-web/studies/*/series"),
            ("/notes/doe_jane.pdf", "/notes/*.pdf"),
            ("/register.php", "/register.php"),
            ("/", "/"),
            ("", ""),
            ("/a/%4aane", "/a/*"),
            ("/users/jdoe.html", "/users/*.html"),
            ("/fhir/R4/metadata", "/fhir/R4/metadata"),
        ] {
            assert_eq!(mask(path), masked);
        }
    }
}
