//! What becomes an event at each level of detail, and what does not depend on it.

use super::super::samples::packet;
use super::*;
use crate::identify::Repeated;
use std::sync::Arc;

fn again(patient: PatientKey, new: u32) -> Repeated {
    Repeated { patient, new, total: new }
}

fn at_level(detail: Detail, memory: usize) -> Exposures {
    Exposures::new(Settings {
        home: HomeNets::default(),
        idle: Span::seconds(600),
        update: Span::seconds(60),
        forget: Span::seconds(30 * 86_400),
        key: KEY,
        severity: SeverityEntry::default(),
        suppressions: Default::default(),
        access: crate::rules::AccessRules::default(),
        detail,
        memory,
        observe_patients: false,
    })
}

fn findings(events: &[Event]) -> Vec<(&FindingEvent, u8)> {
    let finding = |event| match event {
        &Event::Finding { ref event, severity, .. } => Some((&**event, severity)),
        _ => None,
    };
    events.iter().filter_map(finding).collect()
}

/// The sample patient in the flow from this port of this client.
fn seen(client: &str, patient: u64, second: i64) -> FindingEvent {
    let mut event = Sample { patient, time: at(second), ..Sample::default() }.build();
    event.flow.client = client.parse().expect("address");
    event.flow.started = at(second);
    event.finding.ordinal = 0;
    event
}

#[test]
fn a_patient_is_written_once_and_again_only_with_news() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 20), Vec::new());
    x.finding(seen("10.1.7.20:50001", 1, 0), &mut out);
    // The same in another flow; another value of a known kind; fewer kinds.
    x.finding(seen("10.1.7.20:50002", 1, 1), &mut out);
    let mut other = seen("10.1.7.20:50003", 1, 2);
    Arc::make_mut(&mut other.finding.identifiers).truncate(1);
    Arc::make_mut(&mut other.finding.identifiers)[0].shown =
        crate::identify::DisplayValue::of("D**", true);
    x.finding(other, &mut out);
    assert_eq!(findings(&out).len(), 1);
    // A new kind.
    let mut more = seen("10.1.7.20:50004", 1, 3);
    more.finding.identifiers =
        vec![crate::exposure::samples::identifier(Kind::Phone, "*****12", "(0010,2154)")].into();
    more.finding.kinds.insert(Kind::Phone);
    x.finding(more, &mut out);
    // Health data, which is also more severe.
    let mut ill = seen("10.1.7.20:50005", 1, 4);
    ill.finding.marks.insert(Mark::Diagnosis);
    x.finding(ill, &mut out);
    let all = findings(&out);
    let [(first, one), (second, two), (third, three)] = all[..] else { panic!("{}", all.len()) };
    assert!(first.id == second.id && first.id == third.id);
    assert_eq!([first, second, third].map(|f| f.finding.update), [false, true, true]);
    assert_eq!([first, second, third].map(|f| f.records), [1, 4, 5]);
    let shown = |f: &FindingEvent| -> Vec<(Kind, String)> {
        let identifiers = f.finding.identifiers.iter();
        identifiers.map(|i| (i.kind, i.shown.text().to_owned())).collect()
    };
    let mut expected = shown(first);
    assert_eq!(expected.len(), 3);
    expected.push((Kind::Phone, "*****12".into()));
    assert_eq!(shown(second), expected, "all identifiers so far, the first value of each kind");
    assert_eq!(shown(third), expected);
    assert!(one == two && two < three);
}

#[test]
fn each_client_of_a_patient_has_a_finding_until_there_are_too_many() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 24), Vec::new());
    // With those of the further clients below, as many as are written one by one.
    let patients = (announced::FOLD_FINDINGS - announced::FOLD_CLIENTS + 1) as u64;
    let client = |n: usize| format!("10.1.{}.{}:50001", 7 + n / 250, 1 + n % 250);
    for patient in 0..patients {
        x.finding(seen(&client(0), patient, 0), &mut out);
    }
    for n in 1..announced::FOLD_CLIENTS {
        x.finding(seen(&client(n), 1, 1), &mut out);
    }
    let before = findings(&out).len();
    assert_eq!(before, patients as usize + announced::FOLD_CLIENTS - 1, "one for each");
    for n in announced::FOLD_CLIENTS..120 {
        for patient in 0..patients {
            x.finding(seen(&client(n), patient, 2), &mut out);
        }
    }
    let after = &findings(&out)[before..];
    // At the tenth and the hundredth client.
    assert_eq!(after.len(), 2 * patients as usize);
    assert_eq!(after[0].0.clients, 10);
    assert!(after.iter().all(|(f, _)| f.finding.update && [10, 100].contains(&f.clients)));
    let exposures = exposures(&out).iter().filter(|e| e.state == ExposureState::Open).count();
    assert_eq!(exposures, 120, "exposures are not folded");
}

#[test]
fn without_memory_findings_are_forgotten_counted_and_written_again() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 10), Vec::new());
    for n in 0..100 {
        x.finding(seen("10.1.7.20:50001", n % 50, n as i64), &mut out);
    }
    assert!(findings(&out).len() > 50);
    assert!(x.losses().findings_forgotten >= 50);
    assert_eq!(x.patients().value, 50);
}

#[test]
fn people_exposures_and_findings_share_one_memory() {
    const MEMORY: usize = 4 << 20;
    let (mut x, mut out) = (at_level(Detail::Patients, MEMORY), Vec::new());
    for n in 0..20_000 {
        let client = format!("10.1.{}.20:50001", n % 7);
        x.finding(seen(&client, n, n as i64 / 100), &mut out);
        assert!(x.memory() <= MEMORY, "{} bytes after {n} findings", x.memory());
        out.clear();
    }
    assert!(x.losses().findings_forgotten > 0);
    assert_eq!(x.patients().value, 20_000, "whatever was forgotten");
}

proptest::proptest! {
    #[test]
    fn counts_do_not_depend_on_the_level(
        steps in proptest::collection::vec((0u64..5, 0u8..4, 0u8..3, 0i64..3000), 1..80)
    ) {
        let run = |detail| {
            let (mut x, mut out) = (at_level(detail, 1 << 20), Vec::new());
            for &(patient, client, what, second) in &steps {
                let client = format!("10.1.7.{client}:5000{what}");
                let event = seen(&client, patient, second);
                if what == 2 {
                    let (activity, records) = (Default::default(), [again(event.finding.patient, 3)]);
                    x.performed(
                        FlowActivity {
                            time: at(second),
                            flow: &event.flow,
                            protocol: "dicom",
                            activity: &activity,
                            objects: &[],
                            records: &records,
                            repeated: packet(at(second)),
                        },
                        &mut out,
                    );
                } else {
                    x.finding(event, &mut out);
                }
            }
            x.finish(at(5000), &mut out);
            let counts: Vec<_> = exposures(&out)
                .iter()
                .map(|e| (e.id, e.state, e.findings, e.records, e.flows, e.patients, e.kinds.clone()))
                .collect();
            (counts, x.findings(), x.patients(), findings(&out).len())
        };
        let [exposures, patients, flows] = Detail::ALL.map(run);
        proptest::prop_assert_eq!(&exposures.0, &patients.0);
        proptest::prop_assert_eq!(&patients.0, &flows.0);
        proptest::prop_assert_eq!((exposures.1, exposures.2), (patients.1, patients.2));
        proptest::prop_assert_eq!((patients.1, patients.2), (flows.1, flows.2));
        proptest::prop_assert!(exposures.3 == 0 && patients.3 <= flows.3);
    }
}

fn lists(events: &[Event]) -> Vec<&PatientList> {
    let mut all = Vec::new();
    for event in events {
        if let Event::Patients(list) = event {
            all.push(&**list);
        }
    }
    all
}

#[test]
fn patients_of_a_busy_service_are_listed_each_once() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 24), Vec::new());
    let patients = 2 * announced::FOLD_FINDINGS as u64 + 7;
    for patient in 0..patients {
        // One client, then a second look at each from the same one.
        x.finding(seen("10.1.7.20:50001", patient, patient as i64 / 8), &mut out);
        x.finding(seen("10.1.7.20:50002", patient, patient as i64 / 8), &mut out);
    }
    let mut worse = seen("10.1.7.20:50003", patients - 1, 100);
    worse.finding.kinds.insert(Kind::Phone);
    x.finding(worse, &mut out);
    x.finish(at(200), &mut out);
    assert_eq!(findings(&out).len(), announced::FOLD_FINDINGS);
    let listed = lists(&out);
    assert!(listed.iter().all(|list| list.patients <= lists::MAX_LISTED as u64));
    assert!(listed.iter().all(|list| list.last - list.first <= lists::LIST_EVERY));
    let exposure = exposures(&out)[0];
    assert!(listed.iter().all(|list| list.exposure == Some(exposure.id) && list.clients == 1));
    let mut tokens: Vec<PatientKey> =
        listed.iter().flat_map(|l| &l.groups).flat_map(|g| g.patients.clone()).collect();
    tokens.extend(findings(&out).iter().map(|(f, _)| f.finding.patient));
    assert_eq!(tokens.len() as u64, patients + 1, "each once, and once more with news");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len() as u64, patients);
    let last = out.iter().rposition(|e| matches!(e, Event::Patients(_))).expect("a list");
    let ended = words(&out).iter().position(|w| w.starts_with("ended")).expect("the end");
    assert!(last < ended, "nothing comes behind the end of its exposure");
}

#[test]
fn lists_of_many_clients_name_their_number() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 24), Vec::new());
    for n in 0..3 * announced::FOLD_FINDINGS as u64 {
        let client = format!("10.1.7.{}:50001", n % 40);
        x.finding(seen(&client, n, 0), &mut out);
    }
    x.finish(at(200), &mut out);
    let listed = lists(&out);
    assert_eq!(listed.iter().map(|l| l.patients).sum::<u64>(), 2 * announced::FOLD_FINDINGS as u64);
    assert!(listed.iter().all(|l| l.exposure.is_none() && l.client.is_none() && l.clients == 40));
}

#[test]
fn revealed_values_are_never_folded_away() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 24), Vec::new());
    let patients = announced::FOLD_FINDINGS as u64 + 9;
    for patient in 0..patients {
        let mut event = seen("10.1.7.20:50001", patient, 0);
        Arc::make_mut(&mut event.finding.identifiers)[0].shown =
            crate::identify::DisplayValue::of("value", false);
        x.finding(event, &mut out);
    }
    x.finish(at(200), &mut out);
    assert_eq!((findings(&out).len() as u64, lists(&out).len()), (patients, 0));
}

#[test]
fn exposures_that_nothing_pays_for_are_announced_at_once_only_while_they_are_few() {
    let (mut x, mut out) = (at_level(Detail::Patients, 1 << 24), Vec::new());
    let count = |out: &[Event], state| exposures(out).iter().filter(|e| e.state == state).count();
    for n in 0..1000 {
        let client = format!("10.1.{}.{}:50001", n / 250, 1 + n % 250);
        x.finding(FindingEvent { announces: false, ..seen(&client, n, 0) }, &mut out);
    }
    assert_eq!(count(&out, ExposureState::Open), 256);
    // One whose flow brought enough is announced at once.
    x.finding(seen("10.2.0.1:50001", 1, 1), &mut out);
    assert_eq!(count(&out, ExposureState::Open), 257);
    // The others are announced when their first update falls due.
    x.tick(at(60), &mut out);
    assert_eq!(count(&out, ExposureState::Open), 1001);
    x.tick(at(120), &mut out);
    assert_eq!(count(&out, ExposureState::Update), 0);
    x.finish(at(121), &mut out);
    assert_eq!(count(&out, ExposureState::Ended), 1001);
    assert!(x.is_empty());
}
