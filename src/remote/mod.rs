//! What every connection to another machine needs: credentials that lie in files, and TLS.

mod credentials;
#[cfg(feature = "kafka")]
mod kafka;
mod tls;

#[cfg(test)]
mod tests;

pub use credentials::{Credentials, CredentialsError, locate};
#[cfg(feature = "kafka")]
pub use kafka::{KafkaReports, explain_kafka, kafka_client};
pub use tls::{TlsError, TlsFiles, explain_tls};
