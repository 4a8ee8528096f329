//! HTTP/1.1 as bytes: requests are written, answers are read. Knows no socket, no clock and nothing
//! of the service, so that it can be given anything.
//!
//! Heads and chunk sizes are read by httparse; here is what they mean for a client.

mod body;
mod head;
mod request;

pub use body::Body;
pub use head::{Framing, Head, LONGEST_HEAD};
pub use request::{Common, Request};

/// Why bytes are no HTTP/1.1 answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl From<httparse::Error> for Malformed {
    fn from(error: httparse::Error) -> Malformed {
        Malformed(error.to_string())
    }
}
