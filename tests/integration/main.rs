//! The integration tests, as one program: calls through the C ABI to bw-sandbox or to servers that send exactly
//! the bytes that a test needs, and C programs that act as host processes.

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
// Programs for Linux.
#[cfg(target_os = "linux")]
mod hosts;
mod log_lines;
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
