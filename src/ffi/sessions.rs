//! The operations on sessions, and on participants in them.

use std::ffi::c_char;

use super::call::{Arguments, perform};
use super::handles::bw_client;
use super::status::bw_status;
use crate::api::{
    ADD_PARTICIPANT_TO_SESSION, CREATE_SESSION, DELETE_SESSION, GET_PARTICIPANT_SUBSCRIPTIONS,
    GET_SESSION, LIST_SESSION_PARTICIPANTS, REMOVE_PARTICIPANT_FROM_SESSION,
    UPDATE_PARTICIPANT_SUBSCRIPTIONS,
};

/// Creates a session (createSession).
///
/// `request_json` is `{"tag": ".."}` (at most 50 characters), or NULL. `*out` gets the Session
/// document, `{"id": .., "tag": ..}`, or the error document; the caller frees it with `bw_free`. A
/// request that the service may have processed is never repeated.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `request_json` is NULL or a NUL-terminated string; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_create_session(
    client: *mut bw_client,
    request_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        session: None,
        participant: None,
        request: Some(("request_json", request_json)),
    };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &CREATE_SESSION, arguments, out) }
}

/// Reads a session (getSession).
///
/// `*out` gets the Session document, or the error document; the caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` is NULL or a NUL-terminated string; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_session(
    client: *mut bw_client,
    session_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: Some(session_id), participant: None, request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &GET_SESSION, arguments, out) }
}

/// Removes a session; its participants stay (deleteSession).
///
/// `*out` gets `null`, or the error document; the caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` is NULL or a NUL-terminated string; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_delete_session(
    client: *mut bw_client,
    session_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: Some(session_id), participant: None, request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &DELETE_SESSION, arguments, out) }
}

/// Lists the participants in a session (listSessionParticipants).
///
/// `*out` gets an array of Participant documents, `[]` if there are none, or the error document; the
/// caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` is NULL or a NUL-terminated string; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_list_session_participants(
    client: *mut bw_client,
    session_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: Some(session_id), participant: None, request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &LIST_SESSION_PARTICIPANTS, arguments, out) }
}

/// Puts a participant into a session (addParticipantToSession).
///
/// `subscriptions_json` says whom it hears: `{"sessionId": ".."}` everyone in the session, also who
/// comes later; `{"participants": [{"participantId": "..", "streamAliases": [".."]}]}` those; NULL,
/// `null` or `{}` nobody. `*out` gets `null`, or the error document; the caller frees it with
/// `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND, BW_E_CONFLICT (it is in a session, or the session is full).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id`, `participant_id` and `subscriptions_json` are NULL or NUL-terminated strings; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_add_participant_to_session(
    client: *mut bw_client,
    session_id: *const c_char,
    participant_id: *const c_char,
    subscriptions_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        session: Some(session_id),
        participant: Some(participant_id),
        request: Some(("subscriptions_json", subscriptions_json)),
    };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &ADD_PARTICIPANT_TO_SESSION, arguments, out) }
}

/// Takes a participant out of a session (removeParticipantFromSession).
///
/// `*out` gets `null`, or the error document; the caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` and `participant_id` are NULL or NUL-terminated strings; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_remove_participant_from_session(
    client: *mut bw_client,
    session_id: *const c_char,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments =
        Arguments { session: Some(session_id), participant: Some(participant_id), request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &REMOVE_PARTICIPANT_FROM_SESSION, arguments, out) }
}

/// Reads whom a participant hears (getParticipantSubscriptions).
///
/// `*out` gets the Subscriptions document, `{}` if it hears nobody, or the error document; the caller
/// frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` and `participant_id` are NULL or NUL-terminated strings; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_participant_subscriptions(
    client: *mut bw_client,
    session_id: *const c_char,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments =
        Arguments { session: Some(session_id), participant: Some(participant_id), request: None };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &GET_PARTICIPANT_SUBSCRIPTIONS, arguments, out) }
}

/// Changes whom a participant hears (updateParticipantSubscriptions).
///
/// `subscriptions_json` replaces the previous subscriptions; see `bw_add_participant_to_session`. `*out` gets `null`, or the error document; the caller frees it
/// with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED and all from
/// BW_E_RESOLVE to BW_E_HTTP_STATUS, among them BW_E_NOT_FOUND.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id`, `participant_id` and `subscriptions_json` are NULL or NUL-terminated strings; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_update_participant_subscriptions(
    client: *mut bw_client,
    session_id: *const c_char,
    participant_id: *const c_char,
    subscriptions_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        session: Some(session_id),
        participant: Some(participant_id),
        request: Some(("subscriptions_json", subscriptions_json)),
    };
    // SAFETY: promised by the caller.
    unsafe { perform(client, &UPDATE_PARTICIPANT_SUBSCRIPTIONS, arguments, out) }
}
