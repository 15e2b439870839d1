//! The arguments of `hub`.

use super::broker::NatsFiles;
use super::error::{ConfigError, usage};
use super::output::{KAFKA_TOPIC, broker_of_kafka, is_here, sasl_of_kafka, topic_of_kafka};
use super::values::{Listen, Period};
use crate::config::MetricsAccess;
use crate::destination::Address;
use crate::hub::{KafkaSettings, STREAM, SUBJECT, Settings, Source};
use crate::remote::{SaslMechanism, TlsFiles};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Before brokers of Kafka that are reached over TLS.
const TLS: &str = "tls://";

/// Default of `--silent-after`.
const SILENT_AFTER: Duration = Duration::from_secs(180);

/// The least of it.
const MIN_SILENT_AFTER: Duration = Duration::from_secs(5);

/// `phitap hub`.
///
/// Sensors publish with --output nats: or kafka: and --summaries, and the hub reads their stream. A flow that
/// two sensors saw counts once. The hub acknowledges only what is in its store, so a kill, a
/// restart or a duplicate message changes no number. Of several hubs, each with its own store and
/// name, one is active and the others stand by.
#[derive(Args, Debug)]
pub struct HubArgs {
    /// Servers of one NATS cluster, such as nats://broker:4222 or tls://broker:4222
    #[arg(
        long,
        value_name = "ADDR",
        value_delimiter = ',',
        required_unless_present = "kafka",
        help_heading = "Broker"
    )]
    pub nats: Vec<String>,
    /// What a NATS server asks for.
    #[command(flatten)]
    pub files: NatsFiles,
    /// Brokers of one Kafka cluster, such as k1:9092,k2:9092 or tls://k1:9093,k2:9093, instead of NATS
    ///
    /// Needs a build with --features kafka; for TLS and SCRAM one with --features kafka-tls. Rules and jobs are
    /// distributed over NATS only.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        conflicts_with_all = [
            "nats", "nats_credentials", "nats_ca", "nats_cert", "stream", "subject", "rules_key"
        ],
        help_heading = "Broker"
    )]
    pub kafka: Vec<String>,
    /// The Kafka topic with the events of the sensors, which must exist
    #[arg(
        long,
        value_name = "NAME",
        default_value = KAFKA_TOPIC,
        value_parser = topic_of_kafka,
        conflicts_with = "nats",
        help_heading = "Broker"
    )]
    pub topic: String,
    /// File with user and password in two lines, for Kafka brokers over TLS or on this machine
    #[arg(long, value_name = "FILE", requires = "kafka", help_heading = "Broker")]
    pub kafka_credentials: Option<PathBuf>,
    /// How user and password are shown: plain, scram-sha-256 or scram-sha-512
    #[arg(
        long,
        value_name = "NAME",
        default_value = "plain",
        value_parser = sasl_of_kafka,
        requires = "kafka_credentials",
        help_heading = "Broker"
    )]
    pub kafka_sasl: SaslMechanism,
    /// Trust this CA (PEM) instead of the platform's
    #[arg(long, value_name = "FILE", requires = "kafka", help_heading = "Broker")]
    pub kafka_ca: Option<PathBuf>,
    /// Present this certificate chain to the brokers, PEM
    #[arg(long, value_name = "FILE", requires = "kafka_key", help_heading = "Broker")]
    pub kafka_cert: Option<PathBuf>,
    /// The private key of --kafka-cert, PEM
    #[arg(long, value_name = "FILE", requires = "kafka_cert", help_heading = "Broker")]
    pub kafka_key: Option<PathBuf>,
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
    /// The public key of published rules, PEM: sensors with other rules are reported (NATS only)
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
        let source = match args.kafka.is_empty() {
            true => Source::Nats(args.files.settings(args.nats, format!("phitap hub {name}"))),
            false => {
                let certificate = args.kafka_cert.zip(args.kafka_key);
                let files = TlsFiles { ca: args.kafka_ca, certificate };
                let shown = (args.kafka_credentials, args.kafka_sasl);
                Source::Kafka(kafka(&args.kafka, args.topic, shown, files)?)
            }
        };
        let silent_after = match args.silent_after {
            Some(period) => period.0,
            None => SILENT_AFTER,
        };
        if silent_after < MIN_SILENT_AFTER {
            return Err(usage(format!(
                "--silent-after is {} s at least: sensors report once a minute (--status-every)",
                MIN_SILENT_AFTER.as_secs()
            )));
        }
        Ok(Self {
            source,
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

/// A topic of Kafka. Addresses are checked here, as clap would show one with a password in it.
fn kafka(
    brokers: &[String],
    topic: String,
    (credentials, sasl): (Option<PathBuf>, SaslMechanism),
    files: TlsFiles,
) -> Result<KafkaSettings, ConfigError> {
    let secure = |broker: &String| broker.starts_with(TLS);
    let tls = brokers.first().is_some_and(secure);
    if !tls && brokers.iter().any(secure) {
        return Err(usage(
            "--kafka: write tls:// before the first broker; it holds for all of them",
        ));
    }
    let brokers: Result<Vec<Address>, String> =
        brokers.iter().map(|broker| broker_of_kafka(broker.trim_start_matches(TLS))).collect();
    let brokers = brokers.map_err(|fault| usage(format!("--kafka: {fault}")))?;
    if files.is_given() && !tls {
        return Err(usage("--kafka-ca and --kafka-cert need TLS: write --kafka tls://HOST:PORT"));
    }
    if credentials.is_some() && !tls && !brokers.iter().all(is_here) {
        return Err(usage(
            "credentials would cross the network in cleartext: write --kafka tls://HOST:PORT, or use a proxy on this \
             machine that adds TLS",
        ));
    }
    let brokers: Vec<String> = brokers.iter().map(Address::to_string).collect();
    let tls = tls.then_some(files);
    Ok(KafkaSettings { brokers: brokers.join(","), topic, credentials, sasl, tls })
}
