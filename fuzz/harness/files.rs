//! Files that a user hands over: captures and rules.

use phitap::capture::{Batch, Source as _, Status, Timeline};
use phitap::rules::RuleSet;
use std::io::{Seek as _, SeekFrom, Write as _};

/// More packets than any fuzzing input holds, even compressed.
const MAX_PACKETS: u64 = 1 << 22;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room");
    file.seek(SeekFrom::Start(0)).expect("a file");
    file
}

/// A capture file of any format, compressed or not, is read to its end with every packet inside its
/// block.
pub fn capture(input: &[u8]) {
    let file = file(input);
    let mut timeline = Timeline::open(&[file.path()]);
    let (mut batch, mut packets) = (Batch::default(), 0u64);
    loop {
        batch.clear();
        let status = timeline.fill(&mut batch);
        for packet in &batch.packets {
            assert_eq!(batch.bytes(packet).len(), packet.caplen as usize, "outside its block");
            packets += 1;
        }
        assert!(packets < MAX_PACKETS, "no end");
        if status != Status::More {
            break;
        }
    }
    timeline.take_faults();
}

/// A rule file beside the shipped ones is loaded, or refused with line and reason.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Err(error) = RuleSet::alone("fuzz.toml", text) {
        assert!(!error.to_string().is_empty());
    }
}
