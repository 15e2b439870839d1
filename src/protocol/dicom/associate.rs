//! Negotiation: what the A-ASSOCIATE, A-ASSOCIATE-RJ and A-ABORT PDUs say (PS3.8 9.3, PS3.7 D.3.3).

use super::pdu::ASSOCIATE_FIXED;
use crate::protocol::{Authentication, ServiceFacts};

/// Presentation contexts kept: their identifiers are the odd numbers below 256.
const MAX_CONTEXTS: usize = 128;
/// Longest UID (PS3.5 9.1).
const MAX_UID: usize = 64;

const ITEM_CONTEXT_RQ: u8 = 0x20;
const ITEM_CONTEXT_AC: u8 = 0x21;
const ITEM_ABSTRACT_SYNTAX: u8 = 0x30;
const ITEM_TRANSFER_SYNTAX: u8 = 0x40;
const ITEM_USER_INFORMATION: u8 = 0x50;
const ITEM_IMPLEMENTATION_CLASS: u8 = 0x52;
const ITEM_IMPLEMENTATION_VERSION: u8 = 0x55;
const ITEM_USER_IDENTITY: u8 = 0x58;

/// What was negotiated, by presentation context.
#[derive(Default)]
pub(super) struct Contexts {
    list: Vec<Context>,
    /// A request was read; what was accepted before it belongs to it only if this was the first.
    requested: bool,
}

struct Context {
    id: u8,
    abstract_syntax: Box<str>,
    /// The accepted transfer syntax; before that the proposed one, where only one was proposed.
    transfer_syntax: Option<Box<str>>,
    accepted: bool,
}

impl Contexts {
    /// The transfer syntax of a context; empty where the negotiation leaves it open.
    pub fn transfer_syntax(&self, id: u8) -> &str {
        self.get(id).and_then(|c| c.transfer_syntax.as_deref()).unwrap_or("")
    }
    /// The abstract syntax (SOP class) of a context; empty if unknown.
    pub fn abstract_syntax(&self, id: u8) -> &str {
        self.get(id).map_or("", |c| &c.abstract_syntax)
    }
    /// Whether a request was read.
    pub const fn requested(&self) -> bool {
        self.requested
    }
    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.list.capacity() * size_of::<Context>() + self.list.len() * MAX_UID
    }

    fn get(&self, id: u8) -> Option<&Context> {
        self.list.iter().find(|c| c.id == id)
    }
    fn slot(&mut self, id: u8) -> Option<&mut Context> {
        if let Some(at) = self.list.iter().position(|c| c.id == id) {
            return self.list.get_mut(at);
        }
        if self.list.len() >= MAX_CONTEXTS {
            return None;
        }
        self.list.push(Context {
            id,
            abstract_syntax: "".into(),
            transfer_syntax: None,
            accepted: false,
        });
        self.list.last_mut()
    }
}

/// Reads the body of an A-ASSOCIATE-RQ. An earlier negotiation on the same connection is over;
/// but a capture may show the answer to this one first.
pub(super) fn request(body: &[u8], contexts: &mut Contexts, facts: &mut ServiceFacts) {
    if std::mem::replace(&mut contexts.requested, true) {
        contexts.list.clear();
    }
    if facts.authentication == Authentication::Unknown {
        facts.authentication = Authentication::None;
    }
    if let (Some(called), Some(calling)) = (body.get(4..20), body.get(20..36)) {
        ServiceFacts::set(&mut facts.called_aet, &text(called));
        ServiceFacts::set(&mut facts.calling_aet, &text(calling));
    }
    for (kind, item) in items(body.get(ASSOCIATE_FIXED..).unwrap_or(&[])) {
        match kind {
            ITEM_CONTEXT_RQ => propose(item, contexts),
            ITEM_USER_INFORMATION => user_information(item, 0, facts),
            _ => {}
        }
    }
}

/// Reads the body of an A-ASSOCIATE-AC.
pub(super) fn accept(body: &[u8], contexts: &mut Contexts, facts: &mut ServiceFacts) {
    for (kind, item) in items(body.get(ASSOCIATE_FIXED..).unwrap_or(&[])) {
        match kind {
            ITEM_CONTEXT_AC => confirm(item, contexts),
            ITEM_USER_INFORMATION => user_information(item, 1, facts),
            _ => {}
        }
    }
}

fn propose(item: &[u8], contexts: &mut Contexts) {
    let (Some(&id), Some(subitems)) = (item.first(), item.get(4..)) else {
        return;
    };
    let Some(context) = contexts.slot(id) else {
        return;
    };
    let mut proposed = 0;
    for (kind, value) in items(subitems) {
        match kind {
            ITEM_ABSTRACT_SYNTAX => context.abstract_syntax = uid(value),
            ITEM_TRANSFER_SYNTAX if !context.accepted => {
                proposed += 1;
                context.transfer_syntax = (proposed == 1).then(|| uid(value));
            }
            _ => {}
        }
    }
}

fn confirm(item: &[u8], contexts: &mut Contexts) {
    let (Some(&id), Some(&result), Some(subitems)) = (item.first(), item.get(2), item.get(4..))
    else {
        return;
    };
    // The transfer syntax of a context that was not accepted is not significant (PS3.8 9.3.3.2).
    if result != 0 {
        return;
    }
    let Some(context) = contexts.slot(id) else {
        return;
    };
    let accepted = items(subitems).find(|(kind, _)| *kind == ITEM_TRANSFER_SYNTAX);
    if let Some((_, value)) = accepted {
        context.transfer_syntax = Some(uid(value));
        context.accepted = true;
    }
}

fn user_information(item: &[u8], end: usize, facts: &mut ServiceFacts) {
    for (kind, value) in items(item) {
        match kind {
            ITEM_IMPLEMENTATION_CLASS => {
                ServiceFacts::set(&mut facts.implementation_class[end], &text(value));
            }
            ITEM_IMPLEMENTATION_VERSION => {
                ServiceFacts::set(&mut facts.implementation_version[end], &text(value));
            }
            ITEM_USER_IDENTITY => {
                facts.authentication = Authentication::UserIdentity;
                // Passcode, SAML assertion and JSON web token let whoever reads them log in
                // (PS3.7 D.3.3.7.1); a user name alone and a Kerberos ticket do not.
                if matches!(value.first(), Some(2 | 4 | 5)) {
                    facts.credentials_in_clear = true;
                }
            }
            _ => {}
        }
    }
}

/// The items of a PDU or of an item: type, reserved, length, value. Ends where a length does not
/// fit.
fn items(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = data.split_first_chunk::<4>()?;
        let (value, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([head[2], head[3]])))?;
        data = rest;
        Some((head[0], value))
    })
}

fn uid(value: &[u8]) -> Box<str> {
    let value = &value[..value.len().min(MAX_UID)];
    text(value).trim_matches([' ', '\0']).into()
}

/// Printable characters of a title or name.
fn text(value: &[u8]) -> String {
    value.iter().filter(|b| (b' '..=b'~').contains(b)).map(|&b| b as char).collect()
}

/// Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21).
pub(super) fn rejection(body: &[u8]) -> String {
    let [_, result, source, reason, ..] = body else {
        return "unknown".to_owned();
    };
    let result = match result {
        1 => "rejected-permanent",
        2 => "rejected-transient",
        _ => "rejected",
    };
    let (source, reason) = match (source, reason) {
        (1, 1) => ("service-user", "no-reason-given"),
        (1, 2) => ("service-user", "application-context-name-not-supported"),
        (1, 3) => ("service-user", "calling-ae-title-not-recognized"),
        (1, 7) => ("service-user", "called-ae-title-not-recognized"),
        (1, _) => ("service-user", "reserved"),
        (2, 1) => ("service-provider-acse", "no-reason-given"),
        (2, 2) => ("service-provider-acse", "protocol-version-not-supported"),
        (2, _) => ("service-provider-acse", "reserved"),
        (3, 1) => ("service-provider-presentation", "temporary-congestion"),
        (3, 2) => ("service-provider-presentation", "local-limit-exceeded"),
        (3, _) => ("service-provider-presentation", "reserved"),
        _ => ("unknown", "unknown"),
    };
    format!("{result}, {source}: {reason}")
}

/// Source and reason of an A-ABORT (PS3.8 table 9-26).
pub(super) fn abort(body: &[u8]) -> String {
    let [_, _, source, reason, ..] = body else {
        return "unknown".to_owned();
    };
    // The reason is significant only if the provider aborts.
    match (source, reason) {
        (0, _) => "service-user",
        (2, 0) => "service-provider: reason-not-specified",
        (2, 1) => "service-provider: unrecognized-pdu",
        (2, 2) => "service-provider: unexpected-pdu",
        (2, 4) => "service-provider: unrecognized-pdu-parameter",
        (2, 5) => "service-provider: unexpected-pdu-parameter",
        (2, 6) => "service-provider: invalid-pdu-parameter-value",
        (2, _) => "service-provider: reserved",
        _ => "unknown",
    }
    .to_owned()
}
