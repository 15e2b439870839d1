//! The share of encrypted traffic to a service.

use crate::exposure::Conversation;
use crate::protocol::tls::OVER_TLS;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Distinct services; further ones are only counted.
const MAX_SERVICES: usize = 65_536;

/// Flows of a service.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(in crate::output) struct Share {
    /// In cleartext.
    pub clear: u64,
    /// Encrypted.
    pub encrypted: u64,
}

impl Share {
    /// `98 % encrypted, 2 % clear`; `None` if nothing was seen.
    pub fn text(self) -> Option<String> {
        let all = self.clear.checked_add(self.encrypted).filter(|all| *all > 0)?;
        // Neither part is rounded to zero.
        let percent = (self.encrypted.saturating_mul(100) + all / 2) / all;
        let least = u64::from(self.encrypted > 0);
        let most = 100 - u64::from(self.clear > 0);
        let percent = percent.clamp(least, most);
        Some(format!("{percent} % encrypted, {} % clear", 100 - percent))
    }
}

/// Flows by service and protocol.
#[derive(Default)]
pub(in crate::output) struct Shares {
    clear: BTreeMap<(SocketAddr, &'static str), u64>,
    encrypted: BTreeMap<SocketAddr, u64>,
    /// Flows of services that found no room.
    pub left: u64,
}

impl Shares {
    /// Counts a flow.
    pub fn take(&mut self, of: &Conversation) {
        let (_, server) = of.flow.parties();
        let full = self.clear.len() + self.encrypted.len() >= MAX_SERVICES;
        let count = match of.protocol {
            Some(protocol) if !full || self.clear.contains_key(&(server, protocol)) => {
                self.clear.entry((server, protocol)).or_default()
            }
            None if !full || self.encrypted.contains_key(&server) => {
                self.encrypted.entry(server).or_default()
            }
            _ => &mut self.left,
        };
        *count = count.saturating_add(1);
    }

    /// Flows to a service in cleartext, and encrypted at its own port or at the host's port for the same protocol
    /// over TLS.
    pub fn of(&self, server: SocketAddr, protocol: &str) -> Share {
        let ports = OVER_TLS.iter().filter(|(_, of)| *of == protocol).map(|(port, _)| *port);
        let ports: BTreeSet<u16> = ports.chain([server.port()]).collect();
        let at = |port| self.encrypted.get(&SocketAddr::new(server.ip(), port)).copied();
        let from = (server, "");
        let mut of_server = self.clear.range(from..).take_while(|((at, _), _)| *at == server);
        let clear = of_server.find(|((_, of), _)| *of == protocol);
        Share {
            clear: clear.map_or(0, |(_, n)| *n),
            encrypted: ports.into_iter().filter_map(at).fold(0, u64::saturating_add),
        }
    }

    /// Every service that was seen encrypted, with its flows and the protocol of its port.
    pub fn encrypted(&self) -> impl Iterator<Item = (SocketAddr, u64, Option<&'static str>)> {
        self.encrypted.iter().map(|(server, n)| {
            let of = OVER_TLS.iter().find(|(port, _)| *port == server.port());
            (*server, *n, of.map(|(_, protocol)| *protocol))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure::samples::{Sample, T0};

    fn conversation(server: &str, protocol: Option<&'static str>) -> Conversation {
        let mut flow = Sample::default().build().flow;
        flow.server = server.parse().expect("an address");
        Conversation { time: T0, flow, protocol, bytes: 100 }
    }

    #[test]
    fn the_same_host_over_tls_is_the_counterpart() {
        let mut shares = Shares::default();
        shares.take(&conversation("10.1.2.3:104", Some("dicom")));
        for _ in 0..49 {
            shares.take(&conversation("10.1.2.3:2762", None));
        }
        shares.take(&conversation("10.1.2.4:2762", None));
        let archive = "10.1.2.3:104".parse().expect("an address");
        let share = shares.of(archive, "dicom");
        assert_eq!(share, Share { clear: 1, encrypted: 49 });
        assert_eq!(share.text().as_deref(), Some("98 % encrypted, 2 % clear"));
        assert_eq!(
            shares.encrypted().map(|(_, n, of)| (n, of)).collect::<Vec<_>>(),
            [(49, Some("dicom")), (1, Some("dicom"))]
        );
    }

    #[test]
    fn neither_part_is_rounded_away() {
        for (clear, encrypted, text) in [
            (1, 100_000, "99 % encrypted, 1 % clear"),
            (100_000, 1, "1 % encrypted, 99 % clear"),
            (3, 0, "0 % encrypted, 100 % clear"),
            (0, 3, "100 % encrypted, 0 % clear"),
        ] {
            assert_eq!(Share { clear, encrypted }.text().as_deref(), Some(text));
        }
        assert_eq!(Share::default().text(), None);
    }
}
