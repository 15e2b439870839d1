//! What a run says of what it could not judge.

use super::*;
use crate::output::{InputReport, Interrupted};
use crate::protocol::Reason;

/// A run that read all of its packets.
fn complete() -> RunSummary {
    RunSummary {
        packets_read: 100,
        packets_decoded: 100,
        flows: 10,
        payload_bytes: 1000,
        ..RunSummary::default()
    }
}

#[test]
fn only_a_run_of_which_everything_was_read_is_an_all_clear() {
    let clear = complete();
    assert_eq!(clear.verdict(), Verdict::Complete);
    assert_eq!(clear.all_clear(), "No patient data seen in cleartext.");
    assert!(!clear.is_partial() && clear.shortfalls().is_empty());
    let fault = InputReport { fault: Some("ends within a packet".into()), ..Default::default() };
    // (run, cause, whether part of the input was unreadable)
    let runs = [
        (
            RunSummary { interrupted: Some(Interrupted { at: Some(0.4) }), ..complete() },
            Cause::Interrupted,
            true,
        ),
        (RunSummary { inputs: vec![fault], ..complete() }, Cause::Input, true),
        (RunSummary { packets_cut: 1, cut_at: 96, ..complete() }, Cause::Snaplen, true),
        (RunSummary { lost: [("kernel", 1)].into(), ..complete() }, Cause::NeverSeen, false),
        (RunSummary { dropped: [("queue", 1)].into(), ..complete() }, Cause::Dropped, false),
        (RunSummary { gap_bytes: 1, ..complete() }, Cause::Gap, false),
        (RunSummary { skipped: [("malformed_ip", 1)].into(), ..complete() }, Cause::Packet, false),
        (RunSummary { unrecognised_flows: 1, ..complete() }, Cause::Unrecognised, false),
        (RunSummary { half_recognised_flows: 1, ..complete() }, Cause::HalfRecognised, false),
        (RunSummary { evicted_flows: 1, ..complete() }, Cause::Memory, false),
        (
            RunSummary { opaque: [(("http", Reason::Limit), 1)].into(), ..complete() },
            Cause::GivenUp,
            false,
        ),
    ];
    for (run, cause, partial) in runs {
        assert_eq!(run.verdict(), Verdict::Incomplete, "{cause:?}");
        let causes: Vec<Cause> = run.shortfalls().iter().map(|s| s.cause).collect();
        assert_eq!(causes, [cause]);
        assert_eq!(run.is_partial(), partial, "{cause:?}");
        assert_eq!(run.all_clear(), "No patient data seen in what could be judged.");
    }
}

#[test]
fn nothing_read_is_not_nothing_found() {
    let skipped = |reason, n| RunSummary {
        packets_read: 100,
        skipped: [(reason, n)].into(),
        ..RunSummary::default()
    };
    let runs = [
        (RunSummary::default(), Verdict::NothingRead, "NOTHING WAS READ.", true),
        (skipped("filtered", 100), Verdict::NothingMatched, "NOTHING WAS LOOKED AT.", true),
        (
            skipped("malformed_ip", 100),
            Verdict::NothingReadable,
            "NOTHING COULD BE READ of 100 packets.",
            true,
        ),
        (
            skipped("encrypted", 100),
            Verdict::NoConversation,
            "No conversation seen in cleartext.",
            false,
        ),
        // Nothing that could hold data crossed the port: it may be the wrong one.
        (
            skipped("not_ip", 100),
            Verdict::NoConversation,
            "No conversation seen in cleartext.",
            true,
        ),
    ];
    for (run, verdict, title, partial) in runs {
        assert_eq!((run.verdict(), run.is_partial()), (verdict, partial));
        assert_eq!(run.all_clear(), title);
    }
    assert!(skipped("unsupported_link", 100).is_unreadable());
    assert!(!skipped("unsupported_link", 99).is_unreadable());
}

#[test]
fn shares_are_of_what_was_on_the_wire_and_never_rounded_to_nothing() {
    // 400 bytes were cut, 200 lost, and 100 of the 400 that were captured are of no known protocol.
    let run = RunSummary {
        payload_bytes: 400,
        cut_payload_bytes: 400,
        cut_bytes: 300,
        gap_bytes: 500,
        unrecognised_bytes: 100,
        unrecognised_flows: 2,
        flows: 40,
        ..complete()
    };
    assert_eq!(run.unjudged_bytes(), (1000, 700));
    assert_eq!(run.unjudged_share(), "70 % of the payload, 2 of 40 flows");
    for (part, whole, text) in [
        (1, 100_000, "less than 1 %"),
        (99_999, 100_000, "more than 99 %"),
        (1, 1, "100 %"),
        (0, 0, "0 %"),
    ] {
        assert_eq!(percent(ratio(part, whole)), text);
    }
}
