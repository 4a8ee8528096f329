//! The operations on endpoints (BRTC).

use std::ffi::c_char;

use super::call::{Arguments, Request, execute};
use super::handles::bw_client;
use super::status::bw_status;
use crate::api::{
    CREATE_ENDPOINT, DELETE_ENDPOINT, GET_ENDPOINT, LIST_ENDPOINTS, UPDATE_ENDPOINT_BXML,
};

/// Creates an endpoint and its token (createEndpoint). BRTC only.
///
/// An endpoint and its token expire 24 hours later. If `outcome` in the error document is "unknown",
/// an endpoint may exist. The client does not repeat such a request.
///
/// - `request_json`: one JSON object, not NULL. Required: `type` ("WEBRTC") and `direction`
///   ("INBOUND", "OUTBOUND" or "BIDIRECTIONAL"). Optional: `eventCallbackUrl` and
///   `eventFallbackUrl` (absolute URLs to which the service sends webhooks), `tag` (at most 1024
///   characters), `connectionMetadata` (an object). The object is checked before a request is sent,
///   and the message names every problem.
/// - `out`: receives `{"links": [..], "data": {"endpointId": "..", "token": "..", ..}, "errors":
///   []}`, or the error document. The caller frees it with `bw_free`. `out` must not be NULL: the
///   token is returned only once.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_RATE_LIMITED (the account has too many
/// endpoints; this is not retried).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `request_json` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_create_endpoint(
    client: *mut bw_client,
    request_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        request: Some(Request::Required("request_json", request_json)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &CREATE_ENDPOINT, arguments, out) }
}

/// Lists the endpoints of the account, one page at a time (listEndpoints). BRTC only.
///
/// - `query_json`: `{"type": "WEBRTC", "status": "CONNECTED", "limit": 100, "afterCursor": ".."}`,
///   where each key is optional, or NULL. `status` is "CONNECTED" or "DISCONNECTED". `limit` is the
///   size of a page, from 1 to 1000 (at the service, the default is 100). `afterCursor` selects the
///   page after another one: it is the parameter of that name in the URL of the link whose `rel` is
///   "next" in the other page. The last page has no such link.
/// - `out`: receives `{"links": [..], "data": [{"endpointId": "..", ..}], "errors": [], "page":
///   {..}}`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `query_json` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_list_endpoints(
    client: *mut bw_client,
    query_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        request: Some(Request::Optional("query_json", query_json)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &LIST_ENDPOINTS, arguments, out) }
}

/// Returns an endpoint and its devices, without the token (getEndpoint). BRTC only.
///
/// - `endpoint_id`: the `endpointId` of the endpoint.
/// - `out`: receives `{"links": [..], "data": {"endpointId": "..", "devices": [..], ..}, "errors":
///   []}`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such endpoint).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `endpoint_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_endpoint(
    client: *mut bw_client,
    endpoint_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { endpoint: Some(endpoint_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &GET_ENDPOINT, arguments, out) }
}

/// Deletes an endpoint, and ends its media (deleteEndpoint). BRTC only.
///
/// - `endpoint_id`: the `endpointId` of the endpoint.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such endpoint).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `endpoint_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_delete_endpoint(
    client: *mut bw_client,
    endpoint_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { endpoint: Some(endpoint_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &DELETE_ENDPOINT, arguments, out) }
}

/// Replaces the BXML of an endpoint (updateEndpointBxml). BRTC only.
///
/// Bandwidth documents this operation, but in 2026 the service does not offer it yet.
///
/// - `endpoint_id`: the `endpointId` of the endpoint.
/// - `bxml`: the BXML document, which must be well-formed XML without a DTD, with at most 64 namespace
///   declarations, and at most 256 attributes in a tag.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such endpoint).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `endpoint_id` and `bxml` are NULL or NUL-terminated strings; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_update_endpoint_bxml(
    client: *mut bw_client,
    endpoint_id: *const c_char,
    bxml: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        endpoint: Some(endpoint_id),
        request: Some(Request::Required("bxml", bxml)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &UPDATE_ENDPOINT_BXML, arguments, out) }
}
