//! What commands say of a service, and what is counted of them.

use super::*;

const STUDY_MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
const STUDY_GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
const COMMITMENT: &str = "1.2.840.10008.1.20.1";
const UPS_PUSH: &str = "1.2.840.10008.5.1.4.34.6.1";

fn n(seen: &Recorder, what: &str, outcome: &str) -> u64 {
    let counts = &seen.activity.counts;
    counts.iter().find(|((w, o), _)| (*w, *o) == (what, outcome)).map_or(0, |(_, n)| *n)
}

fn us(n: u16) -> [u8; 2] {
    n.to_le_bytes()
}

/// Plays both sides in segments of several sizes; the result is the same for all.
fn both(client: &[u8], server: &[u8]) -> Recorder {
    let of = |size| play(&[Piece::Client(client), Piece::Server(server)], size).0;
    let whole = of(usize::MAX);
    for size in [1, 7, 100, 1460] {
        let pieces = of(size);
        assert_eq!((&pieces.activity, &pieces.facts), (&whole.activity, &whole.facts), "{size}");
        assert_eq!((&pieces.objects, &pieces.units), (&whole.objects, &whole.units), "{size}");
    }
    whole
}

#[test]
fn a_move_names_its_destination_and_counts_its_sub_operations() {
    let rq = command_with(0x0021, STUDY_MOVE, true, None, &[(0x0600, b"VIEWER")]);
    let client = [request(&[(1, STUDY_MOVE, &[IMPLICIT])], &[]), message(1, &rq, Some(b"k"), 999)];
    let rsp = |status, numbers: [Option<u16>; 4]| {
        let values: Vec<(u16, [u8; 2])> =
            (0x1020..).zip(numbers).filter_map(|(tag, n)| Some((tag, us(n?)))).collect();
        let more: Vec<(u16, &[u8])> = values.iter().map(|(t, v)| (*t, &v[..])).collect();
        message(1, &command_with(0x8021, STUDY_MOVE, false, Some(status), &more), None, 999)
    };
    let pending = [
        rsp(0xFF00, [Some(2), Some(1), Some(0), Some(0)]),
        rsp(0xFF00, [Some(1), Some(1), Some(1), Some(0)]),
    ];
    let last = rsp(0xB000, [None, Some(1), Some(1), Some(1)]);
    let server = [accept(&[(1, 0, IMPLICIT)]), pending.concat(), last];
    let seen = both(&client.concat(), &server.concat());
    let association = seen
        .facts
        .dicom
        .as_ref()
        .expect("facts of DICOM")
        .association
        .as_ref()
        .expect("association");
    assert_eq!(association.move_destinations, ["VIEWER"]);
    assert!(association.move_originators.is_empty());
    let [moved] = &seen.activity.moves[..] else { panic!("{:?}", seen.activity) };
    assert_eq!((&*moved.originator, &*moved.destination), ("CT01", "VIEWER"));
    assert!(!moved.performed);
    assert_eq!(n(&seen, "C-MOVE", "request"), 1);
    assert_eq!((n(&seen, "C-MOVE", "pending"), n(&seen, "C-MOVE", "warning")), (2, 1));
    let sub = |outcome| n(&seen, "sub-operation", outcome);
    // What the last response says, not the sum of all of them.
    assert_eq!([sub("remaining"), sub("completed"), sub("failed"), sub("warning")], [0, 1, 1, 1]);
    // Cut off before the last: what is known by then.
    let server = [accept(&[(1, 0, IMPLICIT)]), pending.concat()].concat();
    let seen = both(&client.concat(), &server);
    let sub = |outcome| n(&seen, "sub-operation", outcome);
    assert_eq!([sub("remaining"), sub("completed"), sub("failed"), sub("warning")], [1, 1, 1, 0]);
}

#[test]
fn a_store_for_a_third_party_says_for_whom() {
    let more: [(u16, &[u8]); 3] = [(0x1000, b"1.2.3.4"), (0x1030, b"WS1"), (0x1031, &[7, 0])];
    let rq = command_with(0x0001, CT, true, None, &more);
    let client = [
        request(&[(1, CT, &[EXPLICIT])], &[]),
        message(1, &rq, Some(b"image"), 4096),
        message(1, &rq, Some(b"again"), 4096),
    ];
    let server = [
        accept(&[(1, 0, EXPLICIT)]),
        message(1, &command(0x8001, CT, false, Some(0)), None, 999),
        message(1, &command(0x8001, CT, false, Some(0xA700)), None, 999),
    ];
    let seen = both(&client.concat(), &server.concat());
    let association = seen
        .facts
        .dicom
        .as_ref()
        .expect("facts of DICOM")
        .association
        .as_ref()
        .expect("association");
    assert_eq!(association.move_originators, ["WS1"]);
    let [moved] = &seen.activity.moves[..] else { panic!("{:?}", seen.activity) };
    assert_eq!((&*moved.originator, &*moved.destination), ("WS1", "ARCHIVE"));
    assert!(moved.performed);
    assert_eq!(seen.objects, vec![(Object::Instance, "1.2.3.4".to_owned()); 2]);
    assert_eq!(seen.units.iter().filter(|u| **u == "instance").count(), 2);
    assert_eq!((n(&seen, "C-STORE", "success"), n(&seen, "C-STORE", "refused")), (1, 1));
    assert_eq!(n(&seen, "status", "out-of-resources"), 1);
}

#[test]
fn classes_of_status_codes() {
    for (code, class, reason) in [
        (0x0000, "success", None),
        (0xFF01, "pending", None),
        (0xFE00, "cancel", None),
        (0x0107, "warning", None),
        (0xB006, "warning", None),
        (0x0122, "refused", Some("sop-class-not-supported")),
        (0x0124, "refused", Some("not-authorized")),
        (0xA701, "refused", Some("out-of-resources")),
        (0xA801, "refused", Some("move-destination-unknown")),
        (0xA900, "failure", Some("data-set-does-not-match-class")),
        (0xC001, "failure", Some("unable-to-process")),
        (0x0110, "failure", Some("processing-failure")),
        (0x0211, "failure", Some("unrecognized-operation")),
        (0x1234, "failure", Some("other")),
    ] {
        let client = [
            request(&[(1, STUDY_FIND, &[IMPLICIT])], &[]),
            message(1, &command(0x0020, STUDY_FIND, true, None), Some(b"keys"), 4096),
        ];
        let server = [
            accept(&[(1, 0, IMPLICIT)]),
            message(1, &command(0x8020, STUDY_FIND, false, Some(code)), None, 4096),
        ];
        let seen = both(&client.concat(), &server.concat());
        assert_eq!(n(&seen, "C-FIND", class), 1, "{code:04X}");
        let reasons: Vec<&str> =
            seen.activity.counts.keys().filter(|(w, _)| *w == "status").map(|(_, r)| *r).collect();
        assert_eq!(reasons, Vec::from_iter(reason), "{code:04X}");
    }
}

#[test]
fn answers_are_counted_while_a_question_is_being_cancelled() {
    let find = |id: u16| command_with(0x0020, STUDY_FIND, true, None, &[(0x0110, &us(id))]);
    let cancel = command_with(0x0FFF, STUDY_FIND, false, None, &[(0x0120, &us(1))]);
    // Two questions under way at once, the first one cancelled.
    let client = [
        request(&[(1, STUDY_FIND, &[IMPLICIT])], &item(0x53, &[0, 8, 0, 1])),
        message(1, &find(1), Some(b"first"), 4096),
        message(1, &find(2), Some(b"second"), 4096),
        message(1, &cancel, None, 4096),
    ];
    let answer = |id: u16, status: u16, data: Option<&[u8]>| {
        let more: [(u16, &[u8]); 1] = [(0x0120, &us(id))];
        let rsp = command_with(0x8020, STUDY_FIND, data.is_some(), Some(status), &more);
        message(1, &rsp, data, 4096)
    };
    let server = [
        accept_with(&[(1, 0, IMPLICIT)], &item(0x53, &[0, 2, 0, 1])),
        answer(1, 0xFF00, Some(b"one")),
        answer(2, 0xFF01, Some(b"two")),
        answer(1, 0xFF00, Some(b"three")),
        answer(1, 0xFE00, None),
        answer(2, 0xFF00, Some(b"four")),
        answer(2, 0x0000, None),
    ];
    let seen = both(&client.concat(), &server.concat());
    let answers: Vec<&[u8]> = seen.contents[2..].iter().map(|c| &c.bytes[..]).collect();
    assert_eq!(answers, [&b"one"[..], b"two", b"three", b"four"]);
    assert_eq!(seen.units.iter().filter(|u| **u == "match").count(), 4);
    let of = |outcome| n(&seen, "C-FIND", outcome);
    assert_eq!([of("request"), of("pending"), of("cancel"), of("success")], [2, 4, 1, 1]);
    assert_eq!(n(&seen, "C-CANCEL", "request"), 1);
    // What counts is what the acceptor says.
    let association = seen
        .facts
        .dicom
        .as_ref()
        .expect("facts of DICOM")
        .association
        .as_ref()
        .expect("association");
    assert_eq!(association.asynchronous, Some([2, 1]));
}

#[test]
fn operations_on_normalized_objects() {
    let list = [
        (0x0140, "N-CREATE", UPS_PUSH),
        (0x0120, "N-SET", UPS_PUSH),
        (0x0110, "N-GET", UPS_PUSH),
        (0x0130, "N-ACTION", COMMITMENT),
        (0x0100, "N-EVENT-REPORT", COMMITMENT),
        (0x0150, "N-DELETE", UPS_PUSH),
    ];
    for (field, operation, class) in list {
        let client = [
            request(&[(1, class, &[EXPLICIT])], &[]),
            message(1, &command(field, class, true, None), Some(b"set"), 4096),
        ];
        let server = [
            accept(&[(1, 0, EXPLICIT)]),
            message(1, &command(field | 0x8000, class, true, Some(0)), Some(b"back"), 4096),
        ];
        let seen = both(&client.concat(), &server.concat());
        let delivered: Vec<_> =
            seen.contents.iter().map(|c| (c.operation.as_str(), &c.bytes[..])).collect();
        assert_eq!(delivered, [(operation, &b"set"[..]), (operation, b"back")]);
        assert_eq!(seen.facts.dicom.as_ref().expect("facts of DICOM").dimse, [operation]);
        assert_eq!(seen.facts.dicom.as_ref().expect("facts of DICOM").sop_classes, [class]);
        assert_eq!((n(&seen, operation, "request"), n(&seen, operation, "success")), (1, 1));
    }
}

#[test]
fn what_an_association_negotiates() {
    let related = |class: &str, more: &[u8]| {
        [&(class.len() as u16).to_be_bytes()[..], class.as_bytes(), more].concat()
    };
    let user = [
        item(0x53, &[0, 4, 0, 0]),
        item(0x54, &related(CT, &[0, 1])),
        item(0x54, &related(STUDY_GET, &[1, 1])),
        item(0x56, &related(STUDY_FIND, &[1, 1, 1])),
        item(0x57, &related(CT, &[0, 0, 0, 0])),
        item(0x58, &[4, 1, 0, 3, b'a', b'b', b'c', 0, 0]),
    ];
    let client = request(&[(1, STUDY_GET, &[IMPLICIT]), (3, CT, &[EXPLICIT])], &user.concat());
    let answer = [
        item(0x51, &131_072u32.to_be_bytes()),
        item(0x54, &related(CT, &[0, 1])),
        item(0x54, &related(STUDY_GET, &[1, 0])),
        item(0x59, &[0, 0]),
    ];
    let server = accept_with(&[(1, 0, IMPLICIT), (3, 4, "")], &answer.concat());
    let seen = both(&client, &server);
    let association = seen
        .facts
        .dicom
        .as_ref()
        .expect("facts of DICOM")
        .association
        .as_deref()
        .expect("association");
    assert_eq!(association.outcome, Some(Outcome::Accepted));
    assert_eq!(association.contexts, [2, 1]);
    assert_eq!(association.max_pdu, [Some(16384), Some(131_072)]);
    assert_eq!(association.asynchronous, Some([4, 0]));
    assert_eq!(association.provider_roles, [2, 1]);
    assert_eq!(association.extended, [STUDY_FIND, CT]);
    assert_eq!((association.user_identity, association.identity_confirmed), (Some("saml"), true));
    assert_eq!(n(&seen, "association", "accepted"), 1);
    assert_eq!(seen.units.iter().filter(|u| **u == "association").count(), 1);
}

#[test]
fn what_becomes_of_associations() {
    let rq = request(&[(1, CT, &[EXPLICIT])], &[]);
    for (reason, outcome, name) in [
        (3, Outcome::CallingRefused, "calling-ae-title-not-recognized"),
        (7, Outcome::CalledRefused, "called-ae-title-not-recognized"),
        (1, Outcome::Refused, "no-reason-given"),
    ] {
        let seen = both(&rq, &pdu(3, &[0, 1, 1, reason]));
        let association = seen
            .facts
            .dicom
            .as_ref()
            .expect("facts of DICOM")
            .association
            .as_deref()
            .expect("association");
        assert_eq!(association.outcome, Some(outcome));
        assert_eq!((n(&seen, "association", "rejected"), n(&seen, "rejection", name)), (1, 1));
    }
    let ac = accept(&[(1, 0, EXPLICIT)]);
    let seen = both(&rq, &[ac.clone(), pdu(7, &[0, 0, 2, 1])].concat());
    assert_eq!(n(&seen, "association", "aborted"), 1);
    assert_eq!(n(&seen, "abort", "service-provider: unrecognized-pdu"), 1);
    let seen = both(&[rq, pdu(5, &[0; 4])].concat(), &[ac, pdu(6, &[0; 4])].concat());
    assert_eq!(n(&seen, "association", "released"), 1);
    // What the first association on a connection came to is not that of the second.
    let twice = [request(&[(1, CT, &[EXPLICIT])], &[]), request(&[(1, CT, &[EXPLICIT])], &[])];
    let (seen, _) = play(
        &[
            Piece::Client(&twice[0]),
            Piece::Server(&pdu(3, &[0, 1, 1, 3])),
            Piece::Client(&twice[1]),
        ],
        50,
    );
    assert_eq!(
        seen.facts
            .dicom
            .as_ref()
            .expect("facts of DICOM")
            .association
            .as_deref()
            .and_then(|a| a.outcome),
        None
    );
}
