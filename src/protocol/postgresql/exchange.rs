//! What the client asked and the server has not answered yet. Rows of a prepared statement come without a
//! description: it was given once, when the statement was made.

use super::super::sql::{MAX_PREPARED, Parameters};
use super::values::{self, Column, Form};
use super::word;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest name of a prepared statement or a portal, bytes.
const MAX_NAME: usize = 64;
/// Statements kept per connection; drivers keep some 256.
const MAX_STATEMENTS: usize = 512;
/// Their texts and columns together, bytes.
const MAX_KEPT: usize = 1 << 20;
/// Portals kept per connection.
const MAX_PORTALS: usize = 256;
/// Forms of a portal that are kept: a result has no more columns (`MaxTupleAttributeNumber`).
const MAX_FORMS: usize = 1664;
/// Requests that wait for their answers.
const MAX_ASKED: usize = 4096;

/// The number of a statement of this connection; names are given anew.
pub type StatementId = u64;

/// What the client asked.
#[derive(Clone, Debug)]
pub enum Request {
    Parse,
    Bind,
    Close,
    Sync,
    /// A simple query, the answer to which ends as that to Sync.
    Query,
    DescribeStatement(StatementId),
    DescribePortal(Portal),
    Execute(Portal),
}

/// A statement with the formats that its results are to have: none for text, one for all, or one each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portal {
    pub statement: StatementId,
    /// Each request that waits for its answer refers to them.
    formats: Arc<[Form]>,
}

impl Portal {
    /// The form of a column.
    pub fn form(&self, column: usize) -> Form {
        match &*self.formats {
            [] => Form::Text,
            [all] => *all,
            each => each.get(column).copied().unwrap_or(Form::Unknown),
        }
    }
}

/// A prepared statement.
#[derive(Default)]
pub struct Statement {
    pub text: Zeroizing<Vec<u8>>,
    /// Types of its parameters.
    pub types: Vec<u32>,
    /// The columns of its result, once they were described.
    pub columns: Vec<Column>,
    /// Requests that refer to it.
    waiting: usize,
    /// Its name was given to another, or closed.
    retired: bool,
}

impl Statement {
    fn size(&self) -> usize {
        let columns = self.columns.iter().map(|c| c.name.capacity() + size_of::<Column>());
        self.text.capacity() + 4 * self.types.capacity() + columns.sum::<usize>()
    }
}

/// The statements of a connection, and what is to be answered.
#[derive(Default)]
pub struct Exchange {
    statements: BTreeMap<StatementId, Statement>,
    names: BTreeMap<Vec<u8>, StatementId>,
    portals: BTreeMap<Vec<u8>, Portal>,
    asked: VecDeque<Request>,
    next: StatementId,
    kept: usize,
}

impl Exchange {
    /// The client asks.
    pub fn ask(&mut self, asked: Request) {
        if self.asked.len() >= MAX_ASKED {
            self.forget();
        }
        if let Some(statement) = refers(&asked).and_then(|id| self.statements.get_mut(&id)) {
            statement.waiting += 1;
        }
        self.asked.push_back(asked);
    }

    /// What the server answers now.
    pub fn front(&self) -> Option<&Request> {
        self.asked.front()
    }

    /// The answer is complete.
    pub fn answered(&mut self) {
        if let Some(asked) = self.asked.pop_front()
            && let Some(id) = refers(&asked)
        {
            if let Some(statement) = self.statements.get_mut(&id) {
                statement.waiting = statement.waiting.saturating_sub(1);
            }
            self.sweep(id);
        }
    }

    /// ReadyForQuery: everything up to the Sync or the query is answered.
    pub fn ready(&mut self) {
        while let Some(asked) = self.asked.front() {
            let last = matches!(asked, Request::Sync | Request::Query);
            self.answered();
            if last {
                return;
            }
        }
    }

    /// An error: the server passes over everything up to the next Sync.
    pub fn failed(&mut self) {
        while self.asked.front().is_some_and(|a| !matches!(a, Request::Sync | Request::Query)) {
            self.answered();
        }
    }

    /// The order of requests and answers is not known any more.
    pub fn forget(&mut self) {
        while !self.asked.is_empty() {
            self.answered();
        }
    }

    pub fn statement(&self, id: StatementId) -> Option<&Statement> {
        self.statements.get(&id)
    }

    /// The types of its parameters, from ParameterDescription.
    pub fn set_types(&mut self, id: StatementId, types: Vec<u32>) {
        self.change(id, |statement| statement.types = types);
    }

    /// The columns of its result, from RowDescription.
    pub fn set_columns(&mut self, id: StatementId, columns: Vec<Column>) {
        self.change(id, |statement| statement.columns = columns);
    }

    fn change(&mut self, id: StatementId, change: impl FnOnce(&mut Statement)) {
        if let Some(statement) = self.statements.get_mut(&id) {
            let before = statement.size();
            change(statement);
            self.kept = self.kept.saturating_sub(before) + statement.size();
        }
    }

    /// Parse: name, statement, types of its parameters. The text of the statement.
    pub fn parse<'a>(&mut self, body: &'a [u8]) -> Option<&'a [u8]> {
        self.ask(Request::Parse);
        let (name, text, rest) = two_names(body)?;
        self.close_statement(name);
        if name.len() > MAX_NAME || text.len() > MAX_PREPARED {
            return Some(text);
        }
        let types = rest.get(2..).unwrap_or_default().chunks_exact(4);
        let types = types.map(|t| word(t, 0).unwrap_or(0)).collect();
        let text = Zeroizing::new(text.to_vec());
        let statement = Statement { text, types, ..Statement::default() };
        // The oldest goes first.
        while self.statements.len() >= MAX_STATEMENTS || self.kept + statement.size() > MAX_KEPT {
            let Some((old, dropped)) = self.statements.pop_first() else { break };
            self.kept = self.kept.saturating_sub(dropped.size());
            self.names.retain(|_, id| *id != old);
        }
        self.next += 1;
        self.kept += statement.size();
        self.statements.insert(self.next, statement);
        self.names.insert(name.to_vec(), self.next);
        two_names(body).map(|(_, text, _)| text)
    }

    /// Bind: portal, statement, forms and values of the parameters, forms of the result. The statement and
    /// the values of its parameters as text.
    pub fn bind(&mut self, body: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Parameters)> {
        self.ask(Request::Bind);
        let (portal, name, rest) = two_names(body)?;
        self.portals.remove(portal);
        let id = *self.names.get(name)?;
        let statement = self.statements.get(&id)?;
        let (formats, mut rest) = forms(rest)?;
        let given = Portal { statement: id, formats: formats.into() };
        let (count, tail) = rest.split_first_chunk::<2>()?;
        rest = tail;
        let mut parameters = Parameters::default();
        let mut text = Zeroizing::new(Vec::new());
        for at in 0..usize::from(u16::from_be_bytes(*count)) {
            let Some(value) = values::next(&mut rest) else { break };
            let kind = statement.types.get(at).copied().unwrap_or(0);
            text.clear();
            match values::read(kind, given.form(at), value, &mut text) {
                Some(()) => parameters.push(&text),
                None => parameters.push(value),
            }
        }
        let text = statement.text.clone();
        if portal.len() <= MAX_NAME && self.portals.len() < MAX_PORTALS {
            let mut formats = forms(rest).map(|(formats, _)| formats).unwrap_or_default();
            formats.truncate(MAX_FORMS);
            let formats = formats.into();
            self.portals.insert(portal.to_vec(), Portal { statement: id, formats });
        }
        Some((text, parameters))
    }

    /// Describe: a statement or a portal.
    pub fn describe(&mut self, body: &[u8]) {
        let name = body.get(1..).and_then(|b| b.strip_suffix(&[0])).unwrap_or_default();
        // One that is not known any more is answered all the same.
        let unknown = Portal { statement: 0, formats: Arc::default() };
        self.ask(match body.first() {
            Some(b'S') => Request::DescribeStatement(self.names.get(name).copied().unwrap_or(0)),
            _ => Request::DescribePortal(self.portals.get(name).cloned().unwrap_or(unknown)),
        });
    }

    /// Execute: a portal, and how many rows.
    pub fn execute(&mut self, body: &[u8]) {
        let end = memchr::memchr(0, body).unwrap_or(body.len());
        let portal = self.portals.get(body.get(..end).unwrap_or_default()).cloned();
        let unknown = Portal { statement: 0, formats: Arc::default() };
        self.ask(Request::Execute(portal.unwrap_or(unknown)));
    }

    /// Close: a statement or a portal.
    pub fn close(&mut self, body: &[u8]) {
        self.ask(Request::Close);
        let name = body.get(1..).and_then(|b| b.strip_suffix(&[0])).unwrap_or_default();
        match body.first() {
            Some(b'S') => self.close_statement(name),
            _ => drop(self.portals.remove(name)),
        }
    }

    fn close_statement(&mut self, name: &[u8]) {
        if let Some(id) = self.names.remove(name) {
            if let Some(statement) = self.statements.get_mut(&id) {
                statement.retired = true;
            }
            // A portal that is open goes on with it.
            if !self.portals.values().any(|portal| portal.statement == id) {
                self.sweep(id);
            }
        }
    }

    /// Drops a statement that nothing refers to any more.
    fn sweep(&mut self, id: StatementId) {
        if self.statements.get(&id).is_some_and(|s| s.retired && s.waiting == 0)
            && let Some(old) = self.statements.remove(&id)
        {
            self.kept = self.kept.saturating_sub(old.size());
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        // A form list may outlive its portal in the requests that wait: those are few beside the portals.
        let forms = self.portals.values().map(|portal| size_of_val(&*portal.formats));
        self.kept + self.asked.capacity() * size_of::<Request>() + forms.sum::<usize>()
    }
}

const fn refers(asked: &Request) -> Option<StatementId> {
    match asked {
        Request::DescribeStatement(id) => Some(*id),
        Request::DescribePortal(portal) | Request::Execute(portal) => Some(portal.statement),
        _ => None,
    }
}

/// Two strings that zeros end, and the rest.
fn two_names(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut parts = body.splitn(3, |b| *b == 0);
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// A list of forms, and the rest.
fn forms(data: &[u8]) -> Option<(Vec<Form>, &[u8])> {
    let (count, rest) = data.split_first_chunk::<2>()?;
    let (list, rest) = rest.split_at_checked(2 * usize::from(u16::from_be_bytes(*count)))?;
    let form = |code: &[u8]| if code == [0, 1] { Form::Binary } else { Form::Text };
    Some((list.chunks_exact(2).map(form).collect(), rest))
}
