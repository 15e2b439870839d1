//! Key-value buckets of JetStream.

use super::answer;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use std::time::Duration;

/// Opens a bucket, or makes it. `history`: values that are kept of each key; `max_age`: when a value is forgotten,
/// never if zero.
///
/// # Errors
/// What the broker said.
pub async fn bucket(
    context: &Context,
    name: &str,
    history: i64,
    max_age: Duration,
) -> Result<Store, String> {
    if let Ok(bucket) = answer(context.get_key_value(name)).await {
        return Ok(bucket);
    }
    // A bucket is a stream of this shape (NATS ADR-8). The library asks for the account before it makes one, and
    // does not understand what servers before 2.10 answer to that.
    let config = Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: history,
        max_age,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Config::default()
    };
    let fail = |error| format!("bucket {name}: {error}");
    answer(context.get_or_create_stream(config)).await.map_err(fail)?;
    answer(context.get_key_value(name)).await.map_err(fail)
}
