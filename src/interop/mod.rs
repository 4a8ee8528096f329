//! Pure helpers for hosts: no client, no network, nothing kept.

mod json_pointer;

pub use json_pointer::json_get;
