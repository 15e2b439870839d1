//! Key-value buckets of JetStream.

use super::answer;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use std::time::Duration;

/// Opens a bucket, or creates it. `history`: values kept per key; `max_age`: age at which a value
/// expires, never if zero.
///
/// # Errors
/// The broker's error.
pub async fn bucket(
    context: &Context,
    name: &str,
    history: i64,
    max_age: Duration,
) -> Result<Store, String> {
    if let Ok(bucket) = answer(context.get_key_value(name)).await {
        return Ok(bucket);
    }
    // A bucket is a stream of this form (NATS ADR-8). The library queries the account before it
    // creates one, and does not understand the answer of servers before 2.10.
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
