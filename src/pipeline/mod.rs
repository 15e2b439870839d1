//! Wiring only: threads, batches, sharding, shutdown. The one module that knows all stages, and the
//! only one below the command line that knows a clock.
//!
//! ```text
//! source -> decode -> shard -+-> worker 0 -+-> collector -> exposures -> outputs
//!          (reader thread)   +-> worker 1 -+   (its thread)
//! ```
//!
//! With one worker there are no threads and no channels: the reader runs it for each batch. With
//! more, batches travel over bounded channels; replay waits where one is full. A live capture on Linux
//! has no reader: each worker reads a ring of its own (`lanes`). Events do not depend on how many workers
//! there are.

mod analysis;
mod arrivals;
mod clock;
mod collector;
mod content_sink;
mod counters;
mod hosts;
mod interfaces;
mod kind_counters;
#[cfg(target_os = "linux")]
mod lanes;
mod live;
mod log;
mod notify;
mod outputs;
mod recent;
mod reload;
mod replayed;
mod report;
mod route;
mod run;
mod serve;
mod setup;
mod shard;
mod shedding;
mod state;
mod stop;
mod supervisor;
pub mod test_harness;
mod waiting;
mod work;
mod worker;

pub use crate::output::clock::{stopwatch, wall_clock};
/// The state of one flow without packets, for benches and fuzz targets.
pub use crate::pipeline::content_sink::{ActiveRules, FlowSink, Shared, StageCounters};
pub use interfaces::interfaces_table;
pub use log::{complain, escaped, inform, set_log_format};
pub use run::{Companion, Outcome, RunError, run, run_with};
pub use setup::{credential, terminal_width};
