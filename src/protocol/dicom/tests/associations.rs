use super::*;

fn one(recorder: &Recorder) -> &Recorded {
    assert_eq!(recorder.contents.len(), 1, "{:?}", recorder.contents);
    &recorder.contents[0]
}

#[test]
fn a_data_set_survives_any_fragmentation_and_segmentation() {
    let data = data_set(900);
    for max in [20, 64, 100, 4096] {
        let client = [
            request(&[(1, CT, &[IMPLICIT, EXPLICIT])], &[]),
            message(1, &store_request(), Some(&data), max),
            pdu(5, &[0; 4]),
        ]
        .concat();
        let server = [
            accept(&[(1, 0, EXPLICIT)]),
            message(1, &command(0x8001, CT, false, Some(0)), None, max),
            pdu(6, &[0; 4]),
        ]
        .concat();
        let sizes: Vec<usize> = (1..70).chain([500, 1460, usize::MAX]).collect();
        for size in sizes {
            // The answer first, as a capture that orders by direction would have it.
            let (seen, _) = play(&[Piece::Server(&server), Piece::Client(&client)], size);
            let content = one(&seen);
            assert_eq!(content.bytes, data, "PDUs of {max}, segments of {size}");
            assert_eq!(content.ending, COMPLETE);
            assert_eq!(content.operation, "C-STORE");
            assert_eq!(content.direction, Direction::ClientToServer);
            assert_eq!(seen.units.iter().filter(|u| **u == "dimse").count(), 2);
            assert!(seen.anomalies.is_empty());
        }
    }
}

#[test]
fn facts_of_the_service() {
    let client = [
        request(&[(1, CT, &[IMPLICIT, EXPLICIT]), (3, STUDY_FIND, &[IMPLICIT])], &[]),
        message(1, &store_request(), Some(&data_set(10)), 4096),
    ]
    .concat();
    let server = accept(&[(1, 0, EXPLICIT), (3, 4, "")]);
    let (seen, events) = play(
        &[Piece::Client(&client[..300]), Piece::Server(&server), Piece::Client(&client[300..])],
        100,
    );
    let facts = &seen.facts;
    assert_eq!(facts.dicom.as_ref().expect("facts of DICOM").calling_aet.as_deref(), Some("CT01"));
    assert_eq!(
        facts.dicom.as_ref().expect("facts of DICOM").called_aet.as_deref(),
        Some("ARCHIVE")
    );
    assert_eq!(
        facts.dicom.as_ref().expect("facts of DICOM").implementation_version,
        [Some("OFFIS_DCMTK_367".to_owned()), None]
    );
    assert_eq!(
        facts.dicom.as_ref().expect("facts of DICOM").implementation_class[0].as_deref(),
        Some("1.2.276.0.7230010.3.0.3.6.7")
    );
    assert_eq!(
        facts.dicom.as_ref().expect("facts of DICOM").implementation_class[1].as_deref(),
        Some("1.2.826.0.1.3680043.2.1")
    );
    assert_eq!(facts.dicom.as_ref().expect("facts of DICOM").sop_classes, [CT]);
    assert_eq!(facts.dicom.as_ref().expect("facts of DICOM").transfer_syntaxes, [EXPLICIT]);
    assert_eq!(facts.dicom.as_ref().expect("facts of DICOM").dimse, ["C-STORE"]);
    assert_eq!(facts.authentication, Authentication::None);
    assert!(!facts.credentials_in_clear);
    assert_eq!(seen.contents[0].media, format!("dicom {EXPLICIT}"));
    assert_eq!(format!("{events:?}"), "[Recognised(\"dicom\"), Recognised(\"dicom\")]");
}

#[test]
fn user_identity_is_read_without_its_secret() {
    for (kind, in_clear) in [(1u8, false), (2, true), (3, false), (4, true), (5, true)] {
        let mut identity = vec![kind, 0];
        for part in [&b"radtech"[..], b"S3cret"] {
            identity.extend((part.len() as u16).to_be_bytes());
            identity.extend(part);
        }
        let client = request(&[(1, CT, &[EXPLICIT])], &item(0x58, &identity));
        let (seen, _) = play(&[Piece::Client(&client)], 50);
        assert_eq!(seen.facts.authentication, Authentication::UserIdentity);
        assert_eq!(seen.facts.credentials_in_clear, in_clear, "type {kind}");
        let all = format!("{:?}", seen.facts);
        assert!(!all.contains("S3cret") && !all.contains("radtech"));
    }
}

#[test]
fn rejections_and_aborts() {
    let client = request(&[(1, CT, &[EXPLICIT])], &[]);
    let (seen, _) = play(&[Piece::Client(&client), Piece::Server(&pdu(3, &[0, 1, 1, 7]))], 4);
    assert_eq!(
        seen.facts.dicom.as_ref().expect("facts of DICOM").rejected.as_deref(),
        Some("rejected-permanent, service-user: called-ae-title-not-recognized")
    );
    let (seen, _) = play(
        &[
            Piece::Client(&client),
            Piece::Server(&accept(&[(1, 0, EXPLICIT)])),
            Piece::Client(&message(1, &store_request(), None, 4096)),
            Piece::Client(&pdu(4, &pdv(1, 0, b"half of it"))),
            Piece::Server(&pdu(7, &[0, 0, 2, 6])),
        ],
        4,
    );
    assert_eq!(
        seen.facts.dicom.as_ref().expect("facts of DICOM").aborted.as_deref(),
        Some("service-provider: invalid-pdu-parameter-value")
    );
    assert_eq!(one(&seen).ending, CUT);
}

#[test]
fn queries_and_responses_are_distinguished() {
    let client = [
        request(&[(1, STUDY_FIND, &[IMPLICIT])], &[]),
        message(1, &command(0x0020, STUDY_FIND, true, None), Some(b"keys"), 4096),
    ]
    .concat();
    let answer = |bytes: &[u8]| {
        message(1, &command(0x8020, STUDY_FIND, true, Some(0xFF00)), Some(bytes), 4096)
    };
    let server = [
        accept(&[(1, 0, IMPLICIT)]),
        answer(b"first"),
        answer(b"second"),
        message(1, &command(0x8020, STUDY_FIND, false, Some(0)), None, 4096),
    ]
    .concat();
    let (seen, _) = play(&[Piece::Client(&client), Piece::Server(&server)], 33);
    let delivered: Vec<_> = seen
        .contents
        .iter()
        .map(|c| (c.media.as_str(), c.operation.as_str(), c.direction, &c.bytes[..]))
        .collect();
    let (ask, plain) = (format!("dicom {IMPLICIT} query"), format!("dicom {IMPLICIT}"));
    use Direction::{ClientToServer, ServerToClient};
    assert_eq!(
        delivered,
        [
            (ask.as_str(), "C-FIND", ClientToServer, &b"keys"[..]),
            (&plain, "C-FIND", ServerToClient, b"first"),
            (&plain, "C-FIND", ServerToClient, b"second"),
        ]
    );
    assert!(seen.contents.iter().all(|c| c.ending == COMPLETE));
}

#[test]
fn get_sends_images_back_on_the_same_association() {
    let get = "1.2.840.10008.5.1.4.1.2.2.3";
    let client = [
        request(&[(1, get, &[IMPLICIT]), (3, CT, &[EXPLICIT])], &[]),
        message(1, &command(0x0010, get, true, None), Some(b"keys"), 4096),
    ]
    .concat();
    let server = [
        accept(&[(1, 0, IMPLICIT), (3, 0, EXPLICIT)]),
        message(3, &store_request(), Some(b"image"), 4096),
    ]
    .concat();
    let (seen, _) = play(&[Piece::Client(&client), Piece::Server(&server)], 1460);
    assert_eq!(seen.contents[1].operation, "C-STORE");
    assert_eq!(seen.contents[1].direction, Direction::ServerToClient);
    assert_eq!(seen.contents[1].media, format!("dicom {EXPLICIT}"));
    assert_eq!(seen.facts.dicom.as_ref().expect("facts of DICOM").dimse, ["C-GET", "C-STORE"]);
}

#[test]
fn contexts_may_be_interleaved_and_share_a_pdu() {
    let contexts: [(u8, &str, &[&str]); 2] = [(1, CT, &[EXPLICIT]), (255, CT, &[IMPLICIT])];
    let client = [
        request(&contexts, &[]),
        pdu(
            4,
            &[pdv(1, 3, &store_request()), pdv(255, 1, &store_request()[..20]), pdv(1, 0, b"one ")]
                .concat(),
        ),
        pdu(4, &[pdv(255, 3, &store_request()[20..]), pdv(255, 0, b"TWO")].concat()),
        pdu(4, &[pdv(1, 2, b"two"), pdv(255, 0, b""), pdv(255, 2, b" DONE")].concat()),
    ]
    .concat();
    for size in 1..client.len() {
        let (seen, _) = play(&[Piece::Client(&client)], size);
        let delivered: Vec<_> =
            seen.contents.iter().map(|c| (c.media.as_str(), &c.bytes[..], c.ending)).collect();
        let (explicit, implicit) = (format!("dicom {EXPLICIT}"), format!("dicom {IMPLICIT}"));
        assert_eq!(
            delivered,
            [(explicit.as_str(), &b"one two"[..], COMPLETE), (&implicit, b"TWO DONE", COMPLETE)]
        );
    }
}

#[test]
fn one_direction_alone() {
    // Only the client: one proposed transfer syntax is as good as accepted, of several none is.
    let send = message(1, &store_request(), Some(b"image"), 4096);
    for (syntaxes, media) in
        [(&[EXPLICIT][..], format!("dicom {EXPLICIT}")), (&[IMPLICIT, EXPLICIT], "dicom ".into())]
    {
        let client = [request(&[(1, CT, syntaxes)], &[]), send.clone()].concat();
        let (seen, _) = play(&[Piece::Client(&client)], 1460);
        assert_eq!(one(&seen).media, media);
    }
    // Only the server.
    let server = [accept(&[(3, 0, EXPLICIT)]), message(3, &store_request(), Some(b"i"), 4096)];
    let (seen, _) = play(&[Piece::Server(&server.concat())], 1460);
    assert_eq!(one(&seen).media, format!("dicom {EXPLICIT}"));
    assert_eq!(seen.facts.authentication, Authentication::Unknown);
}

#[test]
fn what_is_not_wanted_is_skipped_across_fragments() {
    let data = data_set(500_000);
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        message(1, &store_request(), Some(&data), 16384),
        message(1, &store_request(), Some(b"next"), 16384),
    ]
    .concat();
    // Nothing after the first bytes.
    let sink = Recorder {
        want: Some(|c| if c.bytes.len() > 1000 { Want::NOTHING } else { Want::ALL }),
        ..Recorder::default()
    };
    let (seen, _) = play_with(&[Piece::Client(&client)], 1460, sink);
    assert!(seen.contents[0].bytes.len() < 3000);
    assert_eq!(seen.contents[0].ending, COMPLETE);
    assert_eq!(seen.contents[1].bytes, b"next");
    // 100,000 bytes after the first piece, then everything.
    for size in [100, 1460, usize::MAX] {
        let sink = Recorder {
            want: Some(|c| Want { skip: if c.bytes.len() == 50 { 100_000 } else { 0 } }),
            ..Recorder::default()
        };
        let small = [
            request(&[(1, CT, &[EXPLICIT])], &[]),
            pdu(4, &pdv(1, 3, &store_request())),
            pdu(4, &pdv(1, 0, &data[..50])),
            message(1, b"", Some(&data[50..]), 16384)[12..].to_vec(),
        ]
        .concat();
        let (seen, _) = play_with(&[Piece::Client(&small)], size, sink);
        let content = one(&seen);
        if content.bytes.len() != data.len() {
            assert_eq!(content.bytes[..50], data[..50]);
            assert!(content.bytes[50..] == data[100_050..], "segments of {size}");
        } else {
            // No piece ended after 50 bytes.
            assert_ne!(size, usize::MAX);
        }
    }
}

#[test]
fn a_gap_in_a_fragment_leaves_the_next_message_whole() {
    let data = data_set(5000);
    let head =
        [request(&[(1, CT, &[EXPLICIT])], &[]), pdu(4, &pdv(1, 3, &store_request()))].concat();
    let body = pdu(4, &pdv(1, 2, &data));
    let next = message(1, &store_request(), Some(b"next"), 4096);
    // Within a fragment: it is known where it ends.
    let (seen, _) = play(
        &[
            Piece::Client(&head),
            Piece::Client(&body[..1000]),
            Piece::ClientGap(2000),
            Piece::Client(&body[3000..]),
            Piece::Client(&next),
        ],
        700,
    );
    assert_eq!(seen.contents[0].gaps, 2000);
    assert_eq!(seen.contents[0].bytes.len(), 3000);
    assert_eq!(seen.contents[0].ending, COMPLETE);
    assert_eq!(seen.contents[1].bytes, b"next");
    // Over its end and into what follows: the next PDU is found.
    let (seen, _) = play(
        &[
            Piece::Client(&head),
            Piece::Client(&body[..1000]),
            Piece::ClientGap((body.len() - 1000 + 20) as u64),
            Piece::Client(&next[20..]),
            Piece::Client(&next),
        ],
        700,
    );
    assert_eq!(seen.contents[0].ending, CUT);
    assert_eq!(seen.contents.last().map(|c| &c.bytes[..]), Some(&b"next"[..]));
    assert_eq!(seen.contents.last().and_then(|c| c.ending), COMPLETE);
    // In the middle of a command set.
    let (seen, _) = play(
        &[
            Piece::Client(&head[..head.len() - 30]),
            Piece::ClientGap(10),
            Piece::Client(&head[head.len() - 20..]),
            Piece::Client(&body),
            Piece::Client(&next),
        ],
        700,
    );
    assert_eq!(seen.contents[0].media, "application/dicom");
    assert_eq!(seen.contents[1].media, format!("dicom {EXPLICIT}"));
}

#[test]
fn a_second_association_on_the_same_connection() {
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        message(1, &store_request(), Some(b"one"), 4096),
        pdu(5, &[0; 4]),
        request(&[(1, CT, &[IMPLICIT])], &[]),
        message(1, &store_request(), Some(b"two"), 4096),
    ]
    .concat();
    let (seen, _) = play(&[Piece::Client(&client)], 1000);
    assert_eq!(seen.contents[0].media, format!("dicom {EXPLICIT}"));
    assert_eq!(seen.contents[1].media, format!("dicom {IMPLICIT}"));
}

#[test]
fn a_gap_in_the_negotiation() {
    let rq = request(&[(1, CT, &[IMPLICIT, EXPLICIT])], &[]);
    let next = message(1, &store_request(), Some(b"image"), 4096);
    // At any position, the first PDU after it is read; the answer reveals the transfer syntax.
    for (from, to) in [(3, 60), (80, 90), (100, rq.len() - 1), (rq.len() - 20, rq.len())] {
        for size in [1, 33, 1460] {
            let (seen, _) = play(
                &[
                    Piece::Client(&rq[..from]),
                    Piece::Server(&accept(&[(1, 0, EXPLICIT)])),
                    Piece::ClientGap((to - from) as u64),
                    Piece::Client(&rq[to..]),
                    Piece::Client(&next),
                ],
                size,
            );
            let content = one(&seen);
            assert_eq!(content.bytes, b"image", "gap {from} to {to}, segments of {size}");
            assert_eq!(content.media, format!("dicom {EXPLICIT}"));
            assert!(seen.anomalies.is_empty());
        }
    }
}

#[test]
fn one_request_per_context_as_some_tools_propose_them() {
    // 127 contexts of one transfer syntax each for two classes, accepted in part.
    let contexts: Vec<(u8, &str, &[&str])> = (0..127u8)
        .map(|n| (2 * n + 1, if n % 2 == 0 { CT } else { STUDY_FIND }, &[EXPLICIT][..]))
        .collect();
    let answer: Vec<(u8, u8, &str)> =
        contexts.iter().map(|(id, ..)| (*id, u8::from(id % 3 == 0) * 4, EXPLICIT)).collect();
    let client =
        [request(&contexts, &[]), message(253, &store_request(), Some(b"x"), 4096)].concat();
    for size in [1, 61, 1460, usize::MAX] {
        let (seen, _) = play(&[Piece::Server(&accept(&answer)), Piece::Client(&client)], size);
        let association = seen
            .facts
            .dicom
            .as_ref()
            .expect("facts of DICOM")
            .association
            .as_deref()
            .expect("association");
        assert_eq!(association.contexts, [127, 127 - 42]);
        assert_eq!(one(&seen).media, format!("dicom {EXPLICIT}"));
        assert!(seen.anomalies.is_empty(), "{:?}", seen.anomalies);
    }
}
