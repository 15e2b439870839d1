//! Prepared statements by the numbers that the server gave them.

use super::super::sql::{Fields, Parameters, is_null};
use super::results::Column;
use super::values;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Statements kept per connection; drivers keep some 256.
const MAX_STATEMENTS: usize = 512;
/// Their texts and columns together, bytes.
const MAX_KEPT: usize = 1 << 20;
/// Parameters of all statements that were sent in pieces, bytes.
const MAX_LONG: usize = 512 << 10;
/// What a parameter that was sent in pieces takes beside its bytes, roughly.
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
    /// The columns of its result, as they were described last.
    pub columns: Vec<Column>,
    /// Parameters that were sent before, in pieces.
    long: BTreeMap<usize, Zeroizing<Vec<u8>>>,
}

impl Prepared {
    /// Of this text, where the server has not counted the parameters yet.
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

    /// The values of COM_STMT_EXECUTE, those that `nulls` does not say are NULL.
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

    /// The values of one row of COM_STMT_BULK_EXECUTE: each has a sign before it whether it is there.
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

    fn size(&self) -> usize {
        let columns = self.columns.iter().map(|c| c.name.capacity() + size_of::<Column>());
        self.statement.capacity() + 2 * self.types.capacity() + columns.sum::<usize>()
    }
}

/// The statements of a connection.
#[derive(Default)]
pub struct Statements {
    known: BTreeMap<u32, Prepared>,
    kept: usize,
    last: u32,
}

impl Statements {
    /// The server gave `prepared` the number `id`. The oldest goes first.
    pub fn insert(&mut self, id: u32, prepared: Prepared) {
        self.remove(id);
        while self.known.len() >= MAX_STATEMENTS || self.kept + prepared.size() > MAX_KEPT {
            let Some((_, old)) = self.known.pop_first() else { break };
            self.kept = self.kept.saturating_sub(old.size());
        }
        self.kept += prepared.size();
        self.last = id;
        self.known.insert(id, prepared);
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
        if let Some(old) = self.known.remove(&id) {
            self.kept = self.kept.saturating_sub(old.size());
        }
    }

    /// The statement with this number.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Prepared> {
        let id = if id == LAST { self.last } else { id };
        self.known.get_mut(&id)
    }

    /// The columns of its result.
    pub fn columns(&self, id: u32) -> Option<&[Column]> {
        let id = if id == LAST { self.last } else { id };
        self.known.get(&id).map(|prepared| prepared.columns.as_slice())
    }

    /// Its result was described.
    pub fn set_columns(&mut self, id: u32, columns: &[Column]) {
        let id = if id == LAST { self.last } else { id };
        if let Some(prepared) = self.known.get_mut(&id)
            && prepared.columns != columns
        {
            let before = prepared.size();
            prepared.columns = columns.to_vec();
            self.kept = self.kept.saturating_sub(before) + prepared.size();
        }
        while self.kept > MAX_KEPT {
            let Some((_, old)) = self.known.pop_first() else { break };
            self.kept = self.kept.saturating_sub(old.size());
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.kept + self.known.values().map(Prepared::long).sum::<usize>()
    }
}
