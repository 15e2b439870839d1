//! Whom services let in, what passed, and moves.

use super::super::samples::{packet, token};
use super::*;
use crate::flow::FlowInfo;
use crate::protocol::{Activity, Association, Object, Outcome};
use crate::rules::AccessRules;
use std::sync::Arc;

fn tracker() -> Exposures {
    Exposures::new(Settings {
        suppressions: Default::default(),
        home: HomeNets::default(),
        idle: Span::seconds(600),
        update: Span::seconds(60),
        forget: Span::seconds(30 * 86_400),
        key: KEY,
        severity: SeverityEntry::default(),
        access: AccessRules::of(&["ECHOSCU", "ANY-SCU"], 2),
        detail: crate::config::Detail::Flows,
        memory: 1 << 20,
        observe_patients: true,
    })
}

fn called(title: &str, outcome: Outcome, authentication: Authentication) -> ServiceFacts {
    let association = Association { outcome: Some(outcome), ..Association::default() };
    let dicom = DicomFacts {
        calling_aet: Some(title.into()),
        called_aet: Some("ARCHIVE".into()),
        association: Some(Box::new(association)),
        ..DicomFacts::default()
    };
    ServiceFacts { authentication, dicom: Some(Box::new(dicom)), ..ServiceFacts::default() }
}

fn flow(client: &str) -> FlowInfo {
    let mut flow = Sample::default().build().flow;
    flow.client = client.parse().expect("address");
    flow
}

fn see(x: &mut Exposures, client: &str, facts: ServiceFacts, out: &mut Vec<Event>) {
    let (flow, facts) = (flow(client), Arc::new(facts));
    let observation =
        ServiceObservation { time: T0, flow: &flow, protocol: "dicom", content: "", facts: &facts };
    x.service(observation, out);
}

fn services(events: &[Event]) -> Vec<&Service> {
    events
        .iter()
        .filter_map(|e| if let Event::Service(s) = e { Some(&**s) } else { None })
        .collect()
}

/// What is said last of the one service, after associations of these clients.
fn access(seen: &[(&str, &str, Outcome)]) -> Access {
    let (mut x, mut out) = (tracker(), Vec::new());
    for (client, title, outcome) in seen {
        see(&mut x, client, called(title, *outcome, Authentication::None), &mut out);
    }
    x.finish(at(1), &mut out);
    let all = services(&out);
    assert!(all.iter().all(|s| s.id == all[0].id));
    all.last().expect("service").access
}

const A: &str = "10.0.0.1:50000";
const B: &str = "10.0.0.2:50000";

#[test]
fn only_what_proves_it_says_that_a_service_answers_anyone() {
    use Outcome::{Accepted, CalledRefused, CallingRefused, Refused};
    let answers = |seen: &[_]| access(seen).answers();
    // Different hosts under titles of their own: as it should be.
    assert_eq!(answers(&[(A, "CT1", Accepted), (B, "WS9", Accepted)]), Answers::Unproven);
    assert_eq!(answers(&[(A, "CT1", Accepted), (A, "CT1", Accepted)]), Answers::Unproven);
    // Two proofs.
    assert_eq!(answers(&[(A, "echoscu", Accepted)]), Answers::Anyone);
    assert_eq!(answers(&[(A, "CT1", Accepted), (A, "XYZ", Accepted)]), Answers::Anyone);
    // A refusal is none, and the contrary if it is for the calling title.
    assert_eq!(answers(&[(A, "ECHOSCU", Refused)]), Answers::Unproven);
    assert_eq!(answers(&[(A, "ECHOSCU", CallingRefused)]), Answers::Known);
    let mixed = [(A, "ECHOSCU", Accepted), (A, "X", CallingRefused)];
    assert_eq!(answers(&mixed), Answers::Known);
    assert_eq!(access(&mixed).evidence(), ["default-title-accepted", "calling-title-refused"]);
    let called = access(&[(A, "CT1", CalledRefused)]);
    assert_eq!((called.answers(), called.refused_called), (Answers::Unproven, true));
}

#[test]
fn who_proves_who_they_are_is_not_let_in_for_the_title() {
    for authentication in [Authentication::UserIdentity, Authentication::Unknown] {
        let (mut x, mut out) = (tracker(), Vec::new());
        let facts = called("ECHOSCU", Outcome::Accepted, authentication);
        see(&mut x, A, facts, &mut out);
        assert_eq!(services(&out)[0].access, Access::default());
    }
}

#[test]
fn a_service_is_reported_again_once_it_shows_whom_it_answers() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for title in ["CT1", "CT1", "XYZ", "ABC", "XYZ"] {
        let facts = called(title, Outcome::Accepted, Authentication::None);
        see(&mut x, A, facts, &mut out);
    }
    let answers = |out: &[Event]| -> Vec<(Answers, u32)> {
        services(out).iter().map(|s| (s.access.answers(), s.access.titles)).collect()
    };
    assert_eq!(answers(&out), [(Answers::Unproven, 1), (Answers::Anyone, 2)]);
    // The third title is reported at the end, and nothing twice.
    x.finish(at(1), &mut out);
    x.finish(at(2), &mut out);
    assert_eq!(answers(&out)[2..], [(Answers::Anyone, 3)]);
    let last = services(&out)[2];
    assert_eq!(last.titles, ["CT1", "XYZ", "ABC"]);
}

#[test]
fn more_titles_and_hosts_than_are_remembered() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for n in 0..1000 {
        let client = format!("10.1.{}.{}:4000", n / 250, n % 250 + 1);
        let facts = called(&format!("T{n}"), Outcome::Accepted, Authentication::None);
        see(&mut x, &client, facts, &mut out);
        let facts = called(&format!("R{n}"), Outcome::CallingRefused, Authentication::None);
        see(&mut x, &client, facts, &mut out);
    }
    x.finish(at(1), &mut out);
    let last = services(&out).last().expect("service").access;
    assert_eq!((last.titles, last.clients, last.refused_titles), (64, 256, 64));
}

#[test]
fn a_service_that_proves_open_later_raises_its_earlier_exposures() {
    let (mut x, mut out) = (tracker(), Vec::new());
    let known = |title: &str| called(title, Outcome::Accepted, Authentication::None);
    // One goes on, one has been quiet for long, one is of another service.
    let quiet = Sample { client: "10.1.9.9:4000", facts: known("CT7"), ..Sample::default() };
    x.finding(quiet.build(), &mut out);
    x.tick(at(700), &mut out);
    let goes_on = Sample { facts: known("CT1"), patient: 2, time: at(701), ..Sample::default() };
    x.finding(goes_on.build(), &mut out);
    let other =
        Sample { server: "10.1.2.4:104", facts: known("CT1"), time: at(702), ..Sample::default() };
    x.finding(other.build(), &mut out);
    let before = exposures(&out).last().expect("one").severity;
    out.clear();
    let unproven = Worst { score: before, unproven: before };
    assert!(x.take_observations().iter().all(|seen| seen.worst == unproven));
    let (flow, facts) = (flow(A), Arc::new(known("ECHOSCU")));
    let observation = ServiceObservation {
        time: at(703),
        flow: &flow,
        protocol: "dicom",
        content: "",
        facts: &facts,
    };
    x.service(observation, &mut out);
    let raised: Vec<(ExposureState, u8)> =
        exposures(&out).iter().map(|e| (e.state, e.severity)).collect();
    let worse = before + SeverityEntry::default().answers_anyone;
    assert_eq!(raised, [(ExposureState::Idle, worse), (ExposureState::Update, worse)]);
    // Without a further finding: what is merged later learns it from a patient that was seen before.
    let observed: Vec<(u64, Worst, bool)> =
        x.take_observations().iter().map(|o| (o.records, o.worst, o.news.is_none())).collect();
    assert_eq!(observed, [(0, Worst { score: worse, unproven: 0 }, true); 2]);
    assert!(exposures(&out).iter().all(|e| e.access.answers() == Answers::Anyone));
    assert_eq!(x.active().iter().sum::<u64>(), 2, "the quiet one is still quiet");
    out.clear();
    x.service(observation, &mut out);
    assert_eq!(exposures(&out).len(), 0, "it is said once");
    x.finish(at(704), &mut out);
    assert!(x.is_empty());
}

#[test]
fn a_service_that_answers_anyone_makes_it_worse() {
    let grade = |title: &str| {
        let (mut x, mut out) = (tracker(), Vec::new());
        let facts = called(title, Outcome::Accepted, Authentication::None);
        x.finding(Sample { facts, ..Sample::default() }.build(), &mut out);
        exposures(&out)[0].severity
    };
    let points = SeverityEntry::default();
    assert_eq!(grade("ANY-SCU"), grade("WS9") + points.answers_anyone);
}

#[test]
fn objects_are_counted_once_and_operations_by_outcome() {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(Sample::default().build(), &mut out);
    let mut activity = Activity::default();
    activity.count("C-STORE", "request");
    activity.count("status", "not-authorized");
    let seen = Sample::default().build().flow;
    let elsewhere = flow("10.9.9.9:40000");
    for (flow, objects) in [
        (&seen, [(Object::Instance, token(1)), (Object::Study, token(9))]),
        (&seen, [(Object::Instance, token(2)), (Object::Study, token(9))]),
        (&seen, [(Object::Instance, token(1)), (Object::Commitment, token(1))]),
        // Another client of the service: not of this exposure.
        (&elsewhere, [(Object::Instance, token(3)), (Object::Study, token(9))]),
    ] {
        let what = FlowActivity {
            time: at(1),
            flow,
            protocol: "dicom",
            activity: &activity,
            objects: &objects,
            records: &[],
            repeated: packet(T0),
        };
        x.performed(what, &mut out);
    }
    x.finish(at(2), &mut out);
    let reported = &exposures(&out).last().expect("closed").figures;
    let values = |f: &ExposureTotals| [f.instances.value, f.studies.value, f.commitments.value];
    assert_eq!(values(reported), [2, 1, 1]);
    assert_eq!(reported.operations[&("C-STORE", "request")], 3);
    let services = services(&out);
    let last = services.last().expect("service");
    assert_eq!(values(&last.figures), [3, 1, 1]);
    assert_eq!((last.patients.value, last.figures.operations[&("C-STORE", "request")]), (1, 4));
    // It rejected a client.
    assert_eq!(last.access.answers(), Answers::Known);
    assert!(x.is_empty());
}

#[test]
fn a_move_and_what_came_of_it_name_each_other() {
    let archive = "10.1.2.3:11112";
    let asked = Sample { client: "10.0.0.7:5000", server: archive, ..Sample::default() };
    let stored = Sample { client: "10.1.2.3:40000", server: "10.0.0.8:104", ..Sample::default() };
    let perform =
        |x: &mut Exposures, flow, performed, title: &str, to: &str, out: &mut Vec<Event>| {
            let mut activity = Activity::default();
            activity.moved(performed, if performed { title } else { "WS1" }, to);
            let activity = &activity;
            let what = FlowActivity {
                time: at(1),
                flow: &flow,
                protocol: "dicom",
                activity,
                objects: &[],
                records: &[],
                repeated: packet(T0),
            };
            x.performed(what, out);
        };
    // In whatever order they are seen.
    for swapped in [false, true] {
        for (title, destination, tied) in [
            ("WS1", "VIEWER", true),
            ("", "VIEWER", true),
            ("WS2", "VIEWER", false),
            ("WS1", "OTHER", false),
        ] {
            let (mut x, mut out) = (tracker(), Vec::new());
            let (one, two) = (asked_of(&asked).build(), asked_of(&stored).build());
            let flows = [one.flow, two.flow];
            x.finding(one, &mut out);
            x.finding(two, &mut out);
            let mut sides = [(flows[0], false, "VIEWER"), (flows[1], true, destination)];
            if swapped {
                sides.reverse();
            }
            for (flow, performed, to) in sides {
                perform(&mut x, flow, performed, title, to, &mut out);
            }
            x.finish(at(2), &mut out);
            let closed: Vec<&Exposure> =
                exposures(&out).into_iter().filter(|e| e.state == ExposureState::Ended).collect();
            let [request, store] = closed[..] else { panic!("{}", closed.len()) };
            let to: Vec<String> = request.moved_to.iter().map(ToString::to_string).collect();
            let by: Vec<String> = store.moved_for.iter().map(ToString::to_string).collect();
            assert_eq!(to, if tied { vec!["10.0.0.8:104"] } else { vec![] });
            assert_eq!(by, if tied { vec!["10.0.0.7"] } else { vec![] });
            assert!(request.moved_for.is_empty() && store.moved_to.is_empty());
        }
    }
}

fn asked_of(sample: &Sample) -> Sample {
    Sample { client: sample.client, server: sample.server, ..Sample::default() }
}

#[test]
fn what_an_earlier_association_showed_is_not_forgotten() {
    let shows = |class: &str, station: Option<&str>| {
        let mut facts = called("CT1", Outcome::Accepted, Authentication::None);
        let dicom = facts.dicom();
        dicom.sop_classes.push(class.into());
        dicom.dimse.push("C-STORE".into());
        dicom.station = station.map(str::to_owned);
        facts
    };
    let (mut x, mut out) = (tracker(), Vec::new());
    let expose = |x: &mut Exposures, patient, facts, out: &mut Vec<Event>| {
        x.finding(Sample { patient, facts, ..Sample::default() }.build(), out);
    };
    expose(&mut x, 1, shows("1.2.1", Some("CT9")), &mut out);
    expose(&mut x, 2, shows("1.2.2", None), &mut out);
    // One that was refused says nothing new, but that.
    let mut refused = called("CT2", Outcome::Refused, Authentication::None);
    refused.dicom().rejected = Some("rejected-permanent".into());
    see(&mut x, A, refused, &mut out);
    x.finish(at(1), &mut out);
    let services = services(&out);
    let service = &services.last().expect("service").facts;
    let exposure = &exposures(&out).last().expect("closed").facts;
    for facts in [service, exposure] {
        let facts = facts.dicom.as_ref().expect("facts of DICOM");
        assert_eq!(facts.sop_classes, ["1.2.2", "1.2.1"]);
        assert_eq!(facts.station.as_deref(), Some("CT9"));
        assert_eq!(facts.calling_aet.as_deref(), Some("CT1"));
    }
    let dicom = service.dicom.as_ref().expect("facts of DICOM");
    assert_eq!(dicom.rejected.as_deref(), Some("rejected-permanent"));
}
