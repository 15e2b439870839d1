//! One document alone. The same fields must come from one piece or many, with a gap or without, and
//! records must begin and end in pairs.

use phitap::content::{
    ContentCounters, ContentId, Contents, Env, Field, FieldSink, Mark, Media, RecordHead,
    ServiceFacts, Want,
};
use phitap::flow::Direction;
use phitap::protocol::{Ending, Hint};
use phitap::rules::RuleSet;
use std::sync::LazyLock;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

/// Most memory for reading one document: a PDF is read as a whole (16 MiB), with its parts in
/// addition.
const MAX_MEMORY: usize = 96 << 20;
/// Length of a gap, bytes.
const HOLE: usize = 11;

/// How a document is declared.
pub struct Declared {
    media: Media<'static>,
    codings: &'static [&'static str],
    operation: &'static str,
    /// Bytes before the input, so that it begins in the middle of a document.
    head: &'static [u8],
}

/// Documents with the same declaration.
pub struct Family {
    /// As in the target's name.
    pub name: &'static str,
    declared: &'static [Declared],
}

const fn typed(content_type: &'static str, name: &'static str) -> Declared {
    let media = Media::Type { content_type, name };
    Declared { media, codings: &[], operation: "GET", head: b"" }
}

const fn coded(codings: &'static [&'static str]) -> Declared {
    let media = Media::Type { content_type: "application/json", name: "" };
    Declared { media, codings, operation: "GET", head: b"" }
}

const fn dicom(transfer_syntax: &'static str, query: bool, head: &'static [u8]) -> Declared {
    let media = Media::DicomDataSet { transfer_syntax, query };
    Declared { media, codings: &[], operation: "C-STORE", head }
}

const fn hl7(head: &'static [u8]) -> Declared {
    Declared { media: Media::Hl7v2, codings: &[], operation: "", head }
}

const NOTHING: Declared =
    Declared { media: Media::Unknown, codings: &[], operation: "", head: b"" };

/// (0010,0010) PN, an id, then a sequence of undefined length.
const ELEMENTS: &[u8] =
    b"\x08\0\x05\0CS\x0a\0ISO_IR 192\x10\0\x10\0PN\x06\0Doe^J \x10\0\x20\0LO\x04\x001234";

/// Every family.
pub static FAMILIES: &[Family] = &[
    Family {
        name: "dicom",
        declared: &[
            dicom("1.2.840.10008.1.2.1", false, b""),
            dicom("1.2.840.10008.1.2.1", false, ELEMENTS),
            dicom("1.2.840.10008.1.2", false, b""),
            dicom("1.2.840.10008.1.2", true, b""),
            dicom("1.2.840.10008.1.2.2", false, b""),
            dicom("1.2.840.10008.1.2.1.99", false, b""),
            dicom("1.2.840.10008.1.2.4.50", false, ELEMENTS),
            dicom("", false, b""),
            typed("application/dicom", ""),
            typed("text/plain", "dcmdump.txt"),
        ],
    },
    Family {
        name: "hl7v2",
        declared: &[
            hl7(b""),
            hl7(b"MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\rPID|1||"),
            hl7(b"MSH|^~\\&|A|B|C|D|||ORU^R01|1|P|2.5\rPID|1||7||A^B\rOBX|1|"),
            hl7(b"MSH|^~\\&|A|B|C|D|||MDM^T02|1|P|2.5\rPID|1||7||A^B\rOBX|1|ED|||^text^^Base64^"),
            Declared {
                media: Media::Type { content_type: "application/xml", name: "" },
                codings: &[],
                operation: "",
                head: b"<a xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.9>ORU</MSH.9></MSH>",
            },
        ],
    },
    Family {
        name: "json",
        declared: &[
            typed("application/json", "/api/patients"),
            typed("application/fhir+json", "/Patient"),
            typed("application/x-ndjson", ""),
            typed("application/graphql", ""),
            typed("application/jose", ""),
            typed("application/dicom+json", ""),
        ],
    },
    Family {
        name: "xml",
        declared: &[
            typed("application/xml", ""),
            typed("application/fhir+xml", "/Patient"),
            typed("application/soap+xml", ""),
            typed("text/xml; charset=iso-8859-1", ""),
            typed("application/dicom+xml", ""),
            typed("text/xml", "hl7v3.xml"),
        ],
    },
    Family {
        name: "html",
        declared: &[typed("text/html", ""), typed("text/html; charset=windows-1251", "/ward")],
    },
    Family {
        name: "text",
        declared: &[
            typed("text/plain", ""),
            typed("text/plain; charset=utf-16", ""),
            typed("text/markdown; charset=windows-1251", ""),
            typed("text/plain; charset=iso-2022-jp", ""),
            typed("text/vcard", ""),
            typed("application/sql", "dump.sql"),
            typed("application/yaml", "/patients"),
            typed("application/toml", "/patients"),
            typed("text/turtle", "patients.ttl"),
            typed("application/javascript", ""),
            typed("text/calendar", ""),
        ],
    },
    Family {
        name: "csv",
        declared: &[
            typed("text/csv", "patients.csv"),
            typed("text/csv; charset=shift_jis", ""),
            typed("text/tab-separated-values", ""),
            typed("application/vnd.ms-excel", "list.csv"),
        ],
    },
    Family {
        name: "form",
        declared: &[
            typed("application/x-www-form-urlencoded", "/patients"),
            Declared {
                media: Media::Target,
                codings: &[],
                operation: "GET",
                head: b"/patients?name=",
            },
            typed("multipart/form-data; boundary=b", ""),
        ],
    },
    Family {
        name: "mime",
        declared: &[
            typed("message/rfc822", ""),
            typed("multipart/mixed; boundary=b", ""),
            typed("multipart/related; type=\"application/dicom\"; boundary=b", ""),
            typed("message/http", ""),
        ],
    },
    Family {
        name: "archive",
        declared: &[
            typed("application/zip", ""),
            typed("application/x-tar", ""),
            typed("application/gzip", "a.tar.gz"),
            typed("application/octet-stream", "a.docx"),
            typed("application/octet-stream", "a.xlsx"),
            typed("application/zstd", ""),
        ],
    },
    Family {
        name: "coding",
        declared: &[
            coded(&["gzip"]),
            coded(&["deflate"]),
            coded(&["br"]),
            coded(&["zstd"]),
            coded(&["gzip", "br"]),
            coded(&["compress"]),
        ],
    },
    Family {
        name: "pdf",
        declared: &[typed("application/pdf", ""), typed("application/octet-stream", "report.pdf")],
    },
    Family {
        name: "image",
        declared: &[
            typed("image/jpeg", ""),
            typed("image/png", ""),
            typed("image/tiff", ""),
            typed("image/gif", ""),
            typed("image/webp", ""),
        ],
    },
    Family {
        name: "print",
        declared: &[
            typed("application/postscript", ""),
            typed("application/vnd.hp-pcl", ""),
            typed("application/vnd.hp-pclxl", ""),
            typed("application/rtf", ""),
            typed("application/vnd.cups-raw", "label.zpl"),
            typed("application/ipp", ""),
            NOTHING,
        ],
    },
    Family {
        name: "edi",
        declared: &[
            typed("application/edi-x12", ""),
            typed("application/edifact", ""),
            typed("application/octet-stream", "a.bdt"),
            typed("application/octet-stream", "a.astm"),
            NOTHING,
        ],
    },
    Family {
        name: "office",
        declared: &[
            typed("application/msword", ""),
            typed("application/vnd.sqlite3", "patients.db"),
            typed("application/dbase", "patients.dbf"),
            typed("application/ms-tnef", "winmail.dat"),
            typed("application/octet-stream", ""),
        ],
    },
    Family {
        name: "protobuf",
        declared: &[
            typed("application/protobuf", "/clinic.PatientService/Get"),
            typed("application/grpc", "/clinic.PatientService/Get"),
        ],
    },
    Family {
        name: "log",
        declared: &[typed("text/event-stream", ""), typed("application/syslog", ""), NOTHING],
    },
    Family {
        name: "device",
        declared: &[
            typed("application/x-intellivue-data-export", ""),
            typed("application/octet-stream", ""),
        ],
    },
    Family {
        name: "unknown",
        declared: &[NOTHING, typed("", ""), typed("application/octet-stream", "")],
    },
];

/// The output of a format, as text.
#[derive(Default, PartialEq, Debug)]
struct Log {
    open: usize,
    lines: Vec<String>,
    /// Whether reading was given up; how far it got then depends on the pieces.
    cut: bool,
}

impl FieldSink for Log {
    fn begin(&mut self, _at: ContentId, head: RecordHead<'_>) {
        self.open += 1;
        self.lines.push(format!("begin {} {}", head.carrier.join(">"), head.content));
    }
    fn field(&mut self, _at: ContentId, field: Field<'_>) {
        assert!(self.open > 0, "a field outside a record");
        self.lines.push(format!("{} {} {}", field.name, field.kind.as_str(), field.value.expose()));
    }
    fn mark(&mut self, _at: ContentId, mark: Mark) {
        assert!(self.open > 0, "a mark outside a record");
        self.lines.push(format!("{mark:?}"));
    }
    fn end(&mut self, _at: ContentId, _: &ServiceFacts) {
        assert!(self.open > 0, "a record ended that was not open");
        self.open -= 1;
    }
}

/// Reads `bytes` in pieces of `piece`; a gap of [`HOLE`] bytes begins at `hole`.
fn read(declared: &Declared, bytes: &[u8], piece: usize, hole: Option<usize>) -> Log {
    let (mut contents, mut log) = (Contents::default(), Log::default());
    let (mut facts, mut counters) = (ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: &RULES, sink: &mut log, facts: &mut facts, counters: &mut counters };
    contents.bring(bytes.len());
    let id = contents.open(&Hint {
        direction: Direction::ClientToServer,
        media: declared.media,
        operation: declared.operation,
        codings: declared.codings,
        layer: "",
    });
    let hole = hole.map(|start| start..(start + HOLE).min(bytes.len()));
    let (mut skip, mut at) = (0u64, 0usize);
    while at < bytes.len() {
        let in_hole = hole.as_ref().is_some_and(|hole| hole.contains(&at));
        let next = match &hole {
            Some(hole) if in_hole => hole.end,
            Some(hole) if at < hole.start => hole.start.min(at.saturating_add(piece)),
            _ => at.saturating_add(piece),
        };
        let end = next.min(bytes.len());
        let wanted = Want::behind(&mut skip, &bytes[at..end]);
        if !wanted.is_empty() {
            skip = match in_hole {
                true => contents.gap(id, wanted.len() as u64, &mut env).skip,
                false => contents.data(id, wanted, &mut env).skip,
            };
        }
        assert!(contents.memory() < MAX_MEMORY, "{} bytes held", contents.memory());
        at = end;
    }
    contents.close(id, Ending::complete_if(hole.is_none()), &mut env);
    log.cut = !counters.given_up.is_empty();
    assert_eq!(log.open, 0, "a record was left open");
    log
}

/// The first byte chooses the declaration, the second the size of pieces, the third the place of
/// the gap.
pub fn run(family: &Family, input: &[u8]) {
    let [declared, piece, hole, bytes @ ..] = input else { return };
    let declared = &family.declared[usize::from(*declared) % family.declared.len()];
    let bytes = [declared.head, bytes].concat();
    let hole = (*hole > 0).then(|| usize::from(*hole) * 3 % bytes.len().max(1));
    let piece = usize::from(*piece).max(1);
    let whole = read(declared, &bytes, usize::MAX, hole);
    let pieces = read(declared, &bytes, piece, hole);
    if whole.cut || pieces.cut {
        // All but the last record of the shorter output, which may be incomplete.
        let shorter =
            if whole.lines.len() < pieces.lines.len() { &whole.lines } else { &pieces.lines };
        let alike = shorter.iter().rposition(|line| line.starts_with("begin ")).unwrap_or(0);
        assert_eq!(whole.lines[..alike], pieces.lines[..alike], "in pieces of {piece}, cut");
        return;
    }
    assert_eq!(whole.lines, pieces.lines, "in pieces of {piece}");
}

impl Family {
    /// An input for each declaration, with `bytes`.
    pub fn inputs(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        (0..self.declared.len() as u8).map(|n| [&[n, 61, 0][..], bytes].concat()).collect()
    }
}
