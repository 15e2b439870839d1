//! Facts about a service by family of protocols. Each protocol's folder owns its facts; outputs read them through
//! this trait and know no protocol.

use crate::protocol::Outcome;
use std::sync::Arc;

/// The facts of one family of protocols: DICOM, messages, web services, file transfers.
pub trait FamilyFacts {
    /// Calls `of` with every text that comes from the wire, but not with constants.
    fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String));

    /// Adds the facts as events write them, in their order.
    fn list<'a>(&'a self, to: &mut FactList<'a>);

    /// Adds the outcome of the connection; events write it behind all other facts.
    fn outcome<'a>(&'a self, to: &mut FactList<'a>) {
        let _ = to;
    }

    /// The names by which client and server call each other.
    fn ends(&self) -> Ends<'_> {
        Ends::default()
    }

    /// Adds what a person would want to read about it in a line.
    fn phrases<'a>(&'a self, to: &mut Vec<Phrase<'a>>);

    /// The server's software, if the family has its own field for it.
    fn software(&self) -> Option<&str> {
        None
    }

    /// The name by which the client asked to be accepted, and the service's answer.
    fn admission(&self) -> Option<Admission<'_>> {
        None
    }

    /// Whether connections to one service differ in the facts they show, so that facts accumulate. Of other services
    /// the last connection shows everything.
    fn accumulates(&self) -> bool {
        false
    }

    /// Keeps facts of `earlier` connections that this one does not show.
    fn merge(&mut self, earlier: &Self)
    where
        Self: Sized,
    {
        let _ = earlier;
    }
}

/// Kind of a text among the facts, which decides what of it may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextKind {
    /// A name that a person gave a system: a title, a host, a banner, an account.
    Name,
    /// The name of an organisation or a part of it.
    Organisation,
    /// Sender or receiver of messages: an application or an organisation.
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

/// Names of both ends, each with its word in events.
#[derive(Clone, Copy, Default)]
pub struct Ends<'a> {
    /// The client's.
    pub client: Option<(&'static str, &'a str)>,
    /// The server's.
    pub server: Option<(&'static str, &'a str)>,
}

/// A few words for people. The texts come from the wire.
#[derive(Clone, Copy)]
pub enum Phrase<'a> {
    /// `AE WS9 to ARCHIVE`.
    FromTo(&'static str, Option<&'a str>, Option<&'a str>),
    /// `version 2.5`.
    Text(&'static str, &'a str),
    /// `move to VIEWER WS1`.
    List(&'static str, &'a [String]),
}

/// How a client asked to be accepted, and the outcome.
#[derive(Clone, Copy)]
pub struct Admission<'a> {
    /// The name that the client used.
    pub title: &'a str,
    /// The answer of the service.
    pub outcome: Outcome,
}

/// A fact as events write it.
#[derive(Clone)]
pub enum Fact<'a> {
    /// A text.
    Text(&'a str),
    /// Texts.
    List(&'a [String]),
    /// Words of the field's standards.
    Words(Vec<&'static str>),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// How often each text came.
    Counts(&'a [(Arc<str>, u64)]),
    /// Facts that belong together.
    Group(FactList<'a>),
}

/// Named facts in the order of events. Those that are not known are left out.
#[derive(Clone, Default)]
pub struct FactList<'a>(Vec<(&'static str, Fact<'a>)>);

impl<'a> FactList<'a> {
    /// A text, if it is known.
    pub fn text(&mut self, name: &'static str, text: Option<&'a str>) {
        self.put(name, text.map(Fact::Text));
    }

    /// A list, unless it is empty.
    pub fn list(&mut self, name: &'static str, list: &'a [String]) {
        self.put(name, (!list.is_empty()).then_some(Fact::List(list)));
    }

    /// Words, unless there are none.
    pub fn words(&mut self, name: &'static str, words: Vec<&'static str>) {
        self.put(name, (!words.is_empty()).then_some(Fact::Words(words)));
    }

    /// A number, if it is known.
    pub fn number(&mut self, name: &'static str, number: Option<impl Into<u64>>) {
        self.put(name, number.map(|n| Fact::Number(n.into())));
    }

    /// Yes or no, if it is known.
    pub fn flag(&mut self, name: &'static str, flag: Option<bool>) {
        self.put(name, flag.map(Fact::Flag));
    }

    /// Counts, unless there are none.
    pub fn counts(&mut self, name: &'static str, counts: &'a [(Arc<str>, u64)]) {
        self.put(name, (!counts.is_empty()).then_some(Fact::Counts(counts)));
    }

    /// A group, if there is one.
    pub fn group(&mut self, name: &'static str, group: Option<Self>) {
        self.put(name, group.map(Fact::Group));
    }

    /// Each name once: of two families in one flow (a file share behind a CONNECT proxy), the later one wins.
    fn put(&mut self, name: &'static str, fact: Option<Fact<'a>>) {
        let Some(fact) = fact else { return };
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = fact,
            None => self.0.push((name, fact)),
        }
    }

    /// Whether nothing is known.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The facts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(&'static str, Fact<'a>)> {
        self.0.iter()
    }
}
