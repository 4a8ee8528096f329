//! Functions that need no client and no network.

use std::ffi::c_char;

use super::boundary::{Out, export_document, export_unit};
use super::status::bw_status;
use super::text;
use crate::interop::{
    connect_bxml, json_get, json_length, json_quote, parse_event, token_claims, transfer_bxml, uui,
};

/// Returns one value of a JSON document, for programs without a JSON library.
///
/// - `json`: the document.
/// - `pointer`: a JSON pointer (RFC 6901), such as "/participant/id" or "/sessions/0". "" selects
///   the whole document. In a key, `~1` stands for a slash and `~0` for a tilde.
/// - `text`: receives the value, or the error document on failure. The caller frees it with
///   `bw_free`. A string is returned without quotes and escapes, any other value as JSON text.
///
/// Statuses: BW_OK, BW_E_NO_VALUE (the value is missing or null), BW_E_INVALID_ARGUMENT (`json` is
/// not JSON or has more than 64 levels, `pointer` is not a JSON pointer, or the value is a string
/// that contains U+0000, which a C string cannot contain).
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
    export_document(out, || {
        // SAFETY: promised by the caller.
        let json = unsafe { text::required("json", json) }?;
        // SAFETY: promised by the caller.
        let pointer = unsafe { text::required("pointer", pointer) }?;
        json_get(json, pointer)
    })
}

/// Returns the number of items of an array, or of members of an object, in a JSON document.
///
/// - `json` and `pointer`: as for `bw_json_get`.
/// - `length`: receives the number, or 0 on failure. It may be NULL.
/// - `error`: receives NULL, or the error document on failure. The caller frees it with `bw_free`.
///   `error` may be NULL.
///
/// Statuses: BW_OK, BW_E_NO_VALUE (the value is missing or null), BW_E_INVALID_ARGUMENT (as for
/// `bw_json_get`, or the value is neither an array nor an object), BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `json` and `pointer` are NULL or NUL-terminated strings; `length` and `error` are NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_json_length(
    json: *const c_char,
    pointer: *const c_char,
    length: *mut u64,
    error: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let error = unsafe { Out::new(error) };
    let mut count = 0;
    let status = export_unit(error, || {
        // SAFETY: promised by the caller.
        let json = unsafe { text::required("json", json) }?;
        // SAFETY: promised by the caller.
        let pointer = unsafe { text::required("pointer", pointer) }?;
        count = json_length(json, pointer)?;
        Ok(())
    });
    if !length.is_null() {
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { length.write(count) };
    }
    status
}

/// Returns a text as a JSON string, for programs that write JSON documents themselves.
///
/// - `text`: the text, such as a tag that a user has typed.
/// - `out`: receives the text with quotes and escapes, such as `"say \"hi\""`, or the error document.
///   The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (`text` is NULL or not valid UTF-8), BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_json_quote(text: *const c_char, out: *mut *mut c_char) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_document(out, || {
        // SAFETY: promised by the caller.
        let text = unsafe { text::required("text", text) }?;
        json_quote(text)
    })
}

/// Creates the BXML that transfers a phone call to a session, for the response to a voice webhook.
///
/// - `token`: the token of a participant in that session.
/// - `call_id`: the id of the phone call ("c-93d6f3c0-be584596-.."), or NULL.
/// - `sip_uri`: the destination of the transfer, or NULL for the SIP URI of the service.
/// - `out`: receives `{"bxml": "..", "uuiLength": 81, "warnings": [".."]}`, or the error document.
///   The caller frees it with `bw_free`. There is a warning if the uui parameter in the BXML is
///   longer than the documented limit of 256 characters.
///
/// All arguments are checked and escaped.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `token`, `call_id` and `sip_uri` are NULL or NUL-terminated strings; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_transfer_bxml(
    token: *const c_char,
    call_id: *const c_char,
    sip_uri: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_document(out, || {
        // SAFETY: promised by the caller.
        let token = unsafe { text::required("token", token) }?;
        // SAFETY: promised by the caller.
        let call_id = unsafe { text::optional("call_id", call_id) }?;
        // SAFETY: promised by the caller.
        let sip_uri = unsafe { text::optional("sip_uri", sip_uri) }?;
        transfer_bxml(token, call_id, sip_uri)
    })
}

/// Creates the BXML that connects a phone call to endpoints, for the response to a voice webhook.
///
/// - `endpoint_ids_json`: a JSON array of the ids of the endpoints, such as `["e-15ac29a2-.."]`.
/// - `options_json`: `{"eventCallbackUrl": "..", "eventFallbackUrl": ".."}`, where each key is
///   optional and a URL may be relative, or NULL.
/// - `out`: receives `{"bxml": ".."}`, or the error document. The caller frees it with `bw_free`.
///
/// All arguments are checked and escaped.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `endpoint_ids_json` and `options_json` are NULL or NUL-terminated strings; `out` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_connect_bxml(
    endpoint_ids_json: *const c_char,
    options_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_document(out, || {
        // SAFETY: promised by the caller.
        let ids = unsafe { text::required("endpoint_ids_json", endpoint_ids_json) }?;
        // SAFETY: promised by the caller.
        let options = unsafe { text::optional("options_json", options_json) }?;
        connect_bxml(ids, options)
    })
}

/// Creates the uui value with which a phone call joins the session of a participant.
///
/// `bw_transfer_bxml` writes it into a `<Transfer>`. The value alone is needed for `<Bridge>`,
/// `<Conference>`, and calls that the Voice API makes. WebRTC v1 only.
///
/// - `token`: the token of the participant.
/// - `call_id`: the id of the phone call ("c-93d6f3c0-be584596-.."), or NULL.
/// - `text`: receives the value, which is not JSON, or the error document. The caller frees it with
///   `bw_free`. The value contains the token: it is a secret.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `token` and `call_id` are NULL or NUL-terminated strings; `text` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_uui(
    token: *const c_char,
    call_id: *const c_char,
    text: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(text) };
    export_document(out, || {
        // SAFETY: promised by the caller.
        let token = unsafe { text::required("token", token) }?;
        // SAFETY: promised by the caller.
        let call_id = unsafe { text::optional("call_id", call_id) }?;
        uui(token, call_id)
    })
}

/// Checks a webhook that a service has sent to a callback URL, and returns it in one form.
///
/// - `body`: the body of the webhook request.
/// - `out`: receives `{"event": "onConnect", "timestamp": 1605739845431, "participantId": "..",
///   "deviceId": "..", "tag": ".."}`, or the error document. The caller frees it with `bw_free`.
///
/// WebRTC v1: `event` is "onConnect", "onLeave" or "onDisconnect". `timestamp` is a number, the
/// milliseconds since 1970; also accepted as a string of digits. `participantId` is a string that
/// is not empty. `deviceId` and `tag` are strings, if they are present and not null. An event that
/// violates this is an error.
///
/// BRTC: `event` is "endpointConnected", "endpointDisconnected", "endpointEligible",
/// "endpointIneligible", "outboundConnectionRequest" (with `to` and `toType`) or "connectStatus".
/// `endpointId` is a string that is not empty, except that "connectStatus" may have none. Nothing
/// else is required. `timestamp` is a number of milliseconds if the service sent an integer, a
/// string of digits or an ISO 8601 time; any other value is unchanged, and it may be missing. The
/// names of the OpenAPI document are converted: `eventType` to `event`, `eventTime` to `timestamp`,
/// a string `tags` to `tag`, and the id in `device` is also `deviceId`.
///
/// An unknown event is not an error, because the service may add events: it is converted as an
/// event of BRTC, not checked, and has `"known": false`. No other result has `known`.
///
/// All other fields are returned unchanged. If a field is repeated, an event of v1 is rejected, and
/// any other event keeps the last value.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the message names every invalid field), BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `body` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_parse_event(body: *const c_char, out: *mut *mut c_char) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_document(out, || {
        // SAFETY: promised by the caller.
        let body = unsafe { text::required("body", body) }?;
        parse_event(body)
    })
}

/// Decodes the claims of a token, but does not verify them.
///
/// Only the service can verify a token.
///
/// - `token`: the token of a participant or an endpoint.
/// - `out`: receives `{"accountId": "..", "participantId": "..", "version": "V3", "expiresAt":
///   1795510659, "expiresInMs": 32400000, "claims": {..}, "verified": false}`, or the error
///   document. The caller frees it with `bw_free`. `expiresAt` is in seconds since 1970. A claim
///   that the token does not contain is null. The error document contains no part of the token.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INTERNAL.
/// Any thread. Does not block.
///
/// # Safety
/// `token` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_token_claims(token: *const c_char, out: *mut *mut c_char) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_document(out, || {
        // SAFETY: promised by the caller.
        let token = unsafe { text::required("token", token) }?;
        token_claims(token)
    })
}
