//! Helpers that involve no client and no network.

use std::ffi::c_char;

use super::boundary::{Out, document};
use super::status::bw_status;
use super::text;
use crate::interop::{json_get, parse_event, token_claims, transfer_bxml};

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

/// Makes the BXML that moves a phone call into a session, for the answer to a voice webhook.
///
/// `token` is the participant's. `call_id` is the phone call's ("c-93d6f3c0-be584596-..") or NULL.
/// `sip_uri` is where to transfer to, or NULL for the service's bridge. All is checked and escaped.
///
/// `*out` gets `{"bxml": "..", "uuiLength": 81, "warnings": [".."]}` (a warning where the uui is
/// longer than its documented 256 characters), or the error document; the caller frees it with
/// `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT.
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
    document(out, || {
        // SAFETY: promised by the caller.
        let token = unsafe { text::required("token", token) }?;
        // SAFETY: promised by the caller.
        let call_id = unsafe { text::optional("call_id", call_id) }?;
        // SAFETY: promised by the caller.
        let sip_uri = unsafe { text::optional("sip_uri", sip_uri) }?;
        transfer_bxml(token, call_id, sip_uri)
    })
}

/// Checks a webhook that the service posted to a callbackUrl.
///
/// `body` is the request's body. `*out` gets the event, `{"event": "onConnect", "timestamp":
/// 1605739845431, "participantId": "..", "deviceId": "..", "tag": ".."}`, its time a number of
/// milliseconds since 1970 and unknown fields as they were, or the error document; the caller frees
/// it with `bw_free`. `event` is "onConnect", "onLeave" or "onDisconnect".
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT (the message names every field that is wrong).
/// Any thread. Does not block.
///
/// # Safety
/// `body` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_parse_event(body: *const c_char, out: *mut *mut c_char) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document(out, || {
        // SAFETY: promised by the caller.
        let body = unsafe { text::required("body", body) }?;
        parse_event(body)
    })
}

/// Decodes the claims of a participant's token. They are not verified: only the service can do that.
///
/// `*out` gets `{"accountId": "..", "participantId": "..", "version": "V3", "expiresAt": 1795510659,
/// "expiresInMs": 32400000, "claims": {..}, "verified": false}` (`expiresAt` in seconds since 1970;
/// what the token does not contain is null), or the error document, which quotes nothing of the token;
/// the caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT.
/// Any thread. Does not block.
///
/// # Safety
/// `token` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_token_claims(token: *const c_char, out: *mut *mut c_char) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document(out, || {
        // SAFETY: promised by the caller.
        let token = unsafe { text::required("token", token) }?;
        token_claims(token)
    })
}
