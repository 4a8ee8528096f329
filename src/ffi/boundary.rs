//! The one guard that every export goes through: no panic leaves it, no thread is cancelled in it,
//! nothing is printed, and the status and the document are written in one place.

use std::ffi::c_char;

use super::status::{BW_OK, bw_status};
use super::text;
use crate::api::Operation;
use crate::error::{Error, Status};
use crate::guard;
use crate::sys;

/// Where a function writes its document; NULL where it may be.
#[derive(Clone, Copy)]
pub struct Out(*mut *mut c_char);

impl Out {
    /// A place for a document, which may be NULL.
    ///
    /// # Safety
    /// `place` is NULL or valid for writing one pointer until the export returns.
    pub unsafe fn new(place: *mut *mut c_char) -> Out {
        Out(place)
    }

    /// No place.
    pub fn none() -> Out {
        Out(std::ptr::null_mut())
    }

    /// Whether there is no place.
    pub fn is_none(self) -> bool {
        self.0.is_null()
    }

    /// Fails if there is no place for what the operation gives only once.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn check(self, operation: &Operation) -> Result<(), Error> {
        if self.0.is_null() && operation.response.has_token() {
            return Err(Error::invalid("out: is NULL; the participant's token comes only once"));
        }
        Ok(())
    }

    /// Writes a response that the service gives only once.
    pub fn deliver(self, document: &str) -> Delivery {
        if self.0.is_null() {
            Delivery::NoPlace
        } else if self.write(Some(document)) {
            Delivery::Delivered
        } else {
            Delivery::NoMemory
        }
    }

    /// Tells whether the document is there now, or there is no place for it.
    fn write(self, document: Option<&str>) -> bool {
        if self.0.is_null() {
            return true;
        }
        let text = document.map_or(std::ptr::null_mut(), text::to_c);
        // SAFETY: not NULL, so by the promise of `new` valid for writing.
        unsafe { self.0.write(text) };
        document.is_none() || !text.is_null()
    }
}

/// What became of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The caller has it.
    Delivered,
    /// The caller does not want it.
    NoPlace,
    /// There was no memory for a copy.
    NoMemory,
}

/// Runs an export that gives a document. On failure the error document takes its place.
pub fn document(out: Out, work: impl FnOnce() -> Result<String, Error>) -> bw_status {
    match guarded(work) {
        // Without memory for the answer, the least is not to say that all is well.
        Ok(document) if !out.write(Some(&document)) => Status::Internal.code(),
        Ok(_) => BW_OK,
        Err(error) => {
            out.write(Some(&error.document()));
            error.status.code()
        }
    }
}

/// Runs an export that gives a document only on failure, else NULL.
pub fn plain(error: Out, work: impl FnOnce() -> Result<(), Error>) -> bw_status {
    match guarded(work) {
        Ok(()) => {
            error.write(None);
            BW_OK
        }
        Err(failure) => {
            error.write(Some(&failure.document()));
            failure.status.code()
        }
    }
}

/// Runs an export that writes its own document on every status that it gives.
pub fn document_of(out: Out, work: impl FnOnce() -> Result<bw_status, Error>) -> bw_status {
    guarded(work).unwrap_or_else(|error| {
        out.write(Some(&error.document()));
        error.status.code()
    })
}

/// Runs an export that gives a number, and this one on failure.
pub fn number<T>(failed: T, work: impl FnOnce() -> Result<T, Error>) -> T {
    guarded(work).unwrap_or(failed)
}

/// Runs an export that tells nothing.
pub fn silent(work: impl FnOnce()) {
    let _ = guarded(|| {
        work();
        Ok(())
    });
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _uncancelled = sys::hold_off_cancellation();
    guard::guarded(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::bw_free;
    use std::ffi::CStr;
    use std::panic;

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn a_panic_becomes_a_status_and_its_message_the_document() {
        let mut text = std::ptr::null_mut();
        // SAFETY: the place is a local that outlives the call.
        let out = unsafe { Out::new(&raw mut text) };
        let status = document(out, || panic!("number {}", 7));
        assert_eq!(status, Status::Internal.code());
        // SAFETY: written by `document` above.
        let message = unsafe { CStr::from_ptr(text) }.to_str().unwrap();
        assert!(message.contains("please report it: number 7"), "{message}");
        // SAFETY: given out above and freed once.
        unsafe { bw_free(text.cast()) };
    }

    #[test]
    fn a_payload_that_panics_again_is_held_too() {
        // SAFETY: NULL is allowed.
        let out = unsafe { Out::new(std::ptr::null_mut()) };
        let status = plain(out, || panic::panic_any(Bomb));
        assert_eq!(status, Status::Internal.code());
    }

    /// Run by the test below, in a process of its own.
    #[test]
    #[ignore = "is the child of the next test"]
    fn child_that_panics_inside_and_outside() {
        silent(|| panic!("inside the guard"));
        let _ = panic::catch_unwind(|| panic!("outside the guard"));
    }

    #[test]
    fn only_panics_outside_the_guard_are_printed() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("ffi::boundary::tests::child_that_panics_inside_and_outside")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        assert!(printed.contains("outside the guard"), "{printed}");
        assert!(!printed.contains("inside the guard"), "{printed}");
    }
}
