//! Checks of the host: interfaces, privileges, memory, clock.

use super::Diagnosis;
use crate::capture::{Filter, Live, LiveOptions, clock as host_clock, offloads, receive_ring};
#[cfg(target_os = "linux")]
use crate::capture::{OpenError, Rings};
#[cfg(target_os = "linux")]
use crate::config::Backend;
use crate::config::{Config, Source};
use crate::sandbox::LandlockSupport;
use std::collections::BTreeMap;
use std::path::Path;

/// Clock error from which events of several sensors are hard to compare, microseconds.
const MAX_CLOCK_ERROR: i64 = 100_000;
/// `CAP_NET_RAW` of capabilities(7).
const CAP_NET_RAW: u64 = 1 << 13;
/// Most interfaces listed if none was chosen.
const MAX_LISTED: usize = 32;
/// Most processes examined for a running sensor.
const MAX_PROCESSES: usize = 65_536;

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// An attribute of an interface in `/sys/class/net`.
fn sys(interface: &str, of: &str) -> Option<String> {
    if interface.contains('/') || interface.starts_with('.') {
        return None;
    }
    read(format!("/sys/class/net/{interface}/{of}"))
}

/// The chosen interfaces, or those of the host.
pub(super) fn interfaces(config: &Config, all: &mut Vec<Diagnosis>) {
    let Source::Interfaces(names) = &config.source else { return };
    if names.is_empty() {
        let there: Vec<String> = std::fs::read_dir("/sys/class/net")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .take(MAX_LISTED)
            .collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        all.push(Diagnosis::fault(
            "interface",
            "none was chosen",
            format!("add -i IFACE, or interface = [\"IFACE\"]; there are: {there}"),
        ));
    }
    if let Some(Err(error)) = config.filter.as_deref().map(Filter::new) {
        let text = error.to_string();
        let (found, remedy) = text.rsplit_once("; ").unwrap_or((&text, "see pcap-filter(7)"));
        // With this filter, no interface can be opened.
        return all.push(Diagnosis::fault("filter", found, remedy));
    }
    for name in names {
        let options = LiveOptions {
            pace: crate::time::Pace::REAL,
            interfaces: vec![name.to_owned()],
            filter: config.filter.clone(),
            ring: config.capture.ring,
            snaplen: config.capture.snaplen,
            hardware_time: false,
        };
        let opened = interface(name, &options);
        #[cfg(target_os = "linux")]
        let rings = (!opened.is_fault()).then(|| rings(&options, config)).flatten();
        all.push(opened.of(name));
        #[cfg(target_os = "linux")]
        all.extend(rings.map(|d| d.of(name)));
        if sys(name, "ifindex").is_some() {
            all.push(offload(name).of(name));
            all.extend(ring(name).map(|d| d.of(name)));
        }
    }
}

/// Whether the kernel grants the rings of a sensor.
#[cfg(target_os = "linux")]
fn rings(options: &LiveOptions, config: &Config) -> Option<Diagnosis> {
    const CHECK: &str = "kernel-ring";
    if config.capture.backend != Backend::Ring {
        return None;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = config.workers.map_or(cores, std::num::NonZero::get);
    Some(match Rings::open(options, workers, false) {
        Ok((mut rings, _)) => match rings.take_notices().into_iter().next() {
            Some(smaller) => {
                Diagnosis::advice(CHECK, smaller, "lower --ring-size, or give the host more memory")
            }
            None => {
                let mib = config.capture.ring >> 20;
                Diagnosis::good(CHECK, format!("{mib} MiB for {workers} workers"))
            }
        },
        Err(OpenError::NoRing(why)) => Diagnosis::advice(
            CHECK,
            why,
            "nothing, where the rate is low: it is read through libpcap, in one thread",
        ),
        Err(OpenError::Fault(fault)) => {
            Diagnosis::fault(CHECK, fault.to_string(), "check it with `ip link`")
        }
    })
}

/// Opens an interface like a sensor.
fn interface(name: &str, options: &LiveOptions) -> Diagnosis {
    const CHECK: &str = "interface";
    if let Err(fault) = Live::open(options) {
        let text = fault.to_string();
        let (found, remedy) = text.split_once("; ").unwrap_or((&text, "check it with `ip link`"));
        return Diagnosis::fault(CHECK, found, remedy);
    }
    // `any` is all interfaces, and none.
    let Some(state) = sys(name, "operstate") else {
        return Diagnosis::good(CHECK, "can be captured");
    };
    let speed = sys(name, "speed").filter(|s| s.parse::<i64>().is_ok_and(|n| n > 0));
    let speed = speed.map_or(String::new(), |s| format!(", {s} Mbit/s"));
    let packets = sys(name, "statistics/rx_packets").unwrap_or_else(|| "0".into());
    let found = format!("can be captured; {state}{speed}, {packets} packets received");
    match state.as_str() {
        "down" | "lowerlayerdown" | "notpresent" | "dormant" => Diagnosis::fault(
            CHECK,
            "has no link",
            format!("check the cable and the mirror port; ip link set {name} up"),
        ),
        _ if packets == "0" => Diagnosis::advice(
            CHECK,
            found,
            "no packets yet: check that the switch mirrors traffic to this port",
        ),
        _ => Diagnosis::good(CHECK, found),
    }
}

/// Offloads that merge packets, which makes them longer than on the wire.
fn offload(name: &str) -> Diagnosis {
    const CHECK: &str = "offloads";
    let offloads = match offloads(name) {
        Ok(offloads) => offloads,
        Err(_) => return Diagnosis::good(CHECK, "the driver does not say"),
    };
    let on = [("gro", offloads.generic_receive), ("lro", offloads.large_receive)];
    let on: Vec<&str> = on.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    if on.is_empty() {
        return Diagnosis::good(CHECK, "packets arrive as they were on the wire");
    }
    let off: Vec<String> = on.iter().map(|name| format!("{name} off")).collect();
    Diagnosis::advice(
        CHECK,
        format!("{} merge packets: their lengths and times differ from the wire", on.join(" and ")),
        format!("ethtool -K {name} {}", off.join(" ")),
    )
}

/// The receive ring of the adapter, if it has one.
fn ring(name: &str) -> Option<Diagnosis> {
    let ring = receive_ring(name).ok().filter(|ring| ring.most > 0)?;
    let found = format!("the card holds {} packets, {} at most", ring.size, ring.most);
    Some(match ring.size < ring.most {
        true => Diagnosis::advice("ring", found, format!("ethtool -G {name} rx {}", ring.most)),
        false => Diagnosis::good("ring", found),
    })
}

/// Fields of `/proc/PID/status`.
fn status(process: &str) -> BTreeMap<String, String> {
    let text = read(format!("/proc/{process}/status")).unwrap_or_default();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(field).collect()
}

/// Privileges of this process, and the sandbox of a running sensor.
pub(super) fn process(all: &mut Vec<Diagnosis>) {
    let capabilities = |of: &BTreeMap<String, String>| {
        of.get("CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0)
    };
    let root = rustix::process::geteuid().is_root();
    let own = rustix::thread::capabilities(None).map_or(0, |own| own.effective.bits());
    let raw = own & CAP_NET_RAW != 0;
    all.push(match (root, raw) {
        (true, true) => Diagnosis::advice(
            "rights",
            "runs as root",
            "run it as a dedicated user with CAP_NET_RAW, like the package's unit",
        ),
        (false, true) => Diagnosis::good("rights", "CAP_NET_RAW, and not root"),
        (_, false) => Diagnosis::fault(
            "rights",
            "no right to capture",
            "sudo setcap cap_net_raw=ep on the program, or start it by its unit",
        ),
    });
    let landlock = LandlockSupport::of_kernel();
    all.push(match (landlock.files, landlock.ports) {
        (true, true) => Diagnosis::good(
            "landlock",
            "the kernel can restrict a sensor's files and the ports that it connects to",
        ),
        (true, false) => Diagnosis::advice(
            "landlock",
            "the kernel can restrict a sensor's files, but not the ports that it connects to",
            "use a kernel from 6.7 on",
        ),
        (false, _) => Diagnosis::advice(
            "landlock",
            "the kernel does not offer it",
            "use a kernel from 5.13 on with lsm=landlock,...; the unit's ProtectSystem= helps without",
        ),
    });
    let actions = read("/proc/sys/kernel/seccomp/actions_avail");
    let can_restrict = |text: &String| text.split_whitespace().any(|action| action == "errno");
    all.push(match actions.as_ref().map(can_restrict) {
        Some(true) => Diagnosis::good("seccomp", "the kernel can restrict a sensor's system calls"),
        // A kernel without the file has no filters either, if the others are there.
        None if read("/proc/sys/kernel/ostype").is_none() => Diagnosis::advice(
            "seccomp",
            "unknown: /proc cannot be read",
            "mount /proc here, or look at the first lines of phitap live",
        ),
        _ => Diagnosis::advice(
            "seccomp",
            "the kernel does not offer it",
            "use a kernel with CONFIG_SECCOMP_FILTER; the unit's other settings help without",
        ),
    });
    for id in sensors() {
        let of = status(&id);
        let field = |name: &str| of.get(name).map_or("?", String::as_str).to_owned();
        let user = field("Uid").split_whitespace().nth(1).unwrap_or("?").to_owned();
        let rights = capabilities(&of);
        let found = format!(
            "user {user}, capabilities {}, no_new_privs {}, seccomp {} ({} filters), {}",
            if rights == 0 { "none".to_owned() } else { format!("{rights:#x}") },
            field("NoNewPrivs"),
            field("Seccomp"),
            field("Seccomp_filters"),
            field("VmRSS"),
        );
        let confined = user != "0" && rights & !CAP_NET_RAW == 0 && field("NoNewPrivs") == "1";
        all.push(match confined {
            true => Diagnosis::good("running", found).of(id),
            false => {
                Diagnosis::advice("running", found, "start it by the unit of the package").of(id)
            }
        });
    }
}

/// Ids of processes that are `phitap live`.
fn sensors() -> Vec<String> {
    let is_sensor = |id: &String| {
        let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let mut words = command.split(|b| *b == 0);
        words.next().is_some_and(|program| program.ends_with(b"phitap"))
            && words.next() == Some(b"live")
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries
        .take(MAX_PROCESSES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter(is_sensor)
        .collect()
}

/// The number before ` kB` in a line of `/proc/meminfo`, as bytes.
fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Whether the host has the configured memory.
pub(super) fn memory(config: &Config, all: &mut Vec<Diagnosis>) {
    const CHECK: &str = "memory";
    let interfaces = match &config.source {
        Source::Interfaces(names) => names.len() as u64,
        Source::Files(_) => 0,
    };
    let ring = config.capture.ring as u64;
    let needed = config.limits.memory.max(interfaces * ring);
    let host = read("/proc/meminfo").unwrap_or_default();
    // A container or unit may have less memory than the host.
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.parse::<u64>().ok());
    let free = meminfo(&host, "MemAvailable:");
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let rings = mib(interfaces * ring);
    let asked = format!("{} asked for, {rings} of them for rings", mib(config.limits.memory));
    all.push(match (group, free) {
        (Some(most), _) if most < needed => Diagnosis::fault(
            CHECK,
            format!("{asked}, but this group may have {}", mib(most)),
            "lower --memory, or raise MemoryMax= of the unit or the limit of the container",
        ),
        (_, Some(free)) if free < needed => Diagnosis::advice(
            CHECK,
            format!("{asked}, but {} are free", mib(free)),
            "lower --memory, or give the host more",
        ),
        (_, Some(free)) => Diagnosis::good(CHECK, format!("{asked}, {} are free", mib(free))),
        (_, None) => Diagnosis::good(CHECK, asked),
    });
}

/// Whether the clock is synchronised, because events of several sensors are compared by time.
pub(super) fn clock(all: &mut Vec<Diagnosis>) {
    const CHECK: &str = "clock";
    let remedy = "run chrony or systemd-timesyncd (in a container: on its host)";
    all.push(match host_clock() {
        Err(_) => Diagnosis::good(CHECK, "the system does not say whether it is kept right"),
        Ok(clock) if !clock.synchronized => {
            Diagnosis::advice(CHECK, "nothing keeps it right", remedy)
        }
        Ok(clock) if clock.error > MAX_CLOCK_ERROR => Diagnosis::advice(
            CHECK,
            format!("it may be wrong by {} ms", clock.error / 1000),
            remedy,
        ),
        Ok(clock) => Diagnosis::good(CHECK, format!("kept right within {} us", clock.error)),
    });
}
