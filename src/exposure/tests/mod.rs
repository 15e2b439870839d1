//! What findings become.

mod detail;
mod dicom;
mod handshakes;
mod identity;
mod names;

use super::samples::{KEY, Sample, T0, at, hl7, http};
use super::*;
use crate::config::Detail;
use crate::content::Mark;
use crate::net::HomeNets;
use crate::protocol::{Authentication, DicomFacts, ServiceFacts};
use crate::rules::{Kind, SeverityEntry};
use crate::time::{Span, Timestamp};

fn tracker() -> Exposures {
    Exposures::new(settings())
}

fn settings() -> Settings {
    Settings {
        home: HomeNets::default(),
        idle: Span::seconds(600),
        update: Span::seconds(60),
        forget: Span::seconds(30 * 86_400),
        key: KEY,
        severity: SeverityEntry::default(),
        suppressions: Default::default(),
        access: crate::rules::AccessRules::default(),
        detail: Detail::Flows,
        memory: 256 << 20,
        observe_patients: false,
    }
}

/// Whether a finding was counted.
fn is_counted(taken: Intake) -> bool {
    taken != Intake::Suppressed
}

/// One word an event.
fn words(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Finding { .. } => "finding".to_owned(),
        Event::Patients(_) => "patients".to_owned(),
        Event::Exposure(e) => format!("{} {}", e.state.as_str(), (e.time - T0).0 / 1_000_000_000),
        Event::Asset(a) => a.role.as_str().to_owned(),
        Event::Service(s) => format!("service {}", s.protocol),
    };
    events.iter().map(word).collect()
}

fn exposures(events: &[Event]) -> Vec<&Exposure> {
    events
        .iter()
        .filter_map(|e| if let Event::Exposure(x) = e { Some(&**x) } else { None })
        .collect()
}

#[test]
fn first_finding_shows_service_hosts_itself_and_opens_an_exposure() {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(Sample::default().build(), &mut out);
    assert_eq!(words(&out), ["service dicom", "dicom-server", "dicom-client", "finding", "open 0"]);
    let Event::Finding { exposure, direction, .. } = &out[3] else { panic!("no finding") };
    assert_eq!(*exposure, exposures(&out)[0].id);
    assert_eq!(*direction, NetworkDirection::Internal);
    out.clear();
    x.finding(Sample { patient: 2, time: at(1), ..Sample::default() }.build(), &mut out);
    assert_eq!(words(&out), ["finding"]);
}

#[test]
fn updates_come_once_a_minute_with_news_or_at_once_when_worse_and_end_in_idle() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for second in 0..150 {
        let s = Sample { patient: second, time: at(second as i64), ..Sample::default() };
        x.finding(s.build(), &mut out);
    }
    x.tick(at(100_000), &mut out);
    let states: Vec<String> = words(&out).into_iter().filter(|w| w != "finding").collect();
    assert_eq!(
        states[3..],
        ["open 0", "update 9", "update 60", "update 120", "update 180", "idle 749"]
    );
    let seen = exposures(&out);
    assert!(seen.iter().all(|e| e.id == seen[0].id));
    assert_eq!((seen[1].patients.value, seen[2].patients.value), (10, 60));
    let last = seen[5];
    assert_eq!((last.findings, last.patients.value, last.flows, last.records), (150, 150, 1, 150));
    assert_eq!((last.first, last.last), (at(0), at(149)));
    out.clear();
    x.finish(at(100_001), &mut out);
    assert_eq!(
        words(&out),
        ["ended 100001", "service dicom"],
        "the service has had patients since"
    );
}

#[test]
fn how_often_tick_is_called_changes_nothing() {
    let samples = || {
        (0..40u64).map(|n| {
            let time = at((n * n) as i64);
            match n % 3 {
                0 => Sample { patient: n % 7, time, ..Sample::default() },
                1 => Sample { time, ..hl7(n) },
                _ => Sample { time, ..http(n) },
            }
        })
    };
    let run = |ticks: bool| {
        let (mut x, mut out) = (tracker(), Vec::new());
        let mut now = T0;
        for sample in samples() {
            while ticks && now < sample.time {
                x.tick(now, &mut out);
                now = now + Span::millis(700);
            }
            x.finding(sample.build(), &mut out);
        }
        x.finish(at(1600), &mut out);
        words(&out)
    };
    let plain = run(false);
    assert_eq!(plain, run(true));
    assert!(plain.iter().any(|w| w.starts_with("update")), "{plain:?}");
    assert_eq!(plain.iter().filter(|w| w.starts_with("ended")).count(), 3, "{plain:?}");
}

#[test]
fn a_revision_adds_only_what_is_new() {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(Sample::default().build(), &mut out);
    let new_kinds = vec![Kind::Phone];
    let mut more = Sample { time: at(5), update: true, records: 3, new_kinds, ..Sample::default() };
    more.kinds.push((Kind::Phone, "*****12"));
    x.finding(more.build(), &mut out);
    x.finish(at(6), &mut out);
    let last = *exposures(&out).last().expect("closed");
    assert_eq!((last.findings, last.records, last.patients.value), (1, 4, 1));
    let kinds = [(Kind::Name, 1), (Kind::PatientId, 1), (Kind::BirthDate, 1), (Kind::Phone, 1)];
    assert_eq!(last.kinds, kinds);
    assert_eq!(x.findings(), 1);
    assert_eq!(x.losses(), Losses::default());
}

#[test]
fn pairs_are_kept_apart_and_end_in_the_order_of_opening() {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(http(1).build(), &mut out);
    x.finding(hl7(1).build(), &mut out);
    x.finding(Sample::default().build(), &mut out);
    // http 45+30+10 high, hl7 capped at 100, dicom 53.
    assert_eq!(x.active(), [0, 1, 1, 1]);
    out.clear();
    x.finish(at(1), &mut out);
    let closed: Vec<_> = exposures(&out).iter().map(|e| e.protocol).collect();
    assert_eq!(closed, ["http", "hl7", "dicom"]);
    assert_eq!(x.active(), [0; 4]);
    assert_eq!(x.patients(), Count { value: 1, estimate: false }, "one person, three ways");
    assert_eq!(x.opened(), 3);
}

#[test]
fn a_wild_clock_neither_loops_nor_floods() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for time in [at(0), Timestamp(i64::MAX), at(1), Timestamp(i64::MIN), at(2)] {
        x.finding(Sample { time, ..Sample::default() }.build(), &mut out);
        x.tick(time, &mut out);
    }
    x.finish(Timestamp(i64::MAX), &mut out);
    assert!(exposures(&out).len() < 20, "{}", exposures(&out).len());
    assert_eq!(exposures(&out).last().map(|e| e.state), Some(ExposureState::Ended));
}

#[test]
fn severity_adds_the_points_that_apply() {
    let points = SeverityEntry::default();
    let grade = |sample: Sample, direction| {
        severity(&points, &sample.build(), direction, Answers::Unproven)
    };
    let internal = NetworkDirection::Internal;
    let plain = grade(Sample::default(), internal);
    assert_eq!(plain, points.base + points.no_authentication);
    let outside = grade(Sample::default(), NetworkDirection::Outbound);
    assert_eq!(outside, plain + points.external);
    let asked = ServiceFacts { authentication: Authentication::Cookie, ..Default::default() };
    assert_eq!(grade(Sample { facts: asked, ..Default::default() }, internal), points.base);
    assert_eq!(grade(http(1), internal), points.base + points.credentials_in_clear);
    assert_eq!(grade(hl7(1), internal), plain + points.fraud_id + points.health);
    let test = grade(Sample { marks: vec![Mark::Test], ..Default::default() }, internal);
    assert_eq!(test, plain - points.test);
    let nothing = Sample { marks: vec![Mark::Test, Mark::Deidentified], ..Default::default() };
    assert_eq!(grade(nothing, internal), 1, "never 0: it crossed the wire");
    assert_eq!(grade(hl7(1), NetworkDirection::External), 100);
}

#[test]
fn many_patients_make_an_exposure_worse_but_never_better() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for patient in 0..10 {
        x.finding(Sample { patient, ..Sample::default() }.build(), &mut out);
    }
    x.finish(at(1), &mut out);
    let scores: Vec<u8> = exposures(&out).iter().map(|e| e.severity).collect();
    assert_eq!(scores, [53, 58, 58], "said at once");
}

#[test]
fn the_five_hundredth_patient_is_announced_though_the_exposure_is_as_severe_as_before() {
    let severity = SeverityEntry { patients_500: 5, patients_10: 5, ..SeverityEntry::default() };
    let (mut x, mut out) = (Exposures::new(Settings { severity, ..settings() }), Vec::new());
    for patient in 0..=255 {
        x.finding(Sample { patient, ..Sample::default() }.build(), &mut out);
    }
    let told = exposures(&out).len();
    assert_eq!(told, 2, "opened, and worse with ten patients");
    for patient in 256..600 {
        x.finding(Sample { patient, ..Sample::default() }.build(), &mut out);
    }
    let all = exposures(&out);
    assert_eq!(all.len(), told + 1);
    assert_eq!((all[told].patients.value, all[told].state), (500, ExposureState::Update));
}

#[test]
fn sightings_are_reported_once_and_by_what_they_prove() {
    let (mut x, mut out) = (tracker(), Vec::new());
    let mut d = http(1).build();
    d.flow.server = "10.1.2.15:8080".parse().expect("address");
    let mut see = |d: &FindingEvent, content, out: &mut Vec<Event>| {
        let facts = &d.finding.facts;
        let s =
            ServiceObservation { time: T0, flow: &d.flow, protocol: d.protocol, content, facts };
        x.service(s, out);
    };
    see(&d, "", &mut out);
    see(&d, "json", &mut out);
    see(&d, "fhir", &mut out);
    assert_eq!(words(&out), ["service http", "web-server", "fhir-server"]);
    out.clear();
    d = Sample {
        facts: ServiceFacts {
            dicom: Some(Box::new(DicomFacts {
                sop_classes: vec!["1.2.840.10008.5.1.4.1.1.2".into()],
                ..DicomFacts::default()
            })),
            ..ServiceFacts::default()
        },
        ..Sample::default()
    }
    .build();
    see(&d, "dicom", &mut out);
    assert_eq!(words(&out), ["service dicom", "pacs", "modality"]);
    out.clear();
    d = http(1).build();
    see(&d, "", &mut out);
    assert!(out.is_empty(), "a foreign web server, nothing found");
    x.finding(d, &mut out);
    assert_eq!(words(&out), ["service http", "web-server", "finding", "open 0"]);
}

#[test]
fn ids_are_ulids_that_repeat_and_need_the_key() {
    let d = Sample::default().build();
    let again = Sample::default().build();
    assert_eq!(d.id, again.id);
    let other = EventId::of_finding(&[8; 32], &d.flow, &d.finding.patient);
    assert_ne!(d.id, other);
    assert_eq!(d.id.0 >> 80, u128::from(T0.unix_millis()));
    let text = d.id.to_string();
    assert_eq!(text.len(), 26);
    assert!(text.starts_with("01K"), "{text}: time first, so ids sort by it");
}

#[test]
fn what_comes_after_idle_belongs_to_the_same_exposure() {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(Sample::default().build(), &mut out);
    let late = Sample { time: at(5000), update: true, records: 2, ..Sample::default() };
    x.finding(late.build(), &mut out);
    assert_eq!(x.active().iter().sum::<u64>(), 1);
    x.finish(at(5001), &mut out);
    let seen = exposures(&out);
    let states: Vec<&str> = seen.iter().map(|e| e.state.as_str()).collect();
    assert_eq!(states, ["open", "idle", "ended"]);
    assert!(seen.iter().all(|e| e.id == seen[0].id));
    assert_eq!((seen[2].findings, seen[2].records, seen[2].kinds.len()), (1, 3, 3));
    assert_eq!(x.losses(), Losses::default());
}

#[test]
fn beyond_the_cap_exposures_end_early_and_are_counted() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for n in 0..tracker::MAX_OPEN + 3 {
        let mut d = Sample { time: at(n as i64 / 1000), ..Sample::default() }.build();
        d.flow.server = format!("10.{}.{}.1:104", n / 250, n % 250).parse().expect("address");
        x.finding(d, &mut out);
    }
    assert_eq!(x.losses().exposures_ended_early, 3);
    assert_eq!(x.active().iter().sum::<u64>(), tracker::MAX_OPEN as u64);
    x.finish(at(100), &mut out);
    let opened = exposures(&out).iter().filter(|e| e.state == ExposureState::Open).count();
    let ended = exposures(&out).iter().filter(|e| e.state == ExposureState::Ended).count();
    assert_eq!((opened, ended), (tracker::MAX_OPEN + 3, tracker::MAX_OPEN + 3));
}

/// Every exposure opens first, ends last and once, never loses count, and nothing is left behind.
fn check_life(events: &[Event], x: &Exposures) {
    use std::collections::BTreeMap;
    let mut lives: BTreeMap<EventId, Vec<&Exposure>> = BTreeMap::new();
    let mut found = 0;
    for event in events {
        match event {
            Event::Exposure(e) => lives.entry(e.id).or_default().push(e),
            Event::Finding { exposure, event, .. } => {
                found += u64::from(!event.finding.update);
                let life = lives.get(exposure);
                let open = life.is_none_or(|l| l[l.len() - 1].state != ExposureState::Ended);
                assert!(open, "finding in an exposure that has ended");
            }
            Event::Patients(_) | Event::Asset(_) | Event::Service(_) => {}
        }
    }
    assert_eq!(lives.len() as u64, x.opened());
    assert_eq!(found, x.findings());
    for life in lives.values() {
        let states: Vec<ExposureState> = life.iter().map(|e| e.state).collect();
        assert_eq!(states.first(), Some(&ExposureState::Open));
        assert_eq!(states.last(), Some(&ExposureState::Ended));
        let middle = &states[1..states.len() - 1];
        let known = [ExposureState::Update, ExposureState::Idle];
        assert!(middle.iter().all(|s| known.contains(s)), "{states:?}");
        for pair in life.windows(2) {
            let ([a, b], grows) = ([pair[0], pair[1]], |a: u64, b: u64| assert!(a <= b));
            grows(a.findings, b.findings);
            grows(a.records, b.records);
            grows(a.flows, b.flows);
            grows(a.patients.value, b.patients.value);
            assert!(a.severity <= b.severity && a.last <= b.last && b.first <= a.first);
        }
        let last = life[life.len() - 1];
        assert!(last.patients.value <= last.findings && last.flows <= last.findings);
        assert!(last.kinds.iter().all(|(_, n)| (1..=last.findings).contains(n)));
    }
    assert!(x.is_empty());
}

proptest::proptest! {
    #[test]
    fn any_order_of_times_revisions_and_ticks_keeps_the_books(
        steps in proptest::collection::vec((0u8..4, 0u64..6, -2000i64..4000, 1u32..5, proptest::bool::ANY), 0..120)
    ) {
        let (mut x, mut out) = (tracker(), Vec::new());
        let mut known = std::collections::BTreeSet::new();
        for (n, (what, patient, second, records, update)) in steps.into_iter().enumerate() {
            // No moment twice: an exposure that opens at the same moment again has the same id.
            let time = at(second) + Span(n as i64);
            if what == 3 {
                x.tick(time, &mut out);
                continue;
            }
            // A revision has something to revise.
            let update = update && known.contains(&(what, patient));
            known.insert((what, patient));
            let base = match what {
                0 => Sample { patient, ..Sample::default() },
                1 => hl7(patient),
                _ => http(patient),
            };
            x.finding(Sample { time, update, records, ..base }.build(), &mut out);
        }
        x.finish(at(5000), &mut out);
        check_life(&out, &x);
    }
}

/// A tracker with these suppressions.
fn suppressing(text: &str) -> Exposures {
    let mut tracker = tracker();
    tracker.select_protocol(&rules_with(text));
    tracker
}

/// The shipped rules and these.
fn rules_with(text: &str) -> crate::rules::RuleSet {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("site.toml"), text).expect("write");
    crate::rules::RuleSet::load(Some(dir.path())).expect("rules")
}

const SUPPRESSION: &str = "[[suppression]]\nid = \"known\"\ntitle = \"T\"\nowner = \"ops\"\n\
                           reason = \"r\"\nexpires = 2026-03-01\nservice = [\"10.1.2.3:11112\"]\n";

#[test]
fn what_is_suppressed_is_counted_and_not_reported() {
    let (mut x, mut out) = (suppressing(SUPPRESSION), Vec::new());
    assert!(!is_counted(x.finding(Sample::default().build(), &mut out)));
    assert!(!is_counted(x.finding(Sample { update: true, ..Sample::default() }.build(), &mut out)));
    assert!(is_counted(x.finding(hl7(2).build(), &mut out)));
    let reported = out.iter().filter(|e| matches!(e, Event::Finding { .. })).count();
    assert_eq!((reported, x.findings(), x.opened()), (1, 1, 1));
    assert_eq!(x.patients(), Count { value: 1, estimate: false });
    let counted = x.suppressed();
    let [known] = counted.as_slice() else { panic!("{counted:?}") };
    assert_eq!((&*known.id, known.events, known.findings), ("known", 2, 1));
    // Which hosts speak what is reported all the same.
    let server = "10.1.2.3:11112".parse().expect("address");
    assert!(out.iter().any(|e| matches!(e, Event::Service(s) if s.server == server)));
}

#[test]
fn a_suppression_ends_with_its_day() {
    let (mut x, mut out) = (suppressing(SUPPRESSION), Vec::new());
    // T0 is 2026-03-01T10:15:02Z.
    let late = at(14 * 3600);
    assert!(!is_counted(x.finding(Sample::default().build(), &mut out)));
    assert!(is_counted(
        x.finding(Sample { patient: 2, time: late, ..Sample::default() }.build(), &mut out)
    ));
    let counted = x.suppressed();
    assert_eq!((counted[0].findings, counted[0].findings_since), (1, 1));
    x.select_protocol(&crate::rules::RuleSet::load(None).expect("rules"));
    assert!(is_counted(
        x.finding(Sample { patient: 3, time: late, ..Sample::default() }.build(), &mut out)
    ));
    assert_eq!(x.suppressed()[0].findings_since, 1);
}

#[test]
fn one_patient_can_be_suppressed_by_pseudonym() {
    let token = crate::exposure::samples::token(1);
    let text = SUPPRESSION
        .replace("service = [\"10.1.2.3:11112\"]", &format!("patient = [\"p_{token}\"]"));
    let (mut x, mut out) = (suppressing(&text), Vec::new());
    assert!(!is_counted(x.finding(Sample::default().build(), &mut out)));
    assert!(is_counted(x.finding(Sample { patient: 2, ..Sample::default() }.build(), &mut out)));
}

/// An exposure of `server`, which later shows another client `facts`: the exposure as that raises it.
fn raised_by(x: &mut Exposures, server: &'static str, facts: ServiceFacts) -> Exposure {
    let mut out = Vec::new();
    x.finding(Sample { server, ..http(1) }.build(), &mut out);
    let before = exposures(&out)[0].severity;
    out.clear();
    let facts = std::sync::Arc::new(facts);
    let flow = Sample { client: "10.1.7.99:4000", server, ..http(1) }.build().flow;
    let observation = ServiceObservation {
        time: at(9),
        flow: &flow,
        protocol: "http",
        content: "",
        facts: &facts,
    };
    x.service(observation, &mut out);
    let raised = exposures(&out);
    let [raised] = raised.as_slice() else { panic!("one event") };
    assert_eq!(raised.severity, before + SeverityEntry::default().answers_anyone);
    let raised = (*raised).clone();
    out.clear();
    x.service(observation, &mut out);
    assert!(exposures(&out).is_empty(), "it is said once");
    raised
}

#[test]
fn a_service_that_serves_anybody_later_raises_its_earlier_exposures() {
    let mut facts = ServiceFacts::default();
    facts.served();
    let raised = raised_by(&mut tracker(), "10.1.2.15:6379", facts);
    assert_eq!(raised.access.answers(), Answers::Anyone);
    assert_eq!(raised.access.evidence(), ["served-without-login"]);
}

#[test]
fn a_web_service_that_proves_open_later_raises_its_earlier_exposures() {
    let (mut x, mut out) = (tracker(), Vec::new());
    let server = "10.1.2.15:8080";
    let mut facts = ServiceFacts::default();
    facts.interface(crate::rules::ServiceKind::ALL[0], &"A server".into(), true);
    let raised = raised_by(&mut x, server, facts);
    assert_eq!(raised.access.answers(), Answers::Anyone);
    assert_eq!(raised.access.evidence(), ["interface-shown-without-login"]);
    x.finding(Sample { server, time: at(10), patient: 2, ..http(2) }.build(), &mut out);
    x.finish(at(11), &mut out);
    assert!(exposures(&out).iter().all(|e| e.id == raised.id), "under the same id");
}
