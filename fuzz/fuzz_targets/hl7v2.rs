//! HL7 v2 messages in ER7 and XML. The first byte chooses what is declared, the second the size of
//! pieces, the third where bytes are lost, if any. In one piece or in many, the fields must be the
//! same; and no more memory than the format's limits may be held.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use phitap::content::Media;
use shared::contents::read;

fuzz_target!(|data: &[u8]| {
    let [declared, piece, gap, bytes @ ..] = data else { return };
    let xml = Media::Type { content_type: "application/xml", name: "" };
    let (media, head): (_, &[u8]) = match declared % 4 {
        0 => (Media::Hl7v2, b""),
        1 => (Media::Hl7v2, b"MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\rPID|1||"),
        2 => (Media::Hl7v2, b"MSH|^~\\&|A|B|C|D|||ORU^R01|1|P|2.5\rPID|1||7||A^B\rOBX|1|"),
        _ => (xml, b"<a xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.9>ORU</MSH.9></MSH>"),
    };
    let bytes = [head, bytes].concat();
    let gap = (*gap > 0).then(|| usize::from(*gap) * 3 % bytes.len().max(1));
    let whole = read("", media, &bytes, usize::MAX >> 1, gap);
    let pieces = read("", media, &bytes, usize::from(*piece).max(1), gap);
    assert_eq!(whole, pieces);
});
