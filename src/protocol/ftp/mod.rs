//! FTP (RFC 959) with IPv6 (RFC 2428) and TLS (RFC 4217). The control connection shows logins and transfers; each
//! file or listing uses its own data connection, which the control connection announces.

mod address;
mod control;
mod data;
mod facts;

#[cfg(test)]
mod tests;

use super::{Parser, Position, Probe, Protocol, Role, Roles, ServiceFacts, Speaker, line};
pub use facts::FileFacts;
use memchr::memchr;

/// Longest line, bytes.
const MAX_LINE: usize = 8 << 10;

/// Longest line that is looked at in mid-stream, bytes.
const MAX_MIDDLE: usize = 128;

/// FTP.
pub struct Ftp;

impl Protocol for Ftp {
    fn name(&self) -> &'static str {
        "ftp"
    }

    fn probe(&self, data: &[u8], at: Position) -> Probe {
        // POP3 has USER too, but its server greets with `+OK`: a user name alone is not decisive.
        const AUTH: &[u8] = b"AUTH TLS\r\n";
        const USER: &[u8] = b"USER ";
        const GREETING: &[u8] = b"220";
        if at == Position::Midstream {
            let found = line::starts(data).find_map(|at| Some((at, middle(data.get(at..)?)?)));
            return found.map_or(Probe::No, |(offset, speaker)| Probe::Yes { speaker, offset });
        }
        for (word, speaker) in [(AUTH, Speaker::Client), (GREETING, Speaker::Server)] {
            let head = data.get(..word.len()).unwrap_or(data);
            if word.get(..head.len()).is_some_and(|w| w.eq_ignore_ascii_case(head)) {
                if head.len() < word.len() {
                    return Probe::More;
                }
                if speaker == Speaker::Client {
                    return Probe::yes(speaker);
                }
                return greeting(data);
            }
        }
        let head = data.get(..USER.len()).unwrap_or(data);
        if USER.get(..head.len()).is_some_and(|u| u.eq_ignore_ascii_case(head)) {
            // `USER name`, `PASS word`, and a command that only FTP has, if they arrive together.
            let commands =
                [&b"\nTYPE "[..], b"\nPASV", b"\nEPSV", b"\nSYST", b"\nPORT ", b"\nCWD "];
            let known = commands.iter().any(|c| memchr::memmem::find(data, c).is_some());
            return if known { Probe::yes(Speaker::Client) } else { Probe::More };
        }
        Probe::No
    }

    fn announces_flows(&self) -> bool {
        true
    }

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::FileServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<control::ControlParser>::default()
    }
}

/// Who sends a line that no other protocol has: about the connection for data (RFC 959 4.1.2, RFC 2428), or its type.
fn middle(line: &[u8]) -> Option<Speaker> {
    let end = memchr(b'\n', line.get(..MAX_MIDDLE).unwrap_or(line))?;
    let line = line.get(..end).unwrap_or(line).trim_ascii_end();
    let begins = |word: &[u8]| line.get(..word.len()).is_some_and(|l| l.eq_ignore_ascii_case(word));
    let numbers = |from: usize| {
        let rest = line.get(from..).unwrap_or_default();
        rest.iter().all(|b| b.is_ascii_digit() || *b == b',')
            && rest.iter().filter(|b| **b == b',').count() == 5
    };
    let alone = [&b"PASV"[..], b"EPSV", b"TYPE I", b"TYPE A"];
    if alone.iter().any(|word| line.eq_ignore_ascii_case(word))
        || begins(b"PORT ") && numbers(5)
        || begins(b"EPRT |")
    {
        return Some(Speaker::Client);
    }
    let passive = begins(b"227 ") && memchr(b',', line).is_some();
    let extended = begins(b"229 ") && memchr::memmem::find(line, b"(|||").is_some();
    (passive || extended).then_some(Speaker::Server)
}

/// `220` and a line that names the protocol; mail servers have a similar greeting.
fn greeting(data: &[u8]) -> Probe {
    let end = memchr(b'\n', data);
    let line = data.get(..end.unwrap_or(data.len())).unwrap_or(data);
    if !matches!(line.get(3), None | Some(b' ' | b'-')) || line.len() > MAX_LINE {
        return Probe::No;
    }
    match end {
        _ if line.windows(3).any(|w| w.eq_ignore_ascii_case(b"FTP")) => Probe::yes(Speaker::Server),
        None => Probe::More,
        Some(_) => Probe::No,
    }
}
