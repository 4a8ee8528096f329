//! Calls of the C ABI: text in, status and text out, with the checks that apply to every call.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use bw_webrtc::ffi::*;
use serde_json::Value;

/// The input up to its first NUL, as a C string.
pub fn text(data: &[u8]) -> CString {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    CString::new(&data[..end]).expect("no NUL is left")
}

/// The parts of the input before and after its first NUL.
pub fn two_texts(data: &[u8]) -> (CString, CString) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    (text(data), text(data.get(end + 1..).unwrap_or_default()))
}

/// Copies an output string, which must be UTF-8, and frees it.
pub fn take_string(out: *mut c_char) -> Option<String> {
    if out.is_null() {
        return None;
    }
    // SAFETY: the library allocated it, and it is freed once.
    unsafe {
        let copy = CStr::from_ptr(out).to_str().expect("the library returns UTF-8").to_owned();
        bw_free(out.cast());
        Some(copy)
    }
}

/// The document of a successful call, or the error document, which must match the status.
pub fn checked_document(status: bw_status, out: *mut c_char) -> Result<Value, Value> {
    let document = take_string(out).expect("a document on every path");
    let document: Value = match serde_json::from_str(&document) {
        Ok(document) => document,
        // serde_json rejects numbers that do not fit into f64; the library passes them on unchanged.
        Err(error) if status == BW_OK && error.to_string().starts_with("number out of range") => {
            return Ok(Value::Null);
        }
        Err(error) => panic!("the library returned invalid JSON: {document}: {error}"),
    };
    if status == BW_OK {
        return Ok(document);
    }
    assert_eq!(document["error"]["status"], status, "{document}");
    assert_ne!(status, BW_E_INTERNAL, "{document}");
    Err(document)
}

/// A new client, or the error document.
pub fn new_client(config: &CStr) -> Result<*mut bw_client, Value> {
    let (mut client, mut error) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: a C string and two valid output parameters.
    let status = unsafe { bw_client_new(config.as_ptr(), &raw mut client, &raw mut error) };
    if status == BW_OK {
        assert!(!client.is_null() && error.is_null());
        return Ok(client);
    }
    assert!(client.is_null());
    Err(checked_document(status, error).expect_err("a status that is not BW_OK"))
}

/// A client whose service refuses connections: a valid call fails with a connection error.
pub fn client_without_server() -> *mut bw_client {
    let config = c"{\"accountId\": \"1\", \"username\": \"user\", \"password\": \"secret\", \
        \"baseUrl\": \"http://127.0.0.1:1/v1\", \"maxRetries\": 0, \"timeoutMs\": 10000}";
    new_client(config).expect("a valid configuration")
}
