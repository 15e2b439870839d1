//! The fuzz targets without a fuzzer: over captures, damaged captures, and inputs that once found a defect.
//! `fuzz/README.md` says how to let a fuzzer look for more.

mod common;

#[path = "../fuzz/src/lib.rs"]
mod targets;

use common::ROOT;
use std::path::Path;
use targets::TARGETS;

/// Longest input, bytes.
const LONGEST: usize = 6000;

/// Numbers that look random and are the same on every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// The beginnings of some captures.
fn captures() -> Vec<Vec<u8>> {
    let folder = Path::new(ROOT).join("fixtures/captures");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("captures").map(|e| e.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "pcap"));
    files.sort();
    let read = |path| std::fs::read(path).expect("capture");
    let mut captures: Vec<Vec<u8>> = files.into_iter().step_by(9).map(read).collect();
    captures.iter_mut().for_each(|bytes| bytes.truncate(LONGEST));
    assert!(captures.len() > 10, "{}", captures.len());
    captures
}

#[test]
fn every_target_survives_captures_and_damage() {
    let captures = captures();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for (_, target) in TARGETS {
        for capture in &captures {
            // The heads of packets are no payload: most targets meet them as records of odd lengths.
            for declared in [numbers.below(256) as u8, 255] {
                let mut input = capture[numbers.below(capture.len())..].to_vec();
                input.splice(..0, [declared, numbers.below(256) as u8, 0, 4]);
                for _ in 0..numbers.below(8) {
                    let at = numbers.below(input.len());
                    input[at] = numbers.below(256) as u8;
                }
                target(&input);
            }
        }
        target(b"");
    }
}

#[test]
fn inputs_that_once_found_a_defect_find_none_now() {
    let folder = Path::new(ROOT).join("fuzz/regressions");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).expect("regressions").map(|e| e.expect("entry").path()) {
        let name = entry.file_name().and_then(|n| n.to_str()).expect("name of a target");
        let (_, target) = TARGETS.iter().find(|(n, _)| *n == name).expect(name);
        for input in std::fs::read_dir(&entry).expect("folder").map(|e| e.expect("entry").path()) {
            target(&std::fs::read(input).expect("input"));
            inputs += 1;
        }
    }
    assert!(inputs > 0, "no input");
}

/// Each program of the fuzzer calls one target of its name, and does nothing else.
#[test]
fn programs_only_call_their_target() {
    let folder = Path::new(ROOT).join("fuzz/fuzz_targets");
    let manifest =
        std::fs::read_to_string(Path::new(ROOT).join("fuzz/Cargo.toml")).expect("manifest");
    let mut programs = 0;
    for path in std::fs::read_dir(folder).expect("targets").map(|e| e.expect("entry").path()) {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("name");
        assert!(TARGETS.iter().any(|(n, _)| *n == name), "{name} is no target");
        assert!(
            manifest.contains(&format!("name = \"{name}\"\n")),
            "{name} is not in fuzz/Cargo.toml"
        );
        let text = std::fs::read_to_string(&path).expect("program");
        let body = text.lines().filter(|l| !l.is_empty()).collect::<Vec<_>>();
        assert!(body.len() == 2 && body[1].contains("phitap_fuzz::"), "{name}: {text}");
        programs += 1;
    }
    assert_eq!(programs, TARGETS.len());
}
