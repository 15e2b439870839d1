//! One exposure keeps its id over idle times, and is announced no more often than is asked for.

use super::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn tracker(update: i64) -> Exposures {
    Exposures::new(Settings { update: Span::seconds(update), ..settings() })
}

/// One message of another patient at each of `seconds`.
fn messages(x: &mut Exposures, seconds: impl Iterator<Item = i64>) -> Vec<Event> {
    let mut out = Vec::new();
    for (patient, second) in seconds.enumerate() {
        let patient = patient as u64 % 5;
        let sample = Sample { patient, time: at(second), ..Sample::default() };
        x.finding(sample.build(), &mut out);
    }
    out
}

fn states(events: &[Event]) -> Vec<&str> {
    exposures(events).iter().map(|e| e.state.as_str()).collect()
}

#[test]
fn a_message_every_twenty_minutes_is_one_exposure_of_a_day() {
    let mut x = tracker(HOUR);
    let mut out = messages(&mut x, (0..72).map(|n| n * 20 * MINUTE));
    x.finish(at(DAY), &mut out);
    let seen = exposures(&out);
    assert!(seen.iter().all(|e| e.id == seen[0].id));
    assert_eq!((x.opened(), seen[seen.len() - 1].findings), (1, 72));
    assert_eq!(states(&out)[0], "open");
    assert_eq!(states(&out)[seen.len() - 1], "ended");
    // Each hour once at most, beside those two and where it grew worse.
    assert!((20..=27).contains(&seen.len()), "{:?}", words(&out));
}

#[test]
fn an_exposure_that_grows_worse_is_written_at_once_however_seldom_updates_are() {
    let mut x = tracker(DAY);
    let mut out = Vec::new();
    for patient in 0..20 {
        let time = at(patient as i64);
        x.finding(Sample { patient, time, ..Sample::default() }.build(), &mut out);
    }
    assert_eq!(states(&out), ["open", "update"]);
    assert!(exposures(&out)[1].severity > exposures(&out)[0].severity);
}

#[test]
fn an_exposure_that_comes_back_after_a_day_is_announced_at_once_under_its_id() {
    let mut x = tracker(MINUTE);
    let out = messages(&mut x, [0, DAY - 1, 2 * DAY, 2 * DAY + 1].into_iter());
    assert_eq!(states(&out), ["open", "idle", "update", "idle", "returned"]);
    let seen = exposures(&out);
    assert!(seen.iter().all(|e| e.id == seen[0].id));
    assert_eq!(seen[4].time, at(2 * DAY));
}

#[test]
fn an_exposure_without_findings_for_long_enough_is_forgotten() {
    let mut x = tracker(MINUTE);
    let mut out = messages(&mut x, [0, 29 * DAY].into_iter());
    x.tick(at(58 * DAY), &mut out);
    assert_eq!(states(&out).last(), Some(&"idle"));
    out.clear();
    x.tick(at(59 * DAY), &mut out);
    assert_eq!(states(&out), ["ended"]);
    let old = exposures(&out)[0].id;
    out.clear();
    let sample = Sample { time: at(60 * DAY), ..Sample::default() };
    x.finding(sample.build(), &mut out);
    assert_eq!(states(&out), ["open"]);
    assert_ne!(exposures(&out)[0].id, old);
}

#[test]
fn an_acknowledged_exposure_ends_and_a_later_one_is_another() {
    let mut x = tracker(MINUTE);
    let mut out = messages(&mut x, [0].into_iter());
    let first = exposures(&out)[0].id;
    x.select_protocol(&rules_with(SUPPRESSION));
    out.clear();
    let sample = |time| Sample { time: at(time), ..Sample::default() }.build();
    assert!(!is_counted(x.finding(sample(MINUTE), &mut out)));
    assert_eq!(states(&out), ["ended"]);
    assert_eq!(exposures(&out)[0].id, first);
    out.clear();
    // The suppression holds until the end of 1 March.
    assert!(is_counted(x.finding(sample(2 * DAY), &mut out)));
    assert_eq!(states(&out), ["open"]);
    assert_ne!(exposures(&out)[0].id, first);
}

#[test]
fn a_restart_goes_on_with_ids_counts_and_patients() {
    let mut first = tracker(MINUTE);
    let out = messages(&mut first, (0..5).map(|n| n * MINUTE));
    let before = exposures(&out)[0].clone();
    let known = first.known(at(HOUR));
    assert_eq!(known.len(), 1);

    let mut second = Exposures::new(settings());
    second.resume(known.clone());
    assert_eq!(second.known(at(HOUR)), known, "what is not seen again is still known");
    let mut out = Vec::new();
    // A patient that was seen before, and a new one.
    for patient in [4, 5] {
        let sample = Sample { patient, time: at(HOUR), ..Sample::default() };
        second.finding(sample.build(), &mut out);
    }
    assert!(states(&out).is_empty(), "nothing is worse: {:?}", words(&out));
    second.finish(at(HOUR + 1), &mut out);
    let last = exposures(&out)[0];
    assert_eq!((last.id, last.first, last.state), (before.id, before.first, ExposureState::Ended));
    assert_eq!((last.findings, last.patients.value, last.patients.estimate), (7, 6, false));
    assert_eq!(last.kinds.iter().map(|(_, n)| *n).max(), Some(7));
    assert!(second.is_empty());
}

#[test]
fn a_restart_after_a_day_announces_and_after_thirty_days_knows_nothing() {
    let mut first = tracker(MINUTE);
    let out = messages(&mut first, [0].into_iter());
    let id = exposures(&out)[0].id;
    for (days, state, same) in [(2, "returned", true), (31, "open", false)] {
        let mut next = tracker(MINUTE);
        next.resume(first.known(at(HOUR)));
        let mut out = Vec::new();
        next.finding(Sample { time: at(days * DAY), ..Sample::default() }.build(), &mut out);
        assert_eq!(states(&out), [state]);
        assert_eq!(exposures(&out)[0].id == id, same, "{days}");
    }
}

#[test]
fn of_too_many_patients_the_number_is_known_and_said_to_be_an_estimate() {
    let mut first = tracker(MINUTE);
    let mut out = Vec::new();
    for patient in 0..2_000 {
        let time = at(patient as i64 / 100);
        first.finding(Sample { patient, time, ..Sample::default() }.build(), &mut out);
    }
    assert_eq!(first.steps().reached, [1, 1, 1, 1, 0]);
    let known = first.known(at(HOUR));
    assert_eq!((known[0].patients, known[0].tokens.len()), (2_000, 0));
    let mut second = tracker(MINUTE);
    second.resume(known);
    out.clear();
    second.finding(Sample { time: at(HOUR), ..Sample::default() }.build(), &mut out);
    second.finish(at(HOUR), &mut out);
    let last = exposures(&out)[0];
    assert_eq!((last.patients.value, last.patients.estimate), (2_000, true));
    assert_eq!(second.steps().reached, [0; 5], "reached before");
}

#[test]
fn an_exposure_that_had_to_go_for_others_keeps_its_id() {
    let mut x = Exposures::new(Settings { memory: 1, ..settings() });
    let mut out = Vec::new();
    let mut find = |n: usize, second: i64, out: &mut Vec<Event>| {
        let mut d = Sample { time: at(second), ..Sample::default() }.build();
        d.flow.server = format!("10.9.{}.1:104", n).parse().expect("address");
        x.finding(d, out);
    };
    for n in 0..100 {
        find(n, n as i64, &mut out);
    }
    let first = exposures(&out)[0].id;
    out.clear();
    find(0, 1_000, &mut out);
    out.clear();
    find(0, 1_001, &mut out);
    let mut all = Vec::new();
    x.finish(at(1_002), &mut all);
    let again = exposures(&all).into_iter().find(|e| e.server.ip().to_string() == "10.9.0.1");
    assert_eq!(again.map(|e| (e.id, e.findings)), Some((first, 3)));
}

#[test]
fn a_clock_that_is_set_back_holds_up_no_update() {
    let mut x = tracker(MINUTE);
    let mut out = messages(&mut x, [DAY, DAY + 1].into_iter());
    // The clock goes back by a day; findings go on at the new time.
    let mut later = |second: i64, out: &mut Vec<Event>| {
        let sample = Sample { patient: 1, time: at(second), ..Sample::default() };
        x.finding(sample.build(), out);
        x.keep_due(at(second));
        x.tick(at(second), out);
    };
    later(10, &mut out);
    out.clear();
    (0..5).for_each(|n| later(11 + n * MINUTE, &mut out));
    assert_eq!(states(&out), ["update"; 4]);
    // A worker that has seen no packet yet knows no time.
    let due = x.due.clone();
    x.keep_due(Timestamp::default());
    assert!(x.due == due);
}

#[test]
fn packets_that_were_never_captured_are_beside_the_losses_of_an_exposure() {
    let mut x = tracker(MINUTE);
    x.uncaptured(100);
    let mut out = messages(&mut x, [0].into_iter());
    x.uncaptured(107);
    x.finish(at(1), &mut out);
    let seen = exposures(&out);
    assert_eq!([seen[0].uncaptured, seen[1].uncaptured], [0, 7]);
}

#[test]
fn what_was_dropped_while_an_exposure_was_idle_is_not_counted_against_it() {
    let mut x = tracker(MINUTE);
    let mut out = messages(&mut x, [0].into_iter());
    x.uncaptured(5);
    x.tick(at(HOUR), &mut out);
    x.uncaptured(1_005);
    x.finding(Sample { time: at(2 * HOUR), ..Sample::default() }.build(), &mut out);
    x.uncaptured(1_008);
    x.finish(at(2 * HOUR + 1), &mut out);
    let seen = exposures(&out);
    assert_eq!(states(&out), ["open", "idle", "ended"]);
    assert_eq!(seen.iter().map(|e| e.uncaptured).collect::<Vec<_>>(), [0, 5, 8]);
    // Ended while it is idle.
    let mut x = tracker(MINUTE);
    let mut out = messages(&mut x, [0].into_iter());
    x.uncaptured(5);
    x.tick(at(HOUR), &mut out);
    x.uncaptured(1_005);
    x.finish(at(2 * HOUR), &mut out);
    assert!(exposures(&out).iter().all(|e| e.uncaptured <= 5));
}
