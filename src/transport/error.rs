//! Errors of the transport.

use std::fmt;

use crate::error::Status;

/// Why an exchange failed.
#[derive(Clone, Debug)]
pub struct TransportError {
    /// The class of the failure.
    pub status: Status,
    /// What was wrong, and what to do.
    pub message: String,
    /// Whether another attempt may succeed.
    pub transient: bool,
}

impl TransportError {
    /// An error of this class, which also determines whether it is transient.
    pub fn new(status: Status, message: impl Into<String>) -> TransportError {
        let permanent =
            matches!(status, Status::Cancelled | Status::Tls | Status::Protocol | Status::Internal);
        TransportError { status, message: message.into(), transient: !permanent }
    }

    /// An error that another attempt would meet again.
    pub fn permanent(status: Status, message: impl Into<String>) -> TransportError {
        TransportError { transient: false, ..TransportError::new(status, message) }
    }

    /// The connection was lost in the middle of a response.
    pub fn truncated(message: impl Into<String>) -> TransportError {
        TransportError { transient: true, ..TransportError::new(Status::Protocol, message) }
    }

    /// The peer sent something that is not a valid HTTP response.
    pub fn malformed(why: &dyn fmt::Display) -> TransportError {
        TransportError::new(
            Status::Protocol,
            format!("the response is not valid HTTP: {why}; check the URL and the proxy"),
        )
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransportError {}
