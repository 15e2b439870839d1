//! Faults of inputs, and what the user can do about them.

use super::sniff;
use std::fmt;

/// An input that could not be read, or not completely.
#[derive(Debug)]
pub struct Fault {
    /// The file or interface.
    pub name: String,
    /// Byte offset where reading stopped.
    pub offset: u64,
    /// Whether the offset counts decompressed bytes.
    pub unpacked: bool,
    /// What is wrong.
    pub kind: FaultKind,
}

/// Kinds of faults.
#[derive(Debug)]
#[non_exhaustive]
pub enum FaultKind {
    /// A system call failed.
    Io(std::io::Error),
    /// The file has no bytes.
    Empty,
    /// It does not begin like a capture.
    NotACapture([u8; 4]),
    /// It ends within the file header.
    TruncatedHeader,
    /// It ends inside a record.
    TruncatedRecord,
    /// A record of impossible length.
    BadLength(u32),
    /// An unsupported link type.
    UnknownLink(u16),
    /// Packets of an unsupported link type, perhaps among others.
    ForeignPackets {
        /// The first such link type.
        link: u16,
        /// Number of packets of such types.
        packets: u64,
    },
    /// A folder without captures.
    NoCaptures,
    /// An interface that cannot be opened or read: the reason and the remedy.
    Interface(String),
    /// An unsupported version of the format.
    UnknownVersion(u16, u16),
    /// An invalid pcapng block.
    BadBlock(&'static str),
    /// Compressed data (gzip, ...) that ends early.
    TruncatedPacked(&'static str),
    /// Compressed data that is damaged.
    CorruptPacked(&'static str),
    /// Compressed data that needs more memory than is allowed.
    BigWindow(&'static str),
    /// A compressed file in a compressed file.
    PackedTwice(&'static str),
    /// Standard input is a terminal.
    Terminal,
    /// A file became shorter while it was followed.
    Shrunk,
}

impl Fault {
    /// The fault and its remedy in one line, without the name of the input.
    pub fn describe(&self) -> String {
        let unpacked = if self.unpacked { " of the unpacked data" } else { "" };
        let at = format!("at byte {}{unpacked}", self.offset);
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
                "is not a capture {at}: it starts with {:02x} {:02x} {:02x} {:02x}; {}",
                magic[0],
                magic[1],
                magic[2],
                magic[3],
                sniff::remedy(*magic)
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
            FaultKind::UnknownLink(link) => {
                let name = foreign(*link).map(|n| format!(" ({n})")).unwrap_or_default();
                format!(
                    "has link type {link}{name} {at}, which phitap does not read; capture on an \
                     Ethernet, Wi-Fi, cooked or raw IP interface"
                )
            }
            FaultKind::ForeignPackets { link, packets } => {
                let name = foreign(*link).map(|n| format!(" ({n})")).unwrap_or_default();
                let packets = match packets {
                    1 => "1 packet".to_owned(),
                    n => format!("{n} packets"),
                };
                format!(
                    "has {packets} of link type {link}{name}, which phitap does not read; capture on \
                     an Ethernet, Wi-Fi, cooked or raw IP interface"
                )
            }
            FaultKind::NoCaptures => {
                "is a folder without captures; give a folder with pcap or pcapng files".into()
            }
            FaultKind::Interface(reason) => format!("cannot capture: {reason}"),
            FaultKind::UnknownVersion(major, minor) => {
                format!("has format version {major}.{minor} {at}; convert it with editcap -F pcap")
            }
            FaultKind::BadBlock(reason) => format!(
                "has {reason} {at}; everything before was read, repair it with editcap or copy it \
                 again"
            ),
            FaultKind::TruncatedPacked(packing) => format!(
                "ends within its {packing} data {at}; everything before was read, copy the file \
                 again if it should be longer"
            ),
            FaultKind::CorruptPacked(packing) => format!(
                "has damaged {packing} data {at}; everything before was read, copy the file again"
            ),
            FaultKind::BigWindow(packing) => format!(
                "needs more than 128 MiB of memory to unpack its {packing} data {at}; unpack it \
                 first and give the unpacked file"
            ),
            FaultKind::PackedTwice(packing) => format!(
                "is compressed twice: {packing} within what was unpacked; unpack it once first"
            ),
            FaultKind::Terminal => {
                "is a terminal; pipe a capture into it, for example tcpdump -w - \
                                    | phitap replay -"
                    .into()
            }
            FaultKind::Shrunk => {
                format!("became shorter while it was read {at}; start again with the new file")
            }
        }
    }
}

/// Names of link types that carry no IP, or in a way that is not supported (LINKTYPE_ registry).
const fn foreign(link: u16) -> Option<&'static str> {
    Some(match link {
        3 => "AX.25",
        7 => "ARCNET",
        8 => "SLIP",
        114 => "LocalTalk",
        122 => "IP over Fibre Channel",
        129 => "ARCNET on Linux",
        147..=162 => "reserved for private use",
        165 => "BACnet MS/TP",
        177 => "LAPD",
        187 | 201 => "Bluetooth HCI",
        189 | 220 => "USB, Linux",
        190 | 227 => "CAN",
        195 | 215 | 230 | 283 => "IEEE 802.15.4",
        199 => "IPMB",
        224 => "Fibre Channel",
        225 | 226 => "Solaris IP net",
        231 => "D-Bus",
        240 | 241 => "netANALYZER",
        247 => "InfiniBand",
        249 => "USB, Windows",
        251 | 256 => "Bluetooth Low Energy",
        253 => "Linux netlink",
        254 | 255 => "Bluetooth Linux monitor",
        264 => "ISO 14443 contactless cards",
        266 => "USB, macOS",
        272 => "Nordic Bluetooth Low Energy",
        273 => "DOCSIS",
        _ => return None,
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.describe())
    }
}

impl std::error::Error for Fault {}
