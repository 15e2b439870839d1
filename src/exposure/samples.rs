//! Findings for the tests of this stage and of the outputs.

use super::types::{EventId, FindingEvent};
use crate::capture::{PacketRef, PacketSpan};
use crate::content::{Evidence, Mark};
use crate::flow::{Direction, FlowInfo, Transport};
use crate::identify::{DisplayValue, Finding, Identifier, Token};
use crate::protocol::{Authentication, DicomFacts, MessageFacts, ServiceFacts, WebFacts};
use crate::rules::{AlertRule, Kind, RuleSet};
use crate::time::{Span, Timestamp};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// 2026-03-01T10:15:02Z.
pub(crate) const T0: Timestamp = Timestamp(1_772_360_102_000_000_000);
/// The key of sample ids.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// `T0` and `seconds`.
pub(crate) fn at(seconds: i64) -> Timestamp {
    T0 + Span::seconds(seconds)
}

/// The packet that was captured then, in a capture with one packet a second from `T0` on.
pub(crate) fn packet(time: Timestamp) -> PacketRef {
    let number = (time - T0).0.div_euclid(1_000_000_000) + 1;
    PacketRef { number: u64::try_from(number).unwrap_or(1), time, interface: 0 }
}

/// The token of sample person `n`.
pub(crate) fn token(n: u64) -> Token {
    let hash = blake3::hash(&n.to_be_bytes());
    Token::of(hash.as_bytes()[..12].try_into().expect("12 bytes"))
}

fn alert() -> Arc<AlertRule> {
    static ALERT: OnceLock<Arc<AlertRule>> = OnceLock::new();
    let load = || {
        let dir = tempfile::tempdir().expect("folder");
        let rule = "[[alert]]\nid = \"a-sample\"\ntitle = \"Patient identifiers in a cleartext DICOM data set\"\n\
                    content = [\"*\"]\nany_of = [\"name\"]\n";
        std::fs::write(dir.path().join("sample.toml"), rule).expect("file");
        let rules = RuleSet::load(Some(dir.path())).expect("rules");
        rules.policy.alerts.iter().find(|a| a.id == "a-sample").expect("rule").clone()
    };
    ALERT.get_or_init(load).clone()
}

/// An identifier as `identify` passes it on, masked.
pub(crate) fn identifier(kind: Kind, masked: &str, field: &str) -> Identifier {
    Identifier {
        kind,
        shown: DisplayValue::of(masked, true),
        token: token(1000 + kind as u64),
        // Numbers of patients have an issuer.
        unissued: token(if kind == Kind::PatientId { 2000 } else { 1000 } + kind as u64),
        field: field.into(),
        rule: "dicom-patient-name".into(),
        confidence: 0.9,
        evidence: Evidence::Declared,
    }
}

/// What a sample consists of; `..Default::default()` is a DICOM query response inside the home networks.
pub(crate) struct Sample {
    pub client: &'static str,
    pub server: &'static str,
    pub protocol: &'static str,
    pub patient: u64,
    pub time: Timestamp,
    pub update: bool,
    /// New ones.
    pub records: u32,
    /// Kinds that a revision adds.
    pub new_kinds: Vec<Kind>,
    pub kinds: Vec<(Kind, &'static str)>,
    pub operation: &'static str,
    pub marks: Vec<Mark>,
    pub facts: ServiceFacts,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            client: "10.1.7.20:50112",
            server: "10.1.2.3:11112",
            protocol: "dicom",
            patient: 1,
            time: T0,
            update: false,
            records: 1,
            new_kinds: Vec::new(),
            kinds: vec![
                (Kind::Name, "D**^J***"),
                (Kind::PatientId, "******78"),
                (Kind::BirthDate, "1959****"),
            ],
            operation: "C-FIND",
            marks: Vec::new(),
            facts: ServiceFacts {
                dicom: Some(Box::new(DicomFacts {
                    calling_aet: Some("WS9".into()),
                    called_aet: Some("ORTHANC".into()),
                    ..DicomFacts::default()
                })),
                ..ServiceFacts::default()
            },
        }
    }
}

impl Sample {
    /// The finding.
    pub(crate) fn build(self) -> FindingEvent {
        let address = |text: &str| text.parse::<SocketAddr>().expect("address");
        let flow = FlowInfo {
            client: address(self.client),
            server: address(self.server),
            transport: Transport::Tcp,
            vlan: 0,
            inner_vlan: 0,
            started: T0,
            initial: None,
            interface: 0,
            announced_by: None,
        };
        let patient = token(self.patient);
        let kinds = self.kinds.iter().map(|(kind, _)| *kind).collect();
        let identifiers =
            self.kinds.into_iter().map(|(kind, text)| identifier(kind, text, "(0010,0010)"));
        FindingEvent {
            paid: true,
            announces: true,
            id: EventId::of_finding(&KEY, &flow, &patient),
            flow,
            protocol: self.protocol,
            finding: Finding {
                ordinal: u32::try_from(self.patient).expect("few patients"),
                update: self.update,
                time: self.time,
                packets: PacketSpan::of(packet(self.time)),
                patient,
                traits: Default::default(),
                identifiers: Arc::new(identifiers.collect()),
                kinds,
                new_kinds: if self.update {
                    self.new_kinds.iter().copied().collect()
                } else {
                    kinds
                },
                records: self.records,
                new_records: self.records,
                alert: alert(),
                direction: Direction::ServerToClient,
                operation: self.operation.into(),
                carrier: Arc::from([self.protocol]),
                marks: self.marks.into_iter().collect(),
                facts: Arc::new(self.facts),
            },
            person: None,
            records: self.records.into(),
            clients: 1,
        }
    }
}

/// An HL7 sender outside that talks to an interface engine inside.
pub(crate) fn hl7(patient: u64) -> Sample {
    Sample {
        client: "203.0.113.9:40100",
        server: "10.1.2.9:2575",
        protocol: "hl7",
        patient,
        kinds: vec![(Kind::Name, "M*****^A**"), (Kind::Ssn, "*******89")],
        operation: "ADT^A01",
        marks: vec![Mark::Diagnosis],
        facts: ServiceFacts {
            messages: Some(Box::new(MessageFacts {
                sending_application: Some("REGADT".into()),
                receiving_application: Some("ENGINE".into()),
                version: Some("2.5.1".into()),
                acknowledged: Some(true),
                ..MessageFacts::default()
            })),
            ..ServiceFacts::default()
        },
        ..Sample::default()
    }
}

/// An HTTP client inside that logs in with Basic at a server outside.
pub(crate) fn http(patient: u64) -> Sample {
    Sample {
        client: "10.1.7.31:51000",
        server: "[2001:db8::15]:8080",
        protocol: "http",
        patient,
        kinds: vec![(Kind::Name, "S****"), (Kind::Email, "s***@***")],
        operation: "GET",
        facts: ServiceFacts {
            authentication: Authentication::Basic,
            credentials_in_clear: true,
            application: Some("http/1.1".into()),
            web: Some(Box::new(WebFacts {
                method: Some("GET".into()),
                host: Some("portal.example".into()),
                path: Some("/patients/*".into()),
                status: Some(200),
            })),
            ..ServiceFacts::default()
        },
        ..Sample::default()
    }
}
