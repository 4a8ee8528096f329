//! Errors: the status, the outcome and the error document. Each layer chooses the status of the
//! errors that it detects.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::redact;

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $value:literal, $name:literal;)*) => {
        /// The result of a function: 0 for success, otherwise the kind of error.
        ///
        /// The values never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Status { $($(#[$doc])* $variant = $value,)* }

        impl Status {
            /// All statuses, in the order of their values.
            pub const ALL: &'static [Status] = &[$(Status::$variant,)*];

            /// The name of the constant in the C header.
            pub const fn c_name(self) -> &'static std::ffi::CStr {
                match self { $(Status::$variant => $name,)* }
            }
        }
    };
}

statuses! {
    /// Success.
    Ok = 0, c"BW_OK";
    /// An argument or a request document is invalid.
    InvalidArgument = 1, c"BW_E_INVALID_ARGUMENT";
    /// The handle is not valid, or has another type.
    InvalidHandle = 2, c"BW_E_INVALID_HANDLE";
    /// The configuration is invalid.
    Config = 3, c"BW_E_CONFIG";
    /// The document has no value at this place.
    NoValue = 4, c"BW_E_NO_VALUE";
    /// The host name could not be resolved.
    Resolve = 10, c"BW_E_RESOLVE";
    /// No connection could be established.
    Connect = 11, c"BW_E_CONNECT";
    /// TLS failed.
    Tls = 12, c"BW_E_TLS";
    /// The deadline passed.
    Timeout = 13, c"BW_E_TIMEOUT";
    /// The connection was lost.
    Network = 14, c"BW_E_NETWORK";
    /// The response is invalid.
    Protocol = 15, c"BW_E_PROTOCOL";
    /// The proxy failed or rejected the connection.
    Proxy = 16, c"BW_E_PROXY";
    /// HTTP 400.
    BadRequest = 20, c"BW_E_BAD_REQUEST";
    /// HTTP 401.
    Unauthorized = 21, c"BW_E_UNAUTHORIZED";
    /// HTTP 403.
    Forbidden = 22, c"BW_E_FORBIDDEN";
    /// HTTP 404.
    NotFound = 23, c"BW_E_NOT_FOUND";
    /// HTTP 409.
    Conflict = 24, c"BW_E_CONFLICT";
    /// HTTP 429.
    RateLimited = 25, c"BW_E_RATE_LIMITED";
    /// HTTP 5xx.
    Server = 26, c"BW_E_SERVER";
    /// Any other HTTP status.
    HttpStatus = 27, c"BW_E_HTTP_STATUS";
    /// The client was freed or the call was cancelled.
    Cancelled = 30, c"BW_E_CANCELLED";
    /// The queue's backlog is full.
    QueueFull = 31, c"BW_E_QUEUE_FULL";
    /// The queue has no completion.
    Empty = 32, c"BW_E_EMPTY";
    /// The queue is closed.
    Closed = 33, c"BW_E_CLOSED";
    /// An internal error of the library.
    Internal = 40, c"BW_E_INTERNAL";
}

impl Status {
    /// The value in the C ABI.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The name of the constant in the C header.
    pub fn name(self) -> &'static str {
        self.c_name().to_str().unwrap_or("")
    }

    /// The status with this value.
    pub fn from_code(code: i32) -> Option<Status> {
        Status::ALL.iter().copied().find(|status| status.code() == code)
    }
}

/// Whether the service may have processed a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No request reached the service. The call can be repeated safely.
    NotSent,
    /// The service rejected the request.
    Rejected,
    /// A request was sent, but there was no valid response. The service may have processed it.
    Unknown,
}

impl Outcome {
    /// The name in the error document.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::NotSent => "not_sent",
            Outcome::Rejected => "rejected",
            Outcome::Unknown => "unknown",
        }
    }
}

/// The message of a failed allocation.
pub const NO_MEMORY: &str =
    "out of memory; check the memory limits of this process (RLIMIT_AS, cgroup)";

/// An error of a call or another function.
#[derive(Clone, Debug)]
pub struct Error {
    /// The kind of error.
    pub status: Status,
    /// The problem, and how to solve it. Never contains a secret.
    pub message: String,
    /// The name of the operation, if there is one.
    pub operation: Option<&'static str>,
    /// Whether the service may have processed the request; None if no request is involved.
    pub outcome: Option<Outcome>,
    /// The number of attempts.
    pub attempts: u32,
    /// The last response of the service or a gateway, if there was one.
    pub response: Option<Box<ErrorResponse>>,
    /// Whether the call created an object, which the client has recorded because the response could
    /// not be used.
    pub is_late: bool,
}

/// The part of an HTTP response that appears in the error document.
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub http_status: u16,
    /// The id that the service gave the request.
    pub request_id: Option<String>,
    /// Retry-After, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The body as JSON text; a body that is not JSON is a string. None for 2xx.
    pub body: Option<Box<RawValue>>,
}

impl Error {
    /// An error that does not involve the service.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error {
            status,
            message: redact::secrets_masked(&message.into()).into_owned(),
            operation: None,
            outcome: None,
            attempts: 0,
            response: None,
            is_late: false,
        }
    }

    /// An invalid argument. No request was sent.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::rejected(Status::InvalidArgument, message)
    }

    /// Invalid input, with this status; `Internal` if there was no memory to read it.
    pub fn rejected(status: Status, message: impl Into<String>) -> Error {
        let message = message.into();
        let status = if message.contains(NO_MEMORY) { Status::Internal } else { status };
        Error::new(status, message)
    }

    /// The same error, for this operation. Unless the error has an outcome, it is `NotSent`.
    pub fn of(mut self, operation: &'static str) -> Error {
        self.operation = Some(operation);
        self.outcome.get_or_insert(Outcome::NotSent);
        self
    }

    /// The error document: a JSON object with a fixed set of keys.
    pub fn document(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            status: i32,
            name: &'a str,
            message: &'a str,
            operation: Option<&'a str>,
            outcome: Option<Outcome>,
            attempts: u32,
            http_status: Option<u16>,
            request_id: Option<&'a str>,
            retry_after_ms: Option<u64>,
            body: Option<&'a RawValue>,
        }
        #[derive(Serialize)]
        struct Document<'a> {
            error: Body<'a>,
        }
        let response = self.response.as_deref();
        let document = Document {
            error: Body {
                status: self.status.code(),
                name: self.status.name(),
                message: &self.message,
                operation: self.operation,
                outcome: self.outcome,
                attempts: self.attempts,
                http_status: response.map(|r| r.http_status),
                request_id: response.and_then(|r| r.request_id.as_deref()),
                retry_after_ms: response.and_then(|r| r.retry_after_ms),
                body: response.and_then(|r| r.body.as_deref()),
            },
        };
        // Strings, numbers and checked JSON text cannot fail to serialize.
        serde_json::to_string(&document).unwrap_or_else(|_| String::from("null"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.name(), self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_found_by_its_value() {
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(*status));
            assert!(status.name().starts_with("BW_"));
        }
        assert_eq!(Status::from_code(99), None);
    }

    #[test]
    fn messages_contain_no_token_or_key() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----";
        for secret in ["eyJhbGciOiJub25lIn0.c2VjcmV0.c2VjcmV0", key] {
            let error = Error::new(Status::Resolve, format!("the name {secret} is not known"));
            assert_eq!(error.message, "the name [removed] is not known");
        }
    }

    #[test]
    fn error_document_has_all_keys() {
        let error = Error {
            status: Status::Unauthorized,
            message: "the service rejected the credentials (HTTP 401)".into(),
            operation: Some("createParticipant"),
            outcome: Some(Outcome::Rejected),
            attempts: 1,
            response: Some(Box::new(ErrorResponse {
                http_status: 401,
                request_id: None,
                retry_after_ms: None,
                body: Some(RawValue::from_string(r#"{"message":"Unauthorized"}"#.into()).unwrap()),
            })),
            is_late: false,
        };
        assert_eq!(
            error.document(),
            concat!(
                r#"{"error":{"status":21,"name":"BW_E_UNAUTHORIZED","#,
                r#""message":"the service rejected the credentials (HTTP 401)","#,
                r#""operation":"createParticipant","outcome":"rejected","attempts":1,"#,
                r#""httpStatus":401,"requestId":null,"retryAfterMs":null,"#,
                r#""body":{"message":"Unauthorized"}}}"#
            )
        );
    }
}
