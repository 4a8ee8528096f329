//! What differs between operating systems: one file for each, with the same items. No other module
//! contains code for one system only.

#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
mod bsd;
#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_vendor = "apple")]
pub use apple::*;
#[cfg(target_os = "freebsd")]
pub use freebsd::*;
#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(not(any(target_vendor = "apple", target_os = "freebsd", target_os = "linux")))]
compile_error!("this system has no file in src/sys/os");
