//! What `phitap rules list`, `show` and `check` say of rules.

use super::{RuleInfo, RuleSet};
use crate::time::Timestamp;
use std::fmt::Write;

/// Widest cell of all but the last column, characters.
const MAX_CELL: usize = 48;
/// Fewest columns of a terminal that lines are fitted to.
const NARROW: usize = 40;

/// All rules in aligned columns: id, section, kind with its Safe Harbor letter (45 CFR
/// 164.514(b)(2)(i)), subject, title, reference. On a terminal of `width` columns, which is too narrow for that, two
/// lines for each rule: its id, and its section, kind and title.
pub fn list_table(rules: &RuleSet, width: Option<usize>) -> String {
    let mut entries: Vec<&RuleInfo> = rules.entries.iter().collect();
    entries.sort_by(|a, b| (a.section, &a.id).cmp(&(b.section, &b.id)));
    if let Some(width) = width {
        return narrow_list(&entries, width.max(NARROW));
    }
    let mut rows =
        vec![["ID", "SECTION", "KIND", "SH", "WHERE", "TITLE", "REFERENCE"].map(str::to_owned)];
    rows.extend(entries.iter().map(|rule| {
        [
            rule.id.clone(),
            rule.section.to_owned(),
            rule.kind.map_or("-", |k| k.as_str()).to_owned(),
            rule.kind.map_or('-', |k| k.safe_harbor()).to_string(),
            shorten(&rule.subject, MAX_CELL),
            shorten(&rule.title, MAX_CELL),
            rule.reference.clone(),
        ]
    }));
    align(&rows)
}

/// What is known of a rule: its title, then labels with their values.
#[derive(Debug)]
pub struct Details<'a> {
    /// Its title.
    pub title: &'a str,
    /// Labels and values, in order.
    pub facts: Vec<(&'static str, String)>,
}

/// Everything about the rule with this id; none if there is none.
pub fn details<'a>(rules: &'a RuleSet, id: &str) -> Option<Details<'a>> {
    let rule = rules.entries.iter().find(|rule| rule.id == id)?;
    let (file, line) = &rule.source;
    let kind = rule.kind.map_or(String::new(), |kind| {
        format!("{} (Safe Harbor {})", kind.as_str(), kind.safe_harbor())
    });
    let mut facts = vec![
        ("section", rule.section.to_owned()),
        ("kind", kind),
        ("where", rule.subject.clone()),
        ("reference", rule.reference.clone()),
        ("file", format!("{file}:{line}")),
    ];
    facts.extend(rule.matches.iter().map(|sample| ("match", sample.clone())));
    facts.extend(rule.no_matches.iter().map(|sample| ("no match", sample.clone())));
    facts.retain(|(_, value)| !value.is_empty());
    Some(Details { title: &rule.title, facts })
}

/// The number of rules per section, disabled rules, and suppressions expired at `now`.
pub fn check_text(rules: &RuleSet, now: Timestamp) -> String {
    let mut sections: Vec<(&str, usize)> = Vec::new();
    for rule in &rules.entries {
        match sections.iter_mut().find(|(name, _)| *name == rule.section) {
            Some((_, n)) => *n += 1,
            None => sections.push((rule.section, 1)),
        }
    }
    let mut text = format!("{} rules, no faults\n", rules.entries.len());
    for (section, n) in sections {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{n:>6} [[{section}]]");
    }
    if !rules.disabled.is_empty() {
        let _ =
            writeln!(text, "{:>6} disabled: {}", rules.disabled.len(), rules.disabled.join(", "));
    }
    for over in rules.suppressions.expired(now) {
        let (file, line) = &over.source;
        let _ = writeln!(
            text,
            "{file}:{line}: warning: {} ended on {} and no longer suppresses anything; ask {}",
            over.id, over.expires, over.owner
        );
    }
    text
}

/// Two lines for each rule, none longer than `width` unless its id is.
fn narrow_list(entries: &[&RuleInfo], width: usize) -> String {
    let mut text = String::new();
    for rule in entries {
        let kind =
            rule.kind.map_or(String::new(), |k| format!(", {} ({})", k.as_str(), k.safe_harbor()));
        let line = format!("  {}{kind}: {}", rule.section, rule.title);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\n{}", rule.id, shorten(&line, width));
    }
    text
}

/// Shortens a text to `most` characters.
fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// Aligns columns two spaces apart, without trailing blanks.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let gap = width.saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', gap));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
