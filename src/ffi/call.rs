//! The shared part of the operations' functions, and the generic call.

use std::ffi::c_char;
use std::time::Instant;

use super::boundary::{Delivery, Out, export_status};
use super::handles::{CLIENTS, bw_client};
use super::status::{BW_E_INTERNAL, BW_OK, bw_status};
use super::text;
use crate::api::{Ids, Operation, RetryClass};
use crate::client::Client;
use crate::error::Error;

/// The C arguments of an operation's function. `None`: the function has no such parameter.
#[derive(Default)]
pub struct Arguments {
    /// `session_id`.
    pub session: Option<*const c_char>,
    /// `participant_id`.
    pub participant: Option<*const c_char>,
    /// `endpoint_id`.
    pub endpoint: Option<*const c_char>,
    /// The request document.
    pub request: Option<Request>,
}

/// A request document. The name is the parameter's, for messages.
pub enum Request {
    /// Must not be NULL.
    Required(&'static str, *const c_char),
    /// May be NULL.
    Optional(&'static str, *const c_char),
}

/// Executes an operation for its function.
///
/// # Safety
/// `out` is NULL or writable. Every pointer in `arguments` is NULL or a NUL-terminated string.
pub unsafe fn execute(
    client: *mut bw_client,
    operation: &'static Operation,
    arguments: Arguments,
    out: *mut *mut c_char,
) -> bw_status {
    // SAFETY: promised by the caller.
    let out = unsafe { Out::new(out) };
    export_status(out, || {
        let work = || {
            out.check(operation)?;
            let id = |name, pointer: Option<*const c_char>| {
                // SAFETY: promised by the caller.
                pointer.map(|pointer| unsafe { text::required(name, pointer) }).transpose()
            };
            let ids = Ids {
                session: id("session_id", arguments.session)?,
                participant: id("participant_id", arguments.participant)?,
                endpoint: id("endpoint_id", arguments.endpoint)?,
            };
            let request = match arguments.request {
                // SAFETY: promised by the caller.
                Some(Request::Required(name, json)) => Some(unsafe { text::required(name, json) }?),
                // SAFETY: promised by the caller.
                Some(Request::Optional(name, json)) => unsafe { text::optional(name, json) }?,
                None => None,
            };
            let client = CLIENTS.get(client)?;
            let document = client.call(operation, &ids, request)?;
            Ok(deliver(out, &client, operation, &document, request))
        };
        work().map_err(|error: Error| error.of(operation.name))
    })
}

/// Writes a response. If the caller does not receive it, what the call created is kept for
/// `bw_client_take_late`.
fn deliver(
    out: Out,
    client: &Client,
    operation: &'static Operation,
    document: &str,
    request: Option<&str>,
) -> bw_status {
    let delivery = out.deliver(document);
    if delivery != Delivery::Delivered && operation.retry == RetryClass::Create {
        client.record_late_object(operation, None, document, request, 0);
    }
    if delivery == Delivery::NoMemory { BW_E_INTERNAL } else { BW_OK }
}

/// Executes any operation, which is described by one JSON document.
///
/// - `call_json`: `{"operation": "addParticipantToSession", "sessionId": "..", "participantId":
///   "..", "body": {..}, "timeoutMs": 500}`. The keys are:
///   - `operation`: required. The operation's name at the service.
///   - `sessionId`, `participantId`, `endpointId`: the ids that the operation's own function takes.
///   - `body`: the request document of the operation, as a JSON object.
///   - `query`: the query of listEndpoints, as a JSON object.
///   - `bxml`: the BXML of updateEndpointBxml, as a string.
///   - `timeoutMs`: replaces the client's timeout for this call, 1 to 86400000.
/// - `out`: receives the same document as from the operation's own function. The caller frees it
///   with `bw_free`. `out` must not be NULL if the operation returns a token (createParticipant and
///   createEndpoint).
///
/// Statuses: those of the operation's own function.
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
    export_status(out, || {
        // SAFETY: promised by the caller.
        let call = unsafe { text::required("call_json", call_json) }?;
        let client = CLIENTS.get(client)?;
        let call = client.prepare(call)?;
        let now = Instant::now();
        let work = || {
            out.check(call.operation)?;
            let document = client.execute_prepared(&call, now, now + call.timeout, None)?;
            Ok(deliver(out, &client, call.operation, &document, call.body.as_deref()))
        };
        work().map_err(|error: Error| error.of(call.operation.name))
    })
}
