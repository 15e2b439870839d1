//! Negotiation: the A-ASSOCIATE, A-ASSOCIATE-RJ and A-ABORT PDUs (PS3.8 9.3, PS3.7 D.3.3).
//!
//! A request with many presentation contexts or with a user identity token is long, so it is read item by item as it
//! arrives, and never collected.

use super::contexts::Contexts;
use super::facts::{Association, Outcome};
use super::pdu::ASSOCIATE_FIXED;
use crate::protocol::{Authentication, Progress, ServiceFacts};

/// Longest UID (PS3.5 9.1).
const MAX_UID: usize = 64;
/// Type, reserved, length.
const ITEM_HEADER: usize = 4;
/// Header of a presentation context in front of its sub-items: id, reserved, result, reserved.
const CONTEXT_HEADER: usize = 4;
/// Bytes of a sub-item that are read: the longest one of interest is a UID between two numbers.
const MAX_SUBITEM: usize = MAX_UID + 4;

const ITEM_CONTEXT_RQ: u8 = 0x20;
const ITEM_CONTEXT_AC: u8 = 0x21;
const ITEM_ABSTRACT_SYNTAX: u8 = 0x30;
const ITEM_TRANSFER_SYNTAX: u8 = 0x40;
const ITEM_USER_INFORMATION: u8 = 0x50;
const ITEM_MAX_LENGTH: u8 = 0x51;
const ITEM_IMPLEMENTATION_CLASS: u8 = 0x52;
const ITEM_ASYNCHRONOUS: u8 = 0x53;
const ITEM_ROLES: u8 = 0x54;
const ITEM_IMPLEMENTATION_VERSION: u8 = 0x55;
const ITEM_EXTENDED: u8 = 0x56;
const ITEM_COMMON_EXTENDED: u8 = 0x57;
const ITEM_USER_IDENTITY: u8 = 0x58;
const ITEM_USER_IDENTITY_AC: u8 = 0x59;

/// Reader of an A-ASSOCIATE-RQ or -AC.
#[derive(Clone, Copy)]
pub(super) struct Negotiation {
    end: AssociationRole,
    /// Remaining bytes of the PDU.
    left: u32,
    level: Level,
}

/// Which end sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AssociationRole {
    /// The end that requests the association.
    Requestor,
    /// The end that accepts it.
    Acceptor,
}

#[derive(Clone, Copy)]
enum Level {
    /// At the fixed part.
    Fixed,
    /// At an item.
    Items,
    /// At a sub-item of a presentation context.
    Context { id: u8, accepted: bool, left: u32 },
    /// At a sub-item of the user information.
    User { left: u32 },
}

impl Negotiation {
    /// Starts at a PDU of `len` bytes behind the header.
    pub const fn new(end: AssociationRole, len: u32) -> Self {
        Self { end, left: len, level: Level::Fixed }
    }

    /// Which end sends it.
    pub const fn speaks(&self) -> AssociationRole {
        self.end
    }

    /// Whether the whole PDU is read.
    pub const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Reads one item or the head of one.
    pub fn read(
        &mut self,
        data: &[u8],
        contexts: &mut Contexts,
        facts: &mut ServiceFacts,
    ) -> Progress {
        match self.level {
            Level::Fixed => self.fixed(data, contexts, facts),
            Level::Items => self.item(data),
            Level::Context { left: 0, .. } | Level::User { left: 0 } => {
                self.level = Level::Items;
                Progress::consumed(0)
            }
            Level::Context { left, .. } | Level::User { left } => {
                self.subitem(data, left, contexts, facts)
            }
        }
    }

    /// Notes that `read` bytes are read; skips `skip` more.
    fn on(&mut self, read: usize, skip: u32) -> Progress {
        self.left = self.left.saturating_sub(read as u32).saturating_sub(skip);
        Progress::skip(read, u64::from(skip))
    }

    fn fixed(
        &mut self,
        data: &[u8],
        contexts: &mut Contexts,
        facts: &mut ServiceFacts,
    ) -> Progress {
        let Some(fixed) = data.get(..ASSOCIATE_FIXED) else {
            return Progress::need(0, ASSOCIATE_FIXED);
        };
        // In an answer the titles are reserved (PS3.8 9.3.3).
        if self.end == AssociationRole::Requestor {
            if facts.authentication == Authentication::Unknown {
                facts.authentication = Authentication::None;
            }
            let facts = facts.dicom();
            if contexts.request() {
                facts.association = None;
            }
            ServiceFacts::set(&mut facts.called_aet, &text(&fixed[4..20]));
            ServiceFacts::set(&mut facts.calling_aet, &text(&fixed[20..36]));
        }
        self.level = Level::Items;
        self.on(ASSOCIATE_FIXED, 0)
    }

    fn item(&mut self, data: &[u8]) -> Progress {
        if self.left < ITEM_HEADER as u32 {
            return self.on(0, self.left);
        }
        let Some((kind, len)) = header(data) else {
            return Progress::need(0, ITEM_HEADER);
        };
        if len > self.left - ITEM_HEADER as u32 {
            // The lengths contradict each other: only the end of the PDU is known.
            return self.on(0, self.left);
        }
        match kind {
            ITEM_CONTEXT_RQ | ITEM_CONTEXT_AC if len >= CONTEXT_HEADER as u32 => {
                let Some(head) = data.get(ITEM_HEADER..ITEM_HEADER + CONTEXT_HEADER) else {
                    return Progress::need(0, ITEM_HEADER + CONTEXT_HEADER);
                };
                // The transfer syntax of a context that was not accepted is not significant
                // (PS3.8 9.3.3.2).
                let accepted = kind == ITEM_CONTEXT_AC && head[2] == 0;
                if accepted || kind == ITEM_CONTEXT_RQ {
                    let left = len - CONTEXT_HEADER as u32;
                    self.level = Level::Context { id: head[0], accepted, left };
                    return self.on(ITEM_HEADER + CONTEXT_HEADER, 0);
                }
            }
            ITEM_USER_INFORMATION => {
                self.level = Level::User { left: len };
                return self.on(ITEM_HEADER, 0);
            }
            _ => {}
        }
        self.on(ITEM_HEADER, len)
    }

    fn subitem(
        &mut self,
        data: &[u8],
        around: u32,
        contexts: &mut Contexts,
        facts: &mut ServiceFacts,
    ) -> Progress {
        if around < ITEM_HEADER as u32 {
            self.leave(around);
            return self.on(0, around);
        }
        let Some((kind, len)) = header(data) else {
            return Progress::need(0, ITEM_HEADER);
        };
        if len > around - ITEM_HEADER as u32 {
            self.leave(around);
            return self.on(0, around);
        }
        let take = (len as usize).min(MAX_SUBITEM);
        let Some(value) = data.get(ITEM_HEADER..ITEM_HEADER + take) else {
            return Progress::need(0, ITEM_HEADER + take);
        };
        match self.level {
            Level::Context { id, accepted, .. } => match kind {
                ITEM_ABSTRACT_SYNTAX if !accepted => contexts.propose(id, value),
                ITEM_TRANSFER_SYNTAX if accepted => contexts.accept(id, value),
                ITEM_TRANSFER_SYNTAX => contexts.offer(id, value),
                _ => {}
            },
            Level::User { .. } => user_information(kind, value, self.end, facts),
            Level::Fixed | Level::Items => {}
        }
        self.leave(ITEM_HEADER as u32 + len);
        self.on(ITEM_HEADER + take, len - take as u32)
    }

    /// Takes this many bytes off the enclosing item.
    fn leave(&mut self, bytes: u32) {
        if let Level::Context { left, .. } | Level::User { left } = &mut self.level {
            *left = left.saturating_sub(bytes);
        }
    }
}

fn user_information(kind: u8, value: &[u8], end: AssociationRole, facts: &mut ServiceFacts) {
    let index = end as usize;
    match kind {
        ITEM_MAX_LENGTH => {
            if let Some(max) = value.first_chunk::<4>() {
                facts.dicom().association().max_pdu[index] = Some(u32::from_be_bytes(*max));
            }
        }
        ITEM_IMPLEMENTATION_CLASS => {
            ServiceFacts::set(&mut facts.dicom().implementation_class[index], &text(value));
        }
        ITEM_IMPLEMENTATION_VERSION => {
            ServiceFacts::set(&mut facts.dicom().implementation_version[index], &text(value));
        }
        ITEM_ASYNCHRONOUS => {
            if let Some(&[a, b, c, d]) = value.first_chunk::<4>() {
                let window = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
                facts.dicom().association().asynchronous = Some(window);
            }
        }
        ITEM_ROLES => roles(value, end, facts.dicom().association()),
        ITEM_EXTENDED | ITEM_COMMON_EXTENDED => {
            if let Some((class, _)) = related_class(value) {
                ServiceFacts::add(&mut facts.dicom().association().extended, &class);
            }
        }
        ITEM_USER_IDENTITY => {
            facts.authentication = Authentication::UserIdentity;
            let kind = value.first().copied().unwrap_or(0);
            facts.dicom().association().user_identity = match kind {
                1 => Some("username"),
                2 => Some("passcode"),
                3 => Some("kerberos"),
                4 => Some("saml"),
                5 => Some("jwt"),
                _ => None,
            };
            // A passcode, SAML assertion or JSON web token lets anyone who reads it log in (PS3.7 D.3.3.7.1); a user
            // name alone and a Kerberos ticket do not.
            facts.credentials_in_clear |= matches!(kind, 2 | 4 | 5);
        }
        ITEM_USER_IDENTITY_AC => facts.dicom().association().identity_confirmed = true,
        _ => {}
    }
}

/// Role selection (PS3.7 D.3.3.4): proposed by the requestor, decided by the acceptor.
fn roles(value: &[u8], end: AssociationRole, facts: &mut Association) {
    if let Some((_, &[_, provider, ..])) = related_class(value)
        && provider != 0
    {
        let count = &mut facts.provider_roles[end as usize];
        *count = count.saturating_add(1);
    }
}

/// Splits off the SOP class at the beginning of a sub-item, which follows its length.
fn related_class(value: &[u8]) -> Option<(Box<str>, &[u8])> {
    let (len, rest) = value.split_first_chunk::<2>()?;
    let (class, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    Some((uid(class), rest))
}

/// Type and length of an item.
fn header(data: &[u8]) -> Option<(u8, u32)> {
    let head = data.first_chunk::<ITEM_HEADER>()?;
    Some((head[0], u32::from(u16::from_be_bytes([head[2], head[3]]))))
}

/// A UID in the form in which it is kept.
pub(super) fn uid(value: &[u8]) -> Box<str> {
    let value = &value[..value.len().min(MAX_UID)];
    text(value).trim_matches([' ', '\0']).into()
}

/// Printable characters of a title or name.
pub(super) fn text(value: &[u8]) -> String {
    value.iter().filter(|b| (b' '..=b'~').contains(b)).map(|&b| b as char).collect()
}

/// Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21).
pub(super) struct Rejection {
    pub result: &'static str,
    pub source: &'static str,
    pub reason: &'static str,
}

impl Rejection {
    pub const fn read(body: &[u8]) -> Self {
        let [_, result, source, reason, ..] = body else {
            return Self { result: "rejected", source: "unknown", reason: "unknown" };
        };
        let result = match result {
            1 => "rejected-permanent",
            2 => "rejected-transient",
            _ => "rejected",
        };
        let (source, reason) = match (*source, *reason) {
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
        Self { result, source, reason }
    }

    pub fn outcome(&self) -> Outcome {
        match self.reason {
            "calling-ae-title-not-recognized" => Outcome::CallingRefused,
            "called-ae-title-not-recognized" => Outcome::CalledRefused,
            _ => Outcome::Refused,
        }
    }
}

/// Source and reason of an A-ABORT (PS3.8 table 9-26).
pub(super) const fn abort(body: &[u8]) -> &'static str {
    let [_, _, source, reason, ..] = body else {
        return "unknown";
    };
    // The reason is significant only if the provider aborts.
    match (*source, *reason) {
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
}
