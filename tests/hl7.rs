//! HL7 v2 messages in all forms: what must be reported of each, and nothing else.

use phitap::content::Mark;
use phitap::exposure::FindingEvent;
use phitap::flow::Direction::{self, ClientToServer, ServerToClient};
use phitap::pipeline::test_harness::{Conversation, TestHarness, TestPacket};
use phitap::rules::RuleSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static LAB: LazyLock<TestHarness> = LazyLock::new(|| {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), true).expect("random bytes")
});

const MESSAGES: &str = include_str!("hl7/messages.txt");

/// A conversation in pieces of `size` bytes.
fn conversation(turns: &[(Direction, &[u8])], size: usize) -> Vec<TestPacket> {
    let mut conversation = Conversation::new(([10, 1, 7, 31], 40_000), ([10, 1, 2, 9], 2575), size);
    for (direction, bytes) in turns {
        conversation.say(*direction, bytes);
    }
    conversation.packets()
}

/// Both directions of a connection.
fn packets(client: &[u8], server: &[u8], size: usize) -> Vec<TestPacket> {
    conversation(&[(ClientToServer, client), (ServerToClient, server)], size)
}

/// The last revision of each finding, in order.
fn findings(client: &[u8], server: &[u8], size: usize) -> Vec<FindingEvent> {
    let mut last: BTreeMap<u32, FindingEvent> = BTreeMap::new();
    for finding in LAB.run(&packets(client, server, size)) {
        last.insert(finding.finding.ordinal, finding);
    }
    last.into_values().collect()
}

/// `kind=value` of a finding.
fn identifiers(finding: &FindingEvent) -> BTreeSet<String> {
    let found = finding.finding.identifiers.iter();
    found.map(|i| format!("{}={}", i.kind.as_str(), i.shown.text())).collect()
}

fn marks(finding: &FindingEvent) -> BTreeSet<String> {
    let name = |mark: Mark| match mark {
        Mark::PatientContext => "patient_context".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    finding.finding.marks.iter().map(name).collect()
}

fn framed(message: &str) -> Vec<u8> {
    [b"\x0b", message.as_bytes(), b"\x1c\r"].concat()
}

struct Case {
    name: &'static str,
    message: String,
    patients: BTreeSet<(BTreeSet<String>, BTreeSet<String>)>,
}

fn cases() -> Vec<Case> {
    MESSAGES
        .split("\n=== ")
        .skip(1)
        .map(|part| {
            let (name, rest) = part.split_once('\n').expect("name");
            let (message, truth) = rest.split_once("\n---\n").unwrap_or((rest, ""));
            let message = message.trim_end().replace('\n', "\r") + "\r";
            let patient = |line: &str| {
                let (identifiers, marks) = line.split_once(" | ").unwrap_or((line, ""));
                (
                    identifiers.split("; ").map(|i| i.trim().to_owned()).collect(),
                    marks.split_whitespace().map(str::to_owned).collect(),
                )
            };
            let patients = truth.lines().filter(|l| !l.trim().is_empty()).map(patient).collect();
            Case { name, message: message.trim_end_matches("\r---\r").to_owned(), patients }
        })
        .collect()
}

#[test]
fn exactly_what_messages_say_of_their_patients() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 20, "{}", cases.len());
    for case in &cases {
        for size in [1460, 61] {
            let found: BTreeSet<_> = findings(&framed(&case.message), b"", size)
                .iter()
                .map(|d| (identifiers(d), marks(d)))
                .collect();
            if found != case.patients {
                wrong.push(format!(
                    "{} ({size}):\n   {found:?}\nnot {:?}",
                    case.name, case.patients
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_messages_of_a_connection_at_once() {
    let (mut stream, mut expected) = (Vec::new(), BTreeSet::new());
    for case in cases() {
        stream.extend(framed(&case.message));
        expected.extend(case.patients.into_iter().map(|(identifiers, _)| identifiers));
    }
    let found: BTreeSet<_> = findings(&stream, b"", 536).iter().map(identifiers).collect();
    let differ: Vec<_> = found.symmetric_difference(&expected).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

/// A message of the hospital, for tests of the framing.
const ADMISSION: &str = "MSH|^~\\&|ADT|NORTH|HIS|SOUTH|20260301||ADT^A01|M1|P|2.5\rPID|1||H01^^^N^MR||Hartman^Jason||19591102|M\r";
const RESULT: &str = "MSH|^~\\&|LAB|NORTH|HIS|SOUTH|20260301||ORU^R01|M2|P|2.5\rPID|1||H02^^^N^MR||Erickson^Sara||20131125|F\rOBX|1|NM|718-7||13\r";

fn names(client: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for size in [1, 7, 1460] {
        let found: Vec<String> = findings(client, b"", size)
            .iter()
            .flat_map(identifiers)
            .filter_map(|i| i.strip_prefix("name=").map(str::to_owned))
            .collect();
        if size > 1 {
            assert_eq!(found, names, "in pieces of {size}");
        }
        names = found;
    }
    names
}

#[test]
fn every_framing_of_mllp_is_read() {
    let both = ["Hartman^Jason", "Erickson^Sara"];
    let batch = format!("FHS|^~\\&|A\rBHS|^~\\&|A\r{ADMISSION}{RESULT}BTS|2\rFTS|1\r");
    for stream in [
        [framed(ADMISSION), framed(RESULT)].concat(),
        // The hybrid protocol with length and checksum.
        format!("\x0bD23\r{ADMISSION}00123456\x1c\r\x0bD23\r{RESULT}00123456\x1c\r").into_bytes(),
        // No end block, no start block, no framing.
        format!("\x0b{ADMISSION}\x0b{RESULT}\x1c\r").into_bytes(),
        format!("{ADMISSION}\x1c\r{RESULT}\x1c\r").into_bytes(),
        format!("{ADMISSION}{RESULT}").into_bytes(),
        format!("\x0b{ADMISSION}\r{RESULT}\x1c\r").into_bytes(),
        // Keep-alive bytes before, between and after; an end block without CR; CR LF.
        format!("\0\0\r\n\x0b{ADMISSION}\x1c\0\0\r\n \x0b{RESULT}\x1c\r\n\0").into_bytes(),
        format!(
            "\x0b{}\x1c\r\x0b{}\x1c",
            ADMISSION.replace('\r', "\r\n"),
            RESULT.replace('\r', "\n")
        )
        .into_bytes(),
        format!("\x02{ADMISSION}\x03\r\n\x02{RESULT}\x03").into_bytes(),
        batch.clone().into_bytes(),
        framed(&batch),
    ] {
        assert_eq!(names(&stream), both, "{}", String::from_utf8_lossy(&stream).escape_debug());
    }
}

#[test]
fn other_formats_in_the_same_framing() {
    let xdt: String = ["80006301", "3000E77", "3101Hartman", "3102Jason", "310302111959"]
        .into_iter()
        .map(|field| format!("{:03}{field}\r\n", field.len() + 5))
        .collect();
    let formats = [
        ("xdt", xdt.as_str()),
        (
            "edifact",
            "UNA:+.? 'UNB+UNOC:3+LAB+GP+260302:0820+17'UNH+1+MEDRPT:0:1:RT:NHS003'S01+01'S06+06'S07+07'\
             PNA+PAT+9435492908:NHS+++SU:Hartman+FO:Jason'DTM+329:19591102:102'UNT+1+1'UNZ+1+17'",
        ),
        (
            "poct1a",
            "<OBS.R01><HDR/><SVC><PT><PT.patient_id V=\"M7\"/><PT.name V=\"Hartman^Jason\"/></PT></SVC></OBS.R01>",
        ),
        (
            "script",
            "<Message xmlns=\"http://www.ncpdp.org/schema/SCRIPT\"><Body><NewRx><Patient><HumanPatient><Name>\
             <LastName>Hartman</LastName><FirstName>Jason</FirstName></Name><DateOfBirth><Date>1959-11-02</Date>\
             </DateOfBirth></HumanPatient></Patient></NewRx></Body></Message>",
        ),
        (
            "fhir",
            "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Hartman\",\"given\":[\"Jason\"]}]}",
        ),
        (
            "fhir",
            "<Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\"Hartman\"/><given value=\"Jason\"/></name></Patient>",
        ),
    ];
    for (format, text) in formats {
        let stream = [framed(text), framed(RESULT)].concat();
        assert_eq!(names(&stream), ["Hartman^Jason", "Erickson^Sara"], "{format}");
        let found = findings(&stream, b"", 1460);
        let first = found.first().expect("somebody");
        let carrier = &first.finding.carrier;
        assert_eq!(carrier.first(), Some(&"mllp"), "{format}: {carrier:?}");
    }
}

#[test]
fn one_issuer_in_two_formats() {
    let token = |issuer: &str| {
        let message = ADMISSION.replace("H01^^^N^MR", &format!("H01^^^{issuer}^MR"));
        let found = findings(&framed(&message), b"", 1460);
        let ids = &found.first().expect("somebody").finding.identifiers;
        ids.iter().find(|i| i.kind.as_str() == "patient_id").expect("an id").token
    };
    let bundle = "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"urn:oid:1.2.3\",\"value\":\"H01\"}]}";
    let fhir = findings(&framed(bundle), b"", 1460)[0].finding.identifiers[0].token;
    for same in ["HOSP&1.2.3&ISO", "&1.2.3&ISO", "OTHER&1.2.3", "1.2.3"] {
        assert_eq!(token(same), fhir, "{same}");
    }
    for other in ["HOSP", "HOSP&1.2.4&ISO", "HOSP&ward 7&L", ""] {
        assert_ne!(token(other), fhir, "{other}");
    }
    assert_eq!(token("HOSP&ward 7&L"), token("HOSP"));
}

#[test]
fn utf_16_of_both_orders() {
    let text = ADMISSION.replace("Hartman^Jason", "Мельник^Михаил");
    let wide = |little: bool, mark: bool| {
        let units = text.encode_utf16();
        let mark = if mark { vec![0xFEFFu16] } else { Vec::new() };
        let all = mark.into_iter().chain(units);
        all.flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() })
            .collect::<Vec<u8>>()
    };
    for (little, mark) in [(true, true), (true, false), (false, true), (false, false)] {
        let message = wide(little, mark);
        let narrow = [b"\x0b", &message[..], b"\x1c\r"].concat();
        let ends: [&[u8]; 2] =
            if little { [b"\x0b\0", b"\x1c\0\x0d\0"] } else { [b"\0\x0b", b"\0\x1c\0\x0d"] };
        let wide_framing = [ends[0], &message, ends[1]].concat();
        // Narrow framing and big-endian order without a mark are ambiguous.
        let known = little || mark;
        for stream in [narrow].into_iter().filter(|_| known).chain([wide_framing]) {
            let twice = [stream.clone(), framed(RESULT)].concat();
            assert_eq!(names(&twice), ["Мельник^Михаил", "Erickson^Sara"], "{little} {mark}");
        }
    }
}

#[test]
fn sets_without_a_declaration() {
    for (label, name) in [
        ("windows-1252", "Müller^Jürgen"),
        ("windows-1250", "Wałęsa^Paweł"),
        ("windows-1251", "Кузнецова^Анна"),
        ("windows-1253", "Παπαδόπουλος^Γεώργιος"),
        ("windows-1255", "כהן^דוד"),
        ("shift_jis", "山田^太郎"),
        ("euc-kr", "김^민준"),
        ("gb18030", "欧阳^建国"),
        ("utf-8", "橋本^舞"),
    ] {
        let set = encoding_rs::Encoding::for_label(label.as_bytes()).expect(label);
        let message = ADMISSION.replace("Hartman^Jason", name);
        let stream = [b"\x0b", &*set.encode(&message).0, b"\x1c\r"].concat();
        assert_eq!(names(&stream), [name], "{label}");
    }
}

#[test]
fn acknowledgments_are_counted_by_code() {
    let ack = |code: &str| {
        format!("MSH|^~\\&|HIS|SOUTH|ADT|NORTH|2026||ACK^A01|1|P|2.5\rMSA|{code}|M1\r")
    };
    let other = RESULT.replace("H02", "H03").replace("Erickson", "Ericson");
    let (first, second, third) = (framed(ADMISSION), framed(RESULT), framed(&other));
    let answers = ["AA", "AE", "AA"].map(|code| framed(&ack(code)));
    let all = LAB.run(&conversation(
        &[
            (ClientToServer, &first),
            (ServerToClient, &answers[0]),
            (ClientToServer, &second),
            (ServerToClient, &answers[1]),
            (ClientToServer, &third),
            (ServerToClient, &answers[2]),
        ],
        1460,
    ));
    let counts = |list: &[(std::sync::Arc<str>, u64)]| -> Vec<String> {
        list.iter().map(|(what, n)| format!("{what} {n}")).collect()
    };
    let facts: Vec<_> = all.iter().filter_map(|d| d.finding.facts.messages.as_deref()).collect();
    assert_eq!(facts.len(), 3);
    assert_eq!((facts[0].acknowledged, counts(&facts[0].acknowledgments)), (None, vec![]));
    assert_eq!(counts(&facts[1].acknowledgments), ["AA 1"]);
    assert_eq!(counts(&facts[2].acknowledgments), ["AA 1", "AE 1"]);
    assert_eq!(counts(&facts[2].messages), ["ADT^A01 1", "ACK 2", "ORU^R01 2"]);
    let answers = LAB.run(&packets(b"", &answers.concat(), 1460));
    assert!(answers.is_empty(), "answers are about nobody");
    // Release 2: one byte in a block.
    let client = [&b"\x0b\x06\x1c\r"[..], &first].concat();
    let found = findings(&client, b"\x0b\x15\x1c\r", 1);
    assert_eq!(found.len(), 1);
    let facts = found[0].finding.facts.messages.as_ref().expect("facts of messages");
    assert_eq!(facts.acknowledged, Some(true));
    assert_eq!(facts.acknowledgments, [("ACK".into(), 1)]);
}

#[test]
fn messages_inside_other_contents() {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(ADMISSION);
    let in_json = ADMISSION.replace('\\', "\\\\").replace('\r', "\\r");
    let twice = ADMISSION.replace('\\', "\\\\").replace('\r', "\\\\r");
    let in_xml = ADMISSION.replace('&', "&amp;").replace('\r', "&#13;");
    let in_form: String = ADMISSION.bytes().map(|b| format!("%{b:02X}")).collect();
    let soap = |inner: &str| {
        format!(
            "<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><submit><message>{inner}</message></submit></soap:Body></soap:Envelope>"
        )
    };
    let long = format!("{ADMISSION}NTE|1||{}\rNK1|1|Hartman^Leona|SPO\r", "x".repeat(20_000));
    for (media, body) in [
        ("application/json", format!("{{\"id\":7,\"hl7\":\"{in_json}\"}}")),
        ("application/json", format!("{{\"payload\":\"\\u000b{in_json}\\u001c\\r\",\"a\":[1]}}")),
        ("application/json", format!("[{{\"message\":\"{twice}\"}}]")),
        ("application/json", format!("{{\"data\":\"{base64}\"}}")),
        ("application/x-www-form-urlencoded", format!("user=x&message={in_form}&end=1")),
        ("text/xml", soap(&format!("<![CDATA[{ADMISSION}]]>"))),
        ("text/xml", soap(&in_xml)),
        ("text/xml", soap(&base64)),
        ("text/xml", soap(&format!("<![CDATA[{long}]]>"))),
        (
            "application/json",
            format!("{{\"hl7\":\"{}\"}}", long.replace('\\', "\\\\").replace('\r', "\\r")),
        ),
    ] {
        let request = format!(
            "POST /in HTTP/1.1\r\nHost: e\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        for size in [3, 1460] {
            let found = findings(request.as_bytes(), b"", size);
            assert_eq!(found.len(), 1, "{media} {}", &body[..body.len().min(300)]);
            let has = identifiers(&found[0]);
            assert!(has.contains("name=Hartman^Jason"), "{has:?}");
            assert_eq!(has.contains("next_of_kin_name=Hartman^Leona"), body.len() > 20_000);
            assert_eq!(found[0].finding.operation.as_ref(), "ADT^A01");
        }
    }
}

#[test]
fn hostile_streams_are_bounded_and_the_next_message_is_read() {
    let x = |n: usize| "x".repeat(n);
    let z = format!("ZZZ|{}", x(3 << 20));
    for bad in [
        // An endless block with text, binary data and start blocks.
        format!("\x0bMSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\r{}", x(1 << 20)).into_bytes(),
        [b"\x0bMSH|^~\\&|".as_slice(), &[0x0B; 5000], &[0xFF; 100_000], &[0; 1000]].concat(),
        // Segments of megabytes, with and without line end.
        framed(&format!("MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\r{z}\r{z}\r")),
        framed(&format!("MSH|{}\rPID|1", x(2 << 20))),
        // Endless repetitions and results.
        framed(&format!("MSH|^~\\&|||||||ADT^A01|1|P|2.5\rPID|1||{}\r", "7~".repeat(100_000))),
        framed(&format!(
            "MSH|^~\\&|||||||ORU^R01|1|P|2.5\rPID|1||\"\"\r{}",
            "OBX|1|TX|a||Phone: 5\r".repeat(20_000)
        )),
        // Impossible delimiters, and none.
        framed("MSHAAAAAAAA\rPIDA1AA77"),
        framed("MSH||||||||||\rPID|1||"),
        framed("MSH|\r\r\r"),
        framed("MSH"),
    ] {
        let stream = [bad, framed(ADMISSION)].concat();
        for size in [1460, 9] {
            if size == 9 && stream.len() > 200_000 {
                continue;
            }
            let names: Vec<_> = findings(&stream, b"", size).iter().flat_map(identifiers).collect();
            assert!(names.contains(&"name=Hartman^Jason".to_owned()), "{:?}", &stream[..40]);
        }
    }
}
