//! Prepared statements by the numbers that the server gave them.

use super::super::sql::{Fields, Parameters, PreparedStatement, PreparedStatements, is_null};
use super::results::Column;
use super::values;
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Parameters of all statements that were sent in pieces, bytes.
const MAX_LONG: usize = 512 << 10;
/// Overhead of a parameter that was sent in pieces, bytes, approximately.
const LONG_COST: usize = 64;
/// As the number of a statement: the one prepared last (MariaDB).
pub const LAST: u32 = u32::MAX;

/// A prepared statement.
#[derive(Default)]
pub struct Prepared {
    pub statement: Zeroizing<Vec<u8>>,
    pub parameters: usize,
    /// Types of the parameters, which are sent once.
    types: Vec<(u8, bool)>,
    /// The columns of its result, as last described.
    pub columns: Arc<Vec<Column>>,
    /// Parameters that were sent before, in pieces.
    long: BTreeMap<usize, Zeroizing<Vec<u8>>>,
}

impl Prepared {
    /// A statement with this text whose parameters the server has not counted yet.
    pub fn new(statement: Zeroizing<Vec<u8>>, parameters: usize) -> Self {
        Self { statement, parameters, ..Self::default() }
    }

    /// Reads the types of the parameters, with their names where the client sends `attributes`.
    pub fn read_types(&mut self, fields: &mut Fields<'_>, attributes: bool) -> Option<()> {
        self.types.clear();
        for _ in 0..self.parameters {
            let [kind, flags] = fields.bytes(2)? else { return None };
            self.types.push((*kind, flags & 0x80 != 0));
            if attributes {
                fields.string();
            }
        }
        Some(())
    }

    /// The values of COM_STMT_EXECUTE that `nulls` does not mark as NULL.
    pub fn values(&mut self, nulls: &[u8], fields: &mut Fields<'_>) -> Parameters {
        let mut parameters = Parameters::default();
        let mut text = Zeroizing::new(Vec::new());
        let long = std::mem::take(&mut self.long);
        for (at, (kind, unsigned)) in self.types.iter().enumerate() {
            text.clear();
            if let Some(sent) = long.get(&at) {
                text.extend_from_slice(sent);
            } else if !is_null(nulls, at)
                && values::read(*kind, *unsigned, fields, &mut text).is_none()
            {
                break;
            }
            parameters.push(&text);
        }
        parameters
    }

    /// The values of one row of COM_STMT_BULK_EXECUTE: each follows an indicator whether it is there.
    pub fn row(&self, fields: &mut Fields<'_>) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        let mut text = Zeroizing::new(Vec::new());
        for (kind, unsigned) in &self.types {
            text.clear();
            if fields.number(1)? == 0 {
                values::read(*kind, *unsigned, fields, &mut text)?;
            }
            parameters.push(&text);
        }
        Some(parameters)
    }

    /// Bytes of parameters that were sent in pieces.
    fn long(&self) -> usize {
        self.long.values().map(|piece| piece.capacity() + LONG_COST).sum()
    }
}

impl PreparedStatement for Prepared {
    fn memory(&self) -> usize {
        // Types are sent later, one for each parameter.
        let types = self.parameters * size_of::<(u8, bool)>();
        let columns = self.columns.iter().map(|c| c.name.capacity() + size_of::<Column>());
        self.statement.capacity() + types + columns.sum::<usize>()
    }
}

/// The statements of a connection.
#[derive(Default)]
pub struct Statements {
    known: PreparedStatements<u32, Prepared>,
    last: u32,
}

impl Statements {
    /// The server gave `prepared` the number `id`.
    pub fn insert(&mut self, id: u32, prepared: Prepared) {
        self.known.insert(id, prepared);
        self.last = id;
    }

    /// A piece of a parameter: its number, then bytes (COM_STMT_SEND_LONG_DATA).
    pub fn append(&mut self, id: u32, body: &[u8]) {
        let mut fields = Fields(body);
        let Some(at) = fields.number(2) else { return };
        let held: usize = self.known.values().map(Prepared::long).sum();
        if held + fields.0.len() + LONG_COST <= MAX_LONG
            && let Some(prepared) = self.get_mut(id)
        {
            prepared.long.entry(at as usize).or_default().extend_from_slice(fields.0);
        }
    }

    /// The client closed it.
    pub fn remove(&mut self, id: u32) {
        self.known.remove(&id);
    }

    /// The statement with this number.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Prepared> {
        self.known.get_mut(&self.resolve(id))
    }

    /// The columns of its result.
    pub fn columns(&self, id: u32) -> Option<Arc<Vec<Column>>> {
        self.known.get(&self.resolve(id)).map(|prepared| Arc::clone(&prepared.columns))
    }

    /// Its result was described.
    pub fn set_columns(&mut self, id: u32, columns: &Arc<Vec<Column>>) {
        if self.columns(id).is_some_and(|known| known != *columns) {
            let resolved = self.resolve(id);
            self.known.update(&resolved, |prepared| prepared.columns = Arc::clone(columns));
        }
    }

    /// The number that the server gave to `id`, which may be [`LAST`].
    const fn resolve(&self, id: u32) -> u32 {
        if id == LAST { self.last } else { id }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.known.memory() + self.known.values().map(Prepared::long).sum::<usize>()
    }
}
