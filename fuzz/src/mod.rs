//! What the fuzzers run, and what must hold for every input. The tests run the same on the kept
//! inputs (`fuzz/seeds`, `fuzz/found`), hence neither libFuzzer nor its attributes here.

// Each of the fuzzers uses one.
#![allow(dead_code)]

mod abi;
mod answer;
mod pure;
mod stateful;

/// Takes an input; panics where something does not hold.
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
    ("answer", answer::run),
    ("stateful", stateful::run),
];

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(data);
}
