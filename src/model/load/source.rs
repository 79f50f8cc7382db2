//! Where a model's files are: a folder, or the program itself.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use include_dir::Dir;
use sha2::{Digest, Sha256};

use crate::doorway::{Found, Opened, Roots};
use crate::error::{Error, Result};

/// A model's files, wherever they are.
pub struct Files {
    /// What to call the model in its lineage.
    pub source: String,
    place: Place,
}

enum Place {
    /// A folder, and where the files that are named in it may really lie.
    Folder(PathBuf, Roots),
    Bundled(&'static Dir<'static>),
}

impl Files {
    /// The files of a folder that really lie below `roots`, or where the Hub's cache keeps those of a commit's folder.
    pub fn of_folder(folder: &Path, roots: &Roots) -> Self {
        Self {
            source: folder.display().to_string(),
            place: Place::Folder(folder.to_path_buf(), roots.and(blobs_of(folder))),
        }
    }

    pub fn bundled(name: &str, folder: &'static Dir<'static>) -> Self {
        Self { source: format!("ebb/{name}"), place: Place::Bundled(folder) }
    }

    /// The path of a file in a folder on disk, whether it is there or not.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Folder(folder, _) => Some(folder.join(name)),
            Place::Bundled(_) => None,
        }
    }

    /// What is found at a path that starts in the folder, such as "../base".
    pub fn find(&self, path: &Path) -> Option<Result<Found>> {
        match &self.place {
            Place::Folder(folder, roots) => Some(roots.find(&folder.join(path))),
            Place::Bundled(_) => None,
        }
    }

    /// A small file whole; `None` where there is no such file.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.open(name)? {
            None => Ok(None),
            Some(bytes) => {
                // Tokenizers of large vocabularies take some ten megabytes; a settings file of more is none.
                const LARGEST: u64 = 1 << 30;
                if bytes.len() > LARGEST {
                    return Err(Error::invalid(
                        format!("reading {name} of {}", self.source),
                        format!("at most {LARGEST} bytes"),
                        bytes.len().to_string(),
                    ));
                }
                bytes.at(0, bytes.len() as usize).map(Some)
            }
        }
    }

    pub fn required(&self, name: &str) -> Result<Vec<u8>> {
        self.read(name)?.ok_or_else(|| {
            Error::failed_with_hint(
                format!("the model {} has no {name}", self.source),
                "a model is a folder with config.json, tokenizer.json (or tokenizer.model, or vocab.json and merges.txt) and model.safetensors, or a .gguf file",
            )
        })
    }

    /// The names of the files with an ending, in order.
    pub fn with_ending(&self, ending: &str) -> Result<Vec<String>> {
        let Place::Folder(folder, roots) = &self.place else {
            return Ok(Vec::new());
        };
        let names = roots.list(folder)?.into_iter().map(|entry| entry.name);
        Ok(names.filter(|name| name.ends_with(ending)).collect())
    }

    /// A file to be read in parts.
    pub fn open(&self, name: &str) -> Result<Option<Bytes>> {
        match &self.place {
            Place::Bundled(folder) => {
                let file = folder.get_file(folder.path().join(name));
                Ok(file.map(|file| Bytes::Memory(file.contents())))
            }
            Place::Folder(..) => {
                let opened = self.handle(name)?;
                Ok(opened.map(Bytes::of))
            }
        }
    }

    /// A file in a folder on disk, open; `None` where there is no such file.
    pub fn handle(&self, name: &str) -> Result<Option<Opened>> {
        let Place::Folder(folder, roots) = &self.place else {
            return Ok(None);
        };
        match roots.open(&folder.join(name)) {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if error.is_missing() => Ok(None),
            Err(Error::NotAllowed { .. }) => Err(Error::failed_with_hint(
                format!(
                    "{name} of {} is a link to what lies elsewhere, and reading that is not allowed",
                    self.source
                ),
                "put the file itself where the link to it is, or add --allow-read PATH for where it leads",
            )),
            Err(error) => Err(error),
        }
    }
}

/// Where the Hub's cache keeps the bytes of `models--org--name/snapshots/COMMIT`, if the folder is such a one: its files
/// are links there.
fn blobs_of(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.parent()?;
    let repository = snapshots.parent()?;
    let name = repository.file_name()?.to_str()?;
    let is_commit = snapshots.file_name()?.to_str()? == "snapshots" && name.starts_with("models--");
    is_commit.then(|| repository.join("blobs"))
}

/// A file of which parts are read by their place, so that a large model is never in memory twice.
pub enum Bytes {
    Memory(&'static [u8]),
    File { file: Mutex<File>, len: u64, path: PathBuf },
}

impl Bytes {
    pub fn of(opened: Opened) -> Self {
        Self::File { len: opened.len, file: Mutex::new(opened.file), path: opened.path }
    }

    /// The open file, to be read by others; only memory has none.
    pub fn into_file(self) -> std::result::Result<File, String> {
        match self {
            Self::File { file, .. } => {
                file.into_inner().map_err(|_| "its reader stopped in the middle".to_string())
            }
            Self::Memory(_) => Err("it is no file".to_string()),
        }
    }

    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// `count` bytes from `start` on.
    pub fn at(&self, start: u64, count: usize) -> Result<Vec<u8>> {
        let end = start.checked_add(count as u64);
        if end.is_none_or(|end| end > self.len()) {
            return Err(Error::invalid(
                "reading a model's file",
                format!("{count} bytes from byte {start}"),
                format!("a file of {} bytes", self.len()),
            ));
        }
        match self {
            Self::Memory(bytes) => {
                let part = bytes.get(start as usize..start as usize + count);
                Ok(part.unwrap_or_default().to_vec())
            }
            Self::File { file, path, .. } => {
                let mut file = file
                    .lock()
                    .map_err(|_| Error::failed("a file's reader stopped in the middle"))?;
                let mut part = vec![0; count];
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.read_exact(&mut part))
                    .map_err(|error| Error::io("read", path, error))?;
                Ok(part)
            }
        }
    }

    /// SHA-256 of the whole.
    pub fn sha256(&self) -> Result<String> {
        const PART: u64 = 1 << 22;
        let mut hasher = Sha256::new();
        let mut start = 0;
        while start < self.len() {
            let count = PART.min(self.len() - start);
            hasher.update(self.at(start, count as usize)?);
            start += count;
        }
        let digest = hasher.finalize();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
