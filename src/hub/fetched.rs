//! What was fetched, and where it lies.

use std::path::{Path, PathBuf};

use crate::doorway::Roots;

/// A model repository in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The folder with the model's files.
    pub folder: PathBuf,
    /// The commit that the revision stood for, 40 hexadecimal digits.
    pub commit: String,
}

impl Fetched {
    /// Where its files may lie: in the repository's own folder of the cache, to whose `blobs/` the links of a commit lead.
    pub fn roots(&self) -> Roots {
        let repository = self.folder.parent().and_then(Path::parent);
        Roots::below(repository.unwrap_or(&self.folder))
    }
}
