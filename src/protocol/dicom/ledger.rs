//! What the commands of an association show of the service and its activity.

use super::dimse::Command;
use super::status;
use crate::protocol::{Activity, ContentSink, Object, ServiceFacts};
use smallvec::SmallVec;

/// C-MOVE and C-GET operations in progress whose sub-operations are counted separately.
const MAX_RETRIEVALS: usize = 16;

/// Outcomes of sub-operations in the order of (0000,1020) to (0000,1023).
const SUBOPERATIONS: [&str; 4] = ["remaining", "completed", "failed", "warning"];

/// Operations whose responses report progress.
#[derive(Default)]
pub(super) struct Ledger {
    retrievals: SmallVec<[Retrieval; 1]>,
}

/// A C-MOVE or C-GET in progress.
struct Retrieval {
    /// Message ID of the request.
    id: u16,
    suboperations: [u16; 4],
}

impl Ledger {
    /// Notes a command in a context of SOP class `class`.
    pub fn command(&mut self, command: &Command, class: &str, sink: &mut dyn ContentSink) {
        sink.unit("dimse");
        let operation = command.operation();
        let facts = sink.facts().dicom();
        ServiceFacts::add(&mut facts.dimse, operation);
        ServiceFacts::add(&mut facts.sop_classes, command.sop_class.as_deref().unwrap_or(class));
        if command.is_response() {
            self.response(command, sink);
            return;
        }
        sink.activity().count(operation, "request");
        match operation {
            "C-STORE" => store(command, sink),
            "C-MOVE" => {
                let facts = sink.facts().dicom();
                let destination = command.destination.as_deref().unwrap_or("");
                ServiceFacts::add(&mut facts.association().move_destinations, destination);
                let originator = facts.calling_aet.clone().unwrap_or_default();
                sink.activity().moved(false, &originator, destination);
            }
            _ => {}
        }
    }

    /// The association or its direction has ended: operations in progress will not be answered.
    pub fn end(&mut self, sink: &mut dyn ContentSink) {
        for retrieval in self.retrievals.drain(..) {
            count(&retrieval.suboperations, sink.activity());
        }
    }

    fn response(&mut self, command: &Command, sink: &mut dyn ContentSink) {
        let Some(code) = command.status else { return };
        let class = status::class(code);
        let operation = command.operation();
        sink.activity().count(operation, class);
        if let Some(reason) = status::reason(code) {
            sink.activity().count("status", reason);
        }
        if operation == "C-FIND" && class == "pending" && command.has_data_set {
            sink.unit("match");
        }
        if matches!(operation, "C-MOVE" | "C-GET") {
            self.suboperations(command, class == "pending", sink);
        }
    }

    /// Each pending response reports progress, the last one the result (PS3.7 9.1.4.1.8); the last one may
    /// omit earlier numbers.
    fn suboperations(&mut self, command: &Command, pending: bool, sink: &mut dyn ContentSink) {
        let id = command.responds_to.unwrap_or(0);
        let at = self.retrievals.iter().position(|r| r.id == id);
        let mut reported = at
            .map(|at| self.retrievals.remove(at))
            .unwrap_or(Retrieval { id, suboperations: [0; 4] });
        for (slot, now) in reported.suboperations.iter_mut().zip(command.suboperations) {
            *slot = now.unwrap_or(*slot);
        }
        if pending {
            if self.retrievals.len() < MAX_RETRIEVALS {
                self.retrievals.push(reported);
            }
            return;
        }
        // Only the response that ends a cancelled operation reports remaining ones (PS3.7 9.1.4.1.7).
        if command.suboperations[0].is_none() {
            reported.suboperations[0] = 0;
        }
        count(&reported.suboperations, sink.activity());
    }

    /// Bytes of heap held.
    pub fn memory(&self) -> usize {
        if self.retrievals.spilled() {
            self.retrievals.capacity() * size_of::<Retrieval>()
        } else {
            0
        }
    }
}

fn count(suboperations: &[u16; 4], activity: &mut Activity) {
    for (outcome, &n) in SUBOPERATIONS.iter().zip(suboperations) {
        activity.add("sub-operation", outcome, u64::from(n));
    }
}

/// An instance is transferred; on behalf of a third party, the command names the requester.
fn store(command: &Command, sink: &mut dyn ContentSink) {
    sink.unit("instance");
    if let Some(uid) = &command.sop_instance {
        sink.object(Object::Instance, uid);
    }
    if let Some(originator) = &command.originator {
        let facts = sink.facts().dicom();
        ServiceFacts::add(&mut facts.association().move_originators, originator);
        let destination = facts.called_aet.clone().unwrap_or_default();
        // Some archives put their own title there (pynetdicom).
        let itself = facts.calling_aet.as_ref() == Some(originator);
        sink.activity().moved(true, if itself { "" } else { originator }, &destination);
    }
}
