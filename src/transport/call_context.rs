//! The deadline and the cancellation of a call, which all its waits obey.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::sys;

/// The longest wait that neither checks whether the call was cancelled nor runs the interrupt callback.
pub const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(75);

/// The deadline and the cancellation of a call or of one of its attempts.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// When it must have ended.
    pub deadline: Deadline,
    /// Ends it early.
    pub cancel: CancelToken<'a>,
    /// The sum of the `Retry-After` values for which the call has waited, in its attempts and in the
    /// token requests that it needed.
    pub retry_after: &'a Cell<Duration>,
}

/// The point in time at which a call must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// This long from now.
    pub fn after(timeout: Duration) -> Deadline {
        Deadline(Instant::now() + timeout)
    }

    /// The remaining time. None if the deadline has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// The flags that cancel a call.
#[derive(Clone, Copy, Debug)]
pub struct CancelToken<'a> {
    /// Set when the client is freed.
    pub client: &'a Arc<AtomicBool>,
    /// Set when this call is cancelled.
    pub call: Option<&'a Arc<AtomicBool>>,
    /// Whether a request that was already sent is completed although the call is cancelled, because
    /// its response states what the service created.
    pub completes_if_sent: bool,
}

impl CancelToken<'_> {
    /// Whether the call must end now: it was cancelled, or interrupted on this thread. `sent` states
    /// whether a byte of the request was sent.
    pub fn is_cancelled(&self, sent: bool) -> bool {
        is_cancelled(self.client, self.call, self.completes_if_sent, sent)
    }
}

/// As [`CancelToken::is_cancelled`].
pub fn is_cancelled(
    client: &AtomicBool,
    call: Option<&Arc<AtomicBool>>,
    completes_if_sent: bool,
    sent: bool,
) -> bool {
    let call_cancelled = || call.is_some_and(|flag| flag.load(Ordering::Acquire));
    client.load(Ordering::Acquire)
        || (call_cancelled() && !(sent && completes_if_sent))
        || sys::is_interrupted()
}
