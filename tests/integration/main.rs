//! The integration tests, as one program: whole calls through the C ABI against bw-sandbox or against
//! servers that send exactly what a test needs, and C programs that play a host process.

#[path = "../support/mod.rs"]
mod support;

mod build_directory;
mod calls;
mod connections;
mod contract;
mod deadlines;
mod docs;
mod endpoints;
mod fork_safety;
mod framing;
mod hosts;
mod logger;
mod name_resolution;
mod network_faults;
mod network_faults_c;
mod oauth;
mod operations;
mod proxies;
mod queue;
mod responses;
mod retries;
