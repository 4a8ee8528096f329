//! Tests with every network fault in every phase of a call, for every class of operation and for the
//! token request. `cases` generates the cases with their expected results, `fault_server` and `resolver`
//! inject the faults, and `matrix` runs and checks the cases. `replay` runs the inputs that the fuzzers
//! found.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod fault_server;
mod matrix;
mod replay;
mod resolver;
