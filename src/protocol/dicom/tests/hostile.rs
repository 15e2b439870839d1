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
            assert!(have.complete == Some(true) || !all || have.complete == Some(false));
        }
    }
}

#[test]
fn lengths_nobody_can_have() {
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
    // A length that would swallow the rest of the stream is not believed.
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
    // A control PDU beyond the limit is passed over without being held.
    let client =
        [rq.clone(), pdu(1, &vec![0; 1 << 20]), message(1, &store_request(), Some(b"next"), 4096)]
            .concat();
    let (seen, _) = play(&[Piece::Client(&client)], 1460);
    assert_eq!(seen.anomalies, [Reason::Limit]);
    assert_eq!(seen.contents[0].bytes, b"next");
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
    let (seen, news) = play(&[Piece::Client(&client)], 1460);
    assert!(seen.contents.is_empty());
    assert_eq!(format!("{:?}", news.last()), "Some(Opaque(\"dicom\", Malformed))");
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
        prop_assert!(seen.contents.iter().all(|c| c.complete.is_some()));
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
