//! Notifications of the queue's state: the wake-up descriptor and the client's counters.
//!
//! The descriptor is one end of a socket pair, and is readable exactly while there are completions to
//! fetch. It is not an eventfd, because all eventfds share one inode: if the host closed it and
//! reused its number for another eventfd, the two could not be distinguished.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use super::state::{Completion, Notifier, Stage};
use super::{CallHandle, CallResult, status_of};
use crate::client::Client;
use crate::sys::SocketPair;

/// The wake-up descriptor of a queue.
#[derive(Debug, Default)]
enum WakeupFd {
    /// It has not been requested yet.
    #[default]
    Unused,
    Open(SocketPair),
    /// The queue was freed.
    Closed,
}

/// The descriptor and the counters of a queue.
pub struct QueueNotifier {
    wakeup: Mutex<WakeupFd>,
    /// Weak, because a forked child leaks this value.
    client: Weak<Client>,
}

impl QueueNotifier {
    /// Creates a notifier without a descriptor, which updates the counters of this client.
    pub fn new(client: Weak<Client>) -> QueueNotifier {
        QueueNotifier { wakeup: Mutex::default(), client }
    }

    /// The wake-up descriptor. If the host closed the previous one, opens another. None if no
    /// descriptor can be opened or the queue was freed. Must be called under the queue's lock.
    pub fn descriptor(&self, has_completions: bool) -> Option<i32> {
        let mut wakeup = self.lock();
        match &*wakeup {
            WakeupFd::Closed => return None,
            WakeupFd::Open(pair) if pair.owns_descriptors() => return Some(pair.poll_descriptor()),
            WakeupFd::Open(_) | WakeupFd::Unused => {}
        }
        let pair = SocketPair::new().ok()?;
        if has_completions {
            pair.set_readable();
        }
        let descriptor = pair.poll_descriptor();
        *wakeup = WakeupFd::Open(pair);
        Some(descriptor)
    }

    fn lock(&self) -> MutexGuard<'_, WakeupFd> {
        self.wakeup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier<CallHandle, CallResult> for QueueNotifier {
    fn notify(&self) {
        if let WakeupFd::Open(pair) = &*self.lock() {
            pair.set_readable();
        }
    }

    fn clear(&self) {
        if let WakeupFd::Open(pair) = &*self.lock() {
            pair.clear();
        }
    }

    fn close(&self) {
        // A forked child may keep the descriptor open. If it stayed readable, a program that still
        // polls it would spin.
        self.clear();
        *self.lock() = WakeupFd::Closed;
    }

    fn stage_changed(&self, from: Option<Stage>, to: Option<Stage>) {
        if let Some(client) = self.client.upgrade() {
            client.count_queued(from.map(index), to.map(index));
        }
    }

    fn completed(&self, handle: &CallHandle, completion: &Completion<CallResult>) {
        let time = match completion {
            Completion::Executed(executed) => Some(executed.time),
            Completion::NotExecuted(_) => None,
        };
        let has_begun =
            !matches!(completion, Completion::NotExecuted(reason) if !reason.has_begun());
        if let Some(client) = self.client.upgrade() {
            client.count_completed(handle.operation, status_of(completion), time, has_begun);
        }
    }
}

/// The index of a stage in the counters.
fn index(stage: Stage) -> usize {
    match stage {
        Stage::Waiting => 0,
        Stage::Running => 1,
        Stage::Done => 2,
    }
}
