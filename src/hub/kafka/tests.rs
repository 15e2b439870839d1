//! The hub's reader at a mock cluster of librdkafka.

use super::*;
use crate::hub::tests::exposure;
use crate::remote::SaslMechanism;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};

const TOPIC: &str = "phitap-events";

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = stopwatch();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
    }
}

fn cluster(partitions: i32) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, partitions, 1).expect("topic");
    cluster
}

fn publish(servers: &str, messages: impl IntoIterator<Item = Vec<u8>>) {
    let mut config = ClientConfig::new();
    let producer: BaseProducer =
        config.set("bootstrap.servers", servers).create().expect("producer");
    for (n, message) in messages.into_iter().enumerate() {
        let key = n.to_string();
        producer.send(BaseRecord::to(TOPIC).key(&key).payload(&message)).expect("sent");
    }
    producer.flush(Duration::from_secs(60)).expect("stored");
}

fn events(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Vec<u8>> {
    numbers.map(|n| {
        let sensor = if n % 2 == 0 { "a" } else { "b" };
        exposure(sensor, (n % 20) as u8, n as i64, n, "update").into_bytes()
    })
}

fn access(brokers: &str, topic: &str) -> Access {
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    let settings =
        KafkaSettings { brokers, topic, credentials: None, sasl: SaslMechanism::Plain, tls: None };
    Access::open(&settings, "one").map_err(|e| e.to_string()).expect("settings")
}

fn opened(access: &Access, group: &str, again: bool) -> Result<Topic, String> {
    Topic::open(access, group, again).map_err(|e| e.to_string()).expect("no lasting fault")
}

/// Takes until so many messages were taken, and no more are left.
fn read(topic: &mut Topic, messages: u64) -> State {
    let mut state = State::default();
    let all = |state: &State| {
        let counters = state.counters;
        counters.taken + counters.garbage + counters.foreign
    };
    until("messages", || {
        topic.take(&mut state).expect("taken");
        all(&state) >= messages && topic.pending() == 0
    });
    assert_eq!(all(&state), messages, "no more than there are");
    state
}

#[test]
fn a_topic_is_read_once_and_again_where_it_was_not_acknowledged() {
    let cluster = cluster(3);
    let brokers = cluster.bootstrap_servers();
    publish(&brokers, events(0..300));
    let access = access(&brokers, TOPIC);
    let open = |again| opened(&access, "hub-one", again).expect("opened");
    // Killed before it was on the disk.
    assert_eq!(read(&mut open(false), 300).exposures.len(), 20);
    let mut topic = open(false);
    assert_eq!(topic.pending(), 300);
    assert_eq!(read(&mut topic, 300).exposures.len(), 20);
    topic.acknowledge();
    topic.close();
    publish(&brokers, events(300..301));
    read(&mut open(false), 1);
    read(&mut open(true), 301);
    // Another hub has acknowledged nothing yet.
    read(&mut opened(&access, "hub-two", false).expect("opened"), 301);
}

#[test]
fn messages_that_are_deleted_before_they_are_read_are_counted() {
    let cluster = cluster(1);
    let brokers = cluster.bootstrap_servers();
    publish(&brokers, events(0..10));
    let access = access(&brokers, TOPIC);
    let mut topic = opened(&access, "hub-one", false).expect("opened");
    read(&mut topic, 10);
    topic.acknowledge();
    topic.close();
    // More than the cluster keeps, 5 MiB.
    publish(&brokers, (0..12).map(|_| vec![b' '; 900_000]));
    let mut topic = opened(&access, "hub-one", false).expect("opened");
    let missed = topic.missed();
    assert!((1..12).contains(&missed), "{missed}");
    assert_eq!(read(&mut topic, 12 - missed).counters.garbage, 12 - missed);
    assert_eq!(topic.missed(), 0);
}

#[test]
fn garbage_is_counted_and_passed_and_nothing_of_what_is_too_large_is_read() {
    let cluster = cluster(1);
    let brokers = cluster.bootstrap_servers();
    let most = vec![b' '; MAX_MESSAGE + 1];
    assert!(event(Some(&most)).is_empty() && event(None).is_empty());
    assert_eq!(event(Some(&most[1..])).len(), MAX_MESSAGE);
    // As long as the cluster takes it.
    let large = vec![b' '; 900_000];
    let bad = [b"garbage".to_vec(), Vec::new(), large, b"{}".to_vec()];
    publish(&brokers, bad.into_iter().chain(events(0..3)));
    let access = access(&brokers, TOPIC);
    let state = read(&mut opened(&access, "hub-one", false).expect("opened"), 7);
    let counters = state.counters;
    assert_eq!((counters.taken, counters.garbage, counters.foreign), (3, 3, 1));
}

#[test]
fn a_topic_that_is_missing_is_named() {
    let cluster = cluster(1);
    let brokers = cluster.bootstrap_servers();
    let unknown = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.topic_error("elsewhere", unknown).expect("set");
    let found = opened(&access(&brokers, "elsewhere"), "hub-one", false);
    let found = found.map(|_| ()).expect_err("no topic");
    assert!(found.contains("there is no topic elsewhere"), "{found}");
}

#[test]
fn of_two_hubs_one_is_active_and_then_the_other() {
    let cluster = cluster(2);
    let brokers = cluster.bootstrap_servers();
    let access = access(&brokers, TOPIC);
    let open = |group| opened(&access, group, false).expect("opened");
    let (mut one, mut two) = (open("hub-one"), open("hub-two"));
    let mut active = (false, false);
    until("one is active", || {
        active = (one.renew(), two.renew());
        active.0 != active.1
    });
    let (gone, mut left) = if active.0 { (one, two) } else { (two, one) };
    gone.close();
    until("the other takes over", || left.renew());
}

#[test]
fn a_topic_that_a_hub_may_no_longer_read_is_a_fault_and_what_passes_is_said() {
    use rdkafka::types::RDKafkaRespErr as Code;
    let cluster = cluster(1);
    let brokers = cluster.bootstrap_servers();
    let mut topic = opened(&access(&brokers, TOPIC), "hub-one", false).expect("opened");
    cluster.topic_error(TOPIC, Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE).expect("set");
    until("it has no leader", || {
        topic.renew();
        !topic.is_connected()
    });
    let expected = explain_kafka(RDKafkaErrorCode::LeaderNotAvailable);
    assert_eq!(topic.away(), format!("{brokers}: {expected}"));
    cluster.topic_error(TOPIC, Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).expect("set");
    until("it is refused", || {
        topic.renew();
        topic.fault.is_some()
    });
    let fault = topic.take(&mut State::default()).expect_err("refused");
    assert!(fault.ends_with("the broker does not allow access to the topic"), "{fault}");
}

#[test]
fn a_partition_without_anything_new_counts_as_read_from_the_start_and_after_the_broker_was_away() {
    let cluster = cluster(2);
    let brokers = cluster.bootstrap_servers();
    let mut topic = opened(&access(&brokers, TOPIC), "hub-one", false).expect("opened");
    assert_eq!(topic.read, BTreeSet::from([0, 1]));
    cluster.broker_down(1).expect("down");
    until("it notices", || {
        topic.renew();
        !topic.is_connected()
    });
    assert!(topic.read.is_empty(), "what comes next may have waited");
    cluster.broker_up(1).expect("up");
    until("it is back", || {
        topic.renew();
        topic.is_connected() && topic.read == BTreeSet::from([0, 1])
    });
}
