//! Procedure calls (MS-TDS 2.2.6.6): statements with parameters, prepared ones, and procedures of the database.

use super::super::ContentSink;
use super::super::sql::{self, Catalog, Fields, Parameters, PreparedStatement, PreparedStatements};
use super::connection::without_headers;
use super::rows::{self, Rows};
use super::values::{Kind, utf16};
use crate::syntax::sql::{Token, Tokens};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Parameters of a call that are read.
const MAX_PARAMETERS: usize = 2100;
/// Calls of one message that are read.
const MAX_CALLS: usize = 1024;
/// Separators between the calls of a message, by version.
const SEPARATORS: [u8; 3] = [0x80, 0xFE, 0xFF];

/// Procedures of the server whose arguments are statements, by number (2.2.6.6).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Procedure {
    /// Statement, declarations, values.
    ExecuteSql,
    /// A handle to be returned, declarations, statement.
    Prepare,
    /// The same, then values.
    PrepareAndExecute,
    /// A handle, values.
    Execute,
    /// A cursor and its options: handle, statement, options, declarations, values.
    OpenCursor,
    /// Two handles, declarations, statement, options, values.
    PrepareCursor,
    Other,
}

impl Procedure {
    const fn numbered(number: u64) -> Self {
        match number {
            2 => Self::OpenCursor,
            5 => Self::PrepareCursor,
            10 => Self::ExecuteSql,
            11 => Self::Prepare,
            12 => Self::Execute,
            13 => Self::PrepareAndExecute,
            _ => Self::Other,
        }
    }

    fn named(name: &[u8]) -> Self {
        let name = name.to_ascii_lowercase();
        let is = |ending: &[u8]| name.ends_with(ending);
        match () {
            () if is(b"sp_executesql") => Self::ExecuteSql,
            () if is(b"sp_prepexec") => Self::PrepareAndExecute,
            () if is(b"sp_prepare") => Self::Prepare,
            () if is(b"sp_execute") => Self::Execute,
            () if is(b"sp_cursoropen") => Self::OpenCursor,
            () if is(b"sp_cursorprepexec") => Self::PrepareCursor,
            () => Self::Other,
        }
    }

    /// Which argument is the statement, and which the declarations; where values begin.
    const fn places(self) -> (usize, usize, usize) {
        const NONE: usize = usize::MAX;
        match self {
            Self::ExecuteSql => (0, 1, 2),
            Self::Prepare => (2, 1, NONE),
            Self::PrepareAndExecute => (2, 1, 3),
            Self::Execute => (NONE, NONE, 1),
            Self::OpenCursor => (1, 5, 6),
            Self::PrepareCursor => (3, 2, 7),
            Self::Other => (NONE, NONE, 0),
        }
    }
}

/// A statement with the names of its parameters.
#[derive(Default)]
struct Prepared {
    statement: Zeroizing<Vec<u8>>,
    names: Vec<Vec<u8>>,
}

impl PreparedStatement for Arc<Prepared> {
    fn memory(&self) -> usize {
        let names = self.names.iter().map(|name| name.capacity() + size_of::<Vec<u8>>());
        self.statement.capacity() + names.sum::<usize>()
    }
}

/// The prepared statements of a connection.
#[derive(Default)]
pub struct Calls {
    known: PreparedStatements<i64, Arc<Prepared>>,
    /// Procedures that were created on this connection, by their names in lower case: drivers make temporary ones of
    /// statements that they repeat.
    created: PreparedStatements<Vec<u8>, Arc<Prepared>>,
    /// The statement whose handle the server has not returned yet.
    preparing: Option<Arc<Prepared>>,
}

impl Calls {
    /// The server returned a value: the handle of a prepared statement.
    pub fn returned(&mut self, value: &[u8]) {
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        if let Some((handle, prepared)) = number.zip(self.preparing.take()) {
            self.known.insert(handle, prepared);
        }
    }

    /// `CREATE PROCEDURE name @a int, ... AS statement`; whether `batch` is one.
    pub fn learn(&mut self, batch: &[u8]) -> bool {
        let mut tokens = Tokens::new(batch);
        if !tokens.next().is_some_and(|token| token.is("CREATE"))
            || !tokens.next().is_some_and(|token| token.is("PROC") || token.is("PROCEDURE"))
            || batch.len() > sql::MAX_PREPARED
        {
            return false;
        }
        // Its schema may come before a point.
        let mut name = Vec::new();
        let declarations = loop {
            let before = tokens.rest();
            match tokens.next() {
                None => return false,
                Some(token) if token.is("AS") => break &[][..],
                Some(Token::Placeholder(_)) => break before,
                Some(token) => name = token.column().map(<[u8]>::to_vec).unwrap_or(name),
            }
        };
        let len = declarations.len();
        if len > 0 && !tokens.by_ref().any(|token| token.is("AS")) {
            return false;
        }
        let declarations = declarations.get(..len - tokens.rest().len().min(len));
        let names = declared(declarations.unwrap_or_default());
        let statement = Zeroizing::new(tokens.rest().to_vec());
        self.created.insert(name.to_ascii_lowercase(), Arc::new(Prepared { statement, names }));
        true
    }

    /// A message with one or more calls.
    pub fn message(&mut self, message: &[u8], catalog: &mut Catalog, sink: &mut dyn ContentSink) {
        let mut fields = Fields(without_headers(message));
        for _ in 0..MAX_CALLS {
            if fields.0.is_empty() || self.call(&mut fields, catalog, sink).is_none() {
                return;
            }
        }
    }

    /// A call: its procedure by name or number, and its arguments.
    fn call(
        &mut self,
        fields: &mut Fields<'_>,
        catalog: &mut Catalog,
        sink: &mut dyn ContentSink,
    ) -> Option<()> {
        let (mut prepared, mut known) = (Prepared::default(), None);
        let procedure = match fields.number(2)? {
            0xFFFF => Procedure::numbered(fields.number(2)?),
            len => {
                let name = utf16(fields.bytes(2 * len as usize)?);
                let own = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
                if let Some(created) = self.created.get(&own.to_ascii_lowercase()) {
                    if !sql::reread(&created.statement, sink) {
                        return None;
                    }
                    known = Some(Arc::clone(created));
                }
                Procedure::named(&name)
            }
        };
        // Options.
        fields.bytes(2)?;
        let (statement, declarations, values) = procedure.places();
        let mut parameters = Parameters::default();
        let (mut arguments, mut tables) = (Vec::new(), Vec::new());
        let mut whole = Some(());
        for at in 0..MAX_PARAMETERS {
            match fields.0.first() {
                None => break,
                Some(separator) if SEPARATORS.contains(separator) => {
                    fields.bytes(1);
                    break;
                }
                Some(_) => {}
            }
            let (Some(name), Some(_)) = (fields.text(1), fields.number(1)) else { break };
            let Some((text, rows)) = value(fields) else {
                whole = None;
                break;
            };
            let name = name.strip_prefix(b"@").unwrap_or(&name).to_vec();
            match at {
                at if at == statement => prepared.statement = text,
                at if at == declarations => prepared.names = declared(&text),
                0 if procedure == Procedure::Execute => {
                    let handle = std::str::from_utf8(&text).ok().and_then(|t| t.parse().ok());
                    known = handle.and_then(|handle: i64| self.known.get(&handle)).cloned();
                    // A short call makes a long statement be read again, so it is paid for.
                    if known.as_ref().is_some_and(|known| !sql::reread(&known.statement, sink)) {
                        return None;
                    }
                }
                at if at >= values => {
                    // A value without a name belongs to the next declaration.
                    let prepared = known.as_deref().unwrap_or(&prepared);
                    let place = prepared.names.get(at - values).filter(|_| name.is_empty());
                    let name = place.cloned().unwrap_or(name);
                    tables.extend(rows.map(|rows| (name.clone(), rows)));
                    parameters.insert(&name, &text);
                    parameters.push(&text);
                    arguments.push((name, text));
                }
                _ => {}
            }
        }
        let prepared = known.unwrap_or_else(|| Arc::new(prepared));
        if matches!(procedure, Procedure::Prepare | Procedure::PrepareAndExecute) {
            self.preparing = Some(Arc::clone(&prepared));
        }
        match prepared.statement.is_empty() {
            true => sql::pass_on_arguments(&arguments, "tds", sink),
            false => {
                sql::pass_on_values(&prepared.statement, &parameters, catalog, "tds", sink);
            }
        }
        for (name, rows) in tables {
            // Each looks for its columns in the statement.
            if !sql::reread(&prepared.statement, sink) {
                return None;
            }
            rows.pass_on(&name, &prepared.statement, catalog, sink);
        }
        whole
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        let preparing = self.preparing.as_ref().map_or(0, PreparedStatement::memory);
        self.known.memory() + self.created.memory() + preparing
    }
}

/// The value of a parameter from its type on: its text, or the rows of a table. `None` if it cannot be read.
fn value(fields: &mut Fields<'_>) -> Option<(Zeroizing<Vec<u8>>, Option<Rows>)> {
    let mut text = Zeroizing::new(Vec::new());
    if fields.0.first() == Some(&rows::TABLE) {
        return Some((text, Some(Rows::read(fields)?)));
    }
    Kind::read(fields)?.value(fields, &mut text)?;
    Some((text, None))
}

/// The names of `@P0 nvarchar(40), @P1 int`.
fn declared(text: &[u8]) -> Vec<Vec<u8>> {
    let name = |part: &[u8]| {
        let len = part.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        part.get(..len).unwrap_or_default().to_vec()
    };
    text.split(|b| *b == b'@').skip(1).map(name).take(MAX_PARAMETERS).collect()
}
