//! The descriptor that pollers watch: one end of a socket pair, with a byte in it exactly while
//! completions wait.
//!
//! Not an eventfd: all of those share one inode, so that one which the host closed and whose number
//! is now another's could not be told from ours.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::state::Bell;
use crate::sys::SocketPair;

/// The pair, once somebody has asked for it.
#[derive(Debug, Default)]
pub struct SocketBell(Mutex<Option<SocketPair>>);

impl SocketBell {
    /// The end to watch, readable if completions wait; a new one if the host closed the last. None
    /// if no descriptor can be had. Called under the queue's lock.
    pub fn descriptor(&self, completions_wait: bool) -> Option<i32> {
        let mut pair = self.lock();
        if !pair.as_ref().is_some_and(SocketPair::is_ours) {
            let new = SocketPair::new().ok()?;
            if completions_wait {
                new.fill();
            }
            *pair = Some(new);
        }
        pair.as_ref().map(SocketPair::end)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SocketPair>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell for SocketBell {
    fn ring(&self) {
        if let Some(pair) = &*self.lock() {
            pair.fill();
        }
    }

    fn silence(&self) {
        if let Some(pair) = &*self.lock() {
            pair.empty();
        }
    }
}
