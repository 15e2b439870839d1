//! Documents of every format: the first byte chooses what is declared, the second the size of pieces,
//! the third whether bytes are lost. No panic, records that begin and end in pairs, and no more memory
//! than the limits of the largest format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use phitap::content::{
    ContentId, Contents, Env, Field, FieldSink, Mark, Media, RecordHead, ServiceFacts, ContentCounters,
};
use phitap::flow::Direction;
use phitap::protocol::Hint;
use phitap::rules::RuleSet;
use std::sync::LazyLock;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::shipped().expect("shipped rules"));

/// What is declared: media type and name.
const TYPES: [(&str, &str); 24] = [
    ("", ""),
    ("application/json", "/api/patients"),
    ("application/xml", ""),
    ("text/html", ""),
    ("text/csv", "patients.csv"),
    ("text/csv; charset=shift_jis", ""),
    ("text/plain", ""),
    ("text/plain; charset=utf-16", ""),
    ("text/markdown; charset=windows-1251", ""),
    ("application/x-www-form-urlencoded", "/patients"),
    ("multipart/form-data; boundary=b", ""),
    ("message/rfc822", ""),
    ("text/vcard", ""),
    ("text/calendar", ""),
    ("application/protobuf", "/clinic.PatientService/Get"),
    ("image/jpeg", ""),
    ("image/png", ""),
    ("image/tiff", ""),
    ("application/pdf", ""),
    ("application/rtf", ""),
    ("application/zip", ""),
    ("application/gzip", ""),
    ("application/x-tar", ""),
    ("application/octet-stream", "a.docx"),
];

/// Most that one content may hold: a PDF is read whole.
const MAX_MEMORY: usize = 64 << 20;

#[derive(Default)]
struct Pairs {
    open: usize,
    records: usize,
}

impl FieldSink for Pairs {
    fn begin(&mut self, _at: ContentId, _head: RecordHead<'_>) {
        self.open += 1;
        self.records += 1;
    }
    fn field(&mut self, _at: ContentId, _field: Field<'_>) {
        assert!(self.open > 0, "a field outside a record");
    }
    fn mark(&mut self, _at: ContentId, _mark: Mark) {
        assert!(self.open > 0, "a mark outside a record");
    }
    fn end(&mut self, _at: ContentId, _: &ServiceFacts) {
        self.open -= 1;
    }
}

fuzz_target!(|data: &[u8]| {
    let [declared, size, lost, bytes @ ..] = data else { return };
    let (content_type, name) = TYPES[usize::from(*declared) % TYPES.len()];
    let (mut contents, mut sink) = (Contents::default(), Pairs::default());
    let (mut facts, mut tally) = (ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: &RULES, sink: &mut sink, facts: &mut facts, tally: &mut tally };
    let media = match declared {
        255 => Media::Target,
        _ => Media::Type { content_type, name },
    };
    let id = contents.open(&Hint {
        direction: Direction::ServerToClient,
        media,
        operation: "GET",
        codings: &[],
        layer: "http",
    });
    let mut skip = 0u64;
    for (at, piece) in bytes.chunks(usize::from(*size).max(1)).enumerate() {
        let hidden = skip.min(piece.len() as u64);
        if skip != u64::MAX {
            skip -= hidden;
        }
        let piece = &piece[hidden as usize..];
        if piece.is_empty() {
            continue;
        }
        skip = match at + 1 == usize::from(*lost) {
            true => contents.gap(id, piece.len() as u64, &mut env).skip,
            false => contents.data(id, piece, &mut env).skip,
        };
        assert!(contents.memory() < MAX_MEMORY);
    }
    contents.close(id, true, &mut env);
    assert_eq!(sink.open, 0, "every record is complete");
});
