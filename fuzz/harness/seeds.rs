//! Initial inputs from every fixture: conversations, their payloads, frames, captures and rules.

use super::{Target, turns, turns::Turn};
use phitap::capture::{Batch, Source as _, Status, Timeline};
use phitap::content::{Extent, FORMATS};
use phitap::decode::{Decoder, Outcome, Side, Transport};
use phitap::flow::Orientation;
use phitap::protocol::datagrams::frame_datagram;
use phitap::protocol::driver::{Driver, DriverEvent, DriverLimits};
use phitap::protocol::expected::ExpectedFlow;
use phitap::protocol::{
    Activity, ContentId, ContentSink, End, Ending, Hint, Media, Object, PROTOCOLS, Reason,
    ServiceFacts, Want,
};
use phitap::time::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Larger conversations and files are skipped, because fuzzing is faster with small ones.
const MAX_BYTES: usize = 48 << 10;

/// A target and an input for it.
pub type Seed = (String, Vec<u8>);

/// Everything from the fixtures of the checkout `root`.
pub fn all(root: &Path) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for path in files(&root.join("fixtures")) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let name = path.to_string_lossy().into_owned();
        let folder = |name: &str| path.components().any(|c| c.as_os_str() == name);
        if folder("captures") || folder("links") || folder("formats") || folder("services") {
            if bytes.len() <= MAX_BYTES {
                seeds.push(("capture".to_owned(), bytes));
            }
            of_capture(&path, folder("links"), &mut seeds);
        } else if folder("office") || folder("pdf") {
            let media = Media::Type { content_type: "", name: &name };
            of_document(&media, &[], &bytes, &mut seeds);
        }
    }
    for path in files(&root.join("rules")) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for entry in text.split("\n[[").filter(|entry| entry.contains("id =")).take(40) {
            seeds.push(("rules".to_owned(), format!("[[{entry}\n").into_bytes()));
        }
    }
    for (protocol, turns) in WRITTEN {
        let turn =
            |&(server, bytes): &(bool, &[u8])| Turn { server, lost: 0, bytes: bytes.to_vec() };
        let turns: Vec<Turn> = turns.iter().map(turn).collect();
        push(&format!("protocol-{protocol}"), 11, &turns, &mut seeds);
    }
    for (family, bytes) in DOCUMENTS {
        if let Some(Target::Content(family)) = Target::named(&format!("content-{family}")) {
            let inputs = family.inputs(bytes).into_iter();
            seeds.extend(inputs.map(|input| (format!("content-{}", family.name), input)));
        }
    }
    seeds.extend(
        RESULTS.iter().map(|(target, text)| (target.to_string(), text.as_bytes().to_vec())),
    );
    seeds.push(("spool".to_owned(), spool()));
    if let Some(Target::Content(device)) = Target::named("content-device") {
        for (format, field) in phitap::syntax::recording::FIELDS {
            let file = phitap::syntax::recording::sample(format, field, "19591102");
            let inputs = file.iter().flat_map(|file| device.inputs(file));
            seeds.extend(inputs.map(|input| ("content-device".to_owned(), input)));
        }
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Writes the seeds of every target below `folder`, each in a file named after its bytes.
pub fn write(root: &Path, folder: &Path) -> std::io::Result<()> {
    for target in Target::all() {
        std::fs::create_dir_all(folder.join(target.name()))?;
    }
    for (target, input) in all(root) {
        std::fs::write(folder.join(target).join(name_of(&input)), input)?;
    }
    Ok(())
}

/// The name of an input's file: its FNV-1a hash.
pub fn name_of(input: &[u8]) -> String {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}", input.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

const ISA: &[u8] = b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *260301*1015*^*00501*\
000000001*0*P*:~GS*HC*A*B*20260301*1015*1*X*005010X222A1~ST*837*0001~NM1*IL*1*DOE*JANE****MI*123456789~\
DMG*D8*19600229*F~SE*4*0001~GE*1*1~IEA*1*000000001~";

/// A host that renews its address and gives its name.
const DHCP: &[u8] = b"\0\xf9\x01\x01\x06\0\0\0\0\0\0\0\0\0\x0a\x01\x07\x15\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x63\x82\
\x53\x63\x35\x01\x03\x0c\x03ws9\xff";

/// The target for encrypted conversations.
const HANDSHAKE: &str = "handshake";

/// Whether the server speaks, and the bytes.
type Said = (bool, &'static [u8]);

/// Conversations of protocols without fixture.
const WRITTEN: &[(&str, &[Said])] = &[
    (
        "proxy",
        &[(false, b"PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\nGET /patients?name=Doe HTTP/1.1\r\nHost: a\r\n\r\n")],
    ),
    ("proxy", &[(false, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x9c\x40\0\x50GET / HTTP/1.1\r\n\r\n")]),
    ("x12", &[(false, ISA), (true, ISA)]),
    ("raw", &[(false, b"MSH|^~\\&|A|B|C|D|20260301||ADT^A01|1|P|2.5\rPID|1||123^^^H^MR||Doe^Jane||19600229|F\r")]),
    (
        "mongodb",
        &[(
            false,
            b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1f\0\0\0\x02name\0\x04\0\0\0Doe\0\x10mrn\0\x39\x30\0\0\0",
        )],
    ),
    (
        "amqp",
        &[
            (false, b"AMQP\0\0\x09\x01\x01\0\x01\0\0\0\x0e\0\x3c\0\x28\0\0\x01e\x04adt1\0\0\xce"),
            (false, b"\x02\0\x01\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\x05\0\0\xce\x03\0\x01\0\0\0\x05abcde\xce"),
        ],
    ),
    (
        "nats",
        &[
            (true, b"INFO {\"server_id\":\"a\"}\r\n"),
            (false, b"CONNECT {\"user\":\"a\",\"pass\":\"b\"}\r\nPUB adt.a01 16\r\n{\"patient\":\"Doe\"}\r\nPING\r\n"),
            (true, b"MSG adt.a01 1 16\r\n{\"patient\":\"Doe\"}\r\n"),
        ],
    ),
    (
        "stomp",
        &[
            (false, b"CONNECT\naccept-version:1.2\nlogin:a\npasscode:b\n\n\0"),
            (true, b"CONNECTED\nversion:1.2\n\n\0\n"),
            (false, b"SEND\ndestination:/q/adt\ncontent-type:application/json\n\n{\"patient\":\"Doe\"}\0"),
        ],
    ),
    (
        "tds",
        &[
            (false, b"\x12\x01\0\x1a\0\0\0\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x10\0\0\0\0\0\x02"),
            (false, b"\x01\x01\0\x28\0\0\x01\0\x0a\0\0\0S\0E\0L\0E\0C\0T\0 \0n\0 \0F\0 \0p\0"),
            (true, b"\x04\x01\0\x26\0\0\x01\0\x81\x01\0\0\0\0\0\0\0\xe7\x08\0\x09\x04\xd0\0\x34\x01n\0\xd1\x06\0D\0o\0e\0"),
        ],
    ),
    (
        "dns",
        &[(
            true,
            b"\0\x2e\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x04pacs\x07example\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\x0a\x01\x02\x03",
        )],
    ),
    ("dhcp", &[(false, DHCP)]),
    (
        "gelf",
        &[
            (false, b"{\"version\":\"1.1\",\"host\":\"a\",\"short_message\":\"b\",\"_mrn\":\"7\"}\0"),
            (false, b"{\"host\":\"a\",\"short_message\":\"b\"}\0"),
        ],
    ),
    (
        "gelf",
        &[
            (false, b"\0\x0d\x1e\x0fabcdefgh\0\x02{\0\x0e\x1e\x0fabcdefgh\x01\x02}x"),
            (false, b"\0\x0d\x1e\x0fabcdefgi\x02\x80x"),
        ],
    ),
    (
        "snpp",
        &[
            (true, b"220 SNPP ready\r\n"),
            (false, b"LOGI a b\r\nPAGE 17\r\nMESS Bed 3 Doe, Jane\r\nDATA\r\n..a\r\n.\r\nQUIT\r\n"),
            (true, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n"),
        ],
    ),
    (
        "fluent",
        &[
            (false, b"\x93\xa5a.log\xce\x65\0\0\0\x82\xa3mrn\xa17\xa1n\x01\x93\xa1t\x91\x92\xd7\0\x65\0\0\0\0\0\0\x01\x80\x81\xa5chunk\xa1x"),
            (true, b"\x81\xa3ack\xa1x"),
        ],
    ),
    (
        "oracle",
        &[
            (false, b"\0J\0\0\x01\0\0\0\x01<\x01,\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0(SERVICE_NAME=h)"),
            (true, b"\0\x10\0\0\x02\0\0\0\x01:\0\0\0\0\0\0"),
            (false, b"\0>\0\0\x06\0\0\0\0\0\x03AUTH_\0Patient: Doe, Jane MRN: 12345 DOB: 1960-02-29"),
        ],
    ),
    (
        "memcached",
        &[
            (false, b"set patient:7 0 60 11\r\nMRN 123 Doe\r\nget a\r\n\x80\x01\0\x01\x08\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0kabc"),
            (true, b"STORED\r\nVALUE a 0 3\r\nabc\r\nEND\r\nVA 3 t1\r\nabc\r\n"),
        ],
    ),
    (
        "vista",
        &[
            (false, b"[XWB]11302\x051.108\x0cORWPT SELECT50003237f\x04"),
            (true, b"\0\0DOE,JANE^F^2600229^666123456^7^WARD 7\x04"),
        ],
    ),
    ("rlogin", &[(false, b"\0jane\0jane\0xterm/38400\0"), (true, b"\0Patient: Doe, Jane  MRN: 12345\r\n")]),
    (
        "lpd",
        &[
            (false, b"\x02ward\n"),
            (true, b"\0"),
            (false, b"\x0212 cfA001host\n"),
            (true, b"\0"),
            (false, b"Hhost\nPjane\n\0"),
            (true, b"\0"),
            (false, b"\x0318 dfA001host\nPatient: Jane Doe\n\0"),
        ],
    ),
];

/// Documents without fixture, and the smallest files of devices (`phitap::syntax::recording`).
const DOCUMENTS: &[(&str, &[u8])] = &[
    ("protobuf", b"\x0a\x08Doe Jane\x12\x0a1960-02-29\x1a\x0b078-05-1120\x22\x07\x0a\x05abcde\x28\x96\x01"),
    ("log", b"event: adt\ndata: {\"patient_name\":\"Doe\",\"dob\":\"1960-02-29\"}\n\ndata: x\ndata: y\n\n"),
    ("log", b"<14>1 2026-03-01T10:15:02Z h app 1 - - Patient: Jane Doe DOB: 1960-02-29 SSN 078-05-1120\n"),
    (
        "office",
        b"\x03\x7e\x0b\x1d\x01\0\0\0\x61\0\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0MRN\0\0\0\0\0\0\0\0C\0\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0DOB\0\0\0\0\0\0\0\0D\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0d 12345619600229\x1a",
    ),
    (
        "office",
        b"\x78\x9f\x3e\x22\x01\0\x01\x0c\x80\x02\0\x12\0\0\0Patient: Jane Doe\0\0\0\x02\x02\x90\x06\0\0\0\0\0\0\0\x02\x05\x90\x06\0\x14\0\0\0\x01\0\0\0\x1e\0\x07\x37\x01\0\0\0\x02\0\0\0a\0\0\0\0\0",
    ),
    ("unknown", b"Patient: Jane Doe\nDOB: 1960-02-29\nMRN: 12345\n"),
    ("unknown", b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Doe\"}],\"birthDate\":\"1960-02-29\"}"),
    ("unknown", ISA),
];

/// Data from other machines.
const RESULTS: &[(&str, &str)] = &[
    (
        "summary",
        r#"3{"facts":[{"c":"10.0.0.1:40000","s":"10.1.0.1:104","t":6,"i":7,"b":5,"p":"dicom","w":"aaaaaaaaaaaaaaaaaaaa","f":5,"l":9,"n":3,"v":50,"k":["name"],"ids":[["ssn","baaaaaaaaaaaaaaaaaaa",1,2]],"names":[["caaaaaaaaaaaaaaaaaaa",["daaaaaaaaaaaaaaaaaaa","eaaaaaaaaaaaaaaaaaaa"]]],"births":["faaaaaaaaaaaaaaaaaaa"]},{"c":"10.0.0.1:40000","s":"10.1.0.1:104","t":6,"b":6,"p":"dicom","w":"gaaaaaaaaaaaaaaaaaaa","f":6,"l":7,"n":1,"v":50,"k":["name"]}]}"#,
    ),
    (
        "summary",
        r#"3{"sketches":[{"c":"10.0.0.1","s":"10.1.0.1:104","t":6,"p":"dicom","f":5,"l":9,"v":50,"patients":{"members":[1]},"findings":{"members":[2]},"flows":{"members":[3]},"records":{"members":[4]},"kinds":{"name":{"members":[2]}}}]}"#,
    ),
    (
        "hub",
        r#"{"@timestamp":"2026-03-01T10:15:02Z","event":{"action":"phi-exposure","id":"E1","severity":50},"observer":{"product":"phitap","version":"1","name":"a"},"client":{"ip":"10.0.0.1"},"server":{"ip":"10.1.0.1","port":104},"network":{"transport":"tcp","protocol":"dicom"},"phi":{"key_id":"k","exposure":{"id":"E1","state":"open","patients":1,"records":2,"findings":1,"flows":1,"identifiers":{}}}}
{"@timestamp":"2026-03-01T10:15:03Z","event":{"action":"sensor-status"},"observer":{"product":"phitap","version":"1","name":"a"},"phi":{"run":{"packets":{"read":5,"dropped":{"kernel":3}}},"sensor":{"ready":true,"problems":[{"check":"capture"}],"uptime_seconds":5,"rules":"r"}}}
{"@timestamp":"2026-03-01T10:15:04Z","event":{"action":"phi-summary"},"observer":{"product":"phitap","name":"a"},"phi":{"key_id":"k","summary":{"version":1,"run":"r1","figures":{"packets":1,"bytes":2,"flows":1,"payload_bytes":1,"unjudged_bytes":0,"unjudged_flows":0,"lost_packets":0,"started":0,"ended":5,"over":false}}}}
{"@timestamp":"2026-03-01T10:15:05Z","event":{"action":"service-seen","id":"S1"},"observer":{"product":"phitap","name":"b"},"server":{"ip":"10.1.0.1","port":104}}"#,
    ),
    (
        "review",
        r#"{"@timestamp":"2026-03-01T10:15:02Z","event":{"action":"phi-exposure","id":"E1","severity":73,"start":"2026-03-01T10:15:00Z","end":"2026-03-01T10:15:02Z"},"observer":{"name":"ward","version":"1"},"client":{"ip":"203.0.113.9"},"server":{"ip":"10.1.2.3","port":104},"network":{"transport":"tcp","protocol":"dicom","community_id":"1:a","direction":"inbound"},"phi":{"service":{"authentication":"none","interfaces":[{"kind":"pacs","open":true}]},"exposure":{"id":"E1","fingerprint":"x_a","state":"open","patients":1,"findings":1,"records":2,"flows":1,"operations":["C-FIND"],"identifiers":{"name":1}},"key_id":"k1"}}
{"@timestamp":"2026-03-01T10:15:02Z","event":{"action":"phi-finding","id":"F1","severity":73},"observer":{"name":"ward"},"client":{"ip":"203.0.113.9","port":5000},"server":{"ip":"10.1.2.3","port":104},"network":{"transport":"tcp","protocol":"dicom"},"rule":{"id":"dicom-patient"},"phi":{"records":2,"carrier":["dicom"],"evidence":{"file":"a.pcap","first_packet":3,"last_packet":9},"patient":{"token":"p_b","identifiers":[{"kind":"name","value":"H***","token":"i_c","field":"(0010,0010)"}],"kinds":["sex"]},"exposure":{"id":"E1"}}}
{"@timestamp":"2026-03-01T10:15:03Z","event":{"action":"phi-finding","id":"F2"},"observer":{"name":"ward"},"phi":{"patients":[{"kinds":["name"],"tokens":["p_c","p_d"]}],"exposure":{"id":"E1"}}}
{"@timestamp":"2026-03-01T10:15:04Z","event":{"action":"service-seen","id":"S1"},"observer":{"name":"ward"},"server":{"ip":"10.1.2.3","port":104},"network":{"transport":"tcp","protocol":"dicom"},"phi":{"service":{"authentication":"none"}}}
{"@timestamp":"2026-03-01T10:15:05Z","event":{"action":"asset-seen","id":"A1"},"observer":{"name":"ward"},"host":{"ip":["10.1.2.3"]},"network":{"protocol":"dicom"},"phi":{"asset":{"role":"pacs"}}}
{"@timestamp":"2026-03-01T11:00:00Z","event":{"action":"run-summary"},"observer":{"name":"ward"},"phi":{"run":{"started":"2026-03-01T10:00:00Z","ended":"2026-03-01T11:00:00Z","exposures":1,"coverage":{"verdict":"complete"}},"key_id":"k1"}}"#,
    ),
    (
        "bundle",
        r#"{"bundle":"q1YqSy0qzszPU7Iy1FFKSk0vysxLVbKqVkrLzEktVrKqrq0FAA==","signature":"AAAA"}"#,
    ),
    ("bundle", r#"{"version":3,"digest":"d","files":{"site.toml":"disable = []"}}"#),
    (
        "jobs",
        r#"{"stage":"done","first":"a.pcap","files":1,"bytes":5,"tries":1,"worker":"w","since":1772360000,"seen":1772360050,"seconds":2.5,"reason":"cut off"}
{"stage":"running","first":"b.pcap","files":1,"bytes":5,"tries":1,"since":1,"seen":2}
{"event":{"action":"phi-summary"},"observer":{"name":"a"},"phi":{"key_id":"k","summary":{"version":1,"run":"r","figures":{"packets":1,"bytes":2,"flows":1,"payload_bytes":1,"unjudged_bytes":0,"unjudged_flows":0,"lost_packets":0,"started":0,"ended":5,"over":true}}}}"#,
    ),
];

/// A spool of three records, in the form of its target.
fn spool() -> Vec<u8> {
    use phitap::output::spool::{Limits, Log, Record};
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { bytes: 1 << 20, age: None };
    let mut log = Log::open(folder.path(), limits).expect("opens");
    for n in 0..3 {
        let line = format!("{{\"n\":{n}}}").into_bytes();
        log.append(&Record::new("E1", 3, n, line)).expect("room");
    }
    let segment = std::fs::read(folder.path().join(format!("{:020}.segment", 0))).expect("written");
    let position = b"00000000000000000001";
    let mut seed = Vec::new();
    for (number, part) in [(None, &position[..]), (Some(0), &segment), (Some(1), &segment)] {
        seed.extend(number);
        seed.extend((part.len() as u16).to_be_bytes());
        seed.extend(part);
    }
    seed
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[derive(Default)]
struct Conversation {
    turns: Vec<Turn>,
    udp: bool,
    good: bool,
    next: [Option<u32>; 2],
}

fn of_capture(path: &Path, links: bool, seeds: &mut Vec<Seed>) {
    let mut source = Timeline::open(&[path]);
    let (mut batch, mut decoder) = (Batch::default(), Decoder::default());
    let mut found: BTreeMap<String, Conversation> = BTreeMap::new();
    let mut frames = Vec::new();
    loop {
        batch.clear();
        let status = source.fill(&mut batch);
        for packet in &batch.packets {
            let bytes = batch.bytes(packet);
            let link = super::whole::LINKS.iter().position(|&link| link == packet.link.0);
            if let (true, Some(link), true) = (links, link, frames.len() < 4 << 10) {
                frames.push(link as u8);
                frames.extend((bytes.len() as u16).to_be_bytes());
                frames.push(1);
                frames.extend(bytes);
            }
            let Outcome::Segment(d) = decoder.decode(packet.time, packet.link, bytes, packet.len)
            else {
                continue;
            };
            let (side, syn) = (d.from.index(), d.flags & 2 != 0);
            let flow = found.entry(format!("{:?}", d.key)).or_insert_with(|| Conversation {
                good: syn || d.key.transport != Transport::Tcp,
                udp: d.key.transport != Transport::Tcp,
                ..Conversation::default()
            });
            if syn {
                flow.next[side] = Some(d.seq.wrapping_add(1));
            }
            let (start, end) = (d.offset as usize, (d.offset + d.len) as usize);
            let Some(payload) = bytes.get(start..end).filter(|p| !p.is_empty()) else { continue };
            flow.good &= flow.udp || flow.next[side] == Some(d.seq);
            flow.next[side] = Some(d.seq.wrapping_add(d.len));
            let server = d.from == Side::High;
            match flow.turns.last_mut() {
                Some(last) if !flow.udp && last.server == server => last.bytes.extend(payload),
                _ => flow.turns.push(Turn { server, lost: 0, bytes: payload.to_vec() }),
            }
        }
        if status != Status::More {
            break;
        }
    }
    if !frames.is_empty() {
        seeds.push(("frames".to_owned(), frames));
    }
    for flow in found.into_values() {
        let size: usize = flow.turns.iter().map(|turn| turn.bytes.len()).sum();
        if flow.good && size <= MAX_BYTES {
            of_conversation(flow, seeds);
        }
    }
}

fn of_conversation(mut flow: Conversation, seeds: &mut Vec<Seed>) {
    // The first speaker is the client, as in `protocol::run`; if a server greets, both speak first.
    if flow.udp {
        let turns = flow.turns.clone();
        for protocol in PROTOCOLS {
            let frames = turns.iter().filter_map(|turn| {
                let mut bytes = Vec::new();
                let spoken = protocol.datagram(&turn.bytes, &mut bytes);
                if protocol.owns_datagrams() {
                    bytes.clear();
                    frame_datagram(&turn.bytes, &mut bytes);
                }
                spoken.then(|| Turn { bytes, ..turn.clone() })
            });
            flow.turns = frames.collect();
            if !flow.turns.is_empty() {
                push(&format!("protocol-{}", protocol.name()), 11, &flow.turns, seeds);
            }
        }
        return;
    }
    push("streams", 99, &flow.turns, seeds);
    let limits = DriverLimits { buffer: 1 << 20, recognise: 64 << 10 };
    let mut driver = Driver::new(limits, Orientation { client: Side::Low, sure: false });
    let mut sink = Payloads::default();
    let mut names = Vec::new();
    let mut skip = [0u64; 2];
    for turn in &flow.turns {
        let side = if turn.server { Side::High } else { Side::Low };
        let wanted = Want::behind(&mut skip[side.index()], &turn.bytes);
        if !wanted.is_empty() {
            skip[side.index()] = driver.data(side, wanted, &mut sink);
        }
        names.extend(driver.events().filter_map(|event| match event {
            DriverEvent::Recognised(name) => Some(name),
            DriverEvent::Opaque(_, Reason::Encrypted) => Some(HANDSHAKE),
            DriverEvent::Opaque(..) => None,
        }));
    }
    driver.finish(End::Fin, &mut sink);
    if driver.orientation().client == Side::High {
        flow.turns.iter_mut().for_each(|turn| turn.server ^= true);
    }
    names.sort_unstable();
    names.dedup();
    for name in names {
        if name == HANDSHAKE {
            push(HANDSHAKE, 11, &flow.turns, seeds);
            continue;
        }
        let targets = match name {
            "http" => &["http1", "http2", "websocket"][..],
            "amqp" => &["amqp", "amqp1"],
            _ => &[name],
        };
        for target in targets {
            push(&format!("protocol-{target}"), 11, &flow.turns, seeds);
        }
    }
    for (content_type, name, codings, bytes) in sink.0 {
        let media = match content_type.as_str() {
            "hl7v2" => Media::Hl7v2,
            "dicom" => Media::DicomDataSet { transfer_syntax: "", query: false },
            "target" => Media::Target,
            _ => Media::Type { content_type: &content_type, name: &name },
        };
        let codings: Vec<&str> = codings.iter().map(String::as_str).collect();
        of_document(&media, &codings, &bytes, seeds);
    }
}

fn push(target: &str, how: u8, turns: &[Turn], seeds: &mut Vec<Seed>) {
    if Target::named(target).is_some() {
        seeds.push((target.to_owned(), [&[how][..], &turns::write(turns)].concat()));
    }
}

fn of_document(media: &Media<'_>, codings: &[&str], bytes: &[u8], seeds: &mut Vec<Seed>) {
    if bytes.is_empty() || bytes.len() > MAX_BYTES {
        return;
    }
    let head = &bytes[..bytes.len().min(phitap::content::PROBE_BYTES)];
    let extent = if head.len() == bytes.len() { Extent::Whole } else { Extent::Beginning };
    let format = FORMATS.iter().find(|format| format.probe(media, head, extent));
    let family = match (codings.is_empty(), format.map_or("", |format| format.name())) {
        (false, _) => "coding",
        (_, "graphql" | "jws") => "json",
        (_, "target" | "form") => "form",
        (_, "multipart") => "mime",
        (_, "gzip" | "zstd" | "tar" | "zip" | "7z") => "archive",
        (_, "ole" | "sqlite" | "mdb" | "dbf" | "tnef") => "office",
        (_, "x12" | "edifact" | "xdt" | "ncpdp" | "astm") => "edi",
        (_, "syslog" | "event-stream") => "log",
        (
            _,
            "postscript" | "pcl" | "pclxl" | "pjl" | "zpl" | "escpos" | "rtf" | "ipp" | "terminal",
        ) => "print",
        (_, name) => name,
    };
    if let Some(Target::Content(family)) = Target::named(&format!("content-{family}")) {
        let target = format!("content-{}", family.name);
        seeds.extend(family.inputs(bytes).into_iter().map(|input| (target.clone(), input)));
    }
}

/// Keeps payloads: declared type, name, codings, bytes.
#[derive(Default)]
struct Payloads(Vec<(String, String, Vec<String>, Vec<u8>)>, ServiceFacts, Activity);

impl ContentSink for Payloads {
    fn open(&mut self, hint: &Hint<'_>) -> ContentId {
        let (content_type, name) = match hint.media {
            Media::Hl7v2 => ("hl7v2", ""),
            Media::DicomDataSet { .. } => ("dicom", ""),
            Media::Target => ("target", ""),
            Media::Type { content_type, name } => (content_type, name),
            Media::Unknown => ("", ""),
        };
        let codings = hint.codings.iter().map(|&coding| coding.to_owned()).collect();
        self.0.push((content_type.to_owned(), name.to_owned(), codings, Vec::new()));
        ContentId(self.0.len() as u32 - 1)
    }
    fn data(&mut self, id: ContentId, bytes: &[u8]) -> Want {
        self.0[id.0 as usize].3.extend_from_slice(bytes);
        Want::ALL
    }
    fn gap(&mut self, _id: ContentId, _len: u64) -> Want {
        Want::ALL
    }
    fn close(&mut self, _id: ContentId, _ending: Ending) {}
    fn facts(&mut self) -> &mut ServiceFacts {
        &mut self.1
    }
    fn activity(&mut self) -> &mut Activity {
        &mut self.2
    }
    fn object(&mut self, _object: Object, _uid: &str) {}
    fn unit(&mut self, _kind: &'static str) {}
    fn spend(&mut self, _work: u64) -> bool {
        true
    }
    fn anomaly(&mut self, _reason: Reason) {}
    fn expect(&mut self, _flow: ExpectedFlow) {}
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}
