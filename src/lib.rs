//! libbw_webrtc: control Bandwidth's WebRTC service from C, C++, Python and Rust.
//!
//! This file is the map of the crate and holds no logic. Dependencies point one way:
//!
//! ```text
//! ffi -> queue -> client -> { auth, api } -> transport -> { json, sys, error }      interop -> { json, error }
//! ```
//!
//! | module | what belongs there |
//! |---|---|
//! | [`ffi`] | the C ABI: text in and out, checked handles, the panic guard |
//! | [`queue`] | calls that never block: backlog, workers, the descriptor to watch |
//! | [`client`] | a client: configuration, the attempt loop, statistics |
//! | `auth` | credentials and the access token |
//! | [`api`] | the definition of the service: its operations, documents and errors |
//! | `transport` | one HTTP exchange: connections, TLS, names, deadlines |
//! | [`interop`] | pure helpers for hosts |
//! | [`json`] | reading untrusted JSON, and checking documents by their tables of fields |
//! | `sys` | safe wrappers over the C library |
//! | `guard` | conversion of panics to errors |
//! | [`error`] | statuses, outcomes and the error document |
//! | `redact` | removal of secrets from messages |
//!
//! Rust programs may use [`client::Client`] directly; it does all that the C ABI does.

pub mod api;
mod auth;
pub mod client;
pub mod error;
pub mod ffi;
mod guard;
pub mod interop;
pub mod json;
mod memory;
pub mod queue;
mod redact;
mod sys;
mod transport;
