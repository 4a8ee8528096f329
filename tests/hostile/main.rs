//! Nothing that a network does may break a call: every fault in every phase of an exchange, with
//! every class of operation and with the token request, generated. `cell` says what each must come
//! to, `peer` and `resolver` play the other side, `matrix` runs and judges. And what the fuzzers
//! found is tried again.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod fault_server;
mod matrix;
mod replay;
mod resolver;
