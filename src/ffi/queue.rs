//! The queue: calls are submitted, and their completions are fetched.

use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

use super::boundary::{Out, export_status, export_unit, export_value};
use super::handles::{CLIENTS, QUEUES, bw_client, bw_queue};
use super::status::{BW_E_CLOSED, BW_E_EMPTY, BW_E_INTERNAL, BW_OK, bw_status};
use super::text;
use crate::error::{Error, Status};
use crate::queue::{Options, Queue, RecvError, Wait};

/// Creates a queue of calls for programs whose threads must not block.
///
/// The first submitted call starts the queue's threads. In a forked child, the queue is empty. The
/// child can use it, and must call `bw_queue_fd` to get a descriptor of its own.
///
/// - `client`: executes the calls. If it is freed, the calls of the queue complete with
///   BW_E_CANCELLED.
/// - `options_json`: `{"workers": 8, "backlog": 1024}`, or NULL. Both keys are optional, with these
///   defaults. `workers`: the number of calls that are executed at the same time, each on its own
///   thread. `backlog`: the largest number of calls that are waiting, running, or completed but not
///   fetched.
/// - `queue`: receives the queue, or NULL on failure. Free it with `bw_queue_free`.
/// - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
///   `error` may be NULL.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `options_json` is NULL or a NUL-terminated string; `queue` and `error` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_queue_new(
    client: *mut bw_client,
    options_json: *const c_char,
    queue: *mut *mut bw_queue,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    export_unit(error, || {
        if queue.is_null() {
            return Err(Error::invalid(
                "queue: is NULL; pass a pointer to a variable for the handle",
            ));
        }
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { queue.write(std::ptr::null_mut()) };
        let client = CLIENTS.get(client)?;
        // SAFETY: promised by the caller.
        let options = match unsafe { text::optional("options_json", options_json) }? {
            Some(json) => Options::from_json(json)?,
            None => Options::default(),
        };
        let handle = QUEUES.insert(Queue::new((*client).clone(), options))?;
        // SAFETY: as above.
        unsafe { queue.write(handle) };
        Ok(())
    })
}

/// Submits a call to a queue. Each accepted call completes exactly once, even if it is cancelled.
///
/// - `call_json`: the call, as for `bw_call`. This function checks it. The timeout of the call
///   starts now and includes the time in the queue.
/// - `user_data`: any pointer. `bw_queue_next` returns it with the completion.
/// - `id`: receives the number of the call, or 0 on failure. The number of a call is never 0. `id`
///   may be NULL.
/// - `error`: receives NULL, or the error document if the call was not accepted. The caller frees
///   it with `bw_free`. `error` may be NULL.
///
/// Statuses: BW_OK, BW_E_QUEUE_FULL (fetch completions, or try again later), BW_E_CLOSED (the queue
/// is closed, or its client was freed), BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL
/// (no memory, or no thread could be started).
/// Any thread. Does not block.
///
/// # Safety
/// `call_json` is NULL or a NUL-terminated string; `id` and `error` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_queue_submit(
    queue: *mut bw_queue,
    call_json: *const c_char,
    user_data: *mut c_void,
    id: *mut u64,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    export_unit(error, || {
        // SAFETY: promised by the caller.
        unsafe { write(id, 0) };
        let queue = QUEUES.get(queue)?;
        // SAFETY: promised by the caller.
        let call = unsafe { text::required("call_json", call_json) }?;
        let call_id = queue.submit(call, user_data.expose_provenance())?;
        // SAFETY: promised by the caller.
        unsafe { write(id, call_id) };
        Ok(())
    })
}

/// Returns the descriptor of a queue, which is readable while completions are available.
///
/// Watch it with poll, epoll or select. Never read it, write to it, or close it. It stays valid
/// until `bw_queue_free` closes it: remove it from the event loop first. Call this function again
/// in a forked child, or after the program has closed the descriptor.
///
/// The function returns -1 if the handle is invalid or if no descriptor can be opened.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_fd(queue: *mut bw_queue) -> c_int {
    export_value(-1, || Ok(QUEUES.get(queue)?.descriptor().unwrap_or(-1)))
}

/// Fetches the next completion of a queue.
///
/// - `timeout_ms`: the longest time to wait for a completion, in milliseconds. 0: do not wait.
///   Negative: wait without a limit.
/// - `id` and `user_data`: receive the number and the user data of the call. Each may be NULL.
/// - `status`: receives the status of the call. It must not be NULL.
/// - `out`: receives the service's response, or the error document of the call. It must not be
///   NULL. The caller frees the document with `bw_free`.
///
/// If the function returns BW_OK, `*out` belongs to the completion. If it returns
/// BW_E_INVALID_ARGUMENT or BW_E_INVALID_HANDLE, `*out` is the error document of this function.
/// Otherwise, `*out` is NULL.
///
/// Statuses: BW_OK, BW_E_EMPTY (no completion within `timeout_ms`), BW_E_CLOSED (the queue is
/// closed and all completions were fetched, or the queue was freed), BW_E_INVALID_ARGUMENT,
/// BW_E_INVALID_HANDLE, BW_E_INTERNAL (no memory for the document; the completion can be fetched
/// later).
/// Any thread. Blocks up to `timeout_ms`. pthread_cancel does not interrupt the wait.
///
/// # Safety
/// `id`, `user_data`, `status` and `out` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_queue_next(
    queue: *mut bw_queue,
    timeout_ms: i32,
    id: *mut u64,
    user_data: *mut *mut c_void,
    status: *mut bw_status,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let document = unsafe { Out::new(out) };
    export_status(document, || {
        // SAFETY: promised by the caller.
        unsafe {
            write(id, 0);
            write(user_data, std::ptr::null_mut());
            write(status, BW_E_EMPTY);
        }
        if status.is_null() || out.is_null() {
            return Err(Error::invalid("status, out: must not be NULL"));
        }
        let wait = match u64::try_from(timeout_ms) {
            Ok(0) => Wait::None,
            Ok(millis) => Wait::For(Duration::from_millis(millis)),
            Err(_) => Wait::Forever,
        };
        let queue = QUEUES.get(queue)?;
        let completion = match queue.next(wait) {
            Ok(completion) => completion,
            Err(error) => {
                // SAFETY: not NULL, so by the caller's promise writable.
                unsafe { out.write(std::ptr::null_mut()) };
                return Ok(match error {
                    RecvError::Empty => BW_E_EMPTY,
                    RecvError::Closed => BW_E_CLOSED,
                });
            }
        };
        let document = text::to_c(&completion.document);
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { out.write(document) };
        if document.is_null() {
            queue.put_back(completion);
            return Ok(BW_E_INTERNAL);
        }
        // SAFETY: promised by the caller.
        unsafe {
            write(id, completion.id);
            write(user_data, std::ptr::with_exposed_provenance_mut(completion.user_data));
            write(status, completion.status.code());
        }
        Ok(BW_OK)
    })
}

/// Cancels a call. Its completion, with BW_E_CANCELLED, can be fetched immediately.
///
/// If the call was waiting, its outcome is "not_sent". If it was running, its outcome is "unknown".
/// A running create request is executed to its end. The object that it creates is logged, and kept
/// for `bw_client_take_late`.
///
/// - `id`: the number of the call, from `bw_queue_submit`.
///
/// Statuses: BW_OK, BW_E_NO_VALUE (the call has completed, or there is no such call),
/// BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_cancel(queue: *mut bw_queue, id: u64) -> bw_status {
    export_unit(Out::null(), || match QUEUES.get(queue)?.cancel(id) {
        true => Ok(()),
        false => Err(Error::new(Status::NoValue, "id: no such call is waiting or running")),
    })
}

/// Closes a queue: it accepts no more calls, and cancels all calls that are waiting or running.
///
/// Completions can still be fetched; `bw_queue_next` returns BW_E_CLOSED after the last one. To get
/// every `user_data` back, close the queue, fetch until BW_E_CLOSED, and free the queue.
///
/// Statuses: BW_OK, BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_close(queue: *mut bw_queue) -> bw_status {
    export_unit(Out::null(), || {
        QUEUES.get(queue)?.close();
        Ok(())
    })
}

/// Frees a queue, and discards the completions that were not fetched.
///
/// Calls that are waiting or running are cancelled. Threads that wait in `bw_queue_next` return
/// BW_E_CLOSED. Participants and sessions whose completions were not fetched are kept for
/// `bw_client_take_late`. The descriptor of the queue is closed: remove it from the event loop
/// first.
///
/// - `queue`: the queue. NULL is allowed. The handle is invalid afterwards, and freeing it again
///   has no effect.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_free(queue: *mut bw_queue) {
    export_value((), || {
        if let Some(queue) = QUEUES.remove(queue) {
            queue.free();
        }
        Ok(())
    });
}

/// Writes a value, unless the pointer is NULL.
///
/// # Safety
/// `target` is NULL or writable.
unsafe fn write<T>(target: *mut T, value: T) {
    if !target.is_null() {
        // SAFETY: promised by the caller.
        unsafe { target.write(value) };
    }
}
