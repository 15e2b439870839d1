//! Properties of merging that hold for any split of the traffic.

use super::*;
use crate::identify::{StrongTrait, Token, TraitSet};
use crate::rules::{Kind, KindSet};
use crate::time::Timestamp;
use proptest::prelude::*;

const KEY: &str = "k_1";
const SECOND: i64 = 1_000_000_000;

fn token(n: u64) -> Token {
    Token::of_hash(blake3::hash(&n.to_be_bytes()).as_bytes())
}

/// Patient `patient`, seen `records` times in flow `flow` of client `client`.
fn fact(client: u8, flow: u16, patient: u64, records: u32) -> Fact {
    let started = Timestamp(i64::from(flow) * 10 * SECOND);
    let id =
        StrongTrait { kind: Kind::PatientId, token: token(patient + (1 << 40)), issuer: (0, 0) };
    Fact {
        key: FactKey {
            protocol: ProtocolName::new("hl7").expect("a name"),
            flow: FlowId {
                client: format!("10.0.0.{client}:{}", 40_000 + flow).parse().expect("address"),
                server: "10.1.0.1:2575".parse().expect("address"),
                transport: 6,
                initial: Some(u32::from(flow) * 77),
                started,
            },
            patient: token(patient),
        },
        seen: Seen {
            first: Timestamp(started.0 + SECOND),
            last: Timestamp(started.0 + i64::from(records) * SECOND),
            records,
            kinds: [Kind::Name, Kind::PatientId].into_iter().collect::<KindSet>(),
            severity: (patient % 100) as u8,
            unproven: (patient % 100) as u8,
            proven: false,
            traits: TraitSet::new(vec![id], Vec::new(), Vec::new()),
        },
    }
}

fn summary<'a>(most: usize, facts: impl IntoIterator<Item = &'a Fact>) -> Summary {
    let mut summary = Summary::holding(most);
    for fact in facts {
        summary.add(KEY, fact);
    }
    summary
}

fn totals(summary: &Summary) -> (u64, u64, u64, usize) {
    let numbers = Numbers::from(summary);
    let key = numbers.keys.first().expect("a key");
    (key.patients.value, key.findings.value, key.records.value, key.exposures.len())
}

fn skewed(fact: &Fact, by: i64, shaken: bool) -> Fact {
    let mut fact = fact.clone();
    fact.key.flow.started.0 += by;
    fact.seen.first.0 += by;
    fact.seen.last.0 += by;
    if !shaken {
        fact.key.flow.initial = None;
    }
    fact
}

#[test]
fn what_two_sensors_saw_of_one_flow_counts_once() {
    let seen: Vec<Fact> = (0..20).map(|n| fact(n % 3, n.into(), u64::from(n % 7), 5)).collect();
    let alone = summary(MAX_FACTS, &seen);
    assert_eq!(totals(&alone), (7, 20, 100, 3));
    // Another clock, no handshake seen, and the beginning missed.
    for (by, shaken) in [(0, true), (SECOND, true), (-SECOND, true), (SECOND, false)] {
        let mut other =
            summary(MAX_FACTS, &seen.iter().map(|f| skewed(f, by, shaken)).collect::<Vec<_>>());
        other.merge(&alone);
        assert_eq!(totals(&other), totals(&alone), "{by} {shaken}");
    }
    let mut late = seen.clone();
    late.iter_mut().for_each(|fact| fact.seen.records = 2);
    let mut both = summary(MAX_FACTS, &late);
    both.merge(&alone);
    assert_eq!(totals(&both), totals(&alone), "who saw most counts");
}

#[test]
fn connections_of_the_same_ports_are_told_apart() {
    let one = fact(1, 1, 1, 3);
    // The same ports, later, with another handshake.
    let mut again = skewed(&one, 60 * SECOND, true);
    again.key.flow.initial = Some(1);
    assert_eq!(totals(&summary(MAX_FACTS, [&one, &again])), (1, 2, 6, 1));
    // At the same time: the handshakes differ.
    let mut at_once = one.clone();
    at_once.key.flow.initial = Some(1);
    assert_eq!(totals(&summary(MAX_FACTS, [&one, &at_once])), (1, 2, 6, 1));
    // Without handshakes, much later.
    let (one, later) = (skewed(&one, 0, false), skewed(&one, 60 * SECOND, false));
    assert_eq!(totals(&summary(MAX_FACTS, [&one, &later])), (1, 2, 6, 1));
    // A flow without handshake does not link two connections.
    let first = fact(1, 1, 1, 3);
    let mut second = skewed(&first, 5 * SECOND, true);
    second.key.flow.initial = Some(2);
    let mut long = skewed(&first, 0, false);
    long.seen.last.0 += 30 * SECOND;
    assert_eq!(totals(&summary(MAX_FACTS, [&first, &second, &long])), (1, 2, 6, 1));
}

/// An attacker can open any number of connections from one port.
#[test]
fn flows_of_the_same_ports_cost_in_proportion_to_their_number() {
    for shaken in [true, false] {
        let many: Vec<Fact> = (0..200_000)
            .map(|n| {
                let mut one = fact(1, 1, n, 1);
                one.key.flow.started = Timestamp(n as i64 * 100 * SECOND);
                one.key.flow.initial = shaken.then_some(n as u32);
                one.seen.first = one.key.flow.started;
                one.seen.last = one.key.flow.started;
                one
            })
            .collect();
        // Comparing each with all earlier ones would take 2 * 10^10 comparisons.
        let numbers = Numbers::from(&summary(MAX_FACTS, &many));
        assert_eq!(numbers.keys[0].exposures[0].flows.value, 200_000);
    }
}

#[test]
fn people_are_recognised_across_sensors() {
    let mut one = fact(1, 1, 1, 1);
    let mut other = fact(2, 2, 2, 1);
    // Two pseudonyms with one number.
    let id = StrongTrait { kind: Kind::PatientId, token: token(5), issuer: (3, 0) };
    one.seen.traits = TraitSet::new(vec![id], Vec::new(), Vec::new());
    other.seen.traits = one.seen.traits.clone();
    let mut both = summary(MAX_FACTS, [&one]);
    both.merge(&summary(MAX_FACTS, [&other]));
    assert_eq!(totals(&both), (1, 2, 2, 2));
}

#[test]
fn people_of_two_keys_are_counted_apart() {
    let mut both = summary(MAX_FACTS, [&fact(1, 1, 1, 1)]);
    both.add("k_2", &fact(1, 1, 1, 1));
    let numbers = Numbers::from(&both);
    assert_eq!(numbers.keys.len(), 2);
    assert!(numbers.keys.iter().all(|key| key.patients.value == 1));
    assert_eq!(numbers.exposures(), 1, "client and service are the same");
}

#[test]
fn a_run_that_reports_again_counts_once() {
    let (run, mut all) = (("s".to_owned(), "r_1".to_owned()), Summary::default());
    let at = |packets| RunNumbers { packets, ..RunNumbers::default() };
    for packets in [10, 30, 20, 30] {
        all.add_run(run.clone(), at(packets));
    }
    assert_eq!(all.runs[&run], at(30));
}

#[test]
fn many_patients_make_an_exposure_as_severe_as_the_rules_of_the_runs_say() {
    let of = |patients: u64| -> Vec<Fact> {
        (0..patients)
            .map(|n| Fact {
                seen: Seen { severity: 50, ..fact(1, n as u16, n, 1).seen },
                ..fact(1, n as u16, n, 1)
            })
            .collect()
    };
    let severity = |of: &Summary| Numbers::from(of).keys[0].exposures[0].severity;
    let points = RunNumbers { patients_10: 5, patients_500: 15, ..RunNumbers::default() };
    for (patients, expected) in [(9, 50), (10, 55), (499, 55), (500, 65)] {
        // Two sensors: neither of them sees all.
        let facts = of(patients);
        let (one, other) = facts.split_at(facts.len() / 2);
        let mut all = summary(MAX_FACTS, one);
        all.merge(&summary(MAX_FACTS, other));
        assert_eq!(severity(&all), 50, "no run has said how many points there are");
        all.add_run(("s".into(), "r_1".into()), points);
        all.add_run(("s".into(), "r_2".into()), RunNumbers { packets: 9, ..RunNumbers::default() });
        assert_eq!(severity(&all), expected, "{patients} patients");
    }
    let mut most = summary(MAX_FACTS, &of(10));
    most.add_run(("s".into(), "r".into()), RunNumbers { patients_10: 255, ..points });
    assert_eq!(severity(&most), 100, "a forged run");
}

#[test]
fn a_proof_that_only_another_sensor_saw_makes_an_exposure_as_severe_as_one_run_would() {
    let seen = |client: u8, unproven: u8, score: u8| Fact {
        seen: Seen {
            severity: score,
            unproven,
            proven: unproven == 0,
            ..fact(client, 1, u64::from(client), 1).seen
        },
        ..fact(client, 1, u64::from(client), 1)
    };
    // The first sensor saw one client before any proof, and the second another client, to which the service proved to
    // answer anyone. The third saw another service.
    let mut elsewhere = seen(3, 60, 60);
    elsewhere.key.flow.server = "10.1.0.1:2576".parse().expect("address");
    let parts = [vec![seen(1, 50, 50)], vec![seen(2, 0, 70)], vec![elsewhere]];
    let points = RunNumbers { answers_anyone: 15, ..RunNumbers::default() };
    for most in [MAX_FACTS, 1] {
        let mut orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]].map(|order| {
            let mut all = Summary::holding(most);
            all.add_run(("s".into(), "r".into()), points);
            for part in order {
                all.merge(&summary(most, &parts[part]));
            }
            let numbers = Numbers::from(&all);
            numbers.keys[0].exposures.iter().map(|e| (e.severity, e.open)).collect::<Vec<_>>()
        });
        orders.iter_mut().for_each(|of| of.sort_unstable());
        assert!(orders.iter().all(|of| *of == [(60, false), (65, true), (70, true)]), "{orders:?}");
    }
    // The same fact from both: the better score may be that without proof.
    let mut both = summary(MAX_FACTS, &[seen(1, 0, 60)]);
    both.merge(&summary(MAX_FACTS, &[seen(1, 55, 55)]));
    both.add_run(("s".into(), "r".into()), points);
    assert_eq!(Numbers::from(&both).keys[0].exposures[0].severity, 70);
    // Events of a phitap that did not write of proofs are as they were.
    let old = r#"{"facts":[{"c":"10.0.0.1:40000","s":"10.1.0.1:2575","t":6,"b":0,"p":"hl7","w":"TOKEN","f":0,"l":1,"n":1,"v":50,"k":["name"]}]}"#;
    let part = Part::of_json(old.replace("TOKEN", &token(1).to_string()).as_bytes());
    let mut read = Summary::default();
    read.add_run(("s".into(), "r".into()), points);
    assert_eq!(part.read(KEY, "s", &mut read), Ok(1));
    read.merge(&summary(MAX_FACTS, &[seen(2, 0, 70)]));
    let numbers = Numbers::from(&read);
    let severities: Vec<u8> = numbers.keys[0].exposures.iter().map(|e| e.severity).collect();
    assert_eq!(severities, [50, 70]);
}

#[test]
fn beyond_the_cap_counts_are_estimates_near_the_truth() {
    let facts: Vec<Fact> =
        (0..6_000u32).map(|n| fact((n % 4) as u8, n as u16, u64::from(n % 3_000), 2)).collect();
    let exact = summary(MAX_FACTS, &facts);
    let sketched = summary(1_000, &facts);
    let numbers = Numbers::from(&sketched);
    let key = &numbers.keys[0];
    assert!(key.patients.estimate && sketched.held() == 0);
    let near = |estimate: u64, truth: u64| estimate.abs_diff(truth) * 20 <= truth;
    let truth = totals(&exact);
    assert!(near(key.patients.value, truth.0), "{:?} {truth:?}", key.patients);
    assert!(near(key.findings.value, truth.1) && near(key.records.value, truth.2));
    assert_eq!(key.exposures.len(), truth.3);
}

#[test]
fn a_part_comes_back_as_it_was_and_damage_is_refused() {
    let facts: Vec<Fact> = (0..600).map(|n| fact(1, n, u64::from(n), 1)).collect();
    for most in [MAX_FACTS, 100] {
        let mut whole = summary(most, &facts);
        whole.add_run(
            ("s".into(), "r_1".into()),
            RunNumbers { packets: 3, ..RunNumbers::default() },
        );
        let mut back = Summary::holding(most);
        for part in whole.keys[KEY].parts() {
            part.read(KEY, "s", &mut back).expect("as written");
            let json = serde_json::to_string(&part).expect("JSON");
            assert_eq!(serde_json::from_str::<Part>(&json).expect("JSON"), part);
        }
        let figures = RunNumbers { packets: 3, ..RunNumbers::default() };
        Part::of_run("r_1".into(), figures).read(KEY, "s", &mut back).expect("as written");
        assert_eq!(back, whole);
    }
    let good = summary(MAX_FACTS, &facts).keys[KEY].parts().remove(0);
    let before = Summary::default();
    let refused = |part: Part, key: &str, why: PartError| {
        let mut into = before.clone();
        assert_eq!(part.read(key, "s", &mut into), Err(why));
        assert_eq!(into, before, "nothing of it was added");
    };
    refused(Part { version: 2, ..good.clone() }, KEY, PartError::Version(2));
    refused(Part { data: "AAAA".into(), ..good.clone() }, KEY, PartError::Damaged);
    refused(Part { data: "\u{0}".into(), ..good.clone() }, KEY, PartError::Damaged);
    refused(good.clone(), "", PartError::Damaged);
    refused(good.clone(), &"k".repeat(200), PartError::Damaged);
    let cut = good.data[..good.data.len() / 2].to_owned();
    refused(Part { data: cut, ..good }, KEY, PartError::Damaged);
    refused(
        Part { data: bomb(), ..Part::of_run(String::new(), RunNumbers::default()) },
        KEY,
        PartError::Damaged,
    );
}

/// 100 MB of spaces in 100 kB.
fn bomb() -> String {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..100 {
        encoder.write_all(&vec![b' '; 1 << 20]).expect("memory");
    }
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(encoder.finish().expect("memory"))
}

/// Facts of few flows and patients, so that many are equal.
fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let one = (0u8..3, 0u16..6, 0u64..5, 1u32..5, -3i64..3, any::<bool>());
    let one = one.prop_map(|(client, flow, patient, records, skew, shaken)| {
        skewed(&fact(client, flow, patient, records), skew * SECOND, shaken)
    });
    proptest::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_over_sensors_gives_the_same(facts in facts(), split in proptest::collection::vec(0usize..4, 40), most in prop_oneof![Just(8usize), Just(MAX_FACTS)]) {
        let whole = summary(most, &facts);
        let part = |n: usize| {
            // All sensors see the facts assigned to sensor 3.
            let of = |(fact, at): (_, &usize)| (*at == n || *at == 3).then_some(fact);
            summary(most, facts.iter().zip(&split).filter_map(of))
        };
        let parts = [part(0), part(1), part(2)];
        let merged = |order: [usize; 4]| {
            let mut all = Summary::holding(most);
            order.into_iter().for_each(|n| all.merge(&parts[n]));
            all
        };
        let first = merged([0, 1, 2, 0]);
        prop_assert_eq!(&first, &whole);
        prop_assert_eq!(&merged([2, 1, 0, 1]), &whole);
        // (0 1) 2 = 0 (1 2)
        let mut right = parts[1].clone();
        right.merge(&parts[2]);
        let mut all = parts[0].clone();
        all.merge(&right);
        prop_assert_eq!(&all, &whole);
        prop_assert_eq!(Numbers::from(&all), Numbers::from(&whole));
    }

    #[test]
    fn garbage_is_no_part(data in ".{0,200}", key in "[a-z]{1,5}") {
        let mut into = Summary::default();
        let part = Part { version: VERSION, facts: 1, data: data.clone(), ..Part::default() };
        let read = part.read(&key, "s", &mut into);
        prop_assert!(data.is_empty() || read == Err(PartError::Damaged));
        prop_assert!(into.is_empty());
    }
}

#[test]
fn keys_that_anybody_makes_up_share_what_there_is_in_any_order() {
    let most = 64;
    let facts: Vec<Fact> = (0..most as u16).map(|n| fact(1, n, u64::from(n), 1)).collect();
    let fill = |keys: &[usize]| {
        let mut summary = Summary::holding(most);
        for key in keys {
            // Each key has a few facts less than the one before it.
            let few = facts.len() - key % 60;
            for fact in facts.iter().take(few) {
                summary.add(&format!("k{key:03}"), fact);
            }
        }
        summary
    };
    let few: Vec<usize> = (0..4).collect();
    assert_eq!(fill(&few).held(), 64 + 63 + 62 + 61, "some keys have all they need");
    let many: Vec<usize> = (0..90).collect();
    let backwards: Vec<usize> = many.iter().rev().copied().collect();
    let (one, other) = (fill(&many), fill(&backwards));
    assert!(one.held() <= 4 * most, "{} facts are held", one.held());
    assert_eq!(one, other);
    let mut merged = fill(&backwards[40..]);
    merged.merge(&fill(&backwards[..50]));
    assert_eq!(merged, one);
}

#[test]
fn a_part_that_says_how_much_it_holds_must_hold_it() {
    let facts = [fact(1, 1, 1, 1)];
    let part = Part::of_facts(facts.iter().map(|fact| (&fact.key, &fact.seen)));
    assert!(part.open(KEY, "s").is_ok());
    for (facts, data) in
        [(1_000_000_000_000, part.data.clone()), (0, part.data.clone()), (1, String::new())]
    {
        let forged = Part { facts, data, ..part.clone() };
        assert_eq!(forged.open(KEY, "s").err(), Some(PartError::Damaged));
    }
}
