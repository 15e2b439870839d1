//! `--evidence` and its related options.

use super::Options;
use super::error::{ConfigError, usage};
use crate::config::{EvidenceSettings, Source};
use crate::output::evidence::check_recipients;
use crate::time::Span;

/// Defaults of `--evidence-limit`.
const TIME: Span = Span::seconds(600);
const SIZE: u64 = 16 << 20;

/// Checked settings for recording packets of exposures.
pub(super) fn settings(
    source: &Source,
    options: &Options,
) -> Result<Option<EvidenceSettings>, ConfigError> {
    let Some(folder) = &options.evidence else {
        return match options.evidence_limit.is_some() || !options.encrypt_to.is_empty() {
            true => Err(usage(
                "--evidence-limit and --encrypt-to say how to keep evidence: name a folder with --evidence",
            )),
            false => Ok(None),
        };
    };
    if matches!(source, Source::Files(_)) {
        return Err(usage("--evidence is for live: cut packets out of captures with phitap cut"));
    }
    if !folder.is_dir() {
        return Err(usage(format!(
            "--evidence {}: there is no such folder; make it first",
            folder.display()
        )));
    }
    check_recipients(&options.encrypt_to)
        .map_err(|error| usage(format!("--encrypt-to: {error}")))?;
    let keep = options.evidence_limit.map(|keep| keep.0).unwrap_or_default();
    Ok(Some(EvidenceSettings {
        folder: folder.clone(),
        size: keep.bytes.unwrap_or(SIZE),
        time: keep.age.unwrap_or(TIME),
        recipients: options.encrypt_to.clone(),
    }))
}
