//! Metrics of TLS services: remaining validity of their certificates, and use of deprecated versions.

use crate::exposure::Certificates;
use prometheus::{IntGaugeVec, Opts, Registry};

/// Values of `service`, in the order in which [`CertificateMetrics::update`] takes them.
pub const SERVICES: [&str; 2] = ["medical", "other"];
/// Values of `state`.
pub const STATES: [&str; 3] = ["valid", "expiring", "expired"];

/// Gauges that follow [`Certificates`].
pub struct CertificateMetrics {
    certificates: IntGaugeVec,
    self_signed: IntGaugeVec,
    deprecated: IntGaugeVec,
}

impl CertificateMetrics {
    /// Registers them, at zero.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            r.register(Box::new(metric.clone()))?;
            Ok::<IntGaugeVec, prometheus::Error>(metric)
        };
        let metrics = Self {
            certificates: gauges(
                "phitap_certificates",
                "Services by how long the certificate that they showed holds; expiring: 30 days or less.",
                &["service", "state"],
            )?,
            self_signed: gauges(
                "phitap_certificates_self_signed",
                "Services that showed a certificate that nobody vouches for.",
                &["service"],
            )?,
            deprecated: gauges(
                "phitap_tls_deprecated_services",
                "Services that spoke a version of TLS before 1.2 (RFC 8996).",
                &["service"],
            )?,
        };
        metrics.update(&Default::default());
        Ok(metrics)
    }

    /// Sets the gauges, of medical services and of others.
    pub fn update(&self, all: &[Certificates; 2]) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for (service, of) in SERVICES.into_iter().zip(all) {
            for (state, n) in STATES.into_iter().zip([of.valid, of.expiring, of.expired]) {
                self.certificates.with_label_values(&[service, state]).set(number(n));
            }
            self.self_signed.with_label_values(&[service]).set(number(of.self_signed));
            self.deprecated.with_label_values(&[service]).set(number(of.deprecated));
        }
    }
}
