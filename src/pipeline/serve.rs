//! Starts the server of `--metrics`.

use super::log::say;
use super::run::RunError;
use super::setup::Parts;
use crate::config::Config;
use crate::output::{Access, Server};
use std::sync::Arc;

/// Reads the token and the certificate before privileges are dropped, since other users may not
/// read them.
pub(super) fn access(config: &Config) -> Result<Option<Access>, RunError> {
    if config.metrics.is_none() {
        return Ok(None);
    }
    let files = &config.metrics_access;
    let certificate = files.certificate.as_deref().zip(files.key.as_deref());
    Ok(Some(Access::load(files.token.as_deref(), certificate)?))
}

/// Starts the server if `--metrics` was given, and logs its address.
pub(super) fn start(
    config: &Config,
    parts: &Parts,
    access: Option<Access>,
) -> Result<Option<Server>, RunError> {
    let (Some(address), Some(access)) = (config.metrics, access) else { return Ok(None) };
    let files = &config.metrics_access;
    let (tls, token) = (access.has_tls(), files.token.is_some());
    let server = Server::start(address, Arc::clone(&parts.dashboard), access)?;
    let scheme = if tls { "https" } else { "http" };
    say(config, &format!("serving metrics at {scheme}://{}/", server.address()));
    if token && !tls && !address.ip().is_loopback() {
        say(
            config,
            "the token of --metrics-token-file crosses the network in cleartext: give \
             --metrics-cert and --metrics-key",
        );
    }
    Ok(Some(server))
}
