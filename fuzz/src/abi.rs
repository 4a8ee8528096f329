//! The C ABI as these targets call it: text in, status and text out, and what must hold of both.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use bw_webrtc::ffi::*;
use serde_json::Value;

/// Input as a C string: up to its first NUL.
pub fn text(data: &[u8]) -> CString {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    CString::new(&data[..end]).expect("no NUL is left")
}

/// Input in two parts, around its first NUL.
pub fn two_texts(data: &[u8]) -> (CString, CString) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    (text(data), text(data.get(end + 1..).unwrap_or_default()))
}

/// Takes what a function gave: it must be UTF-8, and is freed.
pub fn take(out: *mut c_char) -> Option<String> {
    if out.is_null() {
        return None;
    }
    // SAFETY: given out by the library, and freed once.
    unsafe {
        let copy = CStr::from_ptr(out).to_str().expect("the library gives UTF-8").to_owned();
        bw_free(out.cast());
        Some(copy)
    }
}

/// A document on success; on failure, the error document, which must agree with the status.
pub fn checked(status: bw_status, out: *mut c_char) -> Result<Value, Value> {
    let document = take(out).expect("a document on every path");
    let document: Value = match serde_json::from_str(&document) {
        Ok(document) => document,
        // JSON has numbers that this reader has no room for; they are handed on as they came.
        Err(error) if status == BW_OK && error.to_string().starts_with("number out of range") => {
            return Ok(Value::Null);
        }
        Err(error) => panic!("the library gives JSON, not {document}: {error}"),
    };
    if status == BW_OK {
        return Ok(document);
    }
    assert_eq!(document["error"]["status"], status, "{document}");
    assert_ne!(status, BW_E_INTERNAL, "{document}");
    Err(document)
}

/// A client, or the error document.
pub fn client(config: &CStr) -> Result<*mut bw_client, Value> {
    let (mut client, mut error) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: a C string and two writable places.
    let status = unsafe { bw_client_new(config.as_ptr(), &raw mut client, &raw mut error) };
    if status == BW_OK {
        assert!(!client.is_null() && error.is_null());
        return Ok(client);
    }
    assert!(client.is_null());
    Err(checked(status, error).expect_err("a status that is not BW_OK"))
}

/// A client of a service that nobody serves: what is right gets as far as the network.
pub fn client_of_nothing() -> *mut bw_client {
    let config = c"{\"accountId\": \"1\", \"username\": \"user\", \"password\": \"secret\", \
        \"baseUrl\": \"http://127.0.0.1:1/v1\", \"maxRetries\": 0, \"timeoutMs\": 10000}";
    client(config).expect("a good configuration")
}
