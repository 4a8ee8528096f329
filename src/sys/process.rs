//! What the operating system says of this process.

use std::io::ErrorKind;

use super::descriptor::open_file;

/// Whether the process runs with more rights than its caller (set-uid, set-gid, capabilities),
/// so that its environment must not be trusted.
pub fn is_privileged() -> bool {
    // SAFETY: getauxval reads the process's own auxiliary vector and takes no pointer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Why no name can be looked up, where it is this process's own doing: the C library says of a
/// process without descriptors, or without files to read, that the name is not known.
pub fn why_no_names() -> Option<String> {
    const SERVERS: &str = "/etc/resolv.conf";
    let error = open_file(SERVERS).err()?;
    Some(match (error.raw_os_error(), error.kind()) {
        (Some(libc::EMFILE), _) => "this process has no descriptor left (EMFILE)".to_owned(),
        (Some(libc::ENFILE), _) => "this machine has no descriptor left (ENFILE)".to_owned(),
        (_, ErrorKind::NotFound) => {
            format!("{SERVERS} is missing (an empty chroot?), so no name server is known")
        }
        _ => format!("{SERVERS} cannot be read: {error}"),
    })
}
