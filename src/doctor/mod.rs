//! `phitap doctor`: checks host and configuration before a sensor is started, or when it does not
//! work as expected, and says what to change.

mod checks;
mod host;

#[cfg(test)]
mod tests;

use crate::closed_set::closed_set;
use crate::config::Config;
use crate::output::labelled::{Columns, item};
use serde::Serialize;
use std::fmt::Write as _;

closed_set! {
    /// Result of a check.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub enum Verdict {
        /// Correct.
        Good = "ok",
        /// A sensor works, but not as well as it could.
        Advice = "advice",
        /// A sensor does not work, or cannot be trusted.
        Fault = "fault",
    }
}

/// A check with its result.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diagnosis {
    /// What was checked: `interface`, `offloads`, `clock`.
    pub check: &'static str,
    /// The interface, file or process, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The result.
    #[serde(serialize_with = "word")]
    pub verdict: Verdict,
    /// A short description of the result.
    pub found: String,
    /// What to change, often a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

fn word<S: serde::Serializer>(verdict: &Verdict, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(verdict.as_str())
}

impl Diagnosis {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        let found = found.into();
        Self { check, subject: None, verdict: Verdict::Good, found, remedy: None }
    }
    fn advice(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let good = Self::good(check, found);
        Self { verdict: Verdict::Advice, remedy: Some(remedy.into()), ..good }
    }
    fn fault(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let good = Self::good(check, found);
        Self { verdict: Verdict::Fault, remedy: Some(remedy.into()), ..good }
    }
    #[cfg(target_os = "linux")]
    fn is_fault(&self) -> bool {
        self.verdict == Verdict::Fault
    }
    fn of(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// Columns of a verdict, with the blanks after it.
const VERDICT: usize = 8;
/// Fewest columns of a terminal that lines are fitted to.
const NARROW: usize = 40;

/// Checks everything that a run with this configuration needs.
pub fn examine(config: &Config) -> Vec<Diagnosis> {
    let mut all = Vec::new();
    crate::sandbox::raise();
    host::interfaces(config, &mut all);
    host::process(&mut all);
    host::memory(config, &mut all);
    host::clock(&mut all);
    checks::files(config, &mut all);
    checks::key(config, &mut all);
    checks::rules(config, &mut all);
    checks::metrics(config, &mut all);
    all
}

/// The worst result.
pub fn worst(all: &[Diagnosis]) -> Verdict {
    all.iter().map(|d| d.verdict).max().unwrap_or(Verdict::Good)
}

/// Text for people: one line per check, with the remedy below. Lines are broken at `width`, the columns of the
/// terminal, if it is given.
pub fn text(all: &[Diagnosis], width: Option<usize>) -> String {
    let mut out = String::new();
    let name = |d: &Diagnosis| match &d.subject {
        Some(subject) => format!("{} {subject}", d.check),
        None => d.check.to_owned(),
    };
    let named = all.iter().map(|d| name(d).chars().count()).max().unwrap_or(0).min(28);
    let page = width.map_or(usize::MAX, |width| width.max(NARROW));
    for d in all {
        let label = format!("{:<6}  {:<named$}  ", d.verdict.as_str(), name(d));
        let column = VERDICT + named + 2;
        item(
            &mut out,
            (Columns { indent: 0, column }, page),
            &label,
            std::slice::from_ref(&d.found),
            "",
        );
        if let Some(remedy) = &d.remedy {
            let arrow = Columns { indent: column + 2, column: column + 5 };
            item(&mut out, (arrow, page), "->", std::slice::from_ref(remedy), "");
        }
    }
    let count = |verdict| all.iter().filter(|d| d.verdict == verdict).count();
    let (faults, advice) = (count(Verdict::Fault), count(Verdict::Advice));
    let _ = match (faults, advice) {
        (0, 0) => writeln!(out, "\nNothing to change."),
        (0, n) => writeln!(out, "\nIt works; {n} could be better."),
        (n, m) => writeln!(out, "\n{n} must be changed, {m} could be better."),
    };
    out
}

/// One JSON object for programs.
pub fn json(all: &[Diagnosis]) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        verdict: &'static str,
        checks: &'a [Diagnosis],
    }
    let report = Report { verdict: worst(all).as_str(), checks: all };
    // Only strings and words: serialising cannot fail.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}
