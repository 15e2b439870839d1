//! What `--output` names: where events go, in which format, and how the other side is reached.

use crate::closed_set::closed_set;
use crate::remote::{SaslMechanism, TlsFiles};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name in metrics and messages, and of its folder in the spool; none was chosen if empty.
    pub name: String,
    /// Name of an entry of `output::FORMATS`; that of `--format` if none.
    pub format: Option<&'static str>,
    /// Where.
    pub target: Target,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, or a pipe or device that has a path.
    File {
        /// Its path.
        path: PathBuf,
        /// When a new one is begun.
        rotation: Option<Rotation>,
    },
    /// A socket of another program on this machine.
    Unix {
        /// Its path.
        path: PathBuf,
    },
    /// Another machine.
    Remote(Remote),
}

/// When a file is closed and a new one begun; closed files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// At this size, bytes.
    pub bytes: Option<u64>,
    /// At this age.
    pub age: Option<Duration>,
    /// How many closed files are kept; all of them if none.
    pub keep: Option<usize>,
}

/// A service on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// What it speaks.
    pub service: Service,
    /// File with credentials.
    pub credentials: Option<PathBuf>,
    /// The CA that is trusted, and the certificate of phitap.
    pub tls: TlsFiles,
}

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// What another machine speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Syslog (RFC 5424).
    Syslog {
        /// How messages get there.
        transport: Transport,
        /// Where to.
        address: Address,
        /// The facility, 0 to 23.
        facility: u8,
    },
    /// A stream of NATS JetStream.
    Nats {
        /// Addresses of one cluster.
        servers: Vec<String>,
        /// The subject that events are published on.
        subject: String,
    },
    /// A topic of Apache Kafka.
    Kafka {
        /// Bootstrap servers.
        brokers: Vec<Address>,
        /// Whether TLS is used.
        tls: bool,
        /// The topic.
        topic: String,
        /// How user and password are shown.
        sasl: SaslMechanism,
    },
    /// An HTTP server.
    Http {
        /// Whether over TLS.
        tls: bool,
        /// Where to.
        address: Address,
        /// The path, from its slash on.
        path: String,
        /// What it understands.
        api: HttpApi,
        /// The index of Elasticsearch, OpenSearch or Splunk.
        index: Option<String>,
        /// Events of one request at most.
        batch: usize,
    },
}

closed_set! {
    /// How syslog messages get to their server.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Transport {
        /// One message a datagram (RFC 5426).
        Udp = "udp",
        /// Octet counting (RFC 6587 section 3.4.1).
        Tcp = "tcp",
        /// The same over TLS (RFC 5425).
        Tls = "tls",
    }
}

closed_set! {
    /// What an HTTP server understands.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum HttpApi {
        /// Events as lines, or one as a document.
        Webhook = "webhook",
        /// `_bulk` of Elasticsearch.
        Elasticsearch = "elasticsearch",
        /// `_bulk` of OpenSearch.
        Opensearch = "opensearch",
        /// The HTTP Event Collector of Splunk.
        Splunk = "splunk",
    }
}

impl Target {
    /// Its kind, as `--output` writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File { .. } => "file",
            Self::Unix { .. } => "unix",
            Self::Remote(Remote { service, .. }) => match service {
                Service::Syslog { .. } => "syslog",
                Service::Nats { .. } => "nats",
                Service::Kafka { .. } => "kafka",
                Service::Http { .. } => "http",
            },
        }
    }

    /// The file that is written.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether events are handed to somebody, who may be slow or away, one by one.
    pub const fn is_delivered(&self) -> bool {
        matches!(self, Self::Unix { .. } | Self::Remote(_))
    }

    /// The ports that are connected to; none for what needs no connection of TCP.
    pub fn ports(&self) -> Vec<u16> {
        let Self::Remote(remote) = self else { return Vec::new() };
        match &remote.service {
            Service::Syslog { transport: Transport::Udp, .. } => Vec::new(),
            Service::Syslog { address, .. } | Service::Http { address, .. } => vec![address.port],
            Service::Kafka { brokers, .. } => brokers.iter().map(|broker| broker.port).collect(),
            Service::Nats { servers, .. } => {
                servers.iter().map(|server| nats_port(server)).collect()
            }
        }
    }
}

/// The port of an address of NATS.
fn nats_port(server: &str) -> u16 {
    const DEFAULT: u16 = 4222;
    let host = server.rsplit("://").next().unwrap_or_default();
    let after = host.rsplit(']').next().unwrap_or_default();
    after.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(DEFAULT)
}

/// Where events wait for receivers that are slow or away (`--spool`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// The folder; each output has one of its name in it.
    pub folder: PathBuf,
    /// Bytes of each output.
    pub bytes: u64,
    /// How long an event is kept.
    pub age: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_nats_are_found_in_each_form_of_address() {
        for (server, port) in [
            ("nats://broker", 4222),
            ("broker:4333", 4333),
            ("tls://[::1]:4223", 4223),
            ("nats://[::1]", 4222),
        ] {
            assert_eq!(nats_port(server), port, "{server}");
        }
    }
}
