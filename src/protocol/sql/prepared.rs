//! Prepared statements of a connection, by the id that the server or the client gave them.

use std::collections::BTreeMap;

/// Statements kept per connection; drivers keep some 256.
const MAX_STATEMENTS: usize = 512;
/// Their texts and descriptions together, bytes of heap.
const MAX_STATEMENT_BYTES: usize = 1 << 20;

/// A statement that [`PreparedStatements`] can hold.
pub trait PreparedStatement {
    /// Bytes of heap it holds, roughly.
    fn memory(&self) -> usize;
}

/// A bounded table of prepared statements. The one with the lowest id is dropped first: where ids count up, that is
/// the oldest.
#[derive(Debug)]
pub struct PreparedStatements<K, S> {
    by_id: BTreeMap<K, S>,
    /// Bytes of heap of all statements.
    bytes: usize,
}

impl<K, S> Default for PreparedStatements<K, S> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), bytes: 0 }
    }
}

impl<K: Ord, S: PreparedStatement> PreparedStatements<K, S> {
    /// Adds a statement, or replaces the one with this id. Returns how many others were dropped to make room.
    pub fn insert(&mut self, id: K, statement: S) -> usize {
        self.remove(&id);
        self.bytes += statement.memory();
        let mut dropped = 0;
        while (self.by_id.len() >= MAX_STATEMENTS || self.bytes > MAX_STATEMENT_BYTES)
            && self.drop_first()
        {
            dropped += 1;
        }
        self.by_id.insert(id, statement);
        dropped
    }

    /// The statement with this id.
    pub fn get(&self, id: &K) -> Option<&S> {
        self.by_id.get(id)
    }

    /// The same, for changes that leave its size as it is.
    pub fn get_mut(&mut self, id: &K) -> Option<&mut S> {
        self.by_id.get_mut(id)
    }

    /// Changes a statement, whose size may change with it. It is dropped itself if it is too large for the table.
    pub fn update(&mut self, id: &K, change: impl FnOnce(&mut S)) {
        let Some(statement) = self.by_id.get_mut(id) else { return };
        let before = statement.memory();
        change(statement);
        self.bytes = self.bytes.saturating_sub(before) + statement.memory();
        while self.bytes > MAX_STATEMENT_BYTES && self.drop_first() {}
    }

    /// Removes a statement that was closed.
    pub fn remove(&mut self, id: &K) {
        if let Some(old) = self.by_id.remove(id) {
            self.bytes = self.bytes.saturating_sub(old.memory());
        }
    }

    /// All statements.
    pub fn values(&self) -> impl Iterator<Item = &S> {
        self.by_id.values()
    }

    /// Bytes of heap of all statements.
    pub const fn memory(&self) -> usize {
        self.bytes
    }

    /// Drops the statement with the lowest id. Returns whether there was one.
    fn drop_first(&mut self) -> bool {
        let Some((_, old)) = self.by_id.pop_first() else { return false };
        self.bytes = self.bytes.saturating_sub(old.memory());
        true
    }
}
