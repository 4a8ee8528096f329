//! The interrupt callback of a thread: a function of the host that the waits of a call run, and that
//! can cancel the call.
//!
//! All state belongs to one thread, so there is no lock, and nothing to do in a forked child.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use super::generation::generation;

/// A callback of the host. A result other than 0 cancels the call.
#[derive(Clone, Copy)]
pub struct InterruptCallback {
    function: unsafe extern "C" fn(*mut c_void) -> c_int,
    user_data: *mut c_void,
}

impl InterruptCallback {
    /// Wraps a callback of the host and its argument.
    ///
    /// # Safety
    /// The function may be called with `user_data` on the thread that sets the callback, until that
    /// thread replaces it.
    pub unsafe fn new(
        function: unsafe extern "C" fn(*mut c_void) -> c_int,
        user_data: *mut c_void,
    ) -> InterruptCallback {
        InterruptCallback { function, user_data }
    }
}

thread_local! {
    // The cells have no destructors, so none runs at the end of a thread.
    /// None also while the callback runs.
    static CALLBACK: Cell<Option<InterruptCallback>> = const { Cell::new(None) };
    /// How often the callback was set.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    /// Whether the innermost call on this thread was interrupted.
    static INTERRUPTED: Cell<bool> = const { Cell::new(false) };
}

/// Sets the callback of the calling thread.
pub fn set_interrupt(callback: Option<InterruptCallback>) {
    CALLBACK.set(callback);
    CHANGES.set(CHANGES.get().wrapping_add(1));
}

/// Runs the callback of the calling thread, if there is one. A call runs it when a wait has ended
/// without a result. The caller holds no lock, because the callback may make calls and fork.
pub fn run_interrupt() {
    if INTERRUPTED.get() {
        return;
    }
    // During the callback there is none, so that a callback that makes calls does not recurse.
    let Some(callback) = CALLBACK.take() else { return };
    let (changes, process) = (CHANGES.get(), generation());
    // SAFETY: promised to `InterruptCallback::new`; this is the thread that set it.
    let result = unsafe { (callback.function)(callback.user_data) };
    if CHANGES.get() == changes {
        CALLBACK.set(Some(callback));
    }
    // The connection of a call belongs to the process that began it.
    if result != 0 || generation() != process {
        INTERRUPTED.set(true);
    }
}

/// Whether the current call of the calling thread was interrupted. Makes no system call.
pub fn is_interrupted() -> bool {
    INTERRUPTED.get()
}

/// A call that can be interrupted, until the value is dropped. Calls that a callback makes are
/// interrupted separately.
#[must_use]
pub struct InterruptScope {
    outer: bool,
}

impl InterruptScope {
    /// Begins a call. The value must be dropped on the same thread.
    pub fn enter() -> InterruptScope {
        InterruptScope { outer: INTERRUPTED.replace(false) }
    }
}

impl Drop for InterruptScope {
    fn drop(&mut self) {
        INTERRUPTED.set(self.outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its runs, and does what the test wants.
    struct Host {
        runs: Cell<u32>,
        work: fn() -> c_int,
    }

    unsafe extern "C" fn run(host: *mut c_void) -> c_int {
        // SAFETY: the user data of `set`, which outlives the callback.
        let host = unsafe { &*host.cast::<Host>() };
        host.runs.set(host.runs.get() + 1);
        (host.work)()
    }

    fn set(host: &Host) {
        let data = (&raw const *host).cast_mut().cast();
        // SAFETY: each test unsets the callback, or ends its thread, before `host` is dropped.
        set_interrupt(Some(unsafe { InterruptCallback::new(run, data) }));
    }

    #[test]
    fn result_other_than_zero_interrupts_the_call_and_is_kept() {
        let host = Host { runs: Cell::new(0), work: || -1 };
        set(&host);
        let call = InterruptScope::enter();
        assert!(!is_interrupted());
        run_interrupt();
        run_interrupt();
        assert!(is_interrupted());
        assert_eq!(host.runs.get(), 1);
        drop(call);
        assert!(!is_interrupted());
        let _next = InterruptScope::enter();
        run_interrupt();
        assert_eq!(host.runs.get(), 2);
        set_interrupt(None);
    }

    #[test]
    fn call_in_a_callback_has_no_callback_and_does_not_interrupt_the_outer_call() {
        let host = Host {
            runs: Cell::new(0),
            work: || {
                let _inner = InterruptScope::enter();
                run_interrupt();
                INTERRUPTED.set(true);
                0
            },
        };
        set(&host);
        let _call = InterruptScope::enter();
        run_interrupt();
        assert_eq!((host.runs.get(), is_interrupted()), (1, false));
        run_interrupt();
        assert_eq!(host.runs.get(), 2);
        set_interrupt(None);
    }

    #[test]
    fn callback_can_unset_itself_and_other_threads_have_none() {
        let host = Host {
            runs: Cell::new(0),
            work: || {
                set_interrupt(None);
                0
            },
        };
        set(&host);
        std::thread::spawn(run_interrupt).join().unwrap();
        assert_eq!(host.runs.get(), 0);
        run_interrupt();
        run_interrupt();
        assert_eq!(host.runs.get(), 1);
    }

    #[test]
    fn child_that_a_callback_forks_does_not_continue_the_call() {
        thread_local! {
            static CHILD: Cell<libc::pid_t> = const { Cell::new(-1) };
        }
        let host = Host {
            runs: Cell::new(0),
            work: || {
                // SAFETY: the child only returns from the callback, and exits below.
                CHILD.set(unsafe { libc::fork() });
                0
            },
        };
        set(&host);
        let _call = InterruptScope::enter();
        run_interrupt();
        if CHILD.get() == 0 {
            // SAFETY: takes no pointer, and runs no destructors.
            unsafe { libc::_exit(i32::from(!is_interrupted())) };
        }
        set_interrupt(None);
        let mut status = -1;
        // SAFETY: the status is writable.
        unsafe { libc::waitpid(CHILD.get(), &raw mut status, 0) };
        assert_eq!((status, is_interrupted()), (0, false));
    }
}
