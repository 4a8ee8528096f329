//! The operations on participants.

use std::ffi::c_char;

use super::call::{Arguments, Request, execute};
use super::handles::bw_client;
use super::status::bw_status;
use crate::api::{CREATE_PARTICIPANT, DELETE_PARTICIPANT, GET_PARTICIPANT};

/// Creates a participant and its token (createParticipant).
///
/// If `outcome` in the error document is "unknown", a participant may exist. The client does not
/// repeat such a request.
///
/// - `request_json`: one JSON object, not NULL. All keys are optional: `callbackUrl` (absolute URL
///   to which the service sends webhooks), `publishPermissions` (array of "AUDIO" and "VIDEO"),
///   `tag` (at most 50 characters), `deviceApiVersion` ("V3", or the older "V2"). The object is
///   checked before a request is sent, and the message names every problem.
/// - `out`: receives `{"participant": {"id": "..", ..}, "token": ".."}`, or the error document. The
///   caller frees it with `bw_free`. `out` must not be NULL: the token is returned only once.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `request_json` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_create_participant(
    client: *mut bw_client,
    request_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        request: Some(Request::Required("request_json", request_json)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &CREATE_PARTICIPANT, arguments, out) }
}

/// Returns a participant (getParticipant).
///
/// - `participant_id`: the `id` of the participant.
/// - `out`: receives the Participant document, or the error document. The caller frees it with
///   `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such
/// participant).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `participant_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_participant(
    client: *mut bw_client,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { participant: Some(participant_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &GET_PARTICIPANT, arguments, out) }
}

/// Deletes a participant, and removes it from its session (deleteParticipant).
///
/// If its media connection was lost, the service has already deleted the participant, and the
/// status is BW_E_NOT_FOUND.
///
/// - `participant_id`: the `id` of the participant.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such
/// participant).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `participant_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_delete_participant(
    client: *mut bw_client,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { participant: Some(participant_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &DELETE_PARTICIPANT, arguments, out) }
}
