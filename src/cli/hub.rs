//! The arguments of `hub`.

use super::broker::NatsArgs;
use super::error::{ConfigError, usage};
use super::values::{Listen, Period};
use crate::config::MetricsAccess;
use crate::hub::{STREAM, SUBJECT, Settings};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Default of `--silent-after`.
const SILENT_AFTER: Duration = Duration::from_secs(180);

/// `phitap hub`.
///
/// Sensors publish with --output nats: and --summaries, and the hub reads their stream. A flow that
/// two sensors saw counts once. The hub acknowledges only what is in its store, so a kill, a
/// restart or a duplicate message changes no number. Of several hubs, each with its own store and
/// name, one is active and the others stand by.
#[derive(Args, Debug)]
pub struct HubArgs {
    /// The broker.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// The JetStream stream with the events of the sensors; created if none has its name or subject
    #[arg(long, value_name = "NAME", default_value = STREAM, help_heading = "Broker")]
    pub stream: String,
    /// The subject of a created stream
    #[arg(long, value_name = "SUBJECT", default_value = SUBJECT, help_heading = "Broker")]
    pub subject: String,
    /// Keep the results in this file (SQLite)
    #[arg(long, value_name = "FILE.db", required = true)]
    pub store: PathBuf,
    /// Name of this hub [default: name of the host]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Time without events after which a sensor counts as silent [default: 3min]
    #[arg(long, value_name = "TIME")]
    pub silent_after: Option<Period>,
    /// The public key of published rules, PEM: sensors with other rules are reported
    ///
    /// Without it, sensors whose rules differ from the most common ones are reported.
    #[arg(long, value_name = "FILE")]
    pub rules_key: Option<PathBuf>,
    /// Read the stream again from its beginning, for example after restoring an older copy of the
    /// store
    #[arg(long)]
    pub again: bool,
    /// Serve /metrics, /healthz, /readyz, the API and the web page at this address; a port alone
    /// means 127.0.0.1
    #[arg(long, visible_alias = "web", value_name = "ADDR")]
    pub metrics: Option<Listen>,
    /// Require the token in this file
    #[arg(long, value_name = "FILE")]
    pub metrics_token_file: Option<PathBuf>,
    /// Serve over TLS with this certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    pub metrics_cert: Option<PathBuf>,
    /// The private key of --metrics-cert, PEM
    #[arg(long, value_name = "FILE")]
    pub metrics_key: Option<PathBuf>,
    /// Write only errors to standard error
    #[arg(short, long)]
    pub quiet: bool,
}

impl TryFrom<HubArgs> for Settings {
    type Error = ConfigError;
    fn try_from(args: HubArgs) -> Result<Self, ConfigError> {
        let name = args.name.or_else(super::inputs::host_name).unwrap_or_else(|| "hub".to_owned());
        let listen = args.metrics.map(|listen| listen.0);
        if listen.is_some_and(|address| !address.ip().is_loopback())
            && args.metrics_token_file.is_none()
        {
            return Err(usage(
                "an address that other hosts can reach requires --metrics-token-file",
            ));
        }
        if args.metrics_cert.is_some() != args.metrics_key.is_some() {
            return Err(usage("--metrics-cert and --metrics-key go together"));
        }
        let silent_after = match args.silent_after {
            Some(period) => period.0,
            None => SILENT_AFTER,
        };
        Ok(Self {
            broker: args.nats.settings(format!("phitap hub {name}")),
            stream: args.stream,
            subject: args.subject,
            store: args.store,
            listen,
            access: MetricsAccess {
                token: args.metrics_token_file,
                certificate: args.metrics_cert,
                key: args.metrics_key,
            },
            name,
            silent_after,
            rules_key: args.rules_key,
            again: args.again,
            quiet: args.quiet,
        })
    }
}
