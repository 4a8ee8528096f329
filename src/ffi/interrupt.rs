//! The interrupt callback of a thread.

use std::ffi::c_void;

use super::boundary::export_value;
use crate::sys::{self, InterruptCallback};

/// Reports whether the call that is in progress must end.
///
/// - `user_data`: the pointer that was passed to `bw_thread_set_interrupt`.
///
/// Returns 0 to continue the call, and any other value to cancel it.
pub type bw_interrupt_callback = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// Sets a callback that can cancel the calls of the calling thread, for example after Ctrl-C.
///
/// While a function that "blocks up to the deadline" waits on this thread, it calls the callback on
/// this thread: about every 75 milliseconds, and as soon as a signal interrupts a wait for the
/// network. This applies to all clients, and to the waits for name resolution, a connection, a
/// token, a response and a retry. A call that does not wait that long does not call it. Calls in
/// queues and bw_queue_next never call it, and neither do other threads.
///
/// If the callback returns a value other than 0, the call is cancelled: it returns BW_E_CANCELLED,
/// and `outcome` in the error document reports whether the service may have processed the request.
///
/// - `callback`: the callback, which replaces the previous one of this thread; NULL: none, which is
///   the default of each thread. It must not throw an exception, and must not call longjmp. It may
///   call this library, and free the client. Calls that it makes do not call it again, unless it
///   sets the callback again. If it forks, the call continues only in the parent, and is cancelled
///   in the child. A child has the callback of the thread that forked.
/// - `user_data`: any pointer; the callback receives it. To free it, first set another callback on
///   this thread.
///
/// Any thread. Does not block.
///
/// # Safety
/// `callback` may be called as described above, with `user_data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_thread_set_interrupt(
    callback: bw_interrupt_callback,
    user_data: *mut c_void,
) {
    export_value((), || {
        // SAFETY: promised by the caller.
        let new = callback.map(|function| unsafe { InterruptCallback::new(function, user_data) });
        sys::set_interrupt(new);
        Ok(())
    });
}
