//! Requests of the client that the server has not answered yet. Rows of a prepared statement come without a
//! description: it was sent once, when the statement was prepared.

use super::super::sql::{MAX_PREPARED, Parameters, PreparedStatement, PreparedStatements};
use super::values::{self, Column, Form};
use super::word;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest name of a prepared statement or a portal, bytes.
const MAX_NAME: usize = 64;
/// Portals kept per connection.
const MAX_PORTALS: usize = 256;
/// Forms of a portal that are kept: a result has no more columns (`MaxTupleAttributeNumber`).
const MAX_FORMS: usize = 1664;
/// Requests waiting for their answers.
const MAX_ASKED: usize = 4096;

/// Number of a statement of this connection; names may be reused.
pub type StatementId = u64;

/// A request of the client.
#[derive(Clone, Debug)]
pub enum Request {
    Parse,
    Bind,
    Close,
    Sync,
    /// A simple query, whose answer ends like that to Sync.
    Query,
    DescribeStatement(StatementId),
    DescribePortal(Portal),
    Execute(Portal),
}

/// A statement with the formats of its results: none for text, one for all, or one each.
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
    /// The columns of its result, once described.
    pub columns: Vec<Column>,
    /// Requests that refer to it.
    waiting: usize,
    /// Its name was reused or closed.
    retired: bool,
}

impl PreparedStatement for Statement {
    fn memory(&self) -> usize {
        let columns = self.columns.iter().map(|c| c.name.capacity() + size_of::<Column>());
        self.text.capacity() + 4 * self.types.capacity() + columns.sum::<usize>()
    }
}

/// The statements of a connection, and the requests without an answer.
#[derive(Default)]
pub struct Exchange {
    statements: PreparedStatements<StatementId, Statement>,
    names: BTreeMap<Vec<u8>, StatementId>,
    portals: BTreeMap<Vec<u8>, Portal>,
    asked: VecDeque<Request>,
    next: StatementId,
}

impl Exchange {
    /// The client sends a request.
    pub fn ask(&mut self, asked: Request) {
        if self.asked.len() >= MAX_ASKED {
            self.forget();
        }
        if let Some(statement) = refers(&asked).and_then(|id| self.statements.get_mut(&id)) {
            statement.waiting += 1;
        }
        self.asked.push_back(asked);
    }

    /// The request that the server answers now.
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

    /// An error: the server ignores everything up to the next Sync.
    pub fn failed(&mut self) {
        while self.asked.front().is_some_and(|a| !matches!(a, Request::Sync | Request::Query)) {
            self.answered();
        }
    }

    /// Requests and answers can no longer be paired.
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
        self.statements.update(&id, |statement| statement.types = types);
    }

    /// The columns of its result, from RowDescription.
    pub fn set_columns(&mut self, id: StatementId, columns: Vec<Column>) {
        self.statements.update(&id, |statement| statement.columns = columns);
    }

    /// Parse: name, statement, types of its parameters. Returns the text of the statement.
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
        self.next += 1;
        if self.statements.insert(self.next, statement) > 0 {
            self.names.retain(|_, id| self.statements.get(id).is_some());
        }
        self.names.insert(name.to_vec(), self.next);
        two_names(body).map(|(_, text, _)| text)
    }

    /// Bind: portal, statement, formats and values of the parameters, formats of the result. Returns the statement
    /// and the values of its parameters as text, if `pay` takes the statement.
    pub fn bind(
        &mut self,
        body: &[u8],
        pay: impl FnOnce(&[u8]) -> bool,
    ) -> Option<(Zeroizing<Vec<u8>>, Parameters)> {
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
        let text = pay(&statement.text).then(|| statement.text.clone());
        if portal.len() <= MAX_NAME && self.portals.len() < MAX_PORTALS {
            let mut formats = forms(rest).map(|(formats, _)| formats).unwrap_or_default();
            formats.truncate(MAX_FORMS);
            let formats = formats.into();
            self.portals.insert(portal.to_vec(), Portal { statement: id, formats });
        }
        Some((text?, parameters))
    }

    /// Describe: a statement or a portal.
    pub fn describe(&mut self, body: &[u8]) {
        let name = body.get(1..).and_then(|b| b.strip_suffix(&[0])).unwrap_or_default();
        // A statement that is no longer known is answered all the same.
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
            // An open portal still uses it.
            if !self.portals.values().any(|portal| portal.statement == id) {
                self.sweep(id);
            }
        }
    }

    /// Drops a statement that nothing refers to any more.
    fn sweep(&mut self, id: StatementId) {
        if self.statements.get(&id).is_some_and(|s| s.retired && s.waiting == 0) {
            self.statements.remove(&id);
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        // A form list may outlive its portal in the requests that wait: those are few beside the portals.
        let forms = self.portals.values().map(|portal| size_of_val(&*portal.formats));
        self.statements.memory()
            + self.asked.capacity() * size_of::<Request>()
            + forms.sum::<usize>()
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
