//! The operations on participants.

use std::ffi::c_char;

use super::boundary::{Out, document};
use super::call::{Arguments, perform};
use super::handles::{self, bw_client};
use super::status::bw_status;
use super::text;
use crate::api::{CREATE_PARTICIPANT, DELETE_PARTICIPANT, GET_PARTICIPANT};

/// Creates a participant at the service (createParticipant) and gives its token.
///
/// `request_json` is one JSON object, not NULL, all of whose fields may be left out: `callbackUrl`
/// (absolute URL), `publishPermissions` (array of "AUDIO", "VIDEO"), `tag` (at most 50 characters),
/// `deviceApiVersion` ("V3", or the older "V2"). It is checked before anything is sent; all problems
/// are named.
///
/// `*out` gets the service's answer, `{"participant": {"id": .., ..}, "token": ".."}`, or the error
/// document; the caller frees it with `bw_free`. `out` must not be NULL: the token comes only once.
/// A request that the service may have processed is never repeated: if `outcome` is "unknown", a
/// participant may exist.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS.
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
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document(out, || {
        let work = || {
            out.check(&CREATE_PARTICIPANT)?;
            // SAFETY: promised by the caller.
            let request = unsafe { text::required("request_json", request_json) }?;
            handles::client(client)?.create_participant(request)
        };
        work().map_err(|error| error.of(CREATE_PARTICIPANT.name))
    })
}

/// Reads a participant (getParticipant).
///
/// `*out` gets the Participant document, or the error document; the caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `participant_id` is NULL or a NUL-terminated string; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_participant(
    client: *mut bw_client,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: None, participant: Some(participant_id), request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &GET_PARTICIPANT, arguments, out) }
}

/// Removes a participant, out of its session too (deleteParticipant).
///
/// `*out` gets `null`, or the error document; the caller frees it with `bw_free`. If its
/// media connection was lost, the participant has already been deleted: BW_E_NOT_FOUND.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `participant_id` is NULL or a NUL-terminated string; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_delete_participant(
    client: *mut bw_client,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: None, participant: Some(participant_id), request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &DELETE_PARTICIPANT, arguments, out) }
}
