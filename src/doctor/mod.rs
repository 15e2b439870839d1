//! `phitap doctor`: checks the host and the configuration before a sensor is started, or when it does not do
//! what it should, and says what to change.

mod checks;
mod host;

#[cfg(test)]
mod tests;

use crate::closed_set::closed_set;
use crate::config::Config;
use serde::Serialize;
use std::fmt::Write as _;

closed_set! {
    /// How a check ended.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub enum Verdict {
        /// As it should be.
        Good = "ok",
        /// A sensor works, but not as well as it could.
        Advice = "advice",
        /// A sensor does not work, or cannot be trusted.
        Fault = "fault",
    }
}

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diagnosis {
    /// What was checked: `interface`, `offloads`, `clock`.
    pub check: &'static str,
    /// The interface, file or process concerned, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it ended.
    #[serde(serialize_with = "word")]
    pub verdict: Verdict,
    /// The result, in a few words.
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
    fn of(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

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

/// The worst of them.
pub fn worst(all: &[Diagnosis]) -> Verdict {
    all.iter().map(|d| d.verdict).max().unwrap_or(Verdict::Good)
}

/// For people: a line for each, and what to do below it.
pub fn text(all: &[Diagnosis]) -> String {
    let mut out = String::new();
    let name = |d: &Diagnosis| match &d.subject {
        Some(subject) => format!("{} {subject}", d.check),
        None => d.check.to_owned(),
    };
    let width = all.iter().map(|d| name(d).chars().count()).max().unwrap_or(0).min(28);
    for d in all {
        let _ = writeln!(out, "{:<6}  {:<width$}  {}", d.verdict.as_str(), name(d), d.found);
        if let Some(remedy) = &d.remedy {
            let _ = writeln!(out, "{:<6}  {:<width$}    -> {remedy}", "", "");
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

/// For programs: one JSON object.
pub fn json(all: &[Diagnosis]) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        verdict: &'static str,
        checks: &'a [Diagnosis],
    }
    let report = Report { verdict: worst(all).as_str(), checks: all };
    // Only texts and words, whose serialisation cannot fail.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}
