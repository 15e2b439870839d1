use super::*;
use crate::capture::LiveCounters;
use crate::output::metrics::Metrics;

fn input(name: &str, packets: u64) -> Input {
    Input { name: name.into(), packets, ..Input::default() }
}

fn running() -> (SensorHealth, Instant) {
    let health = SensorHealth::new(Some(Duration::from_secs(300)));
    health.capturing();
    let start = health.started;
    (health, start)
}

fn checks(health: &SensorHealth, at: Instant) -> Vec<(&'static str, String)> {
    health.check(at).into_iter().map(|p| (p.check.as_str(), p.subject)).collect()
}

fn one(check: &'static str, subject: &str) -> Vec<(&'static str, String)> {
    vec![(check, subject.to_owned())]
}

#[test]
fn a_sensor_is_not_ready_before_it_reads_packets_nor_while_it_stops() {
    let health = SensorHealth::new(None);
    let now = health.started;
    assert_eq!(checks(&health, now), one("start", ""));
    health.capturing();
    assert!(health.status(now).ready);
    health.stopping();
    assert!(!health.status(now).ready);
}

#[test]
fn an_interface_that_is_gone_or_has_no_link_is_named() {
    let (health, start) = running();
    let gone = Input { fault: Some("is gone".into()), ..input("span0", 1) };
    let down = Input { down: true, ..input("span1", 1) };
    health.interfaces(&[gone, down, input("span2", 1)], start, 1.0);
    let both = [("interface", "span0".to_owned()), ("interface", "span1".to_owned())];
    assert_eq!(checks(&health, start), both);
    health.interfaces(&[input("span0", 1), input("span1", 1), input("span2", 1)], start, 2.0);
    assert!(checks(&health, start).is_empty());
}

#[test]
fn silence_counts_only_where_there_used_to_be_packets() {
    let (health, start) = running();
    let after = |seconds| start + Duration::from_secs(seconds);
    health.interfaces(&[input("span0", 5), input("span1", 0)], start, 100.0);
    health.interfaces(&[input("span0", 5), input("span1", 0)], after(299), 399.0);
    assert!(checks(&health, after(300)).is_empty());
    assert_eq!(checks(&health, after(301)), one("packets", "span0"));
    let quiet = health.status(after(301));
    assert_eq!(quiet.interfaces[0].last_packet, Some(100.0));
    assert_eq!(quiet.interfaces[1].last_packet, None);
    health.interfaces(&[input("span0", 6), input("span1", 0)], after(400), 500.0);
    assert!(checks(&health, after(401)).is_empty());
}

#[test]
fn a_thread_that_is_stuck_or_ended_or_behind_is_named() {
    let (health, start) = running();
    let (first, second) = (health.worker(), health.worker());
    let late = start + STUCK_AFTER + Duration::from_secs(1);
    first.begin(start);
    second.begin(start);
    second.rest();
    health.reader().begin(late);
    assert_eq!(checks(&health, late), one("worker", "0"));
    first.rest();
    health.collector().behind(true, start);
    health.collector().behind(true, late);
    assert_eq!(checks(&health, late), one("collector", ""), "since the first time");
    health.collector().behind(false, late);
    let end = EndOf(second);
    assert!(checks(&health, late).is_empty());
    drop(end);
    assert_eq!(checks(&health, late), one("worker", "1"));
    health.stopping();
    assert!(checks(&health, late).is_empty(), "at the end all threads end");
}

#[test]
fn an_output_that_fails_or_waits_for_its_reader_is_named() {
    let (health, start) = running();
    let backlog = health.output("ecs");
    backlog.queued(100, Some(start));
    assert!(checks(&health, start + Duration::from_secs(9)).is_empty());
    let late = start + STUCK_AFTER + Duration::from_secs(1);
    assert_eq!(checks(&health, late), one("output", "ecs"));
    assert_eq!(health.waits(late), [("ecs", 11.0)]);
    backlog.queued(0, None);
    assert!(checks(&health, late).is_empty());
    backlog.held(7, true);
    assert_eq!(checks(&health, late), one("output", "ecs"));
    assert_eq!(health.status(late).backlog, BTreeMap::from([("ecs", 7)]));
}

#[test]
fn a_failed_reload_is_a_problem_until_one_succeeds() {
    let (health, start) = running();
    health.rules_failed(true);
    assert_eq!(checks(&health, start), one("rules", ""));
    health.rules_failed(false);
    assert!(checks(&health, start).is_empty());
}

#[test]
fn metrics_say_what_the_status_says() {
    let (health, start) = running();
    let dropped = LiveCounters { kernel: 3, interface: 4, ..Default::default() };
    let down = Input { down: true, dropped, ..input("span0", 12) };
    health.interfaces(&[down], start, 1_700_000_000.0);
    health.output("ecs").queued(5, Some(start));
    let metrics = Metrics::new().expect("unique names");
    let later = start + Duration::from_secs(2);
    metrics.sensor().update(&health.status(later), &health.waits(later));
    let text = metrics.render();
    for line in [
        "phitap_ready 0",
        "phitap_problems{check=\"interface\"} 1",
        "phitap_problems{check=\"worker\"} 0",
        "phitap_interface_up{interface=\"span0\"} 0",
        "phitap_interface_packets_total{interface=\"span0\"} 12",
        "phitap_interface_packets_dropped_total{interface=\"span0\",stage=\"kernel\"} 3",
        "phitap_interface_packets_dropped_total{interface=\"span0\",stage=\"interface\"} 4",
        "phitap_interface_last_packet_timestamp_seconds{interface=\"span0\"} 1700000000",
        "phitap_last_packet_timestamp_seconds 1700000000",
        "phitap_output_backlog_bytes{output=\"ecs\"} 5",
        "phitap_output_backlog_seconds{output=\"ecs\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a processor is kept busy for a while")]
#[cfg(target_os = "linux")]
fn memory_and_processor_time_are_those_of_this_process() {
    let metrics = Metrics::new().expect("unique names");
    let value = |name: &str| -> f64 {
        let text = metrics.render();
        let line = text.lines().find(|l| l.starts_with(&format!("{name} ")));
        let value = line.and_then(|l| l.split(' ').nth(1)).and_then(|v| v.parse().ok());
        value.unwrap_or_else(|| panic!("{name}: {line:?}"))
    };
    // Until the processor was busy for some ticks of its clock.
    let (mut sum, until) = (0u64, Instant::now() + Duration::from_secs(60));
    while value("process_cpu_seconds_total") < 0.02 && Instant::now() < until {
        sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum.wrapping_mul(31) + n));
    }
    let resident = value("process_resident_memory_bytes");
    assert!((1e6..1e11).contains(&resident), "{resident}");
    assert!(value("process_virtual_memory_bytes") >= resident);
    assert!((0.01..1e5).contains(&value("process_cpu_seconds_total")));
    assert!(value("process_threads") >= 1.0);
    assert!(value("process_start_time_seconds") > 1.7e9);
}
