//! The C ABI. With `sys` the only home of `unsafe`.
//!
//! Every export is a few lines: it goes through the guard in `boundary`, turns text and handles
//! into Rust's, and calls the safe API. The doc comments become the C header, in the order of
//! build.rs. Not here: anything that a Rust caller would need too.

// The names are those of the C header.
#![allow(non_camel_case_types)]

mod boundary;
mod call;
mod client;
mod handles;
mod helpers;
mod log;
mod participants;
mod queue;
mod sessions;
mod slots;
mod status;
mod text;
mod version;

pub use call::bw_call;
pub use client::{bw_client_free, bw_client_new, bw_client_set_credentials};
pub use handles::{bw_client, bw_queue};
pub use helpers::{bw_json_get, bw_parse_event, bw_token_claims, bw_transfer_bxml};
pub use log::*;
pub use participants::*;
pub use queue::*;
pub use sessions::*;
pub use status::*;
pub use text::bw_free;
pub use version::{BW_VERSION_MAJOR, BW_VERSION_MINOR, BW_VERSION_PATCH};
pub use version::{bw_abi_version, bw_version};
