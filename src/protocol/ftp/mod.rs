//! FTP (RFC 959) with IPv6 (RFC 2428) and TLS (RFC 4217). The control connection shows logins and transfers; each
//! file or listing uses its own data connection, which the control connection announces.

mod address;
mod control;
mod data;
mod facts;

#[cfg(test)]
mod tests;

use super::{Parser, Position, Probe, Protocol, Role, Roles, ServiceFacts, Speaker};
pub use facts::FileFacts;
use memchr::memchr;

/// Longest line, bytes.
const MAX_LINE: usize = 8 << 10;

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
            return Probe::No;
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

    fn roles(&self, _facts: &ServiceFacts, _content: &str) -> Roles {
        Roles::server(Role::FileServer)
    }

    fn open(&self) -> Box<dyn Parser> {
        Box::<control::ControlParser>::default()
    }
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
