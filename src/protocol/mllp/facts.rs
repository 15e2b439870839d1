//! Facts of a service that exchanges messages: HL7 v2, and formats with the same header fields (ASTM, EDIFACT, X12,
//! xDT, NCPDP).

use crate::protocol::service::{Ends, FactList, FamilyFacts, Phrase, TextKind};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Facts of an exchange of messages, as the client sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFacts {
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
    /// Message types seen, `ADT^A01`. Texts are shared, as the facts are copied with each message that counts on.
    pub types: Arc<Vec<String>>,
    /// Number of messages of each of these types.
    pub messages: Vec<(Arc<str>, u64)>,
    /// Whether messages were acknowledged.
    pub acknowledged: Option<bool>,
    /// Number of acknowledgments with each code (`AA`, `AE`, `AR`, HL7 table 0008).
    pub acknowledgments: Vec<(Arc<str>, u64)>,
}

/// Compares names, not numbers, which grow with each message.
impl Hash for MessageFacts {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self {
            sending_application,
            sending_facility,
            receiving_application,
            receiving_facility,
            version,
            processing_id,
            types,
            messages,
            acknowledged,
            acknowledgments,
        } = self;
        let senders = (sending_application, sending_facility);
        let receivers = (receiving_application, receiving_facility);
        (senders, receivers, version, processing_id, types, acknowledged).hash(to);
        for counts in [messages, acknowledgments] {
            to.write_usize(counts.len());
            counts.iter().for_each(|(text, _)| text.hash(to));
        }
    }
}

impl MessageFacts {
    /// Whether both count the same things with the same numbers.
    pub(in crate::protocol) fn counts_as(&self, other: &Self) -> bool {
        let same = |ours: &[(Arc<str>, u64)], theirs: &[(Arc<str>, u64)]| {
            ours.iter().map(|(_, n)| n).eq(theirs.iter().map(|(_, n)| n))
        };
        same(&self.messages, &other.messages) && same(&self.acknowledgments, &other.acknowledgments)
    }

    /// Takes the numbers of `other`, which names the same things, masked or not.
    pub(in crate::protocol) fn count_as(&mut self, other: &Self) {
        let take = |ours: &mut [(Arc<str>, u64)], theirs: &[(Arc<str>, u64)]| {
            ours.iter_mut().zip(theirs).for_each(|((_, ours), (_, theirs))| *ours = *theirs);
        };
        take(&mut self.messages, &other.messages);
        take(&mut self.acknowledgments, &other.acknowledgments);
    }
}

impl FamilyFacts for MessageFacts {
    fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        use TextKind::{Code, Organisation, Party, Version};
        for (kind, slot) in [
            (Party, &mut self.sending_application),
            (Organisation, &mut self.sending_facility),
            (Party, &mut self.receiving_application),
            (Organisation, &mut self.receiving_facility),
            (Version, &mut self.version),
            (Code, &mut self.processing_id),
        ] {
            slot.iter_mut().for_each(|text| of(kind, text));
        }
        Arc::make_mut(&mut self.types).iter_mut().for_each(|text| of(Code, text));
        for (text, _) in self.messages.iter_mut().chain(&mut self.acknowledgments) {
            let mut shown = text.to_string();
            of(Code, &mut shown);
            if *shown != **text {
                *text = shown.into();
            }
        }
    }

    fn list<'a>(&'a self, to: &mut FactList<'a>) {
        to.text("sending_application", self.sending_application.as_deref());
        to.text("sending_facility", self.sending_facility.as_deref());
        to.text("receiving_application", self.receiving_application.as_deref());
        to.text("receiving_facility", self.receiving_facility.as_deref());
        to.text("version", self.version.as_deref());
        to.text("processing_id", self.processing_id.as_deref());
        to.list("message_types", &self.types);
        to.counts("messages", &self.messages);
        to.flag("acknowledged", self.acknowledged);
        to.counts("acknowledgments", &self.acknowledgments);
    }

    fn ends(&self) -> Ends<'_> {
        let (from, to) =
            (self.sending_application.as_deref(), self.receiving_application.as_deref());
        Ends {
            client: from.map(|name| ("sending_application", name)),
            server: to.map(|name| ("receiving_application", name)),
        }
    }

    fn phrases<'a>(&'a self, to: &mut Vec<Phrase<'a>>) {
        to.push(Phrase::FromTo(
            "application",
            self.sending_application.as_deref(),
            self.receiving_application.as_deref(),
        ));
        to.extend(self.version.as_deref().map(|version| Phrase::Text("version", version)));
    }
}
