//! The lease of the active hub, in a key-value bucket of JetStream. It expires if it is not renewed.

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
/// Time after which a lease expires that is not renewed.
pub(super) const LASTS: Duration = Duration::from_secs(10);
/// Interval at which a hub renews the lease, or asks for it.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(3);

/// The lease as one hub sees it.
pub(super) struct Lease {
    bucket: Store,
    /// Name of this hub and a number of its process.
    holder: Bytes,
    /// Revision of the lease, if this hub holds it.
    held: Option<u64>,
    /// Why the bucket cannot be read: it is gone, or the broker does not answer.
    pub lost: Option<String>,
    /// Why the broker refuses the lease, although no other hub holds it.
    pub refused: Option<String>,
}

impl Lease {
    /// Opens the bucket, or creates it.
    ///
    /// # Errors
    /// The broker's error.
    pub async fn open(context: &Context, holder: String) -> Result<Self, String> {
        let bucket = bucket(context, BUCKET, 1, LASTS).await?;
        Ok(Self { bucket, holder: holder.into(), held: None, lost: None, refused: None })
    }

    /// Takes or renews the lease. Returns whether the broker confirmed in time that this hub holds it.
    pub async fn renew(&mut self) -> bool {
        match tokio::time::timeout(ANSWER_WITHIN, self.ask()).await {
            Ok(Ok(held)) => held,
            Ok(Err(lost)) => {
                self.lost = Some(lost);
                false
            }
            // A broker that has lost the bucket may not answer at all.
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
            // The last answer was lost: the value is that of this hub.
            Some(entry) if entry.value == self.holder => self.held = Some(entry.revision),
            Some(entry) if entry.operation == Operation::Put => {}
            // No hub holds it, or it expired before it was renewed.
            _ => match self.bucket.create(KEY, self.holder.clone()).await {
                Ok(revision) => self.held = Some(revision),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(error) => self.refused = Some(fail(&error)),
            },
        }
        Ok(self.held.is_some())
    }

    /// Gives the lease back, so that another hub need not wait.
    pub async fn release(self) {
        if let Some(revision) = self.held {
            let purged = self.bucket.purge_expect_revision(KEY, Some(revision));
            let _ = tokio::time::timeout(ANSWER_WITHIN, purged).await;
        }
    }
}
