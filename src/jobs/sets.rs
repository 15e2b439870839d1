//! Which captures belong together: a flow may continue in the next file of a rotated set.

use super::Together;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A capture: its path or address, and its size in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Capture {
    pub path: String,
    pub bytes: u64,
}

/// Groups captures into sets, each in the order of its numbers. The largest set is first, because the longest job must
/// not start when the other workers are done.
pub(super) fn sets(captures: Vec<Capture>, together: Together) -> Vec<Vec<Capture>> {
    let mut sets: BTreeMap<String, Vec<Capture>> = BTreeMap::new();
    for capture in captures {
        let name = match together {
            Together::Rotated => pattern(&capture.path),
            Together::Folder => folder(&capture.path).0.to_owned(),
            Together::None => capture.path.clone(),
        };
        sets.entry(name).or_default().push(capture);
    }
    let mut sets: Vec<Vec<Capture>> = sets.into_values().collect();
    for set in &mut sets {
        set.sort_by(|a, b| natural(&counted(&a.path), &counted(&b.path)));
        set.dedup();
    }
    let size = |set: &[Capture]| set.iter().map(|capture| capture.bytes).sum::<u64>();
    sets.sort_by_cached_key(|set| std::cmp::Reverse(size(set)));
    sets
}

fn folder(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Ends of names to which `tcpdump -C` appends a number in all files but the first.
const COUNTED: [&str; 4] = [".pcap", ".pcapng", ".cap", ".dmp"];

/// The path with a sign instead of each number in its last part.
fn pattern(path: &str) -> String {
    let (folder, name) = folder(path);
    let mut pattern = format!("{folder}/");
    let mut digits = false;
    for c in name.chars() {
        if !c.is_ascii_digit() {
            pattern.push(c);
        } else if !digits {
            pattern.push('#');
        }
        digits = c.is_ascii_digit();
    }
    for end in COUNTED {
        pattern = pattern.replace(&format!("{end}#"), end);
    }
    pattern
}

/// The path with a zero if it is the first of counted files, which has no number.
fn counted(path: &str) -> String {
    let mut path = path.to_owned();
    for end in COUNTED {
        if let Some(at) = path.rfind(end).map(|at| at + end.len())
            && !path[at..].starts_with(|c: char| c.is_ascii_digit())
        {
            path.insert(at, '0');
        }
    }
    path
}

/// Numbers by their value: `cap9` comes before `cap10`.
fn natural(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| {
        let mut parts: Vec<(String, u128)> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let words = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(words);
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (number, after) = after.split_at(digits);
            parts.push((word.to_owned(), number.parse().unwrap_or(0)));
            rest = after;
        }
        parts
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}
