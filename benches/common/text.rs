//! HL7 v2 feeds and HTTP exchanges.

use super::{Conversation, Numbers, person};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;

/// A feed of laboratory results, each acknowledged.
pub fn hl7(messages: usize) -> Conversation {
    let mut conversation = Conversation::default();
    for n in 0..messages {
        let p = person(n % 200);
        let (y, m, d) = p.birth;
        let mut text = format!(
            "\x0bMSH|^~\\&|LAB|NORTH|EHR|NORTH|20260301101502||ORU^R01|M{n}|P|2.5.1\r\
             PID|1||{}^^^NORTH^MR||{}^{}||{y}{m:02}{d:02}|{}|||{n} Linden Way^^Farfield^^4711\r\
             PV1|1|I|3E^12^A\rOBR|1|||58410-2^CBC^LN|||20260301095500\r",
            p.id, p.family, p.given, p.sex
        );
        for (line, test) in ["WBC", "RBC", "HGB", "HCT", "MCV", "PLT"].iter().enumerate() {
            let _ = write!(
                text,
                "OBX|{}|NM|{test}^{test}^L||{}.{}|10*3/uL|4.0-11.0|N|||F\r",
                line + 1,
                n % 17,
                line
            );
        }
        text.push_str("\x1c\r");
        conversation.client(text);
        let ack = format!(
            "\x0bMSH|^~\\&|EHR|NORTH|LAB|NORTH|20260301101503||ACK^R01|A{n}|P|2.5.1\rMSA|AA|M{n}\r\x1c\r"
        );
        conversation.server(ack);
    }
    conversation
}

/// One exchange over HTTP for each body.
fn http(
    target: &str,
    kind: &str,
    gzip: bool,
    bodies: impl Iterator<Item = String>,
) -> Conversation {
    let mut conversation = Conversation::default();
    for (n, body) in bodies.enumerate() {
        conversation.client(format!(
            "GET {target}{n} HTTP/1.1\r\nHost: ehr.example\r\nAccept: {kind}\r\n\
             User-Agent: bench/1\r\nAccept-Encoding: gzip\r\n\r\n"
        ));
        let (coding, body) = if gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body.as_bytes()).unwrap();
            ("Content-Encoding: gzip\r\n", encoder.finish().unwrap())
        } else {
            ("", body.into_bytes())
        };
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: {kind}\r\n{coding}\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        conversation.server(answer);
    }
    conversation
}

/// FHIR bundles with a patient and some observations each.
pub fn fhir(bundles: usize, gzip: bool) -> Conversation {
    let bundle = |n: usize| {
        let p = person(n % 200);
        let (y, m, d) = p.birth;
        let mut body = format!(
            r#"{{"resourceType":"Bundle","type":"searchset","total":41,"entry":[{{"resource":{{"resourceType":"Patient","id":"p{n}","identifier":[{{"system":"urn:oid:1.2.36.146.595","value":"{}"}}],"name":[{{"use":"official","family":"{}","given":["{}"]}}],"birthDate":"{y}-{m:02}-{d:02}"}}}}"#,
            p.id, p.family, p.given
        );
        for item in 0..40 {
            let _ = write!(
                body,
                r#",{{"resource":{{"resourceType":"Observation","id":"o{n}-{item}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"718-7","display":"Hemoglobin"}}]}},"subject":{{"reference":"Patient/p{n}"}},"effectiveDateTime":"2026-03-01T10:15:02Z","valueQuantity":{{"value":{}.{item},"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"}}}}}}"#,
                n % 19
            );
        }
        body + "]}"
    };
    http("/fhir/Observation?page=", "application/fhir+json", gzip, (0..bundles).map(bundle))
}

/// Web pages without patients.
pub fn html(pages: usize) -> Conversation {
    const WORDS: [&str; 12] = [
        "storage", "network", "the", "with", "release", "window", "archive", "and", "module",
        "for", "request", "setting",
    ];
    let page = |n: usize| {
        let mut numbers = Numbers::new(n as u64);
        let mut body =
            String::from("<!DOCTYPE html><html><head><title>Manual</title></head><body>");
        for section in 0..60 {
            let _ = write!(body, "<div class=\"section\" id=\"s{section}\"><h2>Section</h2><p>");
            for _ in 0..60 {
                let _ = write!(body, "{} ", WORDS[numbers.below(WORDS.len())]);
            }
            body.push_str("</p></div>");
        }
        body + "</body></html>"
    };
    http("/manual/", "text/html; charset=utf-8", false, (0..pages).map(page))
}

/// JSON about machines.
pub fn json(answers: usize) -> Conversation {
    let answer = |n: usize| {
        let mut numbers = Numbers::new(n as u64);
        let mut body = String::from("{\"samples\":[");
        for item in 0..300 {
            let comma = if item > 0 { "," } else { "" };
            let _ = write!(
                body,
                r#"{comma}{{"host":"node{item}","cpu":0.{},"memory":{},"disks":["sda","sdb"],"up":true}}"#,
                numbers.below(100),
                numbers.next() >> 20
            );
        }
        body + "]}"
    };
    http("/api/load?page=", "application/json", false, (0..answers).map(answer))
}
