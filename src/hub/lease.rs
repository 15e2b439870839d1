//! Which of several hubs is the active one: a lease in a key-value bucket of JetStream, which forgets it when it is
//! not renewed.

use super::stream::{ANSWER_WITHIN, failed};
use crate::broker::bucket;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store};
use bytes::Bytes;
use std::time::Duration;

/// The bucket of hubs.
const BUCKET: &str = "phitap-hub";
/// The key of the lease.
const KEY: &str = "active";
/// How long a lease lasts that is not renewed.
pub(super) const LASTS: Duration = Duration::from_secs(10);
/// How often it is renewed, or asked for.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(3);

/// The lease as one hub sees it.
pub(super) struct Lease {
    bucket: Store,
    /// Who asks: the name of the hub and a number of its process.
    holder: Bytes,
    /// Revision of the lease, if it is held.
    held: Option<u64>,
    /// Why the bucket cannot be read: it is gone, or the broker says nothing.
    pub lost: Option<String>,
    /// Why the broker keeps no lease, though no other hub has it.
    pub refused: Option<String>,
}

impl Lease {
    /// Opens the bucket, or makes it.
    ///
    /// # Errors
    /// What the broker said.
    pub async fn open(context: &Context, holder: String) -> Result<Self, String> {
        let bucket = bucket(context, BUCKET, 1, LASTS).await?;
        Ok(Self { bucket, holder: holder.into(), held: None, lost: None, refused: None })
    }

    /// Takes or renews the lease. Whether it is held, as far as the broker says so in time.
    pub async fn renew(&mut self) -> bool {
        match tokio::time::timeout(ANSWER_WITHIN, self.ask()).await {
            Ok(Ok(held)) => held,
            Ok(Err(lost)) => {
                self.lost = Some(lost);
                false
            }
            // A broker that has lost the bucket may say nothing at all.
            Err(_) => {
                self.held = None;
                self.lost =
                    Some(failed("the lease of the active hub", "no answer from the broker"));
                false
            }
        }
    }

    async fn ask(&mut self) -> Result<bool, String> {
        self.refused = None;
        if let Some(revision) = self.held.take() {
            self.held = self.bucket.update(KEY, self.holder.clone(), revision).await.ok();
            if self.held.is_some() {
                return Ok(true);
            }
        }
        let fail = |error: &dyn std::fmt::Display| failed("the lease of the active hub", error);
        match self.bucket.entry(KEY).await.map_err(|error| fail(&error))? {
            // The answer was lost: the value is ours.
            Some(entry) if entry.value == self.holder => self.held = Some(entry.revision),
            Some(entry) if entry.operation == Operation::Put => {}
            // None holds it, or it has ended before it was renewed.
            _ => match self.bucket.create(KEY, self.holder.clone()).await {
                Ok(revision) => self.held = Some(revision),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(error) => self.refused = Some(fail(&error)),
            },
        }
        Ok(self.held.is_some())
    }

    /// Gives it back, so that another hub need not wait.
    pub async fn release(self) {
        if let Some(revision) = self.held {
            let purged = self.bucket.purge_expect_revision(KEY, Some(revision));
            let _ = tokio::time::timeout(ANSWER_WITHIN, purged).await;
        }
    }
}
