//! A handle that was checked.

use std::fs::{File, Metadata};
use std::path::PathBuf;

/// A handle that was checked, and what is known of it.
pub struct Held {
    pub handle: File,
    pub facts: Metadata,
    pub path: PathBuf,
}
