//! Metrics of findings by direction, and of exposures by their severity and their patients.

use crate::exposure::{NetworkDirection, PATIENTS, ThresholdCounters};
use crate::severity::Severity;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// Metrics that follow [`ThresholdCounters`].
pub struct StepMetrics {
    directions: IntCounterVec,
    reached: IntCounterVec,
    exposures: IntGaugeVec,
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
        let help = "Exposures of the run so far, idle and ended ones included.";
        let exposures = IntGaugeVec::new(Opts::new("phitap_exposures", help), &["severity"])?;
        r.register(Box::new(exposures.clone()))?;
        let metrics = Self {
            exposures,
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

    /// Sets what was counted since the start.
    pub fn update(&self, steps: &ThresholdCounters) {
        for (direction, n) in NetworkDirection::ALL.into_iter().zip(steps.directions) {
            let counter = self.directions.with_label_values(&[direction.as_str()]);
            counter.inc_by(n.saturating_sub(counter.get()));
        }
        for (severity, n) in Severity::ALL.into_iter().zip(steps.exposures) {
            let gauge = self.exposures.with_label_values(&[severity.as_str()]);
            gauge.set(i64::try_from(n).unwrap_or(i64::MAX));
        }
        for (patients, n) in PATIENTS.into_iter().zip(steps.reached) {
            let counter = self.reached.with_label_values(&[patients.to_string()]);
            counter.inc_by(n.saturating_sub(counter.get()));
        }
    }
}
