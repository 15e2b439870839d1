//! What producer and consumer of Apache Kafka share: who phitap is there, and what the errors of the library mean.
//!
//! The library is librdkafka, built without TLS, as phitap links no OpenSSL.

use super::Credentials;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest reason of the library that is passed on, characters.
const MAX_REASON: usize = 200;
/// A connection that lasts no longer was refused, milliseconds.
const SHORT: u64 = 2_000;

/// The configuration of a client of `brokers` (`HOST:PORT`, commas between). None if the credentials are no user and
/// password: Kafka knows no others without TLS.
pub fn kafka_client(brokers: &str, credentials: Option<Credentials>) -> Option<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set_log_level(RDKafkaLogLevel::Emerg);
    match credentials {
        None => {}
        Some(Credentials::Password { user, password }) => {
            config
                .set("security.protocol", "sasl_plaintext")
                .set("sasl.mechanisms", "PLAIN")
                .set("sasl.username", user)
                .set("sasl.password", password.as_str());
        }
        Some(_) => return None,
    }
    Some(config)
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
            "the broker does not take a user and a password (SASL PLAIN)"
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
    // A broker answers the first request of any client, which asks for its versions.
    let first = closed && (has("in state APIVERSION_QUERY") || has("SSL listener"));
    if first || has("Invalid frame size") || has("Invalid response size") {
        let text = "what answers there speaks TLS or is no Kafka broker; the Kafka client of phitap has no TLS";
        return text.to_owned();
    }
    if closed {
        // One that asks for credentials closes the connection at the second request.
        let asks = has("in state UP") && lasted(reason).is_some_and(|millis| millis < SHORT);
        let hint = if asks { "; does it ask for credentials?" } else { "" };
        return format!("the broker closed the connection{hint}");
    }
    if code == RDKafkaErrorCode::BrokerTransportFailure {
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
        assert!(say(transport, closed).contains("has no TLS"));
        let log = |line: &str| {
            reports.log(RDKafkaLogLevel::Info, "FAIL", line);
            reports.fault().expect("a fault")
        };
        let first = "k1:9092/1: Disconnected (after 1ms in state APIVERSION_QUERY)";
        assert!(log(first).contains("has no TLS"));
        let second = "k1:9092/1: Disconnected (after 3ms in state UP)";
        assert!(log(second).contains("credentials?"));
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
