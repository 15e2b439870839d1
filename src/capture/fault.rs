//! What can be wrong with an input, and what its user can do about it.

use std::fmt;

/// An input that could not be read, or only in part.
#[derive(Debug)]
pub struct Fault {
    /// The file or interface.
    pub name: String,
    /// Byte offset where reading stopped.
    pub offset: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with an input.
#[derive(Debug)]
#[non_exhaustive]
pub enum FaultKind {
    /// The system refused.
    Io(std::io::Error),
    /// Zero bytes.
    Empty,
    /// It does not start like a capture.
    NotACapture([u8; 4]),
    /// It ends within the file header.
    TruncatedHeader,
    /// It ends within a record.
    TruncatedRecord,
    /// A record of impossible length.
    BadLength(u32),
    /// A link type that is not read.
    UnknownLink(u16),
    /// A folder without captures.
    NoCaptures,
    /// An interface that cannot be opened or read: why, and what to do about it.
    Interface(String),
    /// A version of the format that is not read.
    UnknownVersion(u16, u16),
}

impl Fault {
    /// Whether packets before the fault may have been read.
    pub const fn is_partial(&self) -> bool {
        matches!(self.kind, FaultKind::TruncatedRecord | FaultKind::BadLength(_))
    }
    /// What is wrong and what to do, in one line, without the name.
    pub fn describe(&self) -> String {
        let at = format!("at byte {}", self.offset);
        match &self.kind {
            FaultKind::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                format!("{e}; run phitap as a user who may read it")
            }
            FaultKind::Io(e) if e.kind() == std::io::ErrorKind::NotFound => {
                format!("{e}; check the path")
            }
            FaultKind::Io(e) => format!("{e} {at}"),
            FaultKind::Empty => {
                "is empty (0 bytes); capture again, for example with tcpdump -w".into()
            }
            FaultKind::NotACapture(magic) => format!(
                "is not a capture {at}: it starts with {:02x} {:02x} {:02x} {:02x}; give a pcap file",
                magic[0], magic[1], magic[2], magic[3]
            ),
            FaultKind::TruncatedHeader => {
                format!("ends within its file header {at}; copy or capture it again")
            }
            FaultKind::TruncatedRecord => format!(
                "ends within a packet {at}; everything before was read, copy the file again if it \
                 should be longer"
            ),
            FaultKind::BadLength(len) => format!(
                "has a packet of impossible length {len} {at}; everything before was read, repair it \
                 with editcap or copy it again"
            ),
            FaultKind::UnknownLink(link) => format!(
                "has link type {link} {at}, which phitap does not read; capture on an Ethernet, \
                 Wi-Fi, cooked or raw IP interface"
            ),
            FaultKind::NoCaptures => {
                "is a folder without captures; give a folder with pcap files".into()
            }
            FaultKind::Interface(reason) => format!("cannot capture: {reason}"),
            FaultKind::UnknownVersion(major, minor) => {
                format!("has pcap version {major}.{minor} {at}; convert it with editcap -F pcap")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.describe())
    }
}

impl std::error::Error for Fault {}
