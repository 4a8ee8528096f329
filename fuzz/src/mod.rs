//! The fuzz targets, and the properties that every input must satisfy. The tests run the same functions on
//! the stored inputs (`fuzz/seeds`, `fuzz/found`), so this module does not depend on libFuzzer.

// Each fuzzer uses one target only.
#![allow(dead_code)]

mod abi;
mod device;
mod pure;
mod response;
mod stateful;

/// Processes an input, and panics if a property does not hold.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", pure::config),
    ("request", pure::request),
    ("call", pure::call),
    ("json_get", pure::json_get),
    ("event", pure::event),
    ("token", pure::token),
    ("bxml", pure::bxml),
    ("message", device::message),
    ("offer", device::offer),
    ("response", response::run),
    ("stateful", stateful::run),
];

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(other, _)| *other == name).expect("a target");
    target(data);
}
