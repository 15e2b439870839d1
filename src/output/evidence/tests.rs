//! What files hold: everything that was handed over within the limits, and nothing without a file of its own.

use super::*;
use crate::capture::{Batch, Source as _, Status, Timeline};
use crate::exposure::samples::{Sample, at};
use crate::output::samples::{run, tracker};
use crate::time::Span;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

fn settings(folder: &Path) -> EvidenceSettings {
    EvidenceSettings {
        folder: folder.to_owned(),
        size: 1 << 20,
        time: Span::seconds(60),
        recipients: Vec::new(),
    }
}

fn start(settings: EvidenceSettings) -> (Evidence, EvidenceOutput) {
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    Evidence::start(settings, vec!["eth1".into()], metrics, |_| {}).expect("a folder")
}

/// The events of an exposure that opens and ends.
fn exposure() -> Vec<Event> {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(Sample::default().build(), &mut out);
    x.finish(at(1), &mut out);
    out.retain(|event| matches!(event, Event::Exposure(_)));
    out
}

fn packet(second: i64, number: u64, len: usize) -> Recorded {
    let of = Packet {
        time: at(second),
        offset: 0,
        caplen: len as u32,
        len: 1500,
        block: 0,
        number,
        interface: 0,
        link: LinkType(1),
    };
    Recorded::new(&of, &vec![number as u8; len])
}

/// Waits for the writer to have come as far; it takes orders one by one.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// Times, lengths and first bytes of the packets of a file.
fn read(path: &Path) -> Vec<(Timestamp, u32, u8)> {
    let mut timeline = Timeline::open(&[path.to_owned()]);
    while !timeline.settle() {}
    let (mut batch, mut all) = (Batch::default(), Vec::new());
    while timeline.fill(&mut batch) == Status::More {
        all.extend(batch.packets.iter().map(|p| (p.time, p.len, batch.bytes(p)[0])));
        batch.clear();
    }
    assert!(timeline.take_faults().is_empty(), "{}", path.display());
    all
}

#[test]
fn an_exposure_has_a_file_of_its_packets_for_its_owner_only() {
    let folder = tempfile::tempdir().expect("folder");
    for n in 0..2 {
        let (evidence, mut output) = start(settings(folder.path()));
        let events = exposure();
        output.event(&events[0]).expect("memory");
        let (ends, number) = evidence.wanted()[0];
        assert_eq!(ends.server.to_string(), "10.1.2.3:11112");
        evidence.record(number, packet(1, 1, 60));
        evidence.record(number, packet(2, 2, 70));
        output.event(events.last().expect("an end")).expect("memory");
        assert!(evidence.wanted().is_empty());
        output.finish(&run()).expect("written");
        assert_eq!(evidence.counts(), EvidenceCounts { written: 2, dropped: 0 });
        let Event::Exposure(exposure) = &events[0] else { panic!("no exposure") };
        let name = match n {
            0 => format!("{}.pcapng", exposure.id),
            // The file of an earlier run stays.
            n => format!("{}.{n}.pcapng", exposure.id),
        };
        let path = folder.path().join(name);
        assert_eq!(read(&path), [(at(1), 1500, 1), (at(2), 1500, 2)]);
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn a_file_ends_at_its_size_and_at_its_time() {
    for (size, time, written) in [(150, 60, 2), (1 << 20, 5, 6)] {
        let folder = tempfile::tempdir().expect("folder");
        let limits =
            EvidenceSettings { size, time: Span::seconds(time), ..settings(folder.path()) };
        let (evidence, mut output) = start(limits);
        let events = exposure();
        output.event(&events[0]).expect("memory");
        let number = evidence.wanted()[0].1;
        for n in 0..10 {
            evidence.record(number, packet(n, n as u64, 60));
        }
        output.finish(&run()).expect("written");
        assert_eq!(read(&files(folder.path())[0]).len(), written);
        assert!(evidence.wanted().is_empty(), "nothing more is asked for");
        assert_eq!(evidence.counts().written, written as u64);
    }
}

#[test]
fn an_exposure_without_packets_leaves_no_file_and_one_folder_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let (_, mut output) = start(settings(folder.path()));
    exposure().iter().for_each(|event| output.event(event).expect("memory"));
    output.finish(&run()).expect("nothing to write");
    assert!(files(folder.path()).is_empty());
    let gone = settings(&folder.path().join("gone"));
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    assert!(Evidence::start(gone, Vec::new(), metrics, |_| {}).is_err());
}

#[test]
fn a_disk_that_fails_is_reported_once_and_used_again_when_it_works() {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let parent = tempfile::tempdir().expect("folder");
    let (folder, away) = (parent.path().join("evidence"), parent.path().join("away"));
    std::fs::create_dir(&folder).expect("folder");
    let (evidence, _orders) = Evidence::unwritten(1);
    let complain = |text: &str| SAID.lock().expect("said").push(text.to_owned());
    let mut writer =
        Writer::new(settings(&folder), vec!["eth1".into()], evidence.shared(), complain);
    let Event::Exposure(exposure) = &exposure()[0] else { panic!("no exposure") };
    writer.begin(1, exposure.id);
    writer.packet(1, &packet(1, 1, 60));
    assert_eq!(evidence.counts(), EvidenceCounts::default(), "it is not on the disk yet");
    writer.flush();
    assert_eq!(evidence.counts(), EvidenceCounts { written: 1, dropped: 0 });
    std::fs::rename(&folder, &away).expect("away");
    for number in 2..5 {
        writer.begin(number, exposure.id);
        writer.packet(number, &packet(2, number, 60));
    }
    assert_eq!(evidence.counts(), EvidenceCounts { written: 1, dropped: 3 });
    std::fs::rename(&away, &folder).expect("back");
    // Nothing is tried for a while.
    writer.packet(2, &packet(3, 5, 60));
    assert_eq!(evidence.counts().dropped, 4);
    writer.pause = Duration::ZERO;
    writer.packet(2, &packet(4, 6, 60));
    writer.flush();
    assert_eq!(evidence.counts(), EvidenceCounts { written: 2, dropped: 4 });
    let kept: Vec<_> = files(&folder).iter().map(|path| read(path)).collect();
    assert_eq!(kept, [vec![(at(4), 1500, 6)], vec![(at(1), 1500, 1)]]);
    let said = SAID.lock().expect("said");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("not kept until it works again"), "{said:?}");
    assert!(said[1].contains("kept again"), "{said:?}");
}

#[test]
fn what_the_writer_has_no_time_for_is_counted_and_holds_up_nobody() {
    let (evidence, _inbox) = Evidence::unwritten(3);
    (0..5).for_each(|n| evidence.record(1, packet(n, n as u64, 60)));
    assert_eq!(evidence.counts(), EvidenceCounts { written: 0, dropped: 2 });
}

#[cfg(feature = "age")]
#[test]
fn only_a_recipient_can_open_what_is_encrypted() {
    let folder = tempfile::tempdir().expect("folder");
    let (key, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let recipients = vec![key.to_public().to_string()];
    let (evidence, mut output) = start(EvidenceSettings { recipients, ..settings(folder.path()) });
    output.event(&exposure()[0]).expect("memory");
    evidence.record(evidence.wanted()[0].1, packet(1, 7, 60));
    output.finish(&run()).expect("written");
    let path = &files(folder.path())[0];
    assert!(path.to_string_lossy().ends_with(".pcapng.age"));
    let sealed = std::fs::read(path).expect("a file");
    assert!(
        sealed.starts_with(b"age-encryption.org/v1") && !sealed.windows(60).any(|w| w == [7; 60])
    );
    assert!(age::decrypt(&other, &sealed).is_err());
    let plain = folder.path().join("plain.pcapng");
    std::fs::write(&plain, age::decrypt(&key, &sealed).expect("the key")).expect("a file");
    assert_eq!(read(&plain), [(at(1), 1500, 7)]);
    assert!(check_recipients(&["age1nobody".to_owned()]).is_err());
}
