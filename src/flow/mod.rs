//! Conversations: flow table, TCP reassembly, time-outs on packet time.

mod conversation;
mod half;
mod info;
mod side;
mod table;
#[cfg(test)]
mod tests;

pub use crate::decode::{Endpoint, FlowKey, Side, Transport};
pub use conversation::{Conversation, ConversationCounters, StreamSink, TcpSegment};
pub use info::FlowInfo;
pub use side::{Direction, End, Orientation};
pub use table::{Arrival, FlowHead, Handler, Table, TableCounters, TableLimits};
