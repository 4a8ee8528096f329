//! Properties of this process.

use std::io::ErrorKind;

use super::descriptor::open_file;
use super::os::RESOLVER_FILE;

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
/// cannot open its configuration, the C library only reports that the name is unknown.
pub fn resolver_problem() -> Option<String> {
    let error = open_file(RESOLVER_FILE).err()?;
    Some(match (error.raw_os_error(), error.kind()) {
        (Some(libc::EMFILE), _) => "this process has no descriptor left (EMFILE)".to_owned(),
        (Some(libc::ENFILE), _) => "this machine has no descriptor left (ENFILE)".to_owned(),
        (_, ErrorKind::NotFound) => {
            format!("{RESOLVER_FILE} is missing (an empty chroot?), so no name server is known")
        }
        _ => format!("{RESOLVER_FILE} cannot be read: {error}"),
    })
}
