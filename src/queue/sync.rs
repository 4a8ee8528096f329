//! The lock types of the queue's state. `model/` replaces this file with loom's types.

pub use std::sync::{Condvar, Mutex, MutexGuard};

/// How many calls are completed in a loop before the lock is released for a moment.
pub const BATCH: usize = 64;
