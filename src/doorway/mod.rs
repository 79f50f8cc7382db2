//! The door through which files are opened for reading: what a script, a model or a configuration names is resolved,
//! checked against the roots of what may be read, and read by the handle that was checked.
//!
//! A path is a name that may mean something else a moment later, so what counts is the handle: it is opened without
//! reading, the system tells where it really is and what it is, and only then is that same handle read. A link that is
//! swapped in between changes nothing. Only regular files are read: a pipe or a device may never end.

#[cfg(not(unix))]
mod elsewhere;
mod held;
#[cfg(unix)]
mod unix;

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(not(unix))]
use self::elsewhere as system;
use self::held::Held;
#[cfg(unix)]
use self::unix as system;
use crate::error::{Error, Result};
use crate::memory;

/// Where files may be read: below canonical folders, or at canonical files. Cheap to clone.
///
/// By default anywhere, for paths that the person at the keyboard typed and for callers in Rust.
#[derive(Clone, Debug, Default)]
pub struct Roots(Option<Arc<[PathBuf]>>);

/// A regular file that may be read, open.
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    /// Where it really is, links resolved.
    pub path: PathBuf,
    /// Bytes when it was opened.
    pub len: u64,
}

/// What is found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    File(PathBuf),
    Folder(PathBuf),
}

/// What a folder holds under a name, as the folder tells it: links are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: PathBuf,
    pub name: String,
    pub kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Folder,
    Link,
    /// A pipe, a socket or a device.
    Other,
}

/// A folder that was checked, held: what is done through [`Folder::way`] is done in that very folder, whatever its name
/// means by then.
pub struct Folder(Held);

/// Links that are followed on the way to one file, as in Linux.
const MOST_LINKS: usize = 40;
/// Times a path is looked at anew because something was swapped meanwhile.
const TRIES: usize = 16;
/// Bytes of a file for which no room is asked.
const LITTLE: u64 = 1 << 24;

impl Found {
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Folder(path) => path,
        }
    }

    pub fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }
}

impl Folder {
    /// Where it really was when it was found.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// A path for the system that leads through the handle to a name in the folder. It means something while this lives.
    pub fn way(&self, name: impl AsRef<Path>) -> PathBuf {
        system::folder(&self.0).join(name)
    }
}

impl Roots {
    /// Anywhere: for what the person at the keyboard names.
    pub fn anywhere() -> Self {
        Self(None)
    }

    /// Only below these canonical folders, and these canonical files themselves.
    pub fn of(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(Some(roots.into_iter().collect()))
    }

    /// Only below a folder, wherever it really is; nowhere if it is not there.
    pub fn below(folder: &Path) -> Self {
        Self::of(folder.canonicalize())
    }

    /// Where a folder really is that the person at the keyboard names, so that paths below it are found without the way there;
    /// as it is named where it is not there.
    pub fn really(folder: &Path) -> PathBuf {
        let found = Self::anywhere().folder(folder);
        found.map_or_else(|_| folder.to_path_buf(), |found| found.path().to_path_buf())
    }

    /// These roots and more.
    pub fn and(&self, more: impl IntoIterator<Item = PathBuf>) -> Self {
        match &self.0 {
            None => Self(None),
            Some(roots) => Self::of(roots.iter().cloned().chain(more)),
        }
    }

    /// The regular file or folder at a path. Whether there is anything outside the roots is never told.
    pub fn find(&self, path: &Path) -> Result<Found> {
        let held = self.hold(path)?;
        if held.facts.is_dir() {
            return Ok(Found::Folder(held.path));
        }
        refuse_special(path, &held.facts)?;
        Ok(Found::File(held.path))
    }

    /// Opens a regular file for reading.
    pub fn open(&self, path: &Path) -> Result<Opened> {
        let held = self.hold(path)?;
        refuse_special(path, &held.facts)?;
        let file = system::readable(held.handle).map_err(|error| Error::io("read", path, error))?;
        Ok(Opened { len: held.facts.len(), path: held.path, file })
    }

    /// The folder at a path, held.
    pub fn folder(&self, path: &Path) -> Result<Folder> {
        let held = self.hold(path)?;
        if held.facts.is_dir() {
            Ok(Folder(held))
        } else {
            Err(Error::io("read", path, ErrorKind::NotADirectory.into()))
        }
    }

    /// Whether a canonical path is below a root.
    pub fn holds(&self, real: &Path) -> bool {
        self.0.as_ref().is_none_or(|roots| allows(roots, real))
    }

    /// Whether a root is at or below a path.
    pub fn is_above(&self, path: &Path) -> bool {
        let roots = self.0.as_deref().unwrap_or_default();
        roots.iter().any(|root| root.starts_with(path))
    }

    /// A regular file's bytes.
    pub fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        self.open(path)?.bytes(path)
    }

    /// A regular file as text; not UTF-8 is an error that says so.
    pub fn text(&self, path: &Path) -> Result<String> {
        self.open(path)?.text(path)
    }

    /// What a folder holds, in the order of the names.
    pub fn list(&self, folder: &Path) -> Result<Vec<Entry>> {
        let failed = |error| Error::io("read", folder, error);
        let held = self.hold(folder)?;
        if !held.facts.is_dir() {
            return Err(failed(ErrorKind::NotADirectory.into()));
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(system::folder(&held)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A name that is not UTF-8 is none that a script or a model can say.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_file() => EntryKind::File,
                Ok(kind) if kind.is_dir() => EntryKind::Folder,
                Ok(kind) if kind.is_symlink() => EntryKind::Link,
                _ => EntryKind::Other,
            };
            found.push(Entry { path: held.path.join(&name), name, kind });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// What is at a path that leads there without a link: one look of the system, however long the path.
    fn hold_plainly(&self, path: &Path) -> Option<Held> {
        let roots = self.0.as_ref()?;
        if !allows(roots, path) {
            return None;
        }
        let handle = system::hold(path).ok()?;
        let facts = handle.metadata().ok()?;
        let real = system::real_path(&handle, &facts, path)?;
        (real == path && allows(roots, &real)).then_some(Held { handle, facts, path: real })
    }

    /// A handle on what a path means now, checked.
    fn hold(&self, path: &Path) -> Result<Held> {
        let failed = |error| Error::io("read", path, error);
        if let Some(held) = self.hold_plainly(path) {
            return Ok(held);
        }
        for _ in 0..TRIES {
            let place = match &self.0 {
                Some(roots) => place_of(path, roots)?,
                None => path.to_path_buf(),
            };
            let handle = system::hold(&place).map_err(failed)?;
            let facts = handle.metadata().map_err(failed)?;
            let Some(real) = system::real_path(&handle, &facts, &place) else {
                continue;
            };
            return match &self.0 {
                Some(roots) if !allows(roots, &real) => Err(not_allowed(path)),
                _ => Ok(Held { handle, facts, path: real }),
            };
        }
        Err(Error::failed(format!(
            "cannot read {}: it is being replaced again and again",
            path.display()
        )))
    }
}

impl Opened {
    /// The bytes; `path` is the name in errors.
    pub fn bytes(mut self, path: &Path) -> Result<Vec<u8>> {
        let length = self.file.metadata().map_or(0, |facts| facts.len());
        if length > LITTLE {
            memory::require_room(length, &format!("reading {}", path.display()))?;
        }
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).map_err(|error| Error::io("read", path, error))?;
        Ok(bytes)
    }

    /// The text; `path` is the name in errors.
    pub fn text(self, path: &Path) -> Result<String> {
        String::from_utf8(self.bytes(path)?).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..valid).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            Error::malformed(path, Some(line), "this is not UTF-8 text")
        })
    }
}

fn not_allowed(path: &Path) -> Error {
    Error::NotAllowed { operation: "read", path: path.to_path_buf() }
}

/// Whether a canonical path is below a root. What the system shows of itself is no data, whatever the roots.
fn allows(roots: &[PathBuf], real: &Path) -> bool {
    let of_system = ["/proc", "/sys", "/dev"].iter().any(|folder| real.starts_with(folder));
    let is_data = !of_system || real.starts_with("/dev/shm");
    is_data && roots.iter().any(|root| real.starts_with(root))
}

/// Where a path leads, links resolved, as far as that is below the roots; it need not be there. Every folder on the way
/// lies below a root or above one, so that nothing is learnt of others.
#[cfg(unix)]
fn place_of(path: &Path, roots: &[PathBuf]) -> Result<PathBuf> {
    use std::path::Component;
    let failed = |error| Error::io("read", path, error);
    let parts = |path: &Path| {
        let parts = path.components().rev();
        let parts = parts.map(|part| PathBuf::from(part.as_os_str()));
        parts.collect::<Vec<PathBuf>>()
    };
    let near = |place: &Path| {
        let above = roots.iter().any(|root| root.starts_with(place));
        above || allows(roots, place)
    };
    let mut ahead = parts(&std::path::absolute(path).map_err(failed)?);
    let mut place = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        match part.components().next() {
            Some(Component::ParentDir) if !place.is_dir() => {
                return Err(failed(ErrorKind::NotFound.into()));
            }
            Some(Component::ParentDir) => {
                place.pop();
            }
            Some(Component::CurDir) | None => {}
            // The root of the file system: whatever was before is left.
            Some(Component::RootDir | Component::Prefix(_)) => place = part,
            Some(Component::Normal(name)) => {
                place.push(name);
                if let Ok(target) = place.read_link() {
                    links += 1;
                    place.pop();
                    ahead.extend(parts(&target));
                } else if !near(&place) {
                    return Err(not_allowed(path));
                }
            }
        }
        if links > MOST_LINKS {
            return Err(not_allowed(path));
        }
    }
    if allows(roots, &place) { Ok(place) } else { Err(not_allowed(path)) }
}

/// The same where a path has prefixes and other separators: the nearest folder that is there decides.
#[cfg(not(unix))]
fn place_of(path: &Path, roots: &[PathBuf]) -> Result<PathBuf> {
    let full = std::path::absolute(path).map_err(|error| Error::io("read", path, error))?;
    let place = full.ancestors().find_map(|existing| {
        let rest = full.strip_prefix(existing).ok()?;
        Some(existing.canonicalize().ok()?.join(rest))
    });
    place.filter(|place| allows(roots, place)).ok_or_else(|| not_allowed(path))
}

/// Refuses what is no regular file.
fn refuse_special(path: &Path, facts: &Metadata) -> Result<()> {
    if facts.is_file() {
        return Ok(());
    }
    let (what, hint) = if facts.is_dir() {
        ("a folder", "name a file in it")
    } else {
        let hint = "write what it gives into a file, and name that";
        (system::special(facts), hint)
    };
    Err(Error::failed_with_hint(
        format!("cannot read {}: it is {what}, not a file", path.display()),
        hint,
    ))
}
