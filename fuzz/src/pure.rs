//! Targets that parse text and need no server.

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::LazyLock;

use bw_webrtc::api::RequestDocument;
use bw_webrtc::ffi::*;
use bw_webrtc::interop;
use serde_json::Value;

use super::abi::{
    checked_document, client_without_server, new_client, take_string, text, two_texts,
};

/// Parses the configuration of a client.
pub fn config(data: &[u8]) {
    if let Ok(client) = new_client(&text(data)) {
        bw_client_free(client);
    }
}

/// Checks a body as the request of any operation. A body that was accepted is accepted again unchanged.
pub fn request(data: &[u8]) {
    let Some((which, body)) = data.split_first() else { return };
    let Ok(body) = std::str::from_utf8(body) else { return };
    let all = bw_webrtc::api::OPERATIONS;
    let operation = all[usize::from(*which) % all.len()];
    match operation.request.check(&"request", Some(body)) {
        Ok(Some(query)) if operation.request.is_query() => {
            let is_encoded = |c: char| c.is_ascii_alphanumeric() || "-._~%=&".contains(c);
            assert!(query.chars().all(is_encoded), "{query}");
        }
        Ok(Some(bxml)) if matches!(operation.request, RequestDocument::Bxml) => {
            assert_eq!(operation.request.check(&"bxml", Some(&bxml)), Ok(Some(bxml.clone())));
        }
        Ok(Some(sent)) => {
            let value: Value = serde_json::from_str(&sent).expect("the sent body is JSON");
            assert!(value.is_object(), "{sent}");
            let again =
                operation.request.check(&"request", Some(&sent)).expect("the sent body is valid");
            assert_eq!(again.as_deref(), Some(&*sent));
        }
        Ok(None) => {}
        Err(why) => assert!(!why.is_empty()),
    }
}

struct Handle(*mut bw_client);
// SAFETY: a handle is a number that any thread may use.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Executes a call document.
pub fn call(data: &[u8]) {
    static CLIENT: LazyLock<Handle> = LazyLock::new(|| Handle(client_without_server()));
    let mut out = ptr::null_mut();
    // SAFETY: a C string and a valid output parameter.
    let status = unsafe { bw_call(CLIENT.0, text(data).as_ptr(), &raw mut out) };
    let document = checked_document(status, out).expect_err("no server is running");
    let outcome = &document["error"]["outcome"];
    // No server can have received the request.
    let not_attempted = outcome.is_null() && document["error"]["attempts"] == 0;
    assert!(not_attempted || outcome == "not_sent", "{document}");
}

/// Reads a value from a document. serde_json must find the same value.
pub fn json_get(data: &[u8]) {
    let (document, pointer) = two_texts(data);
    let mut out = ptr::null_mut();
    // SAFETY: two C strings and a valid output parameter.
    let status = unsafe { bw_json_get(document.as_ptr(), pointer.as_ptr(), &raw mut out) };
    let found = take_string(out);
    let mut length = 0;
    // SAFETY: as above, without an error document.
    let counted = unsafe {
        bw_json_length(document.as_ptr(), pointer.as_ptr(), &raw mut length, ptr::null_mut())
    };
    let (Ok(document), Ok(pointer)) = (document.to_str(), pointer.to_str()) else {
        assert_ne!(status, BW_OK);
        return;
    };
    let (mut quoted, mut again) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: C strings, and valid output parameters.
    unsafe {
        let text = CString::new(document).expect("no NUL");
        assert_eq!(bw_json_quote(text.as_ptr(), &raw mut quoted), BW_OK);
        assert_eq!(bw_json_get(quoted, c"".as_ptr(), &raw mut again), BW_OK);
    }
    assert_eq!(take_string(again).as_deref(), Some(document));
    take_string(quoted);
    let Ok(value) = serde_json::from_str::<Value>(document) else { return };
    if counted == BW_OK {
        // serde_json merges repeated keys.
        match value.pointer(pointer).expect("the value") {
            Value::Array(items) => assert_eq!(length, items.len() as u64),
            Value::Object(members) => assert!(length >= members.len() as u64),
            other => panic!("{other} has no length"),
        }
    }
    match (status, value.pointer(pointer)) {
        (BW_OK, Some(Value::String(expected))) => assert_eq!(found.as_ref(), Some(expected)),
        (BW_OK, Some(expected)) => {
            let found: Value = serde_json::from_str(&found.expect("a value")).expect("JSON");
            assert_eq!(&found, expected);
        }
        (BW_OK, None) => panic!("{pointer} is not in {document}, and {found:?} was found"),
        (_, Some(Value::String(text))) => assert!(text.contains('\0'), "{pointer} in {document}"),
        (BW_E_NO_VALUE, Some(Value::Null) | None) => {}
        (BW_E_INVALID_ARGUMENT, None) => {}
        (status, expected) => panic!("{status} for {pointer} in {document}: {expected:?}"),
    }
}

/// Parses a webhook.
pub fn event(data: &[u8]) {
    let mut out = ptr::null_mut();
    // SAFETY: a C string and a valid output parameter.
    let status = unsafe { bw_parse_event(text(data).as_ptr(), &raw mut out) };
    // SAFETY: a C string, or NULL.
    let read = (!out.is_null()).then(|| unsafe { CStr::from_ptr(out) }.to_owned());
    if let Ok(event) = checked_document(status, out) {
        // null: a number that serde_json cannot read.
        let is_checked =
            !event.is_null() && event["known"] != false && event["event"] != "connectStatus";
        assert!(!is_checked || event["timestamp"].is_u64(), "{event}");
        // Parsing the result again returns the same text.
        let read = read.expect("a document").into_string().expect("UTF-8");
        assert_eq!(interop::parse_event(&read).expect("an event"), read);
    }
}

/// Reads the claims of a token.
pub fn token(data: &[u8]) {
    let mut out = ptr::null_mut();
    // SAFETY: a C string and a valid output parameter.
    let status = unsafe { bw_token_claims(text(data).as_ptr(), &raw mut out) };
    if let Ok(claims) = checked_document(status, out) {
        assert!(claims["claims"].is_object(), "{claims}");
    }
}

/// Creates the BXML of a transfer and of a connection, and a uui value. BXML must be well formed for
/// every input.
pub fn bxml(data: &[u8]) {
    let (first, _) = two_texts(data);
    let skip = first.as_bytes().len() + 1;
    let (second, third) = two_texts(data.get(skip..).unwrap_or_default());
    let or_null = |text: &std::ffi::CStr| match text.is_empty() {
        true => ptr::null(),
        false => text.as_ptr(),
    };
    let mut out = ptr::null_mut();
    // SAFETY: C strings or NULL, and a valid output parameter.
    let status = unsafe {
        bw_transfer_bxml(first.as_ptr(), or_null(&second), or_null(&third), &raw mut out)
    };
    if let Ok(document) = checked_document(status, out) {
        check_bxml(&document, 3);
    }
    // SAFETY: as above.
    let status = unsafe { bw_connect_bxml(first.as_ptr(), or_null(&second), &raw mut out) };
    if let Ok(document) = checked_document(status, out) {
        let ids: Vec<String> = serde_json::from_slice(first.as_bytes()).expect("an array of texts");
        check_bxml(&document, 2 + ids.len());
    }
    // SAFETY: as above.
    let status = unsafe { bw_uui(first.as_ptr(), or_null(&second), &raw mut out) };
    if status == BW_OK {
        let uui = take_string(out).expect("a value");
        let token = first.to_str().expect("UTF-8");
        assert!(uui.ends_with(&format!("{token};encoding=jwt")), "{uui}");
    } else {
        let _ = checked_document(status, out);
    }
}

/// Checks that a BXML document has this number of elements, and nothing that was not escaped.
fn check_bxml(document: &Value, elements: usize) {
    let bxml = document["bxml"].as_str().expect("a text");
    let inside = bxml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("an XML declaration");
    assert_eq!(inside.matches('<').count(), 2 * elements, "{bxml}");
    assert_eq!(inside.matches('>').count(), 2 * elements, "{bxml}");
    assert!(!inside.chars().any(|c| c.is_control()), "{bxml}");
}
