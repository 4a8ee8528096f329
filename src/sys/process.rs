//! Properties of this process.

use std::io::ErrorKind;

use super::descriptor::open_file;

/// Whether the process has more privileges than its caller (set-uid, set-gid, capabilities). Then its
/// environment must not be trusted.
pub fn is_privileged() -> bool {
    // SAFETY: getauxval reads the process's auxiliary vector and takes no pointer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The effective user of the process.
pub fn effective_user() -> u32 {
    // SAFETY: geteuid takes no pointer and cannot fail.
    unsafe { libc::geteuid() }
}

/// The effective group of the process.
pub fn effective_group() -> u32 {
    // SAFETY: getegid takes no pointer and cannot fail.
    unsafe { libc::getegid() }
}

/// Why this process cannot resolve any name, if a local problem is the reason: in a process that
/// cannot open /etc/resolv.conf, the C library only reports that the name is unknown.
pub fn resolver_problem() -> Option<String> {
    const RESOLV_CONF: &str = "/etc/resolv.conf";
    let error = open_file(RESOLV_CONF).err()?;
    Some(match (error.raw_os_error(), error.kind()) {
        (Some(libc::EMFILE), _) => "this process has no descriptor left (EMFILE)".to_owned(),
        (Some(libc::ENFILE), _) => "this machine has no descriptor left (ENFILE)".to_owned(),
        (_, ErrorKind::NotFound) => {
            format!("{RESOLV_CONF} is missing (an empty chroot?), so no name server is known")
        }
        _ => format!("{RESOLV_CONF} cannot be read: {error}"),
    })
}
