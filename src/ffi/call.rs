//! What the functions of the operations have in common, and the generic call.

use std::ffi::c_char;
use std::time::Instant;

use super::boundary::{Delivery, Out, document_of};
use super::handles::{self, bw_client};
use super::status::{BW_E_INTERNAL, BW_OK, bw_status};
use super::text;
use crate::api::{Ids, Operation, RetryClass};
use crate::client::Client;
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
    document_of(out, || {
        let work = || {
            let id = |name, pointer: Option<*const c_char>| {
                // SAFETY: promised by the caller.
                pointer.map(|pointer| unsafe { text::required(name, pointer) }).transpose()
            };
            let ids = Ids {
                session: id("session_id", arguments.session)?,
                participant: id("participant_id", arguments.participant)?,
                endpoint: None,
            };
            let request = match arguments.request {
                // SAFETY: promised by the caller.
                Some((name, pointer)) => unsafe { text::optional(name, pointer) }?,
                None => None,
            };
            let client = handles::client(client)?;
            let document = client.call(operation, &ids, request)?;
            Ok(deliver(out, &client, operation, &document, request))
        };
        work().map_err(|error: Error| error.of(operation.name))
    })
}

/// Writes a response. What the call created is kept as late if the caller does not receive it.
fn deliver(
    out: Out,
    client: &Client,
    operation: &'static Operation,
    document: &str,
    request: Option<&str>,
) -> bw_status {
    let delivery = out.deliver(document);
    if delivery != Delivery::Delivered && operation.retry == RetryClass::Create {
        client.keep_created(operation, document, request, 0);
    }
    if delivery == Delivery::NoMemory { BW_E_INTERNAL } else { BW_OK }
}

/// Executes any operation, described by one JSON document.
///
/// `call_json` is `{"operation": "addParticipantToSession", "sessionId": "..", "participantId": "..",
/// "body": {..}, "timeoutMs": 500}`: the operation's name at the service, its ids and its body, and
/// optionally a timeout for this call.
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
    document_of(out, || {
        // SAFETY: promised by the caller.
        let call = unsafe { text::required("call_json", call_json) }?;
        let client = handles::client(client)?;
        let call = client.prepare(call)?;
        let now = Instant::now();
        let work = || {
            out.check(call.operation)?;
            let document = client.perform(&call, now, now + call.timeout, None)?;
            Ok(deliver(out, &client, call.operation, &document, call.body.as_deref()))
        };
        work().map_err(|error: Error| error.of(call.operation.name))
    })
}
