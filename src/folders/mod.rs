//! Folders put together aside and set in their place at once, swept only where they are ours, and held by one at a time.
//!
//! What is under way is held by a lock of the system on the folder itself, which ends with the process that holds it: a
//! folder aside that nobody holds was left by a process that was killed, and may be swept if all in it is ours.
//!
//! A folder aside holds a mark with its own name. Nobody else's folder has that, so the mark, and not a name, says what may
//! be swept; an older folder that is to be replaced is given the mark of the name it gets by that.

mod entries;
mod exchange;
mod hold;
mod mark;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::entries::{entries, is_plain_file, is_real_folder, name_of};
use self::exchange::exchange;
pub use self::hold::{Held, hold_now, sync, try_hold};
use self::mark::marked;
pub use self::mark::{MARK, is_mark, known_entries, mark};
use crate::doorway::{Folder, Roots};
use crate::error::{Error, Result};
use crate::place::{self, UnderWay};

/// The names of a folder's entries, where every one is ours; else an error that says which is not.
pub type Owned<'a> = &'a dyn Fn(&Path) -> Result<Vec<String>>;

/// A folder that is put together beside the place where it is to stand. Dropping it removes it.
pub struct Aside {
    /// What it stands in.
    parent: Folder,
    folder: TempDir,
    path: PathBuf,
    under_way: UnderWay,
    /// Held while it is written and set in its place.
    _lock: Held,
}

/// Random characters at the end of a name aside.
const RANDOM: usize = 16;
/// How long another process may take to set a folder in the same place.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

impl Aside {
    /// A new folder `.ebb-KIND-…` in `parent`, which must really lie below the roots, as readable as the umask lets it be.
    pub fn new(roots: &Roots, parent: &Path, kind: &str) -> Result<Self> {
        let prefix = format!(".ebb-{kind}-");
        let failed = |error: std::io::Error| Error::io("write into", parent, error.kind().into());
        let held = place::folder(roots, parent)?;
        loop {
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix).rand_bytes(RANDOM);
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
            let folder = builder.tempdir_in(held.way("")).map_err(failed)?;
            // Between being made and being held it looks abandoned: where it was swept meanwhile, another one is made.
            if let Some(lock) = try_hold(folder.path())
                && folder.path().exists()
            {
                let under_way = UnderWay::new(folder.path());
                let name = name_of(folder.path());
                std::fs::write(folder.path().join(MARK), mark(&name)).map_err(failed)?;
                return Ok(Self {
                    path: held.path().join(name),
                    parent: held,
                    folder,
                    under_way,
                    _lock: lock,
                });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where what it holds may be written: in it.
    pub fn roots(&self) -> Roots {
        Roots::of([self.path.clone()])
    }

    /// Sets the folder in the place of `target`, which is beside it. An older one there is exchanged for it in one step, so
    /// that at every moment one of the two stands whole under the name; it must be ours, and is removed then.
    pub fn put(self, target: &Path, owned: Owned) -> Result<()> {
        self.put_by(target, owned, exchange)
    }

    fn put_by(
        self,
        target: &Path,
        owned: Owned,
        exchange: fn(&Path, &Path) -> std::io::Result<bool>,
    ) -> Result<()> {
        let failed = |error| Error::io("replace", target, error);
        let way = self.parent.way(target.file_name().unwrap_or_default());
        sync(self.folder.path());
        let until = Instant::now() + PATIENCE;
        let _old = loop {
            keep_permissions(self.folder.path(), &way);
            if is_nothing(&way) {
                match std::fs::rename(self.folder.path(), &way) {
                    Ok(()) => {
                        let Self { folder, _lock, .. } = self;
                        let _ = folder.keep();
                        let _ = std::fs::remove_file(way.join(MARK));
                        sync(way.parent().unwrap_or(&way));
                        return Ok(());
                    }
                    // Another process was faster.
                    Err(_) if !is_nothing(&way) && Instant::now() < until => continue,
                    Err(error) => return Err(Error::io("write", target, error)),
                }
            }
            // Held, so that no other process takes away what this one replaces, or the other way round.
            match hold_now(&way) {
                Some(held) => break held,
                None if Instant::now() < until => std::thread::sleep(PAUSE),
                None => return Err(busy(target)),
            }
        };
        owned(target)?;
        // A link of that name would be written through.
        let _ = std::fs::remove_file(way.join(MARK));
        std::fs::write(way.join(MARK), mark(&name_of(&self.path))).map_err(failed)?;
        if !exchange(self.folder.path(), &way).map_err(failed)? {
            let _ = std::fs::remove_file(way.join(MARK));
            return self.put_in_two_steps(target, &way, owned);
        }
        // From here on the old one stands under the name aside, and goes only if all in it is ours.
        let Self { parent, folder, path, under_way, _lock } = self;
        drop(under_way);
        let old = folder.keep();
        match owned(&path) {
            Ok(names) => {
                let _ = std::fs::remove_file(way.join(MARK));
                sync(&parent.way(""));
                remove(&old, &names)
            }
            // Something has come into it since it was looked at.
            Err(error) => {
                exchange(&old, &way).map_err(failed)?;
                let _ = std::fs::remove_file(way.join(MARK));
                let names = owned(&path)?;
                remove(&old, &names)?;
                Err(error)
            }
        }
    }

    /// For file systems that cannot exchange two names. Killed between the two steps, the old folder stands whole under
    /// the name of [`old_name`], where [`recover`] finds it.
    fn put_in_two_steps(self, target: &Path, way: &Path, owned: Owned) -> Result<()> {
        let (old, old_way) = (old_name(target), old_name(way));
        if !is_nothing(&old_way) {
            let names = owned(&old)?;
            remove(&old_way, &names)?;
        }
        let failed = |error| Error::io("replace", target, error);
        std::fs::rename(way, &old_way).map_err(failed)?;
        if let Err(error) = std::fs::rename(self.folder.path(), way) {
            std::fs::rename(&old_way, way).map_err(failed)?;
            return Err(failed(error));
        }
        let _ = std::fs::remove_file(way.join(MARK));
        let Self { parent, folder, _lock, .. } = self;
        let _ = folder.keep();
        sync(&parent.way(""));
        let names = owned(&old)?;
        remove(&old_way, &names)
    }
}

/// Looks at what is to be replaced while no other process replaces it; nothing there is nothing to look at.
pub fn check(target: &Path, owned: Owned) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_nothing(target) {
        if !is_real_folder(target) {
            return owned(target).map(|_| ());
        }
        if let Some(_held) = hold_now(target) {
            return owned(target).map(|_| ());
        }
        if Instant::now() > until {
            return Err(busy(target));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn busy(target: &Path) -> Error {
    Error::failed_with_hint(
        format!("cannot replace {}: another process holds it", target.display()),
        "wait until it has ended, or save under another name",
    )
}

/// Gives a folder, and the files in it, the permissions of the one that it is to replace.
fn keep_permissions(folder: &Path, replaced: &Path) {
    let Ok(facts) = std::fs::symlink_metadata(replaced) else {
        return;
    };
    if !facts.is_dir() {
        return;
    }
    for path in entries(folder).unwrap_or_default() {
        let older = std::fs::symlink_metadata(replaced.join(name_of(&path)));
        if let Ok(older) = older
            && older.is_file()
        {
            // Where the file system has no permissions there is nothing to keep.
            let _ = std::fs::set_permissions(&path, older.permissions());
        }
    }
    let _ = std::fs::set_permissions(folder, facts.permissions());
}

/// Takes back a folder that was moved away to be replaced by a process that was killed before it did so, if it is ours.
pub fn recover(target: &Path, owned: Owned) -> Result<()> {
    let old = old_name(target);
    let is_left = is_real_folder(&old) && std::fs::symlink_metadata(target).is_err();
    if is_left && owned(&old).is_ok() {
        return std::fs::rename(&old, target).map_err(|error| Error::io("recover", target, error));
    }
    Ok(())
}

/// Where a folder stands while another is set in its place, on file systems that cannot exchange the two.
pub fn old_name(target: &Path) -> PathBuf {
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

/// Removes the named files of a folder, and the folder if nothing else is in it. Its mark goes last, so that a kill leaves
/// no part of it that nobody knows.
pub fn remove(folder: &Path, names: &[String]) -> Result<()> {
    let gone = |result: std::io::Result<()>, path: &Path| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    };
    let (marks, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| *name == MARK);
    for name in others.into_iter().chain(marks) {
        let path = folder.join(name);
        gone(std::fs::remove_file(&path), &path)?;
    }
    gone(std::fs::remove_dir(folder), folder)
}

/// Removes a folder of ours under its name in one step, so that no half of it is ever met there.
pub fn remove_at_once(roots: &Roots, folder: &Path, kind: &str, names: &[String]) -> Result<()> {
    let failed = |error| Error::io("remove", folder, error);
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    let aside = Aside::new(roots, parent, kind)?;
    let way = aside.parent.way(name_of(folder));
    let mut names = names.to_vec();
    if !names.iter().any(|name| name == MARK) {
        names.push(MARK.to_string());
    }
    std::fs::rename(aside.folder.path().join(MARK), way.join(MARK)).map_err(failed)?;
    std::fs::rename(&way, aside.folder.path()).map_err(failed)?;
    remove(aside.folder.path(), &names)
}

/// Removes the folders `.ebb-KIND-…` in `parent` that killed processes left: nobody holds them, their marks say that they
/// are folders aside, and all in them is known. One that is empty, or holds the beginning of a mark, was never filled.
pub fn sweep(roots: &Roots, parent: &Path, kind: &str, known: &[&str]) -> Result<()> {
    let prefix = format!(".ebb-{kind}-");
    let parent = place::folder(roots, parent)?;
    for way in entries(&parent.way(""))? {
        if !is_name_of_ours(&way, &prefix) || !is_real_folder(&way) {
            continue;
        }
        let Some(_held) = try_hold(&way) else {
            continue;
        };
        let path = parent.path().join(name_of(&way));
        let Ok(names) = known_entries(&path, known) else {
            continue;
        };
        let never_begun = names.iter().all(|name| name == MARK);
        if never_begun || marked(&path) == Some(name_of(&path)) {
            remove(&way, &names)?;
        }
    }
    Ok(())
}

fn is_name_of_ours(path: &Path, prefix: &str) -> bool {
    let name = name_of(path);
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.len() == RANDOM && rest.chars().all(|c| c.is_ascii_alphanumeric()))
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
        let aside = Aside::new(&Roots::anywhere(), place.path(), "test").unwrap();
        std::fs::write(aside.path().join("a"), "new").unwrap();
        aside.put_by(&target, &all, |_, _| Ok(false)).unwrap();
        assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "new");
        assert_eq!(entries(place.path()).unwrap(), std::slice::from_ref(&target));
        // Killed between the steps: the old one is taken back.
        std::fs::rename(&target, old_name(&target)).unwrap();
        recover(&target, &all).unwrap();
        assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "new");
    }
}
