//! The open payloads of one flow.

use super::budget::{Budget, HEADERS};
use super::coding;
use super::reader::Nested;
use crate::content::{
    ContentCounters, ContentId, Direction, Ending, FieldSink, Reason, Scope, ServiceFacts, Want,
};
use crate::protocol::Hint;
use crate::rules::RuleSet;

/// Maximum nesting depth of payloads (HTTP > gzip > multipart > ZIP > DICOM is 5).
pub const MAX_DEPTH: usize = 8;

/// Payloads of one flow that may be open at the same time. HTTP has one each way, DICOM one for each
/// presentation context that is sending, HTTP/2 one for each stream.
pub const MAX_OPEN: usize = 256;

/// The ID of a payload for which there was no room.
pub(super) const NO_ROOM: ContentId = ContentId(u32::MAX);

/// The environment of the payloads of a flow, created for each packet.
pub struct Env<'a> {
    /// The active rules.
    pub rules: &'a RuleSet,
    /// Takes the fields.
    pub sink: &'a mut dyn FieldSink,
    /// Facts of the service.
    pub facts: &'a mut ServiceFacts,
    /// What is counted.
    pub counters: &'a mut ContentCounters,
}

/// The open payloads of one flow. Slots are reused with their allocations.
#[derive(Default)]
pub struct Contents {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// How often a payload found no room since the last call that could count it.
    refused: u32,
    /// What reading them may still cost.
    budget: Budget,
}

/// Room for one open content.
struct Slot {
    direction: Direction,
    operation: String,
    layers: Vec<&'static str>,
    /// `None`: the slot is free.
    nested: Option<Nested>,
    /// It was counted as one that holds FHIR resources about people.
    fhir: bool,
}

impl Contents {
    /// Opens a payload.
    pub fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < MAX_OPEN => {
                self.slots.push(Slot {
                    direction: hint.direction,
                    operation: String::new(),
                    layers: Vec::with_capacity(MAX_DEPTH),
                    nested: None,
                    fhir: false,
                });
                (self.slots.len() - 1) as u32
            }
            None => {
                self.refused = self.refused.saturating_add(1);
                return NO_ROOM;
            }
        };
        let slot = &mut self.slots[index as usize];
        slot.direction = hint.direction;
        slot.fhir = false;
        slot.operation.clear();
        slot.operation.push_str(hint.operation);
        slot.layers.clear();
        slot.layers.extend(hint.layer.split('/').filter(|layer| !layer.is_empty()));
        slot.nested = Some(coding::undo(hint.codings, &hint.media));
        ContentId(index)
    }

    /// A segment with `bytes` of payload came over the wire.
    pub fn bring(&mut self, bytes: usize) {
        self.budget.bring(bytes as u64 + HEADERS);
    }

    /// Takes `work` for what a protocol unpacks out of the flow's budget; false, and counted, if there is not so much left.
    pub fn spend(&mut self, work: u64, counters: &mut ContentCounters) -> bool {
        if self.budget.is_plain() {
            // From now on the protocol delivers what it unpacks.
            self.budget.enter_unpacked();
        }
        self.pay(work, counters)
    }

    /// The same for what is not unpacked.
    pub fn pay(&mut self, work: u64, counters: &mut ContentCounters) -> bool {
        counters.work = counters.work.wrapping_add(work);
        let paid = self.budget.spend(work, &mut counters.reserve);
        if !paid {
            counters.unpaid_bytes = counters.unpaid_bytes.saturating_add(work);
            counters.give_up(Reason::Budget);
        }
        paid
    }

    /// The next bytes of a payload.
    pub fn data(&mut self, id: ContentId, bytes: &[u8], env: &mut Env<'_>) -> Want {
        self.with(id, env, |nested, scope| nested.data(bytes, scope)).unwrap_or(Want::NOTHING)
    }

    /// `len` bytes of a payload were lost.
    pub fn gap(&mut self, id: ContentId, len: u64, env: &mut Env<'_>) -> Want {
        self.with(id, env, |nested, scope| nested.gap(len, scope)).unwrap_or(Want::NOTHING)
    }

    /// The content has ended.
    pub fn close(&mut self, id: ContentId, ending: Ending, env: &mut Env<'_>) {
        self.with(id, env, |nested, scope| nested.end(ending, scope));
        if let Some(slot) = self.slots.get_mut(id.0 as usize)
            && slot.nested.take().is_some()
        {
            self.free.push(id.0);
        }
    }

    /// Every content that was open at some time: ending those again that have ended does nothing.
    pub fn all(&self) -> impl Iterator<Item = ContentId> + use<> {
        (0..self.slots.len() as u32).map(ContentId)
    }

    /// Whether nothing is open.
    pub fn is_idle(&self) -> bool {
        self.slots.len() == self.free.len()
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let slot = |s: &Slot| {
            s.operation.capacity()
                + s.layers.capacity() * size_of::<&str>()
                + s.nested.as_ref().map_or(0, Nested::memory)
        };
        self.slots.capacity() * size_of::<Slot>() + self.slots.iter().map(slot).sum::<usize>()
    }

    fn with<R>(
        &mut self,
        id: ContentId,
        env: &mut Env<'_>,
        act: impl FnOnce(&mut Nested, &mut Scope<'_>) -> R,
    ) -> Option<R> {
        for _ in 0..std::mem::take(&mut self.refused) {
            env.counters.give_up(Reason::Limit);
        }
        let slot = self.slots.get_mut(id.0 as usize)?;
        let nested = slot.nested.as_mut()?;
        env.counters.budget = self.budget;
        let mut scope = Scope {
            id,
            direction: slot.direction,
            operation: &mut slot.operation,
            layers: &mut slot.layers,
            rules: env.rules,
            sink: env.sink,
            facts: env.facts,
            counters: env.counters,
        };
        let result = act(nested, &mut scope);
        self.budget = env.counters.budget;
        if std::mem::take(&mut env.counters.fhir) && !std::mem::replace(&mut slot.fhir, true) {
            env.counters.record(match slot.direction {
                Direction::ClientToServer => "fhir_request",
                Direction::ServerToClient => "fhir_response",
            });
        }
        Some(result)
    }
}
