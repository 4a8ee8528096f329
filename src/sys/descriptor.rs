//! Descriptors of the library are 3 or higher, from the moment they are opened. A host may run
//! without 0 to 2, and its standard error would go into whatever has number 2.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::c_int;

use super::generation::{PerProcess, generation};

/// The first number that is not a standard stream's.
const FIRST: c_int = 3;

/// What occupies the closed ones of the numbers 0 to 2 while descriptors are opened.
#[derive(Default)]
struct Placeholders {
    /// How many threads open a descriptor now. The last one closes the placeholders.
    users: usize,
    /// Device and inode of the placeholder under each number.
    placed: [Option<(u64, u64)>; FIRST as usize],
}

/// Per process, since another thread may hold the lock while the host forks.
static PLACEHOLDERS: PerProcess<Mutex<Placeholders>> = PerProcess::new();

/// While it lives, no descriptor that is opened has a number below 3. A placeholder can neither be
/// read nor written (EBADF, as for a closed descriptor).
#[must_use]
struct Occupied {
    generation: u64,
}

impl Occupied {
    /// Occupies what is closed. Without the means to do so, [`raised`] alone has to suffice.
    fn new() -> Occupied {
        let generation = generation();
        let mut placeholders = lock();
        placeholders.users += 1;
        for number in 0..FIRST {
            // SAFETY: fcntl takes no pointer for this command.
            if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
                continue;
            }
            // SAFETY: the path is a C string.
            let opened = unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
            match usize::try_from(opened).map(|index| placeholders.placed.get_mut(index)) {
                Ok(Some(place)) => *place = stat_of(opened).ok().map(|it| (it.st_dev, it.st_ino)),
                // The host has opened the number meanwhile.
                // SAFETY: the descriptor was opened above and nothing else has it.
                Ok(None) => drop(unsafe { OwnedFd::from_raw_fd(opened) }),
                Err(_) => break,
            }
        }
        drop(placeholders);
        Occupied { generation }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        // A forked child knows nothing of its parent's users.
        if self.generation != generation() {
            return;
        }
        let mut placeholders = lock();
        placeholders.users -= 1;
        if placeholders.users > 0 {
            return;
        }
        for (number, placed) in (0..FIRST).zip(&mut placeholders.placed) {
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

/// Whether the number names a placeholder, and not what the host has put in its place.
fn is_placeholder(number: RawFd, identity: (u64, u64)) -> bool {
    // SAFETY: fcntl takes no pointer for this command.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
    flags >= 0
        && flags & libc::O_PATH != 0
        && stat_of(number).is_ok_and(|it| (it.st_dev, it.st_ino) == identity)
}

/// Opens descriptors with numbers of 3 or higher: nothing of the library has a lower one at any
/// time. System calls are made for this only when something is opened.
///
/// # Errors
/// Those of `open`.
pub fn above_streams<T>(open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _occupied = Occupied::new();
    open()
}

/// The same file or socket under a number of 3 or higher, where the host has closed one of the
/// numbers 0 to 2 just before it was opened.
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
    Ok(raised(above_streams(|| options.open(path))?.into())?.into())
}

/// What the operating system knows of an open descriptor.
///
/// # Errors
/// The operating system's.
pub(super) fn stat_of(fd: RawFd) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat writes one stat where there is room for one.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fstat succeeded and so initialised it.
    Ok(unsafe { stat.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::super::generation::in_a_child;
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

    #[test]
    fn placeholders_stay_until_the_last_user_and_nothing_else_is_closed() {
        assert!(in_a_child(|| {
            // SAFETY: takes no pointer; the child's own copies.
            unsafe { (libc::close(0), libc::close(2)) };
            // SAFETY: fcntl takes no pointer for this command.
            let flags = |number| unsafe { libc::fcntl(number, libc::F_GETFL) };
            let is_placed = |number| flags(number) >= 0 && flags(number) & libc::O_PATH != 0;
            let (first, second) = (Occupied::new(), Occupied::new());
            drop(first);
            let while_used = is_placed(0) && !is_placed(1) && is_placed(2);
            // SAFETY: write is given one byte; the placeholder takes none.
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
