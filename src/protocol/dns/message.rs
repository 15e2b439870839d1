//! A message of DNS (RFC 1035 4) or of the NetBIOS name service (RFC 1002 4.2).

use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of the header.
const HEADER: usize = 12;
/// Questions and records per message.
const MAX_RECORDS: usize = 512;
/// Longest name as text, bytes (RFC 1035 2.3.4), and labels per name.
const MAX_NAME: usize = 255;
const MAX_LABELS: usize = 128;
/// Named addresses taken from a message.
const MAX_HOSTS: usize = 64;

/// Types of records (IANA registry of DNS RR types; RFC 1002 4.2.1.3).
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const NB: u16 = 32;
const OPT: u16 = 41;

/// Operations: queries, and names that are notified, updated, registered, released or refreshed.
const OPERATIONS: [u8; 7] = [0, 4, 5, 6, 7, 8, 9];
const QUERY: u8 = 0;
/// Record types of the NetBIOS name service.
const REGISTRATION: [u8; 3] = [5, 8, 9];

/// A complete message.
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    /// It is a response.
    pub response: bool,
    operation: u8,
    /// It reports no error.
    fine: bool,
    /// Name of the only question, if there is one.
    question: Option<String>,
    records: SmallVec<[Record; 8]>,
}

/// A record: its owner and the place of its data.
struct Record {
    owner: String,
    kind: u16,
    start: usize,
    end: usize,
}

impl<'a> Message<'a> {
    /// Whether a framed message may begin with these bytes.
    pub fn may_begin(data: &[u8]) -> bool {
        let header = data.get(2..).unwrap_or_default();
        let plausible = |at: usize, fits: fn(u8) -> bool| header.get(at).is_none_or(|b| fits(*b));
        // Opcode and the bit that is always zero; counts below 256 each.
        plausible(2, |b| OPERATIONS.contains(&(b >> 3 & 15)))
            && plausible(3, |b| b & 0x40 == 0)
            && [4, 6, 8, 10].into_iter().all(|at| plausible(at, |b| b < 2))
    }

    /// Reads a message; `None` if it is none, is incomplete, or has bytes behind it.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (operation, zero) = (header[2] >> 3 & 15, header[3] & 0x40);
        let questions = usize::from(number(4));
        let records = [6, 8, 10].map(number).map(usize::from).iter().sum::<usize>();
        if zero != 0 || !OPERATIONS.contains(&operation) || questions + records > MAX_RECORDS {
            return None;
        }
        if questions + records == 0 {
            return None;
        }
        let mut message = Self {
            bytes,
            response: header[2] & 0x80 != 0,
            operation,
            fine: header[3] & 15 == 0,
            question: None,
            records: SmallVec::new(),
        };
        let mut at = HEADER;
        for _ in 0..questions {
            let (name, next) = name_at(bytes, at)?;
            let class = short(bytes, next + 2)?;
            // IN, CHAOS, HESIOD, NONE or ANY; the first bit asks for a unicast response (RFC 6762 5.4).
            if !matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255) || short(bytes, next)? == 0 {
                return None;
            }
            message.question = (questions == 1).then_some(name);
            at = next + 4;
        }
        for _ in 0..records {
            let (owner, next) = name_at(bytes, at)?;
            let (kind, class) = (short(bytes, next)?, short(bytes, next + 2)?);
            // OPT has a size there (RFC 6891 6.1.2).
            if kind != OPT && !matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255) {
                return None;
            }
            let start = next + 10;
            let end = start + usize::from(short(bytes, next + 8)?);
            bytes.get(start..end)?;
            message.records.push(Record { owner, kind, start, end });
            at = end;
        }
        (at == bytes.len()).then_some(message)
    }

    /// Calls `of` with each address and one of its names.
    pub fn hosts(&self, of: &mut dyn FnMut(IpAddr, &str)) {
        let registers = !self.response && REGISTRATION.contains(&self.operation);
        let answers = self.response && self.fine && self.operation == QUERY;
        let mut left = MAX_HOSTS;
        let mut tell = |host: IpAddr, name: &str| {
            if left > 0 && !host.is_unspecified() && is_host(name) {
                left -= 1;
                of(host, name);
            }
        };
        let alias = self.question.as_ref().filter(|_| self.records.iter().any(|r| r.kind == CNAME));
        for record in &self.records {
            let data = self.bytes.get(record.start..record.end).unwrap_or_default();
            match record.kind {
                A | AAAA if answers => {
                    let Some(host) = address(data) else { continue };
                    tell(host, &record.owner);
                    // A client that asked for an alias knows the host by it.
                    alias.into_iter().for_each(|alias| tell(host, alias));
                }
                PTR if answers => {
                    let Some(host) = reversed(&record.owner) else { continue };
                    if let Some((name, _)) = name_at(self.bytes, record.start) {
                        tell(host, &name);
                    }
                }
                // Flags and an address for each interface.
                NB if answers || registers => {
                    let Some(name) = netbios(&record.owner) else { continue };
                    for entry in data.chunks_exact(6) {
                        // The first bit marks the name of a group.
                        if let (0, Some(host)) = (entry[0] & 0x80, address(&entry[2..])) {
                            tell(host, &name);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

/// The name at an offset, in lower case and without the final dot, and where it ends. Compression pointers must point
/// back (RFC 1035 4.1.4), so the loop ends.
fn name_at(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut name, mut at, mut end, mut before) = (Vec::new(), start, None, start);
    for _ in 0..=MAX_LABELS {
        match *bytes.get(at)? {
            0 => {
                let name = String::from_utf8(name).ok()?;
                return Some((name, end.unwrap_or(at + 1)));
            }
            len @ 1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(len))?;
                if label.iter().any(|b| *b < b' ' || *b == 0x7f) {
                    return None;
                }
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend(label.iter().map(u8::to_ascii_lowercase));
                if name.len() > MAX_NAME {
                    return None;
                }
                at += 1 + usize::from(len);
            }
            _ => {
                let pointer = short(bytes, at)?;
                let to = usize::from(pointer & 0x3fff);
                if pointer < 0xc000 || to >= before || to < HEADER {
                    return None;
                }
                end.get_or_insert(at + 2);
                (at, before) = (to, to);
            }
        }
    }
    None
}

/// Whether a name can be a host name: letters, digits, hyphens, and other characters in common use.
fn is_host(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    !name.is_empty() && name.chars().all(fits) && name.contains(char::is_alphabetic)
}

fn address(data: &[u8]) -> Option<IpAddr> {
    match data.len() {
        4 => <[u8; 4]>::try_from(data).ok().map(|a| Ipv4Addr::from(a).into()),
        16 => <[u8; 16]>::try_from(data).ok().map(|a| Ipv6Addr::from(a).into()),
        _ => None,
    }
}

/// The address of a name below in-addr.arpa or ip6.arpa (RFC 1035 3.5, RFC 3596 2.5).
fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let mut bytes = [0; 4];
        let mut labels = labels.split('.');
        for byte in bytes.iter_mut().rev() {
            *byte = labels.next()?.parse().ok()?;
        }
        return labels.next().is_none().then(|| Ipv4Addr::from(bytes).into());
    }
    let labels = name.strip_suffix(".ip6.arpa")?;
    let mut number = 0u128;
    let mut count = 0;
    for (place, label) in labels.split('.').enumerate() {
        let digit = u128::from_str_radix(label, 16).ok().filter(|_| label.len() == 1)?;
        number |= digit.checked_shl(4 * u32::try_from(place).ok()?)?;
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from(number).into())
}

/// The name in first-level encoding (RFC 1001 14.1): 32 letters for 16 bytes, the last of which is the kind of name.
/// `None` unless it names a computer.
fn netbios(encoded: &str) -> Option<String> {
    /// A workstation or a file server (Microsoft KB 163409).
    const OF_HOSTS: [u8; 2] = [0x00, 0x20];
    let label = encoded.split('.').next()?.as_bytes();
    if label.len() != 32 || !label.iter().all(|b| matches!(b, b'a'..=b'p')) {
        return None;
    }
    let bytes: Vec<u8> =
        label.chunks_exact(2).map(|p| (p[0] - b'a') << 4 | (p[1] - b'a')).collect();
    let (kind, name) = bytes.split_last()?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    let name = name.trim_end_matches([' ', '\0']).to_lowercase();
    (OF_HOSTS.contains(kind) && is_host(&name)).then_some(name)
}
