use super::*;
use crate::content::formats::pdf::object::{Fuel, Lexer};
use crate::protocol::bomb::FREE_OUTPUT;

fn decoded(dict: &str, raw: &[u8]) -> Option<Vec<u8>> {
    let fuel = Fuel::new(64 << 20);
    let file = File::new(b"", &fuel);
    let Some(Object::Dict(dict)) = Lexer::new(dict.as_bytes(), 0, &fuel).object() else {
        panic!("a dictionary");
    };
    decode(&file, &dict, raw)
}

fn deflated(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn each_filter_decodes_the_published_example() {
    // The example of 7.4.4.2.
    let lzw = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
    let plain = [45, 45, 45, 45, 45, 65, 45, 45, 45, 66];
    assert_eq!(decoded("<</Filter/LZWDecode>>", &lzw).as_deref(), Some(&plain[..]));
    assert_eq!(decoded("<</Filter/AHx>>", b"48 65 6C6c 6F7>x").as_deref(), Some(&b"Hellop"[..]));
    assert_eq!(
        decoded("<</Filter/A85>>", b"87cURD]i,\"Ebo80~>").as_deref(),
        Some(&b"Hello World!"[..])
    );
    assert_eq!(decoded("<</F[/A85]>>", b"<~z87cUR~>").as_deref(), Some(&b"\0\0\0\0Hell"[..]));
    let runs = [2, b'a', b'b', b'c', 254, b'x', 128, 9];
    assert_eq!(decoded("<</Filter/RunLengthDecode>>", &runs).as_deref(), Some(&b"abcxxx"[..]));
    let cut = &deflated(b"some text that is long enough")[..20];
    let got = decoded("<</Filter/FlateDecode>>", cut).expect("what there is");
    assert!(b"some text that is long enough".starts_with(&got), "as far as it goes");
    assert_eq!(decoded("<</Filter[/FlateDecode/DCTDecode]>>", b"x"), None);
}

#[test]
fn several_in_a_row() {
    let hex: String = deflated(b"inside").iter().map(|b| format!("{b:02x}")).collect();
    let got =
        decoded("<</Filter[/ASCIIHexDecode/FlateDecode]/DecodeParms[null null]>>", hex.as_bytes());
    assert_eq!(got.as_deref(), Some(&b"inside"[..]));
    let many = "/AHx ".repeat(MAX_FILTERS + 1);
    assert_eq!(decoded(&format!("<</Filter[{many}]>>"), b"00"), None);
}

#[test]
fn every_predictor_is_undone() {
    // One row of each PNG filter, two columns of two colours.
    let rows = [0u8, 1, 2, 3, 4, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 3, 2, 2, 2, 2, 4, 1, 1, 1, 1];
    let parms = "/DecodeParms<</Predictor 15/Columns 2/Colors 2>>";
    let got = decoded(&format!("<</Filter/FlateDecode{parms}>>"), &deflated(&rows));
    let want = [1, 2, 3, 4, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 5, 5, 4, 4, 6, 6];
    assert_eq!(got.as_deref(), Some(&want[..]));
    let parms = "/DecodeParms[<</Predictor 2/Columns 3>>]";
    let got = decoded(&format!("<</Filter[/Fl]{parms}>>"), &deflated(&[1, 1, 1, 5, 1, 255]));
    assert_eq!(got.as_deref(), Some(&[1, 2, 3, 5, 6, 5][..]));
    // Widths beyond all bounds.
    let parms = "/DecodeParms<</Predictor 12/Columns 99999999999/Colors -5>>";
    assert!(decoded(&format!("<</Filter/FlateDecode{parms}>>"), &deflated(&rows)).is_some());
}

#[test]
fn a_bomb_is_cut() {
    let bomb = deflated(&vec![b'0'; 64 << 20]);
    let out = decoded("<</Filter/FlateDecode>>", &bomb).expect("what there is");
    assert!(out.len() as u64 <= FREE_OUTPUT + (16 << 10));
    let twice = deflated(&bomb);
    let out = decoded("<</Filter[/FlateDecode/FlateDecode]>>", &twice).expect("what there is");
    assert!(out.len() <= MAX_DECODED + (16 << 10));
}

#[test]
fn bitmaps_of_letters_by_group_4() {
    // A white row, one with three black dots (horizontal mode: two white, three black), the same again, and the end.
    let bits = "1 001 0111 10 1 111 000000000001 000000000001".replace(' ', "");
    let byte = |bits: &[u8]| bits.iter().fold(0, |n, b| n << 1 | (b - b'0')) << (8 - bits.len());
    let data: Vec<u8> = bits.as_bytes().chunks(8).map(byte).collect();
    let parms = "/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 8";
    let got = decoded(&format!("<<{parms}>>>>"), &data);
    assert_eq!(got.as_deref(), Some(&[0xff, 0xc7, 0xc7][..]));
    let got = decoded(&format!("<<{parms}/BlackIs1 true>>>>"), &data);
    assert_eq!(got.as_deref(), Some(&[0x00, 0x38, 0x38][..]));
    // Pages that were scanned, other groups, and a bomb of white rows.
    assert_eq!(decoded("<</Filter/CCF/DecodeParms<</K -1>>>>", &data), None);
    assert_eq!(decoded("<</Filter/CCF/DecodeParms<</Columns 8>>>>", &data), None);
    let rows = decoded("<</F/CCF/DP<</K -1/Columns 1024>>>>", &[0xff; 1 << 20]);
    assert!(rows.is_some_and(|rows| rows.len() <= MAX_DECODED), "bounded");
    assert!(decoded("<</F/CCF/DP<</K -1/Columns 9>>>>", &[0x35; 999]).is_some());
}
