//! Folders that one process holds at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

/// A folder that nobody else may hold at the same time, until this is dropped or the process ends.
pub struct Held {
    lock: Option<File>,
}

/// Holds the folder that stands under a name; `None` where another process does, or where it was replaced meanwhile.
pub fn hold_now(folder: &Path) -> Option<Held> {
    let held = try_hold(folder)?;
    is_still(&held, folder).then_some(held)
}

#[cfg(unix)]
fn is_still(held: &Held, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Some(lock) = &held.lock else {
        return true;
    };
    let (Ok(was), Ok(is)) = (lock.metadata(), std::fs::symlink_metadata(folder)) else {
        return false;
    };
    was.dev() == is.dev() && was.ino() == is.ino()
}

#[cfg(not(unix))]
fn is_still(_held: &Held, _folder: &Path) -> bool {
    true
}

/// Holds a folder for one process at a time; `None` where another one holds it.
pub fn try_hold(folder: &Path) -> Option<Held> {
    let Ok(handle) = File::open(folder) else {
        // Not every system opens folders.
        return folder.exists().then_some(Held { lock: None });
    };
    match handle.try_lock() {
        Ok(()) => Some(Held { lock: Some(handle) }),
        Err(TryLockError::WouldBlock) => None,
        // A file system without locks: two at once are rarer than such a system.
        Err(TryLockError::Error(_)) => Some(Held { lock: None }),
    }
}

/// Makes what was renamed in a folder durable; a file system that cannot do so is no reason to fail.
pub fn sync(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}
