//! Facts that protocols learn about the service behind a flow: `phi.service`.
//!
//! Facts that any service may have. The rest belongs to families of protocols, each in the folder of its protocol;
//! outputs read them through [`FamilyFacts`].

mod family;
mod role;
#[cfg(test)]
mod tests;

pub use family::{Admission, Ends, Fact, FactList, FamilyFacts, Phrase, TextKind};
pub use role::{Role, Roles};

use super::dicom::DicomFacts;
use super::ftp::FileFacts;
use super::http::WebFacts;
use super::mllp::MessageFacts;
use super::tls::TlsFacts;
use crate::closed_set::closed_set;
use crate::rules::{Secret, ServiceKind};
use std::sync::Arc;

/// Facts about a service. Never credentials. Texts are as on the wire, cut to [`ServiceFacts::MAX_TEXT`] bytes by
/// [`ServiceFacts::set`]. They may contain names and numbers of people, so `identify` masks those before facts leave
/// the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceFacts {
    /// How the client authenticated.
    pub authentication: Authentication,
    /// It served a client that did not authenticate, or accepted it as a guest.
    pub anonymous: bool,
    /// A secret crossed the wire in cleartext. The secret itself is never kept.
    pub credentials_in_clear: bool,
    /// Kinds of secrets that crossed a web service's wire in cleartext, each once.
    pub credentials: Vec<Secret>,
    /// Interfaces that a web service's answers show, each once.
    pub interfaces: Vec<Interface>,
    /// Server software, as it names itself.
    pub software: Option<String>,
    /// `http/1.1`, `http/2`, `websocket`...: `network.application`.
    pub application: Option<String>,
    /// Facts from DICOM.
    pub dicom: Option<Box<DicomFacts>>,
    /// Facts from messages.
    pub messages: Option<Box<MessageFacts>>,
    /// Facts from HTTP.
    pub web: Option<Box<WebFacts>>,
    /// Facts from file transfers.
    pub files: Option<Box<FileFacts>>,
    /// Facts from TLS handshakes.
    pub tls: Option<Box<TlsFacts>>,
    /// Some of the texts are masked for now, and may be shown when the flow has ended.
    pub withheld: bool,
    /// Distinguishes masked names by which clients asked to be accepted; 0: not masked.
    pub admission_key: u64,
}

impl ServiceFacts {
    /// Longest text kept, bytes.
    pub const MAX_TEXT: usize = 256;
    /// Longest list kept.
    pub const MAX_LIST: usize = 16;

    /// Facts from DICOM, mutable.
    pub fn dicom(&mut self) -> &mut DicomFacts {
        self.dicom.get_or_insert_default()
    }

    /// Facts from messages, mutable.
    pub fn messages(&mut self) -> &mut MessageFacts {
        self.messages.get_or_insert_default()
    }

    /// Facts from HTTP, mutable.
    pub fn web(&mut self) -> &mut WebFacts {
        self.web.get_or_insert_default()
    }

    /// Facts from file transfers, mutable.
    pub fn files(&mut self) -> &mut FileFacts {
        self.files.get_or_insert_default()
    }

    /// Facts of each family, in the order of events.
    pub fn families(&self) -> impl DoubleEndedIterator<Item = &dyn FamilyFacts> {
        let Self { dicom, messages, web, files, tls, .. } = self;
        let all: [Option<&dyn FamilyFacts>; 5] = [
            dicom.as_deref().map(|facts| facts as _),
            messages.as_deref().map(|facts| facts as _),
            web.as_deref().map(|facts| facts as _),
            files.as_deref().map(|facts| facts as _),
            tls.as_deref().map(|facts| facts as _),
        ];
        all.into_iter().flatten()
    }

    /// Calls `of` with every text that comes from the wire, but not with constants.
    pub fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        self.software.iter_mut().for_each(|text| of(TextKind::Name, text));
        let Self { dicom, messages, web, files, tls, .. } = self;
        let all: [Option<&mut dyn FamilyFacts>; 5] = [
            dicom.as_deref_mut().map(|facts| facts as _),
            messages.as_deref_mut().map(|facts| facts as _),
            web.as_deref_mut().map(|facts| facts as _),
            files.as_deref_mut().map(|facts| facts as _),
            tls.as_deref_mut().map(|facts| facts as _),
        ];
        all.into_iter().flatten().for_each(|facts| facts.for_each_text_mut(of));
    }

    /// The host name that the client uses.
    pub fn host(&self) -> Option<&str> {
        self.web.as_ref()?.host.as_deref()
    }

    /// Status of the last response of a web service.
    pub fn status(&self) -> Option<u16> {
        self.web.as_ref()?.status
    }

    /// The server's software.
    pub fn software(&self) -> Option<&str> {
        self.software.as_deref().or_else(|| self.families().find_map(FamilyFacts::software))
    }

    /// The name by which the client asked to be accepted, and the service's answer.
    pub fn admission(&self) -> Option<Admission<'_>> {
        self.families().find_map(FamilyFacts::admission)
    }

    /// A secret of this kind crossed the wire in cleartext.
    pub fn secret(&mut self, secret: Secret) {
        // A session behind a cookie ends soon, and most cookies only count visitors.
        self.credentials_in_clear |= secret != Secret::SessionCookie;
        if !self.credentials.contains(&secret) {
            self.credentials.push(secret);
        }
    }

    /// A password crossed the wire in cleartext (USER and PASS, AUTH PLAIN, a simple bind...).
    pub const fn password_in_clear(&mut self) {
        self.authentication = Authentication::Basic;
        self.credentials_in_clear = true;
    }

    /// The service did what the client asked: if that has not shown who it is, anybody is served. Only where the
    /// session was seen from its beginning ([`super::Parser::begun_before`]), and where it is no service's habit to
    /// answer that before a login.
    pub fn served(&mut self) {
        self.anonymous |= self.authentication == Authentication::None;
    }

    /// The client may have logged in where it was not seen: before the capture, or in a gap.
    pub fn missed_login(&mut self) {
        if !self.anonymous {
            self.shown(Authentication::Unknown);
        }
    }

    /// The client authenticates by this SASL mechanism; what may follow its name is not looked at (RFC 4616,
    /// RFC 2195, RFC 7628, RFC 4505).
    pub fn sasl(&mut self, mechanism: &[u8]) {
        let name = mechanism.split(|b| *b == b' ').next().unwrap_or_default();
        let is = |mechanism: &[u8]| name.eq_ignore_ascii_case(mechanism);
        if is(b"ANONYMOUS") {
            self.authentication = Authentication::None;
        } else if is(b"PLAIN") || is(b"LOGIN") || is(b"AMQPLAIN") {
            self.password_in_clear();
        } else if is(b"XOAUTH2") || is(b"OAUTHBEARER") {
            self.authentication = Authentication::Bearer;
            self.credentials_in_clear = true;
        } else {
            self.authentication = Authentication::Digest;
        }
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

    /// Whether connections to this service differ in what they show, so that their facts add up.
    pub fn accumulates(&self) -> bool {
        self.families().any(FamilyFacts::accumulates)
    }

    /// Whether all that is known comes from a connection over which nothing was asked.
    fn is_idle(&self) -> bool {
        self.dicom.as_ref().is_none_or(|dicom| dicom.dimse.is_empty())
    }

    /// The same with what was known of the service before.
    pub fn after(&self, before: &Self) -> Self {
        let mut facts = self.clone();
        facts.anonymous |= before.anonymous;
        facts.credentials_in_clear |= before.credentials_in_clear;
        merge(&mut facts.dicom, &before.dicom);
        merge(&mut facts.messages, &before.messages);
        merge(&mut facts.web, &before.web);
        merge(&mut facts.files, &before.files);
        merge(&mut facts.tls, &before.tls);
        facts
    }

    /// Whether both count the same, given that they have the same hash.
    pub fn counts_as(&self, other: &Self) -> bool {
        match (&self.messages, &other.messages) {
            (Some(ours), Some(theirs)) => ours.counts_as(theirs),
            _ => true,
        }
    }

    /// Takes over the counts of `other`, which is alike in all else, masked or not.
    pub fn count_as(&mut self, other: &Self) {
        if let (Some(ours), Some(theirs)) = (&mut self.messages, &other.messages) {
            ours.count_as(theirs);
        }
    }

    /// All that a service has shown so far, where `later` is what the last connection shows.
    pub fn joined(earlier: &Arc<Self>, later: &Arc<Self>) -> Arc<Self> {
        if !earlier.accumulates() {
            Arc::clone(later)
        } else if later.is_idle() && !earlier.withheld {
            // A connection that came to nothing says less than one that did.
            Arc::new(earlier.after(later))
        } else {
            Arc::new(later.after(earlier))
        }
    }

    /// Adds texts of earlier connections. A masked text may be another spelling of one
    /// that is there.
    pub fn add_earlier(list: &mut Vec<String>, earlier: &[String]) {
        let whole = earlier.iter().filter(|text| !text.contains('*'));
        whole.for_each(|text| Self::add(list, text));
    }

    /// Sets `slot` to `text`, trimmed and cut; blank text leaves it as it was.
    pub fn set(slot: &mut Option<String>, text: &str) {
        let text = cut(trimmed(text));
        if !text.is_empty() && slot.as_deref() != Some(text) {
            *slot = Some(text.to_owned());
        }
    }

    /// Counts `text` in `list`, if it is in it or there is room.
    pub fn count(list: &mut Vec<(Arc<str>, u64)>, text: &str) {
        let text = cut(trimmed(text));
        let room = list.len() < Self::MAX_LIST;
        match list.iter_mut().find(|(known, _)| **known == *text) {
            Some((_, n)) => *n = n.saturating_add(1),
            None if room && !text.is_empty() => list.push((text.into(), 1)),
            None => {}
        }
    }

    /// Adds `text` to `list` if it is new and there is room.
    pub fn add(list: &mut Vec<String>, text: &str) {
        let text = cut(trimmed(text));
        if !text.is_empty() && list.len() < Self::MAX_LIST && !list.iter().any(|t| t == text) {
            list.push(text.to_owned());
        }
    }

    /// The same for a shared list, which is copied only where `text` is new.
    pub fn add_shared(list: &mut Arc<Vec<String>>, text: &str) {
        if !list.iter().any(|known| known == text) {
            Self::add(Arc::make_mut(list), text);
        }
    }
}

fn merge<F: FamilyFacts>(now: &mut Option<Box<F>>, before: &Option<Box<F>>) {
    if let (Some(now), Some(before)) = (now, before) {
        now.merge(before);
    }
}

/// Without blanks and NULs at both ends.
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [b' ' | 0, ..] | [.., b' ' | 0] => text.trim_matches([' ', '\0']),
        _ => text,
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(ServiceFacts::MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// An interface in a web service's answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    /// Its kind.
    pub kind: ServiceKind,
    /// Its name in the rule.
    pub product: Arc<str>,
    /// It answered a client that did not authenticate.
    pub open: bool,
}

closed_set! {
    /// How a client authenticated (`phi.service.authentication`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub enum Authentication {
        /// Not at all.
        #[default]
        None = "none",
        /// HTTP Basic (RFC 7617): cleartext.
        Basic = "basic",
        /// HTTP Bearer (RFC 6750): replayable in cleartext.
        Bearer = "bearer",
        /// A key in a header or a query.
        ApiKey = "api-key",
        /// A session cookie.
        Cookie = "cookie",
        /// HTTP Digest (RFC 7616).
        Digest = "digest",
        /// DICOM user identity (PS3.7 D.3.3.7); a user known to a file server (MS-SMB2 3.3.5.5).
        UserIdentity = "user-identity",
        /// A client certificate.
        ClientCertificate = "client-certificate",
        /// Unknown (mid-stream, one direction).
        Unknown = "unknown",
    }
}
