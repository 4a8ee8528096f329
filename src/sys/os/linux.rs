//! Linux, with glibc or musl.

use std::io;
use std::os::fd::RawFd;

use libc::{c_int, c_void};
/// The status of a file, with 64-bit numbers: otherwise, `fstat` fails on a 32-bit system if an inode
/// needs more.
pub use libc::{fstat64 as fstat, stat64 as Stat};

/// The argument of `pthread_setcancelstate`, which the libc crate lacks.
pub const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// A clock that includes suspends. Kernels before 2.6.39 and some sandboxes lack it.
pub const SUSPEND_CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;

/// The flags of a descriptor that only occupies a number: reading and writing fail with EBADF.
pub const PLACEHOLDER_FLAGS: c_int = libc::O_PATH;

/// Added to the type of a new socket: close-on-exec and non-blocking.
pub const SOCKET_FLAGS: c_int = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;

/// A flag of `send` that prevents SIGPIPE.
pub const SEND_FLAGS: c_int = libc::MSG_NOSIGNAL;

/// The file without which the C library cannot resolve names.
pub const RESOLVER_FILE: &str = "/etc/resolv.conf";

/// Whether [`socket_identity`] changes in `connect`.
pub const CONNECT_CHANGES_IDENTITY: bool = false;

/// Sets what [`SOCKET_FLAGS`] and [`SEND_FLAGS`] cannot express: nothing.
///
/// # Errors
/// None.
pub fn prepare_socket(_: RawFd) -> io::Result<()> {
    Ok(())
}

/// Device and inode of a file.
// The types differ between processors and C libraries.
#[allow(clippy::unnecessary_cast)]
pub fn file_identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// What distinguishes a socket from others with the same number: device and inode.
pub fn socket_identity(_: RawFd, stat: &Stat) -> (u64, u64) {
    file_identity(stat)
}

/// Whether two identities are of the same socket.
pub fn is_same_socket(one: (u64, u64), other: (u64, u64)) -> bool {
    one == other
}

/// Whether the process has more privileges than its caller (set-uid, set-gid, capabilities). Then its
/// environment must not be trusted.
pub fn is_privileged() -> bool {
    // SAFETY: getauxval reads the process's auxiliary vector and takes no pointer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Makes the kernel wipe a page in forked children. Kernels before 4.14 do not support this.
///
/// # Safety
/// The page must be a private anonymous mapping of the library.
pub unsafe fn wipe_on_fork(page: *mut c_void, length: usize) {
    // SAFETY: as the caller states.
    unsafe { libc::madvise(page, length, libc::MADV_WIPEONFORK) };
}

/// Keeps the library loaded after `dlclose`: `-z nodelete` in build.rs does so.
pub fn keep_loaded() {}

#[cfg(test)]
mod tests {
    use super::super::super::generation::generation;
    use super::super::super::thread::spawn_helper;
    use std::sync::mpsc;

    #[test]
    fn page_suffices_without_the_fork_handler() {
        let mine = generation();
        // A bare clone runs no fork handler, so only the page can have changed the generation.
        // SAFETY: as fork, without handlers; the child calls nothing but `generation` and exits.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let code = i32::from(generation() <= mine);
            // SAFETY: takes no pointer.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: the status is writable.
        unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, 0) };
        assert_eq!(status, 0, "the page was not wiped");
    }

    #[test]
    fn helper_thread_has_its_name_and_blocks_signals() {
        let (sender, receiver) = mpsc::channel();
        spawn_helper("bw-a-name-that-is-long", move || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let field = |key: &str| {
                let line = status.lines().find(|line| line.starts_with(key)).unwrap();
                line.split_whitespace().nth(1).unwrap().to_owned()
            };
            sender.send((field("Name:"), field("SigBlk:"))).unwrap();
        })
        .unwrap();
        let (name, blocked) = receiver.recv().unwrap();
        assert_eq!(name, "bw-a-name-that-");
        // All but SIGKILL, SIGSTOP, and the few that the C library keeps for itself.
        let open = u64::from_str_radix(&blocked, 16).unwrap().count_zeros();
        assert!(open <= 5, "{blocked}");
    }
}
