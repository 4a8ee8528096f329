//! Converts panics to errors: catches a panic inside the library, keeps its message, and prints
//! nothing.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Status};
use crate::redact;
use crate::sys::InCall;

thread_local! {
    // `Cell<bool>` has no destructor, so none runs at the end of a thread.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`. A panic becomes an error with its message.
///
/// # Errors
/// Returns the error of `work`, or `Internal` for a panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _in_call = InCall::enter();
    install_hook();
    let before = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.unwrap_or_else(|payload| Err(panic_error(payload)))
}

/// Makes the panic hook silent for panics inside the guard, whose message goes into the error document.
/// All other panics are passed to the previous hook.
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
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    // For a wrong string index, the standard library quotes the string after a backtick.
    let what = redact::line(what.split('`').next().unwrap_or(""));
    let error = Error::new(
        Status::Internal,
        format!("a fault inside the library, please report it: {what}"),
    );
    // The destructor of the payload may panic too.
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(second);
    }
    error
}
