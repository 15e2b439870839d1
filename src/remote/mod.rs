//! What every connection to another machine needs: credentials that lie in files, and TLS.

mod credentials;
mod tls;

#[cfg(test)]
mod tests;

pub use credentials::{Credentials, CredentialsError, locate};
pub use tls::{TlsError, TlsFiles, explain_tls};
