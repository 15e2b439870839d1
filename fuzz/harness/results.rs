//! Data from other machines: parts of summaries, messages of a hub, published rules, records of
//! jobs; and the files of a spool. Any of it may be forged.

use phitap::distribution::{Bundle, PublicKey};
use phitap::hub::test_harness::TestHub;
use phitap::jobs::status_of;
use phitap::merge::{Numbers, Part, Summary};
use phitap::output::spool::{Limits, Log, Record};
use phitap::review::source::Filter;
use phitap::review::{Console, Diff, Listing, MergeShape, Merged, Query, Request, Shape, answer};
use phitap::time::Timestamp;
use std::time::Duration;

/// Ids of a key and a sensor.
const KEY: &str = "k_1";
const SENSOR: &str = "sensor-1";
/// The time at which jobs are queried, seconds since 1970.
const NOW: i64 = 1_772_360_102;

fn lines(input: &[u8]) -> Vec<&[u8]> {
    input.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect()
}

/// Data of parts of summaries, one per line; the first byte sets how many facts are held
/// individually. Order and repetition do not matter, and what is written of them reads back the
/// same.
pub fn summary(input: &[u8]) {
    let [most, rest @ ..] = input else { return };
    let most = usize::from(*most) + 1;
    let parts: Vec<Part> = lines(rest).into_iter().map(Part::of_json).collect();
    let read = |parts: &[&Part]| {
        let mut summary = Summary::holding(most);
        for part in parts {
            // A refused part adds nothing.
            let _ = part.read(KEY, SENSOR, &mut summary);
        }
        summary
    };
    let once = read(&parts.iter().collect::<Vec<_>>());
    let twice = read(&parts.iter().rev().chain(&parts).collect::<Vec<_>>());
    assert_eq!(once, twice, "the order matters");
    assert_eq!(Numbers::from(&once), Numbers::from(&twice), "numbers depend on the order");
    let mut written = Summary::holding(most);
    for part in once.keys.values().flat_map(|section| section.parts()) {
        part.read(KEY, SENSOR, &mut written).expect("what was written is read");
    }
    if let (Some(before), Some(after)) = (once.keys.get(KEY), written.keys.get(KEY)) {
        assert_eq!(before, after, "what was written says something else");
    }
}

/// Messages of a hub, one per line: order and repetition do not matter, and none panics.
pub fn hub(input: &[u8]) {
    let messages = lines(input);
    let shown = |messages: &[&[u8]]| {
        let mut hub = TestHub::default();
        messages.iter().for_each(|message| hub.take(message));
        hub.shown()
    };
    shown(&messages);
    shown(&messages.iter().rev().chain(&messages).copied().collect::<Vec<_>>());
}

/// A bundle of rules as stored in a bucket, and after its signature was verified: every file made
/// from it is inside its folder.
pub fn bundle(input: &[u8]) {
    assert!(Bundle::open(input, &PublicKey::from([7; 32])).is_err(), "it was not signed");
    let Ok(bundle) = Bundle::read(input) else { return };
    for name in bundle.files.keys() {
        let mut parts = std::path::Path::new(name).components();
        let plain = matches!(parts.next(), Some(std::path::Component::Normal(_)));
        assert!(plain && parts.next().is_none(), "{name:?} leads elsewhere");
    }
}

/// Records of jobs and lines of their results, one per line.
pub fn jobs(input: &[u8]) {
    let lines = lines(input);
    let (text, _) = status_of(&lines, NOW);
    let shown = |c: char| c == '\n' || !c.is_control();
    assert!(text.chars().all(shown), "a control character reaches the terminal: {text:?}");
    for shape in [MergeShape::Json, MergeShape::Summaries] {
        let mut merged = Merged::default();
        lines.iter().for_each(|line| merged.line(line));
        // Errors are allowed.
        let mut sink = std::io::sink();
        let console = &mut Console::new(&mut sink, Some(60));
        let _ = merged.answer("results", (shape, None), console, &mut |_| {});
    }
}

/// A file of events, or a store: whatever it holds, each question has an answer or an error, and no control character
/// reaches the terminal.
pub fn review(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events");
    std::fs::write(&file, input).expect("room");
    let filter = Filter { patients: 1000, ..Filter::default() };
    let mut requests = Vec::new();
    for listing in
        [Listing::Exposures, Listing::Patients, Listing::Services, Listing::Assets, Listing::Runs]
    {
        for shape in [Shape::Table, Shape::Csv] {
            let (source, filter) = (file.clone(), filter.clone());
            requests.push(Request::Query(Query {
                source,
                listing,
                shape,
                limit: Some(100),
                by_run: shape == Shape::Csv,
                filter,
            }));
        }
    }
    let (before, after) = (file.clone(), file);
    requests.push(Request::Diff(Diff { before, after, shape: Shape::Table, filter }));
    for request in requests {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let now = Timestamp(NOW * 1_000_000_000);
        // Errors are allowed.
        let console = &mut Console::new(&mut out, Some(60));
        let _ = answer(&request, now, console, &mut |note| notes.push(note));
        // CSV has lines that end with CR LF (RFC 4180).
        let out = String::from_utf8(out).expect("characters").replace("\r\n", "\n");
        let shown = |c: char| c == '\n' || !c.is_control();
        let texts = notes.iter().chain([&out]);
        assert!(texts.into_iter().all(|text| text.chars().all(shown)), "{request:?}: {out:?}");
    }
}

/// A spool whose files hold anything: complete records are delivered once and in order, the rest is
/// given up, and added records are delivered last. Two bytes for the length of `position`, then it,
/// then segments in the same form with a byte for their number.
pub fn spool(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let [high, low, rest @ ..] = input else { return };
    let (position, mut rest) = split(rest, [*high, *low]);
    std::fs::write(folder.path().join("position"), position).expect("room");
    while let [number, high, low, tail @ ..] = rest {
        let (segment, after) = split(tail, [*high, *low]);
        let name = format!("{:020}.segment", u64::from(*number) % 7 * 3);
        std::fs::write(folder.path().join(name), segment).expect("room");
        rest = after;
    }
    let limits = Limits { bytes: 1 << 20, age: Some(Duration::from_secs(1 << 30)) };
    let mut log = Log::open(folder.path(), limits).expect("opens whatever is there");
    let last = Record::new("LAST", 3, u64::MAX, b"{}".to_vec());
    log.append(&last).expect("room");
    let mut handed_out = Vec::new();
    loop {
        let waiting = log.records();
        let records = log.read(3, 1 << 16).expect("read");
        if records.is_empty() {
            break;
        }
        handed_out.extend(records);
        log.delivered().expect("noted");
        assert!(log.records() < waiting, "nothing was delivered");
    }
    assert_eq!(handed_out.last(), Some(&last), "what was added is there");
    log.expire(u64::MAX).expect("removed");
    log.take_lost();
    assert_eq!((log.records(), log.oldest()), (0, None));
}

fn split(rest: &[u8], len: [u8; 2]) -> (&[u8], &[u8]) {
    rest.split_at(usize::from(u16::from_be_bytes(len)).min(rest.len()))
}
