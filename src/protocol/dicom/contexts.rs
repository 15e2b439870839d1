//! Presentation contexts (PS3.8 9.3.2.2, 9.3.3.2).

use super::associate::uid;

/// Presentation contexts kept: their identifiers are the odd numbers below 256.
const MAX_CONTEXTS: usize = 128;

/// What was negotiated, by presentation context.
#[derive(Default)]
pub(super) struct Contexts {
    list: Vec<Context>,
    /// A request was read. What was accepted before it belongs to it only if it was the first.
    requested: bool,
    /// The answer was read completely.
    answered: bool,
}

struct Context {
    id: u8,
    abstract_syntax: Box<str>,
    /// The accepted transfer syntax; until then the proposed one, if only one was proposed.
    transfer_syntax: Option<Box<str>>,
    /// Transfer syntaxes proposed.
    proposed: u16,
    accepted: bool,
}

impl Contexts {
    /// The transfer syntax of a context; empty where the negotiation did not settle it.
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
    /// Whether the whole negotiation is known and does not contain `id`.
    pub fn is_foreign(&self, id: u8) -> bool {
        self.requested && self.answered && !self.get(id).is_some_and(|c| c.accepted)
    }
    /// Numbers of proposed and of accepted contexts.
    pub fn counts(&self) -> [u16; 2] {
        let accepted = self.list.iter().filter(|c| c.accepted).count();
        [self.list.len(), accepted].map(|n| u16::try_from(n).unwrap_or(u16::MAX))
    }
    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let texts = self.list.iter().map(|c| {
            c.abstract_syntax.len() + c.transfer_syntax.as_ref().map_or(0, |text| text.len())
        });
        self.list.capacity() * size_of::<Context>() + texts.sum::<usize>()
    }

    /// A request begins. True if it is another one on the same connection, which ends the earlier negotiation. A
    /// capture may show the answer to the first request before the request.
    pub fn request(&mut self) -> bool {
        let further = std::mem::replace(&mut self.requested, true);
        if further {
            self.list.clear();
            self.answered = false;
        }
        further
    }
    /// The answer has ended.
    pub const fn answered(&mut self) {
        self.answered = true;
    }
    /// A context is proposed under this abstract syntax.
    pub fn propose(&mut self, id: u8, abstract_syntax: &[u8]) {
        if let Some(context) = self.slot(id) {
            context.abstract_syntax = uid(abstract_syntax);
        }
    }
    /// A transfer syntax is proposed for a context.
    pub fn offer(&mut self, id: u8, transfer_syntax: &[u8]) {
        if let Some(context) = self.slot(id)
            && !context.accepted
        {
            context.proposed = context.proposed.saturating_add(1);
            context.transfer_syntax = (context.proposed == 1).then(|| uid(transfer_syntax));
        }
    }
    /// A context is accepted with this transfer syntax.
    pub fn accept(&mut self, id: u8, transfer_syntax: &[u8]) {
        if let Some(context) = self.slot(id) {
            context.transfer_syntax = Some(uid(transfer_syntax));
            context.accepted = true;
        }
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
            proposed: 0,
            accepted: false,
        });
        self.list.last_mut()
    }
}
