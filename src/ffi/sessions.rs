//! The operations on sessions, and on participants in sessions.

use std::ffi::c_char;

use super::call::{Arguments, Request, execute};
use super::handles::bw_client;
use super::status::bw_status;
use crate::api::{
    ADD_PARTICIPANT_TO_SESSION, CREATE_SESSION, DELETE_SESSION, GET_PARTICIPANT_SUBSCRIPTIONS,
    GET_SESSION, LIST_SESSION_PARTICIPANTS, REMOVE_PARTICIPANT_FROM_SESSION,
    UPDATE_PARTICIPANT_SUBSCRIPTIONS,
};

/// Creates a session (createSession).
///
/// If `outcome` in the error document is "unknown", a session may exist. The client does not repeat
/// such a request.
///
/// - `request_json`: `{"tag": ".."}` (at most 50 characters), `{}`, or NULL.
/// - `out`: receives the Session document, `{"id": "..", "tag": ".."}`, or the error document. The
///   caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `request_json` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_create_session(
    client: *mut bw_client,
    request_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        request: Some(Request::Optional("request_json", request_json)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &CREATE_SESSION, arguments, out) }
}

/// Returns a session (getSession).
///
/// - `session_id`: the `id` of the session.
/// - `out`: receives the Session document, or the error document. The caller frees it with
///   `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_session(
    client: *mut bw_client,
    session_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: Some(session_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &GET_SESSION, arguments, out) }
}

/// Deletes a session, but not its participants (deleteSession).
///
/// - `session_id`: the `id` of the session.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_delete_session(
    client: *mut bw_client,
    session_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: Some(session_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &DELETE_SESSION, arguments, out) }
}

/// Lists the participants in a session (listSessionParticipants).
///
/// - `session_id`: the `id` of the session.
/// - `out`: receives an array of Participant documents (`[]` if the session is empty), or the error
///   document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_list_session_participants(
    client: *mut bw_client,
    session_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments { session: Some(session_id), ..Arguments::default() };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &LIST_SESSION_PARTICIPANTS, arguments, out) }
}

/// Adds a participant to a session (addParticipantToSession).
///
/// - `session_id`: the `id` of the session.
/// - `participant_id`: the `id` of the participant.
/// - `subscriptions_json`: whom the participant hears.
///   - `{"sessionId": ".."}`: everyone in the session, including participants that join later.
///   - `{"participants": [{"participantId": ".."}, ..]}`: only these participants. With
///     `"streamAliases": [".."]` next to a `participantId`: only these streams of the participant
///     (if the array is empty, all of them).
///   - `{}`, `null` or NULL: nobody.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
/// participant) or BW_E_CONFLICT (the participant is already in a session, or the session is full).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id`, `participant_id` and `subscriptions_json` are NULL or NUL-terminated strings;
/// `out` is NULL or writable.
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
        request: Some(Request::Optional("subscriptions_json", subscriptions_json)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &ADD_PARTICIPANT_TO_SESSION, arguments, out) }
}

/// Removes a participant from a session, but does not delete it (removeParticipantFromSession).
///
/// - `session_id`: the `id` of the session.
/// - `participant_id`: the `id` of the participant.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
/// participant).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` and `participant_id` are NULL or NUL-terminated strings; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_remove_participant_from_session(
    client: *mut bw_client,
    session_id: *const c_char,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        session: Some(session_id),
        participant: Some(participant_id),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &REMOVE_PARTICIPANT_FROM_SESSION, arguments, out) }
}

/// Returns whom a participant hears (getParticipantSubscriptions).
///
/// - `session_id`: the `id` of the session.
/// - `participant_id`: the `id` of the participant.
/// - `out`: receives the Subscriptions document (`{}` if the participant hears nobody), or the
///   error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
/// participant).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id` and `participant_id` are NULL or NUL-terminated strings; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_get_participant_subscriptions(
    client: *mut bw_client,
    session_id: *const c_char,
    participant_id: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    let arguments = Arguments {
        session: Some(session_id),
        participant: Some(participant_id),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &GET_PARTICIPANT_SUBSCRIPTIONS, arguments, out) }
}

/// Replaces the subscriptions of a participant, which state whom it hears
/// (updateParticipantSubscriptions).
///
/// - `session_id`: the `id` of the session.
/// - `participant_id`: the `id` of the participant.
/// - `subscriptions_json`: the new subscriptions, as for `bw_add_participant_to_session`.
/// - `out`: receives `null`, or the error document. The caller frees it with `bw_free`.
///
/// Statuses: BW_OK, BW_E_INVALID_ARGUMENT, BW_E_INVALID_HANDLE, BW_E_CANCELLED, BW_E_INTERNAL, or
/// one from BW_E_RESOLVE to BW_E_HTTP_STATUS, such as BW_E_NOT_FOUND (there is no such session or
/// participant).
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `session_id`, `participant_id` and `subscriptions_json` are NULL or NUL-terminated strings;
/// `out` is NULL or writable.
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
        request: Some(Request::Optional("subscriptions_json", subscriptions_json)),
        ..Arguments::default()
    };
    // SAFETY: promised by the caller.
    unsafe { execute(client, &UPDATE_PARTICIPANT_SUBSCRIPTIONS, arguments, out) }
}
