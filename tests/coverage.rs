//! What could not be judged is reported in text, in JSON and by the exit status: "nothing read" is
//! never "nothing found".

mod common;

use common::Bounded as _;
use common::{ROOT, Run, is, phitap};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// A capture with only the header and the first `n` packets of a fixture.
fn head_of(capture: &Path, n: usize) -> Vec<u8> {
    let bytes = std::fs::read(capture).expect("fixture");
    let mut at = 24;
    for _ in 0..n {
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("a length"));
        at += 16 + len as usize;
    }
    bytes[..at].to_vec()
}

/// The run summary of a run that prints ECS.
fn coverage(run: &Run) -> Value {
    let events = common::events(&run.out);
    events.last().expect("summary")["phi"]["run"]["coverage"].clone()
}

#[test]
fn nothing_read_and_nothing_matched_are_no_all_clear() {
    let folder = tempfile::tempdir().expect("folder");
    let adt = Path::new(ROOT).join("fixtures/captures/hl7-adt-a01.pcap");
    let empty = folder.path().join("empty.pcap");
    std::fs::write(&empty, head_of(&adt, 0)).expect("written");
    let (adt, empty) = (adt.display().to_string(), empty.display().to_string());
    for (arguments, verdict, title) in [
        (vec![empty.as_str()], "nothing_read", "NOTHING WAS READ."),
        (vec![&adt, "--filter", "port 9"], "nothing_matched", "NOTHING WAS LOOKED AT."),
    ] {
        let run = phitap(["replay"].into_iter().chain(arguments.iter().copied()));
        assert_eq!(run.status, Some(3), "{}", run.err);
        assert!(run.out.contains(title), "{}", run.out);
        for lie in ["No patient data", "Everything was read"] {
            assert!(!run.out.contains(lie), "{}", run.out);
        }
        let json = ["replay", "--format=ecs"].into_iter().chain(arguments.iter().copied());
        let run = phitap(json);
        assert_eq!((run.status, &coverage(&run)["verdict"]), (Some(3), &verdict.into()));
    }
}

/// A mirror port that carries no traffic of clients and servers shows ARP and ICMP only.
#[test]
fn a_capture_without_a_conversation_is_no_all_clear() {
    let folder = tempfile::tempdir().expect("folder");
    let capture = folder.path().join("arp.pcap");
    let mut file = common::packets::pcap_header(1);
    let mut arp = vec![0xff; 6];
    arp.extend([0x02, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0x02, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    for second in 0..3 {
        common::packets::push_record(&mut file, second, 0, &arp);
    }
    std::fs::write(&capture, file).expect("written");
    let path = capture.display().to_string();
    let run = phitap(["replay", &path]);
    assert_eq!(run.status, Some(3), "{}", run.out);
    assert!(run.out.contains("No conversation seen in cleartext."), "{}", run.out);
    assert!(run.out.contains("in 3 packets: check that the mirror port"), "{}", run.out);
    assert!(!run.out.contains("No patient data"), "{}", run.out);
    let run = phitap(["replay", "--format=ecs", &path]);
    let coverage = coverage(&run);
    assert_eq!((run.status, &coverage["verdict"]), (Some(3), &"no_conversation".into()));
    assert_eq!(coverage["unjudged"][0]["cause"], "no_conversation");
    assert!(!run.out.contains("No patient data"), "{}", run.out);
}

#[test]
fn a_filter_that_leaves_nothing_to_judge_is_no_all_clear() {
    let hospital = common::hospital().display().to_string();
    let arguments = ["--filter", "arp or icmp", &hospital];
    let run = phitap(["replay"].iter().chain(&arguments));
    assert_eq!(run.status, Some(3), "{}", run.out);
    assert!(run.out.contains("NOTHING WAS LOOKED AT."), "{}", run.out);
    assert!(run.out.contains("--filter left nothing over TCP or UDP of"), "{}", run.out);
    let run = phitap(["replay", "--format=ecs"].iter().chain(&arguments));
    assert_eq!((run.status, &coverage(&run)["verdict"]), (Some(3), &"nothing_matched".into()));
    assert!(!run.out.contains("No patient data"), "{}", run.out);
}

#[test]
fn a_capture_cut_by_its_snap_length_says_so_and_how_much_is_missing() {
    let folder = tempfile::tempdir().expect("folder");
    let adt = std::fs::read(Path::new(ROOT).join("fixtures/captures/hl7-adt-a01.pcap"));
    let (bytes, mut cut, mut at, mut missing) = (adt.expect("fixture"), Vec::new(), 24, 0);
    cut.extend_from_slice(&bytes[..24]);
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("a length"));
        let kept = len.min(96);
        missing += u64::from(len - kept);
        cut.extend_from_slice(&bytes[at..at + 8]);
        cut.extend(kept.to_le_bytes());
        cut.extend_from_slice(&bytes[at + 12..at + 16 + kept as usize]);
        at += 16 + len as usize;
    }
    let file = folder.path().join("cut.pcap");
    std::fs::write(&file, cut).expect("written");
    let path = file.display().to_string();
    let run = phitap(["replay", &path]);
    assert_eq!(run.status, Some(3), "{}", run.err);
    assert!(run.out.contains("No patient data seen in what could be judged."), "{}", run.out);
    assert!(run.out.contains("cut at 96 bytes: capture with -s 0"), "{}", run.out);
    let coverage = coverage(&phitap(["replay", "--format=ecs", &path]));
    // The remaining bytes belong to no known protocol.
    assert_eq!(coverage["unjudged_bytes"], coverage["payload_bytes"], "{coverage}");
    assert_eq!(coverage["unjudged"][0]["cause"], "snaplen");
    assert_eq!(coverage["unjudged"][0]["bytes"], missing);
}

#[test]
fn an_interrupted_replay_says_so_and_ends_with_status_3() {
    let folder = tempfile::tempdir().expect("folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let adt = Path::new(ROOT).join("fixtures/captures/hl7-adt-a01.pcap");
    let start = head_of(&adt, 3);
    for (format, said) in [("summary", "INTERRUPTED after "), ("ecs", "\"interrupted\":true")] {
        let mut run = Command::new(common::PHITAP)
            .args(["replay", "-q", "--format", format])
            .arg(&pipe)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .start();
        // The writer stays open, so that the run does not end with the pipe.
        let mut writer = std::fs::File::options().write(true).open(&pipe).expect("a reader");
        writer.write_all(&start).expect("room");
        // It has read everything, and waits for more.
        common::wait_for("the pipe is read", || {
            (rustix::io::ioctl_fionread(&writer).expect("a pipe") == 0).then_some(())
        });
        let id = run.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        let mut out = String::new();
        run.stdout.take().expect("piped").read_to_string(&mut out).expect("UTF-8");
        assert_eq!(run.wait().expect("ends").code(), Some(3), "{out}");
        assert!(out.contains(said), "{out}");
        assert!(!out.contains("No patient data seen in cleartext"), "{out}");
    }
}

#[test]
fn a_capture_of_foreign_link_types_ends_like_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("folder");
    let block = |kind: u32, body: &[u8]| {
        let size = (body.len() + 12) as u32;
        [&kind.to_le_bytes(), &size.to_le_bytes(), body, &size.to_le_bytes()].concat()
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    // Link type 187: Bluetooth
    let interface = [187, 0, 0, 0, 0, 0, 0, 0];
    let packet = [&[0; 12][..], &[4, 0, 0, 0, 4, 0, 0, 0], b"abcd"].concat();
    let file = [block(0x0a0d_0d0a, &section), block(1, &interface), block(6, &packet)].concat();
    let path = folder.path().join("bluetooth.pcapng");
    std::fs::write(&path, file).expect("written");
    let run = phitap(["replay".as_ref(), path.as_os_str()]);
    assert_eq!(run.status, Some(1), "{}", run.out);
    assert!(run.err.contains("1 packet of link type 187 (Bluetooth HCI)"), "{}", run.err);
    assert!(run.out.contains("NOTHING COULD BE READ of 1 packet."), "{}", run.out);
}

/// Live captures match tagged packets, because Linux removes the tag before filtering.
#[test]
fn a_filter_looks_behind_a_vlan_tag_as_it_does_live() {
    let links = Path::new(ROOT).join("fixtures/links");
    let found = |name: &str, filter: &str| {
        let path = links.join(format!("{name}.pcap"));
        let run = phitap([
            "replay".as_ref(),
            "--format=ecs".as_ref(),
            "--filter".as_ref(),
            filter.as_ref(),
            path.as_os_str(),
        ]);
        let coverage = coverage(&run);
        let patients = common::events(&run.out).iter().any(|e| is(e, "phi-finding"));
        (patients, run.status, coverage["unjudged"][0]["text"].as_str().unwrap_or("").to_owned())
    };
    assert!(found("vlan", "tcp port 2575").0);
    assert!(found("vlan", "vlan and tcp port 2575").0);
    let (patients, status, text) = found("qinq", "tcp port 2575");
    assert_eq!((patients, status), (false, Some(3)));
    assert!(text.contains("bear VLAN tags"), "{text}");
    assert!(found("qinq", "vlan and vlan and tcp port 2575").0);
}
