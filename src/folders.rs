//! Folders put together aside and set in their place at once, swept only where they are ours, and held by one at a time.
//!
//! What is under way is held by a lock of the system on the folder itself, which ends with the process that holds it: a
//! folder aside that nobody holds was left by a process that was killed, and may be swept if all in it is ours.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::files;

/// The names of a folder's entries, where every one is ours; else an error that says which is not.
pub type Owned<'a> = &'a dyn Fn(&Path) -> Result<Vec<String>>;

/// A folder that is put together beside the place where it is to stand. Dropping it removes it.
pub struct Aside {
    folder: TempDir,
    /// Held while it is written.
    _lock: Held,
}

/// A folder that nobody else may hold at the same time, until this is dropped or the process ends.
pub struct Held {
    _lock: Option<File>,
}

/// Random characters at the end of a name aside.
const RANDOM: usize = 16;

impl Aside {
    /// A new folder `.ebb-KIND-…` in `parent`, as readable as the umask lets it be.
    pub fn new(parent: &Path, kind: &str) -> Result<Self> {
        let prefix = format!(".ebb-{kind}-");
        let failed = |error| Error::io("write into", parent, error);
        loop {
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix).rand_bytes(RANDOM);
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
            let folder = builder.tempdir_in(parent).map_err(failed)?;
            // Between being made and being held it looks abandoned: where it was swept meanwhile, another one is made.
            if let Some(lock) = try_hold(folder.path())
                && folder.path().exists()
            {
                return Ok(Self {
                    folder,
                    _lock: lock,
                });
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets the folder in the place of `target`. An older one there is exchanged for it in one step, so that at every moment
    /// one of the two stands whole under the name; it must be ours, and is removed then.
    pub fn put(self, target: &Path, owned: Owned) -> Result<()> {
        let failed = |error| Error::io("replace", target, error);
        sync(self.path());
        if is_nothing(target) {
            std::fs::rename(self.path(), target)
                .map_err(|error| Error::io("write", target, error))?;
            self.leave();
            sync_parent(target);
            return Ok(());
        }
        owned(target)?;
        if !exchange(self.path(), target).map_err(failed)? {
            return self.put_in_two_steps(target, owned);
        }
        // From here on the old one stands under the name aside, and goes only if all in it is ours.
        let old = self.leave();
        match owned(&old) {
            Ok(names) => {
                sync_parent(target);
                remove(&old, &names)
            }
            // Something has come into it since it was looked at.
            Err(error) => {
                exchange(&old, target).map_err(failed)?;
                let names = owned(&old)?;
                remove(&old, &names)?;
                Err(error)
            }
        }
    }

    /// For file systems that cannot exchange two names. Killed between the two steps, the old folder stands whole under
    /// the name of [`old_name`], where [`recover`] finds it.
    fn put_in_two_steps(self, target: &Path, owned: Owned) -> Result<()> {
        let old = old_name(target);
        if !is_nothing(&old) {
            let names = owned(&old)?;
            remove(&old, &names)?;
        }
        let failed = |error| Error::io("replace", target, error);
        std::fs::rename(target, &old).map_err(failed)?;
        if let Err(error) = std::fs::rename(self.path(), target) {
            std::fs::rename(&old, target).map_err(failed)?;
            return Err(failed(error));
        }
        self.leave();
        sync_parent(target);
        let names = owned(&old)?;
        remove(&old, &names)
    }

    /// Lets go of the name aside: what stands there now is not removed with this.
    fn leave(self) -> PathBuf {
        self.folder.keep()
    }
}

/// Takes back a folder that was moved away to be replaced by a process that was killed before it did so.
pub fn recover(target: &Path) -> Result<()> {
    let old = old_name(target);
    match old.is_dir() && !old.is_symlink() && std::fs::symlink_metadata(target).is_err() {
        true => std::fs::rename(&old, target).map_err(|error| Error::io("recover", target, error)),
        false => Ok(()),
    }
}

fn old_name(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".ebb-old-{name}"))
}

/// Whether nothing would be lost if a folder were put here: there is nothing, or an empty folder.
fn is_nothing(path: &Path) -> bool {
    match std::fs::symlink_metadata(path) {
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        Ok(facts) => {
            facts.is_dir()
                && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
        }
    }
}

/// Exchanges two folders of one file system in one step; says whether the system can.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> std::io::Result<bool> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let one = CString::new(one.as_os_str().as_bytes())?;
    let other = CString::new(other.as_os_str().as_bytes())?;
    let here = libc::AT_FDCWD;
    // SAFETY: both are texts that end in a zero byte and live through the call, which only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            here,
            one.as_ptr(),
            here,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    if result == 0 {
        return Ok(true);
    }
    let error = std::io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_one: &Path, _other: &Path) -> std::io::Result<bool> {
    Ok(false)
}

/// Removes the named files of a folder, and the folder if nothing else is in it.
pub fn remove(folder: &Path, names: &[String]) -> Result<()> {
    let gone = |result: std::io::Result<()>, path: &Path| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    };
    for name in names {
        let path = folder.join(name);
        gone(std::fs::remove_file(&path), &path)?;
    }
    gone(std::fs::remove_dir(folder), folder)
}

/// Removes a folder of ours under its name in one step, so that no half of it is ever met there.
pub fn remove_at_once(folder: &Path, kind: &str, names: &[String]) -> Result<()> {
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    let aside = Aside::new(parent, kind)?;
    std::fs::rename(folder, aside.path()).map_err(|error| Error::io("remove", folder, error))?;
    remove(&aside.leave(), names)
}

/// Removes the folders `.ebb-KIND-…` in `parent` that killed processes left: nobody holds them, and all in them is known.
pub fn sweep(parent: &Path, kind: &str, known: &[&str]) -> Result<()> {
    let prefix = format!(".ebb-{kind}-");
    for path in entries(parent)? {
        if !is_name_of_ours(&path, &prefix) || !is_real_folder(&path) {
            continue;
        }
        let Some(_held) = try_hold(&path) else {
            continue;
        };
        let Ok(names) = known_entries(&path, known) else {
            continue;
        };
        remove(&path, &names)?;
    }
    Ok(())
}

/// The names of a folder's entries where all are plain files with names that are known or of files written aside.
pub fn known_entries(folder: &Path, known: &[&str]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        let name = name_of(&path);
        let is_known = known.contains(&name.as_str()) || files::is_aside(&path);
        if !is_known || !is_plain_file(&path) {
            return Err(Error::failed(format!(
                "{} holds `{name}`, which this program did not write",
                folder.display()
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// The paths of a folder's entries, in the order of their names.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |error| Error::io("read", folder, error);
    let entries = std::fs::read_dir(folder).map_err(read)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(read)?;
    paths.sort();
    Ok(paths)
}

/// The last part of a path as text.
pub fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_name_of_ours(path: &Path, prefix: &str) -> bool {
    let name = name_of(path);
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// A folder, and no link to one.
pub fn is_real_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir())
}

/// A file with contents, and no link to one.
pub fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file())
}

/// Holds a folder for one process at a time; `None` where another one holds it.
pub fn try_hold(folder: &Path) -> Option<Held> {
    let Ok(handle) = File::open(folder) else {
        // Not every system opens folders.
        return folder.exists().then_some(Held { _lock: None });
    };
    match handle.try_lock() {
        Ok(()) => Some(Held {
            _lock: Some(handle),
        }),
        Err(TryLockError::WouldBlock) => None,
        // A file system without locks: two at once are rarer than such a system.
        Err(TryLockError::Error(_)) => Some(Held { _lock: None }),
    }
}

/// Makes what was renamed in a folder durable; a file system that cannot do so is no reason to fail.
pub fn sync(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

fn sync_parent(path: &Path) {
    if let Some(parent) = path.parent() {
        sync(parent);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn all(folder: &Path) -> Result<Vec<String>> {
        known_entries(folder, &["a"])
    }

    #[test]
    fn a_system_that_cannot_exchange_keeps_one_of_the_two() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("m");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("a"), "old").unwrap();
        let aside = Aside::new(place.path(), "test").unwrap();
        std::fs::write(aside.path().join("a"), "new").unwrap();
        aside.put_in_two_steps(&target, &all).unwrap();
        assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "new");
        assert_eq!(
            entries(place.path()).unwrap(),
            std::slice::from_ref(&target)
        );
        // Killed between the steps: the old one is taken back.
        std::fs::rename(&target, old_name(&target)).unwrap();
        recover(&target).unwrap();
        assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "new");
    }
}
