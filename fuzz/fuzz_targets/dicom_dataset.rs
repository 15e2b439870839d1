//! Data sets of DICOM (PS3.5) and Part 10 files (PS3.10). The first byte chooses what is declared, the
//! second the size of pieces, the third where bytes are lost, if any. In one piece or in many, the
//! fields must be the same; and no more memory than the format's limits may be held.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use phitap::content::Media;
use shared::SYNTAXES;
use shared::contents::read;

fuzz_target!(|data: &[u8]| {
    let [declared, piece, gap, bytes @ ..] = data else { return };
    let media = match SYNTAXES.get(usize::from(declared >> 1) % (SYNTAXES.len() + 1)) {
        Some(transfer_syntax) => {
            Media::DicomDataSet { transfer_syntax, query: declared & 1 == 1 }
        }
        None => Media::Type { content_type: "application/dicom", name: "" },
    };
    let gap = (*gap > 0 && !bytes.is_empty()).then(|| usize::from(*gap) * 3 % bytes.len());
    let whole = read("C-STORE", media, bytes, usize::MAX >> 1, gap);
    let pieces = read("C-STORE", media, bytes, usize::from(*piece).max(1), gap);
    assert_eq!(whole, pieces);
});
