//! Repeating a token costs time in proportion to its length: no format or protocol reads the same
//! bytes repeatedly, or spends long on any.

use crate::run::{ATTEMPTS, SECONDS_PER_BYTE, SLOWER, slowness};
use phitap::flow::Direction;
use phitap::pipeline::test_harness::{Conversation, TestHarness, TestPacket};
use phitap::rules::RuleSet;

/// Length of the shortest repetition, bytes; the others are two and four times as long.
const SHORT: usize = if cfg!(debug_assertions) { 16 << 10 } else { 128 << 10 };

/// Allowance for the clock and the machine, seconds.
const SLACK: f64 = 0.02;

/// Media types and what is repeated in them.
const CONTENTS: &[(&str, &str, &[&str])] = &[
    (
        "text/plain",
        "",
        &[
            ":",
            "a:",
            "PT: ",
            "MRN: ",
            "Patient: a\n",
            "MRN 7 ",
            "DOB:\n",
            "(",
            "a  b\t",
            "1970-01-01 ",
            "206-66-2431 ",
        ],
    ),
    (
        "text/plain",
        "insert into patient (mrn) values (?)\n",
        &[
            "insert into patient (mrn, name) values (?, ?)\n",
            "binding parameter [1] as [VARCHAR] - [7]\n",
            " ?, ",
            "['7', ",
            "PID-3=7 ",
            "PID-3=",
            "PID.3=7\n",
            "NM1*IL*1*ROE\n",
            "00000000  4d 53 48 7c 4d 53 48 7c\n",
        ],
    ),
    (
        "text/plain",
        "Patient(id=7)\n",
        &[
            "Ab(c=",
            "Ab{c=d, ",
            "Patient(id=7, name=Roe), ",
            "Ab(c=Some(",
            "#<Ab c: ",
            "{\n",
            "[\n{\n",
            "array (\n",
            "array (\n'a' => 1,\n",
            "[\"a\"]=>\n",
            "Ab {\n    c: 7,\n}\n",
            "# Usage\n",
        ],
    ),
    (
        "application/json",
        "[",
        &[
            "\"insert into patient (mrn) values (?)\",",
            "{\"bindings\":[\"7\"]},",
            "\"Ab(c=Ab(c=d))\",",
            "\"'7'\",",
        ],
    ),
    ("application/octet-stream", "\x04\x08[\x7f{\x06:\x06a", &["[\x06", "{\x06:\x06a"]),
    ("application/octet-stream", "\0\0\0\x02\x14\x7f\x11\x01a", &["\x14\x01\x11\x01a", "\x06\x07"]),
    ("application/octet-stream", "a:9999:{", &["s:3:\"mrn\";s:1:\"7\";", "a:1:{", "i:0;"]),
    ("text/csv", "3000;7\n", &["3101;Roe\n", "3000;7\n", "NM1,IL,1,ROE\n"]),
    (
        "application/xml",
        "<m><PID>",
        &["<F3>7</F3>", "<PID><F5>x</F5>", "<Field id=\"PID.3\">7</Field>"],
    ),
    ("text/csv", "mrn,last_name,dob\n", &["1,Roe,1970-01-01\n", ",", "\"", "\"\"", "a;", "\n"]),
    ("text/csv", "", &["1,Roe,1970-01-01\n", "a,b\n", "1;2;3;4\n", ",,,\n"]),
    ("text/plain", "MRN|Name\n", &["1|Roe\n", "|", "a|"]),
    ("application/json", "", &["{\"a\":", "[", "{}", "{\"mrn\":\"7\"}\n", "\"", "0 "]),
    (
        "application/json",
        "[",
        &[
            "{\"mrn\":\"7\",\"dob\":\"1970-01-01\"},",
            "\"\\\"\",",
            "0,",
            "\"{\\\"a\\\":0}\",",
            "{\"name\":\"\"},",
            "[],",
        ],
    ),
    ("application/json", "{\"data\":\"", &["{\\\"mrn\\\":7}", "eyJ", "\\u0041", "\\\\"]),
    (
        "application/xml",
        "<a>",
        &[
            "<b/>",
            "<b>",
            "<b c='d'>",
            "&amp;",
            "<!--",
            "<![CDATA[",
            "&a;",
            "<patient_name>x</patient_name>",
        ],
    ),
    (
        "text/html",
        "<html>",
        &["<td>MRN:</td>", "<tr><td>a", "<", "<a ", "<p>Patient: ", "&nbsp;", "<script>"],
    ),
    ("application/x-www-form-urlencoded", "", &["a=b&", "mrn=7&", "=", "&", "%41", "name=%"]),
    (
        "multipart/mixed; boundary=b",
        "",
        &[
            "--b \r\n",
            "--b\r\n\r\nx\r\n",
            "--b\r\n",
            "--bx\n",
            "\r\n--b\r\nContent-Type: text/plain\r\n\r\nMRN: 7",
        ],
    ),
    ("message/rfc822", "", &["Subject: a\r\n", "a: b\r\n\r\n", "=?utf-8?q?a?= "]),
    (
        "application/pdf",
        "%PDF-1.4\n",
        &["1 0 obj<<>>endobj\n", "<<", "[", "stream\n", "endstream ", "trailer<<>>", "1 0 R "],
    ),
    ("application/rtf", "{\\rtf1 ", &["{", "\\par MRN: 7 ", "\\'41", "}{"]),
    (
        "application/octet-stream",
        "",
        &["PK\x03\x04", "ISA*", "MSH|", "%PDF-1.4\n", "\u{1f}", "UNB+"],
    ),
    (
        "text/vcard",
        "BEGIN:VCARD\r\n",
        &["FN:a\r\n", "N:a;b\r\n", ":", "END:VCARD\r\nBEGIN:VCARD\r\n"],
    ),
    ("text/event-stream", "", &["data: {\"mrn\":7}\n\n", "data:\n", "\n", ":\n"]),
    (
        "application/edi-x12",
        "ISA*00*          *00*          *ZZ*A              *ZZ*B              *260301*0101*^*00501*000000001*0*P*:~GS*HC*A*B*20260301*0101*1*X*005010~ST*837*1~",
        &["NM1*IL*1*ROE*J****MI*7~", "~", "*", "HL*1**22*1~"],
    ),
    (
        "application/edifact",
        "UNB+UNOA:1+A+B+260301:0101+1'UNH+1+MEDRPT:0:1:RT'",
        &["PNA+PAT+7+++1:ROE'", "'", "+", "?"],
    ),
    (
        "application/hl7-v2",
        "MSH|^~\\&|A|B|C|D|20260301||ORU^R01|1|P|2.5\r",
        &[
            "OBX|1|TX|1||MRN: 7 Name: Roe\r",
            "PID|1||7^^^A^MR||ROE^J\r",
            "|",
            "^",
            "\r",
            "OBX|1|ED|1||A^AP^PDF^Base64^JVBERi0xLjQKMSAwIG9iago8PC\r",
        ],
    ),
    (
        "application/yaml",
        "a:\n  b: 1\n",
        &["- ", "a: b\n", "  - mrn: 7\n", "\"", "{", "[a, ", "a: |\n  b\n", "&a ", "*a ", "# a\n"],
    ),
    (
        "text/turtle",
        "@prefix fhir: <http://hl7.org/fhir/> .\n",
        &["<a> ", "a:b fhir:id \"7\" ; ", "a:b fhir:x [ ", "( ", "# a\n", "\"", "\\u0041", ". "],
    ),
    (
        "application/toml",
        "[a]\nb = 1\n",
        &["[[p]]\n", "mrn = 7\n", "x = {a = [", "[a.b.c]\n", "\"", ",", "b = \"\"\"\n", "# a\n"],
    ),
    (
        "text/x-ldif",
        "version: 1\ndn: uid=a\n",
        &["cn: a\n", " b\n", "cn:: QQ==\n", "\n", "dn: uid=a\ncn: Roe\n\n", "#\n", ":"],
    ),
    (
        "application/xml",
        "<plist><dict>",
        &["<key>mrn</key><string>7</string>", "<dict>", "<array>", "<key>"],
    ),
    (
        "application/sql",
        "INSERT INTO p (mrn,name) VALUES ",
        &["(7,'x'),", "(", "'", "INSERT INTO p (mrn) VALUES (7);\n", "--\n", "/*"],
    ),
    ("text/plain", "^XA", &["^FD7^FS", "^", "^FO1,1^FDMRN: 7^FS"]),
    ("application/json", "{\"PID\":[", &["{\"PID_3\":\"7\",\"PID_5\":\"R^J\"},", "{\"PID_3\":["]),
    (
        "application/json",
        "[[\"MSH\",\"|\",\"^~\\\\&\"],",
        &["[\"PID\",\"1\",\"\",\"7\"],", "[\"PID\","],
    ),
    (
        "application/xml",
        "<X12_837 xmlns=\"http://schemas.microsoft.com/BizTalk/EDI/X12/2006\">",
        &["<NM1><NM101>IL</NM101><NM103>Roe</NM103></NM1>", "<NM1>", "<NM103>R</NM103>"],
    ),
    (
        "application/xml",
        "<OBS.R01><HDR><HDR.control_id V=\"1\"/></HDR><SVC>",
        &["<PT><PT.patient_id V=\"7\"/><PT.name V=\"Roe\"/></PT>", "<PT><OBS>"],
    ),
    (
        "text/plain",
        "ROE\rJANE\r1 RUE\r\r75000 PARIS\r01/02/1970\r177\r01/01/2026\rA B\rC D\r****LAB****\r",
        &["RES|Glucose|GLU|N|1.0|g/l\r", "****\r", "\r"],
    ),
];

/// Data sent to protocols, by name of the port: the beginning, and what is repeated.
const STREAMS: &[(&str, &str, &[&str])] = &[
    (
        "mllp",
        "",
        &[
            "\x0bMSH|^~\\&|A\r\x1c\r",
            "\x0b",
            "\x1c\r",
            "\x0bMSH|^~\\&|A|B|C|D|2||ADT^A01|1|P|2.5\rPID|1||7||R^J\r\x1c\r",
        ],
    ),
    (
        "http",
        "",
        &[
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
        ],
    ),
    ("http head", "GET / HTTP/1.1\r\n", &["a: b\r\n", "a", "Cookie: a=b; "]),
    (
        "http chunks",
        "POST / HTTP/1.1\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n",
        &["1\r\na\r\n", "1;a=b\r\n,\r\n", "0001\r\n\n\r\n"],
    ),
    ("ftp", "220 a\r\nUSER a\r\n", &["PASV\r\n", "a\r\n", "RETR a\r\n"]),
    (
        "smtp",
        "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n",
        &["DATA\r\n.\r\n", "RCPT TO:<a@b>\r\n", "NOOP\r\n"],
    ),
    ("redis", "*1\r\n$4\r\nPING\r\n", &["*1\r\n$4\r\nPING\r\n", "*1\r\n", "$1\r\na\r\n"]),
    ("syslog", "", &["<34>1 2026-03-01T00:00:00Z a b - - - MRN: 7\n", "<34>", "<34>a: {\n"]),
    ("astm", "\x05\x021H|\\^&\r", &["\x021P|1|7||R^J\r\x0300\r\n", "\x05", "\x021R\r"]),
    (
        "mqtt",
        "\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
        &["\x30\x04\0\x01a{", "\x30\x03\0\x01a", "\x30\x0c\0\x01a{\"mrn\":7"],
    ),
    (
        "memcached",
        "set k 0 0 1\r\nx\r\n",
        &["set k 0 0 2\r\n{}\r\n", "get k\r\n", "set k 0 0 0\r\n\r\n", "a"],
    ),
    (
        "postgresql",
        "\0\0\0\x12\0\x03\0\0user\0bob\0\0",
        &[
            "Q\0\0\0\x0dSELECT 1\0",
            "S\0\0\0\x04",
            "P\0\0\0\x08\0a\0\0",
            "B\0\0\0\x0c\0\0\0\0\0\0\0\0",
        ],
    ),
    (
        "xmpp",
        "<stream:stream to='a' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
        &["<iq/>", "<message><body>MRN: 7</body></message>", "<message ", "a"],
    ),
    ("poct1-a", "", &["<HEL.R01><HDR><HDR.control_id V=\"1\"/></HDR></HEL.R01>", "<HEL.R01>"]),
    (
        "mqtt 5",
        "\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a\x30\x16\0\x07patient\x03\x23\0\x01{\"mrn\":7}",
        &["\x30\x0f\0\0\x03\x23\0\x01{\"mrn\":7}", "\x30\x05\0\x01a\0{"],
    ),
    ("unknown", "\x01\x02\x03", &["MSH|", "ISA*", "{\"", "PK\x03\x04", "%PDF-", "<", "UNA"]),
];

/// CPU time of this thread, seconds.
pub fn clock() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds: f64 = text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    nanoseconds / 1e9
}

/// A conversation in which one side sends `bytes`.
fn packets(bytes: &[u8]) -> Vec<TestPacket> {
    let (client, server) = (([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], 8000));
    let mut conversation = Conversation::new(client, server, 1400);
    conversation.say(Direction::ClientToServer, bytes);
    conversation.packets()
}

/// A conversation of which the beginning was not seen, and one side only.
fn middle(bytes: &[u8]) -> Vec<TestPacket> {
    const HANDSHAKE: usize = 2;
    packets(bytes).split_off(HANDSHAKE)
}

fn repeated(begin: &str, token: &str, len: usize) -> Vec<u8> {
    let mut bytes = begin.as_bytes().to_vec();
    while bytes.len() < len {
        bytes.extend(token.as_bytes());
    }
    bytes
}

/// Seconds that reading takes: the lowest of several runs, because other programs use the machine,
/// too.
fn seconds(harness: &TestHarness, packets: &[TestPacket]) -> f64 {
    let run = || {
        let before = clock();
        harness.run(packets);
        clock() - before
    };
    (0..2).map(|_| run()).fold(f64::INFINITY, f64::min)
}

/// The fault of repetitions that `make` builds for a length, if any.
fn fault(
    harness: &TestHarness,
    name: &str,
    token: &str,
    make: impl Fn(usize) -> Vec<u8>,
) -> Option<String> {
    fault_of(harness, name, token, |len| packets(&make(len)))
}

/// The same with packets.
fn fault_of(
    harness: &TestHarness,
    name: &str,
    token: &str,
    make: impl Fn(usize) -> Vec<TestPacket>,
) -> Option<String> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        last = measured(harness, name, token, &make);
        last.as_ref()?;
    }
    last
}

/// The same, measured once.
fn measured(
    harness: &TestHarness,
    name: &str,
    token: &str,
    make: impl Fn(usize) -> Vec<TestPacket>,
) -> Option<String> {
    let times = [1, 2, 4].map(|n| seconds(harness, &make(n * SHORT)));
    let each = times[2] / (4 * SHORT) as f64;
    if std::env::var_os("PHITAP_SHOW_COSTS").is_some() {
        println!(
            "{:8.1} ns a byte, {:4.1} times: {name}, {token:?}",
            each * 1e9,
            times[2] / times[0]
        );
    }
    let slow = times[2] > SLACK * SLOWER.max(1.0) && each > SECONDS_PER_BYTE * SLOWER * slowness();
    let grows = times[2] > 2.0 * 4.0 * times[0] + SLACK;
    (slow || grows).then(|| format!("{name}, {token:?}: {times:?} s, {:.0} ns a byte", each * 1e9))
}

fn harness() -> TestHarness {
    TestHarness::new(RuleSet::shipped().expect("shipped rules"), false).expect("random bytes")
}

#[test]
fn every_repetition_in_a_content_costs_in_proportion_to_its_length() {
    let harness = harness();
    let mut wrong = Vec::new();
    for (media, begin, tokens) in CONTENTS {
        for token in *tokens {
            let make = |len: usize| {
                let body = repeated(begin, token, len);
                let head = format!(
                    "POST / HTTP/1.1\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                [head.as_bytes(), &body].concat()
            };
            wrong.extend(fault(&harness, media, token, make));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines as long as they are kept, in which each label waits for the one bracket at their end.
#[test]
fn labels_in_a_long_line_cost_in_proportion_to_their_number() {
    let harness = harness();
    let line = format!("{})\n", "Doctor: Jane Roe MRN: 7 ".repeat(340));
    let make = |len: usize| {
        let body = repeated("", &line, len);
        let head = "POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length:";
        [format!("{head} {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
    };
    assert_eq!(fault(&harness, "text/plain", "a bracket at the end of a line", make), None);
}

#[test]
fn every_repetition_in_a_protocol_costs_in_proportion_to_its_length() {
    let harness = harness();
    let mut wrong = Vec::new();
    for (name, begin, tokens) in STREAMS {
        for token in *tokens {
            wrong.extend(fault(&harness, name, token, |len| repeated(begin, token, len)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a conversation says that is joined in its middle, where every protocol is asked for its own.
const MIDDLES: &[&str] = &[
    "HTTP/1.1 ",
    " HTTP/1.1",
    "GET / ",
    "\x01\0",
    "\x01\x01\0\x40\0\0\0\0S\0E\0L\0",
    "\x04\x01\0\x40\0\0\x01\0",
    "\0\0\0\0\0\0\0\x02\0\x01",
    "\0\0\0\x01\0\0\0\0",
    "\0",
    "MSH|",
    "\x0bMSH|^~\\&|",
    "* OK\r\n",
    "220 a\r\n",
    "$1\r\na\r\n",
    "SEND\n",
    "From: a\r\nSubject: b\r\n",
    "<a>",
    "{\"a\":1,",
    "\n",
    " ",
];

#[test]
fn every_repetition_in_the_middle_of_a_connection_costs_in_proportion_to_its_length() {
    let harness = harness();
    let mut wrong = Vec::new();
    for token in MIDDLES {
        let make = |len| middle(&repeated("", token, len));
        wrong.extend(fault_of(&harness, "joined in the middle", token, make));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn messages_of_one_byte_over_a_websocket_cost_in_proportion_to_their_number() {
    let harness = harness();
    let begin = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let token = [0x81, 0x81, 0, 0, 0, 0, b'x'];
    let make = |len: usize| {
        let mut bytes = begin.as_bytes().to_vec();
        while bytes.len() < len {
            bytes.extend(token);
        }
        bytes
    };
    assert_eq!(fault(&harness, "websocket", "one byte", make), None);
}

#[test]
fn ever_new_streams_of_http2_cost_in_proportion_to_their_number() {
    let harness = harness();
    let make = |len: usize| {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        let mut stream = 1u32;
        while bytes.len() < len {
            // GET / by indexed fields (RFC 7541, appendix A).
            bytes.extend([0, 0, 3, 1, 4]);
            bytes.extend(stream.to_be_bytes());
            bytes.extend([0x82, 0x84, 0x86]);
            stream += 2;
        }
        bytes
    };
    assert_eq!(fault(&harness, "http/2", "new stream", make), None);
}
