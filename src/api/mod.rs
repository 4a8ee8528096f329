//! What the service is: its operations, the documents it takes and gives, and its errors.
//!
//! Not here: sending anything (`transport`), or trying again (`client`).

mod answer;
mod answer_parts;
mod call_document;
mod fields;
mod operation;
mod participant;
mod path;
mod service_error;
mod session;
mod subscriptions;

pub use answer::{Shape, is_in_session};
pub use call_document::{CallDocument, read as read_call};
pub use fields::tag_of;
pub use operation::*;
pub use path::{Ids, check_id, encode, fill};
pub use service_error::{ServiceError, Settled, classify, error_answer, own_text};
pub use subscriptions::are_same as are_same_subscriptions;

/// The largest request document, in bytes. The service's own documents are a few hundred.
pub const MAX_REQUEST: usize = 64 * 1024;
