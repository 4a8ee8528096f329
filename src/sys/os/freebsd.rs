//! FreeBSD.

use std::io;
use std::os::fd::RawFd;

use libc::{c_int, c_void};

pub use super::bsd::*;

/// The argument of `pthread_setcancelstate`, which the libc crate lacks.
pub const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// The clock for ages. Whether it includes suspends depends on the version of the system.
pub const SUSPEND_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// The flags of a descriptor that only occupies a number: reading and writing fail with EBADF.
pub const PLACEHOLDER_FLAGS: c_int = libc::O_PATH;

/// Added to the type of a new socket: close-on-exec and non-blocking.
pub const SOCKET_FLAGS: c_int = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;

/// A flag of `send` that prevents SIGPIPE.
pub const SEND_FLAGS: c_int = libc::MSG_NOSIGNAL;

/// The file without which the C library cannot resolve names.
pub const RESOLVER_FILE: &str = "/etc/resolv.conf";

/// Sets what [`SOCKET_FLAGS`] and [`SEND_FLAGS`] cannot express: nothing.
///
/// # Errors
/// None.
pub fn prepare_socket(_: RawFd) -> io::Result<()> {
    Ok(())
}

/// Makes the kernel wipe a page in forked children.
///
/// # Safety
/// The page must be a private anonymous mapping of the library.
pub unsafe fn wipe_on_fork(page: *mut c_void, length: usize) {
    // SAFETY: as the caller states.
    unsafe { libc::minherit(page, length, libc::INHERIT_ZERO) };
}

/// Keeps the library loaded after `dlclose`: `-z nodelete` in build.rs does so.
pub fn keep_loaded() {}
