//! Segments that were read before give what reading them gave.

use super::units::{Said, read_as};
use super::*;
use crate::content::Media;

const MSH: &str =
    r"MSH|^~\&|ADT|WARD|ENGINE|MAIN|20260301101502||ADT^A08^ADT_A01|4711|P|2.5.1|||AL|NE||";
const PID: &str = "PID|1||H0709380^^^HOSP&1.2.3&ISO^MR~536-90-4399^^^USSSA^SS||Hartman^Jason^Q^^^^L||19591102|M|||\
    12 Main St^^Springfield^IL^62701^USA^H||(475)555-0132^PRN^PH~^NET^Internet^jh@example.org|||||ACC-000123^^^HOSP^AN";
const PV1: &str = "PV1|1|I|W7^101^A|||||||||||||||INS|V55120";
const NK1: &str = "NK1|1|Hartman^Eve|SPO^Spouse|12 Main St^^Springfield^IL^62701|(475)555-0133";
const INSURED: &str = "IN1|1|PPO7|4711|Example Health Plan||||||||||||Hartman^Jason|SEL|19591102|12 Main St^^Springfield^IL^62701|||||||||||||||||POL-993321";

fn read(values: &mut ValueCache, now: Timestamp, message: &[u8]) -> Said {
    read_as(Media::Hl7v2, values, &RULES, now, message, 1 << 20)
}

fn message(header: &str, segments: &[&str]) -> Vec<u8> {
    let lines: String = segments.iter().map(|segment| format!("{segment}\r")).collect();
    format!("{header}\r{lines}").into_bytes()
}

/// Messages that share segments, in the order in which they come.
fn messages() -> Vec<Vec<u8>> {
    let other = PID.replace("Hartman^Jason", "Miller^Ann").replace("H0709380", "H0709381");
    let control = PID.replace("Hartman^Jason^Q", "QC^Level 1").replace("19591102", "");
    let absurd = PID.replace("19591102", "19591399").replace("536-90-4399", "000-00-0000");
    let escaped = PID.replace("Hartman", r"Hart\T\man").replace("Springfield", r"Spring\X4141\");
    let swedish = PID.replace("Hartman", "Åkesson");
    let mut latin = message(&format!("{MSH}8859/1"), &[&swedish, NK1]);
    let at = latin.windows(2).position(|two| two == "Å".as_bytes()).expect("the name");
    latin.splice(at..at + 2, [0xC5]);
    let dollar = |text: &str| text.replace('^', "$");
    let report =
        "OBX|1|TX|11506-3^Note||Patient: Jason Hartman MRN: H0709380 Insurance no: POL-77||||||F";
    vec![
        message(MSH, &[PID, PV1, NK1, INSURED]),
        message(MSH, &[PID, NK1, INSURED, PV1]),
        // The same insured person beside another patient is not the patient.
        message(MSH, &[&other, PV1, NK1, INSURED]),
        message(MSH, &[PID, "SPM|1|||BLD|||||||Q", NK1, INSURED]),
        message(MSH, &[&control, "SPM|1|||BLD|||||||Q", NK1]),
        message(MSH, &[&absurd, NK1]),
        message(MSH, &[&escaped, NK1]),
        message(&format!("{MSH}UNICODE UTF-8"), &[&swedish, NK1]),
        latin,
        // Under other delimiters the same bytes are other fields.
        message(&dollar(MSH), &[PID, NK1]),
        message(&dollar(MSH), &[&dollar(PID), &dollar(NK1)]),
        // What a report says of the patient comes before the insurance.
        message(MSH, &[PID, report, INSURED]),
        message(MSH, &[PID, "IN2|1||536-90-4399||||POL-993321", INSURED, "IN2|1||536-90-4399"]),
        message(&MSH.replace("ADT^A08^ADT_A01", "ADT^A24^ADT_A24"), &[PID, PV1, &other, PV1]),
        message(&MSH.replace("|P|", "|T|"), &[PID, PV1]),
        message(MSH, &[NK1, PID, PID, NK1]),
    ]
}

#[test]
fn a_segment_that_was_read_before_gives_what_reading_it_gave() {
    let mut values = ValueCache::default();
    for round in 0..3 {
        for (n, message) in messages().iter().enumerate() {
            let fresh = read(&mut ValueCache::default(), NOW, message);
            assert!(!fresh.0.is_empty() || n == 4, "message {n}: {fresh:?}");
            assert_eq!(read(&mut values, NOW, message), fresh, "message {n}, round {round}");
        }
    }
    assert!(values.parts.kept() > 4, "{} segments", values.parts.kept());
}

#[test]
fn a_segment_is_judged_anew_on_another_day_and_by_other_rules() {
    let mut values = ValueCache::default();
    let message = message(MSH, &[PID, PV1]);
    let today = read(&mut values, NOW, &message);
    // The patient was not born yet.
    let early = Timestamp(-400_000_000_000_000_000);
    let fresh = read(&mut ValueCache::default(), early, &message);
    assert_ne!(fresh, today);
    assert_eq!(read(&mut values, early, &message), fresh);
    let nothing = RuleSet::default();
    let said = read_as(Media::Hl7v2, &mut values, &nothing, NOW, &message, 1 << 20);
    assert!(said.0.is_empty());
}

#[test]
fn parts_take_a_bounded_number_of_values() {
    let mut values = ValueCache::within(0, UnitTable::within(0).into());
    let most = values.parts.most();
    for n in 0..most {
        let pid = PID.replace("H0709380", &format!("H{n:07}"));
        read(&mut values, NOW, &message(MSH, &[&pid]));
        assert!(values.parts.values() <= most, "{} of {most}", values.parts.values());
    }
    let last = PID.replace("H0709380", &format!("H{:07}", most - 1));
    let fresh = read(&mut ValueCache::default(), NOW, &message(MSH, &[&last]));
    assert_eq!(read(&mut values, NOW, &message(MSH, &[&last])), fresh);
}
