//! The request and the response of an exchange, and the error if there is no response.

use super::error::TransportError;

/// A request.
pub struct Request<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// The body.
    pub body: Option<&'a str>,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The value of the Authorization header. ureq never sees it.
    pub authorization: &'a [u8],
}

/// A response.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The Retry-After header.
    pub retry_after: Option<String>,
    /// The body, possibly incomplete.
    pub body: Vec<u8>,
    /// Why the body is incomplete.
    pub body_error: Option<TransportError>,
    /// The content coding of the body, which the request does not accept.
    pub content_coding: Option<String>,
    /// Whether a connection was opened for this exchange.
    pub opened: bool,
}

/// Why an exchange has no response.
pub struct ExchangeError {
    /// The reason.
    pub error: TransportError,
    /// Whether a byte of the request was passed to the kernel.
    pub sent: bool,
    /// Whether a connection was opened for this exchange.
    pub opened: bool,
}
