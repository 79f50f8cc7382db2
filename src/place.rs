//! The door through which files are written: the folder is found, or made, below the roots of what may be written, and held,
//! so that what is written into it lands in that very folder, whatever its name means by then.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::doorway::{Folder, Roots};
use crate::error::{Error, Result};

/// What names of ours begin with that stand beside what they are to become. Scripts may not use them.
pub const OURS: &str = ".ebb-";
/// Bytes that a name may have on the file systems in use.
const LONGEST_NAME: usize = 255;

/// What is being put together and would be left behind if the program ended now.
static UNDER_WAY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The folder at a path below the roots; it and the folders above it are made where they are missing.
pub fn folder(roots: &Roots, path: &Path) -> Result<Folder> {
    let folder = reach(roots, path)?;
    if roots.holds(folder.path()) { Ok(folder) } else { Err(not_allowed(path)) }
}

/// The same, or a folder above a root.
fn reach(roots: &Roots, path: &Path) -> Result<Folder> {
    let full = std::path::absolute(path).map_err(|error| Error::io("write", path, error))?;
    let mut missing = Vec::new();
    let mut at = full.as_path();
    let mut folder = loop {
        match (held(roots, at), at.parent(), at.file_name()) {
            (Ok(folder), ..) => break folder,
            (Err(error), Some(parent), Some(name)) if error.is_missing() => {
                missing.push(name);
                at = parent;
            }
            (Err(error), ..) => return Err(writing(error, path)),
        }
    };
    while let Some(name) = missing.pop() {
        let next = folder.path().join(name);
        match std::fs::create_dir(folder.way(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("create", next, error));
            }
            _ => {
                folder = held(roots, &next).map_err(|error| match error {
                    Error::Io { source, .. } => Error::io("create", &next, source),
                    error => writing(error, path),
                })?;
            }
        }
    }
    Ok(folder)
}

/// The folder that holds what is to stand at a path, and the last name of the path.
pub fn around(roots: &Roots, path: &Path) -> Result<(Folder, PathBuf)> {
    let Some(name) = path.file_name() else {
        let got = path.display().to_string();
        return Err(Error::invalid("writing", "a path that ends in a name", got));
    };
    check_name(path)?;
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    let folder = reach(roots, above)?;
    if roots.holds(&folder.path().join(name)) {
        Ok((folder, PathBuf::from(name)))
    } else {
        Err(not_allowed(path))
    }
}

/// Refuses names that stand for what is under way: they would be swept one day, or taken for it.
pub fn refuse_ours(path: &Path) -> Result<()> {
    let mut names = path.components().map(|part| part.as_os_str());
    match names.find(|name| name.as_encoded_bytes().starts_with(OURS.as_bytes())) {
        None => Ok(()),
        Some(name) => Err(Error::failed_with_hint(
            format!(
                "cannot write {}: names that begin with {OURS} are those of what this program has under way, as `{}`",
                path.display(),
                name.to_string_lossy()
            ),
            "give another name",
        )),
    }
}

/// Refuses what no file system takes, before anything is put together.
pub fn check_name(path: &Path) -> Result<()> {
    let text = path.as_os_str().as_encoded_bytes();
    let long = |part: std::path::Component| part.as_os_str().len() > LONGEST_NAME;
    let why = if text.contains(&0) {
        "a name may not hold a zero character".to_string()
    } else if path.components().any(long) {
        format!("a name may have {LONGEST_NAME} bytes at most, and one in it has more")
    } else {
        return Ok(());
    };
    let shown: String = path.display().to_string().chars().take(80).collect();
    Err(Error::failed_with_hint(format!("cannot write {shown:?}: {why}"), "give another name"))
}

/// A folder below a root, or above one that is yet to be made.
fn held(roots: &Roots, path: &Path) -> Result<Folder> {
    match roots.folder(path) {
        Err(Error::NotAllowed { .. }) if roots.is_above(path) => {
            let folder = Roots::anywhere().folder(path)?;
            if folder.path() == path { Ok(folder) } else { Err(not_allowed(path)) }
        }
        found => found,
    }
}

fn not_allowed(path: &Path) -> Error {
    Error::NotAllowed { operation: "write", path: path.to_path_buf() }
}

/// The doorway's errors are about reading.
fn writing(error: Error, path: &Path) -> Error {
    match error {
        Error::NotAllowed { .. } => not_allowed(path),
        Error::Io { source, .. } => Error::io("write", path, source),
        other => other,
    }
}

/// Something that is put together aside: until this is dropped, it is removed where the program ends at once.
pub struct UnderWay(PathBuf);

impl UnderWay {
    pub fn new(path: &Path) -> Self {
        let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(path.to_path_buf());
        Self(path.to_path_buf())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.0);
    }
}

/// Removes what is being put together: the program ends at once. What cannot be removed is swept by a later run.
pub fn abandon() {
    let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    for path in std::mem::take(&mut *under_way) {
        if std::fs::remove_file(&path).is_err() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}
