use super::connection::{Connect, Stream, tcp};
use super::pause::Pause;
use super::*;
use crate::destination::Address;
use crate::output::SensorHealth;
use crate::output::metrics::Metrics;
use crate::output::spool::{Limits, Pressure, Spool};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn record(n: usize) -> Record {
    Record::new(&format!("E{n}"), 3, n as u64, format!("{n}").into_bytes())
}

/// A receiver that fails this often, and refuses some.
struct Moody {
    failures: usize,
    refuses: fn(usize) -> bool,
    taken: Arc<Mutex<Vec<usize>>>,
}

impl Sink for Moody {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        let number =
            |record: &Record| String::from_utf8_lossy(&record.line).parse().expect("number");
        let mut outcome = Outcome::default();
        for record in records {
            let n: usize = number(record);
            // In the middle of a batch too.
            if self.failures > 0 && n % 3 == 2 {
                self.failures -= 1;
                outcome.fates.resize(records.len(), Fate::Again);
                outcome.fault = Some("not now".to_owned());
                return outcome;
            }
            if (self.refuses)(n) {
                outcome.fates.push(Fate::Refused);
                outcome.fault = Some("not this one".to_owned());
            } else {
                outcome.fates.push(Fate::Taken);
                self.taken.lock().expect("lock").push(n);
            }
        }
        outcome
    }
}

fn start(
    sink: impl Sink + 'static,
    folder: Option<&std::path::Path>,
) -> (Delivery, Arc<Spool>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let backlog = SensorHealth::new(None).output("test");
    let limits = Limits { bytes: 1 << 30, age: None };
    let folder = folder.map(|folder| (folder, limits));
    let (of, to) = (Arc::clone(&backlog), Arc::clone(&metrics));
    let spool = Spool::open(folder, Pressure::Drop, "test", of, to, |_| (), Arc::default());
    let spool = spool.expect("spool");
    let spool = Arc::new(spool);
    let started = Started {
        output: "test",
        spool: Arc::clone(&spool),
        backlog,
        metrics: Arc::clone(&metrics),
        warn: |_| (),
    };
    (Delivery::start(started, Box::new(sink)).expect("thread"), spool, metrics)
}

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn many_refusals_are_said_once_and_in_sum_with_their_own_reason() {
    struct Refuses;
    impl Sink for Refuses {
        fn deliver(&mut self, records: &[Record]) -> Outcome {
            let mut outcome = Outcome::refused(1, "too large");
            outcome.append(Outcome::broke_off(1, records.len() - 1, "busy"));
            outcome
        }
    }
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let backlog = SensorHealth::new(None).output("test");
    let (of, to) = (Arc::clone(&backlog), Arc::clone(&metrics));
    let spool = Spool::open(None, Pressure::Drop, "test", of, to, |_| (), Arc::default());
    let spool = Arc::new(spool.expect("spool"));
    let warn = |text: &str| SAID.lock().expect("lock").push(text.to_owned());
    (0..7).for_each(|n| spool.push(record(n)));
    let started = Started { output: "test", spool, backlog, metrics, warn };
    let delivery = Delivery::start(started, Box::new(Refuses)).expect("thread");
    delivery.close(Duration::from_secs(180), Pressure::Drop).expect("nothing is left");
    let said = SAID.lock().expect("lock").clone();
    let expected = [
        "output test: 1 event refused for good: too large",
        "output test: busy; events wait in memory",
        "output test: events are delivered again",
        "output test: 3 events refused for good: too large",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_replay_whose_spool_had_no_room_ends_with_an_error() {
    struct Takes;
    impl Sink for Takes {
        fn deliver(&mut self, records: &[Record]) -> Outcome {
            Outcome::all(Fate::Taken, records.len())
        }
    }
    for (pressure, events) in [(Pressure::Wait, "3 events"), (Pressure::Drop, "")] {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let backlog = SensorHealth::new(None).output("test");
        let (of, to) = (Arc::clone(&backlog), Arc::clone(&metrics));
        let warn = |text: &str| assert!(text.contains("--spool DIR"), "{text}");
        let spool = Spool::open(None, Pressure::Drop, "test", of, to, warn, Arc::default());
        let spool = Arc::new(spool.expect("spool"));
        let large = |n: usize| Record { line: vec![b'x'; 1 << 20], ..record(n) };
        (0..18).for_each(|n| spool.push(large(n)));
        let started = Started { output: "test", spool, backlog, metrics, warn: |_| () };
        let delivery = Delivery::start(started, Box::new(Takes)).expect("thread");
        let end = delivery.close(Duration::from_secs(180), pressure);
        let text = end.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(events) && text.is_empty() == events.is_empty(), "{text}");
    }
}

fn metric(metrics: &Metrics, start: &str) -> String {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("no {start}")).trim().to_owned()
}

#[test]
fn a_receiver_that_fails_and_refuses_gets_every_other_event_once_and_in_order() {
    let taken = Arc::default();
    let moody = Moody { failures: 3, refuses: |n| n % 10 == 7, taken: Arc::clone(&taken) };
    let (delivery, spool, metrics) = start(moody, None);
    (0..100).for_each(|n| spool.push(record(n)));
    delivery.close(Duration::from_secs(180), Pressure::Drop).expect("delivered");
    let expected: Vec<usize> = (0..100).filter(|n| n % 10 != 7).collect();
    assert_eq!(*taken.lock().expect("lock"), expected);
    assert_eq!(metric(&metrics, "phitap_output_delivered_total{output=\"test\"}"), "90");
    assert_eq!(metric(&metrics, "phitap_output_failures_total{output=\"test\"}"), "3");
    let refused = "phitap_events_dropped_total{output=\"test\",reason=\"refused\"}";
    assert_eq!(metric(&metrics, refused), "10");
}

#[test]
fn a_sensor_ends_in_time_though_its_receiver_takes_nothing() {
    let never = || Moody { failures: usize::MAX, refuses: |_| false, taken: Arc::default() };
    let (delivery, spool, metrics) = start(never(), None);
    (2..5).for_each(|n| spool.push(record(n)));
    // It has been tried once at least.
    while metric(&metrics, "phitap_output_failures_total{output=\"test\"}") == "0" {
        std::thread::sleep(Duration::from_millis(5));
    }
    let since = crate::output::clock::stopwatch();
    let error = delivery.close(Duration::from_millis(200), Pressure::Drop).expect_err("lost");
    assert!(since.elapsed() < Duration::from_secs(60));
    let text = error.to_string();
    assert!(text.contains("3 events") && text.contains("not now"), "{text}");

    let dir = tempfile::tempdir().expect("folder");
    let (delivery, spool, _) = start(never(), Some(dir.path()));
    (2..5).for_each(|n| spool.push(record(n)));
    delivery.begin_to_close();
    spool.wait_until_settled(Duration::from_secs(120));
    delivery.close(Duration::from_millis(200), Pressure::Drop).expect("kept on disk");
    drop(spool);
    let taken = Arc::default();
    let good = Moody { failures: 0, refuses: |_| false, taken: Arc::clone(&taken) };
    let (delivery, ..) = start(good, Some(dir.path()));
    delivery.close(Duration::from_secs(180), Pressure::Drop).expect("delivered");
    assert_eq!(*taken.lock().expect("lock"), [2, 3, 4]);
}

#[test]
fn what_a_receiver_lost_when_it_hung_up_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let address = Address { host: "127.0.0.1".to_owned(), port };
    let connect: Connect = Box::new(move || tcp(&address).map(|stream| Box::new(stream) as _));
    let mut stream = Stream::new(
        connect,
        Box::new(|record, to| {
            to.extend_from_slice(&record.line);
            to.push(b'\n');
        }),
    );
    let all: Vec<Record> = (0..3).map(record).collect();
    assert_eq!(stream.deliver(&all[..2]).fates, [Fate::Taken; 2]);
    // It goes away without reading: what it was sent is lost with it.
    drop(listener.accept().expect("connection"));
    let mut fates = stream.deliver(&all[2..]).fates;
    for _ in 0..50 {
        if fates == [Fate::Taken] {
            break;
        }
        fates = stream.deliver(&all[2..]).fates;
    }
    assert_eq!(fates, [Fate::Taken]);
    let (mut peer, _) = listener.accept().expect("second connection");
    drop(stream);
    let mut text = String::new();
    peer.read_to_string(&mut text).expect("text");
    for n in 0..3 {
        assert!(text.lines().any(|line| line == n.to_string()), "{n} in {text:?}");
    }
}

#[test]
fn pauses_grow_up_to_a_limit_and_are_short_again_after_a_success() {
    let mut pause = Pause::default();
    let all: Vec<Duration> = (0..40).map(|_| pause.next()).collect();
    assert!(all[0] <= Duration::from_millis(250) && all[0] >= Duration::from_millis(125));
    assert!(all.iter().all(|pause| *pause <= Duration::from_secs(30)));
    assert!(all[39] >= Duration::from_secs(15));
    pause.reset();
    assert!(pause.next() <= Duration::from_millis(250));
}
