//! Which of several hubs is the active one: a lease in a key-value bucket of JetStream, which forgets it when it is
//! not renewed.

use super::stream::ANSWER_WITHIN;
use crate::broker::bucket;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::Store;
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
}

impl Lease {
    /// Opens the bucket, or makes it.
    ///
    /// # Errors
    /// What the broker said.
    pub async fn open(context: &Context, holder: String) -> Result<Self, String> {
        let bucket = bucket(context, BUCKET, 1, LASTS).await?;
        Ok(Self { bucket, holder: holder.into(), held: None })
    }

    /// Takes or renews the lease. Whether it is held, as far as the broker says so in time.
    pub async fn renew(&mut self) -> bool {
        match tokio::time::timeout(ANSWER_WITHIN, self.ask()).await {
            Ok(held) => held,
            Err(_) => {
                self.held = None;
                false
            }
        }
    }

    async fn ask(&mut self) -> bool {
        self.held = match self.held {
            Some(revision) => self.bucket.update(KEY, self.holder.clone(), revision).await.ok(),
            None => self.bucket.create(KEY, self.holder.clone()).await.ok(),
        };
        // The answer may have been lost: then the value is ours.
        if self.held.is_none()
            && let Ok(Some(entry)) = self.bucket.entry(KEY).await
            && entry.value == self.holder
        {
            self.held = Some(entry.revision);
        }
        self.held.is_some()
    }

    /// Gives it back, so that another hub need not wait.
    pub async fn release(self) {
        if let Some(revision) = self.held {
            let purged = self.bucket.purge_expect_revision(KEY, Some(revision));
            let _ = tokio::time::timeout(ANSWER_WITHIN, purged).await;
        }
    }
}
