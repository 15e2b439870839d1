//! A broker that is away during a run: every event reaches it. `PHITAP_AWAY` sets the seconds; `scripts/away.sh`
//! makes it ten minutes.

use super::common::nats::{Nats, left_out};
use super::common::{Key, PHITAP, hospital, split};
use super::to_nats::{block_on, context, messages, stream};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a condition; longer than the longest pause between attempts.
const PATIENCE: Duration = Duration::from_secs(180);

fn wait_for(what: &str, run: &mut Child, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        assert!(run.try_wait().expect("status").is_none(), "{what}: the run has ended");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be incomplete.
    text.split_inclusive('\n')
        .filter(|l| l.ends_with('\n'))
        .map(|l| l.trim_end().to_owned())
        .collect()
}

/// A broker that can be taken away.
trait Broker {
    /// As `--output` takes it.
    fn destination(&self) -> String;
    fn take_away(&mut self);
    fn bring_back(&mut self);
    /// All events that it has taken so far.
    fn stored(&self) -> Vec<String>;
}

impl Broker for Nats {
    fn destination(&self) -> String {
        format!("{},subject=phitap.events", self.url())
    }
    fn take_away(&mut self) {
        self.kill();
    }
    fn bring_back(&mut self) {
        self.restart();
    }
    fn stored(&self) -> Vec<String> {
        block_on(async {
            let mut stream = context(self).await.get_stream("phitap").await.expect("stream");
            messages(&mut stream).await.into_iter().map(|(_, text)| text).collect()
        })
    }
}

/// Starts a run, takes the broker away and brings it back while events come. Returns the events written and those
/// that the broker took.
fn taken_away(broker: &mut impl Broker) -> (Vec<String>, Vec<String>) {
    let away = std::env::var("PHITAP_AWAY").ok().and_then(|seconds| seconds.parse().ok());
    let away = Duration::from_secs(away.unwrap_or(3));
    let (key, folder) = (Key::new(), tempfile::tempdir().expect("folder"));
    let names = ["one.pcap", "two.pcap", "three.pcap", "four.pcap"];
    let parts = split::over_time(&hospital(), &names, folder.path());
    let parts: Vec<Vec<u8>> = parts.iter().map(|p| std::fs::read(p).expect("capture")).collect();
    let (capture, events) = (folder.path().join("all.pcap"), folder.path().join("events.json"));
    std::fs::write(&capture, &parts[0]).expect("written");
    // Without the header of each part.
    let grow = |part: usize| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&capture).expect("capture");
        file.write_all(&parts[part][split::HEADER..]).expect("written");
    };
    let mut run = Command::new(PHITAP)
        .args(["replay", "--follow", "--no-progress", "--format", "ecs", "--detail", "flows"])
        .args(["--key-file", &key.path(), "--output", &format!("file:{}", events.display())])
        .args(["--output", &broker.destination(), "--spool"])
        .args([folder.path().join("spool"), capture.clone()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_for("nothing was found", &mut run, || lines(&events).len() > 20);
    wait_for("nothing arrives", &mut run, || broker.stored().len() >= 20);
    broker.take_away();
    let before = lines(&events).len();
    grow(1);
    wait_for("nothing is found any more", &mut run, || lines(&events).len() > before + 20);
    std::thread::sleep(away / 2);
    grow(2);
    std::thread::sleep(away / 2);
    broker.bring_back();
    let before = lines(&events).len();
    grow(3);
    wait_for("nothing is found behind it", &mut run, || lines(&events).len() > before + 20);
    wait_for("not all arrives", &mut run, || broker.stored().len() >= lines(&events).len());
    let process = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("signal");
    let mut said = String::new();
    run.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    run.wait().expect("ends");
    assert!(!said.contains("lost") && !said.contains("wait in the spool for"), "{said}");
    let sent = lines(&events);
    assert!(sent.len() > 200, "{}", sent.len());
    let distinct = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<String>>();
    // A reader learns of the last ones a little later.
    let (begun, expected) = (Instant::now(), distinct(&sent));
    let got = loop {
        let got = broker.stored();
        if distinct(&got) == expected {
            break got;
        }
        assert!(begun.elapsed() < PATIENCE, "{} of {} arrived", got.len(), sent.len());
        std::thread::sleep(Duration::from_millis(100));
    };
    (sent, got)
}

#[test]
fn a_broker_that_is_away_while_events_come_gets_each_of_them_once() {
    if left_out() {
        return;
    }
    let mut nats = Nats::start();
    block_on(async { context(&nats).await.create_stream(stream(-1)).await.expect("stream") });
    let (sent, got) = taken_away(&mut nats);
    assert_eq!(got.len(), sent.len(), "each came once");
}

#[cfg(feature = "kafka")]
mod over_kafka {
    use super::{Broker, taken_away};
    use rdkafka::config::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::Message as _;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
    use std::cell::RefCell;
    use std::time::Duration;

    const TOPIC: &str = "phitap-events";
    /// Pause in which nothing more comes from a topic that was read to its end.
    const QUIET: Duration = Duration::from_millis(300);

    struct Kafka {
        cluster: MockCluster<'static, DefaultProducerContext>,
        reader: BaseConsumer,
        read: RefCell<Vec<String>>,
    }

    impl Kafka {
        fn start() -> Self {
            let cluster = MockCluster::new(1).expect("mock cluster");
            cluster.create_topic(TOPIC, 1, 1).expect("topic");
            let reader: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", cluster.bootstrap_servers())
                .set("group.id", "test")
                .create()
                .expect("consumer");
            let mut all = TopicPartitionList::new();
            all.add_partition_offset(TOPIC, 0, Offset::Beginning).expect("partition");
            reader.assign(&all).expect("assigned");
            Self { cluster, reader, read: RefCell::default() }
        }
    }

    impl Broker for Kafka {
        fn destination(&self) -> String {
            format!("kafka:{}", self.cluster.bootstrap_servers())
        }
        fn take_away(&mut self) {
            self.cluster.broker_down(1).expect("down");
        }
        fn bring_back(&mut self) {
            self.cluster.broker_up(1).expect("up");
        }
        fn stored(&self) -> Vec<String> {
            let mut read = self.read.borrow_mut();
            while let Some(Ok(message)) = self.reader.poll(QUIET) {
                let payload = message.payload().expect("an event");
                read.push(String::from_utf8(payload.to_vec()).expect("text"));
            }
            read.clone()
        }
    }

    #[test]
    fn a_kafka_broker_that_is_away_while_events_come_gets_each_of_them() {
        let (sent, got) = taken_away(&mut Kafka::start());
        // What was in flight may come again, with the header by which a hub knows it.
        println!("{} events, {} of them twice", sent.len(), got.len() - sent.len());
    }
}
