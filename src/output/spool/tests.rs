use super::*;
use crate::output::SensorHealth;
use std::path::PathBuf;

const ROOM: Limits = Limits { bytes: 64 << 20, age: None };

fn record(n: usize) -> Record {
    Record::new(&format!("E{n}"), 3, 1_000 + n as u64, format!("{{\"n\":{n}}}").into_bytes())
}

fn number(record: &Record) -> usize {
    let text = String::from_utf8(record.line.clone()).expect("text");
    text.trim_start_matches("{\"n\":").trim_end_matches('}').parse().expect("a number")
}

fn numbers(records: &[Record]) -> Vec<usize> {
    records.iter().map(number).collect()
}

/// Everything that is left, each handed out and delivered.
fn drain(log: &mut Log) -> Vec<usize> {
    let mut all = Vec::new();
    loop {
        let records = log.read(7, 1 << 20).expect("read");
        if records.is_empty() {
            return all;
        }
        all.extend(numbers(&records));
        log.delivered().expect("noted");
    }
}

fn filled(folder: &Path, records: usize, limits: Limits) -> Log {
    let mut log = Log::open(folder, limits).expect("opens");
    (0..records).for_each(|n| log.append(&record(n)).expect("appended"));
    log
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("list").map(|e| e.expect("entry").path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "segment")).collect();
    found.sort();
    found
}

#[test]
fn impossible_numbers_of_a_damaged_spool_are_passed_over() {
    let folder = tempfile::tempdir().expect("folder");
    drop(filled(folder.path(), 3, ROOM));
    let segment = segments(folder.path()).pop().expect("a segment");
    let last = folder.path().join(format!("{}.segment", u64::MAX));
    std::fs::copy(segment, last).expect("copied");
    std::fs::write(folder.path().join("position"), u64::MAX.to_string()).expect("written");
    let mut log = Log::open(folder.path(), ROOM).expect("opens");
    log.append(&record(3)).expect("appended");
    assert_eq!(drain(&mut log), [0, 1, 2, 3]);
}

#[test]
fn a_record_is_read_as_it_was_written_and_no_other_bytes_are_one() {
    let whole = record(7);
    let mut bytes = Vec::new();
    whole.encode(&mut bytes);
    assert_eq!(bytes.len(), whole.size());
    let head = bytes[..4].try_into().expect("four");
    assert_eq!(Record::length(head), Some(bytes.len()));
    assert_eq!(Record::decode(&bytes), Some(whole));
    for at in 4..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x10;
        assert_eq!(Record::decode(&other), None, "byte {at}");
        assert_eq!(Record::decode(&bytes[..at]), None, "cut at {at}");
    }
    assert_eq!(Record::length([0; 4]), None);
    assert_eq!(Record::length([0xff; 4]), None);
}

#[test]
fn ids_tell_revisions_of_an_event_apart_and_copies_not() {
    let line = |text: &str| Record::new("01JABC", 3, 5, text.as_bytes().to_vec());
    assert_eq!(line("a").id, Record::new("01JABC", 6, 9, b"a".to_vec()).id);
    assert_ne!(line("a").id, line("b").id);
    assert_eq!(line("a").event_id(), "01JABC");
    assert_eq!(Record::new("", 6, 5, b"a".to_vec()).id.len(), 24);
}

#[test]
fn a_restart_goes_on_with_what_was_not_delivered() {
    let dir = tempfile::tempdir().expect("folder");
    let mut log = filled(dir.path(), 20, ROOM);
    assert_eq!(numbers(&log.read(8, 1 << 20).expect("read")), (0..8).collect::<Vec<_>>());
    assert_eq!(numbers(&log.read(8, 1 << 20).expect("again")), (0..8).collect::<Vec<_>>());
    log.delivered().expect("noted");
    assert_eq!(log.records(), 12);
    // Handed out, but not reported as delivered.
    assert_eq!(log.read(5, 1 << 20).expect("read").len(), 5);
    drop(log);
    let mut log = Log::open(dir.path(), ROOM).expect("opens again");
    assert_eq!((log.records(), log.oldest()), (12, Some(1_008)));
    log.append(&record(20)).expect("appended");
    assert_eq!(drain(&mut log), (8..21).collect::<Vec<_>>());
    assert_eq!((log.records(), log.bytes(), log.oldest()), (0, 0, None));
    drop(log);
    let mut log = Log::open(dir.path(), ROOM).expect("opens empty");
    assert!(drain(&mut log).is_empty());
    log.append(&record(21)).expect("appended");
    assert_eq!(drain(&mut log), [21]);
}

#[test]
fn a_record_that_was_being_written_is_cut_off_wherever_it_broke() {
    let whole = {
        let dir = tempfile::tempdir().expect("folder");
        drop(filled(dir.path(), 3, ROOM));
        std::fs::read(&segments(dir.path())[0]).expect("segment")
    };
    let last = record(2).size();
    for cut in 1..=last {
        let dir = tempfile::tempdir().expect("folder");
        drop(filled(dir.path(), 3, ROOM));
        let file = segments(dir.path()).remove(0);
        std::fs::write(&file, &whole[..whole.len() - cut]).expect("cut");
        let mut log = Log::open(dir.path(), ROOM).expect("opens");
        log.append(&record(3)).expect("appended");
        assert_eq!(drain(&mut log), [0, 1, 3], "cut by {cut}");
    }
}

#[test]
fn what_was_damaged_is_counted_and_the_rest_is_delivered() {
    let dir = tempfile::tempdir().expect("folder");
    // Segments of some 16 KiB.
    let limits = Limits { bytes: 1 << 20, age: None };
    let log = filled(dir.path(), 1000, limits);
    drop(log);
    let files = segments(dir.path());
    assert!(files.len() > 2, "{}", files.len());
    let mut bytes = std::fs::read(&files[0]).expect("segment");
    let at = 10 * record(0).size() + 20;
    bytes[at] ^= 1;
    std::fs::write(&files[0], bytes).expect("damaged");
    std::fs::write(dir.path().join("position"), "nonsense").expect("damaged");
    let mut log = Log::open(dir.path(), limits).expect("opens");
    let lost = log.take_lost();
    let delivered = drain(&mut log);
    assert_eq!(delivered[..10], (0..10).collect::<Vec<_>>());
    assert!(lost.damaged > 10, "{lost:?}");
    assert_eq!(delivered.len() as u64 + lost.damaged, 1000);
    assert_eq!(delivered.last(), Some(&999));
}

#[test]
fn a_full_spool_gives_up_the_oldest_and_counts_each() {
    let dir = tempfile::tempdir().expect("folder");
    let limits = Limits { bytes: 1 << 20, age: None };
    let total = 60_000;
    let mut log = filled(dir.path(), total, limits);
    assert!(log.bytes() <= limits.bytes, "{}", log.bytes());
    let on_disk: u64 = segments(dir.path())
        .iter()
        .map(|path| std::fs::metadata(path).expect("segment").len())
        .sum();
    assert!(on_disk <= limits.bytes, "{on_disk}");
    let lost = log.take_lost().full as usize;
    let left = drain(&mut log);
    assert!(lost > 0 && left.len() > total / 10, "{lost} {}", left.len());
    assert_eq!(left, (lost..total).collect::<Vec<_>>());
}

#[test]
fn what_is_too_old_is_given_up_and_what_was_delivered_is_not_counted() {
    let dir = tempfile::tempdir().expect("folder");
    let limits = Limits { bytes: 1 << 20, age: Some(Duration::from_millis(500)) };
    let mut log = filled(dir.path(), 1000, limits);
    log.read(100, 1 << 20).expect("read");
    log.delivered().expect("noted");
    log.expire(1_400).expect("nothing is old");
    assert_eq!(log.take_lost(), Lost::default());
    log.expire(10_000).expect("all is old");
    assert_eq!(log.take_lost(), Lost { old: 900, ..Lost::default() });
    assert_eq!(log.records(), 0);
    log.append(&record(1000)).expect("appended");
    assert_eq!(drain(&mut log), [1000]);
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let first = filled(dir.path(), 1, ROOM);
    let error = Log::open(dir.path(), ROOM).err().expect("refused");
    assert!(error.to_string().contains("another phitap"), "{error}");
    drop(first);
    assert_eq!(drain(&mut Log::open(dir.path(), ROOM).expect("free now")), [0]);
}

/// Whatever is appended, handed out, delivered and reopened in whatever order: nothing is lost, and nothing that
/// was delivered comes again.
#[test]
fn any_order_of_work_and_restarts_loses_nothing() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..20 {
        let dir = tempfile::tempdir().expect("folder");
        let limits = Limits { bytes: 2 << 20, age: None };
        let mut log = Log::open(dir.path(), limits).expect("opens");
        let (mut appended, mut delivered) = (0, 0);
        for _ in 0..300 {
            match random(10) {
                0 => {
                    drop(log);
                    log = Log::open(dir.path(), limits).expect("opens again");
                }
                1..=5 => {
                    for _ in 0..random(40) {
                        log.append(&record(appended)).expect("appended");
                        appended += 1;
                    }
                }
                _ => {
                    let most = random(60) as usize + 1;
                    let records = log.read(most, 1 << 20).expect("read");
                    let expected: Vec<_> = (delivered..appended.min(delivered + most)).collect();
                    assert_eq!(numbers(&records), expected);
                    if random(3) > 0 {
                        log.delivered().expect("noted");
                        delivered += records.len();
                    }
                }
            }
            assert_eq!(log.records() as usize, appended - delivered);
        }
        assert_eq!(drain(&mut log), (delivered..appended).collect::<Vec<_>>());
        drop(log);
        assert!(segments(dir.path()).is_empty());
    }
}

fn spool(folder: Option<&Path>, pressure: Pressure) -> (Arc<Spool>, Arc<Metrics>) {
    stoppable(folder, pressure, Arc::default())
}

fn stoppable(
    folder: Option<&Path>,
    pressure: Pressure,
    stop: Arc<AtomicBool>,
) -> (Arc<Spool>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let backlog = SensorHealth::new(None).output("nats");
    let folder = folder.map(|folder| (folder, ROOM));
    let spool = Spool::open(folder, pressure, "nats", backlog, Arc::clone(&metrics), |_| (), stop);
    (Arc::new(spool.expect("opens")), metrics)
}

fn dropped(metrics: &Metrics, reason: &str) -> String {
    let text = metrics.render();
    let start = format!("phitap_events_dropped_total{{output=\"nats\",reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(start.as_str()));
    line.expect("counted").to_owned()
}

#[test]
fn without_a_folder_the_oldest_go_where_memory_is_full_but_not_those_on_their_way() {
    let (spool, metrics) = spool(None, Pressure::Drop);
    spool.push(record(0));
    spool.push(record(1));
    assert_eq!(numbers(&spool.take(2, 1 << 20, Duration::ZERO)), [0, 1]);
    let large = |n: usize| Record { line: vec![b'x'; 1 << 20], ..record(n) };
    (2..40).for_each(|n| spool.push(large(n)));
    assert_eq!(numbers(&spool.take(2, 1 << 20, Duration::ZERO)), [0, 1]);
    spool.delivered();
    let left = spool.take(100, usize::MAX, Duration::ZERO);
    assert_eq!(left.len(), 15);
    assert_eq!((dropped(&metrics, "spool_full").as_str(), spool.lost()), ("23", 23));
    assert_eq!(left.last().map(|record| record.id.clone()), Some(large(39).id));
    assert_eq!(spool.abandon(), (0, 15));
    assert_eq!(dropped(&metrics, "shutdown"), "15");
}

#[test]
fn with_a_folder_what_was_pushed_is_on_disk_once_the_spool_is_closed() {
    let dir = tempfile::tempdir().expect("folder");
    let (first, metrics) = spool(Some(dir.path()), Pressure::Drop);
    let mover = first.start().expect("thread");
    (0..1000).for_each(|n| first.push(record(n)));
    first.close();
    mover.join();
    assert!(!first.is_done());
    assert_eq!(first.abandon(), (1000, 0));
    assert_eq!(dropped(&metrics, "shutdown"), "0");
    drop(first);
    let (second, _) = spool(Some(dir.path()), Pressure::Drop);
    let mover = second.start().expect("thread");
    second.push(record(1000));
    second.close();
    mover.join();
    let mut all = Vec::new();
    while !second.is_done() {
        let records = second.take(300, 1 << 20, Duration::from_secs(1));
        all.extend(numbers(&records));
        second.delivered();
    }
    assert_eq!(all, (0..=1000).collect::<Vec<_>>());
}

#[test]
fn a_replay_waits_for_room_as_long_as_anything_is_delivered() {
    let (spool, metrics) = spool(None, Pressure::Wait);
    let large = |n: usize| Record { line: vec![b'x'; 1 << 20], ..record(n) };
    let taker = Arc::clone(&spool);
    let taken = std::thread::spawn(move || {
        let mut taken = 0;
        while !taker.is_done() {
            std::thread::sleep(Duration::from_millis(2));
            taken += taker.take(3, usize::MAX, Duration::from_millis(10)).len();
            taker.delivered();
        }
        taken
    });
    (0..60).for_each(|n| spool.push(large(n)));
    spool.close();
    assert_eq!(taken.join().expect("taker"), 60);
    assert_eq!(dropped(&metrics, "spool_full"), "0");
}

#[test]
fn a_replay_that_is_stopped_waits_for_no_receiver() {
    let stop = Arc::new(AtomicBool::new(false));
    let (spool, metrics) = stoppable(None, Pressure::Wait, Arc::clone(&stop));
    let large = |n: usize| Record { line: vec![b'x'; 1 << 20], ..record(n) };
    let pusher = Arc::clone(&spool);
    // They are not taken: it waits at the sixteenth.
    let pushes = std::thread::spawn(move || (0..40).for_each(|n| pusher.push(large(n))));
    while spool.lock().bytes < 15 << 20 {
        std::thread::yield_now();
    }
    assert!(!pushes.is_finished());
    let since = stopwatch();
    stop.store(true, Ordering::Relaxed);
    pushes.join().expect("pushed");
    // Far less than it waits for a receiver.
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
    assert_ne!(dropped(&metrics, "spool_full"), "0", "the oldest are counted");
}

#[test]
fn a_replay_waits_in_vain_once_and_not_for_every_event() {
    let (spool, _) = spool(None, Pressure::Wait);
    let large = |n: usize| Record { line: vec![b'x'; 1 << 20], ..record(n) };
    spool.lock().gave_up = Some(0);
    let since = stopwatch();
    (0..40).for_each(|n| spool.push(large(n)));
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
}
