//! Reads the settings file.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::api;
use crate::redact;
use crate::sys;

const GROUP_WRITE: u32 = 0o020;
const WORLD_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Reads the file at a path, which starts at the folder if it is relative. All checks of the file
/// are made on the opened file, which the path may no longer name afterwards; symbolic links are
/// followed, because containers mount secrets as such links.
///
/// # Errors
/// The problem, with the path. It contains no part of the file.
pub fn read(path: &str, folder: Option<&Path>) -> Result<Zeroizing<String>, String> {
    let shown = redact::path(path);
    let fail = |problem: String| format!("{shown}: {problem}");
    let unreadable = |error| fail(format!("the settings file cannot be read: {error}"));
    let path = folder.map_or_else(|| path.into(), |folder| folder.join(path));
    let file = sys::open_file(&path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(fail("is not a file".to_owned()));
    }
    if let Some((who, command)) = Access::of(&about).to_file() {
        let does = if command.starts_with("chown") { "owns" } else { "can write" };
        return Err(fail(format!("{who} {does} the file; run: {command} {}", quoted(&shown))));
    }
    // The folder of the path, and that of the file if the path is a link.
    let real = fs::canonicalize(&path).map_err(unreadable)?;
    for folder in [&path, &real].into_iter().filter_map(|path| path.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let about = fs::metadata(folder).map_err(unreadable)?;
        if let Some((who, command)) = Access::of(&about).to_folder() {
            let folder = quoted(&redact::path(&folder.to_string_lossy()));
            return Err(fail(format!(
                "{who} can replace the file in its folder; run: {command} {folder}"
            )));
        }
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

/// A path in the quotation marks of the shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// What decides who can change a file or a folder.
struct Access {
    owner: u32,
    group: u32,
    mode: u32,
    /// The effective user and group of this process.
    process: (u32, u32),
}

impl Access {
    fn of(about: &Metadata) -> Access {
        let process = (sys::effective_user(), sys::effective_group());
        Access { owner: about.uid(), group: about.gid(), mode: about.mode(), process }
    }

    /// Who else can change the file, and the command that prevents it. The members of a group are
    /// not known, so no group may write it. If the file has an access control list, the permissions
    /// of the group in its mode are the mask, which limits every entry of the list.
    fn to_file(&self) -> Option<(String, String)> {
        self.of_owner().or_else(|| self.of_others(true))
    }

    /// Who else can replace the files in the folder, and the command that prevents it. In a sticky
    /// folder, only the owner of a file can replace it. The process's own group may write the
    /// folder: the owner of the file is checked as well.
    fn to_folder(&self) -> Option<(String, String)> {
        let is_foreign = self.group != 0 && self.group != self.process.1;
        let of_others = || self.of_others(is_foreign).filter(|_| self.mode & STICKY == 0);
        self.of_owner().or_else(of_others)
    }

    fn of_owner(&self) -> Option<(String, String)> {
        let own = self.process.0;
        let is_foreign = self.owner != 0 && self.owner != own;
        is_foreign.then(|| (format!("user {}", self.owner), format!("chown {own}")))
    }

    fn of_others(&self, includes_group: bool) -> Option<(String, String)> {
        let by_group = includes_group && self.mode & GROUP_WRITE != 0;
        let (who, change) = match (by_group, self.mode & WORLD_WRITE != 0) {
            (false, false) => return None,
            (true, false) => ("its group, or a user in its access control list,", "g-w"),
            (false, true) => ("every user", "o-w"),
            (true, true) => ("every user", "go-w"),
        };
        Some((who.to_owned(), format!("chmod {change}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_process_may_change_the_file() {
        for (owner, group, mode, of_file, of_folder) in [
            (9, 7, 0o600, None, None),
            (0, 5, 0o644, None, None),
            (0, 5, 0o640, None, None),
            (8, 7, 0o600, Some("chown 9"), Some("chown 9")),
            (8, 7, 0o1777, Some("chown 9"), Some("chown 9")),
            (9, 7, 0o660, Some("chmod g-w"), None),
            (9, 0, 0o664, Some("chmod g-w"), None),
            (9, 5, 0o664, Some("chmod g-w"), Some("chmod g-w")),
            (9, 7, 0o606, Some("chmod o-w"), Some("chmod o-w")),
            (9, 7, 0o666, Some("chmod go-w"), Some("chmod o-w")),
            (0, 5, 0o666, Some("chmod go-w"), Some("chmod go-w")),
            (0, 5, 0o1777, Some("chmod go-w"), None),
        ] {
            let access = Access { owner, group, mode, process: (9, 7) };
            let found = [access.to_file(), access.to_folder()];
            let found = found.each_ref().map(|found| found.as_ref().map(|(_, command)| &**command));
            assert_eq!(found, [of_file, of_folder], "{owner} {group} {mode:o}");
        }
    }
}
