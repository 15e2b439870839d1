//! What producer and consumer of Apache Kafka share: who phitap is there, and what the errors of the library mean.
//!
//! The library is librdkafka. TLS and SCRAM need OpenSSL there, so they are in the feature `kafka-tls` only.

use super::{Credentials, SaslMechanism, TlsError, TlsFiles};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest reason of the library that is passed on, characters.
const MAX_REASON: usize = 200;
/// A connection that lasts no longer was refused, milliseconds.
const SHORT: u64 = 2_000;
/// Whether the library has TLS.
const HAS_TLS: bool = cfg!(feature = "kafka-tls");

/// Why no client of Kafka can be set up.
#[derive(Debug, thiserror::Error)]
pub enum KafkaSetupError {
    /// The credentials are something else.
    #[error("Kafka takes a user and a password: write them into two lines of the file")]
    Credentials,
    /// The files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The program was built without it.
    #[error("this phitap was built without {0} for Kafka: build it with --features kafka-tls")]
    Feature(&'static str),
}

/// The configuration of a client of `brokers` (`HOST:PORT`, commas between).
///
/// # Errors
/// If the credentials are no user and password, a file for TLS cannot be used, or the library has no TLS.
pub fn kafka_client(
    brokers: &str,
    tls: Option<&TlsFiles>,
    credentials: Option<Credentials>,
    sasl: SaslMechanism,
) -> Result<ClientConfig, KafkaSetupError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set_log_level(RDKafkaLogLevel::Emerg);
    if let Some(files) = tls {
        if !HAS_TLS {
            return Err(KafkaSetupError::Feature("TLS"));
        }
        // The files are read now: the sandbox does not let the library read them later.
        let pem = files.pem()?;
        config.set("security.protocol", "ssl").set("ssl.ca.pem", pem.trusted);
        if let Some((chain, key)) = &pem.own {
            config.set("ssl.certificate.pem", chain).set("ssl.key.pem", key.as_str());
        }
    }
    match credentials {
        None => {}
        Some(Credentials::Password { user, password }) => {
            if sasl != SaslMechanism::Plain && !HAS_TLS {
                return Err(KafkaSetupError::Feature("SCRAM"));
            }
            let protocol = if tls.is_some() { "sasl_ssl" } else { "sasl_plaintext" };
            config
                .set("security.protocol", protocol)
                .set("sasl.mechanisms", sasl.as_str().to_ascii_uppercase())
                .set("sasl.username", user)
                .set("sasl.password", password.as_str());
        }
        Some(_) => return Err(KafkaSetupError::Credentials),
    }
    Ok(config)
}

/// What an error means, in words.
pub fn explain_kafka(code: RDKafkaErrorCode) -> String {
    let words = match code {
        RDKafkaErrorCode::MessageTimedOut => "no acknowledgement in time",
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
            "there is no such topic"
        }
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            "the broker refused the credentials"
        }
        RDKafkaErrorCode::UnsupportedSASLMechanism => {
            "the broker does not take user and password in this way (SASL mechanism)"
        }
        RDKafkaErrorCode::TopicAuthorizationFailed => {
            "the broker does not allow access to the topic"
        }
        RDKafkaErrorCode::GroupAuthorizationFailed => {
            "the broker does not allow the use of the group"
        }
        RDKafkaErrorCode::Resolve => "the name of the broker is not known",
        RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::RequestTimedOut => {
            "no answer from a Kafka broker"
        }
        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
            "messages were deleted from the topic before they were read"
        }
        other => return other.to_string(),
    };
    words.to_owned()
}

/// What an error of a connection means. `reason` is the library's own, which says more than its code.
fn explain_connection(code: RDKafkaErrorCode, reason: &str) -> String {
    let has = |part: &str| reason.contains(part);
    let closed = has("Disconnected");
    if has("certificate verify failed") || has("certificate could not be verified") {
        let text = "its certificate is of an unknown CA, has expired, or is not for that name; give its CA";
        return text.to_owned();
    }
    if has("PLAINTEXT broker listener") || has("wrong version number") {
        return "the broker offers no TLS there".to_owned();
    }
    if has("alert certificate required") || has("alert bad certificate") {
        return "the broker asks for a certificate of phitap".to_owned();
    }
    // A broker answers the first request of any client, which asks for its versions.
    let first = closed && (has("in state APIVERSION_QUERY") || has("SSL listener"));
    if first || has("Invalid frame size") || has("Invalid response size") {
        let text = match HAS_TLS {
            true => {
                "what answers there speaks TLS or is no Kafka broker; for TLS write tls:// before the brokers"
            }
            false => {
                "what answers there speaks TLS or is no Kafka broker; this phitap was built without TLS for Kafka \
                 (--features kafka-tls)"
            }
        };
        return text.to_owned();
    }
    if closed {
        // One that asks for credentials closes the connection at the second request.
        let asks = has("in state UP") && lasted(reason).is_some_and(|millis| millis < SHORT);
        let hint = if asks { "; does it ask for credentials?" } else { "" };
        return format!("the broker closed the connection{hint}");
    }
    if matches!(code, RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::SSL) {
        // `HOST:PORT/bootstrap: Connect to ipv4#ADDRESS failed: Connection refused (after 0ms in state CONNECT)`.
        let reason = reason.split(" (after ").next().unwrap_or_default();
        let reason = reason.rsplit("failed: ").next().unwrap_or_default();
        return reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
    }
    explain_kafka(code)
}

/// How long a connection was in its state, milliseconds: `Disconnected (after 3ms in state UP)`.
fn lasted(reason: &str) -> Option<u64> {
    reason.rsplit("(after ").next()?.split("ms").next()?.parse().ok()
}

/// What the library says beside its calls: its last error, and how far the partitions of topics reach.
#[derive(Clone, Default)]
pub struct KafkaReports(Arc<Mutex<Reported>>);

#[derive(Default)]
struct Reported {
    error: Option<(RDKafkaErrorCode, String)>,
    ends: Vec<(i32, i64)>,
}

impl KafkaReports {
    fn with<T>(&self, of: impl FnOnce(&mut Reported) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why there is no connection, in words, if anything was said since the last [`Self::clear`].
    pub fn fault(&self) -> Option<String> {
        self.with(|of| of.error.as_ref().map(|(_, text)| text.clone()))
    }

    /// Whether the brokers refuse the credentials, so that trying again does not help.
    pub fn is_refused(&self) -> bool {
        let refusals = [
            RDKafkaErrorCode::Authentication,
            RDKafkaErrorCode::SaslAuthenticationFailed,
            RDKafkaErrorCode::UnsupportedSASLMechanism,
        ];
        self.with(|of| of.error.as_ref().is_some_and(|(code, _)| refusals.contains(code)))
    }

    /// There is a connection: what was wrong before is no longer.
    pub fn clear(&self) {
        self.with(|of| of.error = None);
    }

    /// Partitions with the offset behind their last message, as they were reported since the last call.
    pub fn ends(&self) -> Vec<(i32, i64)> {
        self.with(|of| std::mem::take(&mut of.ends))
    }
}

impl ClientContext for KafkaReports {
    // The library's own lines are not in our format. But why a connection was closed is said in them alone.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "FAIL" && !self.is_refused() {
            let code = RDKafkaErrorCode::BrokerTransportFailure;
            self.with(|of| of.error = Some((code, explain_connection(code, line))));
        }
    }

    fn stats(&self, statistics: Statistics) {
        // A client of phitap has one topic. A partition that was not asked about is negative, and so is its end.
        let partitions = statistics.topics.values().flat_map(|topic| &topic.partitions);
        let ends = partitions.map(|(partition, of)| (*partition, of.hi_offset));
        self.with(|reported| {
            reported.ends = ends.filter(|(p, end)| *p >= 0 && *end >= 0).collect()
        });
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        self.with(|of| {
            // That no broker is left says less than what became of the last one.
            if code != RDKafkaErrorCode::AllBrokersDown || of.error.is_none() {
                of.error = Some((code, explain_connection(code, reason)));
            }
        });
    }
}

impl ConsumerContext for KafkaReports {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_shows_user_and_password_as_configured() {
        use SaslMechanism::{Plain, ScramSha256, ScramSha512};
        let folder = tempfile::tempdir().expect("folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let password = || {
            let (user, password) = ("ward".to_owned(), "secret".to_owned());
            Some(Credentials::Password { user, password: password.into() })
        };
        let of = |config: &ClientConfig, key: &str| config.get(key).map(str::to_owned);
        let plain = kafka_client("k1:9092", None, None, Plain).expect("a client");
        assert_eq!(of(&plain, "security.protocol"), None);
        let plain = kafka_client("k1:9092", None, password(), Plain).expect("a client");
        assert_eq!(of(&plain, "security.protocol").as_deref(), Some("sasl_plaintext"));
        assert_eq!(of(&plain, "sasl.mechanisms").as_deref(), Some("PLAIN"));
        let token = Some(Credentials::Token("t".to_owned().into()));
        let refused = kafka_client("k1:9092", None, token, Plain).expect_err("no user");
        assert!(refused.to_string().contains("two lines"), "{refused}");

        let own = rcgen::generate_simple_self_signed(["k1".to_owned()]).expect("certificate");
        let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let ca = file("ca.pem", &format!("# comment\n{certificate}"));
        let (chain, key) = (file("chain.pem", &certificate), file("key.pem", &key));
        let files = TlsFiles { ca: Some(ca), certificate: Some((chain, key)) };
        for (sasl, name) in [(ScramSha256, "SCRAM-SHA-256"), (ScramSha512, "SCRAM-SHA-512")] {
            let client = kafka_client("k1:9093", Some(&files), password(), sasl);
            if !HAS_TLS {
                let refused = client.expect_err("no TLS").to_string();
                assert!(refused.contains("--features kafka-tls"), "{refused}");
                continue;
            }
            let client = client.expect("a client");
            assert_eq!(of(&client, "security.protocol").as_deref(), Some("sasl_ssl"));
            assert_eq!(of(&client, "sasl.mechanisms").as_deref(), Some(name));
            assert_eq!(of(&client, "sasl.username").as_deref(), Some("ward"));
            assert!(of(&client, "ssl.key.pem").is_some_and(|key| key.contains("PRIVATE KEY")));
            // The library takes all of it.
            let made: Result<rdkafka::producer::BaseProducer, _> = client.create();
            made.expect("the library takes it");
        }
        let garbage = TlsFiles { ca: Some(file("none.pem", "nothing")), certificate: None };
        assert!(kafka_client("k1:9093", Some(&garbage), None, Plain).is_err());
    }

    #[test]
    fn errors_of_connections_say_what_to_change() {
        let reports = KafkaReports::default();
        let say = |code, reason: &str| {
            reports.error(KafkaError::Global(code), reason);
            reports.fault().expect("a fault")
        };
        let refused = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        let transport = RDKafkaErrorCode::BrokerTransportFailure;
        assert_eq!(say(transport, refused), "Connection refused");
        // It says no more than is known.
        assert_eq!(
            say(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down"),
            "Connection refused"
        );
        let closed = "Disconnected: requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10";
        assert!(say(transport, closed).contains("speaks TLS or is no Kafka broker"));
        let log = |line: &str| {
            reports.log(RDKafkaLogLevel::Info, "FAIL", line);
            reports.fault().expect("a fault")
        };
        let first = "k1:9092/1: Disconnected (after 1ms in state APIVERSION_QUERY)";
        assert!(log(first).contains("speaks TLS or is no Kafka broker"));
        let second = "k1:9092/1: Disconnected (after 3ms in state UP)";
        assert!(log(second).contains("credentials?"));
        let certificate = "ssl://k1:9093/1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed";
        assert!(log(certificate).contains("give its CA"));
        let plain = "ssl://k1:9093/1: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?";
        assert_eq!(log(plain), "the broker offers no TLS there");
        let later = "k1:9092/1: Disconnected (after 36000ms in state UP)";
        assert_eq!(log(later), "the broker closed the connection");
        assert!(!reports.is_refused());
        let text = say(RDKafkaErrorCode::Authentication, "SASL authentication error: Invalid user");
        assert_eq!(text, "the broker refused the credentials");
        // The connection that is closed behind it is no news.
        reports.log(RDKafkaLogLevel::Info, "FAIL", "k1:9092/1: Disconnected");
        assert!(reports.is_refused());
        reports.clear();
        assert!(reports.fault().is_none() && !reports.is_refused());
    }
}
