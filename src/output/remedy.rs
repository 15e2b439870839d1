//! How to close an exposure: one sentence for each problem, the most urgent first.

use crate::closed_set::closed_set;
use crate::content::{Mark, MarkSet};
use crate::exposure::{Answers, Exposure, NetworkDirection};
use crate::protocol::Authentication;
use crate::rules::Kind;
use crate::severity::Severity;
use serde_json::Value;

closed_set! {
    /// An action, as a sentence without its end for the summary and for events.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub(in crate::output) enum Remedy {
        /// The client is in a foreign network.
        CloseToOutside = "Close the port to other networks, or put it behind a VPN",
        /// The server is in a foreign network.
        KeepInside = "Stop sending to the foreign network, or send through a VPN",
        /// The service was seen to answer any client.
        RequireLogin = "Require a login; for DICOM, accept known titles and hosts only",
        /// Secrets crossed the wire in cleartext.
        ChangePasswords = "Change the passwords and keys that crossed in clear",
        /// DICOM without TLS.
        DicomTls = "Switch on TLS for DICOM (PS3.15 annex B)",
        /// HL7 without TLS.
        Hl7Tls = "Send HL7 over TLS (MLLP over TLS, IHE ATNA)",
        /// HTTP without TLS.
        Https = "Serve over HTTPS and turn plain HTTP off",
        /// Mail without TLS.
        MailTls = "Require STARTTLS, or encrypt the mail itself (S/MIME)",
        /// Files over a protocol without TLS.
        FileTls = "Move the files to SFTP, FTPS or SMB 3 with encryption",
        /// A database without TLS.
        DatabaseTls = "Require TLS for connections to the database",
        /// Anything else without TLS.
        Tls = "Send through TLS or an encrypted tunnel",
    }
}

impl Remedy {
    /// The actions for an exposure, the most urgent first.
    pub fn of(e: &Exposure) -> Vec<Self> {
        let open = e.facts.interfaces.iter().any(|i| i.open);
        let asked = e.facts.authentication != Authentication::None;
        let transport = match e.protocol {
            "dicom" => Self::DicomTls,
            "hl7" => Self::Hl7Tls,
            "http" => Self::Https,
            "smtp" => Self::MailTls,
            "ftp" | "tftp" | "smb" | "nfs" | "rsync" => Self::FileTls,
            "mysql" | "postgresql" | "tds" | "mongodb" | "cassandra" | "redis" | "ldap" => {
                Self::DatabaseTls
            }
            _ => Self::Tls,
        };
        let wrong = [
            (e.direction == NetworkDirection::Inbound, Self::CloseToOutside),
            (
                matches!(e.direction, NetworkDirection::Outbound | NetworkDirection::External),
                Self::KeepInside,
            ),
            (e.access.answers() == Answers::Anyone || open && !asked, Self::RequireLogin),
            (e.facts.credentials_in_clear, Self::ChangePasswords),
            (true, transport),
        ];
        wrong.into_iter().filter(|(is, _)| *is).map(|(_, remedy)| remedy).collect()
    }
}

/// The place of a remedy in a list: the most urgent first, unknown ones last.
pub fn urgency(remedy: &str) -> usize {
    Remedy::ALL.iter().position(|known| known.as_str() == remedy).unwrap_or(Remedy::ALL.len())
}

/// The remedy for a service that answers any client.
pub const fn login_remedy() -> &'static str {
    Remedy::RequireLogin.as_str()
}

/// What makes an exposure as severe as it is.
struct Grounds<'a> {
    severity: u8,
    protocol: &'a str,
    direction: Option<NetworkDirection>,
    anyone: bool,
    without_login: bool,
    credentials: bool,
    fraud: bool,
    marks: MarkSet,
    patients: u64,
}

impl<'a> From<&'a Exposure> for Grounds<'a> {
    fn from(e: &'a Exposure) -> Self {
        let open = e.facts.interfaces.iter().any(|i| i.open);
        Self {
            severity: e.severity,
            protocol: e.protocol,
            direction: Some(e.direction),
            anyone: e.access.answers() == Answers::Anyone || open,
            without_login: e.facts.authentication == Authentication::None,
            credentials: e.facts.credentials_in_clear,
            fraud: e.kinds.iter().any(|(kind, _)| kind.opens_accounts()),
            marks: e.marks.iter().copied().collect(),
            patients: e.patients.value,
        }
    }
}

impl<'a> From<&'a Value> for Grounds<'a> {
    fn from(event: &'a Value) -> Self {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let list = |path: &str| event.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let number = |path: &str| event.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        let direction = text("/network/direction");
        let open = list("/phi/service/interfaces").any(|i| i["open"] == true);
        let kinds = event.pointer("/phi/exposure/identifiers").and_then(Value::as_object);
        let marks = list("/phi/marks").filter_map(|mark| {
            Mark::ALL.into_iter().find(|known| mark.as_str() == Some(known.as_str()))
        });
        Self {
            severity: u8::try_from(number("/event/severity")).unwrap_or(100).min(100),
            protocol: text("/network/protocol"),
            direction: NetworkDirection::ALL.into_iter().find(|d| d.as_str() == direction),
            anyone: text("/phi/service/access/answers") == Answers::Anyone.as_str() || open,
            without_login: text("/phi/service/authentication") == Authentication::None.as_str(),
            credentials: event.pointer("/phi/service/credentials_in_clear")
                == Some(&Value::Bool(true)),
            fraud: kinds
                .into_iter()
                .flatten()
                .any(|(kind, _)| Kind::parse(kind).is_some_and(Kind::opens_accounts)),
            marks: marks.collect(),
            patients: number("/phi/exposure/patients"),
        }
    }
}

/// Why an exposure is as severe as it is, in one sentence. It shows nothing from the wire.
pub(in crate::output) fn reason(e: &Exposure) -> String {
    Grounds::from(e).sentence()
}

/// The same of an exposure's event, whose protocol is a known one or was checked.
pub fn reason_of(event: &Value) -> String {
    Grounds::from(event).sentence()
}

impl Grounds<'_> {
    fn sentence(&self) -> String {
        let from = |direction| self.direction == Some(direction);
        let health = !self.marks.health().is_empty();
        let worse = [
            (from(NetworkDirection::Inbound), "the client is outside the home networks"),
            (from(NetworkDirection::Outbound), "the server is outside the home networks"),
            (from(NetworkDirection::External), "both ends are outside the home networks"),
            (self.anyone, "the service answers whoever asks"),
            (!self.anyone && self.without_login, "no login was asked for"),
            (self.credentials, "passwords or keys crossed as well"),
            (self.fraud, "numbers that open accounts are among the identifiers"),
            (health, "health data is beside the identifiers"),
            (self.patients >= 10, "there are many patients"),
        ];
        let better = [
            (self.marks.contains(Mark::Test), "the source calls it test data"),
            (self.marks.contains(Mark::Deidentified), "the source calls it de-identified"),
        ];
        let of = |list: &[(bool, &'static str)]| -> Vec<&'static str> {
            list.iter().filter(|(is, _)| *is).map(|(_, text)| *text).collect()
        };
        let (worse, better) = (of(&worse), of(&better));
        let mut text = format!(
            "Severity {} ({}): patient data crossed in cleartext over {}",
            self.severity,
            Severity::of(self.severity).as_str(),
            self.protocol
        );
        if !worse.is_empty() {
            text.push_str("; ");
            let (last, others) = worse.split_last().unwrap_or((&"", &[]));
            if !others.is_empty() {
                text.push_str(&others.join(", "));
                text.push_str(" and ");
            }
            text.push_str(last);
        }
        if !better.is_empty() {
            text.push_str("; less severe as ");
            text.push_str(&better.join(" and "));
        }
        text.push('.');
        text
    }
}
