//! The page as people see it.

use super::*;
use crate::content::Mark;
use crate::exposure::samples::{Sample, at};
use crate::output::InputReport;
use crate::output::samples::{context, events, run, tracker, written};
use crate::protocol::{DicomFacts, MessageFacts, ServiceFacts, WebFacts};
use std::sync::Arc;

const WIDTH: usize = 100;

fn page(events: &[Event], run: &RunSummary) -> String {
    written(&FORMAT, context(), events, run)
}

#[test]
fn the_summary_is_as_recorded() {
    let page = page(&events(), &run());
    let golden = include_str!("golden.txt").replace("VERSION", env!("CARGO_PKG_VERSION"));
    assert_eq!(page, golden, "\n{page}");
}

#[test]
fn nothing_found_and_nothing_missed_is_said_in_words() {
    let run = RunSummary { packets_read: 1, packets_decoded: 1, ..RunSummary::default() };
    let page = page(&[], &run);
    assert!(page.contains("\nNo patient data seen in cleartext.\n"), "{page}");
    assert!(page.contains("\nEverything was read.\n"), "{page}");
}

#[test]
fn what_is_suppressed_is_never_left_out() {
    let mut over = run().suppressed.remove(0);
    over.findings_since = 2;
    let read = RunSummary { packets_read: 1, packets_decoded: 1, ..RunSummary::default() };
    let only = RunSummary { suppressed: vec![over], ..read };
    let said = page(&[], &only);
    assert!(said.contains("No patient data seen in cleartext but what is known"), "{said}");
    assert!(said.contains("ENDED on 2026-03-31, 2 findings reported since"), "{said}");
}

#[test]
fn an_estimate_has_bounds() {
    let patients = crate::exposure::Count { value: 160_000, estimate: true };
    let said = page(&events(), &RunSummary { patients, ..run() });
    assert!(said.contains("about 160,000 patients (152,200 to 167,800)"), "{said}");
}

#[test]
fn foreign_names_neither_steer_the_terminal_nor_break_the_width() {
    let long = |c: char| Some(String::from(c).repeat(250));
    let facts = ServiceFacts {
        software: long('s'),
        dicom: Some(Box::new(DicomFacts {
            calling_aet: Some("\x1b[2J\u{202e}\r\nX".into()),
            called_aet: long('\u{7}'),
            ..DicomFacts::default()
        })),
        messages: Some(Box::new(MessageFacts {
            sending_application: long('a'),
            ..MessageFacts::default()
        })),
        web: Some(Box::new(WebFacts { host: long('h'), path: long('/'), ..WebFacts::default() })),
        ..ServiceFacts::default()
    };
    let marks = vec![Mark::Result, Mark::Test, Mark::Deidentified, Mark::BurnedIn];
    let (mut x, mut out) = (tracker(), Vec::new());
    let sample = Sample {
        facts,
        marks,
        client: "[2001:db8:1111:2222:3333:4444:5555:6666]:1",
        server: "[2001:db8:1111:2222:3333:4444:5555:7777]:65535",
        ..Sample::default()
    };
    x.finding(sample.build(), &mut out);
    let fault = Some("\x1b]0;title\x07 at byte 9".into());
    let inputs = vec![InputReport { name: "n".repeat(300), fault, ..InputReport::default() }];
    let page = page(&out, &RunSummary { inputs, ..run() });
    for line in page.lines() {
        assert!(line.chars().count() <= WIDTH, "{} columns: {line}", line.chars().count());
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
    assert!(page.contains("AE \\u{1b}[2J\\u{202e}\\u{d}\\u{a}X to"), "{page}");
}

#[test]
fn no_value_and_no_pseudonym_is_shown_even_when_events_reveal_them() {
    let mut d = Sample::default().build();
    for identifier in Arc::make_mut(&mut d.finding.identifiers) {
        identifier.shown = crate::identify::DisplayValue::of("Canary^Revealed", false);
    }
    let token = d.finding.patient.to_string();
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(d, &mut out);
    let page = page(&out, &RunSummary { reveal: true, ..run() });
    assert!(!page.contains("Canary") && !page.contains(&token), "{page}");
    assert!(page.contains("values are shown in events"), "{page}");
}

#[test]
fn colour_only_where_it_is_wanted() {
    let plain = page(&events(), &run());
    assert!(!plain.contains('\x1b'));
    let colour = Context { colour: true, ..context() };
    let coloured = written(&FORMAT, colour, &events(), &run());
    assert!(coloured.contains("\x1b[1;31mCRITICAL 100"), "{coloured}");
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        stripped.push_str(before);
        rest = after.split_once('m').expect("end of sequence").1;
    }
    assert_eq!(stripped + rest, plain, "nothing else differs");
}

#[test]
fn who_watches_sees_exposures_open() {
    let follow = Context { follow: true, ..context() };
    let text = written(&FORMAT, follow, &events(), &run());
    let first = text.lines().next().expect("line");
    assert_eq!(first, "10:15:02  CRITICAL 100   203.0.113.9 -> 10.1.2.9:2575  hl7");
    assert_eq!(text.lines().take_while(|l| l.contains(" -> ")).count(), 3);
}

#[test]
fn of_too_many_exposures_the_worst_are_shown_and_the_rest_counted() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for n in 0..(2 * MAX_HELD + 50) {
        let mut d = Sample { time: at(1), ..Sample::default() }.build();
        let worst = n == MAX_HELD / 2;
        let server = if worst {
            "203.0.113.1:104".into()
        } else {
            format!("10.{}.{}.1:104", n / 250, n % 250)
        };
        d.flow.server = server.parse().expect("address");
        x.finding(d, &mut out);
    }
    x.finish(at(2), &mut out);
    let page = page(&out, &RunSummary { exposures: x.opened(), ..run() });
    let blocks = page.lines().filter(|l| l.contains(" -> ")).collect::<Vec<_>>();
    assert_eq!(blocks.len(), 10);
    assert!(blocks[0].contains("203.0.113.1:104"), "{}", blocks[0]);
    assert!(page.contains("in 4,146 exposures"), "{}", &page[..400]);
    assert!(page.contains("... and 4,136 more"));
    // Every service is named all the same.
    assert_eq!(page.lines().filter(|l| l.contains(":104, dicom, 1 client")).count(), 4_146);
    let three = Context { top: Some(3), ..context() };
    let page = written(&FORMAT, three, &out, &run());
    assert_eq!(page.lines().filter(|l| l.contains(" -> ")).count(), 3);
}

#[test]
fn long_items_break_between_words_and_times_get_their_day_where_there_is_more_than_one() {
    let fault = "ends within a packet at byte 3042; everything before was read, copy the file again \
                 if it should be longer";
    let input = InputReport {
        name: "/captures/a-name-that-is-rather-long/of-a-file.pcap".into(),
        fault: Some(fault.into()),
        ..InputReport::default()
    };
    let page =
        page(&events(), &RunSummary { inputs: vec![input], ended: Some(at(90_000)), ..run() });
    let expected = concat!(
        "\n  Faulty input    /captures/a-name-that-is-rather-long/of-a-file.pcap: ends within a packet at byte",
        "\n                  3042; everything before was read, copy the file again if it should be longer\n",
    );
    assert!(page.contains(expected), "{page}");
    assert!(page.contains("1 record in 1 flow, at 2026-03-01 10:15:02\n"), "{page}");
    assert!(page.contains("in 1 flow, 2026-03-01 10:15:04 to 10:15:15\n"), "{page}");

    // Two moments within a second look like one.
    let (mut x, mut out) = (tracker(), Vec::new());
    for (patient, nanos) in [(1, 0), (2, 400_000_000)] {
        let time = at(0) + crate::time::Span(nanos);
        x.finding(Sample { patient, time, ..Sample::default() }.build(), &mut out);
    }
    x.finish(at(1), &mut out);
    for ended in [600, 90_000] {
        let page = self::page(&out, &RunSummary { ended: Some(at(ended)), ..run() });
        assert!(page.contains("in 1 flow, at ") && !page.contains(" to 10:15:02\n"), "{page}");
    }
}

#[test]
fn the_page_fits_the_terminal_and_ends_with_its_headline() {
    let run = run();
    for width in [1, 60, 80, 100, 200] {
        let page = written(&FORMAT, Context { width, ..context() }, &events(), &run);
        let most = width.clamp(60, 100);
        // Names of files and severities are one word each.
        let long = page.lines().find(|l| l.chars().count() > most);
        assert!(long.is_none(), "{width}: {long:?}");
        assert!(page.contains("1 critical, 1 high, 1 medium\n"), "{page}");
        let headline = page.lines().find(|l| l.starts_with("PATIENT DATA")).expect("headline");
        let last = page.lines().rfind(|l| l.starts_with("PATIENT DATA")).expect("headline");
        assert!(page.matches(headline).count() == 2 && headline == last);
    }
}

#[test]
fn a_service_with_many_clients_is_one_line_and_a_client_of_many_services_is_named() {
    let (mut x, mut out) = (tracker(), Vec::new());
    for n in 0..7u8 {
        let mut open = Sample { patient: n.into(), ..Sample::default() }.build();
        open.flow.client.set_ip([10, 1, 7, 20 + n].into());
        x.finding(open, &mut out);
        let mut touched = Sample { patient: n.into(), ..Sample::default() }.build();
        touched.flow.client.set_ip([10, 9, 9, 9].into());
        touched.flow.server.set_ip([10, 2, 2, 1 + n].into());
        x.finding(touched, &mut out);
    }
    x.finish(at(9), &mut out);
    let page = page(&out, &RunSummary { exposures: 14, ..run() });
    let line =
        page.lines().find(|l| l.contains("10.1.2.3:11112, dicom, 7 clients")).expect("a line");
    assert!(line.contains("7 clients, 1 to 7 patients"), "{line}");
    assert!(page.contains("CLIENTS OF MANY SERVICES\n  10.9.9.9, 7 services\n"), "{page}");
    assert!(page.contains("in 14 exposures of 8 services\n"), "{page}");
}
