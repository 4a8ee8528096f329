//! The queue: calls that are submitted, and fetched when they are done.

use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

use super::boundary::{Out, document_of, number, plain, silent};
use super::handles::{self, bw_client, bw_queue};
use super::status::{BW_E_CLOSED, BW_E_EMPTY, BW_E_INTERNAL, BW_OK, bw_status};
use super::text;
use crate::error::{Error, Status};
use crate::queue::{Options, Queue, RecvError, Wait};

/// Makes a queue of calls for a host whose threads must not block. Starts no thread yet.
///
/// `options_json` is `{"workers": 8, "backlog": 1024}`, or NULL. Both keys are optional: `workers` is
/// how many calls run at the same time, each on its own thread; `backlog` is how many calls may be
/// waiting, running or completed but not fetched. `*queue` gets the queue, or NULL on failure; end it with
/// `bw_queue_free`. It keeps what it needs of the client: freeing the client ends its calls as
/// cancelled. `*error` gets NULL, or the error document, which the caller frees with `bw_free`;
/// `error` may be NULL.
///
/// In a forked child, the queue is empty and works. It has another descriptor there: call
/// `bw_queue_fd` again.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE.
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
    plain(error, || {
        if queue.is_null() {
            return Err(Error::invalid("queue: is NULL; pass where the handle is to go"));
        }
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { queue.write(std::ptr::null_mut()) };
        let client = handles::client(client)?;
        // SAFETY: promised by the caller.
        let options = match unsafe { text::optional("options_json", options_json) }? {
            Some(json) => Options::from_json(json)?,
            None => Options::default(),
        };
        let handle = handles::publish_queue(Queue::new((*client).clone(), options))?;
        // SAFETY: as above.
        unsafe { queue.write(handle) };
        Ok(())
    })
}

/// Submits a call. It is completed exactly once, whatever happens to it.
///
/// `call_json` is as for `bw_call`; it is checked now, and its time runs from now. `user_data` comes
/// back with the completion. `*id` gets the call's number, never 0; `id` may be NULL. `*error` gets
/// NULL, or the error document where nothing was accepted, which the caller frees with `bw_free`;
/// `error` may be NULL.
///
/// Statuses: BW_OK, BW_E_QUEUE_FULL (fetch completions, or try later), BW_E_CLOSED,
/// BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL (no thread could be started, or there
/// is no memory for the call).
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
    plain(error, || {
        // SAFETY: promised by the caller.
        unsafe { put(id, 0) };
        let queue = handles::queue(queue)?;
        // SAFETY: promised by the caller.
        let call = unsafe { text::required("call_json", call_json) }?;
        let number = queue.submit(call, user_data.expose_provenance())?;
        // SAFETY: promised by the caller.
        unsafe { put(id, number) };
        Ok(())
    })
}

/// The descriptor to watch with poll, epoll or select: readable while completions wait.
///
/// Never read, write or close it. It stays valid until the queue is freed, which closes it: remove
/// it from your event loop first. In a forked child, or after the host closed it, call this function
/// again for a new one. -1 if the handle is invalid or no descriptor can be opened.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_fd(queue: *mut bw_queue) -> c_int {
    number(-1, || Ok(handles::queue(queue)?.descriptor().unwrap_or(-1)))
}

/// Fetches the next completion.
///
/// `timeout_ms` is how long to wait for one: 0 not at all, negative for ever. On BW_OK `*id` and
/// `*user_data` get the call's number and what was submitted with it, `*status` gets how the call
/// ended, and `*out` gets the service's answer, or the error document, which the caller frees with
/// `bw_free`. `id` and `user_data` may be NULL. If no completion is available, `*out` is NULL. If an
/// argument is invalid, `*out` is the error document.
///
/// Statuses: BW_OK, BW_E_EMPTY (no completion in time), BW_E_CLOSED (the queue is closed, and all
/// completions were fetched), BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_INTERNAL (no memory
/// for the response; it can be fetched later).
/// Any thread. Blocks up to `timeout_ms`; a thread that is cancelled continues to wait until the
/// queue is closed or freed.
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
    let place = unsafe { Out::new(out) };
    document_of(place, || {
        // SAFETY: promised by the caller.
        unsafe {
            put(id, 0);
            put(user_data, std::ptr::null_mut());
            put(status, BW_E_EMPTY);
        }
        if status.is_null() || out.is_null() {
            return Err(Error::invalid("status, out: must not be NULL"));
        }
        let wait = match u64::try_from(timeout_ms) {
            Ok(0) => Wait::None,
            Ok(millis) => Wait::For(Duration::from_millis(millis)),
            Err(_) => Wait::Forever,
        };
        let queue = handles::queue(queue)?;
        let done = match queue.next(wait) {
            Ok(done) => done,
            Err(error) => {
                // SAFETY: not NULL, so by the caller's promise writable.
                unsafe { out.write(std::ptr::null_mut()) };
                return Ok(match error {
                    RecvError::Empty => BW_E_EMPTY,
                    RecvError::Closed => BW_E_CLOSED,
                });
            }
        };
        let document = text::to_c(&done.document);
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { out.write(document) };
        if document.is_null() {
            queue.put_back(done);
            return Ok(BW_E_INTERNAL);
        }
        // SAFETY: promised by the caller.
        unsafe {
            put(id, done.id);
            put(user_data, std::ptr::with_exposed_provenance_mut(done.user_data));
            put(status, done.status.code());
        }
        Ok(BW_OK)
    })
}

/// Cancels a call. Its completion (BW_E_CANCELLED) can be fetched at once.
///
/// The outcome of a call that still waited is `not_sent`. The outcome of a call that was running is
/// `unknown`: if it may have created something, its response is still awaited. What it created is
/// logged, and kept for `bw_client_take_late`.
///
/// Statuses: BW_OK, BW_E_NO_VALUE (the call has completed, or there never was such a call),
/// BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_cancel(queue: *mut bw_queue, id: u64) -> bw_status {
    plain(Out::none(), || match handles::queue(queue)?.cancel(id) {
        true => Ok(()),
        false => Err(Error::new(Status::NoValue, "id: no such call waits or is under way")),
    })
}

/// Accepts no more calls, and cancels all that are waiting or running, as `bw_queue_cancel` does.
///
/// Their completions can still be fetched; then `bw_queue_next` returns BW_E_CLOSED. To get every
/// `user_data` back: close the queue, fetch until BW_E_CLOSED, and free the queue.
///
/// Statuses: BW_OK, BW_E_INVALID_HANDLE.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_close(queue: *mut bw_queue) -> bw_status {
    plain(Out::none(), || {
        handles::queue(queue)?.close();
        Ok(())
    })
}

/// Frees a queue, and discards the completions that were not fetched. Threads that wait in `bw_queue_next` get BW_E_CLOSED.
///
/// Calls that wait or run are cancelled, as by `bw_queue_cancel`. What completed calls created is
/// kept for `bw_client_take_late` if their completions were not fetched. The descriptor of
/// `bw_queue_fd` is closed: remove it from your event loop before. The handle is invalid from then
/// on: using or freeing it again is harmless. NULL is allowed.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_queue_free(queue: *mut bw_queue) {
    silent(|| {
        if let Some(queue) = handles::retire_queue(queue) {
            queue.free();
        }
    });
}

/// Writes where there is a place.
///
/// # Safety
/// `place` is NULL or writable.
unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: promised by the caller.
        unsafe { place.write(value) };
    }
}
