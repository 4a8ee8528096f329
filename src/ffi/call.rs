//! What the functions of the operations have in common, and the generic call.

use std::ffi::c_char;

use super::boundary::{Out, document};
use super::handles::{self, bw_client};
use super::status::bw_status;
use super::text;
use crate::api::{Ids, Operation};
use crate::error::Error;

/// The arguments of an operation's function, as C gave them.
pub struct Arguments {
    /// `session_id`, if the function has it.
    pub session: Option<*const c_char>,
    /// `participant_id`, if the function has it.
    pub participant: Option<*const c_char>,
    /// The request document, if the function has it, and its name; NULL is for the operation.
    pub request: Option<(&'static str, *const c_char)>,
}

/// Carries out an operation for its function.
///
/// # Safety
/// `out` is NULL or writable, and every pointer in `arguments` is NULL or a NUL-terminated string.
pub unsafe fn perform(
    client: *mut bw_client,
    operation: &'static Operation,
    arguments: Arguments,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document(out, || {
        let work = || {
            let id = |name, pointer: Option<*const c_char>| {
                // SAFETY: promised by the caller.
                pointer.map(|pointer| unsafe { text::required(name, pointer) }).transpose()
            };
            let ids = Ids {
                session: id("session_id", arguments.session)?,
                participant: id("participant_id", arguments.participant)?,
            };
            let request = match arguments.request {
                // SAFETY: promised by the caller.
                Some((name, pointer)) => unsafe { text::optional(name, pointer) }?,
                None => None,
            };
            handles::client(client)?.call(operation, &ids, request)
        };
        work().map_err(|error: Error| error.of(operation.name))
    })
}

/// Carries out any operation, the whole call being one document.
///
/// `call_json` is `{"operation": "addParticipantToSession", "sessionId": "..", "participantId": "..",
/// "body": {..}, "timeoutMs": 500}`: the operation by its name at the service, the ids and the body
/// that it takes, and, if wished, a time-out for this call alone.
///
/// `*out` gets what the operation's own function gives; the caller frees it with `bw_free`. It must
/// not be NULL if the operation is createParticipant. Statuses: those of the operation's function.
/// Any thread. Blocks up to the deadline.
///
/// # Safety
/// `call_json` is NULL or a NUL-terminated string; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_call(
    client: *mut bw_client,
    call_json: *const c_char,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    document(out, || {
        // SAFETY: promised by the caller.
        let call = unsafe { text::required("call_json", call_json) }?;
        let client = handles::client(client)?;
        client.call_document(call, |operation| out.check(operation))
    })
}
