//! Conversations: flow table, TCP reassembly, time-outs on packet time.

mod conversation;
mod copies;
mod counters;
mod doubt;
mod ends;
#[cfg(test)]
mod evasion;
mod half_stream;
mod info;
#[cfg(test)]
mod losses;
mod orientation;
mod passing;
mod port_reuse;
mod side;
mod slab;
mod table;
#[cfg(test)]
mod tests;

pub use crate::decode::{Endpoint, FlowKey, Side, Transport};
pub use conversation::{Conversation, StreamSink, TcpSegment};
pub use counters::{ConversationCounters, IgnoredSegments};
pub use info::{Announcer, FlowInfo};
pub use side::{Direction, End, Orientation};
pub use table::{Arrival, FlowHead, Handler, Table, TableCounters, TableLimits};
