//! The manifest of a cut: what came from which captures, with the hashes that prove it.

use super::selector::{Proof, Selectors};
use super::{CutError, WrittenFile};
use crate::review::Cut;
use crate::review::source::Results;
use crate::review::table::json_text;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Hashes everything that is written through it.
pub(super) struct Hashed<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashed<W> {
    pub fn new(to: W) -> Self {
        Self { to, hash: Sha256::new(), bytes: 0 }
    }

    /// SHA-256 in hexadecimal digits, and bytes.
    pub fn finish(mut self) -> io::Result<WrittenFile> {
        self.to.flush()?;
        Ok(self.into_inner().1)
    }

    /// The inner writer, and the hash of what was written.
    pub fn into_inner(self) -> (W, WrittenFile) {
        let digits = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (self.to, (digits, self.bytes))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A capture that packets came from.
pub(super) struct SourceFile {
    /// As the run named it.
    pub name: String,
    /// Its current path.
    pub path: PathBuf,
    pub sha256: String,
    pub bytes: u64,
    /// Whether the run recorded the same hash.
    pub verified: bool,
}

pub(super) struct Manifest(Value);

impl Manifest {
    pub fn new(
        cut: &Cut,
        results: &Results,
        picks: &Selectors,
        sources: &[SourceFile],
        packets: &[u64],
        sealed: &WrittenFile,
        plain: &WrittenFile,
    ) -> Self {
        let set = |of: fn(&crate::review::source::Run) -> &String| -> BTreeSet<String> {
            results.runs.iter().map(of).filter(|text| !text.is_empty()).cloned().collect()
        };
        let sources: Vec<Value> = sources
            .iter()
            .zip(packets)
            .map(|(of, packets)| {
                json!({
                    "name": of.name,
                    "path": of.path.display().to_string(),
                    "sha256": of.sha256,
                    "bytes": of.bytes,
                    "unchanged_since_run": if of.verified { json!(true) } else { Value::Null },
                    "packets_taken": packets,
                })
            })
            .collect();
        let proof = |proof: &Proof| {
            json!({
                "service": proof.service,
                "evidence": proof.evidence,
                "community_id": proof.community_id,
                "until": proof.until.to_string(),
            })
        };
        let name = cut.output.file_name().map(|name| name.to_string_lossy().into_owned());
        Self(json!({
            "tool": "phitap",
            "version": env!("CARGO_PKG_VERSION"),
            "runs": {"versions": set(|r| &r.version), "rules": set(|r| &r.rules),
                "keys": set(|r| &r.key_id), "sensors": set(|r| &r.sensor)},
            "sources": sources,
            "result": {
                "name": name,
                "sha256": sealed.0,
                "bytes": sealed.1,
                "packets": packets.iter().sum::<u64>(),
                "encrypted_to": cut.recipients,
                "pcapng_sha256": plain.0,
            },
            "events": picks.events(),
            "proofs": picks.proofs().iter().map(proof).collect::<Vec<_>>(),
            "patients": cut.filter.tokens,
            "flows": cut.flows,
            "since": cut.filter.since.map(|time| time.to_string()),
            "until": cut.filter.until.map(|time| time.to_string()),
        }))
    }

    /// Writes the manifest beside the capture. Returns its path.
    pub fn write(&self, capture: &Path) -> Result<PathBuf, CutError> {
        let mut path = capture.as_os_str().to_owned();
        path.push(".json");
        let path = PathBuf::from(path);
        let fail = |source| CutError::Write { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        writeln!(file, "{}", json_text(&self.0)).map_err(fail)?;
        Ok(path)
    }
}
