//! What closes an exposure: one sentence for each thing that is wrong with it, the most urgent first.

use crate::content::{Mark, MarkSet};
use crate::exposure::{Answers, Exposure, NetworkDirection};
use crate::protocol::Authentication;
use crate::severity::Severity;

/// Something to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::output) enum Remedy {
    /// The client is in a foreign network.
    CloseToOutside,
    /// The server is in a foreign network.
    KeepInside,
    /// The service was seen to answer any client.
    RequireLogin,
    /// Secrets crossed in clear.
    ChangePasswords,
    /// DICOM without TLS.
    DicomTls,
    /// HL7 without TLS.
    Hl7Tls,
    /// HTTP without TLS.
    Https,
    /// Mail without TLS.
    MailTls,
    /// Files over a protocol without TLS.
    FileTls,
    /// A database without TLS.
    DatabaseTls,
    /// Anything else without TLS.
    Tls,
}

impl Remedy {
    /// Every one, the most urgent first.
    pub const ALL: [Self; 11] = [
        Self::CloseToOutside,
        Self::KeepInside,
        Self::RequireLogin,
        Self::ChangePasswords,
        Self::DicomTls,
        Self::Hl7Tls,
        Self::Https,
        Self::MailTls,
        Self::FileTls,
        Self::DatabaseTls,
        Self::Tls,
    ];

    /// As a sentence without its end, for the summary and for events.
    pub const fn text(self) -> &'static str {
        match self {
            Self::CloseToOutside => "Close the port to other networks, or put it behind a VPN",
            Self::KeepInside => "Stop sending to the foreign network, or send through a VPN",
            Self::RequireLogin => "Require a login; for DICOM, accept known titles and hosts only",
            Self::ChangePasswords => "Change the passwords and keys that crossed in clear",
            Self::DicomTls => "Switch on TLS for DICOM (PS3.15 annex B)",
            Self::Hl7Tls => "Send HL7 over TLS (MLLP over TLS, IHE ATNA)",
            Self::Https => "Serve over HTTPS and turn plain HTTP off",
            Self::MailTls => "Require STARTTLS, or encrypt the mail itself (S/MIME)",
            Self::FileTls => "Move the files to SFTP, FTPS or SMB 3 with encryption",
            Self::DatabaseTls => "Require TLS for connections to the database",
            Self::Tls => "Send through TLS or an encrypted tunnel",
        }
    }

    /// What to do about an exposure, the most urgent first.
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

/// Why an exposure is as severe as it is, in one sentence. It shows nothing from the wire.
pub(in crate::output) fn reason(e: &Exposure) -> String {
    let open = e.facts.interfaces.iter().any(|i| i.open);
    let anyone = e.access.answers() == Answers::Anyone || open;
    let fraud = e.kinds.iter().any(|(kind, _)| kind.opens_accounts());
    let marks: MarkSet = e.marks.iter().copied().collect();
    let health = !marks.health().is_empty();
    let (test, deidentified) = (marks.contains(Mark::Test), marks.contains(Mark::Deidentified));
    let worse = [
        (e.direction == NetworkDirection::Inbound, "the client is outside the home networks"),
        (e.direction == NetworkDirection::Outbound, "the server is outside the home networks"),
        (e.direction == NetworkDirection::External, "both ends are outside the home networks"),
        (anyone, "the service answers whoever asks"),
        (!anyone && e.facts.authentication == Authentication::None, "no login was asked for"),
        (e.facts.credentials_in_clear, "passwords or keys crossed as well"),
        (fraud, "numbers that open accounts are among the identifiers"),
        (health, "health data is beside the identifiers"),
        (e.patients.value >= 10, "there are many patients"),
    ];
    let better = [
        (test, "the source calls it test data"),
        (deidentified, "the source calls it de-identified"),
    ];
    let of = |list: &[(bool, &'static str)]| -> Vec<&'static str> {
        list.iter().filter(|(is, _)| *is).map(|(_, text)| *text).collect()
    };
    let (worse, better) = (of(&worse), of(&better));
    let mut text = format!(
        "Severity {} ({}): patient data crossed in cleartext over {}",
        e.severity,
        Severity::of(e.severity).as_str(),
        e.protocol
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
