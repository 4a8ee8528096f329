//! macOS.

use std::ffi::c_char;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::RawFd;

use libc::{c_int, c_void};

pub use super::bsd::*;

/// The argument of `pthread_setcancelstate`. Other systems have the value 1, which here enables
/// cancellation.
pub const PTHREAD_CANCEL_DISABLE: c_int = libc::PTHREAD_CANCEL_DISABLE;

/// A clock that includes suspends.
pub const SUSPEND_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// The flags of a descriptor that only occupies a number. There is no O_PATH, but a directory can be
/// neither read nor written either.
pub const PLACEHOLDER_FLAGS: c_int = libc::O_RDONLY;

/// Added to the type of a new socket: nothing is possible here; see [`prepare_socket`].
pub const SOCKET_FLAGS: c_int = 0;

/// A flag of `send` that prevents SIGPIPE: older versions have none; see [`prepare_socket`].
pub const SEND_FLAGS: c_int = 0;

/// The file without which the C library cannot resolve names. It needs none here, because it asks
/// another process; the root shows whether a descriptor is left.
pub const RESOLVER_FILE: &str = "/";

/// Makes a new socket close-on-exec and non-blocking, and disables SIGPIPE for it. A process that
/// another thread starts in the meantime inherits the socket.
///
/// # Errors
/// Returns the operating system's error.
pub fn prepare_socket(fd: RawFd) -> io::Result<()> {
    let on: c_int = 1;
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: FIOCLEX takes no argument, FIONBIO reads an int, and the option is an int that lives through
    // the call.
    let failed = unsafe {
        libc::ioctl(fd, libc::FIOCLEX) < 0
            || libc::ioctl(fd, libc::FIONBIO, &raw const on) < 0
            || libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_NOSIGPIPE,
                (&raw const on).cast(),
                length,
            ) < 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes the kernel wipe a page in forked children: not supported, so the fork handler clears it.
///
/// # Safety
/// None is needed here.
pub unsafe fn wipe_on_fork(_: *mut c_void, _: usize) {}

/// Keeps the library loaded after `dlclose`: the linker has no such option, so the library opens itself
/// once more and never closes itself. Without effect in a static library.
pub fn keep_loaded() {
    static ADDRESS: u8 = 0;
    let mut found = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: dladdr compares the address, and initializes `found` if it succeeds.
    if unsafe { libc::dladdr((&raw const ADDRESS).cast(), found.as_mut_ptr()) } == 0 {
        return;
    }
    // SAFETY: dladdr succeeded.
    let path: *const c_char = unsafe { found.assume_init() }.dli_fname;
    // SAFETY: the path ends with NUL. The library is loaded already, so none of its initializers run.
    unsafe { libc::dlopen(path, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
}
