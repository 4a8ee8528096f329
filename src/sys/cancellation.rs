//! Thread cancellation: a host that cancels its threads must not tear one out of our code, which
//! would leave locks held and memory half written.

use libc::c_int;

// The libc crate has neither.
const PTHREAD_CANCEL_DISABLE: c_int = 1;
unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// While it lives, a cancellation of this thread waits.
#[must_use]
pub struct Uncancelled {
    before: c_int,
}

/// Holds cancellation off. Costs no system call.
pub fn hold_off_cancellation() -> Uncancelled {
    let mut before = PTHREAD_CANCEL_DISABLE;
    // SAFETY: writes one int, and touches nothing but the calling thread's own state.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
    Uncancelled { before }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        if self.before != PTHREAD_CANCEL_DISABLE {
            // Acts on no request itself: that is for the next cancellation point, the host's own.
            // SAFETY: as above; NULL is allowed since glibc 2.0 and in musl.
            unsafe { pthread_setcancelstate(self.before, std::ptr::null_mut()) };
        }
    }
}
