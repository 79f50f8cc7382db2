//! What the user asks of a bundle: how much goes inside, and what besides the run's own.

use std::path::PathBuf;

/// What goes inside.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Bytes of an input that is inside, and of all of them together.
    pub largest: u64,
    pub most: u64,
    /// Files and folders to put inside besides what the record names.
    pub with: Vec<PathBuf>,
    /// Folders that modules of the standard library were taken from, besides those of the record.
    pub library: Vec<PathBuf>,
    /// Where relative paths start, where the record does not say it.
    pub working_folder: PathBuf,
}
