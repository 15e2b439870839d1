//! Keeps the process from leaking what it reads: no core files, and no values in panic messages.

use std::io::Write as _;

/// Installs the guards; called first in `main`.
pub fn install() {
    // A core file would hold payload. If the system refuses, the limit is already lower.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    // A core file handler (core(5), "|program") ignores the limit; with no kinds of memory
    // selected, the core file is empty.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
    // A panic message may quote the data being read; its source location cannot.
    std::panic::set_hook(Box::new(|info| {
        let place =
            info.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let _ = writeln!(
            std::io::stderr(),
            "phitap: internal error{place}; what caused it was given up and counted, please report it"
        );
    }));
}

/// Lets this process be killed when its parent ends in any way. Returns whether `parent` is still
/// there. Only Linux supports this; elsewhere the process ends by itself, at the latest when it
/// writes.
pub fn end_with(parent: u32) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if set_parent_process_death_signal(Some(Signal::KILL)).is_ok() {
            // The parent may have ended before.
            let now = getppid().map(|now| now.as_raw_nonzero().get().unsigned_abs());
            return now == Some(parent);
        }
    }
    let _ = parent;
    true
}
