//! Shared by connections to other machines: credentials in files, and TLS.

mod credentials;
mod tls;

#[cfg(test)]
mod tests;

pub use credentials::{Credentials, CredentialsError, locate};
pub use tls::{TlsError, TlsFiles, explain_tls};
