//! `phitap rules publish`.

use super::bundle::{Bundle, is_name};
use super::key::{PrivateKey, PublicKey};
use super::{BUCKET, CURRENT, DistributionError, Publish};
use crate::broker::{Access, answer, bucket};
use crate::identify::load_rules;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::{self, Context};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Versions kept.
const HISTORY: i64 = 5;

fn refused(error: impl std::fmt::Display) -> DistributionError {
    DistributionError::Stream(format!("bucket {BUCKET}: {error}"))
}

/// The bucket; created if missing.
async fn rules_bucket(context: &Context) -> Result<Store, DistributionError> {
    let opened = bucket(context, BUCKET, HISTORY, Duration::ZERO).await;
    opened.map_err(DistributionError::Stream)
}

/// Connects to the bucket.
pub(super) async fn open(access: &Access) -> Result<Store, DistributionError> {
    rules_bucket(&jetstream::new(access.connect().await?)).await
}

/// The digest of the rules published last, if their signature is valid.
pub async fn latest(context: &Context, key: &PublicKey) -> Option<String> {
    let value = answer(rules_bucket(context).await.ok()?.get(CURRENT)).await.ok()??;
    Bundle::open(&value, key).ok().map(|bundle| bundle.digest)
}

/// Publishes the rules of a folder. Returns their version.
///
/// # Errors
/// The rules are faulty, the key is invalid, or the broker refuses.
pub fn publish(publish: &Publish) -> Result<u64, DistributionError> {
    let key = PrivateKey::load(&publish.sign_key)?;
    // Rules that no sensor could load are not published.
    let rules = load_rules(Some(&publish.rules))?;
    let files = files(&publish.rules)?;
    if files.is_empty() {
        return Err(DistributionError::Empty(publish.rules.clone()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| DistributionError::Stream(error.to_string()))?;
    runtime.block_on(async {
        let bucket = open(&Access::open(&publish.broker)?).await?;
        let before = answer(bucket.entry(CURRENT)).await.map_err(refused)?;
        let version = before.as_ref().map_or(0, |entry| entry.revision) + 1;
        let bundle = Bundle { version, digest: rules.digest.clone(), files };
        let value = bundle.seal(&key).ok_or_else(|| {
            DistributionError::Stream(
                "the rules are too large for a message of the broker".to_owned(),
            )
        })?;
        // If two publish at once, one learns that the other was first.
        let put = match before {
            Some(entry) => {
                answer(bucket.update(CURRENT, value.into(), entry.revision)).await.map_err(refused)
            }
            None => answer(bucket.create(CURRENT, value.into())).await.map_err(refused),
        };
        put.map(|_| version)
    })
}

fn files(folder: &Path) -> Result<BTreeMap<String, String>, DistributionError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| DistributionError::Io { path, source }
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(fail(folder))? {
        let path = entry.map_err(fail(folder))?.path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !is_name(name) {
            let source = std::io::Error::other("name it with letters, digits, - and _ only");
            return Err(DistributionError::Io { path, source });
        }
        let text = std::fs::read_to_string(&path).map_err(fail(&path))?;
        files.insert(name.to_owned(), text);
    }
    Ok(files)
}
