//! The short form of fuzzing, on the stable toolchain. For each target it runs all seeds, all
//! inputs of earlier defects (`fuzz/regressions/`) and some mutations. `PHITAP_FUZZ_ROUNDS` sets how many,
//! and which: another number gives others. `PHITAP_FUZZ_TARGET` names the only target.

#[path = "../fuzz/harness/mod.rs"]
#[allow(dead_code)]
mod harness;

use harness::Target;
use harness::mutate::{Random, mutate};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Mutated inputs per target.
const ROUNDS: usize = 60;
/// Seeds per target that are run unchanged; the smallest ones.
const SEEDS: usize = 40;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn seeds() -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut seeds: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (target, input) in harness::seeds::all(root()) {
        seeds.entry(target).or_default().push(input);
    }
    seeds.values_mut().for_each(|inputs| inputs.sort_by_key(Vec::len));
    seeds
}

/// Runs an input. If it fails, it is saved.
fn run(target: Target, input: &[u8]) -> Option<PathBuf> {
    catch_unwind(AssertUnwindSafe(|| target.run(input))).err()?;
    let name = format!("{}-{}", target.name(), harness::seeds::name_of(input));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, input).expect("room for the input");
    Some(file)
}

#[test]
fn seeds_and_their_mutations_break_no_invariant() {
    let rounds =
        std::env::var("PHITAP_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let seeds = seeds();
    let mut failed = Vec::new();
    let only = std::env::var("PHITAP_FUZZ_TARGET").ok();
    let all = Target::all().into_iter();
    let targets: Vec<Target> =
        all.filter(|target| only.as_ref().is_none_or(|only| target.name() == *only)).collect();
    assert!(!targets.is_empty(), "no target {only:?}");
    for target in targets {
        let none = Vec::new();
        let seeds = seeds.get(&target.name()).unwrap_or(&none);
        failed.extend(seeds.iter().take(SEEDS).filter_map(|seed| run(target, seed)));
        let mut random = Random::new(rounds as u64);
        for _ in 0..rounds {
            let seed = seeds.get(random.below(seeds.len())).map_or(&[][..], Vec::as_slice);
            failed.extend(run(target, &mutate(target, seed, &mut random)));
        }
    }
    assert!(failed.is_empty(), "{} inputs broke an invariant: {failed:?}", failed.len());
}

#[test]
fn what_once_broke_an_invariant_does_so_no_more() {
    for target in Target::all() {
        let folder = root().join("fuzz/regressions").join(target.name());
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let input = std::fs::read(&path).expect("an input");
            assert!(run(target, &input).is_none(), "{} fails again", path.display());
        }
    }
}

#[test]
fn every_target_has_seeds() {
    let seeds = seeds();
    let names = Target::all().into_iter().map(Target::name);
    let without: Vec<String> = names.filter(|name| !seeds.contains_key(name)).collect();
    assert!(without.is_empty(), "no seeds for {without:?}");
}

/// Runs one input, to find what it breaks: `PHITAP_FUZZ_INPUT=TARGET:FILE`.
#[test]
#[ignore = "needs PHITAP_FUZZ_INPUT"]
fn one_input_of_one_target() {
    let input = std::env::var("PHITAP_FUZZ_INPUT").expect("PHITAP_FUZZ_INPUT");
    let (target, file) = input.split_once(':').expect("TARGET:FILE");
    let target = Target::named(target).expect("a target");
    target.run(&std::fs::read(file).expect("an input"));
}
