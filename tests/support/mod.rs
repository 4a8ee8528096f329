//! Helpers of the integration tests: the C ABI called from Rust, servers that send invalid responses,
//! and bw-sandbox.

// Each test program uses only a part of this module.
#![allow(dead_code)]

pub mod abi;
pub mod certificates;
pub mod control;
pub mod faults;
pub mod markdown;
pub mod process;
pub mod queue;
pub mod secrets;
pub mod snippets;
pub mod test_server;

use std::time::{Duration, Instant};

use serde_json::Value;

/// Polls a condition; fails if it is still false after 30 seconds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < limit, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Adds the members of one object to another, and replaces existing ones.
pub fn extend(object: &mut Value, more: &Value) {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
}
