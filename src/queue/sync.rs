//! The locks of the queue's state: the standard ones here, loom's where `model/` checks every
//! interleaving.

pub use std::sync::{Condvar, Mutex, MutexGuard};
