//! What the integration tests share: the C ABI called from Rust, servers that misbehave, and the
//! real sandbox.

// Each test binary uses a part of it.
#![allow(dead_code)]

pub mod abi;
pub mod certificates;
pub mod control;
pub mod faults;
pub mod markdown;
pub mod process;
pub mod queue;
pub mod rogue;
pub mod secrets;
pub mod snippets;
