//! Thread cancellation (`pthread_cancel`): it must not end a thread inside the library, which would
//! leave locks held and memory half written.

use libc::c_int;

use super::os::PTHREAD_CANCEL_DISABLE;

// The libc crate lacks it.
unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// Defers the cancellation of this thread until the value is dropped.
#[must_use]
pub struct CancellationDisabled {
    previous: c_int,
}

/// Defers the cancellation of the calling thread. Makes no system call.
pub fn disable_cancellation() -> CancellationDisabled {
    let mut previous = PTHREAD_CANCEL_DISABLE;
    // SAFETY: it writes one int, and changes only the calling thread's state.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut previous) };
    CancellationDisabled { previous }
}

impl Drop for CancellationDisabled {
    fn drop(&mut self) {
        if self.previous != PTHREAD_CANCEL_DISABLE {
            // A pending cancellation takes effect at the next cancellation point, which is the host's.
            // SAFETY: as above; all C libraries allow NULL.
            unsafe { pthread_setcancelstate(self.previous, std::ptr::null_mut()) };
        }
    }
}
