//! One connection.

use super::super::sql::{self, Catalog, MAX_STATEMENT, Parameters, Table};
use super::super::{
    Authentication, ContentSink, Direction, End, Ending, ParseError, Parser, Progress, Reason,
    Resync,
};
use super::copy::Copy;
use super::exchange::{Exchange, Portal, Request, StatementId};
use super::values::{self, Column, Form};
use super::{
    CANCEL_REQUEST, GSS_REQUEST, MAX_STARTUP, SSL_REQUEST, find_answer, find_request, word,
};
use crate::protocol::tls_upgrade::TlsUpgrade;

/// Longest row or row description that is read whole, bytes. Of a longer row, the columns up to there are read.
const MAX_ROW: usize = 256 << 10;
/// The work of setting up a column once more.
const COLUMN: u64 = 16;

/// One flow.
#[derive(Default)]
pub struct PostgresqlParser {
    /// The client has sent its startup message.
    started: bool,
    tls: TlsUpgrade,
    exchange: Exchange,
    catalog: Catalog,
    table: Table,
    /// Type and form of each column of the table.
    types: Vec<(u32, Form)>,
    /// The statement whose columns the table has.
    shown: Option<Portal>,
    copy: Copy,
}

impl PostgresqlParser {
    /// A message of the client that is read as a whole.
    fn request(&mut self, kind: u8, body: &[u8], sink: &mut dyn ContentSink) {
        match kind {
            b'Q' => {
                let statement = body.strip_suffix(&[0]).unwrap_or(body);
                self.exchange.ask(Request::Query);
                self.copy.begin(statement, &self.catalog);
                self.pass_on_values(statement, &Parameters::default(), sink);
            }
            b'P' => {
                if let Some(statement) = self.exchange.parse(body) {
                    self.copy.begin(statement, &self.catalog);
                }
            }
            b'B' => {
                let pay = |statement: &[u8]| sql::reread(statement, sink);
                if let Some((statement, parameters)) = self.exchange.bind(body, pay) {
                    self.pass_on_values(&statement, &parameters, sink);
                }
            }
            b'D' => self.exchange.describe(body),
            b'E' => self.exchange.execute(body),
            b'C' => self.exchange.close(body),
            b'S' => self.exchange.ask(Request::Sync),
            b'd' => self.copy.data(Direction::ClientToServer, body, sink),
            b'c' => self.copy.end(Ending::Complete, sink),
            b'f' => self.copy.end(Ending::Cut, sink),
            _ => {}
        }
    }

    fn pass_on_values(
        &mut self,
        statement: &[u8],
        parameters: &Parameters,
        sink: &mut dyn ContentSink,
    ) {
        sql::pass_on_values(statement, parameters, &mut self.catalog, "postgresql", sink);
    }

    /// A message of the server that is read as a whole.
    fn answer(&mut self, kind: u8, body: &[u8], sink: &mut dyn ContentSink) {
        match (kind, self.exchange.front()) {
            (b'1', Some(Request::Parse))
            | (b'2', Some(Request::Bind))
            | (b'3', Some(Request::Close)) => {
                self.exchange.answered();
            }
            (b't', Some(Request::DescribeStatement(id))) => {
                let id = *id;
                self.exchange.set_types(id, values::parameter_types(body));
            }
            (b'n', Some(Request::DescribeStatement(_) | Request::DescribePortal(_))) => {
                self.exchange.answered();
            }
            (b'T', _) => self.describe(body, sink),
            (b'D', _) => self.row(body, sink),
            // CommandComplete, PortalSuspended, EmptyQueryResponse
            (b'C' | b's' | b'I', front) => {
                if matches!(front, Some(Request::Execute(_))) {
                    self.exchange.answered();
                }
                self.table.close(Ending::Complete, sink);
            }
            (b'E', _) => {
                self.exchange.failed();
                self.table.close(Ending::Complete, sink);
            }
            (b'Z', _) => {
                self.exchange.ready();
                self.table.close(Ending::Complete, sink);
            }
            // AuthenticationOk without a question, ...CleartextPassword, ...MD5Password, ...SASL
            (b'R', _) => match word(body, 0) {
                Some(0) => sink.facts().served(),
                Some(3) => sink.facts().password_in_clear(),
                // Kerberos, MD5, SCM, GSSAPI, SSPI, SASL.
                Some(2 | 5..=7 | 9 | 10) => sink.facts().authentication = Authentication::Digest,
                _ => {}
            },
            (b'G' | b'H', _) => self.copy.answered(body),
            (b'd', _) => self.copy.data(Direction::ServerToClient, body, sink),
            (b'c', _) => self.copy.end(Ending::Complete, sink),
            _ => {}
        }
    }

    /// RowDescription: of a statement, whose results come later, or of the rows that follow.
    fn describe(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        let columns = values::describe(body);
        match self.exchange.front().cloned() {
            Some(Request::DescribeStatement(id)) => {
                self.exchange.answered();
                if let Some(statement) = self.exchange.statement(id)
                    && sql::reread(&statement.text, sink)
                {
                    self.catalog.learn(&statement.text);
                }
                // The capture may contain only the rows that follow.
                self.show(&columns, |_| Form::Unknown, sink);
                self.shown = None;
                self.remember(id, columns);
            }
            Some(Request::DescribePortal(portal)) => {
                self.exchange.answered();
                self.show(&columns, |at| columns.get(at).map_or(Form::Unknown, |c| c.form), sink);
                let id = portal.statement;
                self.shown = Some(portal);
                self.remember(id, columns);
            }
            front => {
                // Whether a statement or its rows are described is unknown.
                let unknown = front.is_none();
                let form = |at: usize| match columns.get(at).map(|c| c.form) {
                    Some(Form::Text) | None if unknown => Form::Unknown,
                    form => form.unwrap_or(Form::Unknown),
                };
                self.show(&columns, form, sink);
                self.shown = None;
            }
        }
    }

    fn remember(&mut self, id: StatementId, columns: Vec<Column>) {
        self.exchange.set_columns(id, columns);
    }

    /// The table of the following rows.
    fn show(
        &mut self,
        columns: &[Column],
        form: impl Fn(usize) -> Form,
        sink: &mut dyn ContentSink,
    ) {
        self.table.reset(Ending::Complete, sink);
        self.types.clear();
        let names: Vec<&[u8]> = columns.iter().map(|column| column.name.as_slice()).collect();
        self.catalog.show(&names, &mut self.table);
        let kinds = columns.iter().enumerate().map(|(at, column)| (column.kind, form(at)));
        self.types.extend(kinds);
    }

    fn row(&mut self, body: &[u8], sink: &mut dyn ContentSink) {
        if let Some(Request::Execute(portal)) = self.exchange.front()
            && self.shown.as_ref() != Some(portal)
            && let Some(statement) = self.exchange.statement(portal.statement)
            && !statement.columns.is_empty()
        {
            // Requests that take turns have their columns set up for each.
            let columns = COLUMN * statement.columns.len() as u64;
            if !(sink.reread(columns) && sql::reread(&statement.text, sink)) {
                return;
            }
            let (portal, columns) = (portal.clone(), statement.columns.clone());
            self.catalog.learn(&statement.text);
            self.show(&columns, |at| portal.form(at), sink);
            self.shown = Some(portal);
        }
        if self.table.is_done() {
            return;
        }
        let mut rest = body.get(2..).unwrap_or_default();
        for (kind, form) in &self.types {
            let Some(value) = values::next(&mut rest) else { break };
            let read = |text: &mut Vec<u8>| values::show(*kind, *form, value, text);
            if self.table.write_cell(read).is_none() {
                self.table.cell(value);
            }
        }
        self.table.end_row("postgresql", sink);
    }

    /// The effect of a message that is too long or carries no data on waiting requests.
    fn pass_over(&mut self, kind: u8, client: bool) {
        match kind {
            b'Q' if client => self.exchange.ask(Request::Query),
            b'P' if client => self.exchange.ask(Request::Parse),
            b'B' if client => self.exchange.ask(Request::Bind),
            _ => {}
        }
    }

    /// The startup message, or a request in its place; `None` if it is incomplete.
    fn start(&mut self, rest: &[u8], at: usize) -> Result<Progress, ParseError> {
        let (Some(len), Some(version)) = (word(rest, 0), word(rest, 4)) else {
            return Ok(Progress::need(at, 8));
        };
        if !(8..=MAX_STARTUP).contains(&len) {
            return Err(ParseError::new(Reason::Malformed, at));
        }
        match version {
            SSL_REQUEST | GSS_REQUEST => self.tls.ask(),
            CANCEL_REQUEST => {}
            _ => self.started = true,
        }
        Ok(Progress::skip(at + 8, u64::from(len - 8)))
    }
}

impl Parser for PostgresqlParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [first, ..]) = data.get(at..) {
            if client && !self.started {
                if self.tls.begins(rest) {
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                if *first == 0 {
                    return self.start(rest, at);
                }
                // Messages have a letter first: the startup message was not seen.
                self.started = true;
            }
            if !client && self.tls.is_asked() && matches!(first, b'S' | b'G' | b'N') {
                // One byte alone; `S` with a length behind it would be a parameter.
                at += 1;
                if self.tls.answered(*first != b'N') {
                    return Ok(Progress { switch: true, ..Progress::consumed(at) });
                }
                continue;
            }
            let Some(len) = word(rest, 1) else { return Ok(Progress::need(at, 5)) };
            let known = first.is_ascii_alphanumeric();
            let Some(len) = len.checked_sub(4).filter(|l| known && *l < 1 << 30) else {
                return Err(ParseError::new(Reason::Malformed, at));
            };
            let size = len as usize;
            let read = match client {
                true => {
                    matches!(
                        first,
                        b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'S' | b'd' | b'c' | b'f'
                    ) && size <= MAX_STATEMENT
                }
                false => {
                    // All but notices, parameters, keys and function results.
                    !matches!(first, b'N' | b'S' | b'K' | b'A' | b'V') && size <= MAX_ROW
                }
            };
            if !read {
                if *first == b'D' && !client {
                    let Some(head) = rest.get(5..5 + MAX_ROW) else {
                        return Ok(Progress::need(at, 5 + MAX_ROW));
                    };
                    self.answer(*first, head, sink);
                }
                self.pass_over(*first, client);
                return Ok(Progress::skip(at + 5, u64::from(len)));
            }
            let Some(body) = rest.get(5..5 + size) else {
                return Ok(Progress::need(at, 5 + size));
            };
            match client {
                true => self.request(*first, body, sink),
                false => self.answer(*first, body, sink),
            }
            at += 5 + size;
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        sink.facts().missed_login();
    }

    fn gap(&mut self, direction: Direction, _len: u64, sink: &mut dyn ContentSink) -> Resync {
        self.copy.end(Ending::Cut, sink);
        self.exchange.forget();
        self.shown = None;
        if direction == Direction::ServerToClient {
            self.table.close(Ending::Cut, sink);
        }
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.started = true;
        if direction == Direction::ClientToServer {
            // Sync, which has no body; or a statement.
            let sync = memchr::memmem::find(data, b"S\0\0\0\x04").map(|at| at + 5);
            return [sync, find_request(data)].into_iter().flatten().min();
        }
        find_answer(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        self.copy.end(Ending::Cut, sink);
        if direction == Direction::ServerToClient {
            self.table.close(Ending::Cut, sink);
        }
    }

    fn memory(&self) -> usize {
        self.table.memory() + self.copy.memory() + self.exchange.memory() + self.catalog.memory()
    }
}
