use super::*;
use proptest::prelude::*;

fn conversation() -> (Vec<u8>, Vec<u8>) {
    let client = [
        request(&[(1, CT, &[EXPLICIT]), (3, STUDY_FIND, &[IMPLICIT])], &[]),
        message(1, &store_request(), Some(&data_set(300)), 120),
        message(3, &command(0x0020, STUDY_FIND, true, None), Some(b"keys"), 4096),
        pdu(5, &[0; 4]),
    ];
    let server = [
        accept(&[(1, 0, EXPLICIT), (3, 0, IMPLICIT)]),
        message(3, &command(0x8020, STUDY_FIND, true, Some(0xFF00)), Some(b"answer"), 100),
        pdu(6, &[0; 4]),
    ];
    (client.concat(), server.concat())
}

#[test]
fn truncated_at_every_length() {
    let (client, _) = conversation();
    let (whole, _) = play(&[Piece::Client(&client)], usize::MAX);
    for len in 0..client.len() {
        let (seen, _) = play(&[Piece::Client(&client[..len])], 50);
        for (have, want) in seen.contents.iter().zip(&whole.contents) {
            assert!(want.bytes.starts_with(&have.bytes));
            let all = have.bytes.len() == want.bytes.len();
            assert!(have.ending == COMPLETE || !all || have.ending == CUT);
        }
    }
}

#[test]
fn impossible_lengths_are_refused() {
    let rq = request(&[(1, CT, &[EXPLICIT])], &[]);
    // A PDV longer than its PDU, one that is too short, a PDU with a stub: passed over.
    for body in [
        [&[0, 0, 0, 99, 1, 3][..], b"xxxxx"].concat(),
        vec![0xFF, 0xFF, 0xFF, 0xFF, 1, 3, 0, 0],
        vec![0, 0, 0, 1, 1, 3, 0, 0],
        vec![0, 0, 0],
    ] {
        let client =
            [rq.clone(), pdu(4, &body), message(1, &store_request(), Some(b"next"), 4096)].concat();
        for size in [1, 7, usize::MAX] {
            let (seen, _) = play(&[Piece::Client(&client)], size);
            assert_eq!(seen.anomalies, [Reason::Malformed], "{body:?}");
            assert_eq!(seen.contents[0].bytes, b"next");
        }
    }
    // A length that would swallow the rest of the stream is rejected.
    let client = [
        rq.clone(),
        vec![4, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        b"nothing that makes sense".repeat(20),
        message(1, &store_request(), Some(b"next"), 4096),
    ]
    .concat();
    for size in [1, 100, usize::MAX] {
        let (seen, _) = play(&[Piece::Client(&client)], size);
        assert_eq!(seen.anomalies, [Reason::Malformed]);
        assert_eq!(seen.contents[0].bytes, b"next", "segments of {size}");
    }
    // No request for an association is that long.
    for len in [2u32 << 20, u32::MAX] {
        let head = [&[1, 0][..], &len.to_be_bytes(), &[0; 100]].concat();
        let client = [rq.clone(), head, message(1, &store_request(), Some(b"next"), 4096)].concat();
        let (seen, _) = play(&[Piece::Client(&client)], 1460);
        assert_eq!(seen.anomalies, [Reason::Malformed]);
        assert_eq!(seen.contents[0].bytes, b"next");
    }
}

#[test]
fn a_pdu_far_longer_than_the_other_end_takes_is_not_believed() {
    let lie = |len: u32| {
        // The length of its PDV fits.
        let head = [&[4, 0][..], &len.to_be_bytes(), &(len - 4).to_be_bytes(), &[1, 0]].concat();
        [head, b"what is not an image".repeat(50)].concat()
    };
    let read = |max: u32, len: u32| {
        let client = [
            request(&[(1, CT, &[EXPLICIT])], &[]),
            message(1, &store_request(), Some(b"before"), 4096),
            lie(len),
            message(1, &store_request(), Some(b"next"), 4096),
        ]
        .concat();
        let server = accept_with(&[(1, 0, EXPLICIT)], &item(0x51, &max.to_be_bytes()));
        [1, 100, usize::MAX]
            .map(|size| play(&[Piece::Server(&server), Piece::Client(&client)], size).0)
    };
    for len in [200_000, 1 << 30, 0xFFFF_FFF0] {
        for seen in read(16_384, len) {
            assert_eq!(seen.anomalies, [Reason::Limit], "{len}");
            let delivered: Vec<&[u8]> = seen.contents.iter().map(|c| &c.bytes[..]).collect();
            assert_eq!(delivered, [&b"before"[..], b"next"]);
        }
    }
    // Where the other end takes any length, it may be true: what follows is taken for the image.
    for seen in read(0, 1 << 30) {
        assert!(seen.anomalies.is_empty());
        assert_eq!(seen.contents[0].bytes, b"before");
        assert_eq!((seen.contents.len(), seen.contents[1].ending), (2, CUT));
    }
}

#[test]
fn pdus_of_types_that_no_standard_knows_are_passed_over() {
    for kind in [8u8, 0x20, 0xFF] {
        // What is in it is not read, not even a whole PDU.
        let inner = message(1, &store_request(), Some(b"not this"), 4096);
        let client = [
            request(&[(1, CT, &[EXPLICIT])], &[]),
            pdu(kind, &inner),
            message(1, &store_request(), Some(b"next"), 4096),
        ]
        .concat();
        for size in [1, 100, usize::MAX] {
            let (seen, _) = play(&[Piece::Client(&client)], size);
            assert_eq!(seen.anomalies, [Reason::Malformed], "{kind}");
            assert_eq!(seen.contents.len(), 1);
            assert_eq!(seen.contents[0].bytes, b"next");
        }
    }
}

#[test]
fn contexts_that_were_not_agreed_on() {
    let server = accept(&[(1, 0, EXPLICIT), (3, 3, "")]);
    for context in [3, 5, 255] {
        let client = [
            request(&[(1, CT, &[EXPLICIT]), (3, CT, &[IMPLICIT])], &[]),
            message(context, &store_request(), Some(b"stray"), 4096),
            message(1, &store_request(), Some(b"next"), 4096),
        ]
        .concat();
        let (seen, _) = play(&[Piece::Server(&server), Piece::Client(&client)], 100);
        assert_eq!(seen.anomalies, [Reason::Malformed], "context {context}");
        let delivered: Vec<&[u8]> = seen.contents.iter().map(|c| &c.bytes[..]).collect();
        assert_eq!(delivered, [&b"stray"[..], b"next"]);
    }
    // Even numbers are none: the next PDU is read.
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        pdu(4, &pdv(2, 3, &store_request())),
        message(1, &store_request(), Some(b"next"), 4096),
    ]
    .concat();
    let (seen, _) = play(&[Piece::Server(&server), Piece::Client(&client)], 100);
    assert_eq!(seen.anomalies, [Reason::Malformed]);
    assert_eq!(seen.contents[0].bytes, b"next");
}

#[test]
fn values_of_odd_length_are_read() {
    let data = data_set(777);
    let element = |tag: u16, value: &[u8]| {
        let len = (value.len() as u32).to_le_bytes();
        [&[0, 0][..], &tag.to_le_bytes(), &len, value].concat()
    };
    // Values that are not padded.
    let set = [
        element(0x0002, CT.as_bytes()),
        element(0x0100, &[1, 0]),
        element(0x0800, &[0, 0]),
        element(0x1000, b"1.2.3"),
        element(0x1030, b"ODD"),
    ]
    .concat();
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        pdu(4, &[pdv(1, 1, &set[..31]), pdv(1, 3, &set[31..])].concat()),
        pdu(4, &pdv(1, 0, &data[..333])),
        pdu(4, &pdv(1, 2, &data[333..])),
    ]
    .concat();
    for size in 1..100 {
        let (seen, _) = play(&[Piece::Client(&client)], size);
        assert!(seen.anomalies.is_empty());
        assert_eq!(seen.contents[0].bytes, data);
        assert_eq!(seen.objects, [(Object::Instance, "1.2.3".to_owned())]);
    }
    // Values that are longer than the command set, or too short for what they are.
    for broken in [
        [&set[..60], &[0, 0, 0, 8, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0]].concat(),
        element(0x0100, &[1]),
        [element(0x0100, &[1, 0]), element(0x0800, &[1])].concat(),
        vec![0; 3],
    ] {
        let client = [
            request(&[(1, CT, &[EXPLICIT])], &[]),
            message(1, &broken, None, 4096),
            message(1, &store_request(), Some(b"next"), 4096),
        ]
        .concat();
        for size in [1, 13, usize::MAX] {
            let (seen, _) = play(&[Piece::Client(&client)], size);
            assert_eq!(seen.contents.last().map(|c| &c.bytes[..]), Some(&b"next"[..]));
            assert!(seen.contents.len() == 1, "{broken:?}");
        }
    }
}

#[test]
fn lengths_inside_a_request_that_do_not_add_up() {
    let whole = request(&[(1, CT, &[EXPLICIT]), (3, CT, &[IMPLICIT])], &item(0x58, &[1, 0, 0, 0]));
    // Each length of an item in turn is made too long; what precedes it is read, and what
    // follows the PDU too.
    let mut tried = 0;
    for at in 74 + 25..whole.len() - 2 {
        if !matches!(whole[at], 0x20 | 0x30 | 0x40 | 0x50..=0x58) || whole[at + 1] != 0 {
            continue;
        }
        tried += 1;
        let mut client = whole.clone();
        client[at + 2] = 0xFF;
        client.extend(message(1, &store_request(), Some(b"next"), 4096));
        for size in [1, 50, usize::MAX] {
            let (seen, _) = play(&[Piece::Client(&client)], size);
            assert_eq!(
                seen.facts.dicom.as_ref().expect("facts of DICOM").calling_aet.as_deref(),
                Some("CT01")
            );
            assert_eq!(seen.contents[0].bytes, b"next", "item at {at}");
        }
    }
    assert!(tried > 8, "{tried}");
}

#[test]
fn bytes_that_are_no_pdu_are_searched_for_the_next() {
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        b"HTTP/1.1 500 what is this?\r\n\r\n".repeat(30),
        message(1, &store_request(), Some(b"next"), 4096),
    ]
    .concat();
    for size in [1, 100, usize::MAX] {
        let (seen, _) = play(&[Piece::Client(&client)], size);
        assert_eq!(seen.contents[0].bytes, b"next", "segments of {size}");
        assert_eq!(seen.anomalies, [Reason::Malformed]);
    }
    let client = [request(&[(1, CT, &[EXPLICIT])], &[]), vec![b'x'; 3 << 20]].concat();
    let (seen, events) = play(&[Piece::Client(&client)], 1460);
    assert!(seen.contents.is_empty());
    assert_eq!(format!("{:?}", events.last()), "Some(Opaque(\"dicom\", Malformed))");
}

#[test]
fn a_command_set_without_end_is_given_up() {
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        message(1, &vec![0; 100_000], Some(b"whose?"), 4096),
        message(1, &store_request(), Some(b"next"), 4096),
    ]
    .concat();
    let (seen, _) = play(&[Piece::Client(&client)], 1460);
    assert_eq!(seen.anomalies, [Reason::Limit]);
    assert_eq!(seen.contents[0].media, "application/dicom");
    assert_eq!(seen.contents[1].bytes, b"next");
}

#[test]
fn more_messages_at_once_than_anybody_needs() {
    let mut client = request(&[(1, CT, &[EXPLICIT])], &[]);
    for context in (1..=255u8).step_by(2) {
        client.extend(pdu(4, &pdv(context, 1, &store_request()[..10])));
    }
    let (seen, _) = play(&[Piece::Client(&client)], 1460);
    assert!(seen.anomalies.iter().all(|r| *r == Reason::Limit));
    assert_eq!(seen.anomalies.len(), 128 - 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mutations_do_not_panic(
        at in proptest::collection::vec((0usize..2000, any::<u8>()), 1..8),
        gap in 0usize..2000,
        lost in 0u64..400,
        size in 1usize..300,
    ) {
        let (mut client, server) = conversation();
        for &(at, byte) in &at {
            let at = at % client.len();
            client[at] = byte;
        }
        let (head, tail) = client.split_at(gap % client.len());
        let pieces = [
            Piece::Client(head),
            Piece::Server(&server),
            Piece::ClientGap(lost),
            Piece::Client(tail),
        ];
        let (seen, _) = play(&pieces, size);
        prop_assert!(seen.contents.iter().all(|c| c.ending.is_some()));
    }

    #[test]
    fn segments_do_not_matter(
        at in proptest::collection::vec((0usize..2000, any::<u8>()), 0..4),
        size in 1usize..300,
    ) {
        // What is in the request decides whether it is recognised at all.
        let (mut client, _) = conversation();
        let from = request(&[(1, CT, &[EXPLICIT]), (3, STUDY_FIND, &[IMPLICIT])], &[]).len();
        for &(at, byte) in &at {
            let at = from + at % (client.len() - from);
            client[at] = byte;
        }
        let (whole, _) = play(&[Piece::Client(&client)], usize::MAX);
        let (pieces, _) = play(&[Piece::Client(&client)], size);
        prop_assert_eq!(&pieces.contents, &whole.contents);
        prop_assert_eq!(&pieces.facts, &whole.facts);
    }
}

#[test]
fn a_damaged_message_is_the_same_in_segments_of_one_byte() {
    let (mut client, _) = conversation();
    let from = request(&[(1, CT, &[EXPLICIT]), (3, STUDY_FIND, &[IMPLICIT])], &[]).len();
    for (at, byte) in [(1082, 1), (214, 8)] {
        let at = from + at % (client.len() - from);
        client[at] = byte;
    }
    let (whole, _) = play(&[Piece::Client(&client)], usize::MAX);
    let (pieces, _) = play(&[Piece::Client(&client)], 1);
    assert_eq!(&pieces.contents, &whole.contents);
}
