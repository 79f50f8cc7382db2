//! The Hub's cache folder, as huggingface_hub lays it out (its guide "Manage your cache"), so that both use one copy:
//! `models--org--name/` (of data sets `datasets--org--name/`) with `blobs/` (files by their ETag), `snapshots/<commit>/` (links to them by their names) and
//! `refs/` (the commits that branches and tags stood for).

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fetched::Fetched;
use super::kind::Kind;
use super::listed::Listed;
use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;

/// One repository's folders in the cache.
pub struct Repository {
    folder: PathBuf,
    locks: PathBuf,
}

impl Repository {
    pub fn new(root: &Path, kind: Kind, repository: &str) -> Self {
        let name = format!("{}--{}", kind.folder(), repository.replace('/', "--"));
        Self { locks: root.join(".locks").join(&name), folder: root.join(name) }
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Where a file of a commit is found by its name.
    pub fn pointer(&self, commit: &str, name: &str) -> PathBuf {
        self.snapshot(commit).join(name)
    }

    /// Where a file's bytes are.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Where a file's bytes are while they are not all there.
    pub fn partial(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The commit that a revision stands for, as far as the cache knows.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_string());
        }
        let path = self.folder.join("refs").join(revision);
        let text = Roots::below(&self.folder).text(&path).ok()?;
        Some(text.trim().to_string()).filter(|commit| is_commit(commit))
    }

    /// What the cache has of a revision: enough to say what model it is.
    pub fn find(&self, revision: &str) -> Option<Fetched> {
        let commit = self.commit(revision)?;
        let there = |name: &str| self.has(&self.pointer(&commit, name));
        let whole = there("config.json") || there("adapter_config.json");
        whole.then(|| Fetched { folder: self.snapshot(&commit), commit })
    }

    /// The files of a commit as the Hub listed them when something of it was fetched. Without this note nobody could tell
    /// whether a file in the cache is the only one that the Hub has.
    pub fn listing(&self, commit: &str) -> Option<Vec<Listed>> {
        let text = Roots::below(&self.folder).text(&self.note(commit)).ok()?;
        let listed: BTreeMap<String, u64> = serde_json::from_str(&text).ok()?;
        Some(listed.into_iter().map(|(path, size)| Listed { path, size }).collect())
    }

    /// Notes the files of a commit.
    pub fn note_listing(&self, commit: &str, listed: &[Listed]) -> Result<()> {
        let listed: BTreeMap<&str, u64> =
            listed.iter().map(|file| (file.path.as_str(), file.size)).collect();
        let text = serde_json::json!(listed).to_string();
        files::write_bytes(&Roots::anywhere(), &self.note(commit), text.as_bytes())
    }

    fn note(&self, commit: &str) -> PathBuf {
        self.folder.join("ebb").join(format!("{commit}.json"))
    }

    /// Whether a file is there, in the repository's own folder.
    pub fn has(&self, path: &Path) -> bool {
        let found = Roots::below(&self.folder).find(path);
        found.is_ok_and(|found| !found.is_folder())
    }

    /// Notes the commit that a branch or a tag stands for.
    pub fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) {
            Ok(())
        } else {
            let path = self.folder.join("refs").join(revision);
            files::write_bytes(&Roots::anywhere(), &path, commit.as_bytes())
        }
    }

    /// Makes a file of a commit found under its name: a link to its bytes, or a copy where the system has no links.
    pub fn point(&self, commit: &str, name: &str, etag: &str) -> Result<()> {
        let pointer = self.pointer(commit, name);
        make_parent(&pointer)?;
        // A link that leads nowhere is in the way; so is nothing at all, which is no error.
        let _ = std::fs::remove_file(&pointer);
        #[cfg(unix)]
        {
            let up = "../".repeat(name.matches('/').count());
            let target = Path::new(&format!("{up}../../blobs")).join(etag);
            if std::os::unix::fs::symlink(target, &pointer).is_ok() || pointer.exists() {
                return Ok(());
            }
        }
        match std::fs::copy(self.blob(etag), &pointer) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io("write", pointer, error)),
        }
    }

    /// Waits until no other program fetches the same file; the lock ends with what is returned.
    pub fn lock(&self, etag: &str, control: &Control) -> Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        make_parent(&path)?;
        let file = File::create(&path).map_err(|error| Error::io("write", &path, error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    control.check()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                // A file system without locks: two programs at once are rarer than such a system.
                Err(TryLockError::Error(_)) => return Ok(file),
            }
        }
    }
}

/// Makes the folder that a file is to be in.
pub fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))
        }
        None => Ok(()),
    }
}

/// Whether a revision is a commit's own name.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit())
}
