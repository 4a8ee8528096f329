//! Helpers that involve no client and no network.

use std::ffi::c_char;

use super::boundary::{Out, document};
use super::status::bw_status;
use super::text;
use crate::interop::json_get;

/// Reads one value out of a JSON document, for programs without a JSON library.
///
/// `pointer` is a JSON pointer (RFC 6901): "/participant/id", "/sessions/0"; "" is the whole
/// document; in a key `~1` stands for a slash and `~0` for a tilde. A string comes without its
/// quotes and escapes, anything else as its JSON text.
///
/// `*text` gets the value, or the error document on failure; the caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_NO_VALUE (nothing there, or null), BW_E_INVALID_ARGUMENT (not JSON, not a
/// pointer, more than 64 levels, or a string with U+0000, which C cannot hold).
/// Any thread. Does not block.
///
/// # Safety
/// `json` and `pointer` are NULL or NUL-terminated strings; `text` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_json_get(
    json: *const c_char,
    pointer: *const c_char,
    text: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(text) };
    document(out, || {
        // SAFETY: promised by the caller.
        let json = unsafe { text::required("json", json) }?;
        // SAFETY: promised by the caller.
        let pointer = unsafe { text::required("pointer", pointer) }?;
        json_get(json, pointer)
    })
}
