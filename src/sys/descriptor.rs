//! Opening descriptors with numbers of 3 or higher. A host may have closed 0 to 2; if a descriptor of
//! the library got the number 2, the host's standard error output would go into it.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::c_int;

use super::generation::generation;
use super::os::{PLACEHOLDER_FLAGS, Stat, file_identity, fstat};
use super::per_process::PerProcess;

/// The first number after those of the standard streams.
const FIRST_FREE: c_int = 3;

/// Placeholders that occupy the closed numbers among 0 to 2 while the library opens descriptors.
#[derive(Default)]
struct Placeholders {
    /// How many threads are opening a descriptor. The last one closes the placeholders.
    users: usize,
    /// Device and inode of the placeholder with each number.
    placed: [Option<(u64, u64)>; FIRST_FREE as usize],
}

/// Each process has its own, because another thread may hold the lock at a fork.
static PLACEHOLDERS: PerProcess<Mutex<Placeholders>> = PerProcess::new();

/// While this value exists, no opened descriptor gets a number below 3. Reading or writing a
/// placeholder fails, as for a closed descriptor.
#[must_use]
struct PlaceholderGuard {
    generation: u64,
}

impl PlaceholderGuard {
    /// Occupies the closed numbers. If that fails, [`raise_above_streams`] moves the descriptors.
    fn new() -> PlaceholderGuard {
        let generation = generation();
        let mut placeholders = lock();
        placeholders.users += 1;
        for number in 0..FIRST_FREE {
            // SAFETY: fcntl takes no pointer for this command.
            if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
                continue;
            }
            // SAFETY: the path is a C string.
            let opened = unsafe { libc::open(c"/".as_ptr(), PLACEHOLDER_FLAGS | libc::O_CLOEXEC) };
            match usize::try_from(opened).map(|index| placeholders.placed.get_mut(index)) {
                Ok(Some(place)) => *place = stat_of(opened).ok().as_ref().map(file_identity),
                // The host has opened the number in the meantime.
                // SAFETY: the descriptor was opened above and has no other owner.
                Ok(None) => drop(unsafe { OwnedFd::from_raw_fd(opened) }),
                Err(_) => break,
            }
        }
        drop(placeholders);
        PlaceholderGuard { generation }
    }
}

impl Drop for PlaceholderGuard {
    fn drop(&mut self) {
        // The users of the parent do not exist in a forked child.
        if self.generation != generation() {
            return;
        }
        let mut placeholders = lock();
        placeholders.users -= 1;
        if placeholders.users > 0 {
            return;
        }
        for (number, placed) in (0..FIRST_FREE).zip(&mut placeholders.placed) {
            if placed.take().is_some_and(|identity| is_placeholder(number, identity)) {
                // SAFETY: the number still names the placeholder that was opened here.
                unsafe { libc::close(number) };
            }
        }
    }
}

fn lock() -> MutexGuard<'static, Placeholders> {
    PLACEHOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the number names the placeholder, and not a file that the host opened instead.
fn is_placeholder(number: RawFd, identity: (u64, u64)) -> bool {
    // SAFETY: fcntl takes no pointer for this command.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
    flags >= 0
        && flags & PLACEHOLDER_FLAGS == PLACEHOLDER_FLAGS
        && stat_of(number).is_ok_and(|it| file_identity(&it) == identity)
}

/// Runs `open`, whose descriptors get numbers of 3 or higher.
///
/// # Errors
/// Returns the errors of `open`.
pub fn with_streams_occupied<T>(open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _placeholders = PlaceholderGuard::new();
    open()
}

/// Moves a descriptor to a number of 3 or higher, if the host closed one of 0 to 2 while it was
/// being opened.
///
/// # Errors
/// Returns the operating system's error if no number is left.
pub fn raise_above_streams(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= FIRST_FREE {
        return Ok(descriptor);
    }
    // SAFETY: fcntl takes no pointer for this command.
    let duplicate =
        unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST_FREE) };
    if duplicate < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was created above and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

/// Opens a file for reading. Does not wait for the writer of a named pipe, and a terminal does not
/// become the controlling terminal of the process.
///
/// # Errors
/// Returns the operating system's error.
pub fn open_file(path: impl AsRef<Path>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC);
    Ok(raise_above_streams(with_streams_occupied(|| options.open(path))?.into())?.into())
}

/// The `stat` of an open descriptor.
///
/// # Errors
/// Returns the operating system's error.
pub(super) fn stat_of(fd: RawFd) -> io::Result<Stat> {
    let mut stat = MaybeUninit::<Stat>::uninit();
    // SAFETY: the pointer is to writable memory of this size.
    if unsafe { fstat(fd, stat.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fstat succeeded and so initialized it.
    Ok(unsafe { stat.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::super::generation::run_in_child;
    use super::*;

    #[test]
    fn files_get_numbers_above_the_standard_streams() {
        // SAFETY: the child only opens and closes descriptors, and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut code = 0;
            for closed in 0..FIRST_FREE {
                // SAFETY: takes no pointer; the child's own copy.
                unsafe { libc::close(closed) };
                let file = open_file("/dev/null");
                code |= i32::from(file.is_ok_and(|file| file.as_raw_fd() < FIRST_FREE));
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

    #[test]
    fn placeholders_are_closed_after_the_last_user_and_host_files_stay_open() {
        assert!(run_in_child(|| {
            // SAFETY: takes no pointer; the child's own copies.
            unsafe { (libc::close(0), libc::close(2)) };
            // SAFETY: fcntl takes no pointer for this command.
            let flags = |number| unsafe { libc::fcntl(number, libc::F_GETFL) };
            let is_placed = |number| flags(number) >= 0 && flags(number) & libc::O_PATH != 0;
            let (first, second) = (PlaceholderGuard::new(), PlaceholderGuard::new());
            drop(first);
            let while_used = is_placed(0) && !is_placed(1) && is_placed(2);
            // SAFETY: the buffer has one byte.
            let written = unsafe { libc::write(2, c"x".as_ptr().cast(), 1) };
            let refused = io::Error::last_os_error().raw_os_error() == Some(libc::EBADF);
            // The host opens its standard error again.
            let file = File::open("/dev/null").unwrap();
            // SAFETY: takes no pointer; the number is the child's own.
            unsafe { libc::dup2(file.as_raw_fd(), 2) };
            drop(second);
            while_used && written < 0 && refused && flags(0) < 0 && flags(2) >= 0
        }));
    }
}
