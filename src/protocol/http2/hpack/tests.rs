use super::*;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|d| (d[0] << 4 | d[1]) as u8).collect()
}

/// The fields of interest of a block, and the size of the table behind it.
fn read(decoder: &mut Decoder, hex: &str) -> (Vec<(Name, String)>, usize) {
    let mut fields = Vec::new();
    let mut take = |name: Name, value: &[u8]| {
        fields.push((name, String::from_utf8_lossy(value).into_owned()));
    };
    assert_eq!(decoder.decode(&bytes(hex), &mut take), Ok(()), "{hex}");
    (fields, decoder.table.size())
}

fn expect(fields: &[(Name, &str)], size: usize) -> (Vec<(Name, String)>, usize) {
    (fields.iter().map(|(n, v)| (*n, (*v).to_owned())).collect(), size)
}

const GET: (Name, &str) = (Name::Method, "GET");
const ROOT: (Name, &str) = (Name::Path, "/");
const HOST: (Name, &str) = (Name::Authority, "www.example.com");

#[test]
fn integers_of_rfc_7541_c_1() {
    for (bytes, prefix, value) in [
        (&[0x0a][..], 5, Some(10)),
        (&[0x1f, 0x9a, 0x0a], 5, Some(1337)),
        (&[0x2a], 8, Some(42)),
        (&[0x1f, 0x80], 5, None),
        (&[0x1f, 0xff, 0xff, 0xff, 0xff, 0x01], 5, None),
        (&[], 5, None),
    ] {
        assert_eq!(integer(&mut &*bytes, prefix), value, "{bytes:x?}");
    }
}

#[test]
fn fields_of_rfc_7541_c_2() {
    let mut decoder = Decoder::default();
    let literal = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
    assert_eq!(read(&mut decoder, literal), expect(&[], 55));
    let mut decoder = Decoder::default();
    let path = "040c 2f73 616d 706c 652f 7061 7468";
    assert_eq!(read(&mut decoder, path), expect(&[(Name::Path, "/sample/path")], 0));
    assert_eq!(read(&mut decoder, "1008 7061 7373 776f 7264 0673 6563 7265 74"), expect(&[], 0));
    assert_eq!(read(&mut decoder, "82"), expect(&[GET], 0));
}

#[test]
fn requests_of_rfc_7541_c_3_and_c_4() {
    for blocks in [
        [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ] {
        let mut decoder = Decoder::default();
        assert_eq!(read(&mut decoder, blocks[0]), expect(&[GET, ROOT, HOST], 57));
        assert_eq!(read(&mut decoder, blocks[1]), expect(&[GET, ROOT, HOST], 110));
        let page = (Name::Path, "/index.html");
        assert_eq!(read(&mut decoder, blocks[2]), expect(&[GET, page, HOST], 164));
    }
}

#[test]
fn responses_of_rfc_7541_c_5_and_c_6() {
    for blocks in [
        [
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 \
             2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 \
             6c65 2e63 6f6d",
            "4803 3330 37c1 c0bf",
        ],
        [
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
             2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
        ],
    ] {
        let mut decoder = Decoder::default();
        decoder.table.resize(256);
        assert_eq!(read(&mut decoder, blocks[0]), expect(&[(Name::Status, "302")], 222));
        // The first entry is evicted.
        assert_eq!(read(&mut decoder, blocks[1]), expect(&[(Name::Status, "307")], 222));
        assert_eq!(read(&mut decoder, "88"), expect(&[(Name::Status, "200")], 222));
    }
}

#[test]
fn after_a_loss_new_entries_are_found() {
    let mut decoder = Decoder::default();
    read(&mut decoder, "410f 7777 772e 6578 616d 706c 652e 636f 6d");
    decoder.forget();
    // Index 62 is unknown, as a field and as a name; what is inserted now is known.
    assert_eq!(read(&mut decoder, "be 7e01 61 4803 3330 32"), expect(&[(Name::Status, "302")], 75));
    assert_eq!(read(&mut decoder, "be bf c0"), expect(&[(Name::Status, "302")], 75));
}

#[test]
fn broken_blocks_are_refused_and_tables_stay_small() {
    for broken in ["80", "ff", "40", "7f ff ff ff ff 7f", "00 01", "00 05 61", "00 81 00 00", "3f"]
    {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(&bytes(broken), &mut |_, _| {}), Err(HpackError), "{broken}");
    }
    // A table as large as can be said holds no more than the cap.
    let mut decoder = Decoder::default();
    let mut block = bytes("3f e1 ff ff 7f");
    for _ in 0..1000 {
        block.extend(bytes("44 7f 81 07"));
        block.extend([b'/'; 1024]);
    }
    assert_eq!(decoder.decode(&block, &mut |_, _| {}), Ok(()));
    assert!(decoder.memory() < 256 << 10);
    // A byte for each kilobyte: what is passed on is capped.
    let mut given = 0;
    let mut take = |_: Name, value: &[u8]| given += value.len();
    assert_eq!(decoder.decode(&[0xbe; 60_000], &mut take), Ok(()));
    assert!(given > 0 && given <= MAX_LIST);
    // An entry larger than the table empties it.
    let mut decoder = Decoder::default();
    read(&mut decoder, "4803 3330 32");
    let mut large = bytes("44 7f 81 27");
    large.extend([b'/'; 5120]);
    assert_eq!(decoder.decode(&large, &mut |_, _| {}), Ok(()));
    assert_eq!(decoder.table.size(), 0);
}

proptest! {
    #[test]
    fn garbage_does_no_harm(block in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::default();
        for _ in 0..3 {
            let _ = decoder.decode(&block, &mut |_, _| {});
            prop_assert!(decoder.table.size() <= 64 << 10);
        }
    }
}
