//! What `run-summary` events say of the runs that are merged: which could not judge everything, and
//! why. Without it, what was not read would look as if nothing had been found.

use super::table::json_text;
use crate::output::Verdict;
use crate::output::text::{count, foreign};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Most runs held; the lowest stay, so that order does not matter.
const MAX_RUNS: usize = 10_000;
/// Most causes of a run, and characters of a text of it.
const MAX_CAUSES: usize = 16;
const MAX_TEXT: usize = 200;
/// Most runs shown to people.
const MAX_SHOWN: usize = 20;

/// Sensor, key id, first and last packet time: two reports of these are of one run.
type RunEndKey = (String, String, String, String);

/// How a run ended that could not judge everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RunEnd {
    verdict: String,
    /// Whether part of the input could not be read: exit status 3 of the run.
    partial: bool,
    /// Cause, count and text.
    causes: Vec<(String, u64, String)>,
}

impl RunEnd {
    fn read_nothing(&self) -> bool {
        Verdict::ALL.iter().any(|of| of.as_str() == self.verdict && of.is_of_nothing())
    }

    /// `could not judge everything: 1 input could not be read to the end`.
    fn text(&self) -> String {
        let what = if self.read_nothing() { "read nothing" } else { "could not judge everything" };
        let why: Vec<&str> = self.causes.iter().map(|(_, _, text)| text.as_str()).collect();
        if why.is_empty() { what.to_owned() } else { format!("{what}: {}", why.join("; ")) }
    }
}

/// The runs that could not judge everything.
#[derive(Default)]
pub(super) struct RunEnds {
    runs: BTreeMap<RunEndKey, RunEnd>,
}

impl RunEnds {
    /// Takes a `run-summary` event. Returns whether the run found something.
    pub(super) fn add(&mut self, event: &Value) -> bool {
        let text = |at: &str| {
            foreign(event.pointer(at).and_then(Value::as_str).unwrap_or_default(), MAX_TEXT)
        };
        let n = |at: &str| event.pointer(at).and_then(Value::as_u64).unwrap_or(0);
        let verdict = text("/phi/run/coverage/verdict");
        if verdict != Verdict::Complete.as_str() {
            let list = |at: &str| event.pointer(at).and_then(Value::as_array);
            let causes = list("/phi/run/coverage/unjudged").into_iter().flatten().take(MAX_CAUSES);
            let string =
                |cause: &Value, of: &str| foreign(cause[of].as_str().unwrap_or_default(), MAX_TEXT);
            let mut end = RunEnd {
                verdict,
                partial: event.pointer("/phi/run/coverage/interrupted") == Some(&Value::Bool(true))
                    || n("/phi/run/packets/cut") > 0
                    || list("/phi/run/inputs/faulty").is_some_and(|inputs| !inputs.is_empty()),
                causes: causes
                    .map(|c| {
                        (string(c, "cause"), c["count"].as_u64().unwrap_or(0), string(c, "text"))
                    })
                    .collect(),
            };
            end.partial |= end.read_nothing();
            let key = (
                text("/observer/name"),
                text("/phi/key_id"),
                text("/phi/run/started"),
                text("/phi/run/ended"),
            );
            // Of two different reports of one run the worse counts, in any order.
            let known = self.runs.entry(key).or_insert_with(|| end.clone());
            if (end.partial, &end) > (known.partial, known) {
                *known = end;
            }
            if self.runs.len() > MAX_RUNS {
                self.runs.pop_last();
            }
        }
        n("/phi/run/findings") > 0 || n("/phi/run/exposures") > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether part of the input of a run could not be read.
    pub(super) fn any_partial(&self) -> bool {
        self.runs.values().any(|run| run.partial)
    }

    /// The sensors of runs that read nothing.
    pub(super) fn empty_sensors(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().filter(|(_, end)| end.read_nothing()).map(|((sensor, ..), _)| &**sensor)
    }

    /// The same in words, one line for each run.
    pub(super) fn all(&self) -> Vec<String> {
        self.lines(|_| true)
    }

    /// Reports the runs of whose input a part could not be read.
    pub(super) fn tell(&self, note: &mut dyn FnMut(String)) {
        self.lines(|end| end.partial).into_iter().for_each(note);
    }

    fn lines(&self, which: fn(&RunEnd) -> bool) -> Vec<String> {
        let chosen: Vec<_> = self.runs.iter().filter(|(_, end)| which(end)).collect();
        let line = |((sensor, ..), end): &(&RunEndKey, &RunEnd)| match sensor.as_str() {
            "" => format!("a sensor without a name {}", end.text()),
            name => format!("sensor {name} {}", end.text()),
        };
        let mut lines: Vec<String> = chosen.iter().take(MAX_SHOWN).map(line).collect();
        if chosen.len() > MAX_SHOWN {
            let further = count((chosen.len() - MAX_SHOWN) as u64, "further run");
            lines.push(format!("{further} could not judge everything"));
        }
        lines
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Vec<Value> {
        let run = |((sensor, _, started, ended), end): (&RunEndKey, &RunEnd)| {
            json!({
                "sensor": sensor, "started": started, "ended": ended,
                "verdict": end.verdict, "partial": end.partial, "unjudged": unjudged(end),
            })
        };
        self.runs.iter().map(run).collect()
    }

    /// The same as events that can be merged again.
    pub(super) fn write_events(&self, out: &mut dyn Write) -> io::Result<()> {
        for ((sensor, key_id, started, ended), end) in &self.runs {
            let event = json!({
                "event": {"action": "run-summary", "module": "phitap"},
                "observer": {"name": sensor},
                "phi": {"key_id": key_id, "run": {
                    "started": started, "ended": ended,
                    "coverage": {
                        "verdict": end.verdict, "unjudged": unjudged(end),
                        // What made it partial is among the causes.
                        "interrupted": end.partial,
                    },
                }},
            });
            writeln!(out, "{}", json_text(&event))?;
        }
        Ok(())
    }
}

fn unjudged(end: &RunEnd) -> Vec<Value> {
    let cause = |(cause, count, text): &(String, u64, String)| json!({"cause": cause, "count": count, "text": text});
    end.causes.iter().map(cause).collect()
}
