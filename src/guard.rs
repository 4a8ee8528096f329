//! Converts panics to errors. The panic's message becomes the error's message and is not printed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Status};
use crate::redact;
use crate::sys::InCall;

thread_local! {
    // `Cell<bool>` has no destructor, which a thread would run at its end, after dlclose.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a function. A panic in it becomes an error with the panic's message.
///
/// # Errors
/// The error of the function; `Internal` for a panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _in_call = InCall::enter();
    install_hook();
    let before = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.unwrap_or_else(|payload| Err(panic_error(payload)))
}

/// Installs a panic hook that is silent for panics inside `guarded`, whose message is in the error
/// document. All other panics are passed to the previous hook.
fn install_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Relaxed) || INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            previous(info);
        }
    }));
}

fn panic_error(payload: Box<dyn Any + Send>) -> Error {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    // If a string is sliced incorrectly, the standard library quotes it after a backtick.
    let message = redact::line(message.split('`').next().unwrap_or(""));
    let error = Error::new(
        Status::Internal,
        format!("internal error of the library; please report it: {message}"),
    );
    // The destructor of the payload may panic, too.
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(second);
    }
    error
}
