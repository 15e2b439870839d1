//! What a hub makes of messages, without a broker: for tests and fuzz targets.

use super::state::State;
use super::view::{Hub, Shown, api};
use crate::merge::Numbers;
use crate::time::Timestamp;
use serde_json::Value;

/// When messages are stored, and when what came of them is looked at, nanoseconds since 1970.
const STORED: Timestamp = Timestamp(1_772_360_102_000_000_000);
const ASKED: Timestamp = Timestamp(STORED.0 + 60_000_000_000);
/// A sensor that says nothing for so long is silent, nanoseconds.
const SILENT_AFTER: i64 = 180_000_000_000;

/// A hub that holds what it knows in memory.
#[derive(Default)]
pub struct TestHub(State);

impl TestHub {
    /// Takes a message, which may be anything.
    pub fn take(&mut self, message: &[u8]) {
        self.0.take(message, STORED);
    }

    /// What it shows on its page and as JSON, without what counts messages.
    pub fn shown(&self) -> (Vec<Value>, Value) {
        let numbers = Numbers::from(&self.0.summary);
        let hub = Hub { silent_after: SILENT_AFTER, ..Hub::default() };
        let mut answer = api(&self.0, &numbers, &hub, ASKED);
        if let Some(messages) = answer.get_mut("messages") {
            *messages = Value::Null;
        }
        let mut shown = Vec::new();
        Shown::default().changes(&self.0, &numbers, &mut |event| shown.push(event));
        (shown, answer)
    }
}
