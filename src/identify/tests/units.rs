//! Units that were read before give what reading them gave.

use super::*;
use crate::capture::{PacketRef, PacketSpan};
use crate::content::{ContentCounters, Contents, Ending, Env, Media};
use crate::protocol::Hint;
use crate::rules::RuleSet;

/// One flow's answer, read in pieces of `piece` bytes, with the values and units of `values`.
fn read(
    values: &mut ValueCache,
    rules: &RuleSet,
    now: Timestamp,
    text: &str,
    piece: usize,
) -> Said {
    read_at("", values, rules, now, text, piece)
}

/// The same from this path.
fn read_at(
    path: &str,
    values: &mut ValueCache,
    rules: &RuleSet,
    now: Timestamp,
    text: &str,
    piece: usize,
) -> Said {
    let media = Media::Type { content_type: "application/fhir+ndjson", name: path };
    read_as(media, values, rules, now, text.as_bytes(), piece)
}

/// The same of this type.
pub(super) fn read_as(
    media: Media<'_>,
    values: &mut ValueCache,
    rules: &RuleSet,
    now: Timestamp,
    text: &[u8],
    piece: usize,
) -> Said {
    let settings = Settings {
        key: Key::fixed(7),
        reveal: false,
        patients_per_flow: 1000,
        identifiers_per_patient: 64,
    };
    let (mut patients, mut out) = (Patients::default(), Vec::new());
    let (mut counters, mut content) = (IdentifyCounters::default(), ContentCounters::default());
    let (mut contents, mut facts) = (Contents::default(), ServiceFacts::default());
    let id = contents.open(&Hint {
        direction: Direction::ServerToClient,
        media,
        operation: "GET",
        codings: &[],
        layer: "http",
    });
    let mut since = PacketRef { number: 1, time: now, interface: 0 };
    for (n, bytes) in text.chunks(piece).map(Some).chain([None]).enumerate() {
        let mut sink = Collector {
            settings: &settings,
            rules,
            now,
            packets: PacketSpan::of(PacketRef { number: n as u64 + 1, time: now, interface: 0 }),
            since,
            patients: &mut patients,
            values,
            out: &mut out,
            counters: &mut counters,
        };
        let mut env = Env { rules, sink: &mut sink, facts: &mut facts, counters: &mut content };
        match bytes {
            Some(bytes) => {
                contents.data(id, bytes, &mut env);
            }
            None => contents.close(id, Ending::Complete, &mut env),
        }
        since = sink.since;
    }
    let finding = |f: &Finding| {
        let shown = |i: &Identifier| format!("{} {} {}", i.kind.as_str(), i.shown.text(), i.token);
        let identifiers: Vec<_> = f.identifiers.iter().map(shown).collect();
        let packets = f.packets.first.number..=f.packets.last.number;
        format!("{} {packets:?} {:?} {:?} {identifiers:?}", f.patient, f.marks, f.carrier)
    };
    let counts = [counters.records, counters.below_policy, counters.implausible, counters.phantoms];
    content.records.sort_unstable();
    (out.iter().map(finding).collect(), counts, content.records)
}

/// Findings, what identify counted, records by format.
pub(super) type Said = (Vec<String>, [u64; 4], Vec<(&'static str, u64)>);

/// People, with a resource without a patient and a row of invalid JSON between them.
fn rows(end: &str) -> String {
    let rows = [
        r#"{"resourceType":"Patient","id":"a1","identifier":[{"system":"urn:oid:1.2.3","value":"H0709380"}],"name":[{"family":"Hartman","given":["Jason","Q"]}],"birthDate":"1959-11-02","gender":"male"}"#,
        r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"subject":{"reference":"Patient/a1"},"valueQuantity":{"value":12.3}}"#,
        r#"{"patient":{"first_name":"Jane","last_name":"Moor","dob":"1971-03-05","mrn":"77120934"},"note":"one, \"two\" {three}"}"#,
        r#"{"resourceType":"Patient","id":"b2","name":[{"text":"Zoë Stern"}],"birthDate":"2999-99-99","telecom":[{"system":"phone","value":"(475) 555-0132"}]}"#,
        r#"{"unit":"ward 7","beds":[1,2,3,4],"open":true,"remark":"no names here, only beds and numbers of beds"}"#,
    ];
    rows.map(|row| format!("{row}{end}")).concat()
}

#[test]
fn a_row_that_was_read_before_gives_what_reading_it_gave() {
    let mut values = ValueCache::default();
    read(&mut values, &RULES, NOW, &rows("\n"), 1 << 20);
    for end in ["\n", "\r\n", "\n\n"] {
        for piece in [1, 7, 100, 333, 1460, 1 << 20] {
            let fresh = read(&mut ValueCache::default(), &RULES, NOW, &rows(end), piece);
            assert_eq!(fresh.0.len(), 3, "three people: {:?}", fresh.0);
            let again = read(&mut values, &RULES, NOW, &rows(end), piece);
            assert_eq!(again, fresh, "{end:?} in pieces of {piece}");
        }
    }
}

#[test]
fn a_row_is_not_taken_for_another_one() {
    let text = rows("\n");
    let mut values = ValueCache::default();
    let before = read(&mut values, &RULES, NOW, &text, 500);
    let other = text.replace("Hartman", "Hartmut").replace("77120934", "77120935");
    let fresh = read(&mut ValueCache::default(), &RULES, NOW, &other, 500);
    assert_ne!(fresh, before);
    assert_eq!(read(&mut values, &RULES, NOW, &other, 500), fresh);
}

#[test]
fn a_row_is_judged_anew_by_other_rules_and_on_another_day() {
    let text = rows("\n");
    let mut values = ValueCache::default();
    assert_eq!(read(&mut values, &RULES, NOW, &text, 500).0.len(), 3);
    // Two of them were not born yet.
    let early = Timestamp(-40_000_000_000_000_000);
    let fresh = read(&mut ValueCache::default(), &RULES, early, &text, 500);
    assert_eq!(read(&mut values, &RULES, early, &text, 500), fresh);
    let nothing = RuleSet::default();
    let fresh = read(&mut ValueCache::default(), &nothing, NOW, &text, 500);
    assert_eq!(read(&mut values, &nothing, NOW, &text, 500), fresh);
    assert!(fresh.0.is_empty());
}

#[test]
fn a_resource_gives_the_same_in_any_pieces_and_when_it_is_cut() {
    let path = "/fhir/Patient/a1";
    let text = rows("").split_inclusive("\"male\"}").next().expect("a patient").to_owned();
    let mut values = ValueCache::default();
    for end in [text.len(), text.len() - 1, text.len() / 2, 3 * text.len() / 4] {
        let whole = read_at(path, &mut ValueCache::default(), &RULES, NOW, &text[..end], 1 << 20);
        assert_eq!(whole.0.len(), 1, "{:?}", whole.0);
        assert!(end < text.len() || whole.0[0].contains("sex *"), "{:?}", whole.0);
        for piece in [1, 30, 100] {
            let said = read_at(path, &mut values, &RULES, NOW, &text[..end], piece);
            let without_packets = |said: &Said| -> Vec<String> {
                let bare = |f: &String| f.find("MarkSet").map_or("", |at| &f[at..]).to_owned();
                said.0.iter().map(bare).collect()
            };
            assert_eq!(without_packets(&said), without_packets(&whole), "{end}, {piece}");
            assert_eq!((said.1, &said.2), (whole.1, &whole.2), "{end}, {piece}");
        }
    }
}

#[test]
fn what_a_list_changes_depends_on_its_path() {
    let text = r#"[{"op":"replace","path":"/birthDate","value":"1959-11-02"},{"op":"add","path":"/name/0/text","value":"Jason Hartman"}]"#;
    let mut values = ValueCache::default();
    let path = |of: &str| format!("/fhir/{of}/7");
    for of in ["Patient", "Organization", "Patient"] {
        let fresh = read_at(&path(of), &mut ValueCache::default(), &RULES, NOW, text, 1 << 20);
        assert_eq!(read_at(&path(of), &mut values, &RULES, NOW, text, 1 << 20), fresh, "{of}");
        assert_eq!(fresh.0.len(), usize::from(of == "Patient"), "{of}: {:?}", fresh.0);
    }
}
