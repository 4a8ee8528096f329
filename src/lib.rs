//! libbw_webrtc: a client of Bandwidth's WebRTC REST API for C, C++, Python and Rust.
//!
//! This file lists the modules and contains no logic. Dependencies point in one direction:
//!
//! ```text
//! ffi -> queue -> client -> { auth, api } -> transport -> { json, sys, error }      interop -> { json, error }
//! ```
//!
//! | module | contents |
//! |---|---|
//! | [`ffi`] | the C ABI: strings, checked handles, the panic guard |
//! | [`queue`] | calls that do not block: backlog, workers, wake-up descriptor |
//! | [`client`] | a client: configuration, retries, counters, log |
//! | `auth` | credentials and access tokens |
//! | [`api`] | the definition of the service: operations, documents, errors |
//! | `transport` | HTTP exchanges: name resolution, connections, proxies, TLS, deadlines |
//! | [`interop`] | helpers for hosts, without I/O |
//! | [`json`] | reading untrusted JSON |
//! | `sys` | safe wrappers over the C library |
//! | `guard` | converts panics to errors |
//! | `memory` | allocations that can fail |
//! | [`error`] | statuses, outcomes, the error document |
//! | `redact` | which parts of foreign values may appear in messages |
//!
//! Rust programs use [`client::Client`] directly. It provides everything that the C ABI provides.

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
