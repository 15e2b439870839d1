//! The end of a worker that ends with the process.

use super::Worker;

impl Worker {
    /// The process is about to end. What was remembered to read faster is left to the system: to free it entry by
    /// entry takes up to a fortieth of a run. No raw value is in it.
    pub fn leave(self) {
        std::mem::forget(self.context.values);
    }
}
