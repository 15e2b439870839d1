//! What a protocol learns of the service behind a flow: the facts of `phi.service`.

use crate::rules::{Secret, ServiceKind};
use std::sync::Arc;

/// Facts about a service. Never credentials. Texts are as on the wire, cut to
/// [`ServiceFacts::MAX_TEXT`] bytes by [`ServiceFacts::set`]; anybody may have put a name or a number
/// into them, so `identify` masks what may be a person's before they leave the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    /// Whether the payload is encrypted.
    pub encrypted: bool,
    /// How the client proved who it is.
    pub authentication: Authentication,
    /// A secret crossed the wire in clear. The secret itself is never kept.
    pub credentials_in_clear: bool,
    /// What kinds of secrets crossed a web service's wire in clear, each once.
    pub credentials: Vec<Secret>,
    /// What a web service's answers show of it, each once.
    pub interfaces: Vec<Interface>,
    /// DICOM calling application entity title.
    pub calling_aet: Option<String>,
    /// DICOM called application entity title.
    pub called_aet: Option<String>,
    /// DICOM implementation class UID of the requestor, then of the acceptor.
    pub implementation_class: [Option<String>; 2],
    /// DICOM implementation version name of the requestor, then of the acceptor.
    pub implementation_version: [Option<String>; 2],
    /// SOP class UIDs that were used.
    pub sop_classes: Vec<String>,
    /// Transfer syntax UIDs that were used.
    pub transfer_syntaxes: Vec<String>,
    /// DIMSE operations seen (`C-STORE`, `C-ECHO`), PS3.7.
    pub dimse: Vec<String>,
    /// DICOM modalities of the instances sent, (0008,0060).
    pub modalities: Vec<String>,
    /// DICOM station that made an instance, (0008,1010).
    pub station: Option<String>,
    /// DICOM institution an instance comes from, (0008,0080).
    pub institution: Option<String>,
    /// HL7 MSH-3.
    pub sending_application: Option<String>,
    /// HL7 MSH-4.
    pub sending_facility: Option<String>,
    /// HL7 MSH-5.
    pub receiving_application: Option<String>,
    /// HL7 MSH-6.
    pub receiving_facility: Option<String>,
    /// HL7 MSH-12.
    pub version: Option<String>,
    /// HL7 MSH-11: `P`, `T` or `D`.
    pub processing_id: Option<String>,
    /// HL7 message types seen, `ADT^A01`.
    pub message_types: Vec<String>,
    /// How many messages of each of these types came.
    pub messages: Vec<(String, u64)>,
    /// Whether messages were acknowledged.
    pub acknowledged: Option<bool>,
    /// How many acknowledgments came with each code (`AA`, `AE`, `AR`, HL7 table 0008).
    pub acknowledgments: Vec<(String, u64)>,
    /// Method of the last request: of HTTP, or the command of a file transfer.
    pub method: Option<String>,
    /// Who logged in, by the name of the account.
    pub user: Option<String>,
    /// HTTP host.
    pub host: Option<String>,
    /// Path with anything that may identify a person masked.
    pub path: Option<String>,
    /// HTTP status of the last response.
    pub status: Option<u16>,
    /// Server software, as it names itself.
    pub software: Option<String>,
    /// `http/1.1`, `http/2`, `websocket`...: `network.application`.
    pub application: Option<String>,
    /// Refused association, with the source and reason (PS3.8 9.3.4).
    pub rejected: Option<String>,
    /// Aborted, with the source and reason (PS3.8 9.3.8).
    pub aborted: Option<String>,
    /// What a DICOM association negotiated.
    pub association: Option<Box<Association>>,
    /// Some of the texts are masked for now, and may be shown when the flow has ended.
    pub withheld: bool,
    /// Tells calling titles apart where they are masked; 0: they are not.
    pub calling_key: u64,
}

/// What a text among the facts is: what may stand in it, and so what of it may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextKind {
    /// A name that somebody gave a system: a title, a host, a banner, an account.
    Name,
    /// The name of an organisation or a part of it.
    Organisation,
    /// Who exchanges messages: an application or an organisation.
    Party,
    /// The path of a resource or a file.
    Path,
    /// A code of a standard: a type of message, a method.
    Code,
    /// A DICOM unique identifier (PS3.5 9).
    Uid,
    /// The version of a standard.
    Version,
}

/// What a DICOM association negotiated (PS3.8 9.3, PS3.7 annex D), and what was asked over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// Whether it came about; none if the answer was not seen.
    pub outcome: Option<Outcome>,
    /// Presentation contexts proposed, and accepted.
    pub contexts: [u16; 2],
    /// Longest P-DATA-TF PDU that the requestor takes, and the acceptor; 0: any.
    pub max_pdu: [Option<u32>; 2],
    /// How the user was identified: `username`, `passcode`, `kerberos`, `saml`, `jwt`.
    pub user_identity: Option<&'static str>,
    /// The acceptor confirmed the user identity.
    pub identity_confirmed: bool,
    /// Operations that may be under way at once, invoked by the requestor and by the acceptor
    /// (0: any), as accepted, or as proposed until then.
    pub asynchronous: Option<[u16; 2]>,
    /// SOP classes in which the requestor would be the provider, and in which the acceptor agrees
    /// (C-GET sends back like this).
    pub provider_roles: [u16; 2],
    /// SOP classes with extended negotiation.
    pub extended: Vec<String>,
    /// Application entity titles that a C-MOVE names as its destination.
    pub move_destinations: Vec<String>,
    /// Application entity titles for whose C-MOVE objects were sent.
    pub move_originators: Vec<String>,
}

/// What became of a request for an association.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Accepted.
    Accepted,
    /// Refused: the calling application entity title is not known.
    CallingRefused,
    /// Refused: the called application entity title is not that of the service.
    CalledRefused,
    /// Refused for another reason.
    Refused,
}

impl Outcome {
    /// As `phi.service.association.outcome` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::CallingRefused => "calling-ae-title-not-recognized",
            Self::CalledRefused => "called-ae-title-not-recognized",
            Self::Refused => "rejected",
        }
    }
}

impl ServiceFacts {
    /// Calls `of` with every text that comes from the wire. Texts of our own are left out.
    pub fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        use TextKind::{Code, Name, Organisation, Party, Path, Uid, Version};
        let [client_class, server_class] = &mut self.implementation_class;
        let [client_version, server_version] = &mut self.implementation_version;
        for (kind, slot) in [
            (Name, &mut self.calling_aet),
            (Name, &mut self.called_aet),
            (Uid, client_class),
            (Uid, server_class),
            (Name, client_version),
            (Name, server_version),
            (Name, &mut self.station),
            (Organisation, &mut self.institution),
            (Party, &mut self.sending_application),
            (Organisation, &mut self.sending_facility),
            (Party, &mut self.receiving_application),
            (Organisation, &mut self.receiving_facility),
            (Version, &mut self.version),
            (Code, &mut self.processing_id),
            (Code, &mut self.method),
            (Name, &mut self.user),
            (Name, &mut self.host),
            (Path, &mut self.path),
            (Name, &mut self.software),
        ] {
            slot.iter_mut().for_each(|text| of(kind, text));
        }
        for (kind, list) in [
            (Uid, &mut self.sop_classes),
            (Uid, &mut self.transfer_syntaxes),
            (Code, &mut self.modalities),
            (Code, &mut self.message_types),
        ] {
            list.iter_mut().for_each(|text| of(kind, text));
        }
        for (text, _) in self.messages.iter_mut().chain(&mut self.acknowledgments) {
            of(Code, text);
        }
        if let Some(association) = &mut self.association {
            association.extended.iter_mut().for_each(|text| of(Uid, text));
            let titles = association.move_destinations.iter_mut();
            titles.chain(&mut association.move_originators).for_each(|text| of(Name, text));
        }
    }

    /// Longest text kept, bytes.
    pub const MAX_TEXT: usize = 256;
    /// Longest list kept.
    pub const MAX_LIST: usize = 16;

    /// What is known of the DICOM association.
    pub fn association(&mut self) -> &mut Association {
        self.association.get_or_insert_default()
    }
    /// A secret of this kind crossed the wire in clear.
    pub fn secret(&mut self, secret: Secret) {
        // What a cookie opens is over soon, and most say no more than who came back.
        self.credentials_in_clear |= secret != Secret::SessionCookie;
        if !self.credentials.contains(&secret) {
            self.credentials.push(secret);
        }
    }

    /// A password crossed the wire in clear (USER and PASS, AUTH PLAIN, a simple bind...).
    pub const fn password_in_clear(&mut self) {
        self.authentication = Authentication::Basic;
        self.credentials_in_clear = true;
    }

    /// The client showed who it is. The stronger proof stays.
    pub fn shown(&mut self, how: Authentication) {
        use Authentication::{Cookie, None, Unknown};
        let stronger = match self.authentication {
            None => how != None,
            Unknown => !matches!(how, None),
            Cookie => !matches!(how, None | Unknown),
            _ => false,
        };
        if stronger {
            self.authentication = how;
        }
    }

    /// An answer showed what the service is; `open`: the client had not shown who it is.
    pub fn interface(&mut self, kind: ServiceKind, product: &Arc<str>, open: bool) {
        let all = &mut self.interfaces;
        if let Some(known) = all.iter_mut().find(|i| i.kind == kind && i.product == *product) {
            known.open |= open;
        } else if all.len() < Self::MAX_LIST {
            all.push(Interface { kind, product: Arc::clone(product), open });
        }
    }

    /// The same with what was known of the service before: associations differ in what they show.
    pub fn after(&self, before: &Self) -> Self {
        let mut facts = self.clone();
        for (list, earlier) in [
            (&mut facts.sop_classes, &before.sop_classes),
            (&mut facts.transfer_syntaxes, &before.transfer_syntaxes),
            (&mut facts.dimse, &before.dimse),
            (&mut facts.modalities, &before.modalities),
        ] {
            earlier.iter().filter(|t| is_whole(t)).for_each(|text| Self::add(list, text));
        }
        for (slot, earlier) in [
            (&mut facts.station, &before.station),
            (&mut facts.institution, &before.institution),
            (&mut facts.rejected, &before.rejected),
            (&mut facts.aborted, &before.aborted),
        ] {
            if slot.is_none() {
                slot.clone_from(earlier);
            }
        }
        facts.credentials_in_clear |= before.credentials_in_clear;
        if let (Some(now), Some(before)) = (&mut facts.association, &before.association) {
            for (list, earlier) in [
                (&mut now.move_destinations, &before.move_destinations),
                (&mut now.move_originators, &before.move_originators),
            ] {
                earlier.iter().filter(|t| is_whole(t)).for_each(|text| Self::add(list, text));
            }
        }
        facts
    }

    /// Sets `slot` to `text`, trimmed and cut; blank text leaves it as it was.
    pub fn set(slot: &mut Option<String>, text: &str) {
        let text = cut(text.trim_matches([' ', '\0']));
        if !text.is_empty() && slot.as_deref() != Some(text) {
            *slot = Some(text.to_owned());
        }
    }

    /// Counts `text` in `list`, if it is there or there is room.
    pub fn count(list: &mut Vec<(String, u64)>, text: &str) {
        let text = cut(text.trim_matches([' ', '\0']));
        let room = list.len() < Self::MAX_LIST;
        match list.iter_mut().find(|(known, _)| known == text) {
            Some((_, n)) => *n = n.saturating_add(1),
            None if room && !text.is_empty() => list.push((text.to_owned(), 1)),
            None => {}
        }
    }

    /// Adds `text` to `list` if it is new and there is room.
    pub fn add(list: &mut Vec<String>, text: &str) {
        let text = cut(text.trim_matches([' ', '\0']));
        if !text.is_empty() && list.len() < Self::MAX_LIST && !list.iter().any(|t| t == text) {
            list.push(text.to_owned());
        }
    }
}

/// Whether nothing of a text is masked: then it is no other spelling of one that is not.
fn is_whole(text: &str) -> bool {
    !text.contains('*')
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(ServiceFacts::MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What a web service's answers show of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What it is.
    pub kind: ServiceKind,
    /// As the rule names it.
    pub product: Arc<str>,
    /// It answered a client that had not shown who it is.
    pub open: bool,
}

/// How a client proved who it is (`phi.service.authentication`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Authentication {
    /// Nothing was asked or shown.
    #[default]
    None,
    /// HTTP Basic (RFC 7617): in clear.
    Basic,
    /// HTTP Bearer (RFC 6750): replayable in clear.
    Bearer,
    /// A key in a header or a query.
    ApiKey,
    /// A session cookie.
    Cookie,
    /// HTTP Digest (RFC 7616).
    Digest,
    /// DICOM user identity (PS3.7 D.3.3.7); a user known to a file server (MS-SMB2 3.3.5.5).
    UserIdentity,
    /// A client certificate.
    ClientCertificate,
    /// Not visible (mid-stream, one direction).
    Unknown,
}

impl Authentication {
    /// As `phi.service.authentication` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::ApiKey => "api-key",
            Self::Cookie => "cookie",
            Self::Digest => "digest",
            Self::UserIdentity => "user-identity",
            Self::ClientCertificate => "client-certificate",
            Self::Unknown => "unknown",
        }
    }
}
