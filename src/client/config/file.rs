//! Reads the settings file.

use std::io::Read;
use std::os::unix::fs::MetadataExt;

use zeroize::Zeroizing;

use crate::api;
use crate::redact;
use crate::sys;

const GROUP_WRITE: u32 = 0o020;
const WORLD_WRITE: u32 = 0o002;

/// Reads the file at a path. All checks are made on the opened file, which the path may no longer name
/// afterwards; symbolic links are followed, because containers mount secrets as such links.
///
/// # Errors
/// The problem, with the path. It contains no part of the file.
pub fn read(path: &str) -> Result<Zeroizing<String>, String> {
    let shown = redact::path(path);
    let fail = |problem: String| format!("{shown}: {problem}");
    let unreadable = |error| fail(format!("the settings file cannot be read: {error}"));
    let file = sys::open_file(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(fail("is not a file".to_owned()));
    }
    let others = writable_by(about.mode(), about.gid(), sys::effective_group());
    if let Some((who, change)) = others {
        let quoted = shown.replace('\'', r"'\''");
        return Err(fail(format!("{who} can write the file; run: chmod {change} '{quoted}'")));
    }
    let limit = api::MAX_REQUEST;
    // One byte more than the limit, and no reallocation, which would leave copies of secrets.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(fail(format!("has more than {limit} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| fail("is not UTF-8 text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Who else may write a file with this mode and group, and the change that prevents it. The groups that
/// may write it are root's and the process's own.
fn writable_by(mode: u32, group: u32, own_group: u32) -> Option<(&'static str, &'static str)> {
    let by_group = mode & GROUP_WRITE != 0 && group != 0 && group != own_group;
    match (by_group, mode & WORLD_WRITE != 0) {
        (false, false) => None,
        (true, false) => Some(("another group", "g-w")),
        (false, true) => Some(("every user", "o-w")),
        (true, true) => Some(("every user", "go-w")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_process_may_write() {
        for (mode, group, change) in [
            (0o600, 7, None),
            (0o644, 7, None),
            (0o640, 5, None),
            (0o660, 7, None),
            (0o664, 0, None),
            (0o664, 5, Some("g-w")),
            (0o606, 7, Some("o-w")),
            (0o666, 7, Some("o-w")),
            (0o666, 5, Some("go-w")),
        ] {
            let found = writable_by(mode, group, 7).map(|(_, change)| change);
            assert_eq!(found, change, "{mode:o} {group}");
        }
    }
}
