//! Observations of services and hosts. A service that proves to answer any client raises its earlier exposures.

use super::open::Pair;
use super::patient_observations::PatientObservation;
use super::tracker::{Exposures, Settings};
use super::types::{Event, ExposureState, ServiceObservation};
use crate::time::Timestamp;

impl Exposures {
    pub(in crate::exposure) fn see(
        &mut self,
        observation: &ServiceObservation<'_>,
        out: &mut Vec<Event>,
    ) {
        let Settings { key, access, .. } = &self.settings;
        self.services.see(key, observation, access, out);
        self.service_observations.see(key, observation, &self.names, out);
        for (server, transport, protocol) in self.services.take_proven() {
            let is = |pair: &Pair| {
                (pair.server, pair.transport.number(), pair.protocol)
                    == (server, transport, protocol)
            };
            let mut pairs: Vec<(u64, Pair)> =
                self.open.iter().filter(|(p, _)| is(p)).map(|(p, o)| (o.number, *p)).collect();
            pairs.sort_unstable_by_key(|(number, _)| *number);
            for (_, pair) in pairs {
                self.prove(pair, observation.time, out);
            }
        }
    }

    /// The service of an exposure proved to answer any client: its earlier findings were as severe, before that was
    /// known.
    fn prove(&mut self, pair: Pair, now: Timestamp, out: &mut Vec<Event>) {
        let Some(open) = self.open.get_mut(&pair) else { return };
        let before = open.band();
        let worse = open.prove(&self.settings.severity);
        self.observe_worst(pair);
        if !worse {
            return;
        }
        let Some(open) = self.open.get_mut(&pair) else { return };
        let state = if open.quiet { ExposureState::Idle } else { ExposureState::Update };
        let counts = if open.quiet { &mut self.idle } else { &mut self.active };
        counts[before] = counts[before].saturating_sub(1);
        counts[open.band()] += 1;
        let at = now.max(open.exposure.last);
        out.push(open.report(state, at, &self.moves, &self.services));
    }
    /// The first patient of an exposure again, for its score, which has risen without a finding.
    fn observe_worst(&mut self, pair: Pair) {
        let Some(open) = self.open.get(&pair) else { return };
        let (exposure, within, packets) =
            (open.exposure.id, open.first_seen(), open.exposure.packets);
        let worst = open.worst();
        let person = self.people.person(within.patient);
        self.seen.push(|| PatientObservation {
            exposure,
            person,
            records: 0,
            within,
            packets,
            worst,
            news: None,
        });
    }
}
