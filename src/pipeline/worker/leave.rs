//! The end of a worker whose process ends with it.

use super::Worker;

impl Worker {
    /// Leaves the caches to the system. Freeing them entry by entry takes up to 2.5 % of a run, and
    /// they hold no raw value.
    pub fn leave(self) {
        std::mem::forget(self.context.values);
    }
}
