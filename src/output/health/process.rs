//! Memory and processor time of this process, by the names that Prometheus clients share.

use prometheus::{Counter, Gauge, Registry};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

/// Bytes read of a file of `/proc`: each holds one line of numbers.
const MAX_LINE: usize = 1 << 10;

/// Reads `/proc/self` (proc(5)). The files stay open, so that it still works in a sandbox that forbids opening files.
pub struct ProcessStats {
    files: Option<(File, File)>,
    resident: Gauge,
    virtual_size: Gauge,
    processor: Counter,
    threads: Gauge,
    /// Processor time counted so far, seconds.
    counted: Mutex<f64>,
}

impl ProcessStats {
    /// Registers its metrics. `started` is Unix time in seconds.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn new(r: &Registry, started: f64) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = Gauge::new(name, help)?;
            r.register(Box::new(gauge.clone()))?;
            Ok::<Gauge, prometheus::Error>(gauge)
        };
        let processor = Counter::new(
            "process_cpu_seconds_total",
            "Processor time of all threads, user and system, seconds.",
        )?;
        r.register(Box::new(processor.clone()))?;
        gauge("process_start_time_seconds", "When the process started, Unix time.")?.set(started);
        let open = || {
            Ok::<_, io::Error>((File::open("/proc/self/stat")?, File::open("/proc/self/statm")?))
        };
        let stats = Self {
            files: open().ok(),
            resident: gauge("process_resident_memory_bytes", "Resident memory, bytes.")?,
            virtual_size: gauge("process_virtual_memory_bytes", "Virtual memory, bytes.")?,
            threads: gauge("process_threads", "Threads of the process.")?,
            processor,
            counted: Mutex::new(0.0),
        };
        stats.refresh();
        Ok(stats)
    }

    /// Resident memory when it was last read, bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.resident.get() as u64
    }

    /// Reads them again.
    pub fn refresh(&self) {
        let Some((stat, statm)) = &self.files else { return };
        let page = rustix::param::page_size() as u64;
        if let Some([size, resident]) = numbers(statm, false) {
            self.virtual_size.set((size * page) as f64);
            self.resident.set((resident * page) as f64);
        }
        // Fields 14, 15 and 20 of proc_pid_stat(5), counted from field 4.
        let Some(fields) = numbers::<17>(stat, true) else { return };
        let ticks = fields[10] + fields[11];
        let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        self.threads.set(fields[16] as f64);
        if let Ok(mut counted) = self.counted.lock() {
            self.processor.inc_by((seconds - *counted).max(0.0));
            *counted = counted.max(seconds);
        }
    }
}

/// The first `N` numbers of a file, or those from field 4 on, behind a name in parentheses that may hold
/// spaces, and the state. What is no number is 0.
fn numbers<const N: usize>(file: &File, behind_name: bool) -> Option<[u64; N]> {
    let mut bytes = [0; MAX_LINE];
    let len = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
    let text = if behind_name { text.rsplit_once(')')?.1 } else { text };
    let mut fields = text.split_ascii_whitespace().skip(usize::from(behind_name));
    let mut found = [0; N];
    for place in &mut found {
        *place = fields.next()?.parse().unwrap_or(0);
    }
    Some(found)
}
