//! The locks of the queue's state: the standard ones here, loom's where `model/` checks every
//! interleaving.

pub use std::sync::{Condvar, Mutex, MutexGuard};

/// How many calls are completed before the lock is released for a moment.
pub const BATCH: usize = 64;
