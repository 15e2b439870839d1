//! `--report FILE.html`: the page of a run, written at its end.

use super::{PageModel, html};
use crate::exposure::{Conversation, Event, PatientObservation};
use crate::output::{Context, Output, RunSummary, ecs};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _, Write};

/// Inputs listed in a report.
const MAX_INPUTS: usize = 1_000;

/// An input file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its path.
    pub name: String,
    /// Its size, bytes, if it could be read.
    pub bytes: Option<u64>,
    /// SHA-256 as hexadecimal digits, if it could be read.
    pub sha256: Option<String>,
    /// A different SHA-256 that the run recorded: the file is not what the run read.
    pub was: Option<String>,
}

impl Input {
    /// Hashes the file at `name`. Pipes and interfaces have no hash.
    pub fn of(name: &str) -> Self {
        let taken = hash(name).ok().flatten();
        let (bytes, sha256) = taken.map_or((None, None), |(n, hash)| (Some(n), Some(hash)));
        Self { name: name.to_owned(), bytes, sha256, was: None }
    }

    /// The same, where a run recorded `sha256` of what it read.
    pub fn of_run(name: &str, sha256: Option<&str>) -> Self {
        let mut input = Self::of(name);
        input.was = sha256.filter(|was| input.sha256.as_deref() != Some(*was)).map(str::to_owned);
        input
    }

    /// What is wrong with it, as a sentence; `None` if it is, as far as known, what the run read.
    pub fn fault(&self) -> Option<String> {
        let was = self.was.as_ref()?;
        Some(match self.sha256 {
            Some(_) => format!("changed since the run, which read SHA-256 {was}"),
            None => format!("gone since the run, which read SHA-256 {was}"),
        })
    }

    fn json(&self) -> Value {
        let (bytes, sha256) = (self.bytes, &self.sha256);
        json!({"name": self.name, "bytes": bytes, "sha256": sha256, "fault": self.fault()})
    }
}

fn hash(name: &str) -> io::Result<Option<(u64, String)>> {
    if !std::fs::metadata(name)?.is_file() {
        return Ok(None);
    }
    let (mut file, mut hash, mut bytes) = (File::open(name)?, Sha256::new(), 0u64);
    let mut block = vec![0; 1 << 18];
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(n) => {
                hash.update(block.get(..n).unwrap_or_default());
                bytes += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let digits = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(Some((bytes, digits)))
}

/// Origin of a report.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// Time, RFC 3339.
    pub at: String,
    /// Source, for people.
    pub source: String,
    /// The key of pseudonyms.
    pub key: String,
    /// The active rules.
    pub rules: String,
}

/// The page of `model` as one file.
pub fn page(model: &PageModel, made: &Provenance, inputs: &[Input]) -> String {
    let mut data = model.data();
    let mut put = |name: &str, text: &str| {
        if !text.is_empty() {
            data.insert(name.into(), text.into());
        }
    };
    put("made", &made.at);
    put("source", &made.source);
    put("key", &made.key);
    put("rules", &made.rules);
    let inputs: Vec<Value> = inputs.iter().take(MAX_INPUTS).map(Input::json).collect();
    data.insert("inputs".into(), inputs.into());
    html::report(model, &data)
}

/// Collects a run and writes its report.
pub struct Report {
    writer: Box<dyn Write + Send>,
    context: Context,
    model: PageModel,
    made: Provenance,
}

impl Report {
    /// Writes to `writer` when the run ends. `reveal` as on the command line: a report never shows values.
    pub fn new(
        writer: Box<dyn Write + Send>,
        context: Context,
        reveal: bool,
        made: Provenance,
    ) -> Self {
        Self { writer, context, model: PageModel::new(reveal), made }
    }
}

impl Output for Report {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.model.event(event, &self.context);
        Ok(())
    }

    fn observation(&mut self, observation: &PatientObservation) -> io::Result<()> {
        self.model.observation(observation);
        Ok(())
    }

    fn conversation(&mut self, of: &Conversation) -> io::Result<()> {
        self.model.conversation(of);
        Ok(())
    }

    fn finish(&mut self, run: &RunSummary) -> io::Result<()> {
        self.model.take(ecs::run_value(run, &self.context));
        let names = run.inputs.iter().take(MAX_INPUTS);
        let inputs: Vec<Input> =
            if run.live { Vec::new() } else { names.map(|input| Input::of(&input.name)).collect() };
        self.writer.write_all(page(&self.model, &self.made, &inputs).as_bytes())?;
        self.writer.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
