//! Keeps the process from leaking what it reads: no core files, no values in panic messages.

use std::io::Write as _;

/// Installs the guards, first thing in `main`.
pub fn install() {
    // A core file would hold payload. If the system refuses, its limit is lower already.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    // A handler of core files (core(5), "|program") gets one whatever the limit; without any of the
    // kinds of memory it holds nothing.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
    // The message of a panic may quote what was being read; its place in the source cannot.
    std::panic::set_hook(Box::new(|info| {
        let place =
            info.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let _ = writeln!(
            std::io::stderr(),
            "phitap: internal error{place}; what caused it was given up and counted, please report it"
        );
    }));
}

/// Sees to it that this process is killed when the one that started it ends, however that ends. Whether `parent` is
/// still there. Only Linux knows such a thing; elsewhere the process ends by itself, at the latest when it writes.
pub fn end_with(parent: u32) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if set_parent_process_death_signal(Some(Signal::KILL)).is_ok() {
            // It may have ended before.
            let now = getppid().map(|now| now.as_raw_nonzero().get().unsigned_abs());
            return now == Some(parent);
        }
    }
    let _ = parent;
    true
}
