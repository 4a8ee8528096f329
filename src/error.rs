//! Statuses, outcomes and the error document: what every layer reports failures with.
//!
//! Not here: deciding which status a failure has. The layer that meets it knows best.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::redact;

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $value:literal, $name:literal;)*) => {
        /// What a function returns: 0 for success, else the class of the failure.
        ///
        /// Values are never renumbered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Status { $($(#[$doc])* $variant = $value,)* }

        impl Status {
            /// Every status, in the order of the values.
            pub const ALL: &'static [Status] = &[$(Status::$variant,)*];

            /// The constant's name in the C header, NUL-terminated for the C ABI.
            pub const fn c_name(self) -> &'static std::ffi::CStr {
                match self { $(Status::$variant => $name,)* }
            }
        }
    };
}

statuses! {
    /// It worked.
    Ok = 0, c"BW_OK";
    /// An argument or a request document is wrong.
    InvalidArgument = 1, c"BW_E_INVALID_ARGUMENT";
    /// The handle is not a live one of the right kind.
    InvalidHandle = 2, c"BW_E_INVALID_HANDLE";
    /// The configuration is wrong.
    Config = 3, c"BW_E_CONFIG";
    /// There is nothing at the place asked for.
    NoValue = 4, c"BW_E_NO_VALUE";
    /// The host's name could not be resolved.
    Resolve = 10, c"BW_E_RESOLVE";
    /// No connection could be made.
    Connect = 11, c"BW_E_CONNECT";
    /// TLS failed.
    Tls = 12, c"BW_E_TLS";
    /// The deadline passed.
    Timeout = 13, c"BW_E_TIMEOUT";
    /// The connection was lost.
    Network = 14, c"BW_E_NETWORK";
    /// The answer is not what the service sends.
    Protocol = 15, c"BW_E_PROTOCOL";
    /// The proxy failed or refused.
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
    /// Nothing is waiting in the queue.
    Empty = 32, c"BW_E_EMPTY";
    /// The queue is closed.
    Closed = 33, c"BW_E_CLOSED";
    /// A fault of the library itself.
    Internal = 40, c"BW_E_INTERNAL";
}

impl Status {
    /// The status's number in the C ABI.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The constant's name in the C header.
    pub fn name(self) -> &'static str {
        self.c_name().to_str().unwrap_or("")
    }

    /// The status with this number.
    pub fn from_code(code: i32) -> Option<Status> {
        Status::ALL.iter().copied().find(|status| status.code() == code)
    }
}

/// Whether the service may have acted on a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing reached the service: safe to repeat.
    NotSent,
    /// The service answered and did nothing.
    Rejected,
    /// The request went out and no usable answer came: it may have been done.
    Unknown,
}

/// The message where memory ran out.
pub const NO_MEMORY: &str =
    "no memory is left for this process; see its limits (RLIMIT_AS, cgroup)";

/// A failure, with all that a caller can use to tell what happened.
#[derive(Clone, Debug)]
pub struct Error {
    /// The class of the failure.
    pub status: Status,
    /// What was wrong and what to do; never holds a secret.
    pub message: String,
    /// The name of the operation, where there was one.
    pub operation: Option<&'static str>,
    /// Whether the service may have acted; none for what never involves it.
    pub outcome: Option<Outcome>,
    /// How many attempts were made.
    pub attempts: u32,
    /// What the service (or something before it) answered last, where it did.
    pub answer: Option<Box<Answer>>,
}

/// What is told of an HTTP answer that was not a success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub http_status: u16,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// How long the service asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The body as JSON text: as it was, or as a string if it was not JSON. None for 2xx.
    pub body: Option<Box<RawValue>>,
}

impl Error {
    /// A failure in which no call to the service is involved.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error {
            status,
            message: redact::secrets_masked(&message.into()).into_owned(),
            operation: None,
            outcome: None,
            attempts: 0,
            answer: None,
        }
    }

    /// An argument that was rejected before anything was sent.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::rejected(Status::InvalidArgument, message)
    }

    /// Input that was rejected with this status; `Internal` if there was no memory to read it.
    pub fn rejected(status: Status, message: impl Into<String>) -> Error {
        let message = message.into();
        let status = if message.contains(NO_MEMORY) { Status::Internal } else { status };
        Error::new(status, message)
    }

    /// The same failure, as one of this operation; nothing sent unless it says otherwise.
    pub fn of(mut self, operation: &'static str) -> Error {
        self.operation = Some(operation);
        self.outcome.get_or_insert(Outcome::NotSent);
        self
    }

    /// The error document: one JSON object whose keys are always the same.
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
        let answer = self.answer.as_deref();
        let document = Document {
            error: Body {
                status: self.status.code(),
                name: self.status.name(),
                message: &self.message,
                operation: self.operation,
                outcome: self.outcome,
                attempts: self.attempts,
                http_status: answer.map(|a| a.http_status),
                request_id: answer.and_then(|a| a.request_id.as_deref()),
                retry_after_ms: answer.and_then(|a| a.retry_after_ms),
                body: answer.and_then(|a| a.body.as_deref()),
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
    fn every_status_is_found_by_its_number() {
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(*status));
            assert!(status.name().starts_with("BW_"));
        }
        assert_eq!(Status::from_code(99), None);
    }

    #[test]
    fn no_message_holds_a_token_or_a_key() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----";
        for secret in ["eyJhbGciOiJub25lIn0.c2VjcmV0.c2VjcmV0", key] {
            let error = Error::new(Status::Resolve, format!("the name {secret} is not known"));
            assert_eq!(error.message, "the name [removed] is not known");
        }
    }

    #[test]
    fn the_document_has_every_key_of_the_contract() {
        let error = Error {
            status: Status::Unauthorized,
            message: "the service refused the credentials (HTTP 401)".into(),
            operation: Some("createParticipant"),
            outcome: Some(Outcome::Rejected),
            attempts: 1,
            answer: Some(Box::new(Answer {
                http_status: 401,
                request_id: None,
                retry_after_ms: None,
                body: Some(RawValue::from_string(r#"{"message":"Unauthorized"}"#.into()).unwrap()),
            })),
        };
        assert_eq!(
            error.document(),
            concat!(
                r#"{"error":{"status":21,"name":"BW_E_UNAUTHORIZED","#,
                r#""message":"the service refused the credentials (HTTP 401)","#,
                r#""operation":"createParticipant","outcome":"rejected","attempts":1,"#,
                r#""httpStatus":401,"requestId":null,"retryAfterMs":null,"#,
                r#""body":{"message":"Unauthorized"}}}"#
            )
        );
    }
}
