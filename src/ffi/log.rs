//! Watching a client: its counters, and lines about what it does.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use super::boundary::{Delivery, Out, document, document_of, plain};
use super::handles::{self, bw_client};
use super::status::{BW_E_INTERNAL, BW_OK, bw_status};
use crate::client::{Level, Sink};
use crate::error::Error;

/// No lines.
pub const BW_LOG_OFF: i32 = 0;
/// Calls that failed.
pub const BW_LOG_ERROR: i32 = 1;
/// Also attempts that failed and are repeated.
pub const BW_LOG_WARN: i32 = 2;
/// Also calls that succeeded.
pub const BW_LOG_INFO: i32 = 3;
/// Also every attempt.
pub const BW_LOG_DEBUG: i32 = 4;

/// Takes a line about what a client does: its level (BW_LOG_ERROR and so on), the text, which ends
/// with the call, and the `user_data` of `bw_client_set_log`. No secret is ever in a line.
pub type bw_log_callback =
    Option<unsafe extern "C" fn(level: i32, line: *const c_char, user_data: *mut c_void)>;

thread_local! {
    /// Whether this thread is inside a callback.
    static CALLING: Cell<bool> = const { Cell::new(false) };
}

/// What the host gave, to be handed back to it from any thread.
struct Host {
    callback: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the contract of bw_client_set_log says that the callback is called on any thread, several
// at once, with this pointer, which is only handed on.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    fn write(&self, level: Level, line: &str) {
        // Lines are made of names, numbers and messages, of which none holds a NUL.
        let Ok(line) = CString::new(line) else { return };
        let before = CALLING.replace(true);
        // SAFETY: the host promised that the callback may be called so until a later set returns.
        unsafe { (self.callback)(level as i32, line.as_ptr(), self.user_data) };
        CALLING.set(before);
    }
}

/// Sends lines about what a client does to a callback; off at first.
///
/// `level` is how much is wanted: BW_LOG_OFF (then `callback` is not looked at), BW_LOG_ERROR,
/// BW_LOG_WARN, BW_LOG_INFO or BW_LOG_DEBUG. `callback` is called on whatever thread does the work,
/// on several at once, with `user_data`; it must not throw, not call into this library, and not take
/// long. When a later `bw_client_set_log` has returned, no call of the old callback is running or
/// will come: disable logging before you free `user_data`, and before `bw_client_free`. `error` may be
/// NULL; `*error` gets NULL, or the error document, which the caller frees with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE.
/// Any thread, but not inside a callback. Waits for callbacks that are running.
///
/// # Safety
/// `callback` may be called as said above, with `user_data`; `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_set_log(
    client: *mut bw_client,
    level: i32,
    callback: bw_log_callback,
    user_data: *mut c_void,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    plain(error, || {
        if CALLING.get() {
            return Err(Error::invalid("bw_client_set_log: must not be called inside a callback"));
        }
        let client = handles::client(client)?;
        if level == BW_LOG_OFF {
            client.set_log(None);
            return Ok(());
        }
        let level = Level::from_code(level).ok_or_else(|| {
            Error::invalid(format!("level: {level} is not one of BW_LOG_OFF to BW_LOG_DEBUG"))
        })?;
        let callback = callback
            .ok_or_else(|| Error::invalid("callback: is NULL; pass BW_LOG_OFF to turn it off"))?;
        let host = Host { callback, user_data };
        let sink: Sink = Arc::new(move |level, line| host.write(level, line));
        client.set_log(Some((level, sink)));
        Ok(())
    })
}

/// Reports what a client has done so far.
///
/// `*out` gets `{"calls", "attempts", "retries", "inFlight", "statuses": {"BW_OK": 5, ..}, "queue":
/// {"waiting", "running", "done", "cancelled"}, "connectionsOpened", "connectionsReused",
/// "tokenRequests", "lateAnswers", "lateParticipants", "lateSessions", "operations":
/// {"createParticipant": {"calls", "attempts", "retries", "inFlight", "statuses", "times":
/// [{"belowUs": 1000, "count": 5}, ..], "timeSumUs": 3120}, ..}}`, or the error document. The caller
/// frees it with `bw_free`.
///
/// The counts are those of this process since the client was made. `statuses` counts each completed
/// call by the status that its caller receives: a call that is cancelled or expires in a queue counts
/// as BW_E_CANCELLED or BW_E_TIMEOUT, even if the service executes it. `tokenRequests` counts the
/// token requests that were sent, which are not among the `attempts`. `queue` has the calls in all
/// queues of the client now (those that wait, run, and are done but not fetched), and how many have
/// been cancelled. `times` is a histogram of the calls that were executed: `belowUs` is the upper bound
/// in microseconds, or null above 10 s; the lower bound is the previous one of 0, 1, 5, 10, 25, 50, 100,
/// 250, 1000, 2500 and 10000 ms. Empty ranges are left out. `timeSumUs` is the sum of these times.
/// `lateAnswers` counts the responses that reached no caller; the other two list the ids that
/// `bw_client_take_late` would give. New keys may be added.
///
/// Statuses: BW_OK, BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_stats(
    client: *mut bw_client,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document(out, || Ok(handles::client(client)?.stats()))
}

/// Takes the list of what calls of a client created and no caller received.
///
/// `*out` gets `{"late": [{"operation": "createParticipant", "id": "..", "tag": "..", "userData":
/// 17}, ..], "dropped": 0}`, the oldest first, or the error document. The caller frees it with
/// `bw_free`. The list is empty afterwards. It contains each participant and session whose call was
/// cancelled while it was running, whose completion was not fetched when its queue was freed, or
/// whose response could not be handed over because there was no memory or `out` was NULL. `id` is the
/// service's, `tag` is the request's or null, and `userData` is what was submitted with the call, as
/// a number; 0 outside of a queue. At most 1024 are kept; `dropped` counts the oldest ones, which had
/// to make room.
///
/// A call that is cancelled is added when its response arrives. To see all, call this function right
/// before `bw_client_free`, which ends also such calls.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (`out` is NULL), BW_E_INVALID_HANDLE, BW_E_INTERNAL (no
/// memory; the list stays).
/// Any thread. Does not block.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_client_take_late(
    client: *mut bw_client,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document_of(out, || {
        if out.is_none() {
            return Err(Error::invalid("out: is NULL; pass where the list is to go"));
        }
        let client = handles::client(client)?;
        let is_delivered = |list: &str| out.deliver(list) == Delivery::Delivered;
        Ok(if client.take_late(is_delivered) { BW_OK } else { BW_E_INTERNAL })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_levels() {
        for (code, level) in [
            (BW_LOG_ERROR, Level::Error),
            (BW_LOG_WARN, Level::Warn),
            (BW_LOG_INFO, Level::Info),
            (BW_LOG_DEBUG, Level::Debug),
        ] {
            assert_eq!(Level::from_code(code), Some(level));
        }
        assert_eq!(Level::from_code(BW_LOG_OFF), None);
    }
}
