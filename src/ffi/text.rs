//! Text across the boundary: in, borrowed C strings; out, allocated with the C library's malloc,
//! so that no host's way with strings can make `bw_free` undefined.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use crate::error::Error;

/// Reads an argument that must be there.
///
/// # Errors
/// `InvalidArgument`, naming the argument.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that lives as long as the result.
pub unsafe fn required<'a>(name: &str, pointer: *const c_char) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise is the same.
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

/// A C string that the caller frees with `bw_free`; NULL if there is no memory.
pub fn to_c(text: &str) -> *mut c_char {
    // JSON escapes U+0000 and other texts are checked for it; a C string could not hold it.
    // SAFETY: looks at no more than the text's own bytes.
    let length = unsafe { libc::strnlen(text.as_ptr().cast(), text.len()) };
    // SAFETY: malloc takes no pointer.
    let room = unsafe { libc::malloc(length + 1) }.cast::<u8>();
    if !room.is_null() {
        // SAFETY: there is room for the bytes and one more, in memory that is nobody else's.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), room, length);
            room.add(length).write(0);
        }
    }
    room.cast()
}

/// Frees text that a function of this library returned through a `char **`.
///
/// NULL is allowed. Never pass static text. Any thread. Does not block.
///
/// # Safety
/// `text` is NULL or was given out by this library and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_free(text: *mut c_void) {
    // SAFETY: by the caller's promise a pointer of malloc's, or NULL.
    unsafe { libc::free(text) };
}
