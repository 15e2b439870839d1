//! The fuzzer: one program for every target, which `PHITAP_FUZZ_TARGET` names. With `PHITAP_FUZZ_SEEDS` it only writes
//! the seeds of all targets below that folder, from the checkout in which it runs.
#![no_main]

#[path = "../harness/mod.rs"]
#[allow(dead_code)]
mod harness;

use harness::Target;
use harness::mutate::{Random, mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::path::Path;
use std::sync::LazyLock;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("PHITAP_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| {
        let all: Vec<String> = Target::all().into_iter().map(Target::name).collect();
        panic!("PHITAP_FUZZ_TARGET is {name:?}, and must be one of: {}", all.join(" "));
    })
});

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("PHITAP_FUZZ_SEEDS") {
            harness::seeds::write(Path::new("."), Path::new(&folder)).expect("room for the seeds");
            std::process::exit(0);
        }
    },
    |data: &[u8]| TARGET.run(data)
);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(u64::from(seed));
    // One time in three use libFuzzer's own mutations, which know which comparisons failed.
    if random.below(3) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = mutate(*TARGET, &data[..size], &mut random);
    let len = changed.len().min(max_size);
    data[..len].copy_from_slice(&changed[..len]);
    len
});
