//! One model for reading stores and files of events.

mod error;
mod event;
mod grant;
mod input;
mod join;
mod lines;
mod model;
#[cfg(feature = "store")]
mod store;

#[cfg(test)]
mod tests;

pub use error::ReadError;
pub(in crate::review) use error::remedy;
pub(in crate::review) use event::time;
pub(in crate::review) use input::Input;
pub(in crate::review) use lines::skip_line;
pub use model::{
    Asset, Evidence, Exposure, Identifier, Patient, PatientObservation, People, ReadLosses,
    Results, Run, Service,
};

use crate::identify::Token;
use crate::net::Cidr;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// Most runs, exposures, services and assets kept, each. Further ones are only counted.
pub const MAX_ENTRIES: usize = 100_000;
/// Most patients kept, unless [`Filter::patients`] is set.
pub const MAX_PATIENTS: usize = 250_000;
/// Most people kept for counting those of several runs once, all exposures together.
pub const MAX_PEOPLE: usize = 1 << 21;
/// Most masked identifiers kept per patient.
pub const MAX_IDENTIFIERS: usize = 64;
/// Most exposures kept per patient.
pub const MAX_SIGHTINGS: usize = 1_024;

/// Selects what is read; everything by default.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Seen at this packet time or later.
    pub since: Option<Timestamp>,
    /// Seen before this packet time.
    pub until: Option<Timestamp>,
    /// Clients in one of these blocks; any if empty.
    pub clients: Vec<Cidr>,
    /// Servers in one of these blocks; any if empty.
    pub servers: Vec<Cidr>,
    /// Ports of servers; any if empty.
    pub ports: Vec<u16>,
    /// Protocols; any if empty.
    pub protocols: Vec<String>,
    /// Lowest severity of the exposure.
    pub severity: u8,
    /// Sensors; any if empty.
    pub sensors: Vec<String>,
    /// A run, numbered from 1 in the order in which they began.
    pub run: Option<usize>,
    /// Ids or fingerprints of exposures; any if empty.
    pub exposures: Vec<String>,
    /// Tokens (`p_...`) of patients; any if empty.
    pub tokens: Vec<String>,
    /// Most patients to keep; 0 reads none.
    pub patients: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            since: None,
            until: None,
            clients: Vec::new(),
            servers: Vec::new(),
            ports: Vec::new(),
            protocols: Vec::new(),
            severity: 0,
            sensors: Vec::new(),
            run: None,
            exposures: Vec::new(),
            tokens: Vec::new(),
            patients: MAX_PATIENTS,
        }
    }
}

impl Filter {
    /// Whether something was seen in the selected time.
    pub fn in_time(&self, first: Timestamp, last: Timestamp) -> bool {
        self.since.is_none_or(|since| last >= since) && self.until.is_none_or(|until| first < until)
    }

    /// Whether the address, port and protocol of a service are selected.
    pub fn takes_service(&self, server: std::net::SocketAddr, protocol: &str) -> bool {
        let inside = |nets: &[Cidr], ip| nets.is_empty() || nets.iter().any(|n| n.contains(ip));
        inside(&self.servers, server.ip())
            && (self.ports.is_empty() || self.ports.contains(&server.port()))
            && (self.protocols.is_empty() || self.protocols.iter().any(|p| p == protocol))
    }

    /// Whether an exposure is selected, apart from its run.
    pub fn takes(&self, exposure: &Exposure) -> bool {
        let named = |name: &str| self.exposures.iter().any(|e| e.eq_ignore_ascii_case(name));
        self.takes_service(exposure.server, &exposure.protocol)
            && (self.clients.is_empty() || self.clients.iter().any(|n| n.contains(exposure.client)))
            && exposure.severity >= self.severity
            && self.in_time(exposure.first, exposure.last)
            && (self.exposures.is_empty()
                || named(&exposure.id)
                || exposure.fingerprint.as_deref().is_some_and(named))
    }

    /// Whether the filter selects exposures, which excludes entries without one.
    pub const fn asks_of_exposures(&self) -> bool {
        !(self.clients.is_empty()
            && self.servers.is_empty()
            && self.ports.is_empty()
            && self.protocols.is_empty()
            && self.exposures.is_empty())
            || self.severity > 0
    }

    /// Whether services are selected, whoever their clients are.
    pub const fn asks_of_services(&self) -> bool {
        !(self.servers.is_empty() && self.ports.is_empty())
            && self.clients.is_empty()
            && self.exposures.is_empty()
            && self.severity == 0
    }

    /// Whether a run is selected; `number` counts from 1.
    pub fn takes_run(&self, run: &Run, number: usize) -> bool {
        self.run.is_none_or(|asked| asked == number)
            && (self.sensors.is_empty() || self.sensors.contains(&run.sensor))
    }
}

/// Whether `path` is standard input (`-`), a pipe or a device, which can be read once only.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-" || std::fs::metadata(path).is_ok_and(|of| !of.is_file())
}

/// Whether the file at `path` is an SQLite database.
///
/// # Errors
/// It cannot be read.
pub fn is_store(path: &Path) -> Result<bool, ReadError> {
    // Opening a pipe would take its writer away from whoever reads it next.
    if is_stream(path) {
        return Ok(false);
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(|source| ReadError::io(path, source))?;
    file.take(16).read_to_end(&mut head).map_err(|source| ReadError::io(path, source))?;
    Ok(head == b"SQLite format 3\0")
}

/// Reads a store or a file of events, which may be compressed with gzip; `-` is standard input.
///
/// # Errors
/// It cannot be read, or contains nothing from phitap.
pub fn read(path: &Path, filter: &Filter) -> Result<Results, ReadError> {
    if path.as_os_str() == "-" {
        let input = std::io::stdin().lock();
        return lines::read(BufReader::new(input), &PathBuf::from("standard input"), filter);
    }
    if is_store(path)? {
        #[cfg(feature = "store")]
        return store::read(path, filter);
        #[cfg(not(feature = "store"))]
        return Err(ReadError::NoStore(path.to_owned()));
    }
    let file = File::open(path).map_err(|source| ReadError::io(path, source))?;
    lines::read(BufReader::with_capacity(1 << 16, file), path, filter)
}

/// Reads as [`read`] does, and joins what several runs saw; see [`Results::join_runs`].
///
/// # Errors
/// As [`read`].
pub fn read_joined(path: &Path, filter: &Filter) -> Result<Results, ReadError> {
    // What is severe in one run is so in all.
    let late = filter.patients == 0 && filter.severity > 0;
    let mut results = match late {
        true => read(path, &Filter { severity: 0, ..filter.clone() })?,
        false => read(path, filter)?,
    };
    #[cfg(feature = "store")]
    if results.runs.len() > 1 && is_store(path)? {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for fingerprint in results.exposures.iter().filter_map(|e| e.fingerprint.clone()) {
            *seen.entry(fingerprint).or_default() += 1;
        }
        let several = |e: &&mut Exposure| {
            e.fingerprint.as_ref().and_then(|of| seen.get(of)).is_some_and(|n| *n > 1)
        };
        store::people(path, results.exposures.iter_mut().filter(several))?;
    }
    results.join_runs();
    results.exposures.retain(|e| e.severity >= filter.severity);
    Ok(results)
}

/// The patients with one of these tokens: `i_...` of an identifier with any issuer, or `p_...`.
///
/// # Errors
/// As [`read`].
pub fn lookup(path: &Path, tokens: &[Token], filter: &Filter) -> Result<Results, ReadError> {
    #[cfg(feature = "store")]
    if is_store(path)? {
        return store::lookup(path, tokens, filter);
    }
    let texts: Vec<String> = tokens.iter().map(Token::to_string).collect();
    let leads = |token: &str| texts.iter().any(|text| token.get(2..) == Some(text));
    let mut results = read(path, filter)?;
    results.patients.retain(|patient| {
        let of = |i: &Identifier| [&i.token, &i.any_issuer].into_iter().flatten().any(|t| leads(t));
        leads(&patient.token) || patient.identifiers.iter().any(of)
    });
    Ok(results)
}

/// The runs in a store or file.
///
/// # Errors
/// As [`read`].
pub fn runs(path: &Path, filter: &Filter) -> Result<Vec<Run>, ReadError> {
    #[cfg(feature = "store")]
    if is_store(path)? {
        return store::runs(path, filter);
    }
    Ok(read(path, filter)?.runs)
}

/// Parses a time: a day, a day and time separated by a space or `T`, or RFC 3339. UTC unless a zone
/// is given.
pub fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{}T{}:00Z", text.get(..10)?, text.get(11..)?),
        19 => format!("{}T{}Z", text.get(..10)?, text.get(11..)?),
        _ => text.to_owned(),
    };
    event::time(&full)
}
