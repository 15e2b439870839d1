//! The code of all fuzz targets, which `tests/fuzz.rs` also runs on the stable toolchain. Bytes go
//! in, and a broken invariant panics. There is a target for each protocol and each family of
//! contents, and `frames`, `streams`, `handshake`, `capture`, `rules`, and data from other
//! machines.

mod content;
mod files;
mod handshake;
pub mod mutate;
mod protocol;
mod results;
pub mod seeds;
pub mod turns;
mod whole;
mod words;

use phitap::protocol::Protocol;

/// Something that is fuzzed.
#[derive(Clone, Copy)]
pub enum Target {
    /// Frames of any link type, through all stages.
    Frames,
    /// Conversations, through all stages.
    Streams,
    /// A conversation that one protocol reads, recognised or not.
    Protocol(&'static dyn Protocol, &'static str),
    /// A document declared as a member of a family.
    Content(&'static content::Family),
    /// A TLS handshake.
    Handshake,
    /// A capture file.
    Capture,
    /// A file of rules.
    Rules,
    /// Parts of summaries.
    Summary,
    /// Messages of a hub.
    Hub,
    /// Published rules.
    Bundle,
    /// Records and results of jobs.
    Jobs,
    /// A file of events, or a store.
    Review,
    /// The files of a spool.
    Spool,
}

impl Target {
    /// Name on the command line.
    pub fn name(self) -> String {
        match self {
            Self::Frames => "frames".to_owned(),
            Self::Streams => "streams".to_owned(),
            Self::Protocol(_, name) => format!("protocol-{name}"),
            Self::Content(family) => format!("content-{}", family.name),
            Self::Handshake => "handshake".to_owned(),
            Self::Capture => "capture".to_owned(),
            Self::Rules => "rules".to_owned(),
            Self::Summary => "summary".to_owned(),
            Self::Hub => "hub".to_owned(),
            Self::Bundle => "bundle".to_owned(),
            Self::Jobs => "jobs".to_owned(),
            Self::Review => "review".to_owned(),
            Self::Spool => "spool".to_owned(),
        }
    }

    /// Every target.
    pub fn all() -> Vec<Self> {
        let mut all =
            vec![Self::Frames, Self::Streams, Self::Handshake, Self::Capture, Self::Rules];
        all.extend([Self::Summary, Self::Hub, Self::Bundle, Self::Jobs, Self::Review, Self::Spool]);
        all.extend(protocol::all().map(|(protocol, name)| Self::Protocol(protocol, name)));
        all.extend(content::FAMILIES.iter().map(Self::Content));
        all
    }

    /// The target called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|target| target.name() == name)
    }

    /// Runs `input`.
    pub fn run(self, input: &[u8]) {
        match self {
            Self::Frames => whole::frames(input),
            Self::Streams => whole::streams(input),
            Self::Protocol(protocol, _) => protocol::run(protocol, input),
            Self::Content(family) => content::run(family, input),
            Self::Handshake => handshake::run(input),
            Self::Capture => files::capture(input),
            Self::Rules => files::rules(input),
            Self::Summary => results::summary(input),
            Self::Hub => results::hub(input),
            Self::Bundle => results::bundle(input),
            Self::Jobs => results::jobs(input),
            Self::Review => results::review(input),
            Self::Spool => results::spool(input),
        }
    }
}
