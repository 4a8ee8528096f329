//! Descriptors of the library are 3 or higher. A host may run without 0 to 2, and its standard error
//! would go into whatever has number 2.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use libc::c_int;

/// The first number that is not a standard stream's.
const FIRST: c_int = 3;

/// The same file or socket under a number of 3 or higher.
///
/// # Errors
/// The operating system's, if there is no such number left.
pub fn raised(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= FIRST {
        return Ok(descriptor);
    }
    // SAFETY: fcntl takes no pointer for this command.
    let raised = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST) };
    if raised < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was made above and nothing else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(raised) })
}

/// Opens a file to read it. Does not wait for the writer of a named pipe.
///
/// # Errors
/// The operating system's.
pub fn open_file(path: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    Ok(raised(options.open(path)?.into())?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_sockets_are_raised() {
        // SAFETY: the child only opens and closes descriptors, and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut code = 0;
            for closed in 0..FIRST {
                // SAFETY: takes no pointer; the child's own copy.
                unsafe { libc::close(closed) };
                let file = open_file("/dev/null");
                code |= i32::from(file.is_ok_and(|file| file.as_raw_fd() < FIRST));
                // SAFETY: takes no pointer.
                code |= i32::from(unsafe { libc::fcntl(closed, libc::F_GETFD) } >= 0) << 1;
            }
            // SAFETY: takes no pointer.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: the status is writable.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
    }
}
