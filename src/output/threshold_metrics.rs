//! Metrics of findings by direction, and of exposures by their patients.

use crate::exposure::{NetworkDirection, PATIENTS, ThresholdCounters};
use prometheus::{IntCounterVec, Opts, Registry};

/// Counters that follow [`ThresholdCounters`].
pub struct StepMetrics {
    directions: IntCounterVec,
    reached: IntCounterVec,
}

impl StepMetrics {
    /// Registers them, at zero.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| {
            let metric = IntCounterVec::new(Opts::new(name, help), &[label])?;
            r.register(Box::new(metric.clone()))?;
            Ok::<IntCounterVec, prometheus::Error>(metric)
        };
        let metrics = Self {
            directions: counters(
                "phitap_findings_by_direction_total",
                "Patients seen in a flow, by where its ends are, seen from the home networks.",
                "direction",
            )?,
            reached: counters(
                "phitap_exposures_reached_total",
                "Exposures that came to at least so many patients.",
                "patients",
            )?,
        };
        metrics.update(&ThresholdCounters::default());
        Ok(metrics)
    }

    /// Sets the counters since the start.
    pub fn update(&self, steps: &ThresholdCounters) {
        for (direction, n) in NetworkDirection::ALL.into_iter().zip(steps.directions) {
            let counter = self.directions.with_label_values(&[direction.as_str()]);
            counter.inc_by(n.saturating_sub(counter.get()));
        }
        for (patients, n) in PATIENTS.into_iter().zip(steps.reached) {
            let counter = self.reached.with_label_values(&[patients.to_string()]);
            counter.inc_by(n.saturating_sub(counter.get()));
        }
    }
}
