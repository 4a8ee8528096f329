//! What macOS and FreeBSD have in common.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::RawFd;

use libc::c_int;
/// The status of a file.
pub use libc::{fstat, stat as Stat};

/// The first number of an identity that is a port.
const IS_PORT: u64 = u64::MAX - 1;
/// The identity of a socket whose port cannot be read, such as one that the peer has reset.
const UNKNOWN: (u64, u64) = (u64::MAX, 0);

/// Whether [`socket_identity`] changes in `connect`, which assigns the port.
pub const CONNECT_CHANGES_IDENTITY: bool = true;

/// Device and inode of a file.
// The types differ between the systems and their versions.
#[allow(clippy::unnecessary_cast)]
pub fn file_identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// What distinguishes a socket from others with the same number: the inode, or the local port of a TCP
/// socket, which has no inode.
pub fn socket_identity(fd: RawFd, stat: &Stat) -> (u64, u64) {
    if stat.st_ino != 0 {
        return file_identity(stat);
    }
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the address has room for `length` bytes.
    if unsafe { libc::getsockname(fd, address.as_mut_ptr().cast(), &raw mut length) } != 0 {
        return UNKNOWN;
    }
    // SAFETY: the memory is larger than either address and aligned for both. It is initialized, and
    // zeros are valid.
    let port = unsafe {
        match c_int::from(address.assume_init_ref().ss_family) {
            libc::AF_INET => (*address.as_ptr().cast::<libc::sockaddr_in>()).sin_port,
            libc::AF_INET6 => (*address.as_ptr().cast::<libc::sockaddr_in6>()).sin6_port,
            _ => return UNKNOWN,
        }
    };
    (IS_PORT, u64::from(port))
}

/// Whether two identities are of the same socket. An unknown one matches: otherwise, the descriptor of a
/// connection that the peer has reset would never be closed.
pub fn is_same_socket(one: (u64, u64), other: (u64, u64)) -> bool {
    one == other || one == UNKNOWN || other == UNKNOWN
}

/// Whether the process has more privileges than its caller (set-uid, set-gid). Then its environment
/// must not be trusted.
pub fn is_privileged() -> bool {
    // SAFETY: issetugid takes no pointer.
    unsafe { libc::issetugid() != 0 }
}
