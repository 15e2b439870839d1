use crate::content::testing::{records, records_of};
use crate::content::{Media, Want};
use std::io::Write;

const NOTE: &str = "Patient name: Jane Roe\nPatient ID: H-77, DOB: 1970-01-31";
const FIELDS: &str = "name=Jane Roe patient_id=H-77 birth_date=1970-01-31";

fn expected() -> String {
    format!("http>image:~image [PatientContext] {FIELDS}")
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat()
}

fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
    let jfif = segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
    let scan = [segment(0xda, &[1, 1, 0, 0, 63, 0]), vec![0x55; 4000], vec![0xff, 0xd9]].concat();
    [vec![0xff, 0xd8], jfif, segments.concat(), segment(0xdb, &[0; 65]), scan].concat()
}

/// A TIFF with one directory of these entries after `pad` bytes of pixels.
fn tiff(big: bool, pad: usize, entries: &[(u16, u16, &[u8])]) -> Vec<u8> {
    let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let at = 8 + pad;
    let mut file = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    file.extend(long(at as u32));
    file.extend(vec![0xaa; pad]);
    file.extend(short(entries.len() as u16));
    let mut behind = at + 2 + 12 * entries.len() + 4;
    let mut values = Vec::new();
    for (tag, kind, value) in entries {
        file.extend([short(*tag), short(*kind)].concat());
        file.extend(long(value.len() as u32));
        if value.len() <= 4 {
            file.extend_from_slice(value);
            file.extend(vec![0; 4 - value.len()]);
        } else {
            file.extend(long(behind as u32));
            values.extend_from_slice(value);
            behind += value.len();
        }
    }
    file.extend(long(0));
    file.extend(values);
    file
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], name, body, &[0; 4]].concat()
}

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    let pixels = chunk(b"IDAT", &[0x78; 5000]);
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0; 13]),
        pixels,
        chunks.concat(),
        chunk(b"IEND", b""),
    ]
    .concat()
}

fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn comments_of_pictures_are_read_as_text() {
    assert_eq!(records("image/jpeg", &jpeg(&[segment(0xfe, NOTE.as_bytes())])), [expected()]);
    let text = [b"Comment\0", NOTE.as_bytes()].concat();
    assert_eq!(records("image/png", &png(&[chunk(b"tEXt", &text)])), [expected()]);
    let packed = [b"Description\0\0", &zlib(NOTE)[..]].concat();
    assert_eq!(records("", &png(&[chunk(b"zTXt", &packed)])), [expected()]);
    // A keyword that says what its text is, in UTF-8.
    let names = [
        chunk(b"iTXt", "Patient Name\0\0\0de\0\0Jürgen Roe".as_bytes()),
        chunk(b"tEXt", b"PatientID\0H-77"),
        chunk(b"tEXt", b"Author\0Name: Dr. No"),
    ];
    assert_eq!(
        records("image/png", &png(&names)),
        ["http>image:~image [PatientContext] name=Jürgen Roe patient_id=H-77"]
    );
}

#[test]
fn exif_of_either_order() {
    for big in [false, true] {
        let xp: Vec<u8> = NOTE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let units = NOTE.encode_utf16();
        let wide: Vec<u8> = match big {
            true => units.flat_map(u16::to_be_bytes).collect(),
            false => units.flat_map(u16::to_le_bytes).collect(),
        };
        let unicode = [b"UNICODE\0", &wide[..]].concat();
        let ascii = [b"ASCII\0\0\0", NOTE.as_bytes()].concat();
        for (tag, kind, value) in [
            (0x010e, 2, NOTE.as_bytes()),
            (0x9c9c, 1, &xp),
            (0x9286, 7, &unicode),
            (0x9286, 7, &ascii),
        ] {
            let blob =
                tiff(big, 0, &[(0x013b, 2, b"Patient: No Body, MRN: 5"), (tag, kind, value)]);
            let exif = segment(0xe1, &[b"Exif\0\0", &blob[..]].concat());
            assert_eq!(records("image/jpeg", &jpeg(&[exif])), [expected()], "{tag:x} {big}");
            assert_eq!(records("image/png", &png(&[chunk(b"eXIf", &blob)])), [expected()]);
            // A file of its own, with its directory behind the pixels.
            for pad in [0, 1000, 200_000] {
                let file = tiff(big, pad, &[(tag, kind, value)]);
                let media = Media::Type { content_type: "image/tiff", name: "" };
                for piece in [700, 100_000, file.len()] {
                    assert_eq!(records_of(media, &[], &file, piece), [expected()], "{pad} {piece}");
                }
            }
        }
    }
}

#[test]
fn xmp_and_iptc() {
    let packet = "<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description xmlns:d='http://ns.adobe.com/DICOM/' \
         d:PatientID='H-77' d:PatientDOB='1970-01-31'><d:PatientName>Jane Roe</d:PatientName><dc:creator><rdf:Seq><rdf:li>\
         Patient: No Body</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>".to_owned();
    let body = [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat();
    let line =
        "http>image:~image [PatientContext] patient_id=H-77 birth_date=1970-01-31 name=Jane Roe";
    assert_eq!(records("image/jpeg", &jpeg(&[segment(0xe1, &body)])), [line]);
    let webp = [
        b"RIFF\0\0\0\0WEBP".to_vec(),
        b"XMP ".to_vec(),
        (packet.len() as u32).to_le_bytes().to_vec(),
        packet.clone().into_bytes(),
    ]
    .concat();
    assert_eq!(records("image/webp", &webp), [line]);
    let caption = "<x><dc:description><rdf:Alt><rdf:li xml:lang='x-default'>Patient name: Jane Roe&#10;Patient ID: H-77, DOB: 1970-01-31</rdf:li></rdf:Alt></dc:description></x>";
    let body = ["XML:com.adobe.xmp\0\0\0\0\0", caption].concat();
    assert_eq!(records("image/png", &png(&[chunk(b"iTXt", body.as_bytes())])), [expected()]);
    let set = |number: u8, text: &str| {
        [&[0x1c, 2, number][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
    };
    let sets = [set(80, "Patient: No Body"), set(120, NOTE)].concat();
    let resource = |number: u16, body: &[u8]| {
        [
            b"8BIM".to_vec(),
            number.to_be_bytes().to_vec(),
            vec![0, 0],
            (body.len() as u32).to_be_bytes().to_vec(),
            body.to_vec(),
            vec![0; body.len() % 2],
        ]
        .concat()
    };
    let body =
        [b"Photoshop 3.0\0".to_vec(), resource(0x03ed, &[0; 5]), resource(0x0404, &sets)].concat();
    assert_eq!(records("image/jpeg", &jpeg(&[segment(0xed, &body)])), [expected()]);
}

#[test]
fn captions_and_credits_have_no_patient() {
    let blob = tiff(
        true,
        0,
        &[
            (0x010e, 2, b"Sunset at the lake"),
            (0x013b, 2, b"Jane Roe"),
            (0x8298, 2, b"(c) Jane Roe, DOB: 1970-01-31"),
        ],
    );
    let exif = segment(0xe1, &[b"Exif\0\0", &blob[..]].concat());
    assert!(
        records(
            "image/jpeg",
            &jpeg(&[
                exif,
                segment(0xfe, b"CREATOR: gd-jpeg v1.0 (using IJG JPEG v80), quality = 82")
            ])
        )
        .is_empty()
    );
    assert!(
        records(
            "image/png",
            &png(&[chunk(b"tEXt", b"Software\0Patient: X"), chunk(b"tEXt", b"Title\0Name: logo")])
        )
        .is_empty()
    );
}

#[test]
fn pixels_are_passed_over() {
    use crate::content::{ContentCounters, Contents, Ending, Env, ServiceFacts, testing};
    let (mut sink, mut facts, mut counters) =
        (testing::Records::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env = Env {
        rules: testing::rules(),
        sink: &mut sink,
        facts: &mut facts,
        counters: &mut counters,
    };
    let mut contents = Contents::default();
    let id = contents.open(&crate::protocol::Hint {
        direction: crate::content::Direction::ServerToClient,
        media: Media::Unknown,
        operation: "GET",
        codings: &[],
        layer: "http",
    });
    let mut front = png(&[]);
    front.truncate(33);
    front.extend([0x7f, 0, 0, 0]);
    front.extend(b"IDAT");
    front.resize(2000, 0);
    let want = contents.data(id, &front, &mut env);
    assert_eq!(want.skip, 0x7f00_0000 + 4 - (2000 - 41));
    contents.close(id, Ending::Complete, &mut env);
    // Behind a JPEG's header nothing is read at all.
    let id = contents.open(&crate::protocol::Hint {
        direction: crate::content::Direction::ServerToClient,
        media: Media::Unknown,
        operation: "GET",
        codings: &[],
        layer: "http",
    });
    assert_eq!(contents.data(id, &jpeg(&[]), &mut env), Want::NOTHING);
}

#[test]
fn cut_and_broken() {
    let loops = {
        // A directory that is its own successor, and its own EXIF directory.
        let mut file = tiff(false, 0, &[(0x8769, 4, &[8, 0, 0, 0]), (0x010e, 2, NOTE.as_bytes())]);
        file[8 + 2 + 24..][..4].copy_from_slice(&8u32.to_le_bytes());
        file
    };
    let samples = [
        jpeg(&[segment(0xe1, &[b"Exif\0\0", &loops[..]].concat()), segment(0xfe, NOTE.as_bytes())]),
        png(&[chunk(b"zTXt", &[b"A\0\0", &zlib(NOTE)[..]].concat()), chunk(b"eXIf", &loops)]),
        loops,
    ];
    for sample in &samples {
        for at in 0..sample.len().min(700) {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut broken = sample.clone();
                broken[at] = byte;
                let media = Media::Unknown;
                let whole = records_of(media, &[], &broken, broken.len());
                assert_eq!(records_of(media, &[], &broken, 600), whole);
            }
            records_of(Media::Unknown, &[], &sample[..at], 3);
        }
    }
}
