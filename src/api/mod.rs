//! The definition of the services: their operations, requests, responses and errors.
//!
//! Requests are sent in `transport` and retried in `client`.

mod call_document;
mod error_response;
mod operation;
mod path;
mod request;
mod response;
mod subscriptions;
mod xml;

pub use call_document::{CallDocument, read as read_call};
pub use error_response::{Disposition, ServiceError, classify, error_response, text_member};
pub use operation::*;
pub use path::{Ids, check_id, encode, fill};
pub use request::{RequestDocument, tag_of};
pub use response::{ResponseBody, UnusableBody, is_in_session};
pub use subscriptions::are_same as are_same_subscriptions;

/// The largest request document, in bytes. The documents of the service have a few hundred bytes.
pub const MAX_REQUEST: usize = 64 * 1024;
/// The largest document of a call, in bytes. The largest request fits into it: JSON takes at most 6
/// bytes for each byte of a text.
pub const MAX_CALL: usize = 8 * MAX_REQUEST;
