//! What the queue's state reports to: the descriptor that pollers watch, and the client's counters.
//!
//! The descriptor is one end of a socket pair, with a byte in it exactly while there are completions
//! to fetch. It is not an eventfd: all of those share one inode, so that one which the host closed
//! and whose number is now another's could not be distinguished from ours.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use super::state::{Completion, Notifier, Stage};
use super::{CallHandle, Executed, status_of};
use crate::client::Client;
use crate::sys::SocketPair;

/// The descriptor of a queue.
#[derive(Debug, Default)]
enum Wakeup {
    /// Nobody has asked for it.
    #[default]
    Unused,
    Open(SocketPair),
    /// The queue was freed.
    Closed,
}

/// The descriptor and the counters of a queue.
pub struct QueueNotifier {
    wakeup: Mutex<Wakeup>,
    /// Weak, since a forked child forgets this value without dropping it.
    client: Weak<Client>,
}

impl QueueNotifier {
    /// Without a descriptor, counting for this client.
    pub fn new(client: Weak<Client>) -> QueueNotifier {
        QueueNotifier { wakeup: Mutex::default(), client }
    }

    /// The end to watch, readable if there are completions; a new one if the host closed the last.
    /// None if no descriptor can be opened or the queue was freed. Called under the queue's lock.
    pub fn descriptor(&self, has_completions: bool) -> Option<i32> {
        let mut wakeup = self.lock();
        match &*wakeup {
            Wakeup::Closed => return None,
            Wakeup::Open(pair) if pair.owns_descriptors() => return Some(pair.poll_descriptor()),
            Wakeup::Open(_) | Wakeup::Unused => {}
        }
        let pair = SocketPair::new().ok()?;
        if has_completions {
            pair.set_readable();
        }
        let end = pair.poll_descriptor();
        *wakeup = Wakeup::Open(pair);
        Some(end)
    }

    fn lock(&self) -> MutexGuard<'_, Wakeup> {
        self.wakeup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier<CallHandle, Executed> for QueueNotifier {
    fn notify(&self) {
        if let Wakeup::Open(pair) = &*self.lock() {
            pair.set_readable();
        }
    }

    fn clear(&self) {
        if let Wakeup::Open(pair) = &*self.lock() {
            pair.clear();
        }
    }

    fn close(&self) {
        // Emptied before it is closed: a forked child may keep it open, and then a poller that still
        // watches it would be woken for ever.
        self.clear();
        *self.lock() = Wakeup::Closed;
    }

    fn moved(&self, from: Option<Stage>, to: Option<Stage>) {
        if let Some(client) = self.client.upgrade() {
            client.count_queued(from.map(index), to.map(index));
        }
    }

    fn completed(&self, handle: &CallHandle, completion: &Completion<Executed>) {
        let time = match completion {
            Completion::Executed(executed) => Some(executed.time),
            Completion::Ended(_) => None,
        };
        let has_begun = !matches!(completion, Completion::Ended(reason) if !reason.has_begun());
        if let Some(client) = self.client.upgrade() {
            client.count_completed(handle.operation, status_of(completion), time, has_begun);
        }
    }
}

/// The place of a stage among the counters.
fn index(stage: Stage) -> usize {
    match stage {
        Stage::Waiting => 0,
        Stage::Running => 1,
        Stage::Done => 2,
    }
}
