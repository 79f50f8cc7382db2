//! Where a model's files are: a folder, or the program itself.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use include_dir::Dir;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A model's files, wherever they are.
pub struct Files {
    /// What to call the model in its lineage.
    pub source: String,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Bundled(&'static Dir<'static>),
}

impl Files {
    pub fn of_folder(folder: &Path) -> Self {
        Self {
            source: folder.display().to_string(),
            place: Place::Folder(folder.to_path_buf()),
        }
    }

    pub fn bundled(name: &str, folder: &'static Dir<'static>) -> Self {
        Self {
            source: format!("ebb/{name}"),
            place: Place::Bundled(folder),
        }
    }

    /// The path of a file in a folder on disk.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Folder(folder) => Some(folder.join(name)).filter(|path| path.is_file()),
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
                "a model is a folder with config.json, tokenizer.json and model.safetensors, or a .gguf file",
            )
        })
    }

    /// The names of the files with an ending, in order.
    pub fn with_ending(&self, ending: &str) -> Result<Vec<String>> {
        let Place::Folder(folder) = &self.place else {
            return Ok(Vec::new());
        };
        let entries =
            std::fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A file to be read in parts.
    pub fn open(&self, name: &str) -> Result<Option<Bytes>> {
        match &self.place {
            Place::Bundled(folder) => {
                let file = folder.get_file(folder.path().join(name));
                Ok(file.map(|file| Bytes::Memory(file.contents())))
            }
            Place::Folder(folder) => {
                let path = folder.join(name);
                match File::open(&path) {
                    Ok(file) => Bytes::of_file(file, path).map(Some),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(Error::io("read", path, error)),
                }
            }
        }
    }
}

/// A file of which parts are read by their place, so that a large model is never in memory twice.
pub enum Bytes {
    Memory(&'static [u8]),
    File {
        file: Mutex<File>,
        len: u64,
        path: PathBuf,
    },
}

impl Bytes {
    fn of_file(file: File, path: PathBuf) -> Result<Self> {
        match file.metadata() {
            Ok(data) => Ok(Self::File {
                len: data.len(),
                file: Mutex::new(file),
                path,
            }),
            Err(error) => Err(Error::io("read", path, error)),
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
