//! Loads in advance what the next findings will need.

use super::open::Pair;
use super::tracker::Exposures;
use super::types::FindingEvent;
use crate::config::Detail;

impl Exposures {
    /// Loads what [`Self::finding`] will need of the next findings. Their tables do not fit in a cache, and so their
    /// memory accesses overlap instead of following one another. Changes nothing.
    pub fn warm<'a>(&self, mut next: impl Iterator<Item = &'a FindingEvent> + Clone) {
        next.clone().for_each(|event| {
            let finding = &event.finding;
            self.people.warm(finding.patient, &finding.traits);
            // Most people keep the pseudonym of their first flow.
            self.patients.warm(finding.patient);
        });
        // The next findings are mostly of one flow.
        let Some(first) = next.next() else { return };
        let pair = Pair::of(&first.flow, first.protocol);
        let same = |event: &&FindingEvent| event.flow == first.flow;
        let patients = || std::iter::once(first).chain(next.clone().take_while(same));
        let patients = || patients().map(|event| event.finding.patient);
        if let Some(open) = self.open.get(&pair) {
            patients().for_each(|patient| open.patients.warm(patient));
        }
        if self.settings.detail == Detail::Patients {
            self.announced.warm(&pair, patients());
        }
    }
}
