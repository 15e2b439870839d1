//! Any order of calls with any values.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// One call to the collector.
#[derive(Clone, Debug)]
enum Step {
    Begin(u32, bool),
    Field(u32, Kind, String),
    Mark(u32, Mark),
    End(u32),
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,30}",
        "[A-D][a-e]{1,3}\\^[A-C][a-c]{1,2}",
        "[0-9]{1,3}",
        "19[5-9]010[1-3]",
        Just("UNKNOWN".to_owned()),
        Just("A*".to_owned()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let marks = [Mark::Deidentified, Mark::Query, Mark::PatientContext, Mark::Test, Mark::Result];
    prop_oneof![
        2 => (0..3u32, any::<bool>()).prop_map(|(at, s)| Step::Begin(at, s)),
        6 => (0..3u32, 0..Kind::ALL.len(), value())
            .prop_map(|(at, k, v)| Step::Field(at, Kind::ALL[k], v)),
        2 => (0..3u32, prop_oneof![Just(Name), Just(PatientId), Just(BirthDate)], value())
            .prop_map(|(at, k, v)| Step::Field(at, k, v)),
        1 => (0..3u32, 0..5usize).prop_map(move |(at, m)| Step::Mark(at, marks[m])),
        2 => (0..3u32).prop_map(Step::End),
    ]
}

proptest! {
    #[test]
    fn findings_stay_in_order_and_only_grow(steps in prop::collection::vec(step(), 0..200)) {
        let mut flow = Flow::with(Key::fixed(3), 5, 6);
        for step in &steps {
            match step {
                Step::Begin(at, structured) => flow.begin(ContentId(*at), "hl7v2", *structured),
                Step::Field(at, kind, value) => flow.field(ContentId(*at), (*kind, value, "")),
                Step::Mark(at, mark) => flow.sink().mark(ContentId(*at), *mark),
                Step::End(at) => flow.end(ContentId(*at)),
            }
        }
        flow.sink().finish(&ServiceFacts::default());
        prop_assert!(flow.patients.open.is_empty());

        let mut latest: Vec<&Finding> = Vec::new();
        for finding in &flow.out {
            let index = finding.ordinal as usize;
            prop_assert!(!finding.identifiers.is_empty() && finding.identifiers.len() <= 6);
            match latest.get_mut(index) {
                Some(before) => {
                    prop_assert!(finding.update);
                    prop_assert_eq!(finding.patient, before.patient);
                    let more_health = !finding.marks.health().without(before.marks).is_empty();
                    let more = finding.identifiers.len() > before.identifiers.len();
                    prop_assert!(more || more_health);
                    prop_assert!(finding.records > before.records);
                    for (old, new) in before.identifiers.iter().zip(finding.identifiers.iter()) {
                        prop_assert!(old.kind == new.kind && old.token == new.token);
                    }
                    *before = finding;
                }
                None => {
                    prop_assert!(!finding.update && index == latest.len() && index < 5);
                    latest.push(finding);
                }
            }
        }
        let mut owners: HashMap<Token, u32> = HashMap::new();
        for finding in &latest {
            prop_assert_eq!(owners.insert(finding.patient, finding.ordinal), None);
        }
        let shown: u64 = latest.iter().map(|f| f.identifiers.len() as u64).sum();
        prop_assert_eq!(shown, flow.counters.identifiers().map(|(_, n)| n).sum::<u64>());
    }
}
