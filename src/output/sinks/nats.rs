//! `nats:`: events published to a stream of NATS JetStream, which acknowledges each.
//!
//! `Nats-Msg-Id` is the id of the record, so that a stream stores duplicates within its window of de-duplication
//! once.

use super::{Fate, Outcome, Sink, SinkError};
use crate::broker::{Access, Settings, request_failed};
use crate::destination::Remote;
use crate::output::spool::Record;
use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{Context, context::PublishAckFuture};
use std::error::Error as _;
use std::future::IntoFuture as _;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Time limit for all acknowledgements of a batch.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// The message if they do not come.
const UNACKNOWLEDGED: &str = "the broker did not acknowledge in time";

/// The sink of a subject.
pub(super) struct Nats {
    runtime: Runtime,
    access: Access,
    context: Option<Context>,
    subject: String,
}

impl Nats {
    /// For a subject on these servers.
    ///
    /// # Errors
    /// If settings or files are wrong.
    pub fn new(
        servers: &[String],
        subject: &str,
        sensor: Option<&str>,
        remote: &Remote,
    ) -> Result<Self, SinkError> {
        let access = Access::open(&Settings {
            servers: servers.to_vec(),
            credentials: remote.credentials.clone(),
            tls: remote.tls.clone(),
            name: sensor.map_or_else(|| "phitap".to_owned(), |sensor| format!("phitap {sensor}")),
        })?;
        Ok(Self { runtime: super::runtime()?, access, context: None, subject: subject.to_owned() })
    }
}

impl Sink for Nats {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        let Self { runtime, access, context, subject } = self;
        let mut outcome = runtime.block_on(async {
            let context = match context {
                Some(context) => context,
                None => match access.connect().await {
                    Ok(client) => context.insert(async_nats::jetstream::new(client)),
                    Err(error) => {
                        let fault = error.to_string();
                        let servers = format!("{}: ", access.servers());
                        let fault = fault.strip_prefix(&servers).unwrap_or(&fault);
                        return Outcome::broke_off(0, records.len(), fault);
                    }
                },
            };
            let published = publish(context, subject, records);
            tokio::time::timeout(ACKNOWLEDGED_WITHIN, published)
                .await
                .unwrap_or_else(|_| Outcome::broke_off(0, records.len(), UNACKNOWLEDGED))
        });
        if outcome.fault.as_deref() == Some(UNACKNOWLEDGED) {
            // A new connection reports its error, if there is one.
            self.context = None;
        }
        outcome.fault = outcome.fault.map(|fault| format!("{}: {fault}", self.access.servers()));
        outcome
    }

    fn idle(&mut self) {
        // Answers the server's pings, and reads its messages meanwhile.
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
    }
}

async fn publish(context: &Context, subject: &str, records: &[Record]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut sent: Vec<Result<PublishAckFuture, PublishError>> = Vec::with_capacity(records.len());
    for record in records {
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, record.id.as_str());
        let payload = record.line.clone().into();
        sent.push(context.publish_with_headers(subject.to_owned(), headers, payload).await);
        if matches!(sent.last(), Some(Err(error)) if error.kind() == PublishErrorKind::TimedOut) {
            break;
        }
    }
    for acknowledgement in sent {
        let result = match acknowledgement {
            Ok(acknowledgement) => acknowledgement.into_future().await.map(drop),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => outcome.fates.push(Fate::Taken),
            Err(error) => {
                let refused = error.kind() == PublishErrorKind::MaxPayloadExceeded;
                outcome.fates.push(if refused { Fate::Refused } else { Fate::Again });
                outcome.fault = Some(explain(&error, subject));
            }
        }
    }
    outcome.fates.resize(records.len(), Fate::Again);
    outcome
}

/// Why a message was not stored, and the remedy.
fn explain(error: &PublishError, subject: &str) -> String {
    let source = || error.source().map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        PublishErrorKind::StreamNotFound => format!(
            "no stream of JetStream takes {subject}; make one, such as: nats stream add --subjects {subject}"
        ),
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => UNACKNOWLEDGED.to_owned(),
        PublishErrorKind::MaxPayloadExceeded => {
            "an event is longer than the broker takes (max_payload)".to_owned()
        }
        // A stream that is full says so.
        kind => format!(
            "the broker did not store it: {}",
            request_failed(format!("{kind} {}", source()))
        ),
    }
}
