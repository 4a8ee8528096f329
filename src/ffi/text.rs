//! Conversion of strings. Input strings are borrowed. Output strings are allocated with the C
//! library's malloc, so that `bw_free` needs no length and works even if the host has changed them.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use crate::error::Error;

/// Reads an argument that must not be NULL.
///
/// # Errors
/// `InvalidArgument`, naming the argument.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that lives as long as the result.
pub unsafe fn required<'a>(name: &str, pointer: *const c_char) -> Result<&'a str, Error> {
    // SAFETY: promised by the caller.
    unsafe { optional(name, pointer) }?
        .ok_or_else(|| Error::invalid(format!("{name}: is NULL; pass a NUL-terminated string")))
}

/// Reads an argument that may be NULL.
///
/// # Errors
/// As for [`required`].
///
/// # Safety
/// As for [`required`].
pub unsafe fn optional<'a>(name: &str, pointer: *const c_char) -> Result<Option<&'a str>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so by the caller's promise a NUL-terminated string.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|e| {
        Error::invalid(format!("{name}: is not valid UTF-8 (at byte {})", e.valid_up_to()))
    })
}

/// Returns a copy as a C string, which the caller frees with `bw_free`; NULL if there is no memory.
pub fn to_c(text: &str) -> *mut c_char {
    // A C string cannot contain U+0000. JSON escapes it, and other texts were checked for it.
    // SAFETY: reads only the bytes of the text.
    let length = unsafe { libc::strnlen(text.as_ptr().cast(), text.len()) };
    // SAFETY: malloc takes no pointer.
    let copy = unsafe { libc::malloc(length + 1) }.cast::<u8>();
    if !copy.is_null() {
        // SAFETY: the new allocation has room for the bytes and the NUL.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), copy, length);
            copy.add(length).write(0);
        }
    }
    copy.cast()
}

/// Frees text that a function of this library returned through a `char **`.
///
/// - `text`: the text. NULL is allowed. Never pass text that was returned as a `const char *`.
///
/// Any thread. Does not block.
///
/// # Safety
/// `text` is NULL, or was returned by this library and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_free(text: *mut c_void) {
    // SAFETY: by the caller's promise NULL, or a pointer from malloc.
    unsafe { libc::free(text) };
}
