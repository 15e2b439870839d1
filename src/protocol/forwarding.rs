//! Sinks that wrap another one, for protocols that carry others.

use super::expected::ExpectedFlow;
use super::{Activity, ContentId, ContentSink, Ending, Hint, Object, Reason, ServiceFacts, Want};
use crate::time::Timestamp;
use std::net::IpAddr;

/// A [`ContentSink`] that wraps another one and forwards every call that the implementation does not override.
pub(super) trait ForwardingSink {
    /// The wrapped sink.
    fn inner(&mut self) -> &mut dyn ContentSink;
    /// The same, shared.
    fn inner_ref(&self) -> &dyn ContentSink;

    /// As [`ContentSink::open`].
    fn open_payload(&mut self, hint: &Hint<'_>) -> ContentId {
        self.inner().open(hint)
    }
    /// As [`ContentSink::data`].
    fn payload_data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        self.inner().data(id, bytes)
    }
    /// As [`ContentSink::gap`].
    fn payload_gap(&mut self, id: ContentId, len: u64) -> Want {
        self.inner().gap(id, len)
    }
    /// As [`ContentSink::close`].
    fn close_payload(&mut self, id: ContentId, ending: Ending) {
        self.inner().close(id, ending);
    }
    /// As [`ContentSink::expect`].
    fn expect_flow(&mut self, flow: ExpectedFlow) {
        self.inner().expect(flow);
    }
    /// Levels of nesting that it adds.
    fn added_depth(&self) -> usize {
        0
    }
}

impl<T: ForwardingSink> ContentSink for T {
    fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        self.open_payload(hint)
    }
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        self.payload_data(id, bytes)
    }
    fn gap(&mut self, id: ContentId, len: u64) -> Want {
        self.payload_gap(id, len)
    }
    fn close(&mut self, id: ContentId, ending: Ending) {
        self.close_payload(id, ending);
    }
    fn facts(&mut self) -> &mut ServiceFacts {
        self.inner().facts()
    }
    fn activity(&mut self) -> &mut Activity {
        self.inner().activity()
    }
    fn host_name(&mut self, host: IpAddr, name: &str) {
        self.inner().host_name(host, name);
    }
    fn object(&mut self, object: Object, uid: &str) {
        self.inner().object(object, uid);
    }
    fn unit(&mut self, kind: &'static str) {
        self.inner().unit(kind);
    }
    fn spend(&mut self, work: u64) -> bool {
        self.inner().spend(work)
    }
    fn reread(&mut self, work: u64) -> bool {
        self.inner().reread(work)
    }
    fn anomaly(&mut self, reason: Reason) {
        self.inner().anomaly(reason);
    }
    fn expect(&mut self, flow: ExpectedFlow) {
        self.expect_flow(flow);
    }
    fn now(&self) -> Timestamp {
        self.inner_ref().now()
    }
    fn depth(&self) -> usize {
        self.inner_ref().depth() + self.added_depth()
    }
}
