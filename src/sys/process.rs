//! What the operating system says of this process.

/// Whether the process runs with more rights than its caller (set-uid, set-gid, capabilities),
/// so that its environment must not be trusted.
pub fn is_privileged() -> bool {
    // SAFETY: getauxval reads the process's own auxiliary vector and takes no pointer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
