//! Counters of what hosts exchanged: operations by outcome, and distinct objects.

use super::distinct::Distinct;
use super::types::{Count, PatientKey};
use crate::protocol::{Object, OutcomeCounts};

/// Counters of one exposure or service.
#[derive(Clone, Default)]
pub(in crate::exposure) struct ExposureCounters {
    counts: OutcomeCounts,
    objects: [Distinct; Object::ALL.len()],
}

/// The counters as an event shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExposureTotals {
    /// Operations by outcome.
    pub operations: OutcomeCounts,
    /// Distinct instances handed over.
    pub instances: Count,
    /// Distinct studies.
    pub studies: Count,
    /// Distinct instances in requests for storage commitment.
    pub commitments: Count,
}

impl ExposureTotals {
    /// Whether all counters are empty.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
            && [self.instances, self.studies, self.commitments].iter().all(|n| n.value == 0)
    }
}

impl ExposureCounters {
    /// Adds the activity of a flow. `room`: how many more objects may be held one by one.
    pub fn add(
        &mut self,
        counts: &OutcomeCounts,
        objects: &[(Object, PatientKey)],
        mut room: usize,
    ) {
        for (&key, &n) in counts {
            let count = self.counts.entry(key).or_default();
            *count = count.saturating_add(n);
        }
        for &(object, token) in objects {
            if let Some(set) = self.objects.get_mut(object as usize) {
                let held = set.held();
                set.insert(token, room > 0);
                // One more is held, or none of them any more as it becomes a sketch.
                room = (room + held).saturating_sub(set.held());
            }
        }
    }

    /// Objects held one by one.
    pub fn held(&self) -> usize {
        self.objects.iter().map(Distinct::held).sum()
    }

    /// The counters as events show them.
    pub fn figures(&self) -> ExposureTotals {
        let [instances, studies, commitments] = &self.objects;
        ExposureTotals {
            operations: self.counts.clone(),
            instances: instances.count(),
            studies: studies.count(),
            commitments: commitments.count(),
        }
    }
}
