//! Shared by connections to other machines: credentials in files, and TLS.

mod credentials;
#[cfg(feature = "kafka")]
mod kafka;
mod tls;

#[cfg(test)]
mod tests;

pub use credentials::{Credentials, CredentialsError, SaslMechanism, locate};
#[cfg(feature = "kafka")]
pub use kafka::{KafkaReports, KafkaSetupError, explain_kafka, kafka_client};
pub use tls::{TlsError, TlsFiles, explain_tls};
