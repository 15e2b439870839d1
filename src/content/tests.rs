//! Every format of this folder against cut and broken input: no panic, and the same records however
//! the input is split.

use super::testing::{Records, records, records_of, rules, with_gap_of};
use super::{ContentCounters, Contents, Direction, Ending, Env, Media, Reason, ServiceFacts};
use crate::protocol::Hint;

const SAMPLES: &[(&str, &[u8])] = &[
    ("text/csv", b"mrn,last_name,dob\n1,\"A, \"\"B\"\"\",1970-01-01\n2,C,1971-01-01\n"),
    (
        "text/html",
        b"<html><!-- x --><h1>Patients</h1><table><tr><th>MRN<th>Name<tr><td>7<td>A &amp; B</table><script>a<b</script></html>",
    ),
    (
        "application/xml",
        b"<?xml version='1.0'?><p:a xmlns:p=\"u\"><![CDATA[x]]><patient mrn=\"7\"><name>A B</name></patient></p:a>",
    ),
    ("text/plain", b"Patient: A B  MRN: 7\nDOB:\n1970-01-01\n"),
    (
        "multipart/form-data; boundary=bb",
        b"--bb\r\nContent-Disposition: form-data; name=\"mrn\"\r\n\r\n7\r\n--bb\r\nContent-Type: text/plain\r\n\r\nDOB: 1970-01-01\r\n--bb--\r\n",
    ),
    ("application/x-www-form-urlencoded", b"mrn=7&name=%41+B&dob=1970-01-01"),
    ("text/csv; charset=shift_jis", b"mrn,name,dob\n7,\x8eR\x93c \x91\xbe\x98Y,1970-01-01\n"),
    ("text/csv", b"mrn,name,dob\n7,\xc8\xe2\xe0\xed\xee\xe2 \xcf\xb8\xf2\xf0,1970-01-01\n8,J\xc3\xbcrg \xfc,1971-01-01\n"),
    ("application/json", b"\xff\xfe{\0\"\0m\0r\0n\0\"\0:\0\"\x007\0\"\0,\0\"\0n\0a\0m\0e\0\"\0:\0\"\0A\0 \0\x14\x04\"\0}\0"),
    ("message/rfc822", b"Subject: =?iso-2022-jp?B?GyRCOzNFRBsoQg==?=\n =?utf-8?q?=C3?= =?utf-8?q?=BC?= MRN: 7\nContent-Disposition: a; filename*0*=utf-8''%C3; filename*1=\"b\"\n\nPatient: A B\nMRN: 7\n"),
    ("text/vcard", b"BEGIN:VCARD\r\nN;CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:R=C3=\r\n=B6e;J\\;a\r\nADR:;;S 1;\r\n T;;;\r\nX-MRN:7\r\nBDAY:19700101\r\nEND:VCARD\r\n"),
    ("text/calendar", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Patient: A B\\nMRN: 7\nATTENDEE;CN=\"C:;D\":mailto:c@d.ee\nEND:VEVENT\nEND:VCALENDAR\n"),
    ("application/protobuf", b"\x0a\x1e\x0a\x0aMRN0012345\x12\x08Jane Roe\x1a\x0619700131\x12\x12{\"mrn\":7,\"dob\":1}\x18\x05"),
    ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\x0etEXtComment\0MRN: 7\0\0\0\0\0\0\0\x1ceXIfMM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02\0\0\0\x03ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0IEND"),
    ("image/jpeg", b"\xff\xd8\xff\xfe\0\x12Patient: A B, \xff\xff\xfe\0\x08MRN: 7\xff\xe1\0\x1chttp://ns.adobe.com/xap/1.0/\0<a/>\xff\xda\0\x02"),
    ("application/json", b"{\"columns\":[{\"name\":\"mrn\"},\"dob\",null],\"rows\":[[7,\"1970-01-01\",[1]],[null,{\"v\":1}]],\"a\":{\"dob\":{\"$date\":{\"$numberLong\":\"318211200000\"}},\"mrn\":[1,2]}}"),
    ("application/json", b"[{\"name\":\"mrn\",\"value\":\"7\"},{\"key\":\"dob\",\"answer\":1},{\"x\":\"{\\\"mrn\\\":\\\"\\u0037\\\",\\\"name\\\":\\\"A B\\\"}\",\"y\":\"JVBERi0xLjQK\",\"z\":\"\\ud83d\\ude00<p\"}]"),
    ("text/html", b"<html><meta charset=koi8-r><script type=x/json>{\"mrn\":7,\"name\":\"A <b>\"}</script><script>a = {\"mrn\":\"}\",\"name\":\"A B\"};</script><label>MRN</label><input value=7><select><option>a<option selected>b</select><table><tr><th colspan=2>Name<th>DOB<tr><td>A<td>B<td>\xc9"),
    ("text/markdown", b"# Patients\n| MRN | Name | DOB |\n|---|:-:|--|\n| 7 | A B | 1970-01-01 |\n\n mrn | name | dob \n-----+---+--\n 7 | A | 1\n"),
    ("text/csv", b"Ward list 3\n;;\nMRN0012345;Roe;Jane;1970-01-31\nNr;Name;DOB\n1;A B;1970-01-01\n"),
    ("application/x-www-form-urlencoded; charset=big5", b"dob_day=1&dob_month=Jan&dob_year=1970&mrn=7&name=%b3%af+%a4j&_charset_=big5"),
];

#[test]
fn a_sample_cut_off_anywhere_stops_nothing() {
    for (content_type, sample) in SAMPLES {
        for end in 0..sample.len() {
            records(content_type, &sample[..end]);
        }
    }
}

#[test]
fn one_broken_byte_is_read_alike_in_pieces() {
    for (index, (content_type, sample)) in SAMPLES.iter().enumerate() {
        for at in (index % 3..sample.len()).step_by(3) {
            for byte in [0, b'<', b'>', b'"', b'\n', b'-', b'&', b':', 0xc3] {
                let mut broken = sample.to_vec();
                broken[at] = byte;
                let media = Media::Type { content_type, name: "" };
                let whole = records_of(media, &[], &broken, broken.len());
                for piece in [1, 7, 50] {
                    let split = records_of(media, &[], &broken, piece);
                    assert!(
                        split == whole,
                        "{content_type} with {byte} at {at} in pieces of {piece}"
                    );
                }
            }
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

/// Bytes changed, cut out, doubled and taken over from other samples. `PHITAP_MUTATIONS` says how many
/// times as many as usual.
#[test]
fn mutated_samples_stop_nothing() {
    let times = std::env::var("PHITAP_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let seed = std::env::var("PHITAP_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(7);
    let mut dice = Dice(seed);
    for _ in 0..times * 20 {
        for (content_type, sample) in SAMPLES {
            let mut bytes = sample.to_vec();
            for _ in 0..=dice.roll(4) {
                let at = dice.roll(bytes.len());
                match dice.roll(6) {
                    0 => bytes[at] = dice.roll(256) as u8,
                    1 => bytes[at] ^= 1 << dice.roll(8),
                    2 => {
                        let end = (at + dice.roll(16)).min(bytes.len());
                        bytes.drain(at..end);
                    }
                    3 => {
                        let end = (at + dice.roll(40)).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        for _ in 0..=dice.roll(30) {
                            bytes.splice(at..at, piece.iter().copied());
                        }
                    }
                    4 => {
                        let other = SAMPLES[dice.roll(SAMPLES.len())].1;
                        let from = dice.roll(other.len());
                        let end = (from + dice.roll(30)).min(other.len());
                        bytes.splice(at..at, other[from..end].iter().copied());
                    }
                    _ => {
                        const WORDS: [&[u8]; 10] = [
                            b"{",
                            b"[",
                            b"\"",
                            b"<",
                            b"=?",
                            b"\xff\xfe",
                            b"\xc3",
                            b"|",
                            b"\r\n",
                            b"\\u00",
                        ];
                        bytes.splice(at..at, WORDS[dice.roll(WORDS.len())].iter().copied());
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b' ');
                }
            }
            let media = Media::Type { content_type, name: "" };
            let whole = records_of(media, &[], &bytes, bytes.len());
            let piece = 1 + dice.roll(40);
            let split = records_of(media, &[], &bytes, piece);
            assert!(split == whole, "{content_type} in pieces of {piece}: {bytes:?}");
            let at = dice.roll(bytes.len());
            let lost = dice.roll(9).min(bytes.len() - at);
            with_gap_of(media, &bytes[..at], lost as u64, &bytes[at + lost..]);
        }
    }
}

/// What a payload read in pieces of 4 KB produced, and the most memory it held.
fn cost(content_type: &str, bytes: &[u8]) -> (Vec<Reason>, usize) {
    let mut contents = Contents::default();
    let (mut sink, mut facts, mut counters) =
        (Records::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env =
        Env { rules: rules(), sink: &mut sink, facts: &mut facts, counters: &mut counters };
    let id = contents.open(&Hint {
        direction: Direction::ServerToClient,
        media: Media::Type { content_type, name: "" },
        operation: "GET",
        codings: &[],
        layer: "http",
    });
    let (mut most, mut skip) = (0, 0u64);
    for piece in bytes.chunks(4096) {
        let hidden = skip.min(piece.len() as u64);
        skip -= hidden;
        if hidden < piece.len() as u64 {
            skip = contents.data(id, &piece[hidden as usize..], &mut env).skip;
        }
        most = most.max(contents.memory());
    }
    contents.close(id, Ending::Complete, &mut env);
    (counters.given_up.iter().map(|(reason, _)| *reason).collect(), most)
}

/// Nothing that is small on the wire becomes large here, and what is given up for it is counted.
const MEGABYTE: usize = 1 << 20;

fn gzip(data: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

/// Payloads that nest deeper, or grow more, than any reader follows: name, media type, bytes.
fn nested_too_deep() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let zip = |data: &[u8]| {
        let len = (data.len() as u32).to_le_bytes();
        [&b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0"[..], &len, &len, b"\x05\0\0\0a.zip", data]
            .concat()
    };
    let multipart =
        |data: &[u8]| [b"--bound\r\nContent-Type: multipart/mixed\r\n\r\n", data].concat();
    let nest = |wrap: &dyn Fn(&[u8]) -> Vec<u8>, times: usize, inner: &[u8]| {
        (0..times).fold(inner.to_vec(), |data, _| wrap(&data))
    };
    let mail = |data: &[u8]| [b"Content-Type: message/rfc822\r\n\r\n", data].concat();
    vec![
        ("JSON, deep", "application/json", b"[".repeat(1_000_000)),
        ("JSON, deep objects", "application/json", b"{\"a\":".repeat(1_000_000)),
        ("XML, deep", "application/xml", b"<a>".repeat(1_000_000)),
        ("gzip in gzip", "application/gzip", nest(&gzip, 20, b"MRN: 7")),
        ("ZIP in ZIP", "application/zip", nest(&zip, 20, b"MRN: 7")),
        ("mail in mail", "message/rfc822", nest(&mail, 40, b"MRN: 7")),
        ("parts in parts", "multipart/mixed; boundary=bound", nest(&multipart, 40, b"x")),
        ("blanks of text", "application/gzip", gzip(&b"  \n ".repeat(2 * MEGABYTE))),
    ]
}

/// Payloads with a part that never ends: name, media type, bytes.
fn endless() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    const MANY: usize = 1 << 18;
    let laughs = {
        let mut text = String::from("<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a0 \"MRN: 7\">");
        for n in 1..30 {
            text.push_str(&format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)));
        }
        text + "]><l><patient_name>&a29;</patient_name><mrn>7</mrn></l>"
    };
    vec![
        ("zeros", "application/gzip", gzip(&vec![0; 16 * MEGABYTE])),
        ("entities", "application/xml", laughs.into_bytes()),
        (
            "one string",
            "application/json",
            [b"{\"patient_name\":\"".as_slice(), &b"x".repeat(2 * MEGABYTE)].concat(),
        ),
        ("one row", "text/csv", [b"mrn,dob\n".as_slice(), &b"x".repeat(2 * MEGABYTE)].concat()),
        ("one line", "text/plain", b"x".repeat(2 * MEGABYTE)),
        ("one line that is no UTF-8", "text/plain", b"\xfc".repeat(2 * MEGABYTE)),
        ("one tag", "text/html", [b"<html><a ".as_slice(), &b"x".repeat(2 * MEGABYTE)].concat()),
        (
            "one table",
            "text/html",
            [b"<html><table><tr>".as_slice(), &b"<td>x".repeat(MANY)].concat(),
        ),
        (
            "one card",
            "text/vcard",
            [b"BEGIN:VCARD\nNOTE:".as_slice(), &b"x\n ".repeat(MANY)].concat(),
        ),
        (
            "one field",
            "application/protobuf",
            [b"\x0a\xff\xff\xff\xff\x07".as_slice(), &b"x".repeat(2 * MEGABYTE)].concat(),
        ),
        ("many fields", "application/protobuf", b"\x0a\x08Jane Roe".repeat(MANY / 4)),
        ("one list", "application/json", [b"{\"mrn\":[".as_slice(), &b"7,".repeat(MANY)].concat()),
        (
            "one table of rows",
            "application/json",
            [b"{\"columns\":[\"mrn\",\"dob\"],\"rows\":[[".as_slice(), &b"7,".repeat(MANY)]
                .concat(),
        ),
        (
            "one script",
            "text/html",
            [b"<html><script>a={\"".as_slice(), &b"x".repeat(2 * MEGABYTE)].concat(),
        ),
        (
            "many scripts",
            "text/html",
            [b"<html><script>".as_slice(), &b"a={\"a\":1};".repeat(MANY)].concat(),
        ),
        (
            "many blocks",
            "image/jpeg",
            [b"\xff\xd8".as_slice(), &b"\xff\xfe\0\x0aMRN: 77 ".repeat(MANY)].concat(),
        ),
        ("UTF-16", "text/plain", [b"\xff\xfe".as_slice(), &b"x\0".repeat(MANY)].concat()),
    ]
}

#[test]
fn what_nests_too_deep_is_given_up_at_a_limit_with_little_held() {
    for (name, content_type, bytes) in &nested_too_deep() {
        let (reasons, most) = cost(content_type, bytes);
        assert!(most < 2 * MEGABYTE, "{name}: {most} bytes held");
        // Parts whose boundary is that of the one around end with it.
        if *name != "parts in parts" {
            let reason = match *name {
                "blanks of text" => Reason::Budget,
                _ => Reason::Limit,
            };
            assert_eq!(reasons, [reason], "{name}");
        }
    }
}

#[test]
fn what_never_ends_is_read_with_little_held() {
    for (name, content_type, bytes) in &endless() {
        let (_, most) = cost(content_type, bytes);
        assert!(most < MEGABYTE, "{name}: {most} bytes held");
    }
}
