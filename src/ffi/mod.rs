//! The C ABI. Only this module and `sys` contain `unsafe`.
//!
//! Each exported function is a few lines: it enters the guard in `boundary`, converts C strings and
//! handles, and calls the safe API. Code that a Rust caller would need too does not belong here.
//! The doc comments become the C header, in the order of the files in build.rs.

// The names are those of the C header.
#![allow(non_camel_case_types)]

mod boundary;
mod call;
mod client;
mod endpoints;
mod handle_table;
mod handles;
mod helpers;
mod interrupt;
mod log;
mod participants;
mod queue;
mod sessions;
mod status;
mod text;
mod version;

pub use call::bw_call;
pub use client::{bw_client_free, bw_client_new, bw_client_reload, bw_client_set_credentials};
pub use endpoints::*;
pub use handles::{bw_client, bw_queue};
pub use helpers::{
    bw_connect_bxml, bw_json_get, bw_json_length, bw_json_quote, bw_parse_event, bw_token_claims,
    bw_transfer_bxml, bw_uui,
};
pub use interrupt::*;
pub use log::*;
pub use participants::*;
pub use queue::*;
pub use sessions::*;
pub use status::*;
pub use text::bw_free;
pub use version::{BW_VERSION_MAJOR, BW_VERSION_MINOR, BW_VERSION_PATCH};
pub use version::{bw_abi_version, bw_version};
