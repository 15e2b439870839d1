//! Arguments of `query`, `find`, `diff`, `explain` and `cut`, which read a store or events.

use super::error::{ConfigError, usage};
use super::values;
use crate::identify::Token;
use crate::net::Cidr;
use crate::review::source::{Filter, MAX_PATIENTS, moment};
use crate::review::{Cut, Diff, Explain, Find, Listing, Merge, MergeShape, Query, Request, Shape};
use crate::severity::Severity;
use crate::time::Timestamp;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Filters of entries.
#[derive(Args, Debug, Default, Clone)]
pub struct Selection {
    /// Seen at or after this time: 2026-03-02, or 2026-03-02T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Selection")]
    pub since: Option<Timestamp>,
    /// Seen before this time
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Selection")]
    pub until: Option<Timestamp>,
    /// Clients in these address blocks
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = block, help_heading = "Selection")]
    pub client: Vec<Cidr>,
    /// Servers in these address blocks
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = block, help_heading = "Selection")]
    pub server: Vec<Cidr>,
    /// Ports of servers
    #[arg(long, value_name = "PORT", value_delimiter = ',', help_heading = "Selection")]
    pub port: Vec<u16>,
    /// Protocols, such as dicom,hl7
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Selection")]
    pub protocol: Vec<String>,
    /// Exposures of at least this severity
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity_parser(), help_heading = "Selection")]
    pub severity: Option<Severity>,
    /// Runs of these sensors
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Selection")]
    pub sensor: Vec<String>,
    /// The run with this number, as in `query runs`
    #[arg(long, value_name = "N", help_heading = "Selection")]
    pub run: Option<usize>,
    /// Exposures with these IDs (event.id) or fingerprints (x_...)
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = exposure, help_heading = "Selection")]
    pub exposure: Vec<String>,
    /// Patients with these tokens (p_...)
    #[arg(long, value_name = "TOKEN", value_delimiter = ',', value_parser = patient, help_heading = "Selection")]
    pub patient: Vec<String>,
}

impl Selection {
    fn filter(self, patients: usize) -> Filter {
        Filter {
            since: self.since,
            until: self.until,
            clients: self.client,
            servers: self.server,
            ports: self.port,
            protocols: self.protocol,
            severity: self.severity.map_or(0, Severity::least),
            sensors: self.sensor,
            run: self.run,
            exposures: self.exposure,
            tokens: self.patient,
            patients,
        }
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people
    #[default]
    Table,
    /// One JSON object per line, with every column
    Json,
    /// Every column, safe to open in a spreadsheet
    Csv,
}

impl From<TableFormat> for Shape {
    fn from(format: TableFormat) -> Self {
        match format {
            TableFormat::Table => Self::Table,
            TableFormat::Json => Self::Json,
            TableFormat::Csv => Self::Csv,
        }
    }
}

/// What `query` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueryKind {
    /// Clients and services with patient data between them
    Exposures,
    /// Patients, by token and mask
    Patients,
    /// Server ports and the protocols seen on them
    Services,
    /// Hosts with a role
    Assets,
    /// Runs of phitap
    Runs,
}

/// `phitap query`.
#[derive(Args, Debug)]
pub struct QueryArgs {
    /// A store (--store), a file of events (--format json), or - for events on standard input
    #[arg(value_name = "STORE|EVENTS")]
    pub source: PathBuf,
    /// What to list
    #[arg(value_enum, value_name = "WHAT")]
    pub what: QueryKind,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TableFormat,
    /// Maximum number of rows [default: all]
    #[arg(long, value_name = "N", value_parser = limit)]
    pub limit: Option<usize>,
    /// List what each run saw, even if several runs saw the same
    ///
    /// Without it, an exposure, a patient, a service or a host is one row, whatever the number of runs that saw it.
    /// Traffic that was read again, or that several sensors saw at once, counts once.
    #[arg(long)]
    pub by_run: bool,
    /// Filters.
    #[command(flatten)]
    pub selection: Selection,
}

/// `phitap find`.
#[derive(Args, Debug)]
#[command(after_long_help = super::FIND_HELP)]
pub struct FindArgs {
    /// A store (--store) or a file of events (--format json)
    #[arg(value_name = "STORE|EVENTS")]
    pub source: PathBuf,
    /// The key file of the runs, from which tokens are derived
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Read the people to look up from a file, or - for standard input, instead of prompting
    ///
    /// One value per line, with an empty line between people: name: Hartman^Jason, birth: 1959-11-02,
    /// number: 4711. Without the prefix, the type of a value is guessed.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TableFormat,
    /// Filters.
    #[command(flatten)]
    pub selection: Selection,
}

/// `phitap diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// A store or a file of events; STORE@N means run N only
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later runs, with the same key
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TableFormat,
    /// Filters.
    #[command(flatten)]
    pub selection: Selection,
}

/// `phitap explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// An event.id, a fingerprint (x_...), a patient token (p_...) or a rule ID
    #[arg(value_name = "EVENT-ID|RULE-ID")]
    pub id: String,
    /// A store or a file of events; not needed for rules
    #[arg(value_name = "STORE|EVENTS")]
    pub source: Option<PathBuf>,
    /// Folder of further rules (*.toml)
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
}

/// `phitap cut`.
#[derive(Args, Debug)]
pub struct CutArgs {
    /// A store (--store) or a file of events (--format json)
    #[arg(value_name = "STORE|EVENTS")]
    pub source: PathBuf,
    /// The capture to write (pcapng); a manifest is written to the same name with .json appended
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Folder of the capture files, if they are no longer where the run read them
    #[arg(long, value_name = "DIR")]
    pub captures: Option<PathBuf>,
    /// Flows with these Community IDs (network.community_id)
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Selection")]
    pub flow: Vec<String>,
    /// Encrypt the capture for this age recipient (age1...)
    #[cfg(feature = "age")]
    #[arg(long, value_name = "RECIPIENT")]
    pub encrypt_to: Vec<String>,
    /// Filters.
    #[command(flatten)]
    pub selection: Selection,
}

/// Format of a merged result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MergeFormat {
    /// For people
    #[default]
    Table,
    /// One JSON object with everything
    Json,
    /// Exposures, safe to open in a spreadsheet
    Csv,
    /// phi-summary events, to be merged again
    Summaries,
}

/// `phitap merge`.
///
/// Reads the phi-summary events that replay and live write with --summaries. A flow that two
/// sensors saw counts once, and a file given twice changes nothing. People can be matched only
/// under the same key. Results under other keys are counted separately, and the exit status is then
/// 3.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Files of events (--format ecs --summaries), or - for standard input
    #[arg(required = true, value_name = "EVENTS")]
    pub sources: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: MergeFormat,
    /// Maximum number of exposures shown [default: all]
    #[arg(long, value_name = "N", value_parser = limit)]
    pub limit: Option<usize>,
}

impl From<MergeFormat> for MergeShape {
    fn from(format: MergeFormat) -> Self {
        match format {
            MergeFormat::Table => Self::Table(Shape::Table),
            MergeFormat::Csv => Self::Table(Shape::Csv),
            MergeFormat::Json => Self::Json,
            MergeFormat::Summaries => Self::Summaries,
        }
    }
}

impl From<MergeArgs> for Request {
    fn from(args: MergeArgs) -> Self {
        Self::Merge(Merge { sources: args.sources, shape: args.format.into(), limit: args.limit })
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    moment(text).ok_or_else(|| {
        format!("{text:?} is not a time; write it like 2026-03-02 or 2026-03-02T08:00:00Z")
    })
}

/// A number of rows. None at all would look like an all-clear.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("write a number from 1 on".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err(format!("{text:?} is not a number of rows")),
    }
}

/// The id of an exposure (a ULID), or its fingerprint. A mistyped one would select nothing, which looks like an all-clear.
fn exposure(text: &str) -> Result<String, String> {
    let is_id = text.len() == 26 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_token = |of: &str| Token::parse(&of.to_ascii_lowercase()).is_some();
    match is_id || text.strip_prefix("x_").or(text.strip_prefix("X_")).is_some_and(is_token) {
        true => Ok(text.to_owned()),
        false => {
            Err("not the id (26 letters and digits) or fingerprint (x_...) of an exposure".into())
        }
    }
}

/// The token of a patient.
fn patient(text: &str) -> Result<String, String> {
    match text.strip_prefix("p_").and_then(Token::parse) {
        Some(_) => Ok(text.to_owned()),
        None => Err("not the token of a patient; it is like p_ and 20 letters and digits".into()),
    }
}

/// An address block, or a single address.
fn block(text: &str) -> Result<Cidr, String> {
    match text.parse::<std::net::IpAddr>() {
        Ok(ip) => Cidr::new(ip, if ip.is_ipv4() { 32 } else { 128 }).map_err(|e| e.to_string()),
        Err(_) => {
            text.parse().map_err(|e: crate::net::CidrError| match text.parse::<SocketAddr>() {
                Ok(of) => format!(
                    "ports have an option of their own; write {} and --port {}",
                    of.ip(),
                    of.port()
                ),
                Err(_) => e.to_string(),
            })
        }
    }
}

impl From<QueryArgs> for Request {
    fn from(args: QueryArgs) -> Self {
        let listing = match args.what {
            QueryKind::Exposures => Listing::Exposures,
            QueryKind::Patients => Listing::Patients,
            QueryKind::Services => Listing::Services,
            QueryKind::Assets => Listing::Assets,
            QueryKind::Runs => Listing::Runs,
        };
        let patients = if listing == Listing::Patients { MAX_PATIENTS } else { 0 };
        Self::Query(Query {
            source: args.source,
            listing,
            shape: args.format.into(),
            limit: args.limit,
            by_run: args.by_run,
            filter: args.selection.filter(patients),
        })
    }
}

impl From<FindArgs> for Request {
    fn from(args: FindArgs) -> Self {
        Self::Find(Find {
            source: args.source,
            key_file: args.key_file,
            from: args.from,
            shape: args.format.into(),
            filter: args.selection.filter(MAX_PATIENTS),
        })
    }
}

impl From<DiffArgs> for Request {
    fn from(args: DiffArgs) -> Self {
        Self::Diff(Diff {
            before: args.before,
            after: args.after,
            shape: args.format.into(),
            filter: args.selection.filter(0),
        })
    }
}

impl From<ExplainArgs> for Request {
    fn from(args: ExplainArgs) -> Self {
        Self::Explain(Explain { id: args.id, source: args.source, rules: args.rules })
    }
}

impl TryFrom<CutArgs> for Request {
    type Error = ConfigError;
    fn try_from(args: CutArgs) -> Result<Self, ConfigError> {
        let of = &args.selection;
        let asks = !(args.flow.is_empty()
            && of.exposure.is_empty()
            && of.patient.is_empty()
            && of.client.is_empty()
            && of.server.is_empty()
            && of.port.is_empty()
            && of.protocol.is_empty())
            || of.severity.is_some()
            || of.since.is_some()
            || of.until.is_some();
        if !asks {
            return Err(usage(
                "select what to cut: --exposure, --patient, --flow, --server, --severity, --since...",
            ));
        }
        Ok(Self::Cut(Cut {
            source: args.source,
            output: args.output,
            captures: args.captures,
            flows: args.flow,
            #[cfg(feature = "age")]
            recipients: args.encrypt_to,
            #[cfg(not(feature = "age"))]
            recipients: Vec::new(),
            filter: args.selection.filter(MAX_PATIENTS),
        }))
    }
}
