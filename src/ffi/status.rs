//! The status constants of the C header.

use std::ffi::c_char;

use crate::error::Status;

/// The result of a function: `BW_OK`, or the reason for its failure. Values are never renumbered.
/// Later versions may add values.
pub type bw_status = i32;

/// Success.
pub const BW_OK: bw_status = 0;
/// An argument or the request document is invalid. The message names the field.
pub const BW_E_INVALID_ARGUMENT: bw_status = 1;
/// The handle is NULL, was freed, was not returned by this library, or is of the wrong type.
pub const BW_E_INVALID_HANDLE: bw_status = 2;
/// The configuration is invalid. The message names the key.
pub const BW_E_CONFIG: bw_status = 3;
/// The requested value is missing or null, or there is no such call in the queue.
pub const BW_E_NO_VALUE: bw_status = 4;
/// The host name of the service or the proxy could not be resolved.
pub const BW_E_RESOLVE: bw_status = 10;
/// No connection could be established.
pub const BW_E_CONNECT: bw_status = 11;
/// The TLS handshake failed, or the certificate is not trusted.
pub const BW_E_TLS: bw_status = 12;
/// The deadline expired. The message names the phase.
pub const BW_E_TIMEOUT: bw_status = 13;
/// The connection was lost.
pub const BW_E_NETWORK: bw_status = 14;
/// The response is not valid: truncated, too large, not JSON, or not HTTP.
pub const BW_E_PROTOCOL: bw_status = 15;
/// The proxy failed or rejected the request.
pub const BW_E_PROXY: bw_status = 16;
/// HTTP 400: the service rejected the request as invalid.
pub const BW_E_BAD_REQUEST: bw_status = 20;
/// HTTP 401: the credentials are invalid, or have no access to the account.
pub const BW_E_UNAUTHORIZED: bw_status = 21;
/// HTTP 403: the credentials have no role for WebRTC or no access to the account, or there is no
/// such route.
pub const BW_E_FORBIDDEN: bw_status = 22;
/// HTTP 404: there is no such participant, session or endpoint.
pub const BW_E_NOT_FOUND: bw_status = 23;
/// HTTP 409: the participant is already in a session, or the session is full.
pub const BW_E_CONFLICT: bw_status = 24;
/// HTTP 429: too many requests, or too many endpoints. `retryAfterMs` in the error document may state how long to wait.
pub const BW_E_RATE_LIMITED: bw_status = 25;
/// HTTP 5xx: the service or a gateway failed.
pub const BW_E_SERVER: bw_status = 26;
/// Any other HTTP status.
pub const BW_E_HTTP_STATUS: bw_status = 27;
/// The client was freed, or the call was cancelled, before the call completed.
pub const BW_E_CANCELLED: bw_status = 30;
/// The queue's backlog is full.
pub const BW_E_QUEUE_FULL: bw_status = 31;
/// No completion is available in the queue.
pub const BW_E_EMPTY: bw_status = 32;
/// The queue is closed.
pub const BW_E_CLOSED: bw_status = 33;
/// An error in the library, or no memory. Please report the message.
pub const BW_E_INTERNAL: bw_status = 40;

/// Returns the name of a status, such as "BW_E_TIMEOUT".
///
/// - `status`: any number. "BW_E_UNKNOWN" is returned if it is not a status.
///
/// The text is static: never free it.
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn bw_status_name(status: bw_status) -> *const c_char {
    Status::from_code(status).map_or(c"BW_E_UNKNOWN", Status::c_name).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_match_the_statuses() {
        let source = include_str!("status.rs");
        for status in Status::ALL {
            let line = format!("pub const {}: bw_status = {};", status.name(), status.code());
            assert!(source.contains(&line), "no {line}");
        }
        let constants = source.lines().filter(|line| line.starts_with("pub const BW_"));
        assert_eq!(constants.count(), Status::ALL.len());
    }
}
