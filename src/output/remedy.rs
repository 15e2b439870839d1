//! How to close an exposure: one sentence for each problem, the most urgent first.

use crate::closed_set::closed_set;
use crate::content::{Mark, MarkSet};
use crate::exposure::{Answers, Exposure, NetworkDirection};
use crate::protocol::Authentication;
use crate::severity::Severity;

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
