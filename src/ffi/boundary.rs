//! The guard that every exported function runs in. No panic leaves it, a thread is not cancelled in
//! it, and the status and the document are written here.

use std::ffi::c_char;
use std::ptr;

use super::status::{BW_OK, bw_status};
use super::text;
use crate::api::Operation;
use crate::error::{Error, Status};
use crate::guard;
use crate::sys;

/// The caller's variable for a document (`char **out`), or NULL.
#[derive(Clone, Copy)]
pub struct Out(*mut *mut c_char);

impl Out {
    /// Wraps the parameter of an exported function.
    ///
    /// # Safety
    /// `out` is NULL, or valid for writing one pointer until the exported function returns.
    pub unsafe fn new(out: *mut *mut c_char) -> Out {
        Out(out)
    }

    /// For a function without such a parameter.
    pub fn null() -> Out {
        Out(ptr::null_mut())
    }

    /// Whether the caller passed NULL.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Checks that the caller can receive a token, if the operation returns one.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn check(self, operation: &Operation) -> Result<(), Error> {
        if self.0.is_null() && operation.response.has_token() {
            let message = "out: is NULL; the token is returned only once";
            return Err(Error::invalid(message));
        }
        Ok(())
    }

    /// Writes a document that cannot be requested again, and reports whether the caller received
    /// it.
    pub fn deliver(self, document: &str) -> Delivery {
        if self.0.is_null() {
            Delivery::OutIsNull
        } else if self.write(Some(document)) {
            Delivery::Delivered
        } else {
            Delivery::NoMemory
        }
    }

    /// Writes a copy of the document, or NULL. Returns false if there is no memory for the copy.
    fn write(self, document: Option<&str>) -> bool {
        if self.0.is_null() {
            return true;
        }
        let text = document.map_or(ptr::null_mut(), text::to_c);
        // SAFETY: not NULL, so by the promise of `new` valid for writing.
        unsafe { self.0.write(text) };
        document.is_none() || !text.is_null()
    }
}

/// Whether the caller received a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The caller has a copy.
    Delivered,
    /// The caller passed NULL.
    OutIsNull,
    /// There was no memory for a copy.
    NoMemory,
}

/// Runs a function that returns a document: the result of `work`, or the error document.
pub fn export_document(out: Out, work: impl FnOnce() -> Result<String, Error>) -> bw_status {
    export_status(out, || {
        let document = work()?;
        Ok(if out.write(Some(&document)) { BW_OK } else { Status::Internal.code() })
    })
}

/// Runs a function that returns an error document on failure, and NULL on success.
pub fn export_unit(error: Out, work: impl FnOnce() -> Result<(), Error>) -> bw_status {
    export_status(error, || {
        work()?;
        error.write(None);
        Ok(BW_OK)
    })
}

/// Runs a function that writes its own document and returns its own status. If `work` fails, the
/// error document is written.
pub fn export_status(out: Out, work: impl FnOnce() -> Result<bw_status, Error>) -> bw_status {
    guarded(work).unwrap_or_else(|error| {
        out.write(Some(&error.document()));
        error.status.code()
    })
}

/// Runs a function that returns a value, or `fallback` on failure.
pub fn export_value<T>(fallback: T, work: impl FnOnce() -> Result<T, Error>) -> T {
    guarded(work).unwrap_or(fallback)
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _cancellation_disabled = sys::disable_cancellation();
    guard::guarded(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::bw_free;
    use std::ffi::CStr;
    use std::panic;

    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn panic_becomes_status_and_error_document() {
        let mut text = ptr::null_mut();
        // SAFETY: a local variable that outlives the call.
        let out = unsafe { Out::new(&raw mut text) };
        let status = export_document(out, || panic!("number {}", 7));
        assert_eq!(status, Status::Internal.code());
        // SAFETY: written by `export_document` above.
        let message = unsafe { CStr::from_ptr(text) }.to_str().unwrap();
        assert!(message.contains("please report it: number 7"), "{message}");
        // SAFETY: returned above and freed once.
        unsafe { bw_free(text.cast()) };
    }

    #[test]
    fn panic_in_the_drop_of_a_panic_payload_is_caught() {
        let status = export_unit(Out::null(), || panic::panic_any(PanicsInDrop));
        assert_eq!(status, Status::Internal.code());
    }

    /// The test below runs this one in a process of its own.
    #[test]
    #[ignore = "is the child of the next test"]
    fn child_that_panics_inside_and_outside() {
        export_value((), || panic!("inside the guard"));
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
