use super::table::*;
use crate::content::Media;
use crate::content::testing::{Records, rules};
use crate::content::{ContentCounters, Direction, Extent, FORMATS, Reason, ServiceFacts, Want};
use crate::protocol::{Ending, Hint};
use crate::syntax::recording;

fn hint<'a>(media: Media<'a>, codings: &'a [&'a str]) -> Hint<'a> {
    Hint { direction: Direction::ClientToServer, media, operation: "PUT", codings, layer: "http" }
}

#[test]
fn slots_are_used_again_and_capped() {
    let (mut sink, mut facts, mut counters) =
        (Records::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env =
        Env { rules: rules(), sink: &mut sink, facts: &mut facts, counters: &mut counters };
    let mut contents = Contents::default();
    let first = contents.open(&hint(Media::Unknown, &[]));
    let second = contents.open(&hint(Media::Unknown, &[]));
    assert_ne!(first, second);
    contents.close(first, Ending::Complete, &mut env);
    contents.close(first, Ending::Complete, &mut env);
    assert_eq!(contents.open(&hint(Media::Unknown, &[])), first);
    for _ in 2..MAX_OPEN {
        assert_ne!(contents.open(&hint(Media::Unknown, &[])), NO_ROOM);
    }
    let refused = contents.open(&hint(Media::Unknown, &[]));
    assert_eq!(refused, NO_ROOM);
    assert_eq!(contents.data(refused, b"{}", &mut env), Want::NOTHING);
    contents.close(refused, Ending::Complete, &mut env);
    for id in contents.all() {
        contents.close(id, Ending::Cut, &mut env);
    }
    assert_ne!(contents.open(&hint(Media::Unknown, &[])), NO_ROOM);
    assert_eq!(counters.given_up, [(Reason::Limit, 1)]);
}

#[test]
fn noise_and_unknown_codings_are_skipped() {
    let (mut sink, mut facts, mut counters) =
        (Records::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env =
        Env { rules: rules(), sink: &mut sink, facts: &mut facts, counters: &mut counters };
    let mut contents = Contents::default();
    let id = contents.open(&hint(Media::Unknown, &[]));
    let noise = [0x90; crate::content::PROBE_BYTES];
    assert_eq!(contents.data(id, &noise[1..], &mut env), Want::ALL);
    assert_eq!(contents.data(id, &noise, &mut env), Want::NOTHING);
    let id = contents.open(&hint(Media::Unknown, &["gzip", "exi"]));
    assert_eq!(contents.data(id, b"{", &mut env), Want::NOTHING);
}

#[test]
fn what_formats_say_of_their_first_byte_and_of_their_haste_is_true() {
    let zip = |member: &str| {
        let mut head = b"PK\x03\x04\x14\0\0\0\x08".to_vec();
        head.resize(30, 0);
        head.extend(member.bytes());
        head.resize(128, 0);
        head
    };
    let archives = [
        "word/document.xml",
        "xl/workbook.xml",
        "ppt/slides/slide1.xml",
        "mimetypeapplication/vnd.oasis.opendocument.text",
        "mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
    ]
    .map(zip);
    let recordings =
        [("mfer", "81"), ("edf", "patient name"), ("ishne", "id"), ("nifti", "db_name")];
    let recordings = recordings
        .map(|(format, field)| recording::sample(format, field, "Ash").expect("a recording"));
    let files: Vec<&[u8]> = archives.iter().chain(&recordings).map(Vec::as_slice).collect();
    let fronts: [&[u8]; 37] = [
        b"MSH|^~\\&|A|B|C|D|202603011015||ADT^A01|1|P|2.5\r",
        b"M\0S\0H\0|\0^\0~\0\\\0&\0|\0A\0|\0",
        b"{\"a\":1,\"b\":2}\n",
        b"[{\"a\":1}]",
        b"{ patient(mrn: \"7\") { id } }",
        b"{\\rtf1\\ansi Text}",
        b"<?xml version=\"1.0\"?><Message xmlns=\"urn:hl7-org:v2xml\"><MSH.1>|</MSH.1></Message>",
        b"<HEL.R01><HDR><HDR.control_id V=\"1\"/></HDR></HEL.R01>",
        b"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        b"shc:/567629095243206034602924374044603122295953265460346029254077280433602870286471",
        b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *260301*1015*",
        b"UNB+UNOC:3+A+B+260301:1015+1'",
        b"01380006301\r\n0143101Ash\r\n",
        b"mtrsl|pi77|pnRoe, Eva|",
        b"BEGIN:VCARD\r\nFN:Eve Ash\r\nEND:VCARD\r\n",
        b"<Message xmlns=\"http://www.ncpdp.org/schema/SCRIPT\"><Body/></Message>",
        b"<MP v=\"2\" U=\"7\"/>",
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        b"^XA^FO50,50^FDAsh^FS^XZ",
        b"@PJL SET JOBNAME=\"a\"\r\n",
        b"N\nA50,0,0,1,1,1,N,\"Ash, Eve\"\nP1\n",
        b"SIZE 50 mm,30 mm\r\nTEXT 10,10,\"3\",0,1,1,\"Ash\"\r\n",
        b"! 0 200 200 210 1\r\nTEXT 4 0 30 40 Ash\r\n",
        b"PRPOS 10,10\r\nPRTXT \"Ash\"\r\n",
        b"query { patient(mrn: \"7\") { id } }",
        b"CHMED16A0{\"Patient\":{\"LName\":\"Ash\"}}",
        b"JAHIS9\n11,77,Ash\n",
        b"SJ1\n11,77,Ash\n",
        b"dn: cn=Ash,ou=patients\nsn: Ash\n",
        b"@prefix fhir: <http://hl7.org/fhir/> .\n",
        b"SQLite format 3\0\x04\0\x01\x01",
        b"x\x9f\x3e\x22\x01\0",
        b"7z\xbc\xaf\x27\x1c\0\x04",
        b"[[\"H\",\"\\\\^&\"],[\"P\",\"1\",\"77\"]]",
        b"[{\"tag\":\"00100010\",\"vr\":\"PN\",\"value\":\"Ash^Eve\"}]",
        b"<m><s>MSH|^~\\&amp;|A|B</s><s>PID|1||77</s></m>",
        b"4d53487c5e7e5c267c417c427c437c447c32303236",
    ];
    let types = ["", "text/plain", "text/html", "application/json", "application/xml", "text/csv"];
    let types = types.map(|content_type| Media::Type { content_type, name: "/a.json" });
    let mut taken = std::collections::BTreeSet::new();
    for media in types.iter().chain([&Media::Unknown]) {
        for front in fronts.into_iter().chain(files.iter().copied()) {
            for format in FORMATS {
                for byte in 0x21..=0x7e {
                    let head = [&[byte], &front[1..]].concat();
                    let longer = [&[byte], front].concat();
                    for head in [&head, &longer] {
                        let may = format.first().is_empty() || format.first().contains(&byte);
                        let takes = format.probe(media, head, Extent::Whole);
                        assert!(may || !takes, "{} {:?}", format.name(), byte as char);
                        let sure = format.at_once(media, head);
                        assert!(!sure || format.is_hasty(), "{}", format.name());
                        if takes && !format.first().is_empty() {
                            taken.insert(format.name());
                        }
                    }
                }
            }
        }
    }
    let choosy = FORMATS.iter().filter(|f| !f.first().is_empty()).map(|f| f.name());
    let unproved: Vec<&str> = choosy.filter(|name| !taken.contains(name)).collect();
    assert!(unproved.is_empty(), "no payload above is of {unproved:?}");
}
