//! Checks of the configuration: files, key, rules, the metrics address.

use super::Diagnosis;
use crate::config::Config;
use crate::identify::{Key, load_rules};
use crate::output::sinks;
use crate::pipeline::{credential, wall_clock};
use crate::rules::LoadError;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Free space below which a disk is nearly full, bytes and percent.
const MIN_FREE: u64 = 1 << 30;
const MIN_FREE_SHARE: u64 = 20;

/// Whether outputs are writable and have free space.
pub(super) fn files(config: &Config, all: &mut Vec<Diagnosis>) {
    if config.writes_to_stdout() {
        all.push(Diagnosis::advice(
            "output",
            "events go to standard output",
            "give --output FILE: it is appended to, rotated, and outlives a full disk",
        ));
    }
    let outputs = config.output_files().map(|path| ("output", path));
    for (check, path) in outputs.chain(config.state.as_deref().map(|path| ("state", path))) {
        all.push(file(check, path).of(path.display().to_string()));
    }
    // Credentials, CAs, and whether this build supports the receiver.
    for output in config.outputs.iter().filter(|output| output.target.is_delivered()) {
        let made = sinks::prepare(&output.target, config.sensor.as_deref());
        if let Err(error) = made {
            let remedy = "change that, or the output; docs/outputs.md explains each";
            all.push(Diagnosis::fault("output", error.to_string(), remedy).of(output.name.clone()));
        }
    }
    if config.state.is_none() {
        all.push(Diagnosis::advice(
            "state",
            "exposures get new ids with each start",
            "give --state FILE",
        ));
    }
}

fn file(check: &'static str, path: &Path) -> Diagnosis {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        let folder = folder.display();
        return Diagnosis::fault(
            check,
            format!("there is no folder {folder}"),
            format!("mkdir -p {folder}"),
        );
    }
    // An existing file must be writable, otherwise its folder.
    let target = if path.exists() { path } else { &folder };
    if let Err(error) = rustix::fs::access(target, rustix::fs::Access::WRITE_OK) {
        let target = target.display();
        return Diagnosis::fault(
            check,
            format!("{target} cannot be written: {error}"),
            format!("chown the user of the sensor {target}, or run this as that user"),
        );
    }
    let Ok(disk) = rustix::fs::statvfs(&folder) else {
        return Diagnosis::good(check, "can be written");
    };
    let (free, size) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
    let found = format!("can be written; {} MiB of {} MiB are free", free >> 20, size >> 20);
    match free < MIN_FREE || free < size / MIN_FREE_SHARE {
        true => Diagnosis::advice(check, found, "make room, or rotate sooner"),
        false => Diagnosis::good(check, found),
    }
}

/// The key: it must be persistent and private.
pub(super) fn key(config: &Config, all: &mut Vec<Diagnosis>) {
    const CHECK: &str = "key";
    let key = match (&config.key_file, credential()) {
        (Some(path), _) => Key::from_file(path),
        (None, Some(path)) => Key::from_credential(&path),
        (None, None) => {
            let found = "none: pseudonyms and ids change with each start";
            let remedy = "(umask 077; head -c 32 /dev/urandom > phitap.key), then --key-file phitap.key; \
                          that of the package is /etc/phitap/phitap.key";
            all.push(match config.state {
                Some(_) => {
                    Diagnosis::fault(CHECK, format!("{found}, but --state is given"), remedy)
                }
                None => Diagnosis::advice(CHECK, found, remedy),
            });
            return;
        }
    };
    all.push(match key {
        Ok(key) => Diagnosis::good(CHECK, format!("{}, closed to others", key.id())),
        Err(error) => {
            let text = error.to_string();
            let (found, remedy) = text.split_once("; ").unwrap_or((&text, "use another file"));
            Diagnosis::fault(CHECK, found, remedy)
        }
    });
}

fn remedy_of_rules(config: &Config, error: &LoadError) -> String {
    match (config.rules_folder(), error) {
        (_, LoadError::Region { .. }) => "correct --regions".to_owned(),
        (Some(folder), _) if !folder.exists() => format!("mkdir -p {}", folder.display()),
        (Some(folder), _) => format!("correct it: phitap rules check --rules {}", folder.display()),
        (None, _) => "correct it: phitap rules check".to_owned(),
    }
}

/// The rules: they must load and pass their samples.
pub(super) fn rules(config: &Config, all: &mut Vec<Diagnosis>) {
    const CHECK: &str = "rules";
    let rules = load_rules(config.rules_folder()).and_then(|r| r.in_regions(&config.regions));
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => {
            let text = error.to_string();
            return all.push(Diagnosis::fault(CHECK, text, remedy_of_rules(config, &error)));
        }
    };
    all.push(Diagnosis::good(CHECK, format!("{} are sound", rules.entries.len())));
    for over in rules.suppressions.expired(wall_clock()) {
        let (file, line) = &over.source;
        let found = format!("ended on {}; {file}:{line}", over.expires);
        let remedy = format!("ask {}, then renew or remove it", over.owner);
        all.push(Diagnosis::advice("suppression", found, remedy).of(over.id.to_string()));
    }
}

/// The metrics address: it must be free, or used by a running sensor.
pub(super) fn metrics(config: &Config, all: &mut Vec<Diagnosis>) {
    const CHECK: &str = "metrics";
    all.push(match config.metrics {
        None => Diagnosis::advice(
            CHECK,
            "not served: a failing sensor goes unnoticed",
            "give --metrics 9187, and scrape it",
        ),
        Some(address) => match TcpListener::bind(address) {
            Ok(_) => Diagnosis::good(CHECK, format!("{address} is free")),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Diagnosis::advice(
                CHECK,
                format!("{address} is in use"),
                "correct if a sensor is running; otherwise choose another port with --metrics",
            ),
            Err(error) => Diagnosis::fault(
                CHECK,
                format!("{address}: {error}"),
                "choose an address of this host and a port above 1023",
            ),
        },
    });
}
