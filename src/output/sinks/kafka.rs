//! `kafka:`: events to a topic of Apache Kafka, by the idempotent producer of librdkafka.
//!
//! The key of a message is the id of its event, so that revisions stay in order within one partition; the header
//! `phitap-id` is the id of the record.

use super::{Fate, Outcome, Sink, SinkError, credentials};
use crate::destination::{Address, Remote, Service};
use crate::output::spool::Record;
use crate::remote::{KafkaReports, explain_kafka, kafka_client};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, Statistics};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time within which a message is acknowledged or given up, milliseconds.
const ACKNOWLEDGED_WITHIN: &str = "8000";
/// The same, and a little more, for a whole batch.
const FLUSHED_WITHIN: Duration = Duration::from_secs(10);
/// Pause in which the library's queue gets room, and how often that is tried.
const ROOM_EVERY: Duration = Duration::from_millis(50);
const ROOM_TRIES: usize = 100;

/// The result for each message of a batch, by its index.
type Results = Arc<Mutex<Vec<(usize, Option<RDKafkaErrorCode>)>>>;

/// Receives acknowledgements, and what is wrong with the connection.
struct Acknowledged(Results, KafkaReports);

impl ClientContext for Acknowledged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.1.log(level, facility, line);
    }
    fn stats(&self, _: Statistics) {}
    fn error(&self, error: KafkaError, reason: &str) {
        self.1.error(error, reason);
    }
}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let error = result
            .as_ref()
            .err()
            .map(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((place, error));
    }
}

/// The sink of a topic.
pub(super) struct Kafka {
    config: ClientConfig,
    brokers: String,
    topic: String,
    reports: KafkaReports,
    /// Created with the first event: it has threads, and none may be older than the sandbox.
    producer: Option<(BaseProducer<Acknowledged>, Results)>,
}

impl Kafka {
    /// For the topic that `remote` names.
    ///
    /// # Errors
    /// If credentials or files for TLS cannot be used, or the library has no TLS.
    pub fn new(remote: &Remote) -> Result<Self, SinkError> {
        let Service::Kafka { brokers, tls, topic, sasl } = &remote.service else {
            return Err(SinkError::Library("no Kafka broker".to_owned()));
        };
        let names: Vec<String> = brokers.iter().map(Address::to_string).collect();
        let brokers = names.join(",");
        let tls = tls.then_some(&remote.tls);
        let mut config = kafka_client(&brokers, tls, credentials(remote)?, *sasl)?;
        config
            .set("client.id", "phitap")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", ACKNOWLEDGED_WITHIN)
            .set("linger.ms", "5")
            .set_log_level(RDKafkaLogLevel::Info);
        let reports = KafkaReports::default();
        Ok(Self { config, brokers, topic: topic.clone(), reports, producer: None })
    }

    fn send(&mut self, records: &[Record]) -> Result<(), String> {
        if self.producer.is_none() {
            let results = Results::default();
            let context = Acknowledged(Arc::clone(&results), self.reports.clone());
            let producer = BaseProducer::from_config_and_context(&self.config, context);
            self.producer = Some((producer.map_err(|error| error.to_string())?, results));
        }
        let Some((producer, results)) = &self.producer else { return Ok(()) };
        results.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for (place, record) in records.iter().enumerate() {
            let id = Header { key: "phitap-id", value: Some(record.id.as_str()) };
            let mut message = BaseRecord::with_opaque_to(&self.topic, place)
                .key(record.event_id())
                .payload(record.line.as_slice())
                .headers(OwnedHeaders::new().insert(id));
            for attempt in 0..ROOM_TRIES {
                match producer.send(message) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                        if attempt + 1 < ROOM_TRIES =>
                    {
                        producer.poll(ROOM_EVERY);
                        message = back;
                    }
                    Err((error, _)) => {
                        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        results.push((place, Some(code)));
                        break;
                    }
                }
            }
        }
        producer.flush(FLUSHED_WITHIN).map_err(|error| error.to_string())
    }
}

impl Sink for Kafka {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        let sent = self.send(records);
        let mut outcome = Outcome::all(Fate::Again, records.len());
        if let Some((_, results)) = &self.producer {
            for (place, error) in results.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                let Some(fate) = outcome.fates.get_mut(place) else { continue };
                *fate = match error {
                    None => Fate::Taken,
                    Some(RDKafkaErrorCode::MessageSizeTooLarge) => Fate::Refused,
                    Some(_) => Fate::Again,
                };
                if let Some(error) = error {
                    // Why there is no connection says more than that time has passed.
                    let late = error == RDKafkaErrorCode::MessageTimedOut;
                    let why = self.reports.fault().filter(|_| late);
                    let why = why.unwrap_or_else(|| explain_kafka(error));
                    outcome.fault = Some(format!("{}: {why}", self.brokers));
                }
            }
        }
        if outcome.fault.is_none() {
            self.reports.clear();
        }
        if outcome.fates.contains(&Fate::Again) {
            let unsaid = || format!("{}: no acknowledgement in time", self.brokers);
            outcome.fault = outcome.fault.or(sent.err()).or_else(|| Some(unsaid()));
            // Unfinished messages must not be counted with the next batch.
            self.producer = None;
        }
        outcome
    }

    fn idle(&mut self) {
        if let Some((producer, _)) = &self.producer {
            producer.poll(Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::SaslMechanism;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::{Headers as _, Message as _};
    use rdkafka::mocking::MockCluster;

    fn remote(servers: &str) -> Remote {
        let brokers = servers.split(',').map(|server| {
            let (host, port) = server.rsplit_once(':').expect("HOST:PORT");
            Address { host: host.to_owned(), port: port.parse().expect("port") }
        });
        let service = Service::Kafka {
            brokers: brokers.collect(),
            tls: false,
            topic: "phitap".to_owned(),
            sasl: SaslMechanism::Plain,
        };
        Remote { service, credentials: None, tls: Default::default() }
    }

    #[test]
    fn what_is_acknowledged_is_in_the_topic_once_and_a_broker_that_is_down_takes_nothing() {
        let cluster = MockCluster::new(1).expect("mock cluster");
        cluster.create_topic("phitap", 1, 1).expect("topic");
        let servers = cluster.bootstrap_servers();
        let mut kafka = Kafka::new(&remote(&servers)).expect("sink");
        let record = |n: usize| Record::new(&format!("E{n}"), 3, 1, format!("{n}").into_bytes());
        let records: Vec<Record> = (0..200).map(record).collect();
        assert_eq!(kafka.deliver(&records[..150]).fates, vec![Fate::Taken; 150]);
        cluster.broker_down(1).expect("down");
        let outcome = kafka.deliver(&records[150..]);
        assert_eq!(outcome.fates, vec![Fate::Again; 50]);
        // No acknowledgement in time, or, on a slow machine, no answer to the flush.
        assert!(outcome.fault.is_some());
        cluster.broker_up(1).expect("up");
        let mut fates = kafka.deliver(&records[150..]).fates;
        if fates.contains(&Fate::Again) {
            fates = kafka.deliver(&records[150..]).fates;
        }
        assert_eq!(fates, vec![Fate::Taken; 50]);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &servers)
            .set("group.id", "test")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("consumer");
        consumer.subscribe(&["phitap"]).expect("subscribed");
        let mut texts = Vec::new();
        let since = crate::output::clock::stopwatch();
        while texts.len() < 200 {
            assert!(since.elapsed() < Duration::from_secs(60), "{} messages came", texts.len());
            // Nothing comes before the group is settled.
            let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
            let message = message.expect("read");
            let text =
                String::from_utf8(message.payload().expect("payload").to_vec()).expect("text");
            assert_eq!(message.key(), Some(format!("E{text}").as_bytes()));
            let id = message.headers().expect("headers").get(0);
            assert!(id.value.is_some_and(|id| id.starts_with(format!("E{text}-").as_bytes())));
            texts.push(text);
        }
        assert_eq!(texts, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}
