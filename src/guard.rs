//! Panics into errors: one place where a fault of ours is caught, its message kept, and nothing
//! printed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Status};
use crate::redact;
use crate::sys::InCall;

thread_local! {
    // `Cell<bool>` has no destructor, so a thread that ends after dlclose runs none of ours.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Does the work; a panic in it becomes an error with the panic's message.
///
/// # Errors
/// The work's, and `Internal` for a panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _in_call = InCall::enter();
    install_hook();
    let before = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.unwrap_or_else(|payload| Err(of_panic(payload)))
}

/// Makes the panic hook silent for panics inside the guard, whose message goes into the error
/// document, and leaves all others to the hook that was there.
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

fn of_panic(payload: Box<dyn Any + Send>) -> Error {
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    // Where a text was cut wrongly, the standard library quotes that text behind a backtick.
    let what = redact::line(what.split('`').next().unwrap_or(""));
    let error = Error::new(
        Status::Internal,
        format!("a fault inside the library, please report it: {what}"),
    );
    // A payload whose own destructor panics must not undo all this.
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(second);
    }
    error
}
