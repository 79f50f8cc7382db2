//! Model files from strangers: broken ones and those that mean harm. Each is told in a sentence; nothing is executed, and
//! no bytes whatever make a panic.

mod archives;
mod depth;
#[cfg(unix)]
mod doors;
mod extremes;
pub mod fuzz;
mod headers;
#[cfg(unix)]
mod patience;
mod program;
mod settings;

use std::path::{Path, PathBuf};

use ebb::model::Model;
use ebb::model::load;

use crate::support::{cpu, fixture};

/// A copy of tiny-llama that may be spoilt.
struct Spoilt(tempfile::TempDir);

impl Spoilt {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture("tiny-llama")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.file(name), bytes).unwrap();
        self
    }

    fn remove(&self, name: &str) -> &Self {
        std::fs::remove_file(self.file(name)).unwrap();
        self
    }

    fn load(&self) -> Result<Model, String> {
        load::from_folder(self.path(), &cpu()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(&self, expected: &str) {
        match self.load() {
            Ok(_) => panic!("it was loaded; expected {expected:?}"),
            Err(message) => {
                assert!(message.contains(expected), "{message:?} lacks {expected:?}");
                assert!(message.len() < 2000, "a message of {} bytes", message.len());
            }
        }
    }
}
