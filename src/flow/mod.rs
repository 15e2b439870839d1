//! Conversations: flow table, TCP reassembly, time-outs on packet time.

mod info;
mod side;

pub use info::{FlowInfo, Transport};
pub use side::{Direction, End, Side};
