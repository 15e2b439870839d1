//! Messages and files with false lengths and counts, references to themselves, or repeated
//! references. There is one for each way in which a format or protocol could cost more work or
//! memory than its size.

use crate::payloads::gzip;
use std::io::Write as _;

/// Speaker (true for the server) and bytes.
pub type Turns = Vec<(bool, Vec<u8>)>;
const CLIENT: bool = false;
const SERVER: bool = true;

/// `repeat` and `concat` of bytes.
fn times(piece: &[u8], n: usize) -> Vec<u8> {
    piece.repeat(n)
}
fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Name, media type, body.
pub fn files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let table = "<tr><td colspan=1000000 rowspan=1000000>MRN</td><td>7</td></tr>".repeat(3000);
    let laughs = |n: u8| {
        format!(
            "<!ENTITY {} \"{}\">",
            (b'b' + n) as char,
            format!("&{};", (b'a' + n) as char).repeat(20)
        )
    };
    let entities: String = (0..8).map(laughs).collect();
    vec![
        ("HTML spans", "text/html", format!("<table>{table}").into_bytes()),
        (
            "XML entities",
            "application/xml",
            format!(
                "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaaaaaaaa\">{entities}]><a>{}</a>",
                "&i;".repeat(20_000)
            )
            .into_bytes(),
        ),
        ("sheet of repeated rows", "application/vnd.oasis.opendocument.spreadsheet", sheet()),
        ("PDF forms, 2^30", "application/pdf", pdf_forms(30, 2)),
        ("PDF forms, many", "application/pdf", pdf_forms(5, 400)),
        ("protobuf, deep", "application/protobuf", times(&protobuf(60), 300)),
        ("SQLite, one cell", "application/vnd.sqlite3", sqlite_one_cell()),
        ("SQLite, tree", "application/vnd.sqlite3", sqlite_tree()),
        ("OLE, one chain", "application/msword", ole(false)),
        ("OLE, cycle", "application/msword", ole(true)),
        ("dBASE, fields of no length", "application/dbase", dbase()),
        ("TNEF in TNEF", "application/ms-tnef", tnef_nested(200)),
        ("TNEF, counts", "application/ms-tnef", tnef_counts()),
        ("bzip2", "application/x-bzip2", bzip2(&vec![b'x'; 16 << 20])),
        (
            "gzip of bzip2",
            "application/gzip",
            gzip(&bzip2("MRN: 7 Name: \n".repeat(1 << 19).as_bytes())),
        ),
        (
            "DICOM, items in items",
            "application/dicom",
            dicom(&times(b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff", 6000)),
        ),
        ("TIFF, directory in itself", "image/tiff", tiff()),
        (
            "RTF, binary parts",
            "application/rtf",
            cat(&[b"{\\rtf1 ", &times(b"\\bin999999999 a", 8000)]),
        ),
        ("PostScript, procedures", "application/postscript", postscript()),
    ]
}

/// Name, port, conversation.
pub fn conversations() -> Vec<(&'static str, u16, Turns)> {
    vec![
        ("HPACK, one long field", 80, vec![(CLIENT, hpack(8))]),
        (
            "HTTP/2, empty continuations",
            80,
            vec![(
                CLIENT,
                cat(&[
                    PREFACE,
                    &frame(1, 1, 1, b"\x82\x84\x86"),
                    &times(&frame(9, 0, 1, b""), 10_000),
                ]),
            )],
        ),
        ("SMB, lengths", 445, smb()),
        (
            "NFS, empty fragments",
            2049,
            vec![(CLIENT, cat(&[&record(&rpc(6, &[])), &times(b"\0\0\0\0", 30_000)]))],
        ),
        ("NFS, counts", 2049, nfs_counts()),
        ("rsync, lengths", 873, rsync()),
        ("LDAP, many attributes in a name and in its entry", 389, ldap()),
        ("Kafka, counts", 9092, kafka()),
        ("AMQP 1.0, lists in lists", 5672, amqp()),
        ("Cassandra, rows of no columns", 9042, cassandra()),
        (
            "Redis, arrays in arrays",
            6379,
            vec![(CLIENT, cat(&[b"*1\r\n$4\r\nPING\r\n", &times(b"*2147483647\r\n", 10_000)]))],
        ),
        (
            "Fluent, arrays in arrays",
            24_224,
            vec![(
                CLIENT,
                cat(&[b"\x93\xa5a.log\xce\x65\0\0\0\x81\xa1a", &times(b"\x91", 60_000)]),
            )],
        ),
        (
            "IMAP, literals",
            143,
            vec![
                (SERVER, b"* OK IMAP4rev1\r\n".to_vec()),
                (CLIENT, b"a FETCH 1:* BODY[]\r\n".to_vec()),
                (SERVER, times(b"* 1 FETCH (BODY[] {4294967295}\r\n", 3000)),
            ],
        ),
    ]
}

/// Name, port, the datagram of sender `n`.
pub type Datagrams = (&'static str, u16, fn(u32) -> Vec<u8>);

/// Floods, one datagram from each sender.
pub const FLOODS: &[Datagrams] = &[
    ("IntelliVue, counts", 24_105, |_| {
        cat(&[
            b"\xe1\0\0\x02\0\x02\0\x14\0\x01\0\x22\0\x21\0\0\0\0",
            &times(b"\xff\xff\xff\xff", 10),
        ])
    }),
    ("SDC, open elements", 3702, |_| {
        let head = b"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>";
        cat(&[head, &times(b"<a>", 60)])
    }),
    ("GELF, first chunks", 12_201, |n| {
        cat(&[b"\x1e\x0f\0\0\0\0", &n.to_be_bytes(), b"\0\x80", &times(b"x", 40)])
    }),
    ("mDNS, a name of each host", 5353, |n| {
        let name = format!("\x08ws{:06}\x05local", n % 1_000_000);
        cat(&[
            b"\0\0\x84\0\0\0\0\x01\0\0\0\0",
            name.as_bytes(),
            b"\0\0\x01\0\x01\0\0\0\x01\0\x04\x0a",
            &n.to_be_bytes()[1..],
        ])
    }),
    ("DNS, names in themselves", 53, |n| {
        cat(&[
            &(n as u16).to_be_bytes(),
            b"\x81\x80\0\x01\xff\xff\0\0\0\0",
            &times(b"\xc0\x0c\0\x01\0\x01", 8),
        ])
    }),
];

/// An entry whose name has 1,000 attributes, and which has 65,000 without a name or a value.
fn ldap() -> Turns {
    let element = |tag: u8, body: &[u8]| {
        let [_, length @ ..] = (body.len() as u32).to_be_bytes();
        cat(&[&[tag, 0x83], &length, body])
    };
    let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
    let name = element(0x04, &times(b"a=b+", 1000));
    let attributes = element(0x30, &times(b"\x30\x02\x04\0", 65_000));
    let entry = element(0x64, &cat(&[&name, &attributes]));
    let entry = element(0x30, &cat(&[b"\x02\x01\x02", &entry]));
    vec![(CLIENT, bind.to_vec()), (SERVER, entry)]
}

fn bzip2(data: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

/// A member of a ZIP archive that is not compressed.
fn stored(name: &str, data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u32).to_le_bytes();
    let name_len = (name.len() as u16).to_le_bytes();
    cat(&[
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &len,
        &len,
        &name_len,
        b"\0\0",
        name.as_bytes(),
        data,
    ])
}

fn sheet() -> Vec<u8> {
    let row = "<table:table-row table:number-rows-repeated=\"1000000\"><table:table-cell \
        table:number-columns-repeated=\"16384\"><text:p>Roe</text:p></table:table-cell></table:table-row>";
    let xml = format!(
        "<office:document-content xmlns:office=\"o\" xmlns:table=\"t\" xmlns:text=\"x\"><office:body>\
         <office:spreadsheet><table:table>{}</table:table></office:spreadsheet></office:body></office:document-content>",
        row.repeat(1000)
    );
    let kind = b"application/vnd.oasis.opendocument.spreadsheet";
    cat(&[&stored("mimetype", kind), &stored("content.xml", xml.as_bytes())])
}

/// Forms, each of which draws the next `fan` times.
fn pdf_forms(levels: usize, fan: usize) -> Vec<u8> {
    let stream = |head: &str, data: &str| {
        format!("<<{head}/Length {}>>stream\n{data}\nendstream ", data.len())
    };
    let mut out = String::from(
        "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
         3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>endobj\n",
    );
    out += &format!("4 0 obj{}endobj\n", stream("", "/X Do"));
    for n in 0..levels {
        let head = format!(
            "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X {} 0 R>>>>",
            6 + n
        );
        let draws = "/X Do ".repeat(fan);
        out += &format!(
            "{} 0 obj{}endobj\n",
            5 + n,
            stream(&head, &format!("BT (Patient: x) Tj ET {draws}"))
        );
    }
    (out + "trailer<</Root 1 0 R>>\n%%EOF").into_bytes()
}

fn varint(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n > 127 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// Nested messages, each of which might also be text.
fn protobuf(depth: usize) -> Vec<u8> {
    let mut inner = b"\x0a\x08Doe Jane".to_vec();
    for _ in 0..depth {
        inner = cat(&[b"\x0a", &varint(inner.len()), &inner]);
    }
    inner
}

const PAGE: usize = 4096;

/// The first page of a SQLite database (file format, 1.3 and 2.6): a table of patients whose root is page 2.
fn sqlite(pages: usize) -> Vec<u8> {
    let mut file = vec![0; pages * PAGE];
    file[..16].copy_from_slice(b"SQLite format 3\0");
    file[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
    file[28..32].copy_from_slice(&(pages as u32).to_be_bytes());
    file[44..48].copy_from_slice(&4u32.to_be_bytes());
    file[56..60].copy_from_slice(&1u32.to_be_bytes());
    let sql = b"CREATE TABLE patient (mrn text, last_name text)";
    // Types of five columns, then their values (2.1).
    let types = [0x17, 0x1b, 0x1b, 1, 13 + 2 * sql.len() as u8];
    let values = cat(&[b"table", b"patient", b"patient", &[2], sql]);
    let payload = cat(&[&[6], &types, &values]);
    let cell = cat(&[&varint(payload.len()), &[1], &payload]);
    let at = PAGE - cell.len();
    file[at..PAGE].copy_from_slice(&cell);
    file[100..108].copy_from_slice(&[13, 0, 0, 0, 1, (at >> 8) as u8, at as u8, 0]);
    file[108..110].copy_from_slice(&(at as u16).to_be_bytes());
    file
}

/// A page with 1,500 rows that are all the same one, which continues on 40 further pages.
fn sqlite_one_cell() -> Vec<u8> {
    let mut file = sqlite(43);
    let size = 40 * (PAGE - 4);
    let at = PAGE + 3500;
    let head = cat(&[
        &[0x80 | (size >> 14) as u8, 0x80 | (size >> 7) as u8 & 0x7f, size as u8 & 0x7f, 1],
        &[4, 0x1b, 0x8a, 0x0d],
    ]);
    file[at..at + head.len()].copy_from_slice(&head);
    file[PAGE..PAGE + 8].copy_from_slice(&[13, 0, 0, 0x05, 0xdc, 0x0d, 0xac, 0]);
    for n in 0..1500 {
        file[PAGE + 8 + 2 * n..PAGE + 10 + 2 * n].copy_from_slice(&3500u16.to_be_bytes());
    }
    for page in 2..43 {
        let next = if page < 42 { page as u32 + 2 } else { 0 };
        file[page * PAGE..page * PAGE + 4].copy_from_slice(&next.to_be_bytes());
    }
    file
}

/// Inner pages, each of which refers to the next 400 times.
fn sqlite_tree() -> Vec<u8> {
    let mut file = sqlite(40);
    for page in 1..39usize {
        let (at, next) = (page * PAGE, (page as u32 + 2).to_be_bytes());
        file[at..at + 8].copy_from_slice(&[5, 0, 0, 1, 0x90, 0x07, 0xd0, 0]);
        file[at + 8..at + 12].copy_from_slice(&next);
        for n in 0..400 {
            file[at + 12 + 2 * n..at + 14 + 2 * n].copy_from_slice(&2000u16.to_be_bytes());
        }
        file[at + 2000..at + 2004].copy_from_slice(&next);
        file[at + 2004] = 1;
    }
    file
}

/// A compound file ([MS-CFB]) of 1,000 streams with one chain of sectors, which may lead back to
/// its start.
fn ole(cycle: bool) -> Vec<u8> {
    const SECTOR: usize = 512;
    const CHAIN: u32 = 200;
    const STREAMS: u32 = 1000;
    let folders = (STREAMS + 4) / 4;
    let mut fat: Vec<u32> = (1..CHAIN).chain([if cycle { 0 } else { 0xffff_fffe }]).collect();
    fat.extend(CHAIN + 1..CHAIN + folders);
    fat.push(0xffff_fffe);
    let fats = (fat.len() as u32 + 20) / 128 + 1;
    fat.extend(vec![0xffff_fffd; fats as usize]);
    fat.resize(fats as usize * 128, u32::MAX);
    let mut head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    head.resize(24, 0);
    head.extend([0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    let fields = [0, fats, CHAIN, 0, 4096, 0xffff_fffe, 0, 0xffff_fffe, 0];
    head.extend(fields.iter().flat_map(|n: &u32| n.to_le_bytes()));
    head.extend(
        (0..109).flat_map(|n| if n < fats { CHAIN + folders + n } else { u32::MAX }.to_le_bytes()),
    );
    let entry = |name: &str, kind: u8, size: u64, right: u32, child: u32| {
        let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let len = entry.len() as u16 + 2;
        entry.resize(64, 0);
        entry.extend(len.to_le_bytes());
        entry.extend([kind, 1]);
        entry.extend([u32::MAX, right, child].iter().flat_map(|n| n.to_le_bytes()));
        entry.resize(120, 0);
        entry.splice(116..120, if kind == 5 { u32::MAX - 1 } else { 0 }.to_le_bytes());
        entry.extend(size.to_le_bytes());
        entry
    };
    let mut file = head;
    file.extend(b"Patient: Roe MRN: 7 ".iter().cycle().take(CHAIN as usize * SECTOR));
    let mut entries = entry("Root Entry", 5, 0, u32::MAX, 1);
    for n in 0..STREAMS {
        let name = if n == 0 { "WordDocument".to_owned() } else { format!("{n}") };
        let right = if n + 1 < STREAMS { n + 2 } else { u32::MAX };
        entries.extend(entry(&name, 2, u64::from(CHAIN) * SECTOR as u64, right, u32::MAX));
    }
    entries.resize(folders as usize * SECTOR, 0);
    file.extend(entries);
    file.extend(fat.iter().flat_map(|n| n.to_le_bytes()));
    file
}

fn dbase() -> Vec<u8> {
    let head = 32 + 32 * 1000 + 1u16;
    let field = cat(&[b"MRN\0\0\0\0\0\0\0\0C\0\0\0\0\0", &[0; 15]]);
    cat(&[
        b"\x03\x7e\x0b\x1d\xff\xff\xff\0",
        &head.to_le_bytes(),
        b"\x01\0",
        &[0; 20],
        &times(&field, 1000),
        b"\x0d",
        &times(b" ", 60_000),
    ])
}

/// Level, tag and type, data.
fn tnef(attributes: &[(u8, u32, &[u8])]) -> Vec<u8> {
    let attribute = |(level, tag, data): &(u8, u32, &[u8])| {
        cat(&[&[*level], &tag.to_le_bytes(), &(data.len() as u32).to_le_bytes(), data, b"\0\0"])
    };
    let attributes: Vec<Vec<u8>> = attributes.iter().map(attribute).collect();
    cat(&[b"\x78\x9f\x3e\x22\x01\0", &attributes.concat()])
}

fn tnef_nested(depth: usize) -> Vec<u8> {
    let mut inner = tnef(&[(1, 0x0002_800c, b"Patient: Roe")]);
    for _ in 0..depth {
        inner = tnef(&[(2, 0x0006_9002, &[0; 14]), (2, 0x0006_800f, &inner)]);
    }
    inner
}

fn tnef_counts() -> Vec<u8> {
    let property =
        cat(&[b"\xff\xff\xff\x7f\x1e\x10\0\x10\xff\xff\xff\x7f\x04\0\0\0", &times(b"abc\0", 20)]);
    tnef(&vec![(1, 0x0006_9003, &*property); 1000])
}

fn dicom(elements: &[u8]) -> Vec<u8> {
    cat(&[&[0; 128], b"DICM\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0", elements])
}

fn tiff() -> Vec<u8> {
    let entry = b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0";
    cat(&[b"II*\0\x08\0\0\0\xd0\x07", &times(entry, 2000), b"\x08\0\0\0"])
}

fn postscript() -> Vec<u8> {
    let mut text = String::from("%!PS-Adobe-3.0\n/a0 {(MRN: 7) show} def ");
    for n in 0..40 {
        text += &format!("/a{} {{a{n} a{n} a{n} a{n}}} def ", n + 1);
    }
    (text + &"a40 ".repeat(2000)).into_bytes()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    cat(&[&len[1..], &[kind, flags], &stream.to_be_bytes(), body])
}

/// A field of 3,900 bytes that one byte refers to, repeatedly (RFC 7541 7.3).
fn hpack(requests: u32) -> Vec<u8> {
    let first = cat(&[b"\x82\x84\x86\x40\x01a\x7f\xbd\x1d", &times(b"x", 3900)]);
    let mut out = cat(&[PREFACE, &frame(1, 5, 1, &first)]);
    for n in 0..requests {
        out.extend(frame(1, 5, 3 + 2 * n, &cat(&[b"\x82\x84\x86", &times(b"\xbe", 15_000)])));
    }
    out
}

/// A message of SMB 2 with its header, and the length of NetBIOS before it.
fn smb2(command: u16, id: u64, server: bool, length: Option<u32>, body: &[u8]) -> Vec<u8> {
    let message = cat(&[
        b"\xfeSMB\x40\0\0\0\0\0\0\0",
        &command.to_le_bytes(),
        b"\x01\0",
        &u32::from(server).to_le_bytes(),
        &[0; 4],
        &id.to_le_bytes(),
        &[0; 4],
        b"\x01\0\0\0\x01\0\0\0\0\0\0\0",
        &[0; 16],
        body,
    ]);
    cat(&[&length.unwrap_or(message.len() as u32).to_be_bytes(), &message])
}

fn smb() -> Turns {
    let negotiate = cat(&[b"\x24\0\x01\0\x01\0\0\0\0\0\0\0", &[0; 24], b"\x02\x02"]);
    let mut answer = b"\x41\0\x01\0\x02\x02\0\0".to_vec();
    answer.resize(64, 0);
    let mut turns = vec![
        (CLIENT, smb2(0, 0, false, None, &negotiate)),
        (SERVER, smb2(0, 0, true, None, &answer)),
    ];
    for id in 1..300 {
        let mut read = b"\x31\0\0\0\xff\xff\xff\x7f\0\0\0\0\0\0\0\x10".to_vec();
        read.resize(49, 7);
        let data = cat(&[b"\x11\0\xff\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0", &times(b"x", 100)]);
        turns.push((CLIENT, smb2(8, id, false, None, &read)));
        turns.push((SERVER, smb2(8, id, true, None, &data)));
    }
    for id in 300..600 {
        turns.push((CLIENT, smb2(9, id, false, Some(0xff_ffff), &[0; 200])));
    }
    turns
}

/// A call of NFS 3 (RFC 5531, RFC 1813).
fn rpc(procedure: u32, body: &[u8]) -> Vec<u8> {
    let words = [1, 0, 2, 100_003, 3, procedure, 0, 0, 0, 0];
    cat(&[&words.map(u32::to_be_bytes).concat(), body])
}

fn record(message: &[u8]) -> Vec<u8> {
    cat(&[&(0x8000_0000 | message.len() as u32).to_be_bytes(), message])
}

fn nfs_counts() -> Turns {
    let write = cat(&[
        b"\0\0\0\x20",
        &[0; 32],
        b"\x40\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff",
    ]);
    vec![(CLIENT, times(&record(&rpc(7, &write)), 1500))]
}

fn rsync() -> Turns {
    let list = cat(&[&(7 << 24 | 5u32).to_le_bytes(), b"\x02\xffa\x05\x06"]);
    vec![
        (SERVER, b"@RSYNCD: 31.0\n".to_vec()),
        (CLIENT, b"@RSYNCD: 31.0\nward\n".to_vec()),
        (SERVER, b"@RSYNCD: OK\n".to_vec()),
        (CLIENT, b"--server\0--sender\0-logDtprz\0.\0ward/\0\0".to_vec()),
        (SERVER, cat(&[b"\x1f\0\0\0", &times(&list, 9000)])),
    ]
}

/// Requests to produce one batch with a false record count, whose data unpacks to zeros.
fn kafka() -> Turns {
    let produce = |attributes: u16, records: &[u8]| {
        let tail =
            cat(&[&attributes.to_be_bytes(), &[0; 20], &[0xff; 14], b"\x7f\xff\xff\xff", records]);
        let batch =
            cat(&[&[0; 8], &(tail.len() as u32 + 9).to_be_bytes(), b"\0\0\0\0\x02\0\0\0\0", &tail]);
        let body = cat(&[
            b"\0\0\0\x03\0\0\0\x01\0\x01c\xff\xff\0\x01\0\0\x03\xe8\0\0\0\x01\0\x03adt\0\0\0\x01\0\0\0\0",
            &(batch.len() as u32).to_be_bytes(),
            &batch,
        ]);
        cat(&[&(body.len() as u32).to_be_bytes(), &body])
    };
    vec![
        (CLIENT, times(&produce(1, &gzip(&vec![0; 3 << 20])), 20)),
        (CLIENT, times(&produce(0, b"\x12\0\0\0\x01\x04{}\0"), 1000)),
    ]
}

fn amqp() -> Turns {
    let header = b"AMQP\0\x01\0\0".to_vec();
    let frame = |body: &[u8]| cat(&[&(8 + body.len() as u32).to_be_bytes(), b"\x02\0\0\0", body]);
    let lists = times(b"\xd0\0\xff\xff\xff\0\0\0\x01", 8000);
    vec![
        (CLIENT, header.clone()),
        (SERVER, header),
        (CLIENT, frame(b"\0\x53\x10\xc0\x04\x01\xa1\x01a")),
        (CLIENT, frame(&cat(&[b"\0\x53\x14\xc0\x05\x04\x43\x43\xa0\0\x43\0\x53\x77", &lists]))),
    ]
}

fn cassandra() -> Turns {
    let frame = |version: u8, opcode: u8, body: &[u8]| {
        cat(&[&[version, 0, 0, 1, opcode], &(body.len() as u32).to_be_bytes(), body])
    };
    let rows = b"\0\0\0\x02\0\0\0\x01\0\0\0\0\0\x02ks\0\x07patient\x7f\xff\xff\xff";
    vec![
        (CLIENT, frame(4, 1, b"\0\x01\0\x0bCQL_VERSION\0\x053.0.0")),
        (SERVER, frame(0x84, 2, b"")),
        (CLIENT, frame(4, 7, b"\0\0\0\x08SELECT 1\0\x01\0")),
        (SERVER, times(&frame(0x84, 8, rows), 1000)),
    ]
}
