//! The log and the counters of a client.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use super::boundary::{Delivery, Out, export_document, export_status, export_unit};
use super::handles::{CLIENTS, bw_client};
use super::status::{BW_E_INTERNAL, BW_OK, bw_status};
use crate::client::{Level, Sink};
use crate::error::Error;

/// The log is off.
pub const BW_LOG_OFF: i32 = 0;
/// Log calls that failed.
pub const BW_LOG_ERROR: i32 = 1;
/// Also log failed attempts that are retried.
pub const BW_LOG_WARN: i32 = 2;
/// Also log calls that succeeded.
pub const BW_LOG_INFO: i32 = 3;
/// Also log every attempt.
pub const BW_LOG_DEBUG: i32 = 4;

/// Receives a line of a client's log.
///
/// - `level`: BW_LOG_ERROR, BW_LOG_WARN, BW_LOG_INFO or BW_LOG_DEBUG.
/// - `line`: the text, without a newline. It is valid during the call, and never contains a secret.
/// - `user_data`: the pointer that was passed to `bw_client_set_log`.
pub type bw_log_callback =
    Option<unsafe extern "C" fn(level: i32, line: *const c_char, user_data: *mut c_void)>;

thread_local! {
    /// Whether this thread is inside a callback.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// The callback of the host, and its user data.
struct HostCallback {
    callback: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the contract of bw_client_set_log states that the callback is called on any thread, also
// on several at the same time. The pointer is only passed to it.
unsafe impl Send for HostCallback {}
// SAFETY: as above.
unsafe impl Sync for HostCallback {}

impl HostCallback {
    fn call(&self, level: Level, line: &str) {
        // A line consists of names, numbers and messages, which contain no NUL.
        let Ok(line) = CString::new(line) else { return };
        let was_in_callback = IN_CALLBACK.replace(true);
        // SAFETY: the host promised that the callback may be called until a later set call returns.
        unsafe { (self.callback)(level as i32, line.as_ptr(), self.user_data) };
        IN_CALLBACK.set(was_in_callback);
    }
}

/// Sends the log of a client to a callback. The log is off by default.
///
/// - `level`: the most detailed level that is logged: BW_LOG_ERROR, BW_LOG_WARN, BW_LOG_INFO or
///   BW_LOG_DEBUG. BW_LOG_OFF disables the log; then `callback` may be NULL.
/// - `callback`: called on each thread that executes calls, also on several threads at the same
///   time. It must not throw an exception, and must not call this library. It should return
///   quickly.
/// - `user_data`: any pointer; the callback receives it.
/// - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
///   `error` may be NULL.
///
/// After this function has returned, the previous callback is not running, and is never called
/// again. Therefore, disable the log before you free `user_data`, and before `bw_client_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE.
/// Any thread, except inside a callback. Waits for callbacks that are running.
///
/// # Safety
/// `callback` may be called as described above, with `user_data`; `error` is NULL or writable.
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
    export_unit(error, || {
        if IN_CALLBACK.get() {
            return Err(Error::invalid("bw_client_set_log: must not be called inside a callback"));
        }
        let client = CLIENTS.get(client)?;
        if level == BW_LOG_OFF {
            client.set_log(None);
            return Ok(());
        }
        let level = Level::from_code(level).ok_or_else(|| {
            Error::invalid(format!("level: {level} is not one of BW_LOG_OFF to BW_LOG_DEBUG"))
        })?;
        let callback = callback.ok_or_else(|| {
            Error::invalid("callback: is NULL; to disable the log, pass BW_LOG_OFF")
        })?;
        let host = HostCallback { callback, user_data };
        let sink: Sink = Arc::new(move |level, line| host.call(level, line));
        client.set_log(Some((level, sink)));
        Ok(())
    })
}

/// Returns the counters of a client.
///
/// - `out`: receives the document below, or the error document. The caller frees it with `bw_free`.
///
/// `{"calls", "attempts", "retries", "inFlight", "statuses": {"BW_OK": 5, ..}, "queue": {"waiting",
/// "running", "done", "cancelled"}, "connectionsOpened", "connectionsReused", "tokenRequests",
/// "lateAnswers", "lateParticipants", "lateSessions", "lateEndpoints", "operations":
/// {"createParticipant": {"calls", "attempts", "retries", "inFlight", "statuses", "times":
/// [{"belowUs": 1000, "count": 5}, ..], "timeSumUs": 3120}, ..}}`
///
/// The counters start at zero when the client is created, and again in each forked child.
///
/// - `statuses`: for each status, the number of completed calls that returned it to the caller.
///   A call that was cancelled in a queue counts as BW_E_CANCELLED, and a call that expired in a
///   queue counts as BW_E_TIMEOUT, even if the service executes it.
/// - `queue`: `waiting`, `running` and `done` (completed but not fetched) are the present numbers
///   of calls in all queues of the client. `cancelled` is the number of calls that were cancelled
///   so far.
/// - `tokenRequests`: the token requests that were sent. They are not part of `attempts`.
/// - `times`: a histogram of the durations of executed calls. `belowUs` is the upper bound of a
///   range in microseconds: 1, 5, 10, 25, 50, 100, 250, 1000, 2500 or 10000 ms, or null for longer
///   calls. Ranges without calls are omitted. `timeSumUs` is the sum of the durations.
/// - `lateAnswers`: the number of responses that no caller received. `lateParticipants`,
///   `lateSessions` and `lateEndpoints` are the ids that `bw_client_take_late` returns.
///
/// Later versions may add keys.
///
/// Statuses: BW_OK, BW_E_INVALID_HANDLE, BW_E_INTERNAL.
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
    export_document(out, || Ok(CLIENTS.get(client)?.stats()))
}

/// Returns the list of participants, sessions and endpoints whose ids no caller received, and clears
/// the list.
///
/// An object is in the list if its call was cancelled while it was running, if its completion was
/// not fetched before `bw_queue_free`, or if `out` was NULL or there was no memory for the
/// response.
///
/// - `out`: receives `{"late": [{"operation": "createParticipant", "id": "..", "tag": "..",
///   "userData": 17}, ..], "dropped": 0}`, the oldest object first, or the error document. The
///   caller frees it with `bw_free`. `out` must not be NULL.
///   - `id`: the service's id of the object. `tag`: the tag in the request, or null.
///   - `userData`: the `user_data` of `bw_queue_submit` as a number; 0 if the call was not in a
///     queue.
///   - `dropped`: the number of objects that were removed from the list because it holds at most
///     1024.
///
/// The object of a cancelled call is added when the response arrives. `bw_client_free` aborts calls
/// that still wait for their response. To get the complete list, call this function immediately
/// before it.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (`out` is NULL), BW_E_INVALID_HANDLE, BW_E_INTERNAL (no
/// memory; the list is not cleared).
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
    export_status(out, || {
        if out.is_null() {
            return Err(Error::invalid("out: is NULL; pass a pointer to a variable for the list"));
        }
        let client = CLIENTS.get(client)?;
        let is_delivered = |list: &str| out.deliver(list) == Delivery::Delivered;
        Ok(if client.take_late(is_delivered) { BW_OK } else { BW_E_INTERNAL })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_match_the_levels() {
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
