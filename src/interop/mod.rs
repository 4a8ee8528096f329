//! Helpers for hosts. They are pure functions: no client, no network, no state.

mod bxml;
mod event;
mod json_pointer;
mod token_claims;

pub use bxml::{connect_bxml, transfer_bxml, uui};
pub use event::parse_event;
pub use json_pointer::{json_get, json_length, json_quote};
pub use token_claims::token_claims;
